//! The account of a folder: by git's `includeIf`, real git and real doctor.

use std::fs;

use serde_json::Value;

use crate::cli::doctor::{found, one};
use crate::support::harness::{TestEnv, run};
use crate::support::stand_in::{Credential, StandIn};

const MINE: &str = "ATATT3xFfGF0canary-mine-000000000000000000000=0A1B2C3D";
const WORK: &str = "ATATT3xFfGF0canary-work-000000000000000000000=0A1B2C3D";
const URL: &str = "https://bitbucket.org/acme/site.git";

const BY_NAME: &str = "[credential \"https://bitbucket.org\"]\n\tusername = WHO\n";
const ALONE: &str =
    "[credential \"https://bitbucket.org\"]\n\thelper =\n\thelper = bitbucket --account WHO\n";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stands {
    Above,
    Below,
}

/// Two accounts that fit equally, and a folder whose own file of git's configuration is included.
fn with_folder(content: &str, who: &str, stands: Stands) -> (TestEnv, StandIn) {
    let (env, stand_in) = TestEnv::with_stand_in();
    for token in [MINE, WORK] {
        stand_in.allow(Credential::api_token(token));
    }
    stand_in.repository("acme/site");
    env.login(MINE, &["mine"]);
    env.login(WORK, &["my work"]);
    let folder = env.home().join("work");
    fs::create_dir(&folder).unwrap();
    let include = || {
        let key = format!("includeIf.gitdir:{}/.path", folder.display());
        env.git_succeeds(&["config", "--global", &key, "~/work/.gitconfig"]);
    };
    fs::write(folder.join(".gitconfig"), content.replace("WHO", who)).unwrap();
    if stands == Stands::Above {
        include();
    }
    assert_eq!(env.program(&["setup", "--guard"], "").status, 0);
    if stands == Stands::Below {
        include();
    }
    for repository in ["work/site", "site"] {
        env.git_succeeds(&["init", "-q", repository]);
        env.git_succeeds(&["-C", repository, "remote", "add", "origin", URL]);
    }
    (env, stand_in)
}

/// Which secret git sends from a folder.
fn sent_from(env: &TestEnv, stand_in: &StandIn, folder: &str) -> String {
    stand_in.forget_requests();
    env.git_succeeds(&["-C", folder, "fetch", "-q"]);
    let mut requests = stand_in.requests();
    // Not the question which account can push there.
    requests.retain(|request| request.agent.starts_with("git/"));
    let mut secrets = requests.iter().filter_map(|request| request.secret());
    let secret = secrets.next().expect("a secret").to_owned();
    assert!(secrets.all(|other| other == secret), "{requests:?}");
    secret
}

fn doctor(env: &TestEnv, folder: &str, arguments: &[&str]) -> Vec<Value> {
    let mut command = env.command("git");
    command.args(["-C", folder, "credential-bitbucket", "doctor", "--json"]);
    let outcome = run(
        {
            command.args(arguments);
            command
        },
        b"",
    );
    let report: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    report["checks"].as_array().expect("checks").clone()
}

#[test]
fn a_user_name_that_names_an_account_selects_it_wherever_the_file_stands() {
    for stands in [Stands::Above, Stands::Below] {
        let (env, stand_in) = with_folder(BY_NAME, "my work", stands);
        assert_eq!(sent_from(&env, &stand_in, "work/site"), WORK, "{stands:?}");
        assert_eq!(sent_from(&env, &stand_in, "site"), MINE, "{stands:?}");
        let checks = doctor(&env, "work/site", &[URL]);
        let answer = one(&checks, "answer");
        assert!(answer.starts_with("pass: 'my work' answers"), "{answer}");
        assert!(answer.contains("the user name matches"), "{answer}");
        assert!(one(&doctor(&env, "site", &[URL]), "answer").starts_with("pass: 'mine' answers"));
        let wrong = wrong(&doctor(&env, "work/site", &["--offline"]));
        assert_eq!(wrong, Vec::<String>::new());
    }
}

/// What doctor finds wrong but for the accounts that nobody checked.
fn wrong(checks: &[Value]) -> Vec<String> {
    let is_wrong = |check: &&Value| check["outcome"] == "fail" || check["outcome"] == "warn";
    let of_account = |check: &&Value| check["id"].as_str().unwrap().starts_with("account.");
    let wrong = checks.iter().filter(is_wrong).filter(|it| !of_account(it));
    wrong.map(ToString::to_string).collect()
}

#[test]
fn a_helper_that_names_an_account_lets_it_alone_answer() {
    let (env, stand_in) = with_folder(ALONE, "'my work'", Stands::Below);
    assert_eq!(sent_from(&env, &stand_in, "work/site"), WORK);
    assert_eq!(sent_from(&env, &stand_in, "site"), MINE);
    assert_eq!(
        wrong(&doctor(&env, "work/site", &["--offline"])),
        Vec::<String>::new()
    );
    let checks = doctor(&env, "work/site", &[URL]);
    let answer = one(&checks, "answer");
    assert!(answer.starts_with("pass: 'my work' answers"), "{answer}");
    assert_eq!(
        one(&checks, "account.mine"),
        "skip: 'mine' may not answer, as '--account' names another"
    );
    let checks = doctor(&env, "site", &[URL]);
    assert!(one(&checks, "answer").starts_with("pass: 'mine' answers"));
}

#[test]
fn an_include_above_setups_is_told_and_the_fix_moves_it() {
    let (env, stand_in) = with_folder(ALONE, "'my work'", Stands::Above);
    assert_eq!(
        sent_from(&env, &stand_in, "work/site"),
        MINE,
        "it is cut off"
    );
    let checks = doctor(&env, "work/site", &["--offline"]);
    let found = found(&checks, "chain.bitbucket.org").remove(0);
    let (message, fix) = found.split_once("; fix: ").unwrap();
    assert!(
        message.starts_with("fail: 'my work' is to answer alone ('"),
        "{message}"
    );
    let command = fix.strip_prefix("move it behind that: '").unwrap();
    let outcome = env.shell(command.strip_suffix('\'').unwrap());
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(sent_from(&env, &stand_in, "work/site"), WORK);
    assert_eq!(
        wrong(&doctor(&env, "work/site", &["--offline"])),
        Vec::<String>::new()
    );
}

#[test]
fn a_folder_that_names_no_account_of_ours_is_told() {
    let (env, _stand_in) = with_folder(ALONE, "nobody", Stands::Below);
    let outcome = env.git(&["-C", "work/site", "fetch"]);
    assert_ne!(outcome.status, 0);
    let said = "git-credential-bitbucket: error: there is no account 'nobody'\n";
    assert_eq!(outcome.stderr.matches(said).count(), 1, "{outcome:?}");
    for arguments in [&["--offline"][..], &[URL]] {
        let checks = doctor(&env, "work/site", arguments);
        let wrong = wrong(&checks);
        assert!(
            wrong
                .iter()
                .any(|it| it.contains("there is no account 'nobody'")),
            "{wrong:?}"
        );
    }
}

#[test]
fn without_an_empty_helper_before_it_another_one_comes_first_and_this_is_told() {
    let alone = ALONE.replace("\thelper =\n", "");
    let (env, stand_in) = with_folder(&alone, "'my work'", Stands::Below);
    assert_eq!(sent_from(&env, &stand_in, "work/site"), MINE);
    let checks = doctor(&env, "work/site", &["--offline"]);
    let found = found(&checks, "chain.bitbucket.org").remove(0);
    assert!(
        found.contains("another helper comes first; fix: write the line 'helper =' before it"),
        "{found}"
    );
}
