//! Bitbucket's answers told apart: each says what is wrong in its own words, wherever an account is checked.

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, Outcome, TestEnv};
use crate::support::stand_in::{Credential, StandIn};

const SITE: &str = "https://bitbucket.org/acme/site.git";

fn world() -> (TestEnv, StandIn) {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/site");
    env.set_up();
    (env, stand_in)
}

fn login(env: &TestEnv, token: &str, more: &[&str]) -> Outcome {
    let all = ["login", "mine", "--with-token", "--store", "file"];
    env.program(&[&all[..], more].concat(), token)
}

/// What `login`, `status --verify`, `doctor` and `doctor URL` say about a good access token for a repository.
fn everywhere(env: &TestEnv) -> [(&'static str, Outcome); 4] {
    let outcome = login(env, ACCESS_TOKEN, &["--for", "acme/site"]);
    [
        ("login", outcome),
        ("status", env.program(&["status", "--verify"], "")),
        ("doctor", env.program(&["doctor"], "")),
        ("doctor URL", env.program(&["doctor", SITE], "")),
    ]
}

/// `doctor` breaks its lines.
fn unwrapped(outcome: &Outcome) -> String {
    let said = [&*outcome.stdout, &*outcome.stderr].concat();
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn say(outcomes: &[(&str, Outcome)], text: &str) {
    for (command, outcome) in outcomes {
        assert!(
            unwrapped(outcome).contains(text),
            "{command}, {text}: {outcome:?}"
        );
    }
}

#[test]
fn each_403_of_git_s_address_has_its_own_words_and_costs_no_token() {
    let (env, stand_in) = world();
    stand_in.allow(Credential::access_token(ACCESS_TOKEN).sees("acme"));
    for (text, said) in [
        (
            "To access this repository, an admin must whitelist your IP.",
            "the IP list of the workspace 'acme' does not have your address",
        ),
        (
            "To access this repository, enable two-step authentication.",
            "the workspace 'acme' demands two-step verification of the owner",
        ),
        (
            "This workspace has been deactivated.",
            "the workspace 'acme' is deactivated",
        ),
        (
            "The requested repository either does not exist or you do not have access. If you believe this repository \
             exists and you have access, make sure you're authenticated.",
            "the token works, but is not allowed to fetch 'acme/site'",
        ),
        (
            "Your credentials lack one or more required privilege scopes.",
            "the token works, but cannot fetch: it lacks the scope 'repository'",
        ),
        // A proxy's page says nothing of the token.
        ("<html>Access denied</html>", "Bitbucket answered 403"),
    ] {
        stand_in.forbid(text);
        say(&everywhere(&env), said);
        // git erases nothing after a 403.
        assert_ne!(env.git(&["ls-remote", SITE]).status, 0);
        assert!(env.get_cloud("path=acme/site.git\n").contains(ACCESS_TOKEN));
    }
}

#[test]
fn an_access_token_that_lacks_a_scope_is_told_which_one() {
    let (env, stand_in) = world();
    stand_in.allow(Credential::access_token(ACCESS_TOKEN).scopes(["repository"]));
    let [login, status, doctor, _] = everywhere(&env);
    let said = "the token works, but cannot push: it lacks the scope 'repository:write'";
    say(&[login, status, doctor], said);
}

#[test]
fn a_token_without_scopes_is_told_by_bitbucket_s_text() {
    let (env, stand_in) = world();
    stand_in.allow(Credential::unscoped_api_token(API_TOKEN));
    let said = "the API token was made without scopes, and Bitbucket takes no such token";
    for options in [
        &["--email", "ada@example.com"][..],
        &[],
        &["--for", "acme/site"],
    ] {
        let outcome = login(&env, API_TOKEN, options);
        assert_eq!(outcome.status, 1, "{outcome:?}");
        assert!(outcome.stderr.contains(said), "{options:?}: {outcome:?}");
        assert!(
            outcome.stderr.contains("'Create API token with scopes'"),
            "{outcome:?}"
        );
        assert!(env.accounts().is_empty());
    }
    login(
        &env,
        API_TOKEN,
        &["--email", "ada@example.com", "--no-verify"],
    );
    let doctor = env.program(&["doctor"], "");
    let status = env.program(&["status", "--verify"], "");
    say(&[("doctor", doctor), ("status", status)], said);
    assert_eq!(env.accounts()[0]["state"], "rejected");
}

#[test]
fn json_with_403_makes_no_token_good_but_may_say_why() {
    let (env, stand_in) = world();
    let handle = stand_in.allow(Credential::api_token(API_TOKEN).email("ada@example.com"));
    for (text, said) in [
        ("Forbidden", "Bitbucket answered 403"),
        (
            "To access this workspace, an admin must allowlist your IP address.",
            "the IP list of the workspace 'WORKSPACE' does not have your address",
        ),
    ] {
        stand_in.forbid_rest(text);
        let outcome = login(&env, API_TOKEN, &["--email", "ada@example.com"]);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let line = format!("the secret is stored unchecked: {said}");
        assert!(outcome.stderr.contains(&line), "{outcome:?}");
        assert_eq!(env.accounts()[0]["state"], "unchecked");
    }
    // Nor does it bring one back that git has refused.
    env.git_succeeds(&["ls-remote", SITE]);
    handle.revoke();
    assert_ne!(env.git(&["ls-remote", SITE]).status, 0);
    assert_eq!(env.accounts()[0]["state"], "rejected");
    assert!(!env.get_cloud("path=acme/site.git\n").contains(API_TOKEN));
}

#[test]
fn the_token_of_a_service_account_is_known_and_told_what_to_do_instead() {
    let (env, stand_in) = world();
    let token = "ATSTT3xFfGF0canary-service-account-00000000=0A1B2C3D";
    for options in [
        &[][..],
        &["--kind", "api-token"],
        &["--email", "x@serviceaccount.atlassian.com"],
    ] {
        let outcome = login(&env, token, options);
        assert_eq!(outcome.status, 1, "{outcome:?}");
        let (error, hint) = outcome.error_and_hint();
        assert!(error.contains("the token of a service account"), "{error}");
        assert!(hint.contains("make an access token"), "{hint}");
        assert!(
            hint.contains("login --client-id ID --client-credentials"),
            "{hint}"
        );
    }
    assert!(env.accounts().is_empty());
    assert_eq!(stand_in.count(|_| true), 0, "nobody is asked");
}

#[test]
fn the_workspace_of_a_snippet_is_its_second_segment() {
    let (env, stand_in) = world();
    stand_in.repository("snippets/acme/klmnop");
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    env.login(ACCESS_TOKEN, &["mine", "--for", "acme"]);
    env.login(
        "ATCTT3xFfGN0canary-other-00000000=0A1B2C3D",
        &["other", "--for", "snippets"],
    );
    for path in ["snippets/acme/kLMnop/title.git", "snippets/acme/kLMnop.git"] {
        let answer = env.get_cloud(&format!("path={path}\n"));
        assert!(answer.contains(ACCESS_TOKEN), "{path}: {answer}");
    }
    env.git_succeeds(&[
        "ls-remote",
        "https://bitbucket.org/snippets/acme/kLMnop.git",
    ]);
    let rest = env.program(
        &[
            "token",
            "https://bitbucket.org/snippets/acme/kLMnop/title.git",
        ],
        "",
    );
    assert_eq!(rest.stdout.trim(), ACCESS_TOKEN);
}

#[test]
fn a_renamed_workspace_is_named_with_the_edit_that_follows_it() {
    let (env, stand_in) = world();
    stand_in.repository("newco/site");
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    env.login(
        ACCESS_TOKEN,
        &["mine", "--for", "acme", "--for", "beta/app"],
    );
    stand_in.move_workspace("acme", "https://bitbucket.org/newco");
    assert_ne!(
        env.git(&["ls-remote", SITE]).status,
        0,
        "git asks for the new name"
    );
    let outcome = env.program(&["doctor", SITE], "");
    let said = "'acme/site' was renamed to 'newco/site', which git then asks for, and the account is not for it fix: \
                'git credential-bitbucket edit mine --for beta/app --for newco'";
    assert!(unwrapped(&outcome).contains(said), "{outcome:?}");
    env.program(&["edit", "mine", "--for", "beta/app", "--for", "newco"], "");
    env.git_succeeds(&["ls-remote", "https://bitbucket.org/newco/site.git"]);

    env.program(&["edit", "mine", "--everywhere"], "");
    env.git_succeeds(&["ls-remote", SITE]);
    let outcome = env.program(&["doctor", SITE], "");
    assert!(
        unwrapped(&outcome).contains("'mine' can fetch acme/site"),
        "{outcome:?}"
    );
    assert!(
        outcome
            .stdout
            .contains("'acme/site' was renamed to 'newco/site'"),
        "{outcome:?}"
    );
    let login = login(&env, ACCESS_TOKEN, &["--for", "acme/site"]);
    assert!(
        login.stderr.contains("was renamed to 'newco/site'"),
        "{login:?}"
    );
}

#[test]
fn what_bitbucket_announces_of_an_address_s_end_is_traced() {
    let (mut env, stand_in) = world();
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    stand_in.announce_sunset("Sat, 31 Jul 2027 00:00:00 GMT");
    let trace = env.path().join("trace").display().to_string();
    env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", &trace);
    assert_eq!(login(&env, ACCESS_TOKEN, &[]).status, 0);
    let trace = std::fs::read_to_string(trace).unwrap();
    let line = "rest: https://api.bitbucket.org/2.0/user will end: Sat, 31 Jul 2027 00:00:00 GMT";
    assert!(trace.contains(line), "{trace}");
}

#[test]
fn www_is_bitbucket_org_for_every_operation() {
    let (env, stand_in) = world();
    let handle = stand_in.allow(Credential::api_token(API_TOKEN));
    env.login(API_TOKEN, &["mine", "--for", "acme"]);
    let www = "https://www.bitbucket.org/acme/site.git";
    env.git_succeeds(&["ls-remote", www]);
    let outcome = env.program(&["doctor", www], "");
    assert!(
        unwrapped(&outcome).contains("'mine' can fetch acme/site"),
        "{outcome:?}"
    );
    handle.revoke();
    assert_ne!(env.git(&["ls-remote", www]).status, 0);
    assert_eq!(env.accounts()[0]["state"], "rejected");
    env.program(&["logout", "mine"], "");
    let context = "protocol=https\nhost=www.bitbucket.org\npath=acme/site.git\n";
    let given = format!("{context}username=x-token-auth\npassword={ACCESS_TOKEN}\n");
    assert_eq!(env.program(&["store"], given).status, 0);
    assert_eq!(env.accounts()[0]["host"], "bitbucket.org");
    assert!(env.get_cloud("path=acme/site.git\n").contains(ACCESS_TOKEN));
}
