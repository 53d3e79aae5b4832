//! The question through an askpass program: its form, what counts as an answer, and who is asked otherwise.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::askpass::Askpass;
use crate::support::harness::{
    ACCESS_TOKEN, API_TOKEN, Outcome, PROGRAM, STATIC, TestEnv, has, reply, run, write_private,
};
use crate::support::stand_in::{Credential, Silence, StandIn};
use crate::support::terminal::Terminal;

const APP: &str = "https://bitbucket.org/acme/app.git";
const REQUEST: &str = "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n";
const PROMPT: &str = "Password for 'https://API-token@bitbucket.org/acme/app.git':";

fn start() -> (TestEnv, StandIn) {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    stand_in.repository("acme/other");
    stand_in.allow(Credential::api_token(API_TOKEN));
    fs::create_dir(env.data()).unwrap();
    write_private(
        &env.data().join("config.toml"),
        "[store]\ndefault = \"file\"\n",
    );
    env.configure_plain();
    env.git_succeeds(&["config", "--global", "credential.useHttpPath", "true"]);
    (env, stand_in)
}

/// Runs git where it asks through this program.
fn git(env: &TestEnv, askpass: &str, arguments: &[&str]) -> Outcome {
    env.forget_what_was_said();
    let mut command = env.command("git");
    command.args(arguments).env("GIT_ASKPASS", askpass);
    run(command, b"")
}

fn has_quit(outcome: &Outcome) -> bool {
    outcome.status == 128 && outcome.stderr.contains("told us to quit")
}

#[test]
fn the_question_has_gits_own_form() {
    let (env, _stand_in) = start();
    // git's own question, where nobody else answers.
    let of_git = |url: &str| {
        let askpass = Askpass::new(&env, "echo \"$1\" >>LOG", "", "");
        let mut command = env.command("git");
        command
            .args(["-c", "credential.helper=", "ls-remote", url])
            .env("GIT_ASKPASS", askpass.path());
        run(command, b"");
        askpass.asked()
    };
    for path in [
        "acme/app.git",
        "acme/a%20b~_-.git",
        "acme/a+b%25c@d:e",
        "acme/%C3%A9'x'",
        "Acme/app%3Fx=1&y",
    ] {
        for host in ["bitbucket.org", "BITBUCKET.org:443"] {
            let named = of_git(&format!("https://API-token@{host}/{path}"));
            let askpass = Askpass::new(&env, "echo \"$1\" >>LOG", "", "");
            git(
                &env,
                askpass.path(),
                &["ls-remote", &format!("https://{host}/{path}")],
            );
            let asked = askpass.asked();
            assert_eq!(asked.first(), named.first(), "{path}");
            assert_eq!(asked.len(), 1, "{path}");
        }
    }
}

#[test]
fn an_ide_asks_once_and_the_token_is_kept_before_git_reports_anything() {
    let programs: [fn(&TestEnv, &str, &str) -> Askpass; 2] =
        [Askpass::of_vs_code, Askpass::of_jetbrains];
    for program in programs {
        let (env, stand_in) = start();
        let askpass = program(&env, "ada@example.com", API_TOKEN);
        // As whoever never sends `store` does.
        let mut get = env.command(PROGRAM);
        get.arg("get").env("GIT_ASKPASS", askpass.path());
        let outcome = run(get, REQUEST.as_bytes());
        assert_eq!(
            (outcome.stdout.as_str(), outcome.stderr.as_str()),
            (reply(STATIC, API_TOKEN).as_str(), "")
        );
        assert_eq!(askpass.asked(), [PROMPT]);
        assert_eq!(env.accounts()[0]["origin"], "login");
        assert_eq!(
            stand_in.count(|request| request.user().is_some_and(|user| user != STATIC)),
            0
        );
        assert_eq!(git(&env, askpass.path(), &["ls-remote", APP]).status, 0);
        assert!(askpass.asked().is_empty());
    }
}

#[test]
fn one_cancel_is_enough_and_an_echo_is_no_answer() {
    let (env, stand_in) = start();
    let programs = [
        Askpass::of_vs_code(&env, "", "").path().to_owned(),
        "echo".to_owned(),
        "true".to_owned(),
    ];
    for program in programs {
        let outcome = git(&env, &program, &["ls-remote", APP]);
        assert!(has_quit(&outcome), "{program}: {outcome:?}");
        let reason =
            "nobody has signed in to bitbucket.org: 'git credential-bitbucket login' signs in";
        assert_eq!(outcome.stderr.matches(reason).count(), 1, "{outcome:?}");
    }
    let jetbrains = Askpass::of_jetbrains(&env, "", "");
    jetbrains.asked();
    assert!(has_quit(&git(&env, jetbrains.path(), &["ls-remote", APP])));
    assert_eq!(jetbrains.asked().len(), 1);
    assert_eq!(stand_in.count(|request| request.authorization.is_some()), 0);
    assert!(env.accounts().is_empty());
    assert!(
        !env.data().join("first-contact").exists(),
        "what answers at once leaves no mark"
    );
}

#[test]
fn a_program_that_fails_leaves_it_to_the_terminal_as_with_git() {
    let (env, _stand_in) = start();
    let gone = Askpass::new(
        &env,
        "echo 'Could not communicate with IDE' >&2; exit 1",
        "",
        "",
    );
    for program in [gone.path(), "/nonexistent/askpass"] {
        let outcome = git(&env, program, &["ls-remote", APP]);
        assert!(has_quit(&outcome), "{outcome:?}");
        assert!(
            outcome
                .stderr
                .contains("the askpass program of GIT_ASKPASS does not answer"),
            "{outcome:?}"
        );
    }
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types_anew(&format!(
        "GIT_ASKPASS='{}' git ls-remote {APP}; echo status-$?",
        gone.path()
    ));
    let screen = terminal.expect("Token for bitbucket.org (it will not show):");
    assert!(
        screen.contains("Nobody has signed in to bitbucket.org yet."),
        "{screen}"
    );
    terminal.types(API_TOKEN);
    terminal.expect("status-0");
}

#[test]
fn what_is_typed_is_in_no_argument_no_environment_and_no_file_but_the_store() {
    if !has(&["strace"]) {
        return;
    }
    let (env, _stand_in) = start();
    let askpass = Askpass::of_vs_code(&env, "", API_TOKEN);
    let log = env.path().join("started");
    let mut git = env.command("strace");
    git.args(["-f", "-v", "-s", "100000", "-e", "trace=execve", "-o"]);
    git.arg(&log).args(["git", "ls-remote", APP]);
    let outcome = run(
        {
            git.env("GIT_ASKPASS", askpass.path());
            git
        },
        b"",
    );
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let started = fs::read_to_string(&log).unwrap();
    assert!(
        started.contains("API-token@") && !started.contains("canary"),
        "{started}"
    );
    for file in fs::read_dir(env.data()).unwrap() {
        let text = fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("canary"));
    }
}

/// Variables, settings, and how often the program is then asked.
type Way<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], usize);

#[test]
fn the_program_is_found_in_gits_order() {
    let (env, _stand_in) = start();
    let askpass = Askpass::of_vs_code(&env, "", "");
    let ways: [Way<'_>; 6] = [
        (
            &[
                ("GIT_ASKPASS", askpass.path()),
                ("SSH_ASKPASS", "/nonexistent"),
            ],
            &[],
            1,
        ),
        (&[("SSH_ASKPASS", askpass.path())], &[], 1),
        (
            &[("SSH_ASKPASS", "/nonexistent")],
            &["-c", "core.askPass=PROGRAM"],
            1,
        ),
        (
            &[("GIT_ASKPASS", ""), ("SSH_ASKPASS", askpass.path())],
            &["-c", "core.askPass=PROGRAM"],
            0,
        ),
        (
            &[("SSH_ASKPASS", askpass.path())],
            &["-c", "core.askPass="],
            0,
        ),
        (
            &[("GIT_ASKPASS", askpass.path())],
            &["-c", "credential.interactive=never"],
            0,
        ),
    ];
    for (variables, settings, asked) in ways {
        let mut command = env.command("git");
        command.envs(variables.iter().copied());
        command.args(
            settings
                .iter()
                .map(|word| word.replace("PROGRAM", askpass.path())),
        );
        command.args(["ls-remote", APP]);
        run(command, b"");
        assert_eq!(askpass.asked().len(), asked, "{variables:?} {settings:?}");
    }
}

#[test]
fn where_another_helper_stands_behind_ours_that_one_is_asked() {
    let (env, _stand_in) = start();
    let askpass = Askpass::of_vs_code(&env, "", "");
    env.git_succeeds(&["config", "--global", "--add", "credential.helper", "!true"]);
    git(&env, askpass.path(), &["ls-remote", APP]);
    let asked = askpass.asked();
    assert!(
        asked[0].starts_with("Username for"),
        "git itself asks: {asked:?}"
    );
    env.git_succeeds(&["config", "--global", "--add", "credential.helper", ""]);
    env.git_succeeds(&[
        "config",
        "--global",
        "--add",
        "credential.helper",
        "bitbucket",
    ]);
    git(&env, askpass.path(), &["ls-remote", APP]);
    assert_eq!(askpass.asked(), [PROMPT]);
}

#[test]
fn a_program_that_a_repository_names_gives_no_account_for_others() {
    let (env, stand_in) = start();
    let askpass = Askpass::of_vs_code(&env, STATIC, API_TOKEN);
    env.git_succeeds(&["init", "-q", "planted"]);
    env.git_succeeds(&["-C", "planted", "config", "core.askPass", askpass.path()]);
    env.git_succeeds(&["-C", "planted", "ls-remote", APP]);
    assert!(
        askpass.asked()[0].starts_with("Username for"),
        "git itself asks"
    );
    let account = &env.accounts()[0];
    assert_eq!(
        (account["origin"].as_str(), &account["for"]),
        (Some("git"), &serde_json::json!(["acme"]))
    );
    stand_in.repository("ours/site");
    assert_ne!(
        env.git(&["ls-remote", "https://bitbucket.org/ours/site.git"])
            .status,
        0
    );
}

#[test]
fn a_program_that_remembers_a_refused_token_is_told_once_and_nothing_is_sent_again() {
    let (env, stand_in) = start();
    let handle = stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    handle.revoke();
    let askpass = Askpass::of_jetbrains(&env, "", ACCESS_TOKEN);
    let sent = || stand_in.count(|request| request.secret() == Some(ACCESS_TOKEN));
    let first = git(&env, askpass.path(), &["ls-remote", APP]);
    assert!(has_quit(&first), "{first:?}");
    assert!(
        first.stderr.contains("Bitbucket refuses the access token"),
        "{first:?}"
    );
    assert_eq!(
        (askpass.asked().len(), sent()),
        (2, 1),
        "asked once more, and not sent again"
    );
    let second = git(&env, askpass.path(), &["ls-remote", APP]);
    assert!(
        has_quit(&second) && second.stderr.contains("remembers"),
        "{second:?}"
    );
    assert_eq!((askpass.asked().len(), sent()), (1, 1));
    assert!(env.accounts().is_empty());
}

#[test]
fn what_an_account_was_refused_with_is_not_sent_again_either() {
    let (env, stand_in) = start();
    let handle = stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    env.login(ACCESS_TOKEN, &["ci", "--for", "acme/app"]);
    handle.revoke();
    assert_ne!(env.git(&["ls-remote", APP]).status, 0);
    let askpass = Askpass::of_vs_code(&env, "", ACCESS_TOKEN);
    let outcome = git(&env, askpass.path(), &["ls-remote", APP]);
    assert!(has_quit(&outcome), "{outcome:?}");
    for said in ["'ci' was refused by bitbucket.org", "remembers"] {
        assert!(outcome.stderr.contains(said), "{outcome:?}");
    }
    assert_eq!(askpass.asked().len(), 1);

    // A new one of the same kind takes its place.
    let new = ACCESS_TOKEN.replace("canary", "second");
    stand_in.allow(Credential::access_token(&new).sees("acme/app"));
    let askpass = Askpass::of_vs_code(&env, "", &new);
    assert_eq!(git(&env, askpass.path(), &["ls-remote", APP]).status, 0);
    let accounts = env.accounts();
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    assert_eq!(
        (accounts[0]["name"].as_str(), accounts[0]["state"].as_str()),
        (Some("ci"), Some("ok"))
    );
    assert_eq!(env.program(&["token", "ci"], "").stdout, format!("{new}\n"));
}

#[test]
fn somebody_is_asked_too_where_the_accounts_are_for_other_places() {
    let (env, stand_in) = start();
    stand_in.allow(Credential::access_token(ACCESS_TOKEN).sees("acme/app"));
    env.login(ACCESS_TOKEN, &["ci", "--for", "acme/app"]);
    let askpass = Askpass::of_vs_code(&env, "", API_TOKEN);
    let outcome = git(
        &env,
        askpass.path(),
        &["ls-remote", "https://bitbucket.org/acme/other.git"],
    );
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let reason = "no account is for 'acme/other': 'ci' is for acme/app";
    assert!(outcome.stderr.contains(reason), "{outcome:?}");
    assert_eq!(env.accounts().len(), 2);
    // The secret of one is gone.
    let secrets = env.data().join("secrets");
    let text = fs::read_to_string(&secrets).unwrap();
    let lines = text.lines().filter(|line| line.starts_with('#'));
    write_private(
        &secrets,
        &format!("{}\n", lines.collect::<Vec<_>>().join("\n")),
    );
    let outcome = git(
        &env,
        askpass.path(),
        &["ls-remote", "https://bitbucket.org/acme/other.git"],
    );
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(
        outcome.stderr.contains("has no secret in the file"),
        "{outcome:?}"
    );
    assert_eq!(
        env.accounts().len(),
        2,
        "it takes the place of the one whose secret is gone"
    );
}

#[test]
fn an_account_that_one_repository_refuses_stays_where_it_works() {
    let (env, stand_in) = start();
    let work = API_TOKEN.replace("canary", "work");
    stand_in.allow(Credential::api_token(&work).refused_by("acme/app"));
    env.login(&work, &["work", "--email", "ada@example.com"]);
    assert_ne!(env.git(&["ls-remote", APP]).status, 0);
    let askpass = Askpass::of_vs_code(&env, "", API_TOKEN);
    let outcome = git(&env, askpass.path(), &["ls-remote", APP]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(
        outcome.stderr.contains("refuses it for this repository"),
        "{outcome:?}"
    );
    let accounts = env.accounts();
    assert_eq!(accounts.len(), 2, "{accounts:?}");
    assert_eq!(accounts[1]["for"], serde_json::json!(["acme"]));
    assert_eq!(
        env.get_cloud("path=other/site.git\n"),
        reply(STATIC, &work),
        "it answers elsewhere"
    );
}

#[test]
fn where_nothing_can_be_written_git_asks_for_itself() {
    let (mut env, _stand_in) = start();
    env.set("GIT_CREDENTIAL_BITBUCKET_HOME", "/proc/nowhere");
    let askpass = Askpass::of_vs_code(&env, STATIC, API_TOKEN);
    let outcome = git(&env, askpass.path(), &["ls-remote", APP]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(askpass.asked().len(), 2, "user name and password");
}

#[test]
fn without_network_git_tries_and_what_worked_is_kept_as_what_git_gives() {
    let (env, stand_in) = start();
    let askpass = Askpass::of_vs_code(&env, "", API_TOKEN);
    stand_in.fall_silent(Silence::Connection);
    let mut get = env.command(PROGRAM);
    get.arg("get").env("GIT_ASKPASS", askpass.path());
    let start = Instant::now();
    let outcome = run(get, REQUEST.as_bytes());
    assert!(
        start.elapsed() < Duration::from_secs(9),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(outcome.stdout, reply(STATIC, API_TOKEN));
    assert!(env.accounts().is_empty());
    let pair = format!("{REQUEST}{}", reply(STATIC, API_TOKEN));
    assert_eq!(env.program(&["store"], pair).status, 0);
    assert_eq!(env.accounts()[0]["origin"], "git");
}

#[test]
fn while_git_tries_what_was_typed_only_that_is_kept_for_more_than_its_place() {
    let (planted, evil) = (API_TOKEN.replace("canary", "planted"), "evil/public.git");
    for (typed, name, given, path, reach) in [
        (API_TOKEN, STATIC, API_TOKEN, "acme/app.git", None),
        (API_TOKEN, STATIC, planted.as_str(), evil, Some("evil")),
        (
            ACCESS_TOKEN,
            "x-token-auth",
            ACCESS_TOKEN,
            "acme/app.git",
            Some("acme/app"),
        ),
    ] {
        let (mut env, stand_in) = start();
        env.hurry(5);
        stand_in.fall_silent(Silence::Connection);
        let askpass = Askpass::of_vs_code(&env, "", typed);
        let mut get = env.command(PROGRAM);
        get.arg("get").env("GIT_ASKPASS", askpass.path());
        assert_eq!(run(get, REQUEST.as_bytes()).stdout, reply(name, typed));
        let pair = reply(name, given);
        let worked = format!("protocol=https\nhost=bitbucket.org\npath={path}\n{pair}");
        assert_eq!(env.program(&["store"], worked).status, 0);
        let account = &env.accounts()[0];
        let places = account["for"].as_array().map_or(&[][..], Vec::as_slice);
        let places: Vec<_> = places.iter().filter_map(|place| place.as_str()).collect();
        assert_eq!(places, Vec::from_iter(reach), "{account}");
    }
}

#[test]
fn an_access_token_that_somebody_types_is_for_its_repository_alone() {
    let (env, stand_in) = start();
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    let askpass = Askpass::of_vs_code(&env, "", ACCESS_TOKEN);
    assert_eq!(git(&env, askpass.path(), &["ls-remote", APP]).status, 0);
    assert_eq!(env.accounts()[0]["for"], serde_json::json!(["acme/app"]));
    assert_eq!(env.get_cloud("path=other/app.git\n"), "");
}

#[test]
fn eight_parallel_fetches_ask_one_question() {
    let (env, _stand_in) = start();
    let script = "echo \"$1\" >>LOG; sleep 2; echo ANSWER";
    let askpass = Askpass::new(&env, script, "", API_TOKEN);
    let fetches: Vec<_> = (0..8)
        .map(|_| {
            let mut command = env.command("git");
            command
                .args(["ls-remote", APP])
                .env("GIT_ASKPASS", askpass.path());
            std::thread::spawn(move || run(command, b""))
        })
        .collect();
    for fetch in fetches {
        let outcome = fetch.join().unwrap();
        assert_eq!(outcome.status, 0, "{outcome:?}");
    }
    assert_eq!(askpass.asked(), [PROMPT]);
    assert_eq!(env.accounts().len(), 1);
}

#[test]
fn who_waited_for_a_cancelled_question_is_not_asked_again() {
    let (env, _stand_in) = start();
    let askpass = Askpass::new(&env, "echo \"$1\" >>LOG; sleep 3; echo", "", "");
    let fetches: Vec<_> = (0..4)
        .map(|_| {
            let mut command = env.command("git");
            command
                .args(["ls-remote", APP])
                .env("GIT_ASKPASS", askpass.path());
            std::thread::spawn(move || run(command, b""))
        })
        .collect();
    for fetch in fetches {
        let outcome = fetch.join().unwrap();
        assert!(has_quit(&outcome), "{outcome:?}");
    }
    assert_eq!(askpass.asked().len(), 1);
}

#[test]
fn a_data_center_is_asked_for_in_its_own_words() {
    let (env, stand_in) = start();
    let host = "git.corp.example:7990";
    let data_center = stand_in.data_center(host, "/bitbucket");
    data_center.repository("prj/app");
    data_center.allow(Credential::project_http_access_token("BBDC-canary"));
    let config = format!("hosts = [\"{host}\"]\n[store]\ndefault = \"file\"\n");
    write_private(&env.data().join("config.toml"), &config);
    let askpass = Askpass::of_jetbrains(&env, "", "BBDC-canary");
    let url = format!("https://{host}/bitbucket/scm/prj/app.git");
    assert_eq!(git(&env, askpass.path(), &["ls-remote", &url]).status, 0);
    let prompt =
        format!("Password for 'https://HTTP-access-token@{host}/bitbucket/scm/prj/app.git':");
    assert_eq!(askpass.asked(), [prompt]);
    // A token of another product is not sent there.
    let askpass = Askpass::of_vs_code(&env, "", "BBDC-canary");
    let outcome = git(&env, askpass.path(), &["ls-remote", APP]);
    assert!(
        outcome.stderr.contains("that is an HTTP access token"),
        "{outcome:?}"
    );
    assert_eq!(
        stand_in
            .count(|request| request.host == "bitbucket.org" && request.authorization.is_some()),
        0
    );
}
