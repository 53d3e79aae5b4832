//! What a person at a terminal sees, in tmux.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::harness::{API_TOKEN, APP_PASSWORD, PROGRAM, TestEnv, another, has, reply};
use crate::support::terminal::Terminal;

#[test]
fn login_tells_where_to_make_a_token_asks_for_it_and_does_not_show_it() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    env.configure_plain();
    terminal.types("git credential-bitbucket login --no-verify --store file");
    let screen = terminal.expect("Token for bitbucket.org (it will not show):");
    assert!(
        screen.contains("https://id.atlassian.com/manage-profile/security/api-tokens"),
        "{screen}"
    );
    assert!(
        screen.contains("read:repository:bitbucket and write:repository:bitbucket"),
        "{screen}"
    );
    terminal.types(API_TOKEN);
    terminal.expect("E-mail of your Atlassian account");
    terminal.types("ada@example.com");
    terminal.expect("Expiry date, YYYY-MM-DD");
    terminal.types("31.1.2099");
    terminal.expect("Please type a date such as 2027-01-31");
    terminal.types("2020-01-31");
    terminal.expect("That date has passed");
    terminal.types("2099-01-31");
    let screen = terminal.expect("Stored the secret of 'bitbucket.org' in");
    assert!(!screen.contains("canary"), "{screen}");
    assert_eq!(
        env.get("protocol=https\nhost=api.bitbucket.org\n"),
        reply("ada@example.com", API_TOKEN)
    );
}

#[test]
fn a_secret_that_is_typed_for_a_user_name_is_refused() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types("git-credential-bitbucket login --no-verify --store file --kind app-password");
    terminal.expect("Token for bitbucket.org (it will not show):");
    terminal.types(APP_PASSWORD);
    terminal.expect("Bitbucket user name:");
    terminal.types(API_TOKEN);
    terminal.expect("error: a secret is no user name");
    assert!(!env.data().join("accounts.toml").exists());
}

#[test]
fn setup_offers_once_to_make_git_refuse_passwords_in_urls() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    let question = "Should git refuse every URL that holds a password";
    let value = || env.git(&["config", "transfer.credentialsInUrl"]).stdout;
    let helper = || {
        let key = "credential.https://bitbucket.org.helper";
        env.git(&["config", key]).stdout
    };
    terminal.types("git-credential-bitbucket setup");
    terminal.expect(question);
    assert_eq!(helper(), format!("{PROGRAM}\n"), "everything else is done");
    terminal.types("");
    terminal.expect("git still accepts URLs that hold a password");
    assert_eq!(value(), "");
    // It does not ask a second time, whatever the answer was.
    terminal.types_anew("git-credential-bitbucket setup; echo do''ne");
    assert!(!terminal.expect("done").contains(question));
    assert_eq!(env.program(&["setup", "--undo"], "").status, 0);
    terminal.types_anew("git-credential-bitbucket setup");
    terminal.expect(question);
    terminal.types("y");
    terminal.expect("git refuses URLs that hold a password");
    assert_eq!(value(), "die\n");
    terminal.types_anew("git-credential-bitbucket setup; echo do''ne");
    assert!(!terminal.expect("done").contains(question));
    assert_eq!(value(), "die\n");
    terminal.types_anew("git-credential-bitbucket setup --no-guard; echo do''ne");
    assert!(!terminal.expect("done").contains(question));
    assert_eq!(value(), "");
}

#[test]
fn accounts_that_are_too_wide_for_the_screen_are_told_in_paragraphs() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    env.login(API_TOKEN, &["me"]);
    terminal.types("git-credential-bitbucket status");
    let screen = terminal.expect("me    api-token  bitbucket.org  -");
    assert!(screen.contains("NAME  KIND"), "{screen}");
    let scopes = [
        "--for",
        "acme/a-long-name",
        "--for",
        "acme/another-long-name",
    ];
    let host = ["work", "--host", "bitbucket.corporation.example:7990"];
    env.login("BBDC-canary", &[&host[..], &scopes].concat());
    terminal.types_anew("git-credential-bitbucket status 2>&1; echo do''ne");
    let screen = terminal.expect("done");
    let told = "work\n  kind     http-access-token\n  host     bitbucket.corporation.example:7990\n  \
                for      acme/a-long-name\n           acme/another-long-name\n";
    assert!(screen.contains(told), "{screen}");
    let lines = env.program(&["status"], "").stdout;
    assert_eq!(lines.lines().count(), 3, "{lines}");
}

#[test]
fn login_asks_for_what_the_kind_needs() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types(&format!("{PROGRAM} login --no-verify --store file"));
    terminal.expect("it will not show");
    terminal.types("no-prefix-tells-the-kind");
    terminal.expect("What kind of secret is it (api-token, access-token, app-password)?");
    terminal.types("password");
    terminal.expect("Please type one of api-token, access-token, app-password");
    terminal.types("app-password");
    terminal.expect("Bitbucket user name:");
    terminal.types("ada");
    terminal.expect("Stored the secret of 'ada'");
    assert_eq!(env.get_cloud(""), reply("ada", "no-prefix-tells-the-kind"));
}

#[test]
fn an_interrupted_login_stores_nothing_and_leaves_the_terminal_as_it_was() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types(&format!("{PROGRAM} login --no-verify --store file"));
    terminal.expect("it will not show");
    assert!(
        terminal
            .tmux()
            .args(["send-keys", "C-c"])
            .status()
            .unwrap()
            .success()
    );
    terminal.types("stty -a | tr ' ;' '\\n\\n' | grep -x echo; echo back-$((40 + 2))-$?");
    let screen = terminal.expect("back-42-");
    // Typed before the program has ended it does not show, and the answer stands behind the prompt.
    let mut lines = screen.lines().map(|line| line.trim_start_matches("$ "));
    assert!(
        lines.any(|line| line == "echo"),
        "what is typed shows again: {screen}"
    );
    assert!(!env.data().join("accounts.toml").exists());
}

/// Begins to sign in, up to the prompt for the secret; gives the number of the process.
fn sign_in(terminal: &Terminal<'_>) -> String {
    let pid = terminal.env.path().join("pid");
    terminal.types(&format!(
        "sh -c 'echo $$ >{}; exec {PROGRAM} login --no-verify --store file'",
        pid.display()
    ));
    terminal.expect("it will not show");
    fs::read_to_string(pid).unwrap().trim().to_owned()
}

/// Presses a key such as `C-z`.
fn press(terminal: &Terminal<'_>, key: &str) {
    assert!(
        terminal
            .tmux()
            .args(["send-keys", key])
            .status()
            .unwrap()
            .success()
    );
}

/// Presses a key, and waits until the process has read it: a signal would come before it.
fn press_and_wait(terminal: &Terminal<'_>, key: &str, pid: &str) {
    let bytes_read = || {
        let text = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
        text.lines().next().map(str::to_owned)
    };
    let before = bytes_read();
    press(terminal, key);
    let start = Instant::now();
    while before.is_some() && bytes_read() == before {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "'{key}' is not read"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal.
fn kill(signal: &str, pid: &str) {
    assert!(
        Command::new("kill")
            .args(["-s", signal, pid])
            .status()
            .unwrap()
            .success()
    );
}

/// Looks whether what is typed shows.
fn expect_echo(terminal: &Terminal<'_>, when: &str) {
    // Before the shell has the terminal back, what is typed may be thrown away.
    terminal.expect_prompt();
    terminal.types(
        "stty -a | tr ' ;' '\\n\\n' | grep -x -e echo -e icanon -e isig | tr '\\n' -; echo back",
    );
    let screen = terminal.expect("-back");
    assert!(screen.contains("isig-icanon-echo-back"), "{when}: {screen}");
}

#[test]
fn whatever_ends_the_prompt_leaves_the_terminal_as_it_was() {
    for signal in ["TERM", "HUP", "QUIT", "INT"] {
        let env = TestEnv::new();
        let Some(terminal) = Terminal::open(&env) else {
            return;
        };
        let pid = sign_in(&terminal);
        kill(signal, &pid);
        expect_echo(&terminal, signal);
        assert!(!env.data().join("accounts.toml").exists());
    }
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    sign_in(&terminal);
    press(&terminal, "C-\\");
    expect_echo(&terminal, "Ctrl-\\");
}

#[test]
fn a_prompt_that_is_stopped_gives_the_terminal_back_and_goes_on_where_it_was() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    let pid = sign_in(&terminal);
    for stop in ["TSTP", "C-z"] {
        if stop == "C-z" {
            press(&terminal, "T");
            press(&terminal, stop);
        } else {
            press_and_wait(&terminal, "A", &pid);
            kill(stop, &pid);
        }
        terminal.expect("Stopped");
        expect_echo(&terminal, stop);
        terminal.types_anew("fg");
        terminal.expect("it will not show");
    }
    // Two letters are typed already.
    terminal.types(&API_TOKEN[2..]);
    let screen = terminal.expect("E-mail");
    assert!(!screen.contains("canary"), "{screen}");
}

#[test]
fn a_prompt_that_git_waits_for_is_stopped_and_continued_together_with_git() {
    let env = TestEnv::new();
    env.configure_plain();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types("printf 'url=https://bitbucket.org\\n\\n' | git credential fill");
    terminal.expect("it will not show");
    press(&terminal, "C-z");
    terminal.expect("Stopped");
    expect_echo(&terminal, "Ctrl-Z");
    terminal.types_anew("fg");
    terminal.expect("it will not show");
    terminal.types(API_TOKEN);
    terminal.expect(&format!("password={API_TOKEN}"));
    expect_echo(&terminal, "the end");
}

#[test]
fn where_nobody_could_continue_it_a_prompt_is_not_stopped() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    // As `ssh -t HOST git fetch` starts it: there is no shell above.
    let mut session = terminal.tmux();
    session.args(["respawn-pane", "-k", "env", "-u", "GIT_TERMINAL_PROMPT"]);
    session.args([PROGRAM, "login", "--no-verify", "--store", "file"]);
    assert!(session.status().unwrap().success());
    terminal.expect("it will not show");
    press(&terminal, "C-z");
    terminal.types(API_TOKEN);
    terminal.expect("E-mail");
}

#[test]
fn a_slip_of_the_fingers_is_told_to_a_person() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types("git credential-bitbucket lgoin; echo status $?");
    let screen = terminal.expect("status 2");
    assert!(
        screen.contains("error: 'lgoin' is not a command"),
        "{screen}"
    );
    assert!(
        screen.contains("hint: did you mean 'git credential-bitbucket login'?"),
        "{screen}"
    );
}

#[test]
fn a_malformed_request_is_explained_on_a_terminal_only() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types("printf 'host=a\\nhost=b\\n' | git credential-bitbucket get; echo status $?");
    let screen = terminal.expect("status 0");
    assert!(
        screen.contains("warning: cannot read git's request: it has two attributes 'host'"),
        "{screen}"
    );
}

#[test]
fn a_token_that_is_set_aside_is_named_on_a_terminal() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    env.login(API_TOKEN, &["work"]);
    let refused = format!("protocol=https\nhost=bitbucket.org\npassword={API_TOKEN}\n");
    env.program(&["erase"], refused);
    terminal.types("printf 'protocol=https\\nhost=bitbucket.org\\n' | git credential-bitbucket get; echo status $?");
    // Somebody is asked for a new one, and leaves it to git.
    terminal.expect("Token for bitbucket.org (it will not show):");
    terminal.types("");
    let screen = terminal.expect("status 0");
    assert!(
        screen.contains("warning: 'work' was refused by bitbucket.org and is set aside:"),
        "{screen}"
    );
    assert!(
        screen.contains("git credential-bitbucket login work"),
        "{screen}"
    );
}

#[test]
fn accounts_that_only_lack_a_path_are_explained_on_a_terminal() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    env.login(API_TOKEN, &["--for", "acme"]);
    env.login(&another(API_TOKEN, 1), &["--for", "beta"]);
    terminal.types("printf 'protocol=https\\nhost=bitbucket.org\\n' | git credential-bitbucket get; echo status $?");
    let screen = terminal.expect("status 0");
    assert!(
        screen.contains("each account of bitbucket.org is for a workspace, and git names none"),
        "{screen}"
    );
}

#[test]
fn a_request_typed_by_hand_is_answered_after_its_blank_line() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    env.login(APP_PASSWORD, &["--username", "ada"]);
    for line in [
        "git credential-bitbucket get",
        "protocol=https",
        "host=bitbucket.org",
        "",
    ] {
        terminal.types(line);
    }
    terminal.expect("username=ada");
}

#[test]
fn the_manual_opens_with_git_help() {
    if !has(&["man"]) {
        return;
    }
    let mut env = TestEnv::new();
    let pages = env.path().join("man/man1");
    fs::create_dir_all(&pages).unwrap();
    fs::write(
        pages.join("git-credential-bitbucket.1"),
        include_str!("../../../docs/git-credential-bitbucket.1"),
    )
    .unwrap();
    env.set("MANPATH", env.path().join("man").to_str().unwrap());
    let outcome = env.git_succeeds(&["credential-bitbucket", "--help"]);
    assert!(
        outcome.stdout.contains("git-credential-bitbucket") && outcome.stdout.contains("login"),
        "{outcome:?}"
    );
}
