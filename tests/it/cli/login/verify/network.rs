//! How Bitbucket is reached, and what if it is not.

use super::{login, refused, start, stored};
use crate::support::harness::{ACCESS_TOKEN, another};
use crate::support::stand_in::{Credential, Silence};

#[test]
fn a_rate_limit_and_an_unreachable_bitbucket_leave_the_token_unchecked() {
    let (env, stand_in) = start();
    let handle = stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    handle.limit_rate();
    stored(
        &login(&env, ACCESS_TOKEN, &["one"]),
        "stored unchecked: Bitbucket limits our requests (429)",
    );
    drop(stand_in);
    stored(
        &login(&env, &another(ACCESS_TOKEN, 2), &["two"]),
        "stored unchecked: cannot ask Bitbucket: cannot get through the proxy: ",
    );

    let (mut env, _stand_in) = start();
    env.set("NO_PROXY", "bitbucket.org");
    stored(
        &login(&env, ACCESS_TOKEN, &["three"]),
        "stored unchecked: cannot ask Bitbucket: cannot connect: ",
    );
}

#[test]
fn a_bitbucket_that_never_answers_is_not_waited_for_for_ever() {
    let (env, stand_in) = start();
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    stand_in.fall_silent(Silence::Request);
    stored(
        &login(&env, ACCESS_TOKEN, &[]),
        "stored unchecked: cannot ask Bitbucket: no answer within 10 seconds",
    );
}

#[test]
fn certificates_come_from_where_git_has_them() {
    let (mut env, stand_in) = start();
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    let ca = stand_in.ca_file().display().to_string();
    env.set("GIT_SSL_CAINFO", "");
    env.set("SSL_CERT_FILE", "");
    let outcome = login(&env, ACCESS_TOKEN, &["one"]);
    stored(
        &outcome,
        "stored unchecked: cannot ask Bitbucket: the server's certificate is not trusted",
    );
    assert!(outcome.stderr.contains("http.sslCAInfo"), "{outcome:?}");
    env.git_succeeds(&[
        "config",
        "--global",
        "http.https://api.bitbucket.org.sslCAInfo",
        &ca,
    ]);
    let other = another(ACCESS_TOKEN, 2);
    stand_in.allow(Credential::access_token(&other));
    stored(&login(&env, &other, &["two"]), "bitbucket.org knows it");
    env.set("GIT_SSL_CAINFO", "/nowhere.pem");
    stored(
        &login(&env, &another(ACCESS_TOKEN, 3), &["three"]),
        "cannot read the certificates in '/nowhere.pem'",
    );
}

#[test]
fn the_proxy_of_git_s_configuration_is_used() {
    let (mut env, stand_in) = start();
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    env.set("HTTPS_PROXY", "http://127.0.0.1:9");
    env.set("https_proxy", "http://127.0.0.1:9");
    stored(&login(&env, ACCESS_TOKEN, &["one"]), "stored unchecked: ");
    env.git_succeeds(&["config", "--global", "http.proxy", &stand_in.proxy()]);
    let other = another(ACCESS_TOKEN, 2);
    stand_in.allow(Credential::access_token(&other));
    stored(&login(&env, &other, &["two"]), "bitbucket.org knows it");
}

#[test]
fn what_a_server_sends_is_not_printed() {
    let (env, stand_in) = start();
    // A Data Center without a context path: a page of HTML, not JSON.
    stand_in.data_center("git.corp.example", "/elsewhere");
    let outcome = login(
        &env,
        "BBDC-canary",
        &["--host", "git.corp.example", "--username", "bob"],
    );
    refused(&env, &outcome, "there is no Bitbucket at git.corp.example");
    assert!(!outcome.stderr.contains("Not found"), "{outcome:?}");
}

#[test]
fn a_proxy_that_cannot_be_asked_through_is_named() {
    let (mut env, _stand_in) = start();
    env.set("HTTPS_PROXY", "socks5h://127.0.0.1:9");
    env.set("https_proxy", "socks5h://127.0.0.1:9");
    let outcome = login(&env, ACCESS_TOKEN, &[]);
    stored(
        &outcome,
        "only an http proxy can be asked through, not SOCKS",
    );
}
