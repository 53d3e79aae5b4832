//! What is not allowed does not answer.

use super::{CLOUD, REPOSITORY, assert_refused, change, in_a_year, machine};
use crate::cli::doctor::{doctor, one};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, reply};
use std::fs;

#[test]
fn an_account_that_is_not_allowed_does_not_answer_and_the_line_names_what_is_not() {
    let Some(env) = machine("") else { return };
    env.login(API_TOKEN, &["work"]);
    assert_eq!(
        env.get_cloud(""),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    for (policy, what, fix) in [
        ("stores = [\"keyring\"]", "the store 'file'", "edit"),
        (
            "kinds = [\"access-token\"]",
            "the kind 'api-token'",
            "login",
        ),
        (
            "hosts = [\"git.corp.example\"]",
            "the host bitbucket.org",
            "logout",
        ),
        (
            "require_expiry = true",
            "a secret without an expiry date",
            "edit",
        ),
        ("stores = []", "the store 'file'", "logout"),
        ("kinds = []", "the kind 'api-token'", "logout"),
        ("hosts = []", "the host bitbucket.org", "logout"),
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
        assert!(status.stderr.contains(&format!("warning: 'work' is not used: the policy of this machine does not allow {what}: 'git credential-bitbucket {fix} work")), "{status:?}");
        assert_eq!(
            env.accounts()[0]["state"],
            "unchecked",
            "the states are fixed"
        );
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
fn curl_names_the_policy_that_forbids_the_host_of_an_account() {
    let Some(env) = machine("") else { return };
    env.login(
        "BBDC-canary",
        &["work", "--host", "git.corp.example", "--username", "ada"],
    );
    change(&env, "[policy]\nhosts = [\"bitbucket.org\"]\n");
    let outcome = env.program(&["curl", "https://git.corp.example/rest/api/1.0/x"], "");
    assert_refused(&outcome, "does not allow the host git.corp.example");
    assert!(!outcome.stderr.contains("sign in"), "{outcome:?}");
}

#[test]
fn another_account_that_is_allowed_answers_in_its_place() {
    let Some(env) = machine("") else { return };
    env.login(API_TOKEN, &["old"]);
    env.login(ACCESS_TOKEN, &["new", "--expires", &in_a_year()]);
    // Both fit equally: the first answers.
    assert!(env.get_cloud("").contains(API_TOKEN));
    change(&env, "[policy]\nrequire_expiry = true\n");
    assert_eq!(env.get_cloud(""), reply("x-token-auth", ACCESS_TOKEN));
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
        env.get_cloud("username=x-bitbucket-api-token-auth\n"),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    // And set aside when it is refused.
    env.program(&["erase"], &given);
    assert_eq!(env.accounts()[0]["state"], "rejected");

    for (policy, what) in [
        ("require_expiry = true", "a secret without an expiry date"),
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
    crate::support::harness::write_program(
        &program,
        &format!(
            "#!/bin/sh\ncat >>{}\necho '{{\"Username\":\"x\",\"Secret\":\"{ACCESS_TOKEN}\"}}'\n",
            asked.display()
        ),
    );
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
                "does not allow a secret without an expiry date\n".to_owned(),
            ),
            ("hosts = [\"git.corp.example\"]", String::new()),
        ] {
            change(&env, &machine(policy));
            let outcome = env.program(&["get"], REPOSITORY);
            let error = outcome.stderr.split_inclusive('\n').next();
            assert!(
                outcome.stdout.is_empty() && error.unwrap_or_default().ends_with(&what),
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
fn a_variable_that_is_not_allowed_is_a_warning_where_an_account_answers() {
    let Some(mut env) = machine("[policy]\nkinds = [\"access-token\"]\n") else {
        return;
    };
    env.set_up();
    env.login(ACCESS_TOKEN, &["work"]);
    env.set("BITBUCKET_API_TOKEN", API_TOKEN);
    let warning = "warn: 'BITBUCKET_API_TOKEN' is not used: the policy of this machine does not \
                   allow the kind 'api-token'; fix: unset BITBUCKET_API_TOKEN";
    for url in [None, Some("https://bitbucket.org/acme/app.git")] {
        let (status, checks) = doctor(&env, &Vec::from_iter(url));
        assert_eq!((status, one(&checks, "environment").as_str()), (0, warning));
    }
    // Where nobody answers, to unset it does not help: the account has the fix.
    env.program(&["logout", "work"], "");
    change(&env, "");
    env.login(API_TOKEN, &["mine"]);
    change(&env, "[policy]\nkinds = [\"access-token\"]\n");
    let (status, checks) = doctor(&env, &["https://bitbucket.org/acme/app.git"]);
    assert_eq!((status, one(&checks, "environment").as_str()), (1, warning));
    let answer = one(&checks, "answer");
    assert!(answer.starts_with("fail: 'mine' is not used"), "{answer}");
}
