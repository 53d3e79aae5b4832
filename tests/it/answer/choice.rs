//! Several accounts that fit equally: Bitbucket is asked once which of them can open the repository, and it is remembered.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::cli::doctor::{doctor, one};
use crate::support::harness::{PROGRAM, STATIC, TestEnv, reply, run, write_private};
use crate::support::stand_in::{Credential, Request, Silence, StandIn};

pub(super) const ADA: &str = "ATATT3xFfGF0canary-of-ada-0000000000000000000=0A1B2C3D";
pub(super) const BOB: &str = "ATATT3xFfGF0canary-of-bob-0000000000000000000=0A1B2C3D";
const TOKEN: &str = "ATCTT3xFfGN0canary-of-a-token-00000000000000=0A1B2C3D";
pub(super) const READ: [&str; 1] = ["read:repository:bitbucket"];

pub(super) fn wanted(repository: &str) -> String {
    format!("protocol=https\nhost=bitbucket.org\npath={repository}.git\n")
}

pub(super) fn get(env: &TestEnv, repository: &str) -> String {
    env.program(&["get"], wanted(repository)).stdout
}

pub(super) fn pair(token: &str) -> String {
    reply(STATIC, token)
}

/// What the program itself asks.
fn questions(stand_in: &StandIn) -> Vec<Request> {
    let mut all = stand_in.requests();
    all.retain(|request| request.agent.starts_with("git-credential-bitbucket"));
    all
}

pub(super) fn asked(stand_in: &StandIn) -> usize {
    questions(stand_in).len()
}

pub(super) fn choices(env: &TestEnv) -> String {
    fs::read_to_string(env.data().join("choices")).unwrap_or_default()
}

/// Two people, each of whom can open a repository of the same workspace, and nothing else of it.
fn two_people() -> (TestEnv, StandIn) {
    let (env, stand_in) = TestEnv::with_stand_in();
    for name in ["acme/hers", "acme/his", "acme/both", "acme/nobodys"] {
        stand_in.repository(name);
    }
    let ada = Credential::api_token(ADA).sees("acme/hers");
    stand_in.allow(ada.sees("acme/both"));
    let bob = Credential::api_token(BOB).user("bob");
    stand_in.allow(bob.sees("acme/his").sees("acme/both"));
    env.login(ADA, &["ada"]);
    env.login(BOB, &["bob"]);
    (env, stand_in)
}

#[test]
fn each_repository_gets_the_account_that_can_open_it_and_is_asked_once() {
    let (env, stand_in) = two_people();
    env.program(&["setup"], "");
    for name in ["hers", "his", "both"] {
        let url = format!("https://bitbucket.org/acme/{name}.git");
        env.git_succeeds(&["clone", "--quiet", &url, name]);
    }
    let all = questions(&stand_in);
    // Of each account push, then read where it cannot push.
    assert_eq!(all.len(), 3 + 3 + 2, "{all:?}");
    assert!(all.iter().all(|it| it.host == "bitbucket.org:443"));
    stand_in.forget_requests();
    for name in ["hers", "his", "both"] {
        let folder = env.home().join(name);
        let folder = folder.to_str().unwrap();
        fs::write(env.home().join(name).join("new"), "new").unwrap();
        for command in ["fetch -q", "add new", "commit -qm new", "push -q"] {
            let mut arguments = vec!["-C", folder];
            arguments.extend(command.split(' '));
            env.git_succeeds(&arguments);
        }
    }
    assert_eq!(asked(&stand_in), 0, "it is remembered");
    for secret in ["canary", "ada", "bob", "acme"] {
        assert!(!choices(&env).contains(secret), "{}", choices(&env));
    }
}

#[test]
fn switch_acts_at_once_among_those_that_can_do_the_same() {
    let (env, stand_in) = two_people();
    assert_eq!(get(&env, "acme/both"), pair(ADA));
    assert_eq!(get(&env, "acme/his"), pair(BOB));
    stand_in.forget_requests();
    env.program(&["switch", "bob"], "");
    assert_eq!(get(&env, "acme/both"), pair(BOB));
    assert_eq!(get(&env, "acme/his"), pair(BOB));
    env.program(&["switch", "ada"], "");
    assert_eq!(get(&env, "acme/both"), pair(ADA));
    assert_eq!(get(&env, "acme/his"), pair(BOB));
    assert_eq!(asked(&stand_in), 0);
}

#[test]
fn the_one_that_can_push_comes_before_the_one_that_can_read() {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    stand_in.allow(Credential::api_token(ADA).scopes(READ));
    stand_in.allow(Credential::api_token(BOB));
    env.login(ADA, &["reads"]);
    env.login(BOB, &["writes"]);
    assert_eq!(get(&env, "acme/app"), pair(BOB));
    let url = "https://bitbucket.org/acme/app.git";
    env.program(&["setup"], "");
    let (_, checks) = doctor(&env, &[url]);
    let answer = one(&checks, "answer");
    let how = "of 2 that fit equally it is the first that can push (remembered)";
    assert!(
        answer.contains("'writes' answers") && answer.ends_with(how),
        "{answer}"
    );
    assert_eq!(
        one(&checks, "account.reads"),
        "skip: 'reads' fits, but can only read this repository"
    );
    for arguments in [&["token", url][..], &["token", "acme/app"]] {
        assert_eq!(env.program(arguments, "").stdout, format!("{BOB}\n"));
    }
    // Another host of the same accounts.
    let rest = "protocol=https\nhost=api.bitbucket.org\npath=2.0/repositories/acme/app\n";
    stand_in.forget_requests();
    env.login(BOB, &["writes", "--email", "ada@example.com"]);
    env.login(ADA, &["reads", "--email", "ada@example.com"]);
    assert_eq!(
        env.program(&["get"], rest).stdout,
        reply("ada@example.com", BOB)
    );
    assert!(asked(&stand_in) > 0, "new secrets are asked about");
}

#[test]
fn doctor_asks_and_writes_nothing() {
    let (env, stand_in) = two_people();
    env.program(&["setup"], "");
    let url = "https://bitbucket.org/acme/his.git";
    let files = || fs::read_dir(env.data()).unwrap().count();
    let before = files();
    let (_, checks) = doctor(&env, &[url]);
    let answer = one(&checks, "answer");
    assert!(answer.contains("'ada' answers"), "{answer}");
    assert!(
        answer.ends_with("it comes first (without an answer of Bitbucket)"),
        "{answer}"
    );
    assert_eq!(asked(&stand_in), 0);
    let outcome = env.program(&["doctor", "--json", url], "");
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let answer = one(checks, "answer");
    assert!(answer.contains("'bob' answers"), "{answer}");
    assert!(
        answer.ends_with("it is the first that can push (Bitbucket was asked)"),
        "{answer}"
    );
    assert_eq!(
        one(checks, "account.ada"),
        "skip: 'ada' fits, but cannot read this repository"
    );
    assert_eq!(files(), before);
}

#[test]
fn where_nobody_can_read_get_says_so_and_asks_again_after_a_minute() {
    let (env, stand_in) = two_people();
    env.login(TOKEN, &["ours", "--for", "beta"]);
    env.program(&["setup"], "");
    let outcome = env.git(&["ls-remote", "https://bitbucket.org/acme/nobodys.git"]);
    let line = "warning: bitbucket.org does not open 'acme/nobodys' to 'ada' or 'bob': 'ours' is for beta only; \
                'git credential-bitbucket edit ours --for beta --for acme/nobodys' lets it answer here\n";
    assert!(outcome.stderr.contains(line), "{outcome:?}");
    let number = asked(&stand_in);
    let outcome = env.git(&["ls-remote", "https://bitbucket.org/acme/nobodys.git"]);
    assert!(!outcome.stderr.contains(line), "said again: {outcome:?}");
    let outcome = env.program(&["get"], wanted("acme/nobodys"));
    assert_eq!(outcome.stdout, pair(ADA));
    assert!(outcome.stderr.contains(line), "{outcome:?}");
    assert_eq!(asked(&stand_in), number, "it is remembered for a minute");

    // A minute later.
    let path = env.data().join("choices");
    let text = choices(&env);
    let (key, line) = text.split_once('\n').unwrap();
    let mut known: Value = serde_json::from_str(line).unwrap();
    for (_, answer) in known["accounts"].as_object_mut().unwrap() {
        let asked_at = &mut answer["asked"];
        let time: Timestamp = asked_at.as_str().unwrap().parse().unwrap();
        *asked_at = (time - SignedDuration::from_secs(60)).to_string().into();
    }
    write_private(&path, &format!("{key}\n{known}"));
    get(&env, "acme/nobodys");
    assert_eq!(asked(&stand_in), 2 * number);

    let doctor = || {
        let outcome = env.program(&["doctor", "--json", "acme/nobodys"], "");
        let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
        report["checks"].as_array().unwrap().clone()
    };
    let checks = doctor();
    let first = one(&checks, "answer");
    let how =
        "of 2 that fit equally it comes first, and none can read this repository (remembered)";
    assert!(first.ends_with(how), "{first}");
    let fetch = one(&checks, "fetch");
    let why = "it cannot see 'acme/nobodys'; 'ours' is for beta only; fix: 'git credential-bitbucket edit ours \
               --for beta --for acme/nobodys' lets it answer here";
    assert!(fetch.ends_with(why), "{fetch}");
    // The same where only one account fits.
    env.program(&["logout", "bob"], "");
    let fetch = one(&doctor(), "fetch");
    assert!(fetch.ends_with(why), "{fetch}");

    env.follow(&outcome.stderr, "", "");
    stand_in.allow(Credential::access_token(TOKEN));
    let outcome = env.program(&["get"], wanted("acme/nobodys"));
    assert_eq!(outcome.stdout, reply("x-token-auth", TOKEN));
    assert_eq!(outcome.stderr, "");
}

#[test]
fn without_a_network_a_path_or_a_judgement_the_first_answers_and_nothing_is_remembered() {
    let (mut env, stand_in) = two_people();
    stand_in.show_a_page(true);
    assert_eq!(get(&env, "acme/his"), pair(ADA));
    stand_in.show_a_page(false);
    assert_eq!(choices(&env), "");
    stand_in.forget_requests();
    for path in [
        "",
        "path=acme\n",
        "path=snippets/acme/kLMnop/title.git\n",
        "path=acme/..%2fhis.git\n",
        "path=acme//his\n",
    ] {
        assert_eq!(env.get_cloud(path), pair(ADA), "{path}");
    }
    let long = format!("path=acme/{}.git\n", "x".repeat(4000));
    assert_eq!(env.get_cloud(&long), pair(ADA));
    assert_eq!(
        env.get_cloud("path=acme/his.git\nusername=bob\n"),
        pair(BOB)
    );
    let outcome = env.program(&["--account", "bob", "get"], wanted("acme/hers"));
    assert_eq!(outcome.stdout, pair(BOB));
    assert_eq!(asked(&stand_in), 0);
    env.set("HTTPS_PROXY", "http://127.0.0.1:9");
    env.set("https_proxy", "http://127.0.0.1:9");
    assert_eq!(get(&env, "acme/his"), pair(ADA));
    assert_eq!(choices(&env), "");
}

#[test]
fn the_cache_may_be_damaged_or_gone_or_closed_to_writers() {
    let (env, stand_in) = two_people();
    let path = env.data().join("choices");
    assert_eq!(get(&env, "acme/his"), pair(BOB));
    let good = choices(&env);
    for text in [
        "",
        "\n\n{}\n",
        "\0\u{fffd}=\n",
        &good.replace("push", "pull"),
        &good.replacen('\n', "x\n", 1),
        &good.replace("accounts", "people"),
        &good[..good.len() / 2],
    ] {
        write_private(&path, text);
        assert_eq!(get(&env, "acme/his"), pair(BOB), "{text}");
        stand_in.forget_requests();
        assert_eq!(get(&env, "acme/his"), pair(BOB), "{text}");
        assert_eq!(asked(&stand_in), 0, "{text}");
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let outcome = env.program(&["get"], wanted("acme/his"));
    assert_eq!((outcome.stdout, outcome.stderr), (pair(BOB), String::new()));
}

#[test]
fn eight_at_once_ask_about_eight_repositories_once_each() {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.allow(Credential::api_token(ADA).sees("acme/app0"));
    stand_in.allow(Credential::api_token(BOB));
    env.login(ADA, &["ada"]);
    env.login(BOB, &["bob"]);
    let names: Vec<String> = (0..8).map(|number| format!("acme/app{number}")).collect();
    for name in &names {
        stand_in.repository(name);
    }
    for round in ["they are asked", "they are remembered"] {
        thread::scope(|scope| {
            for name in &names {
                let (env, expected) = (&env, if name == "acme/app0" { ADA } else { BOB });
                scope.spawn(move || {
                    let mut command = env.command(PROGRAM);
                    command.arg("get");
                    let outcome = run(command, wanted(name).as_bytes());
                    assert_eq!(outcome.stdout, pair(expected), "{round} {name} {outcome:?}");
                });
            }
        });
        for name in &names {
            let path = format!("/{name}.git/info/refs");
            let number = stand_in.count(|it| it.path == path);
            let expected = if name == "acme/app0" { 2 } else { 3 };
            assert_eq!(number, expected, "{round} {name}");
        }
    }
}

#[test]
fn an_account_that_changes_is_asked_about_again_and_one_set_aside_is_not() {
    let (env, stand_in) = two_people();
    let third = stand_in.allow(Credential::api_token(
        TOKEN.replace("ATCTT", "ATATT").as_str(),
    ));
    let other = TOKEN.replace("ATCTT", "ATATT");
    env.login(&other, &["other"]);
    env.program(&["switch", "other"], "");
    assert_eq!(get(&env, "acme/his"), pair(&other));
    third.revoke();
    env.program(
        &["erase"],
        format!("{}{}", wanted("acme/his"), pair(&other)),
    );
    // It is asked whether Bitbucket knows it, and then left alone.
    assert_eq!(get(&env, "acme/his"), pair(BOB));
    stand_in.forget_requests();
    assert_eq!(get(&env, "acme/hers"), pair(ADA));
    assert_eq!(stand_in.count(|it| it.secret() == Some(&other)), 0);
    let all = questions(&stand_in);
    assert_eq!(all.len(), 3, "{all:?}");

    // A 401 of the question itself sets nothing aside.
    let second = stand_in.allow(Credential::api_token("ATATT3xFfGF0canary-x"));
    second.revoke();
    env.login("ATATT3xFfGF0canary-x", &["other"]);
    env.program(&["switch", "other"], "");
    assert_eq!(get(&env, "acme/hers"), pair(ADA));
    let accounts = env.accounts();
    let other: Vec<&Value> = accounts.iter().map(|it| &it["state"]).collect();
    assert!(!other.contains(&&Value::from("rejected")), "{accounts:?}");
    second.restore();
    stand_in.forget_requests();
    env.login("ATATT3xFfGF0canary-x", &["other"]);
    assert_eq!(get(&env, "acme/hers"), pair("ATATT3xFfGF0canary-x"));
    assert_eq!(asked(&stand_in), 1, "of the others it is known");
}

#[test]
fn a_renamed_workspace_is_followed_on_its_own_host_alone() {
    let (env, stand_in) = two_people();
    stand_in.move_workspace("old", "https://bitbucket.org/acme");
    assert_eq!(get(&env, "old/his"), pair(BOB));
    for elsewhere in [
        "https://bitbucket.org.evil.example/acme",
        "https://bitbucket.org@evil.example/acme",
        "//evil.example",
    ] {
        stand_in.move_workspace("gone", elsewhere);
        assert_eq!(get(&env, "gone/his"), pair(ADA), "{elsewhere}");
    }
    assert_eq!(stand_in.refused(), [""; 0]);
}

#[test]
fn a_hostile_submodule_has_only_bitbucket_asked_and_sets_nothing_aside() {
    let (env, stand_in) = two_people();
    env.login(TOKEN, &["work", "--for", "beta"]);
    env.program(&["setup"], "");
    env.git_succeeds(&["init", "-q", "sub"]);
    for url in [
        "https://bitbucket.org/evil/repo.git",
        "https://eve@bitbucket.org/evil/repo",
        "https://bitbucket.org/evil/..%2f..%2facme/hers",
        "https://bitbucket.org/evil/%0apath=acme/hers",
        "https://bitbucket.org/evil/a b.git",
        "https://bitbucket.org/evil/repo.git/../../acme/hers.git",
    ] {
        env.git(&["-C", "sub", "submodule", "add", url, "x"]);
    }
    assert_eq!(stand_in.refused(), [""; 0]);
    for request in questions(&stand_in) {
        assert_eq!(request.host, "bitbucket.org:443");
        assert_ne!(request.secret(), Some(TOKEN), "{request:?}");
        let path = request.path.strip_suffix(".git/info/refs").unwrap();
        assert!(["/evil/repo", "/acme/hers"].contains(&path), "{request:?}");
    }
    let states = env.accounts();
    let is_in_service =
        |account: &Value| account["state"] == "ok" || account["state"] == "unchecked";
    assert!(states.iter().all(is_in_service), "{states:?}");
    assert_eq!(get(&env, "acme/hers"), pair(ADA));
}

#[test]
fn a_data_center_below_a_path_is_asked_too() {
    let (env, stand_in) = TestEnv::with_stand_in();
    let data_center = stand_in.data_center("git.corp.example:7990", "/bitbucket");
    data_center.repository("prj/app");
    let tokens = ["BBDC-canary-of-ada", "BBDC-canary-of-bob"];
    data_center.allow(Credential::http_access_token(tokens[0]).sees("other/app"));
    data_center.allow(Credential::http_access_token(tokens[1]).user("bob"));
    let host = "git.corp.example:7990/bitbucket";
    env.login(tokens[0], &["ada", "--host", host, "--username", "ada"]);
    env.login(tokens[1], &["bob", "--host", host, "--username", "bob"]);
    env.program(&["setup"], "");
    let url = format!("{}/scm/PRJ/app.git", data_center.url());
    env.git_succeeds(&["clone", "-q", &url, "app"]);
    stand_in.forget_requests();
    env.git_succeeds(&["-C", "app", "fetch", "-q"]);
    assert_eq!(asked(&stand_in), 0);
}

#[test]
fn a_fork_and_its_origin_each_get_the_token_that_opens_them() {
    let (env, stand_in) = TestEnv::with_stand_in();
    let (origin, fork) = (
        stand_in.repository("acme/app"),
        stand_in.repository("ada/app"),
    );
    let workspace = Credential::access_token(TOKEN).sees("acme");
    stand_in.allow(workspace.scopes(["repository"]));
    stand_in.allow(Credential::api_token(ADA).sees("ada"));
    stand_in.allow(Credential::api_token(BOB).sees("acme"));
    env.login(ADA, &["ada"]);
    env.login(BOB, &["bob"]);
    env.login(TOKEN, &["ci"]);
    env.program(&["setup"], "");
    env.git_succeeds(&["clone", "-q", fork.url(), "app"]);
    let app = |arguments: &[&str]| env.git_succeeds(&[&["-C", "app"][..], arguments].concat());
    app(&["remote", "add", "upstream", origin.url()]);
    app(&["fetch", "-q", "upstream"]);
    app(&["commit", "-q", "--allow-empty", "-m", "new"]);
    app(&["push", "-q", "origin", "HEAD"]);
    app(&["push", "-q", "-f", "upstream", "HEAD"]);
    // Who could push is gone: the next one can read.
    env.program(&["logout", "bob"], "");
    assert_eq!(get(&env, "acme/app"), reply("x-token-auth", TOKEN));
}

#[test]
fn in_whatever_order_one_signs_in_and_imports_each_repository_gets_what_opens_it() {
    let tokens = [
        (ADA, "me", "", "ada"),
        (TOKEN, "ci", "acme", "acme"),
        (
            "ATCTT3xFfGN0canary-of-site",
            "site",
            "acme/site",
            "acme/site",
        ),
        (
            "ATCTT3xFfGN0canary-of-tool",
            "tool",
            "acme/tool",
            "acme/tool",
        ),
    ];
    for start in 0..tokens.len() {
        let (env, stand_in) = TestEnv::with_stand_in();
        for (token, .., sees) in &tokens {
            let token = match *token {
                ADA => Credential::api_token(token),
                _ => Credential::access_token(token),
            };
            stand_in.allow(token.sees(sees));
        }
        for name in ["ada/own", "acme/app", "acme/site", "acme/tool"] {
            stand_in.repository(name);
        }
        // Each sign-in is as broad as it can be, or as narrow.
        for is_narrow in [false, true] {
            for position in 0..tokens.len() {
                let (token, name, place, _) = tokens[(start + position) % tokens.len()];
                let more: &[&str] = match (is_narrow, place) {
                    (true, "") | (false, _) => &[],
                    (true, place) => &["--for", place],
                };
                env.login(token, &[&[name][..], more].concat());
            }
            for (name, token) in [
                ("ada/own", pair(ADA)),
                ("acme/app", reply("x-token-auth", TOKEN)),
                ("acme/site", reply("x-token-auth", tokens[2].0)),
                ("acme/tool", reply("x-token-auth", tokens[3].0)),
            ] {
                let found = get(&env, name);
                // The workspace's token opens its repositories too.
                let is_broad = !is_narrow && found == reply("x-token-auth", TOKEN);
                let opens = found == token || is_broad && name.starts_with("acme/");
                assert!(opens, "{start} {is_narrow} {name}: {found}");
            }
        }
    }
}

#[test]
fn a_home_that_cannot_be_written_costs_only_the_memory() {
    let (env, _stand_in) = two_people();
    let (mut shell, program) = env.shell_of_a_plain_user();
    // git shows no repository of another user.
    env.shell("chown -R $(id -u) ../stand-in");
    let script = "chmod 500 \"$GIT_CREDENTIAL_BITBUCKET_HOME\" && exec \"$0\" get";
    shell.args(["-c", script]).arg(program);
    let outcome = run(shell, wanted("acme/his").as_bytes());
    assert_eq!((outcome.stdout, outcome.stderr), (pair(BOB), String::new()));
    assert_eq!(choices(&env), "");
}

#[test]
fn a_stray_refusal_of_the_one_that_can_is_asked_about() {
    let (env, _stand_in) = two_people();
    env.login(BOB, &["bob", "--email", "ada@example.com"]);
    assert_eq!(get(&env, "acme/his"), pair(BOB));
    let refused = format!("{}{}", wanted("acme/his"), pair(BOB));
    env.program(&["erase"], refused);
    assert_eq!(get(&env, "acme/his"), pair(BOB), "Bitbucket knows it");
}

#[test]
fn a_bitbucket_that_does_not_answer_is_left_within_the_time_of_an_answer() {
    let (env, stand_in) = two_people();
    stand_in.fall_silent(Silence::Request);
    let start = Instant::now();
    assert_eq!(get(&env, "acme/his"), pair(ADA));
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(choices(&env), "");
}

#[test]
fn where_one_can_push_the_others_without_an_answer_are_not_asked_at_each_get() {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    let ada = stand_in.allow(Credential::api_token(ADA));
    stand_in.allow(Credential::api_token(BOB).user("bob"));
    env.login(ADA, &["ada"]);
    env.login(BOB, &["bob"]);
    ada.limit_rate();
    assert_eq!(get(&env, "acme/app"), pair(BOB));
    stand_in.forget_requests();
    assert_eq!(get(&env, "acme/app"), pair(BOB));
    assert_eq!(asked(&stand_in), 0, "it is left alone for a while");
    ada.restore();
    // One that comes first and is new is asked about, one that comes after it is not.
    env.login(ADA, &["ada", "--email", "ada@example.com"]);
    stand_in.forget_requests();
    assert_eq!(get(&env, "acme/app"), pair(ADA));
    assert_eq!(asked(&stand_in), 1);
    assert_eq!(get(&env, "acme/app"), pair(ADA));
    assert_eq!(asked(&stand_in), 1);
}

#[test]
fn a_refusal_beside_others_is_remembered_for_an_hour_and_the_rest_for_longer() {
    let (env, stand_in) = two_people();
    assert_eq!(get(&env, "acme/his"), pair(BOB));
    let text = choices(&env);
    let (key, line) = text.split_once('\n').unwrap();
    let mut known: Value = serde_json::from_str(line).unwrap();
    for (_, answer) in known["accounts"].as_object_mut().unwrap() {
        let time: Timestamp = answer["asked"].as_str().unwrap().parse().unwrap();
        answer["asked"] = (time - SignedDuration::from_hours(1)).to_string().into();
    }
    let old = known["accounts"].to_string();
    write_private(&env.data().join("choices"), &format!("{key}\n{known}"));
    stand_in.forget_requests();
    assert_eq!(get(&env, "acme/his"), pair(BOB));
    let all = questions(&stand_in);
    assert_eq!(all.len(), 2, "push and read of one alone: {all:?}");
    let text = choices(&env);
    let known: Value = serde_json::from_str(text.split_once('\n').unwrap().1).unwrap();
    let kept = known["accounts"].as_object().unwrap().values();
    let kept = kept.filter(|it| old.contains(&it.to_string())).count();
    assert_eq!(kept, 1, "the other keeps its time: {text}");
}
