//! Input that nobody means well with, and what git makes of our own words.

use crate::support::harness::{API_TOKEN, APP_PASSWORD, PROGRAM, TestEnv, rounds, run};

#[test]
fn floods_end_in_bounded_time_and_memory_and_get_no_answer() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["mine"]);
    let start = "protocol=https\nhost=bitbucket.org\n";
    let floods: [(&str, Vec<u8>); 6] = [
        (
            "one line",
            [start.as_bytes(), b"wwwauth[]=", &vec![b'x'; 10 << 20]].concat(),
        ),
        ("no line end", vec![b'h'; 10 << 20]),
        (
            "attributes",
            format!("{start}{}", "capability[]=x\n".repeat(100_000)).into_bytes(),
        ),
        (
            "unknown keys",
            format!("{start}{}", "k=v\n".repeat(400_000)).into_bytes(),
        ),
        ("NUL bytes", vec![0; 10 << 20]),
        (
            "no UTF-8",
            [start.as_bytes(), b"path=", &vec![0xff; 2 << 20]].concat(),
        ),
    ];
    for (what, flood) in floods {
        for operation in ["get", "store", "erase"] {
            // 128 MiB of addresses, most of them for the program itself: what is read must not be kept.
            let mut command = env.command("sh");
            command.args([
                "-c",
                "ulimit -v 131072; exec \"$0\" \"$1\"",
                PROGRAM,
                operation,
            ]);
            let outcome = run(command, &flood);
            assert_eq!(
                (outcome.status, outcome.stdout.as_str(), outcome.took_all),
                (0, "", true),
                "{what}, {operation}: {}",
                outcome.stderr
            );
        }
    }
    assert_eq!(env.accounts()[0]["state"], "unchecked");
}

/// Numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % below
    }

    /// Any bytes that git's protocol can carry.
    fn value(&mut self, longest: usize) -> Vec<u8> {
        let length = 1 + self.next(longest);
        let byte = |numbers: &mut Self| loop {
            let byte = u8::try_from(numbers.next(256)).unwrap();
            if !matches!(byte, 0 | b'\n' | b'\r') {
                return byte;
            }
        };
        (0..length).map(|_| byte(self)).collect()
    }
}

#[test]
fn what_git_gives_us_git_gets_back_to_the_byte() {
    let env = TestEnv::new();
    env.configure_plain();
    std::fs::create_dir_all(env.data()).unwrap();
    std::fs::write(
        env.data().join("config.toml"),
        "[store]\ndefault = 'file'\n",
    )
    .unwrap();
    let git = |operation: &str, input: &[u8]| {
        let mut command = env.command("git");
        command.args(["credential", operation]);
        let mut child = command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let mut numbers = Numbers(0x2545_F491_4F6C_DD1D);
    for number in 0..rounds(120) {
        let name = [format!("u{number}").into_bytes(), numbers.value(20)].concat();
        let password = numbers.value([1, 8, 300, 9000][number % 4]);
        let wanted = [
            b"protocol=https\nhost=bitbucket.org\nusername=",
            &name[..],
            b"\n",
        ]
        .concat();
        let given = [&wanted[..], b"password=", &password, b"\n"].concat();
        git("approve", &given);
        assert_eq!(git("fill", &wanted), given, "{number}");
    }
}

/// Moves the cursor, changes the direction of writing, or cannot be seen.
const NASTY: &str = "\u{1b}[2J\u{7f}\u{85}\u{9b}31m\u{61c}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\
                     \u{202a}\u{202e}\u{2066}\u{2069}\u{feff}";

fn is_nasty(character: char) -> bool {
    character != '\n'
        && (character.is_control() || !character.is_ascii() && NASTY.contains(character))
}

fn assert_plain(what: &str, text: &str) {
    assert!(!text.contains(is_nasty), "{what}: {text:?}");
}

/// Each text of a JSON value, as a script reads it.
fn texts(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::String(text) => vec![text.clone()],
        serde_json::Value::Array(values) => values.iter().flat_map(texts).collect(),
        serde_json::Value::Object(values) => values.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Adds an account to accounts.toml by hand.
fn edit_in(env: &TestEnv, name: &str, username: &str, more: &str) {
    let text = |text: &str| toml::Value::from(text).to_string();
    let row = format!(
        "\n[[account]]\nname = {}\nhost = \"bitbucket.org\"\nusername = {}\nstore = \"file\"\nentry = {}\norigin = \
         \"login\"\n{more}",
        text(name),
        text(username),
        text(&format!("{name}@bitbucket.org#1"))
    );
    let path = env.data().join("accounts.toml");
    let before = std::fs::read_to_string(&path).unwrap();
    crate::support::harness::write_private(&path, &(before + &row));
}

#[test]
fn no_text_of_others_plays_with_the_terminal_or_with_who_reads_the_json() {
    let mut env = TestEnv::new();
    let trace = env.home().join("trace.log");
    env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", trace.to_str().unwrap());
    std::fs::create_dir_all(env.data()).unwrap();
    std::fs::write(
        env.data().join("config.toml"),
        "[store]\ndefault = 'file'\n",
    )
    .unwrap();
    let given = format!(
        "protocol=https\nhost=bitbucket.org\npath=acme/{NASTY}\nusername=u{NASTY}\npassword=plain-secret\n"
    );
    env.program(&["store"], &given);
    let accounts = std::fs::read_to_string(env.data().join("accounts.toml")).unwrap();
    assert!(accounts.contains("origin = \"git\""), "{accounts}");
    assert_plain("accounts.toml", &accounts);
    env.login(API_TOKEN, &["one"]);
    let kind = "kind = \"app-password\"\n";
    for name in ["e", "f"] {
        edit_in(
            &env,
            &format!("{name}{NASTY}"),
            &format!("{name}{NASTY}"),
            kind,
        );
    }
    let app = format!("app{NASTY}");
    env.git_succeeds(&["init", "--quiet", &app]);
    let url = format!("https://u{NASTY}:{API_TOKEN}@bitbucket.org/acme/{NASTY}.git");
    env.git_succeeds(&["-C", &app, "config", &format!("remote.o{NASTY}.url"), &url]);
    env.git_succeeds(&[
        "config",
        "--global",
        "credential.helper",
        &format!("h{NASTY}"),
    ]);
    let url = format!("https://bitbucket.org/acme/{NASTY}.git");
    let request =
        format!("protocol=https\nhost=bitbucket.org\npath=acme/{NASTY}\nusername=e{NASTY}\n");
    for (arguments, input) in [
        (&["get"][..], request.as_str()),
        (&["status"], ""),
        (&["status", "--json"], ""),
        (&["status", &format!("e{NASTY}")], ""),
        (&["status", &format!("none{NASTY}")], ""),
        (&["doctor"], ""),
        (&["doctor", "--json"], ""),
        (&["doctor", &url], ""),
        (&["doctor", "--json", &url], ""),
        (&["setup"], ""),
        (&["token", &format!("e{NASTY}")], ""),
        (&["curl", "--account", &format!("e{NASTY}"), &url], ""),
        (&["scrub", &app, "--dry-run"], ""),
        (&["scrub", &app, "--dry-run", "--json"], ""),
        (&["scrub", &app], ""),
        (&["logout", &format!("e{NASTY}")], ""),
    ] {
        let outcome = env.program(arguments, input);
        let what = format!("{arguments:?}");
        assert_plain(&what, &outcome.stdout);
        assert_plain(&what, &outcome.stderr);
        if arguments.contains(&"--json") {
            let json = serde_json::from_str(&outcome.stdout).expect("JSON");
            for text in texts(&json) {
                assert_plain(&what, &text);
                assert!(!text.contains('\n'), "{what}: {text:?}");
            }
        }
    }
    let trace = std::fs::read_to_string(&trace).unwrap();
    assert!(trace.contains("acme/\\u{1b}"), "{trace}");
    assert_plain("the trace", &trace);
}

#[test]
fn a_name_in_a_hint_is_one_word_for_the_shell() {
    let env = TestEnv::new();
    let other = "it's; $(touch pwned) `touch pwned` \"x\" | &";
    for name in ["a b", other, "*", "~", "#x", "=ls", "!x"] {
        env.login(
            APP_PASSWORD,
            &["first", "--username", "ada", "--kind", "app-password"],
        );
        edit_in(&env, name, "ada", "kind = \"app-password\"\n");
        let outcome = env.program(&["status", name], "");
        let start = "'git credential-bitbucket login ";
        let rest = outcome.stderr.split_once(start).expect(&outcome.stderr).1;
        let word = rest.split_once("' replaces it").unwrap().0;
        let mut shell = env.command("sh");
        shell.args(["-c", &format!("printf '%s|' {word}")]);
        assert_eq!(run(shell, b"").stdout, format!("{name}|"), "{outcome:?}");
        for arguments in [
            &["token", name][..],
            &["doctor"],
            &["doctor", "https://bitbucket.org/acme/app.git"],
            &["login", name, "--with-token"],
        ] {
            let outcome = env.program(arguments, "");
            let told = format!("{}{}", outcome.stdout, outcome.stderr);
            for (at, _) in told.match_indices("git credential-bitbucket ") {
                let command = told[at..].lines().next().unwrap();
                let raw = [format!("login {name}"), format!("logout {name}")];
                assert!(!raw.iter().any(|raw| command.contains(raw)), "{command}");
            }
        }
        std::fs::remove_file(env.data().join("accounts.toml")).unwrap();
    }
    assert!(!env.home().join("pwned").exists());
}

#[test]
fn a_helper_that_a_clone_names_is_one_word_for_the_shell() {
    let env = TestEnv::new();
    let value = "store --file=$(touch pwned)`touch pwned`";
    env.git_succeeds(&["config", "--global", "credential.helper", value]);
    let outcome = env.program(&["setup"], "");
    let command = outcome
        .stderr
        .split_once("'git credential-bitbucket import ");
    let word = command.expect(&outcome.stderr).1.lines().next().unwrap();
    let word = word.strip_suffix('\'').unwrap();
    let mut shell = env.command("sh");
    shell.args(["-c", &format!("printf '%s|' {word}")]);
    assert_eq!(run(shell, b"").stdout, format!("helper:{value}|"));
    assert!(!env.home().join("pwned").exists());
}

#[test]
fn what_git_gives_makes_no_name_that_reads_as_an_option() {
    let env = TestEnv::new();
    env.configure_plain();
    std::fs::create_dir_all(env.data()).unwrap();
    std::fs::write(
        env.data().join("config.toml"),
        "[store]\ndefault = 'file'\n",
    )
    .unwrap();
    let given = "protocol=https\nhost=bitbucket.org\npath=acme/app\nusername=--all\npassword=plain-secret\n";
    env.program(&["store"], given);
    let accounts = env.accounts();
    assert_eq!(accounts[0]["username"], "--all");
    assert_eq!(accounts[0]["name"], "all");
}
