//! `completions`, in the shells that read them.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::harness::{API_TOKEN, TestEnv, another, has, run};
use crate::support::terminal::Terminal;

/// Accounts, one with a name at which bash parts words, and the completions where `install.sh` puts them.
fn completing(shell: &str, place: &str) -> TestEnv {
    let env = TestEnv::new();
    let names = ["work", "ada@git", "two words"];
    for (number, name) in names.into_iter().enumerate() {
        env.login(&another(API_TOKEN, number), &[name, "--for", "acme"]);
    }
    let outcome = env.program(&["completions", shell], "");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let file = env.home().join(".local/share").join(place);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, outcome.stdout).unwrap();
    env
}

/// Types at a new prompt, since zsh takes no Tab before it has shown one.
fn completes(terminal: &Terminal<'_>, typed: &str, completed: &str) {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    terminal.types_anew(&format!("PS1=ro''und-{number}:"));
    terminal.expect(&format!("round-{number}:"));
    terminal.presses(typed);
    terminal.expect(completed);
    // Ctrl-U empties the line.
    terminal.presses("\u{15}");
}

#[test]
fn completions_are_printed_for_four_shells() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let outcome = TestEnv::new().program(&["completions", shell], "");
        assert_eq!(outcome.status, 0);
        assert!(
            outcome.stdout.contains("git-credential-bitbucket complete"),
            "{shell}"
        );
    }
    assert_eq!(
        TestEnv::new().program(&["completions", "tcsh"], "").status,
        2
    );
}

/// What the completions of each shell are made of.
#[test]
fn the_words_at_the_cursor_are_those_that_the_command_line_takes() {
    let env = completing("fish", "unused");
    let words = |before: &[&str]| {
        let arguments = [&["complete", "--"], before].concat();
        let outcome = env.program(&arguments, "");
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
        let words = outcome
            .stdout
            .lines()
            .map(|line| line.split('\t').next().unwrap().to_owned());
        words.collect::<Vec<_>>()
    };
    let verbs = words(&["+"]);
    assert!(
        verbs.contains(&"login".to_owned()) && verbs.contains(&"help".to_owned()),
        "{verbs:?}"
    );
    for of_git in ["get", "store", "erase", "capability", "complete"] {
        assert!(!verbs.contains(&of_git.to_owned()), "{verbs:?}");
    }
    assert_eq!(words(&["help", "+lo"]), verbs);
    for verb in ["edit", "logout", "switch"] {
        assert_eq!(words(&[verb, "+"]), ["work", "ada@git", "two words"]);
    }
    assert!(words(&["edit", "work", "+-"]).contains(&"--rename".to_owned()));
    assert_eq!(
        words(&["login", "--store", "file", "+w"]),
        ["work", "ada@git", "two words"]
    );
    assert!(words(&["login", "work", "+"]).is_empty());
    assert!(words(&["login", "--username", "+"]).is_empty());
    assert!(words(&["login", "--kind", "+"]).contains(&"access-token".to_owned()));
    assert!(words(&["login", "work", "+-"]).contains(&"--with-token".to_owned()));
    assert_eq!(
        words(&["scrub", "src", "+"]),
        ["/"],
        "the shell completes paths"
    );
    assert!(words(&["frobnicate", "+"]).is_empty());
    assert_eq!(words(&["--help", "+"]), verbs);
    assert!(words(&["curl", "--", "-H", "+"]).is_empty());
    assert!(words(&[]).is_empty());
}

#[test]
fn bash_completes_also_behind_git() {
    const LOADER: &str = "/usr/share/bash-completion/bash_completion";
    if !has(&["bash"]) || !has(&[LOADER]) {
        return;
    }
    let env = completing(
        "bash",
        "bash-completion/completions/git-credential-bitbucket",
    );
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types("PS1='bash$ ' bash --norc -i");
    terminal.expect("bash$");
    terminal.types_anew(&format!("source {LOADER}"));
    for (typed, completed) in [
        (
            "git-credential-bitbucket sta\t-",
            "git-credential-bitbucket status -",
        ),
        (
            "git credential-bitbucket sta\t-",
            "git credential-bitbucket status -",
        ),
        (
            "git -C / credential-bitbucket login --with\t-",
            "git -C / credential-bitbucket login --with-token -",
        ),
        (
            "git credential-bitbucket token w\t-",
            "git credential-bitbucket token work -",
        ),
        (
            "git credential-bitbucket token ada@g\t-",
            "git credential-bitbucket token ada@git -",
        ),
        (
            "git-credential-bitbucket token t\t-",
            r"git-credential-bitbucket token two\ words -",
        ),
        (
            "git credential-bitbucket help comp\t-",
            "git credential-bitbucket help completions -",
        ),
        (
            "git-credential-bitbucket scrub .loc\t",
            "git-credential-bitbucket scrub .local/",
        ),
    ] {
        completes(&terminal, typed, completed);
    }
    // Nothing of git's own operations: 'store' would be a second word with 'st'.
    completes(
        &terminal,
        "git credential-bitbucket st\t-",
        "git credential-bitbucket status -",
    );
}

#[test]
fn zsh_completes_also_behind_git() {
    if !has(&["zsh"]) {
        return;
    }
    let env = completing("zsh", "zsh/site-functions/_git-credential-bitbucket");
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types("PS1='zsh$ ' zsh -f -i");
    terminal.expect("zsh$");
    terminal.types_anew(
        "fpath+=(~/.local/share/zsh/site-functions); autoload -U compinit; compinit -u -D",
    );
    for (typed, completed) in [
        (
            "git-credential-bitbucket sta\t",
            "git-credential-bitbucket status",
        ),
        (
            "git credential-bitbucket st\t",
            "git credential-bitbucket status",
        ),
        (
            "git -C / credential-bitbucket login --with\t",
            "git -C / credential-bitbucket login --with-token",
        ),
        (
            "git credential-bitbucket token w\t",
            "git credential-bitbucket token work",
        ),
        (
            "git credential-bitbucket token ada@g\t",
            "git credential-bitbucket token ada@git",
        ),
        (
            "git-credential-bitbucket token t\t",
            r"git-credential-bitbucket token two\ words",
        ),
        (
            "git-credential-bitbucket scrub .loc\t",
            "git-credential-bitbucket scrub .local/",
        ),
    ] {
        completes(&terminal, typed, completed);
    }
}

#[test]
fn fish_completes_also_behind_git() {
    if !has(&["fish"]) {
        return;
    }
    let env = completing("fish", "fish/vendor_conf.d/git-credential-bitbucket.fish");
    let completed = |line: &str| {
        let mut command = env.command("fish");
        command
            .args(["--private", "-c", "complete -C $argv[1]"])
            .arg(line);
        let outcome = run(command, b"");
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{line}");
        outcome.stdout
    };
    for program in [
        "git-credential-bitbucket",
        "git credential-bitbucket",
        "git -C / credential-bitbucket",
    ] {
        let of = |words: &str| completed(&format!("{program} {words}"));
        assert_eq!(
            of("st"),
            "status\tShow the accounts and what state they are in\n",
            "{program}"
        );
        assert_eq!(of("token w"), "work\tbitbucket.org\n", "{program}");
        assert_eq!(of("token ada@"), "ada@git\tbitbucket.org\n", "{program}");
        assert!(
            of("login --with").starts_with("--with-token\t"),
            "{program}"
        );
        assert_eq!(
            of("login --kind ap"),
            "api-token\napp-password\n",
            "{program}"
        );
        assert!(of("scrub .loc").starts_with(".local/"), "{program}");
    }
}
