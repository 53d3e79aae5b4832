//! The machine's own config.toml: no user gets past its `[policy]`, at whichever door, and without it being known nothing
//! goes in or out.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::support::harness::{
    ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, Outcome, PROGRAM, TestEnv, reply, run, write_private,
};
use crate::support::stand_in::{Credential, StandIn};
use crate::support::terminal::Terminal;

const CLOUD: &str = "protocol=https\nhost=bitbucket.org\n";
const REPOSITORY: &str = "protocol=https\nhost=bitbucket.org\npath=acme/site.git\n";
const NOT_KNOWN: &str = "the policy of this machine is not known: ";

/// An environment on a machine with this config.toml.
fn machine(text: &str) -> Option<TestEnv> {
    TestEnv::new().with_system_config(text)
}

/// The same with git sent to the stand-in.
fn machine_with_stand_in(text: &str) -> Option<(TestEnv, StandIn)> {
    let (env, stand_in) = TestEnv::with_stand_in();
    Some((env.with_system_config(text)?, stand_in))
}

/// The administrators change their mind.
fn change(env: &TestEnv, text: &str) {
    fs::write(env.system_config(), text).unwrap();
}

/// Nothing came out of it, and why is said in one line which holds this.
fn assert_refused(outcome: &Outcome, why: &str) {
    assert_eq!(
        (outcome.status, outcome.stdout.as_str()),
        (1, ""),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains(why), "{why}: {outcome:?}");
    let errors = outcome.stderr.matches("git-credential-bitbucket: error: ");
    assert_eq!(errors.count(), 1, "{outcome:?}");
    assert!(!outcome.stderr.contains("canary"), "{outcome:?}");
}

fn in_a_year() -> String {
    let now = std::time::SystemTime::now();
    let seconds = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let year = 1970 + seconds / 31_556_952 + 1;
    format!("{year}-01-31")
}

#[test]
fn an_account_that_is_not_allowed_does_not_answer_and_the_line_names_what_is_not() {
    let Some(env) = machine("") else { return };
    env.login(API_TOKEN, &["work"]);
    assert_eq!(
        env.get_cloud(""),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    for (policy, what) in [
        ("stores = [\"keyring\"]", "the store 'file'"),
        ("kinds = [\"access-token\"]", "the kind 'api-token'"),
        ("hosts = [\"git.corp.example\"]", "the host bitbucket.org"),
        (
            "require_expiry = true",
            "a secret without a day on which it expires",
        ),
        ("stores = []", "the store 'file'"),
        ("kinds = []", "the kind 'api-token'"),
        ("hosts = []", "the host bitbucket.org"),
    ] {
        change(&env, &format!("[policy]\n{policy}\n"));
        let why = format!(
            "git-credential-bitbucket: error: 'work' is not used: the policy of this machine does not allow {what}\n"
        );
        for host in ["bitbucket.org", "api.bitbucket.org"] {
            let request = format!("protocol=https\nhost={host}\n");
            let outcome = env.program(&["get"], request);
            assert_refused(&outcome, &why);
        }
        // Nor does it come out of another door.
        assert_refused(&env.program(&["token", "work"], ""), what);
        let url = "https://api.bitbucket.org/2.0/user";
        assert_refused(&env.program(&["curl", url], ""), what);
        let status = env.program(&["status"], "");
        assert_eq!(status.status, 1, "{status:?}");
        assert!(status.stderr.contains(&format!("warning: 'work' is not used: the policy of this machine does not allow {what}: 'git credential-bitbucket log")), "{status:?}");
        assert_eq!(env.accounts()[0]["state"], "ok", "the states are fixed");
    }
    for policy in [
        "stores = [\"file\"]\nkinds = [\"api-token\"]\nhosts = [\"API.Bitbucket.org\"]",
        "hosts = [\"BitBucket.ORG:443\"]",
        "require_expiry = false",
        "",
    ] {
        change(&env, &format!("[policy]\n{policy}\n"));
        env.get_cloud("");
        assert_eq!(env.program(&["token"], "").status, 0);
        assert_eq!(env.program(&["status"], "").status, 0);
    }
}

#[test]
fn a_host_of_data_center_is_allowed_with_its_port_in_whatever_case() {
    let Some(env) = machine("[policy]\nhosts = [\"Git.Corp.Example:7990\"]\n") else {
        return;
    };
    env.login(
        "BBDC-canary",
        &["--host", "git.corp.example:7990", "--username", "ada"],
    );
    let get = |host: &str| env.program(&["get"], format!("protocol=https\nhost={host}\n"));
    assert_eq!(
        get("GIT.corp.example:7990").stdout,
        reply("ada", "BBDC-canary")
    );
    for host in ["git.corp.example", "git.corp.example:7991", "bitbucket.org"] {
        assert_eq!(get(host).stdout, "", "{host}");
    }
    for host in ["git.corp.example", "bitbucket.org"] {
        let outcome = env.program(&["login", "--with-token", "--host", host], "");
        assert_refused(&outcome, &format!("does not allow the host {host}\n"));
        assert!(
            outcome
                .stderr
                .contains("a host that it allows: git.corp.example:7990\n"),
            "{outcome:?}"
        );
    }
}

#[test]
fn another_account_that_is_allowed_answers_in_its_place() {
    let Some(env) = machine("") else { return };
    env.login(API_TOKEN, &["old"]);
    env.login(ACCESS_TOKEN, &["new", "--expires", &in_a_year()]);
    // Both fit equally: nobody answers.
    assert_eq!(env.program(&["get"], CLOUD).status, 1);
    change(&env, "[policy]\nrequire_expiry = true\n");
    assert_eq!(env.get_cloud(""), reply("x-token-auth", ACCESS_TOKEN));
    let outcome = env.program(&["status"], "");
    assert!(!outcome.stderr.contains("equally"), "{outcome:?}");
}

#[test]
fn a_credential_of_the_environment_is_passed_over_and_the_accounts_answer() {
    let Some(mut env) = machine("[policy]\nstores = [\"file\"]\n") else {
        return;
    };
    env.set("BITBUCKET_TOKEN", ACCESS_TOKEN);
    assert_refused(
        &env.program(&["get"], CLOUD),
        "error: 'BITBUCKET_TOKEN' is not used: the policy of this machine does not allow the store 'env'\n",
    );
    let status = env.program(&["status"], "");
    assert!(
        status.stderr.contains("'BITBUCKET_TOKEN' is not used: "),
        "{status:?}"
    );
    // What git is given elsewhere is kept, as nobody else answers.
    let given = format!("{CLOUD}username=x-bitbucket-api-token-auth\npassword={API_TOKEN}\n");
    assert_eq!(env.program(&["store"], &given).status, 0);
    assert_eq!(
        env.get_cloud(""),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    // And set aside when it is refused.
    env.program(&["erase"], &given);
    assert_eq!(env.accounts()[0]["state"], "rejected");

    for (policy, what) in [
        ("require_expiry = true", "a secret without a day"),
        ("kinds = [\"api-token\"]", "the kind 'access-token'"),
    ] {
        change(&env, &format!("[policy]\n{policy}\n"));
        assert_refused(&env.program(&["get"], CLOUD), what);
    }
    change(
        &env,
        "[policy]\nstores = [\"env\"]\nkinds = [\"access-token\"]\n",
    );
    assert_eq!(env.get_cloud(""), reply("x-token-auth", ACCESS_TOKEN));
}

#[test]
fn a_store_that_is_looked_into_is_asked_only_if_it_is_allowed_and_so_is_what_it_has() {
    let Some(env) = machine("") else { return };
    let secrets = env.path().join("secrets/acme");
    fs::create_dir_all(&secrets).unwrap();
    fs::write(secrets.join("site"), ACCESS_TOKEN).unwrap();
    let program = env.path().join("docker-credential-own");
    let asked = env.path().join("asked");
    fs::write(
        &program,
        format!(
            "#!/bin/sh\ncat >>{}\necho '{{\"Username\":\"x\",\"Secret\":\"{ACCESS_TOKEN}\"}}'\n",
            asked.display()
        ),
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    for store in ["folder", "exec"] {
        let machine = |policy: &str| {
            let path = env.path().join("secrets");
            format!(
                "lookup = [\"{store}\"]\n[store.folder]\npath = \"{}\"\n[store.exec]\nprogram = \"{}\"\n[policy]\n{policy}\n",
                path.display(),
                program.display()
            )
        };
        change(&env, &machine(&format!("stores = [\"{store}\"]")));
        assert_eq!(env.get(REPOSITORY), reply("x-token-auth", ACCESS_TOKEN));
        let _ = fs::remove_file(&asked);
        for (policy, what) in [
            (
                "stores = [\"vault\"]",
                format!("error: the policy of this machine does not allow the store '{store}'\n"),
            ),
            (
                "kinds = [\"oauth\"]",
                "does not allow the kind 'access-token'\n".to_owned(),
            ),
            (
                "require_expiry = true",
                "does not allow a secret without a day on which it expires\n".to_owned(),
            ),
            ("hosts = [\"git.corp.example\"]", String::new()),
        ] {
            change(&env, &machine(policy));
            let outcome = env.program(&["get"], REPOSITORY);
            assert!(
                outcome.stdout.is_empty() && outcome.stderr.ends_with(&what),
                "{policy}: {outcome:?}"
            );
            let outcome = env.program(&["doctor", "https://bitbucket.org/acme/site"], "");
            assert_eq!(
                outcome.status,
                i32::from(!policy.starts_with("hosts")),
                "{outcome:?}"
            );
            assert!(!outcome.stdout.contains("' answers"), "{outcome:?}");
        }
        assert_eq!(asked.exists(), store == "exec", "what it has is judged");
        let _ = fs::remove_file(&asked);
        change(&env, &machine("stores = [\"vault\"]"));
        env.program(&["get"], REPOSITORY);
        assert!(!asked.exists(), "a store that is not allowed is not asked");
    }
    // A day makes the difference.
    fs::remove_file(secrets.join("site")).unwrap();
    fs::create_dir(secrets.join("site")).unwrap();
    fs::write(secrets.join("site/password"), ACCESS_TOKEN).unwrap();
    fs::write(secrets.join("site/expires"), in_a_year()).unwrap();
    change(
        &env,
        &format!(
            "lookup = [\"folder\"]\n[store.folder]\npath = \"{}\"\n[policy]\nrequire_expiry = true\n",
            env.path().join("secrets").display()
        ),
    );
    assert_eq!(env.get(REPOSITORY), reply("x-token-auth", ACCESS_TOKEN));
}

#[test]
fn what_git_gives_is_not_kept_where_that_is_not_allowed() {
    let Some(env) = machine("") else { return };
    let given = |secret: &str| format!("{CLOUD}username=ada\npassword={secret}\n");
    for (policy, secret) in [
        ("stores = [\"vault\"]", API_TOKEN),
        ("stores = [\"exec\"]\nkinds = []", API_TOKEN),
        ("kinds = [\"access-token\"]", API_TOKEN),
        ("kinds = [\"api-token\"]", APP_PASSWORD),
        ("kinds = [\"app-password\"]", "no-prefix-canary"),
        ("require_expiry = true", API_TOKEN),
        ("hosts = [\"git.corp.example\"]", API_TOKEN),
    ] {
        change(&env, &format!("[policy]\n{policy}\n"));
        let outcome = env.program(&["store"], given(secret));
        assert_eq!(
            (outcome.status, outcome.stderr.as_str()),
            (0, ""),
            "{policy}: {outcome:?}"
        );
        assert!(env.accounts().is_empty(), "{policy}");
        assert!(!env.data().join("secrets").exists(), "{policy}");
    }
    // With an end that the server told it is another matter.
    change(&env, "[policy]\nrequire_expiry = true\n");
    env.program(
        &["store"],
        format!("{}password_expiry_utc=9999999999\n", given("no-prefix")),
    );
    assert_eq!(env.accounts().len(), 1);
}

#[test]
fn somebody_at_a_terminal_is_told_that_what_git_gives_is_not_kept() {
    let Some(env) = machine("[policy]\nkinds = [\"access-token\"]\n") else {
        return;
    };
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    env.configure_plain();
    let given = format!("{CLOUD}username=ada\npassword={API_TOKEN}\n");
    write_private(&env.home().join("given"), &given);
    terminal.types("git credential approve <given; echo status $?");
    let screen = terminal.expect("status 0");
    let screen = screen.replace('\n', "");
    assert!(
        screen.contains("warning: what git gave is not kept: the policy of this machine does not allow the kind 'api-token'"),
        "{screen}"
    );
    assert!(env.accounts().is_empty());
}

#[test]
fn what_git_gives_is_kept_although_an_account_that_is_not_allowed_has_it() {
    let Some(env) = machine("") else { return };
    env.login(API_TOKEN, &["work"]);
    change(&env, "[policy]\nstores = [\"exec\"]\n");
    let Some(program) = exec_store(&env) else {
        return;
    };
    write_private(
        &env.data().join("config.toml"),
        &format!("[store.exec]\nprogram = \"{program}\"\n"),
    );
    let given = format!("{CLOUD}username=x-bitbucket-api-token-auth\npassword={API_TOKEN}\n");
    let outcome = env.program(&["store"], given);
    assert_eq!(
        (outcome.status, outcome.stderr.as_str()),
        (0, ""),
        "{outcome:?}"
    );
    assert_eq!(
        env.get_cloud(""),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    let stores: Vec<_> = env
        .accounts()
        .iter()
        .map(|account| account["store"].clone())
        .collect();
    assert_eq!(stores, ["file", "exec"]);
}

/// A program of the docker-credential-helper protocol which keeps its secrets in a folder.
fn exec_store(env: &TestEnv) -> Option<String> {
    let program = env.path().join("docker-credential-kept");
    let folder = env.path().join("kept");
    fs::create_dir_all(&folder).ok()?;
    let text = format!(
        "#!/bin/sh\nread -r line\ncase $1 in\n\
         store) key=$(printf %s \"$line\" | sed 's/.*\"ServerURL\":\"\\([^\"]*\\)\".*/\\1/' | cksum | tr -d ' ')\n\
         printf '%s\\n' \"$line\" >{0}/$key ;;\n\
         get) key=$(printf %s \"$line\" | cksum | tr -d ' '); [ -e {0}/$key ] || {{ echo 'credentials not found in native keychain'; exit 1; }}; cat {0}/$key ;;\n\
         erase) key=$(printf %s \"$line\" | cksum | tr -d ' '); rm -f {0}/$key ;;\nesac\n",
        folder.display()
    );
    fs::write(&program, text).ok()?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).ok()?;
    Some(program.display().to_string())
}

#[test]
fn login_refuses_before_it_reads_a_token_what_it_can_tell_by_then() {
    let Some(env) = machine("") else { return };
    for (policy, arguments, why, act) in [
        (
            "stores = [\"keyring\"]",
            &["--store", "file"][..],
            "the store 'file'",
            "say '--store' with one that it allows: keyring",
        ),
        (
            "stores = [\"vault\"]",
            &[],
            "a secret to be kept",
            "put it where it allows it to be looked up: vault",
        ),
        (
            "kinds = [\"api-token\", \"oauth\"]",
            &["--kind", "app-password", "--username", "ada"],
            "the kind 'app-password'",
            "give a secret of a kind that it allows: api-token, oauth",
        ),
        (
            "kinds = [\"http-access-token\"]",
            &[],
            "a credential whose kind is not known",
            "give a secret of a kind that it allows: http-access-token",
        ),
        (
            "kinds = [\"api-token\"]",
            &["--client-id", "KEY"],
            "the kind 'oauth'",
            "give a secret of a kind that it allows: api-token",
        ),
        (
            "require_expiry = true",
            &[],
            "a secret without a day on which it expires",
            "say the day: '--expires YYYY-MM-DD'",
        ),
        (
            "hosts = [\"git.corp.example\"]",
            &[],
            "the host bitbucket.org",
            "sign in to a host that it allows: git.corp.example",
        ),
    ] {
        change(&env, &format!("[policy]\n{policy}\n"));
        let all = [&["login", "work"][..], arguments].concat();
        // Without a terminal it would say so, if it came as far as to ask.
        let asked = env.program(&all, "");
        let told = env.program(&[&all[..], &["--with-token"]].concat(), API_TOKEN);
        for outcome in [asked, told] {
            assert_refused(
                &outcome,
                &format!("error: the policy of this machine does not allow {why}\n"),
            );
            assert!(
                outcome.stderr.ends_with(&format!("hint: {act}\n")),
                "{outcome:?}"
            );
        }
        assert!(env.accounts().is_empty());
    }
}

#[test]
fn login_shows_nobody_a_secret_of_a_kind_that_is_not_allowed() {
    let Some((env, stand_in)) = machine_with_stand_in("[policy]\nkinds = [\"access-token\"]\n")
    else {
        return;
    };
    stand_in.allow(Credential::api_token(API_TOKEN));
    let arguments = [
        "login",
        "work",
        "--with-token",
        "--store",
        "file",
        "--email",
        "a@b.example",
    ];
    let outcome = env.program(&arguments, API_TOKEN);
    assert_refused(&outcome, "does not allow the kind 'api-token'\n");
    assert_eq!(stand_in.count(|_| true), 0);

    change(&env, "");
    env.login(API_TOKEN, &["work", "--email", "a@b.example"]);
    change(&env, "[policy]\nkinds = [\"access-token\"]\n");
    let outcome = env.program(&["status", "--verify"], "");
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert_eq!(
        stand_in.count(|_| true),
        0,
        "nor when somebody wants to know"
    );
    env.program(&["curl", "https://api.bitbucket.org/2.0/user"], "");
    assert_eq!(stand_in.count(|_| true), 0);
}

#[test]
fn login_picks_a_store_that_is_allowed_and_moves_an_account_out_of_one_that_is_not() {
    let Some(env) = machine("[policy]\nstores = [\"file\"]\n") else {
        return;
    };
    for store in [&[][..], &["--store", "auto"]] {
        let all = [&["login", "work", "--with-token", "--no-verify"][..], store].concat();
        let outcome = env.program(&all, API_TOKEN);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        assert!(
            !outcome.stderr.contains("keyring"),
            "it is not asked: {outcome:?}"
        );
        assert_eq!(env.accounts()[0]["store"], "file");
    }
    // Only a program is left.
    let program = exec_store(&env).unwrap();
    change(
        &env,
        &format!("[store.exec]\nprogram = \"{program}\"\n[policy]\nstores = [\"exec\"]\n"),
    );
    let outcome = env.program(&["login", "work", "--with-token", "--no-verify"], API_TOKEN);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(env.accounts()[0]["store"], "exec");
    assert_eq!(env.accounts().len(), 1);
    let left = fs::read_to_string(env.data().join("secrets")).unwrap();
    assert!(!left.contains("work@"), "the old secret is gone");
    assert_eq!(
        env.get_cloud(""),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    // No keyring here, and nothing else is allowed: no message sends anybody to the file.
    change(&env, "[policy]\nstores = [\"keyring\"]\n");
    let outcome = env.program(
        &["login", "other", "--with-token", "--no-verify"],
        API_TOKEN,
    );
    assert_refused(
        &outcome,
        "error: cannot keep it where the policy of this machine allows it: ",
    );
    assert!(!outcome.stderr.contains("--store file"), "{outcome:?}");
}

#[test]
fn at_a_terminal_the_day_is_asked_for_until_it_is_said() {
    let Some(env) = machine("[policy]\nrequire_expiry = true\nkinds = [\"access-token\"]\n") else {
        return;
    };
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    env.configure_plain();
    terminal.types("git credential-bitbucket login ci --no-verify --store file --for acme/site; echo status $?");
    let screen = terminal.expect("Token for bitbucket.org (it will not show):");
    assert!(
        !screen.contains("id.atlassian.com"),
        "no page for what is not allowed: {screen}"
    );
    terminal.types(ACCESS_TOKEN);
    terminal.expect("Last day on which it is good, YYYY-MM-DD:");
    terminal.types("");
    terminal.expect("The policy of this machine wants it");
    terminal.types(&in_a_year());
    terminal.expect("status 0");
    assert_eq!(env.accounts()[0]["expires"], in_a_year());
}

#[test]
fn first_contact_asks_for_nothing_that_it_could_not_keep() {
    for (policy, what) in [
        ("stores = [\"vault\"]", "a secret to be kept"),
        ("kinds = [\"access-token\"]", "the kind 'api-token'"),
        ("require_expiry = true", "a secret without a day"),
    ] {
        let Some((env, stand_in)) = machine_with_stand_in(&format!("[policy]\n{policy}\n")) else {
            return;
        };
        stand_in.repository("acme/app");
        env.configure_plain();
        let Some(terminal) = Terminal::open(&env) else {
            return;
        };
        terminal.types("git ls-remote https://bitbucket.org/acme/app.git");
        // git's own question.
        let screen = terminal.expect("Username for").replace('\n', "");
        assert!(
            screen.contains("Nobody has signed in to bitbucket.org yet") && screen.contains(what),
            "{screen}"
        );
        assert!(!screen.contains("Token for"), "{screen}");
    }
}

#[test]
fn a_token_of_another_kind_typed_at_first_contact_is_not_handed_to_git() {
    let Some((env, stand_in)) = machine_with_stand_in("[policy]\nkinds = [\"api-token\"]\n") else {
        return;
    };
    stand_in.repository("acme/app");
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    env.configure_plain();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types("git ls-remote https://bitbucket.org/acme/app.git");
    terminal.expect("Token for bitbucket.org (it will not show):");
    terminal.types(ACCESS_TOKEN);
    let screen = terminal.expect("Username for").replace('\n', "");
    assert!(
        screen.contains("does not allow the kind 'access-token'"),
        "{screen}"
    );
    assert_eq!(stand_in.count(|request| request.authorization.is_some()), 0);
}

#[test]
fn scrub_leaves_a_secret_in_its_url_that_it_cannot_keep() {
    let Some(env) = machine("") else { return };
    let repository = env.home().join("site");
    env.git_succeeds(&["init", "-q", repository.to_str().unwrap()]);
    let url = format!("https://ada:{APP_PASSWORD}@bitbucket.org/acme/site.git");
    let git = |arguments: &[&str]| {
        let all = [&["-C", repository.to_str().unwrap()][..], arguments].concat();
        env.git_succeeds(&all).stdout
    };
    git(&["remote", "add", "origin", &url]);
    let path = repository.to_str().unwrap();
    for policy in [
        "stores = [\"vault\"]",
        "kinds = [\"api-token\"]",
        "require_expiry = true",
        "hosts = []",
    ] {
        change(
            &env,
            &format!("[policy]\n{policy}\n[store]\ndefault = \"auto\"\n"),
        );
        for dry in [&["scrub", path, "--dry-run"][..], &["scrub", path]] {
            let outcome = env.program(dry, "");
            assert_eq!(outcome.status, 1, "{policy}: {outcome:?}");
            assert!(
                outcome
                    .stderr
                    .contains("the policy of this machine does not allow "),
                "{outcome:?}"
            );
            assert!(outcome.stdout.contains("still there"), "{outcome:?}");
            assert!(
                !outcome.stdout.contains("canary") && !outcome.stderr.contains("canary"),
                "{outcome:?}"
            );
            assert_eq!(git(&["remote", "get-url", "origin"]).trim(), url);
        }
    }
    assert!(env.accounts().is_empty());
}

#[test]
fn scrub_does_not_take_out_what_only_an_account_has_that_is_not_allowed() {
    let Some(env) = machine("") else { return };
    env.login(API_TOKEN, &["work"]);
    let repository = env.home().join("site");
    let path = repository.to_str().unwrap();
    env.git_succeeds(&["init", "-q", path]);
    let url = format!("https://x-bitbucket-api-token-auth:{API_TOKEN}@bitbucket.org/acme/site.git");
    env.git_succeeds(&["-C", path, "remote", "add", "origin", &url]);
    change(&env, "[policy]\nstores = [\"vault\"]\n");
    let outcome = env.program(&["scrub", path], "");
    assert_eq!(outcome.status, 1, "{outcome:?}");
    // Why is said once: the store has not failed.
    assert!(!outcome.stderr.contains("cannot tell what"), "{outcome:?}");
    let kept = env.git_succeeds(&["-C", path, "remote", "get-url", "origin"]);
    assert_eq!(kept.stdout.trim(), url);
    change(&env, "[policy]\nstores = [\"file\"]\n");
    assert_eq!(env.program(&["scrub", path], "").status, 0);
    let kept = env.git_succeeds(&["-C", path, "remote", "get-url", "origin"]);
    assert!(!kept.stdout.contains("canary"), "{kept:?}");
}

#[test]
fn import_takes_over_and_removes_nothing_that_it_cannot_keep() {
    let Some(env) = machine("[policy]\nkinds = [\"api-token\"]\nstores = [\"file\"]\n") else {
        return;
    };
    let path = env.home().join(".git-credentials");
    let lines = format!(
        "https://ada:{APP_PASSWORD}@bitbucket.org\nhttps://x-bitbucket-api-token-auth:{API_TOKEN}@bitbucket.org\n"
    );
    write_private(&path, &lines);
    let why =
        "cannot store 'ada': the policy of this machine does not allow the kind 'app-password'\n";
    let outcome = env.program(&["import", "--dry-run"], "");
    assert!(
        outcome.status == 1 && outcome.stderr.contains(why),
        "{outcome:?}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), lines);
    let outcome = env.program(&["import", "--remove"], "");
    assert!(
        outcome.status == 1 && outcome.stderr.contains(why),
        "{outcome:?}"
    );
    let left = fs::read_to_string(&path).unwrap();
    assert_eq!(left, format!("https://ada:{APP_PASSWORD}@bitbucket.org\n"));
    assert_eq!(env.accounts().len(), 1);
}

#[test]
fn doctor_shows_the_policy_in_one_line_and_each_account_in_breach_fails() {
    let Some(env) = machine("") else { return };
    let doctor = |arguments: &[&str]| {
        let outcome = env.program(&[&["doctor", "--json"][..], arguments].concat(), "");
        assert!(!outcome.stdout.contains("canary"), "{outcome:?}");
        let json: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        json["checks"].as_array().unwrap().clone()
    };
    let told = |checks: &[serde_json::Value], id: &str| {
        let of = |check: &serde_json::Value| {
            format!(
                "{}: {}; {}",
                check["outcome"], check["message"], check["hint"]
            )
            .replace('"', "")
        };
        let own = checks.iter().filter(|check| check["id"] == id);
        own.map(of).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        told(&doctor(&[]), "policy"),
        "pass: nothing is forbidden on this machine; null"
    );
    env.login(API_TOKEN, &["work", "--for", "acme"]);
    env.login(
        ACCESS_TOKEN,
        &["fine", "--for", "other", "--expires", &in_a_year()],
    );
    change(
        &env,
        "[policy]\nstores = [\"file\", \"vault\"]\nkinds = [\"api-token\", \"access-token\"]\nhosts = [\"Bitbucket.org\"]\n\
         require_expiry = true\n",
    );
    let checks = doctor(&[]);
    assert_eq!(
        told(&checks, "policy"),
        "pass: '/etc/git-credential-bitbucket/config.toml' allows only: stores file, vault; kinds api-token, access-token; \
         hosts bitbucket.org; secrets with a day on which they expire; null"
    );
    assert_eq!(
        told(&checks, "account.work"),
        "fail: 'work' is not used: the policy of this machine does not allow a secret without a day on which it expires; \
         'git credential-bitbucket login work --expires YYYY-MM-DD' replaces it"
    );
    assert!(told(&checks, "account.fine").starts_with("pass: "));
    env.program(&["setup"], "");
    let checks = doctor(&["https://bitbucket.org/acme/site"]);
    assert!(
        told(&checks, "answer").starts_with("fail: 'work' is not used: the policy"),
        "{checks:?}"
    );
    change(&env, "[policy]\nstores = []\nkinds = []\nhosts = []\n");
    let checks = doctor(&[]);
    assert!(
        told(&checks, "policy").ends_with("allows only: no stores; no kinds; no hosts; null"),
        "{checks:?}"
    );
    assert!(told(&checks, "account.fine").starts_with("fail: "));
}

/// What can be wrong with the machine's file.
enum Fault {
    Text(&'static [u8]),
    Mode(u32),
    /// It is none, but a folder.
    Folder,
    OpenFolder,
    LinkToNowhere,
    FolderLinksToNowhere,
}

impl Fault {
    fn make(self, env: &TestEnv) {
        let (file, folder) = (env.system_config(), env.system_folder());
        let _ = fs::remove_dir(&file);
        let _ = fs::remove_file(&file);
        let mode = |path: &Path, mode: u32| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        match self {
            Self::Text(text) => fs::write(file, text).unwrap(),
            Self::Mode(bits) => {
                fs::write(&file, "").unwrap();
                mode(&file, bits);
            }
            Self::Folder => fs::create_dir(file).unwrap(),
            Self::OpenFolder => {
                fs::write(file, "").unwrap();
                mode(&folder, 0o777);
            }
            Self::LinkToNowhere => symlink("/nowhere/config.toml", file).unwrap(),
            Self::FolderLinksToNowhere => {
                fs::remove_dir_all(&folder).unwrap();
                symlink("/nowhere", folder).unwrap();
            }
        }
    }
}

/// Each with a part of the line that says so; the last ones cannot be undone.
const FAULTS: [(&str, Fault); 17] = [
    ("line 1: ", Fault::Text(b"[policy\n")),
    (
        "line 3: the key is not known",
        Fault::Text(b"[policy]\nhosts = []\nstore = [\"keyring\"]\n"),
    ),
    (
        "line 2: the key cannot have this value",
        Fault::Text(b"[policy]\nkinds = [\"quantum-token\"]\n"),
    ),
    (
        "line 2: the key cannot have this value",
        Fault::Text(b"[policy]\nstores = [\"canary\"]\n"),
    ),
    (
        "line 2: the key cannot have this value",
        Fault::Text(b"[policy]\nstores = \"keyring\"\n"),
    ),
    (
        "line 2: the key cannot have this value",
        Fault::Text(b"[policy]\nhosts = [\"https://bitbucket.org\"]\n"),
    ),
    (
        "line 2: the key cannot have this value",
        Fault::Text(b"[policy]\nrequire_expiry = \"yes\"\n"),
    ),
    (
        "line 1: the key cannot have this value",
        Fault::Text(b"policy = \"strict\"\n"),
    ),
    (
        "line 1: the key cannot have this value",
        Fault::Text(b"[[policy]]\nhosts = []\n"),
    ),
    (
        "line 2: ",
        Fault::Text(b"policy = { hosts = [] }\n[policy]\n"),
    ),
    ("it is not UTF-8", Fault::Text(b"[policy]\n# \xff\n")),
    ("can be changed by others (mode 0666)", Fault::Mode(0o666)),
    ("can be changed by others (mode 0664)", Fault::Mode(0o664)),
    ("is not a file", Fault::Folder),
    (
        "the symbolic link '/etc/git-credential-bitbucket/config.toml' leads nowhere",
        Fault::LinkToNowhere,
    ),
    (
        "others can write to the folder '/etc/git-credential-bitbucket' (mode 0777)",
        Fault::OpenFolder,
    ),
    (
        "the symbolic link '/etc/git-credential-bitbucket' leads nowhere",
        Fault::FolderLinksToNowhere,
    ),
];

#[test]
fn without_the_policy_being_known_nothing_is_allowed_and_one_line_says_why() {
    let Some(mut env) = machine("") else { return };
    env.login(API_TOKEN, &["work"]);
    env.set("GIT_TERMINAL_PROMPT", "0");
    let repository = env.home().join("site");
    let path = repository.display().to_string();
    env.git_succeeds(&["init", "-q", &path]);
    let url = format!("https://x-token-auth:{ACCESS_TOKEN}@bitbucket.org/acme/site.git");
    env.git_succeeds(&["-C", &path, "remote", "add", "origin", &url]);
    let plain = format!("https://x-token-auth:{ACCESS_TOKEN}@bitbucket.org\n");
    write_private(&env.home().join(".git-credentials"), &plain);
    let given = format!("{CLOUD}username=ada\npassword=given\n");
    for (why, fault) in FAULTS {
        fault.make(&env);
        for (arguments, input) in [
            (&["get"][..], CLOUD),
            (&["store"], &given),
            (&["token"], ""),
            (&["curl", "https://api.bitbucket.org/2.0/user"], ""),
            (&["login", "new"], ""),
            (
                &["login", "new", "--with-token", "--store", "file"],
                ACCESS_TOKEN,
            ),
            (&["import", "--remove"], ""),
            (&["scrub", &path], ""),
            (&["setup"], ""),
        ] {
            let outcome = env.program(arguments, input);
            assert_refused(&outcome, &format!("error: {NOT_KNOWN}"));
            assert!(outcome.stderr.contains(why), "{why}: {outcome:?}");
        }
        let kept = env.git_succeeds(&["-C", &path, "remote", "get-url", "origin"]);
        assert_eq!(kept.stdout.trim(), url);
        // It can be looked at.
        let status = env.program(&["status"], "");
        assert_eq!(status.status, 1, "{status:?}");
        assert!(status.stderr.contains(why), "{status:?}");
        assert!(status.stdout.contains("work"), "{status:?}");
        let doctor = env.program(&["doctor", "--json"], "");
        let json: serde_json::Value = serde_json::from_str(&doctor.stdout).unwrap();
        let mut checks = json["checks"].as_array().unwrap().iter();
        let check = checks.find(|check| check["id"] == "policy").unwrap();
        assert_eq!(check["outcome"], "fail", "{check}");
        assert!(check["message"].as_str().unwrap().contains(why), "{check}");
        let hint = check["hint"].as_str().unwrap();
        assert!(hint.contains("whoever administers this machine"), "{hint}");
        let outcome = env.program(&["doctor", "https://bitbucket.org/acme/site"], "");
        assert!(
            outcome.status == 1 && !outcome.stdout.contains("answers"),
            "{outcome:?}"
        );
    }
    // Nothing was lost meanwhile.
    fs::remove_file(env.system_folder()).unwrap();
    env.get_cloud("");
}

#[test]
fn without_the_policy_being_known_git_asks_its_next_helper() {
    let Some(env) = machine("[policy]\nstore = []\n") else {
        return;
    };
    change(&env, "");
    env.login(API_TOKEN, &["work"]);
    change(&env, "[policy]\nstore = []\n");
    env.configure_plain();
    let other = "!f() { test \"$1\" = get && printf 'username=next\\npassword=other\\n'; }; f";
    env.git_succeeds(&["config", "--global", "--add", "credential.helper", other]);
    let mut fill = env.command("git");
    fill.args(["credential", "fill"]);
    let outcome = run(fill, CLOUD.as_bytes());
    assert!(
        outcome.stdout.ends_with(&reply("next", "other")),
        "{outcome:?}"
    );
    assert_eq!(outcome.stderr.matches(NOT_KNOWN).count(), 1, "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
}

#[test]
fn a_policy_that_the_user_may_not_read_allows_nothing() {
    let Some(env) = machine("[policy]\nhosts = []\n") else {
        return;
    };
    change(&env, "");
    env.login(API_TOKEN, &["work"]);
    for (path, mode) in [(env.system_config(), 0o000), (env.system_folder(), 0o000)] {
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let mut command = env.command("setpriv");
        // Nobody special any more: modes mean something.
        command.args(["--bounding-set=-all", "--inh-caps=-all", PROGRAM, "get"]);
        let outcome = run(command, CLOUD.as_bytes());
        fs::set_permissions(&path, before).unwrap();
        assert_refused(&outcome, NOT_KNOWN);
        assert!(outcome.stderr.contains("Permission denied"), "{outcome:?}");
    }
}

#[test]
fn a_policy_behind_a_symbolic_link_counts() {
    let Some(env) = machine("") else { return };
    env.login(API_TOKEN, &["work"]);
    let real = env.path().join("managed");
    fs::create_dir(&real).unwrap();
    fs::write(real.join("policy.toml"), "[policy]\nhosts = []\n").unwrap();
    fs::remove_file(env.system_config()).unwrap();
    symlink(real.join("policy.toml"), env.system_config()).unwrap();
    assert_refused(&env.program(&["get"], CLOUD), "the host bitbucket.org");
    // Who can write to where it leads could change it.
    fs::set_permissions(&real, fs::Permissions::from_mode(0o777)).unwrap();
    assert_refused(
        &env.program(&["get"], CLOUD),
        "others can write to the folder",
    );
    fs::set_permissions(&real, fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_dir_all(env.system_folder()).unwrap();
    fs::rename(real.join("policy.toml"), real.join("config.toml")).unwrap();
    symlink(&real, env.system_folder()).unwrap();
    assert_refused(&env.program(&["get"], CLOUD), "the host bitbucket.org");
}

#[test]
fn no_variable_and_no_settings_of_the_user_get_past_it() {
    let Some(env) = machine("") else { return };
    env.login(API_TOKEN, &["work"]);
    change(&env, "[policy]\nhosts = [\"git.corp.example\"]\n");
    let own = "[policy]\nhosts = [\"bitbucket.org\"]\nstores = [\"file\"]\n";
    write_private(&env.data().join("config.toml"), own);
    assert_refused(&env.program(&["get"], CLOUD), "the host bitbucket.org");
    let status = env.program(&["status"], "");
    let line = format!(
        "warning: 'policy' in {}:1 means nothing: only the machine's own settings have one\n",
        env.data().join("config.toml").display()
    );
    assert!(status.stderr.contains(&line), "{status:?}");
    let doctor = env.program(&["doctor", "--json"], "");
    assert!(
        doctor
            .stdout
            .contains("means nothing: only the machine's own settings have one"),
        "{doctor:?}"
    );

    let folder = env.path().join("own");
    let config = folder.join("git-credential-bitbucket");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("config.toml"), "").unwrap();
    for (name, value) in [
        ("HOME", folder.as_path()),
        ("XDG_CONFIG_HOME", &folder),
        ("XDG_DATA_HOME", &folder),
        ("XDG_CONFIG_DIRS", &folder),
        ("XDG_RUNTIME_DIR", &folder),
        ("ProgramData", &folder),
        ("GIT_CREDENTIAL_BITBUCKET_HOME", &env.data()),
        (
            "GIT_CREDENTIAL_BITBUCKET_HOME",
            Path::new("/etc/git-credential-bitbucket"),
        ),
    ] {
        let mut command = env.command(PROGRAM);
        command
            .args(["login", "--with-token", "--no-verify"])
            .env(name, value);
        let outcome = run(command, API_TOKEN.as_bytes());
        assert_refused(&outcome, "the host bitbucket.org");
    }
    // Without a home folder there is still the machine.
    let mut command = env.command(PROGRAM);
    command
        .arg("get")
        .env_remove("HOME")
        .env_remove("GIT_CREDENTIAL_BITBUCKET_HOME")
        .env("BITBUCKET_TOKEN", API_TOKEN);
    let outcome = run(command, CLOUD.as_bytes());
    assert!(
        outcome.stdout.is_empty() && outcome.status == 1,
        "{outcome:?}"
    );
}

#[test]
fn of_the_other_settings_the_user_s_come_before_the_machine_s_key_by_key() {
    let Some(env) = machine("") else { return };
    let (ours, theirs) = (env.path().join("ours"), env.path().join("theirs"));
    for (folder, token) in [(&ours, ACCESS_TOKEN), (&theirs, API_TOKEN)] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("_default"), token).unwrap();
    }
    fs::create_dir_all(env.data()).unwrap();
    fs::set_permissions(env.data(), fs::Permissions::from_mode(0o700)).unwrap();
    let machine = format!(
        "hosts = [\"git.corp.example\"]\nlookup = [\"folder\"]\n[store]\ndefault = \"file\"\n[store.folder]\npath = \"{}\"\n\
         [store.file]\npath = \"{}\"\n",
        theirs.display(),
        env.path().join("data/machine.secrets").display(),
    );
    change(&env, &machine);
    let user = |text: &str| write_private(&env.data().join("config.toml"), text);
    let get = || env.program(&["get"], CLOUD).stdout;
    let doctor = || env.program(&["doctor"], "").stdout;
    // The machine's alone.
    assert!(get().contains(API_TOKEN));
    assert!(doctor().contains("chain.git.corp.example"));
    // One key of a table; the others stay the machine's.
    user(&format!("[store.folder]\npath = \"{}\"\n", ours.display()));
    assert!(get().contains(ACCESS_TOKEN));
    assert!(doctor().contains("chain.git.corp.example"));
    // A list is taken as a whole.
    user("lookup = []\nhosts = [\"git.own.example\"]\n");
    assert_eq!(get(), "");
    let told = doctor();
    assert!(
        told.contains("chain.git.own.example") && !told.contains("chain.git.corp.example"),
        "{told}"
    );
    // Where secrets go.
    let login = |name: &str| {
        env.program(
            &["login", name, "--with-token", "--no-verify"],
            ACCESS_TOKEN,
        )
    };
    user("lookup = []\n");
    assert_eq!(login("one").status, 0);
    assert!(env.data().join("machine.secrets").exists());
    user(&format!(
        "lookup = []\n[store.file]\npath = \"{}\"\n",
        env.data().join("own.secrets").display()
    ));
    assert_eq!(login("two").status, 0);
    assert!(env.data().join("own.secrets").exists());
    user("[store]\ndefault = \"keyring\"\n");
    let outcome = login("three");
    assert!(
        outcome.status == 1 && outcome.stderr.contains("keyring"),
        "{outcome:?}"
    );
    // But never past the policy.
    change(
        &env,
        &format!("{machine}[policy]\nstores = [\"folder\", \"file\"]\n"),
    );
    assert_refused(&login("three"), "does not allow the store 'keyring'");
}

// `setup --system`

/// A copy of the program where everybody can start it.
fn program_for_all(env: &TestEnv) -> PathBuf {
    let folder = env.path().join("usr-bin");
    fs::create_dir(&folder).unwrap();
    for path in [env.path(), folder.as_path()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let program = folder.join("git-credential-bitbucket");
    // Copied by another process: one that was forked while we wrote would keep it from being started.
    let mut copy = env.command("cp");
    copy.arg(PROGRAM).arg(&program);
    assert_eq!(run(copy, b"").status, 0);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

/// A machine whose git has a system-wide file of its own, and the program for all of its users.
fn machine_for_all(text: &str) -> Option<(TestEnv, PathBuf, PathBuf)> {
    let mut env = machine(text)?;
    let gitconfig = env.path().join("gitconfig");
    env.set("GIT_CONFIG_SYSTEM", gitconfig.to_str().unwrap());
    // git looks at it as it does at any.
    env.set("GIT_CONFIG_NOSYSTEM", "0");
    let program = program_for_all(&env);
    Some((env, gitconfig, program))
}

fn start(env: &TestEnv, program: &Path, arguments: &[&str]) -> Outcome {
    let mut command = env.command(program);
    command.args(arguments);
    run(command, b"")
}

#[test]
fn the_whole_machine_is_set_up_for_its_own_hosts_and_another_administrator_can_undo_it() {
    let text = "hosts = [\"git.corp.example:7990\"]\nlookup = [\"folder\"]\n[store.folder]\npath = \"/run/secrets\"\n";
    let Some((env, gitconfig, program)) = machine_for_all(text) else {
        return;
    };
    // What root has set up for itself is not everybody's.
    env.login(
        "BBDC-canary",
        &["--host", "git.root.example", "--username", "root"],
    );
    write_private(
        &env.data().join("config.toml"),
        "hosts = [\"git.other.example\"]\n",
    );
    env.git_succeeds(&[
        "config",
        "--global",
        "credential.https://bitbucket.org.helper",
        "manager",
    ]);
    fs::write(&gitconfig, "[core]\n\tpager = less\n").unwrap();
    let outcome = start(&env, &program, &["setup", "--system"]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let section = |host: &str, path: &str| {
        let program = program.display();
        format!("[credential \"https://{host}\"]\n\thelper =\n\thelper = {program}\n{path}")
    };
    let written = format!(
        "[core]\n\tpager = less\n{}{}{}",
        section("bitbucket.org", "\tuseHttpPath = true\n"),
        section("api.bitbucket.org", "\tuseHttpPath = true\n"),
        section("git.corp.example:7990", "\tuseHttpPath = true\n")
    );
    assert_eq!(fs::read_to_string(&gitconfig).unwrap(), written);
    assert!(
        !outcome.stderr.contains("manager"),
        "root's own helpers are another matter: {outcome:?}"
    );
    let record = env.system_folder().join("setup.toml");
    assert_eq!(
        fs::metadata(&record).unwrap().permissions().mode() & 0o777,
        0o644
    );
    assert!(!env.data().join("setup.toml").exists());

    // Twice changes nothing; another host is added when there is one.
    assert_eq!(start(&env, &program, &["setup", "--system"]).status, 0);
    assert_eq!(fs::read_to_string(&gitconfig).unwrap(), written);
    change(&env, "hosts = [\"git.new.example\"]\n");
    assert_eq!(start(&env, &program, &["setup", "--system"]).status, 0);
    let text = fs::read_to_string(&gitconfig).unwrap();
    assert!(
        text.contains("git.new.example") && !text.contains("git.corp.example"),
        "{text}"
    );
    assert!(
        !text.contains("git.new.example\"]\n\thelper =\n\thelper = /x\n\tuseHttpPath"),
        "{text}"
    );

    // Somebody else, with a home of their own.
    let mut undo = env.command(&program);
    undo.args(["setup", "--system", "--undo"])
        .env("GIT_CREDENTIAL_BITBUCKET_HOME", env.path().join("another"));
    let outcome = run(undo, b"");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(
        fs::read_to_string(&gitconfig).unwrap(),
        "[core]\n\tpager = less\n"
    );
    assert!(!record.exists());
}

#[test]
fn what_setup_makes_below_etc_everybody_can_read_whatever_the_umask() {
    let Some((env, gitconfig, program)) = machine_for_all("") else {
        return;
    };
    fs::remove_dir_all(env.system_folder()).unwrap();
    let mut shell = env.command("sh");
    shell.args(["-c", "umask 077; \"$1\" setup --system && stat -c '%a %n' /etc/git-credential-bitbucket /etc/git-credential-bitbucket/*", "sh"]);
    shell.arg(&program);
    let outcome = run(shell, b"");
    assert_eq!(
        outcome.stdout,
        "755 /etc/git-credential-bitbucket\n644 /etc/git-credential-bitbucket/setup.toml\n",
        "{outcome:?}"
    );
    assert_eq!(
        fs::metadata(gitconfig).unwrap().permissions().mode() & 0o777,
        0o644
    );
}

#[test]
fn only_hosts_that_are_allowed_are_set_up() {
    let text = "hosts = [\"git.corp.example\", \"git.old.example\"]\n[policy]\nhosts = [\"git.corp.example\"]\n";
    let Some((env, gitconfig, program)) = machine_for_all(text) else {
        return;
    };
    let outcome = start(&env, &program, &["setup", "--system"]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let text = fs::read_to_string(&gitconfig).unwrap();
    assert_eq!(text.matches("[credential ").count(), 1, "{text}");
    assert!(text.contains("https://git.corp.example\""), "{text}");
    assert_eq!(
        start(&env, &program, &["setup", "--system", "--undo"]).status,
        0
    );
    assert!(!gitconfig.exists());
    change(&env, "[policy]\nhosts = [\"git.corp.example\"]\n");
    let outcome = start(&env, &program, &["setup", "--system"]);
    assert_refused(
        &outcome,
        "the policy of this machine allows none of the hosts",
    );
}

#[test]
fn a_user_sets_git_up_on_top_of_the_machine_and_doctor_names_a_helper_that_still_sees_the_token() {
    let Some((env, gitconfig, program)) = machine_for_all("") else {
        return;
    };
    assert_eq!(start(&env, &program, &["setup", "--system"]).status, 0);
    let machine = fs::read_to_string(&gitconfig).unwrap();
    let chain = || {
        let outcome = start(&env, &program, &["doctor", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        let mut checks = json["checks"].as_array().unwrap().iter();
        let check = checks
            .find(|check| check["id"] == "chain.bitbucket.org")
            .unwrap();
        format!("{}: {}", check["outcome"], check["message"]).replace('"', "")
    };
    assert_eq!(chain(), "pass: git asks this helper, and no other");
    env.git_succeeds(&["config", "--global", "credential.helper", "store"]);
    let told = chain();
    assert!(
        told.starts_with("warn: git asks this helper, and hands what works to 'store' ('"),
        "{told}"
    );
    assert_eq!(start(&env, &program, &["setup"]).status, 0);
    assert_eq!(chain(), "pass: git asks this helper, and no other");
    assert_eq!(fs::read_to_string(&gitconfig).unwrap(), machine);
    // Each undoes its own.
    assert_eq!(
        start(&env, &program, &["setup", "--system", "--undo"]).status,
        0
    );
    assert_eq!(chain(), "pass: git asks this helper, and no other");
    assert_eq!(start(&env, &program, &["setup", "--undo"]).status, 0);
    assert!(chain().starts_with("fail: git does not ask this helper"));
}

#[test]
fn a_program_that_others_cannot_start_or_could_replace_is_not_set_up_for_all() {
    let Some((env, gitconfig, program)) = machine_for_all("") else {
        return;
    };
    let folder = program.parent().unwrap();
    for (path, mode, why) in [
        (env.path(), 0o700, "keeps them out"),
        (folder, 0o750, "keeps them out"),
        (&program, 0o744, "keeps them out"),
        (&program, 0o777, "somebody else can change"),
        (folder, 0o775, "somebody else can change"),
    ] {
        let before = fs::metadata(path).unwrap().permissions();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let outcome = start(&env, &program, &["setup", "--system"]);
        fs::set_permissions(path, before).unwrap();
        assert_refused(&outcome, "is no program for all users: ");
        assert!(
            outcome.stderr.contains(why) && outcome.stderr.contains("--prefix /usr/local"),
            "{outcome:?}"
        );
        assert!(!gitconfig.exists());
    }
}

#[test]
fn without_permission_setup_for_the_machine_says_who_may() {
    let Some((env, gitconfig, program)) = machine_for_all("") else {
        return;
    };
    fs::write(&gitconfig, "").unwrap();
    let start = |arguments: &[&str]| {
        let mut command = env.command("setpriv");
        command
            .args(["--bounding-set=-all", "--inh-caps=-all"])
            .arg(&program)
            .args(arguments);
        run(command, b"")
    };
    let assert_told = |outcome: &Outcome| {
        assert_refused(
            outcome,
            "error: only an administrator can set up the whole machine: ",
        );
        assert!(
            outcome
                .stderr
                .contains("hint: run it as root, for example with 'sudo'"),
            "{outcome:?}"
        );
    };
    fs::set_permissions(env.system_folder(), fs::Permissions::from_mode(0o555)).unwrap();
    assert_told(&start(&["setup", "--system"]));
    assert_eq!(fs::read_to_string(&gitconfig).unwrap(), "");
    fs::set_permissions(env.system_folder(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(start(&["setup", "--system"]).status, 0);
    fs::set_permissions(env.system_folder(), fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(env.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let outcome = start(&["setup", "--system", "--undo"]);
    for path in [env.path(), &env.system_folder()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    assert_told(&outcome);
}
