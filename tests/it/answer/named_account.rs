//! `--account NAME`: only that account answers.

use std::fs;

use serde_json::Value;

use crate::cli::doctor::one;
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, STATIC, TestEnv, reply, write_private};
use crate::support::terminal::Terminal;

const WANTED: &str = "protocol=https\nhost=bitbucket.org\npath=acme/site.git\n";
const URL: &str = "https://bitbucket.org/acme/site.git";

/// What `doctor` finds for a URL where only this account may answer.
fn doctor(env: &TestEnv, account: &str, url: &str) -> Vec<Value> {
    let outcome = env.program(&["--account", account, "doctor", "--json", url], "");
    let report: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    report["checks"].as_array().expect("checks").clone()
}

fn with_two_accounts() -> TestEnv {
    let env = TestEnv::new();
    env.login(ACCESS_TOKEN, &["site", "--for", "acme/site"]);
    env.login(API_TOKEN, &["work"]);
    env.git_succeeds(&["config", "--global", "credential.useHttpPath", "true"]);
    env
}

#[test]
fn the_named_account_answers_in_place_of_all_others() {
    let mut env = with_two_accounts();
    env.set("BITBUCKET_TOKEN", ACCESS_TOKEN);
    for words in [
        &["--account", "work", "get"][..],
        &["--account=work", "get"],
    ] {
        let outcome = env.program(words, WANTED);
        assert_eq!(outcome.stdout, reply(STATIC, API_TOKEN), "{outcome:?}");
    }
    let outcome = env.program(&["--account", "work", "token", URL], "");
    assert_eq!(outcome.stdout, format!("{API_TOKEN}\n"), "{outcome:?}");
    let checks = doctor(&env, "work", URL);
    assert!(
        one(&checks, "answer").contains("'work' answers"),
        "{checks:?}"
    );
    for (id, who) in [
        ("account.site", "'site'"),
        ("account.BITBUCKET_TOKEN", "'BITBUCKET_TOKEN'"),
    ] {
        assert_eq!(
            one(&checks, id),
            format!("skip: {who} may not answer, as '--account' names another")
        );
    }
}

#[test]
fn a_store_that_is_only_read_does_not_answer_for_the_named_account() {
    let env = with_two_accounts();
    let mounted = env.path().join("mounted");
    fs::create_dir(&mounted).unwrap();
    write_private(&mounted.join("_default"), API_TOKEN);
    let path = mounted.display();
    write_private(
        &env.data().join("config.toml"),
        &format!("lookup = ['folder']\n[store.folder]\npath = '{path}'\n"),
    );
    env.program(&["logout", "work"], "");
    let wanted = WANTED.replace("site", "other");
    assert_eq!(env.get(&wanted), reply(STATIC, API_TOKEN));
    let outcome = env.program(&["--account", "site", "get"], wanted);
    assert_eq!(outcome.stdout, "", "{outcome:?}");
}

#[test]
fn git_gives_the_name_from_its_configuration() {
    let env = with_two_accounts();
    for helper in ["", "bitbucket --account work"] {
        let key = "credential.https://bitbucket.org.helper";
        env.git_succeeds(&["config", "--global", "--add", key, helper]);
    }
    let mut fill = env.command("git");
    fill.args(["credential", "fill"]);
    let outcome = crate::support::harness::run(fill, WANTED.as_bytes());
    assert!(outcome.stdout.contains(API_TOKEN), "{outcome:?}");
    assert_eq!(outcome.stderr, "");
    let outcome = env.program(&["status"], "");
    assert!(!outcome.stderr.contains("for bitbucket.org"), "{outcome:?}");
    assert!(!outcome.stderr.contains("also gets"), "{outcome:?}");
}

#[test]
fn an_account_that_does_not_fit_is_named_in_one_line() {
    let env = with_two_accounts();
    let other = "protocol=https\nhost=bitbucket.org\npath=beta/x\n";
    let outcome = env.program(&["--account", "site", "get"], other);
    assert_eq!(
        (outcome.status, outcome.stdout.as_str()),
        (0, ""),
        "{outcome:?}"
    );
    let checks = doctor(&env, "site", "https://bitbucket.org/beta/x");
    assert_eq!(
        one(&checks, "answer"),
        "fail: no account answers: git asks its next helper, or you; fix: leave '--account' out to see who answers then"
    );
    assert_eq!(
        one(&checks, "account.site"),
        "skip: 'site' is for acme/site only"
    );
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types("printf 'protocol=https\\nhost=bitbucket.org\\npath=beta/x\\n' >wanted; clear");
    terminal.types_anew("git-credential-bitbucket --account site get <wanted; echo do''ne");
    let screen = terminal.expect("done");
    let said = "warning: 'site' is for acme/site only, and no other account may answer: \
                'git credential-bitbucket edit site --for acme/site --for beta/x' lets it answer here";
    let screen = screen.replace('\n', "");
    assert!(screen.contains(said), "{screen}");
    env.follow(said, "", "");
    let wanted = "protocol=https\nhost=bitbucket.org\npath=beta/x\n";
    let reply = env.program(&["--account", "site", "get"], wanted).stdout;
    assert!(reply.contains("password="), "{reply}");
}

#[test]
fn an_unknown_name_is_one_error_line() {
    let env = with_two_accounts();
    for operation in ["get", "store", "erase"] {
        let outcome = env.program(&["--account", "nobody", operation], WANTED);
        // Whoever gets no answer is to know what to do.
        let hint =
            "git-credential-bitbucket: hint: see their names: 'git credential-bitbucket status'\n";
        let hint = if operation == "get" { hint } else { "" };
        let foreign = WANTED.replace("bitbucket.org", "github.com");
        let silent = env.program(&["--account", "nobody", operation], foreign);
        let said = (
            silent.status,
            silent.stdout.as_str(),
            silent.stderr.as_str(),
        );
        assert_eq!(
            said,
            (0, "", ""),
            "what is asked of others is no fault of the name"
        );
        assert_eq!(
            (outcome.status, outcome.stdout.as_str(), outcome.stderr),
            (
                1,
                "",
                format!("git-credential-bitbucket: error: there is no account 'nobody'\n{hint}")
            ),
            "{operation}"
        );
    }
    let error = "error: there is no account 'nobody'";
    for words in [
        &["curl", "https://api.bitbucket.org/2.0/user"][..],
        &["token", URL],
        &["doctor", URL],
    ] {
        let words = [&["--account", "nobody"][..], words].concat();
        let outcome = env.program(&words, "");
        assert_eq!(
            (outcome.status, outcome.stdout.as_str()),
            (1, ""),
            "{outcome:?}"
        );
        assert!(outcome.stderr.contains(error), "{outcome:?}");
    }
}

#[test]
fn it_goes_with_a_url_alone() {
    let env = with_two_accounts();
    for words in [
        &["status"][..],
        &["token"],
        &["token", "work"],
        &["doctor"],
        &["login"],
    ] {
        let words = [&["--account", "work"][..], words].concat();
        let outcome = env.program(&words, "");
        assert_eq!(
            (outcome.status, outcome.stdout.as_str()),
            (2, ""),
            "{outcome:?}"
        );
        assert!(
            outcome.stderr.contains("'--account' goes with"),
            "{outcome:?}"
        );
    }
}

#[test]
fn behind_it_git_passes_one_word() {
    let env = with_two_accounts();
    let outcome = env.program(&["--account", "work", "frobnicate"], WANTED);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let outcome = env.program(&["--account", "work", "capability"], "");
    assert_eq!(outcome.stdout, "version 0\ncapability authtype\n");
    for (words, said) in [
        (
            &["--account", "work", "stauts", "--json"][..],
            "did you mean 'git credential-bitbucket status'?",
        ),
        (&["--acount", "work", "get"], "did you mean '--account'?"),
        (&["status", "--verfy"], "did you mean '--verify'?"),
        (&["--account", "work", "get", "x"], "unexpected argument"),
    ] {
        let outcome = env.program(words, WANTED);
        assert_eq!(
            (outcome.status, outcome.stdout.as_str()),
            (2, ""),
            "{outcome:?}"
        );
        assert!(outcome.stderr.contains(said), "{outcome:?}");
    }
}
