//! First contact at a terminal: nobody has signed in, and `get` itself asks once.

use std::fs;

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, TestEnv, another, has};
use crate::support::stand_in::{Credential, StandIn};
use crate::support::terminal::Terminal;

const APP: &str = "https://bitbucket.org/acme/app.git";
const PROMPT: &str = "Token for bitbucket.org (it will not show):";

fn start() -> (TestEnv, StandIn) {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    stand_in.allow(Credential::api_token(API_TOKEN));
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    env.configure_plain();
    // Where the accounts of these tests go: there is no keyring.
    (env, stand_in)
}

#[test]
fn a_clone_without_an_account_asks_for_a_token_says_where_to_make_one_and_keeps_it() {
    for (token, kind) in [(API_TOKEN, "api-token"), (ACCESS_TOKEN, "access-token")] {
        let (env, _stand_in) = start();
        let Some(terminal) = Terminal::open(&env) else {
            return;
        };
        terminal.types(&format!("git clone {APP}; echo status $?"));
        let screen = terminal.expect(PROMPT);
        assert!(
            screen.contains("Nobody has signed in to bitbucket.org yet."),
            "{screen}"
        );
        assert!(
            screen.contains("https://id.atlassian.com/manage-profile/security/api-tokens"),
            "{screen}"
        );
        assert!(
            env.accounts().is_empty(),
            "nothing is kept before git reports success"
        );
        terminal.types(token);
        let screen = terminal.expect("status 0");
        assert!(
            !screen.contains("canary") && !screen.contains("Username for"),
            "{screen}"
        );
        assert_eq!(env.accounts()[0]["kind"], kind);
        terminal.types("git -C app fetch; echo second $?");
        terminal.expect("second 0");
    }
}

#[test]
fn a_wrong_token_is_not_kept_and_asked_for_again() {
    let (env, _stand_in) = start();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types(&format!("git ls-remote {APP}; echo status $?"));
    terminal.expect(PROMPT);
    terminal.types(&API_TOKEN.replace("canary", "wrong"));
    terminal.expect("status 128");
    assert!(env.accounts().is_empty());
    terminal.types_anew(&format!("git ls-remote {APP}; echo again $?"));
    terminal.expect(PROMPT);
    terminal.types(API_TOKEN);
    terminal.expect("again 0");
}

#[test]
fn a_secret_that_names_no_kind_needs_a_user_name() {
    let (env, stand_in) = start();
    stand_in.allow(Credential::oauth("no-prefix").user("ada"));
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types(&format!("git ls-remote {APP}; echo status $?"));
    terminal.expect(PROMPT);
    terminal.types("no-prefix");
    terminal.expect("Bitbucket user name (Enter if the token has none):");
    terminal.types("");
    terminal.expect("status 0");
    let account = &env.accounts()[0];
    assert_eq!(
        (&account["kind"], &account["origin"]),
        (&"access-token".into(), &"login".into()),
        "it is checked and kept at once"
    );
}

#[test]
fn an_empty_answer_leaves_it_to_git_and_control_c_ends_it_all() {
    let (env, _stand_in) = start();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types(&format!("git ls-remote {APP}; echo status $?"));
    terminal.expect(PROMPT);
    terminal.types("");
    terminal.expect("Username for 'https://bitbucket.org':");
    assert!(
        terminal
            .tmux()
            .args(["send-keys", "C-c"])
            .status()
            .unwrap()
            .success()
    );
    // The shell drops what was left of its line.
    terminal.expect("^C\n$");

    terminal.types_anew(&format!("git ls-remote {APP}; echo status $?"));
    terminal.expect(PROMPT);
    assert!(
        terminal
            .tmux()
            .args(["send-keys", "C-c"])
            .status()
            .unwrap()
            .success()
    );
    let screen = terminal.expect("status 128");
    assert!(!screen.contains("Username for"), "{screen}");
}

#[test]
fn eight_parallel_commands_ask_once() {
    let (env, stand_in) = start();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    let script = env.home().join("eight");
    fs::write(&script, format!("for i in 1 2 3 4 5 6 7 8; do git ls-remote {APP} >/dev/null && echo done >>log & done; wait; echo all-$((40+2))\n")).unwrap();
    terminal.types("sh eight");
    terminal.expect(PROMPT);
    terminal.types(API_TOKEN);
    let screen = terminal.expect("all-42");
    assert_eq!(screen.matches(PROMPT).count(), 1, "{screen}");
    assert_eq!(
        fs::read_to_string(env.home().join("log"))
            .unwrap()
            .lines()
            .count(),
        8,
        "{screen}"
    );
    assert_eq!(env.accounts().len(), 1);
    assert!(stand_in.refused().is_empty());
}

#[test]
fn where_git_would_not_ask_on_the_terminal_neither_do_we() {
    let (env, _stand_in) = start();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    let ways = [
        "GIT_TERMINAL_PROMPT=0 git",
        "git -c credential.interactive=never",
        "git -c credential.interactive=false",
        "GIT_ASKPASS=true git",
        "SSH_ASKPASS=true git",
        "git -c core.askPass=true",
    ];
    for (number, way) in ways.iter().enumerate() {
        terminal.types_anew(&format!(
            "{way} ls-remote {APP}; echo way-$(({number}+100)) $?"
        ));
        let screen = terminal.expect(&format!("way-{} 128", number + 100));
        assert!(!screen.contains("Nobody has signed in"), "{way}: {screen}");
    }
}

#[test]
fn without_a_terminal_one_line_says_that_nobody_has_signed_in() {
    if !has(&["setsid"]) {
        return;
    }
    let (env, _stand_in) = start();
    let mut command = env.command("setsid");
    command
        .args(["-w", "git", "ls-remote", APP])
        .env_remove("GIT_TERMINAL_PROMPT");
    let outcome = crate::support::harness::run(command, b"");
    assert_ne!(outcome.status, 0);
    let line = "git-credential-bitbucket: warning: nobody has signed in to bitbucket.org: \
                'git credential-bitbucket login' signs in\n";
    assert!(outcome.stderr.starts_with(line), "{outcome:?}");
    assert_eq!(
        outcome.stderr.matches("git-credential-bitbucket").count(),
        1,
        "{outcome:?}"
    );
    // There is no other file than the note that it was said.
    let files = fs::read_dir(env.data()).unwrap();
    for file in files.map(|file| file.unwrap().file_name()) {
        assert!(file == "said" || file == "said.lock", "{file:?}");
    }
}

#[test]
fn a_wrong_token_is_asked_for_once_and_not_by_each_who_waited() {
    let (env, _stand_in) = start();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    let script = env.home().join("eight");
    fs::write(
        &script,
        format!("for i in 1 2 3 4 5 6 7 8; do git ls-remote {APP} >/dev/null 2>>log & done; wait; echo all-$((40+2))\n"),
    )
    .unwrap();
    terminal.types("sh eight");
    terminal.expect(PROMPT);
    // The others are waiting by now.
    terminal.expect_times("Another command is asking for the token", 7);
    terminal.types(&API_TOKEN.replace("canary", "wrong"));
    let screen = terminal.expect("all-42");
    assert_eq!(screen.matches(PROMPT).count(), 1, "{screen}");
    terminal.types_anew(&format!("git ls-remote {APP}; echo again $?"));
    terminal.expect(PROMPT);
    terminal.types(API_TOKEN);
    terminal.expect("again 0");
}

#[test]
fn a_mark_from_the_future_tells_nothing() {
    let (env, _stand_in) = start();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    fs::create_dir_all(env.data()).unwrap();
    for word in ["refused", "declined", "asked"] {
        let mark = env.data().join("first-contact");
        crate::support::harness::write_private(&mark, &format!("{word}\n"));
        let touched = std::process::Command::new("touch")
            .args(["-d", "1 hour"])
            .arg(&mark)
            .status()
            .unwrap();
        assert!(touched.success());
        terminal.types_anew(&format!("git ls-remote {APP}; echo {word}-$?"));
        terminal.expect(PROMPT);
        assert!(
            terminal
                .tmux()
                .args(["send-keys", "C-c"])
                .status()
                .unwrap()
                .success()
        );
        terminal.expect(&format!("{word}-128"));
    }
}

#[test]
fn another_persons_token_takes_no_place_of_one_that_was_refused() {
    let (env, stand_in) = TestEnv::with_stand_in();
    let data_center = stand_in.data_center("git.corp.example", "");
    data_center.repository("prj/app");
    let ada = data_center.allow(Credential::http_access_token("BBDC-canary-ada").user("ada"));
    data_center.allow(Credential::http_access_token("BBDC-canary-bob").user("bob"));
    data_center.allow(Credential::http_access_token("BBDC-canary-new").user("ada"));
    env.configure_plain();
    env.program(
        &[
            "login",
            "work",
            "--host",
            "git.corp.example",
            "--with-token",
        ],
        "BBDC-canary-ada",
    );
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    let refused = "protocol=https\nhost=git.corp.example\npath=scm/prj/app.git\nusername=ada\npassword=BBDC-canary-ada\n";
    ada.revoke();
    env.program(&["erase"], refused);
    let clone = "git clone https://git.corp.example/scm/prj/app.git";
    terminal.types(&format!("{clone} one; echo first $?"));
    terminal.expect("Token for git.corp.example");
    terminal.types("BBDC-canary-bob");
    terminal.expect("first 0");
    let accounts = env.accounts();
    assert_eq!(accounts.len(), 2, "{accounts:?}");
    assert_eq!(accounts[0]["name"], "work");
    assert_eq!(accounts[0]["state"], "rejected");

    env.program(&["logout", accounts[1]["name"].as_str().unwrap()], "");
    terminal.types(&format!("{clone} two; echo second $?"));
    terminal.expect("Token for git.corp.example");
    terminal.types("BBDC-canary-new");
    terminal.expect("second 0");
    let accounts = env.accounts();
    assert_eq!(accounts.len(), 1, "her own takes the place: {accounts:?}");
    assert_eq!(accounts[0]["name"], "work");
}

#[test]
fn of_a_lost_token_only_its_owners_new_one_inherits_the_e_mail() {
    for (person, email) in [("ada", Some("ada@example.com")), ("bob", None)] {
        let (env, stand_in) = start();
        let new = another(API_TOKEN, 1);
        let his = format!("{person}@example.com");
        stand_in.allow(Credential::api_token(&new).user(person).email(&his));
        let login = ["login", "work", "--with-token", "--store", "file"];
        let arguments = [&login[..], &["--email", "ada@example.com"]].concat();
        env.program(&arguments, API_TOKEN);
        fs::remove_file(env.data().join("secrets")).unwrap();
        env.git_succeeds(&["config", "--global", "credential.useHttpPath", "true"]);
        let Some(terminal) = Terminal::open(&env) else {
            return;
        };
        terminal.types(&format!("git ls-remote {APP}; echo status $?"));
        terminal.expect(PROMPT);
        terminal.types(&new);
        terminal.expect("status 0");
        assert_eq!(env.program(&["token", "work"], "").stdout.trim(), new);
        let accounts = env.accounts();
        assert_eq!(accounts.len(), 1, "{accounts:?}");
        assert_eq!(accounts[0]["email"].as_str(), email, "{accounts:?}");
        assert_eq!(accounts[0]["owner"].as_str(), email.map(|_| "ada"));
    }
}
