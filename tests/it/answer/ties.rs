//! Two accounts that fit equally: the first in accounts.toml answers.

use crate::cli::doctor::{doctor, one};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, TestEnv, another, reply};

const WANTED: &str = "protocol=https\nhost=bitbucket.org\npath=acme/site.git\n";

#[test]
fn of_two_accounts_that_fit_equally_the_first_answers_and_keeps_its_place() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["me"]);
    env.login(ACCESS_TOKEN, &["you"]);
    let get = || env.program(&["get"], WANTED).stdout;
    let mine = reply("x-bitbucket-api-token-auth", API_TOKEN);
    assert_eq!(get(), mine);
    let url = "https://bitbucket.org/acme/site.git";
    let outcome = env.program(&["token", url], "");
    assert_eq!(outcome.stdout, format!("{API_TOKEN}\n"));
    let (_, checks) = doctor(&env, &[url]);
    assert!(
        one(&checks, "answer").contains("'me' answers"),
        "{checks:?}"
    );
    assert_eq!(
        one(&checks, "account.you"),
        "skip: 'you' fits, but another one comes first in accounts.toml"
    );

    // A replaced account keeps its place, a new one goes last.
    let (theirs, ours) = (another(ACCESS_TOKEN, 1), another(API_TOKEN, 2));
    env.login(&theirs, &["me"]);
    env.login(&ours, &["you"]);
    assert_eq!(get(), reply("x-token-auth", &theirs));
    env.program(&["logout", "me"], "");
    env.login(&theirs, &["me"]);
    assert_eq!(get(), reply("x-bitbucket-api-token-auth", &ours));
}

#[test]
fn of_three_that_fit_the_one_between_two_that_were_refused_answers() {
    let env = TestEnv::new();
    let tokens = [1, 2, 3].map(|number| another(API_TOKEN, number));
    for (name, token) in ["first", "second", "third"].iter().zip(&tokens) {
        env.login(token, &[name]);
    }
    let answer = |token: &str| reply("x-bitbucket-api-token-auth", token);
    for refused in [&tokens[0], &tokens[2]] {
        env.program(&["erase"], format!("{WANTED}{}", answer(refused)));
    }
    assert_eq!(env.get(WANTED), answer(&tokens[1]));
}

#[test]
fn an_account_s_name_selects_it_as_its_user_name_does() {
    let env = TestEnv::new();
    env.configure_plain();
    env.login(API_TOKEN, &["me"]);
    env.login(ACCESS_TOKEN, &["my work"]);
    let get = |username: &str| env.program(&["get"], format!("{WANTED}{username}")).stdout;
    assert_eq!(
        get("username=me\n"),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    assert_eq!(
        get("username=my work\n"),
        reply("x-token-auth", ACCESS_TOKEN)
    );
    assert_eq!(
        get("username=work\n"),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    let url = "https://my%20work@bitbucket.org/acme/site.git";
    let (_, checks) = doctor(&env, &[url]);
    let answer = one(&checks, "answer");
    assert!(answer.contains("'my work' answers"), "{answer}");
}

#[test]
fn a_reach_or_a_user_name_comes_before_the_place_in_the_file() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["me", "--username", "ada"]);
    env.login(ACCESS_TOKEN, &["you", "--username", "bob"]);
    let get = |username: &str| env.program(&["get"], format!("{WANTED}{username}")).stdout;
    assert_eq!(get(""), reply("x-bitbucket-api-token-auth", API_TOKEN));
    assert_eq!(get("username=bob\n"), reply("x-token-auth", ACCESS_TOKEN));
    env.login(ACCESS_TOKEN, &["you", "--for", "acme"]);
    assert_eq!(get("username=ada\n"), reply("x-token-auth", ACCESS_TOKEN));
}
