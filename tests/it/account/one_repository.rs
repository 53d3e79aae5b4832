//! A repository that refuses a token says nothing about the token: Bitbucket is asked whether it knows it, and then what
//! the repository says counts for that repository alone.

use crate::support::harness::{API_TOKEN, STATIC, TestEnv, reply};
use crate::support::stand_in::{Credential, Handle, StandIn};

const EMAIL: &str = "ada@example.com";

fn with_foreign_repositories() -> (TestEnv, StandIn, Handle) {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    let handle = stand_in.allow(Credential::api_token(API_TOKEN).refused_by("evil"));
    (env, stand_in, handle)
}

fn answer() -> String {
    reply(STATIC, API_TOKEN)
}

fn wanted(repository: &str) -> String {
    format!("protocol=https\nhost=bitbucket.org\npath={repository}.git\n")
}

fn get(env: &TestEnv, repository: &str) -> String {
    let outcome = env.program(&["get"], wanted(repository));
    assert_eq!(outcome.status, 0, "{outcome:?}");
    outcome.stdout
}

fn tell(env: &TestEnv, operation: &str, repository: &str) {
    let request = format!("{}{}", wanted(repository), answer());
    let outcome = env.program(&[operation], request);
    assert_eq!(outcome.status, 0, "{outcome:?}");
}

#[test]
fn many_tries_at_foreign_repositories_take_no_token_out_of_service() {
    let (env, _stand_in, _handle) = with_foreign_repositories();
    env.login(API_TOKEN, &["mine", "--email", EMAIL]);
    for number in 0..20 {
        tell(&env, "erase", &format!("evil/app{number}"));
        assert_eq!(get(&env, "acme/app"), answer(), "after {number}");
        assert_eq!(env.accounts()[0]["state"], "ok");
        tell(&env, "store", "acme/app");
    }
}

#[test]
fn a_repository_that_refuses_a_good_token_is_not_shown_it_again() {
    let (env, stand_in, _handle) = with_foreign_repositories();
    env.login(API_TOKEN, &["mine", "--email", EMAIL]);
    tell(&env, "erase", "evil/app");
    for round in 0..3 {
        assert_eq!(get(&env, "evil/app"), "", "{round}");
        assert_eq!(env.accounts()[0]["state"], "ok");
        assert_eq!(get(&env, "acme/app"), answer());
        // What works elsewhere says nothing of this one.
        tell(&env, "store", "acme/app");
    }
    let asked = stand_in.count(|request| request.path.starts_with("/evil/"));
    assert_eq!(asked, 2, "a refusal is asked about twice, and then noted");
    assert_eq!(get(&env, "evil/other"), answer(), "nothing is known of it");
    env.set_up();
    let explained = env.program(&["doctor", "https://bitbucket.org/evil/app.git"], "");
    assert!(
        explained.stdout.contains("'mine' works, but"),
        "{explained:?}"
    );
    // Typed at git's prompt it works after all.
    tell(&env, "store", "evil/app");
    assert_eq!(get(&env, "evil/app"), answer());
    assert_eq!(env.accounts().len(), 1);
}

#[test]
fn a_secret_of_the_environment_is_kept_from_that_repository_alone_too() {
    let (mut env, stand_in, handle) = with_foreign_repositories();
    env.set("BITBUCKET_API_TOKEN", API_TOKEN);
    env.set("BITBUCKET_EMAIL", EMAIL);
    tell(&env, "erase", "evil/app");
    for _ in 0..2 {
        assert_eq!(get(&env, "evil/app"), "");
        assert_eq!(get(&env, "acme/app"), answer());
        tell(&env, "store", "acme/app");
    }
    let asked = stand_in.count(|request| request.path.starts_with("/evil/"));
    assert_eq!(asked, 2);
    handle.revoke();
    tell(&env, "erase", "acme/app");
    assert_eq!(get(&env, "acme/app"), "");
}

#[test]
fn another_account_answers_where_a_repository_refuses_the_first() {
    let (env, stand_in, _handle) = with_foreign_repositories();
    let other = "ATATT3xFfGF0canary-other";
    stand_in.repository("evil/app");
    stand_in.allow(Credential::api_token(other));
    env.login(API_TOKEN, &["mine", "--email", EMAIL, "--for", "evil/app"]);
    env.login(other, &["other", "--for", "evil"]);
    tell(&env, "erase", "evil/app");
    assert_eq!(get(&env, "evil/app"), reply(STATIC, other));
}

#[test]
fn what_only_a_repository_refuses_is_as_if_nobody_could_be_asked() {
    let (env, _stand_in, _handle) = with_foreign_repositories();
    env.login(API_TOKEN, &["mine"]);
    tell(&env, "erase", "evil/app");
    assert_eq!(get(&env, "evil/app"), "");
    assert_eq!(env.accounts()[0]["state"], "rejected");
    let kept = std::fs::read_to_string(env.data().join("accounts.toml")).unwrap();
    assert!(
        kept.contains("times = 1"),
        "it has its one more chance: {kept}"
    );
}

#[test]
fn an_e_mail_that_is_out_of_date_is_as_if_nobody_could_be_asked() {
    let (env, stand_in, _handle) = with_foreign_repositories();
    env.login(API_TOKEN, &["mine", "--email", "old@example.com"]);
    let wanted = "protocol=https\nhost=bitbucket.org\n";
    env.program(&["erase"], format!("{wanted}{}", answer()));
    assert_eq!(env.get(wanted), "");
    let asked = stand_in.count(|request| request.path == "/2.0/user");
    assert_eq!(asked, 2, "a refusal is asked about twice");
    let kept = std::fs::read_to_string(env.data().join("accounts.toml")).unwrap();
    assert!(
        kept.contains("times = 1"),
        "it has its one more chance: {kept}"
    );
}

#[test]
fn without_an_e_mail_the_repository_that_is_wanted_speaks_for_the_token() {
    let (env, _stand_in, _handle) = with_foreign_repositories();
    env.login(API_TOKEN, &["mine"]);
    tell(&env, "erase", "evil/app");
    assert_eq!(get(&env, "acme/app"), answer());
    assert_eq!(get(&env, "evil/app"), "");
}

#[test]
fn a_repository_that_lets_it_in_counts_more_than_a_wrong_e_mail() {
    let (env, _stand_in, _handle) = with_foreign_repositories();
    env.login(API_TOKEN, &["mine", "--email", "eve@example.com"]);
    tell(&env, "erase", "acme/app");
    assert_eq!(get(&env, "acme/app"), answer());
}

#[test]
fn what_bitbucket_itself_refuses_stays_aside() {
    let (env, _stand_in, handle) = with_foreign_repositories();
    env.login(API_TOKEN, &["mine", "--email", EMAIL]);
    handle.revoke();
    tell(&env, "erase", "evil/app");
    for repository in ["evil/app", "acme/app"] {
        assert_eq!(get(&env, repository), "");
    }
    let kept = std::fs::read_to_string(env.data().join("accounts.toml")).unwrap();
    assert!(kept.contains("times = 2"), "no one more chance: {kept}");
}
