//! What git's configuration says of a folder is no way to Bitbucket, and nothing that came another way ends a grant.

use super::{CLIENT_SECRET, WANTED, asked, get, let_it_end, password, signed_in, works, world};
use crate::account::route::HostileFolder;
use crate::support::harness::has;

#[test]
fn a_renewal_takes_no_route_from_a_folder() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    let folder = HostileFolder::new(&env);
    let_it_end(&env);
    for outcome in folder.program(&env, &["get"], WANTED) {
        assert!(password(&outcome.stdout).is_some(), "{outcome:?}");
    }
    assert_eq!(asked(&stand_in), 1);
    let user = "https://api.bitbucket.org/2.0/user";
    let_it_end(&env);
    for outcome in folder.program(&env, &["curl", "-s", user], "") {
        assert!(
            outcome.stdout.contains("\"username\":\"ada\""),
            "{outcome:?}"
        );
    }
    assert_eq!((asked(&stand_in), consumer.punished()), (2, 0));
}

#[test]
fn a_sign_in_takes_no_route_from_a_folder() {
    let (env, stand_in, consumer) = world();
    consumer.private();
    let folder = HostileFolder::new(&env);
    let login = ["login", "bot", "--kind", "oauth", "--client-id", "KEY"];
    let login = [
        &login[..],
        &["--with-token", "--store", "file", "--client-credentials"],
    ]
    .concat();
    for outcome in folder.program(&env, &login, CLIENT_SECRET) {
        assert_eq!(outcome.status, 0, "{outcome:?}");
    }
    assert_eq!(asked(&stand_in), 3);
}

#[test]
fn a_page_in_between_ends_no_grant() {
    if !has(&["curl"]) {
        return;
    }
    let (env, _stand_in, consumer) = signed_in();
    for status in [200, 302, 400, 401, 403, 407, 503] {
        let_it_end(&env);
        consumer.fails(Some(status));
        assert_eq!(get(&env).stdout, "", "{status}");
        let kept = std::fs::read_to_string(env.data().join("accounts.toml")).unwrap();
        assert!(!kept.contains("ended"), "{status}: {kept}");
        consumer.fails(None);
        assert!(works(&env), "{status}");
    }
    assert_eq!(consumer.punished(), 0);
}
