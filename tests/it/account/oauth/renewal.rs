//! A token that ends is renewed once, and never lost.

use super::crashes::edit;
use super::{
    WANTED, asked, browser, die_half_way, ended, free_port, get, let_it_end, login, now, password,
    renew_and_die, set_end, signed_in, signed_in_at_data_center, works,
};
use crate::cli::doctor::{doctor, one};
use crate::support::harness::{Outcome, TestEnv, has};
use crate::support::stand_in::{Consumer, Credential, Silence, StandIn};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn a_token_that_ends_is_renewed_once_and_the_next_refresh_token_kept() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    for round in 1..=3 {
        let_it_end(&env);
        assert!(works(&env) && works(&env));
        assert_eq!(asked(&stand_in), round);
    }
    assert_eq!(consumer.punished(), 0);
    // One that is good for less than a minute is renewed too.
    set_end(&env, now() + 50);
    get(&env);
    assert_eq!(asked(&stand_in), 4);
    set_end(&env, now() + 90);
    get(&env);
    assert_eq!(asked(&stand_in), 4);
    // Nothing piles up in the store.
    let size = |env: &TestEnv| fs::metadata(env.data().join("secrets")).unwrap().len();
    let before = size(&env);
    let_it_end(&env);
    get(&env);
    assert!(size(&env) < before + 64, "{before} {}", size(&env));
}

#[test]
fn sixteen_processes_at_the_moment_of_expiry_renew_once() {
    if has(&["curl"]) {
        sixteen_renew_once(signed_in());
        sixteen_renew_once(signed_in_at_data_center());
    }
}

fn sixteen_renew_once((env, stand_in, consumer): (TestEnv, StandIn, Consumer)) {
    let rounds = if std::env::var_os("KILLS").is_some() {
        50
    } else {
        5
    };
    for round in 1..=rounds {
        let_it_end(&env);
        let answers: Vec<Outcome> = thread::scope(|scope| {
            let all: Vec<_> = (0..16).map(|_| scope.spawn(|| get(&env))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(asked(&stand_in), round, "one request in round {round}");
        let first = password(&answers[0].stdout).expect("an answer").to_owned();
        for answer in &answers {
            assert_eq!(password(&answer.stdout), Some(first.as_str()), "{answer:?}");
        }
    }
    assert!(works(&env));
    assert_eq!(consumer.punished(), 0);
}

#[test]
fn killed_between_the_answer_and_its_storing_the_account_still_works() {
    if has(&["curl"]) {
        survives_kills(signed_in());
        survives_kills(signed_in_at_data_center());
    }
}

fn survives_kills((env, stand_in, consumer): (TestEnv, StandIn, Consumer)) {
    let kills: u32 = if std::env::var_os("KILLS").is_some() {
        100
    } else {
        10
    };
    let mut lost = 0;
    for number in 0..kills {
        let_it_end(&env);
        let delay = Duration::from_millis(40);
        // From before the answer arrives until after everything is kept.
        let moment = Duration::from_micros(u64::from(number % 50) * 1500);
        renew_and_die(&env, &stand_in, &consumer, delay, moment);
        lost += usize::from(get(&env).stdout.is_empty());
        assert!(works(&env), "after kill {number}");
    }
    assert_eq!((lost, consumer.punished()), (0, 0));
}

#[test]
fn what_cannot_be_saved_is_told_in_one_line_and_not_tried_again() {
    if !has(&["curl"]) {
        return;
    }
    // The old token works for ten minutes, however often the answer is lost.
    let (env, stand_in, consumer) = signed_in();
    let_it_end(&env);
    die_half_way(&env, &stand_in, &consumer);
    die_half_way(&env, &stand_in, &consumer);
    assert!(works(&env));

    // Then it is not even sent: a renewal has shown that this consumer's tokens rotate.
    let_it_end(&env);
    die_half_way(&env, &stand_in, &consumer);
    edit(&env, OLD);
    let requests = asked(&stand_in);
    ended(&env, "the new refresh token is lost");
    ended(&env, "the new refresh token is lost");
    assert_eq!((asked(&stand_in), consumer.punished()), (requests, 0));
    // Whoever asks for it has it tried all the same, and here the ten minutes are not over.
    let verified = env.program(&["status", "--verify"], "");
    assert_eq!(verified.status, 0, "{verified:?}");
    assert!(works(&env));

    // When the time of grace is over sooner, Bitbucket's refusal is believed the second time.
    consumer.grace(Duration::ZERO);
    let_it_end(&env);
    die_half_way(&env, &stand_in, &consumer);
    waits(&env);
    edit(&env, FIVE_MINUTES_LATER);
    ended(&env, "the new refresh token is lost");
    let requests = asked(&stand_in);
    ended(&env, "the new refresh token is lost");
    assert_eq!((asked(&stand_in), consumer.punished()), (requests, 2));
}

/// Hours have passed since a token was sent whose answer was lost.
const OLD: &str = "s/^sent = .*/sent = \"2020-01-01T00:00:00Z\"/";
/// The five minutes after a refusal that may pass are over.
const FIVE_MINUTES_LATER: &str = "s/^refused = .*/refused = \"2020-01-01T00:00:00Z\"/";

/// `get` has nothing, says in one line that Bitbucket is asked later, and the account is not given up.
fn waits(env: &TestEnv) {
    let outcome = get(env);
    assert_eq!((outcome.status, &*outcome.stdout), (1, ""), "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("(unauthorized_client), next try in 5 min"),
        "{outcome:?}"
    );
    assert_eq!(env.accounts()[0]["state"], "ok");
}

#[test]
fn a_grant_whose_refresh_token_stays_is_renewed_as_often_and_survives_any_crash() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    consumer.keeps_refresh_tokens();
    for round in 1..=3 {
        let_it_end(&env);
        assert!(works(&env));
        assert_eq!(asked(&stand_in), round);
    }
    for _ in 0..2 {
        let_it_end(&env);
        die_half_way(&env, &stand_in, &consumer);
        edit(&env, OLD);
    }
    assert!(works(&env));
    let_it_end(&env);
    let requests = asked(&stand_in);
    let answers: Vec<Outcome> = thread::scope(|scope| {
        let all: Vec<_> = (0..16).map(|_| scope.spawn(|| get(&env))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(
        answers
            .iter()
            .all(|answer| answer.stdout == answers[0].stdout)
    );
    assert_eq!(asked(&stand_in), requests + 1);
    assert!(works(&env));
}

#[test]
fn unauthorized_client_is_asked_about_once_more_after_five_minutes() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    let_it_end(&env);
    consumer.lock_out(1);
    waits(&env);
    // Until then nobody is asked.
    waits(&env);
    assert_eq!(asked(&stand_in), 1);
    edit(&env, FIVE_MINUTES_LATER);
    assert!(works(&env));
    assert_eq!(asked(&stand_in), 2);

    // As the message says, who asks need not wait; and that is not the second refusal.
    let_it_end(&env);
    consumer.lock_out(2);
    waits(&env);
    let refused = env.program(&["status", "--verify", "mine"], "");
    assert!(
        refused.stderr.contains("unauthorized_client"),
        "{refused:?}"
    );
    waits(&env);
    let verified = env.program(&["status", "--verify", "mine"], "");
    assert_eq!(verified.status, 0, "{verified:?}");
    assert!(works(&env));

    // Twice, and it is over.
    let_it_end(&env);
    consumer.lock_out(2);
    waits(&env);
    edit(&env, FIVE_MINUTES_LATER);
    ended(&env, "its client is refused again (unauthorized_client)");
    let requests = asked(&stand_in);
    ended(&env, "unauthorized_client");
    assert_eq!(asked(&stand_in), requests);
}

#[test]
fn each_no_of_the_server_has_its_own_words() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in, consumer) = signed_in();
    consumer.revoke();
    let_it_end(&env);
    ended(&env, "revoked, or not used for three months");
    let requests = asked(&stand_in);
    ended(&env, "invalid_grant");
    assert_eq!(asked(&stand_in), requests, "an end is an end");
    let refused = env.program(&["status", "--verify"], "");
    assert_eq!(
        (refused.status, asked(&stand_in)),
        (1, requests + 1),
        "{refused:?}"
    );
    // As the message says: the ID and the secret are known.
    let port = free_port();
    browser(&mut env, "");
    let again = env.program(&["login", "mine", "--port", &port], "");
    assert_eq!(again.status, 0, "{again:?}");
    assert!(works(&env));

    consumer.change_secret();
    let_it_end(&env);
    waits(&env);
    edit(&env, FIVE_MINUTES_LATER);
    ended(&env, "unauthorized_client");
    let wrong = login(&env, &["--port", &free_port()]);
    assert_eq!(wrong.status, 1, "{wrong:?}");
    assert!(
        wrong
            .stderr
            .contains("check the client's ID (older: key) and secret"),
        "{wrong:?}"
    );
}

#[test]
fn an_outage_costs_nothing() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    let_it_end(&env);
    for status in [500, 503, 429] {
        consumer.fails(Some(status));
        let outcome = get(&env);
        assert_eq!(outcome.status, 1, "{outcome:?}");
        assert!(
            outcome.stderr.contains("cannot renew the access token"),
            "{outcome:?}"
        );
    }
    // While the old one is good it is answered.
    set_end(&env, now() + 40);
    let outcome = get(&env);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(password(&outcome.stdout).is_some());
    consumer.fails(None);
    stand_in.fall_silent(Silence::Connection);
    let start = Instant::now();
    assert!(password(&get(&env).stdout).is_some());
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    let_it_end(&env);
    let start = Instant::now();
    assert_eq!(get(&env).stdout, "");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    stand_in.fall_silent(Silence::Off);
    assert!(works(&env));
    assert_eq!(consumer.punished(), 0);
}

#[test]
fn an_answer_that_takes_its_time_is_waited_for() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in, consumer) = signed_in();
    let_it_end(&env);
    // Longer than an operation and a connection may take.
    env.hurry(4);
    stand_in.delay_answers(Duration::from_secs(2));
    let answers: Vec<Outcome> = thread::scope(|scope| {
        let all: Vec<_> = (0..3).map(|_| scope.spawn(|| get(&env))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    stand_in.delay_answers(Duration::ZERO);
    for answer in answers {
        assert!(password(&answer.stdout).is_some(), "{answer:?}");
    }
    assert_eq!(consumer.issued(), 2);
}

#[test]
fn a_token_that_was_refused_is_followed_by_another() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, _consumer) = signed_in();
    let first = get(&env).stdout;
    env.program(&["erase"], format!("{WANTED}{first}"));
    let second = get(&env).stdout;
    assert!(password(&second).is_some() && second != first);
    assert_eq!(asked(&stand_in), 1);
    // What comes late about the old one changes nothing.
    env.program(&["erase"], format!("{WANTED}{first}"));
    env.program(&["store"], format!("{WANTED}{first}"));
    assert_eq!(get(&env).stdout, second);
    assert_eq!((asked(&stand_in), env.accounts().len()), (1, 1));
    // Whoever goes on refusing them has a reason.
    for _ in 0..10 {
        let answer = get(&env).stdout;
        env.program(&["erase"], format!("{WANTED}{answer}"));
    }
    assert!(asked(&stand_in) <= 6, "{}", asked(&stand_in));
}

#[test]
fn where_no_repository_can_be_asked_a_refused_token_is_renewed_at_once() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, _consumer) = signed_in();
    let bare = "protocol=https\nhost=bitbucket.org\n";
    let first = env.program(&["get"], bare).stdout;
    let before = stand_in.requests().len();
    env.program(&["erase"], format!("{bare}{first}"));
    let second = env.program(&["get"], bare).stdout;
    assert!(password(&second).is_some() && second != first);
    let requests = stand_in.requests().len() - before;
    assert_eq!(requests, 1, "{:?}", stand_in.requests());
}

#[test]
fn a_repository_that_refuses_a_good_token_is_no_reason_for_a_new_one() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    consumer.refused_by("evil");
    let_it_end(&env);
    let answer = get(&env).stdout;
    let foreign = WANTED.replace("acme", "evil");
    for round in 0..8 {
        env.program(&["erase"], format!("{foreign}{answer}"));
        assert_eq!(env.program(&["get"], &foreign).stdout, "", "{round}");
        assert_eq!(get(&env).stdout, answer, "{round}");
    }
    assert_eq!(asked(&stand_in), 1, "none but the first");
    assert_eq!(env.accounts()[0]["state"], "ok");
}

#[test]
fn of_equals_a_grant_that_must_be_renewed_is_asked_last() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, _consumer) = signed_in();
    let reader = "ATATT3xFfGF0canary-reader";
    let writer = "ATATT3xFfGF0canary-writer";
    let all = stand_in.allow(Credential::api_token(writer));
    stand_in.allow(Credential::api_token(reader).scopes(["read:repository:bitbucket"]));
    env.login(reader, &["reader"]);
    env.login(writer, &["writer"]);
    let renewals = || stand_in.count(|it| it.path == "/site/oauth2/access_token");
    let_it_end(&env);
    assert_eq!(password(&get(&env).stdout), Some(writer));
    let (_, checks) = doctor(&env, &["https://bitbucket.org/acme/app.git"]);
    assert!(
        one(&checks, "answer").contains("'writer' answers"),
        "{checks:?}"
    );
    assert_eq!(renewals(), 0);

    // Nobody else can push.
    all.revoke();
    env.program(&["logout", "writer"], "");
    let answer = get(&env).stdout;
    assert!(
        password(&answer).is_some_and(|token| token != reader),
        "{answer}"
    );
    assert_eq!(renewals(), 1);
    stand_in.forget_requests();
    let_it_end(&env);
    let answer = get(&env).stdout;
    assert!(
        password(&answer).is_some_and(|token| token != reader),
        "{answer}"
    );
    let refs = stand_in.count(|it| it.path.ends_with("/info/refs"));
    assert_eq!((renewals(), refs), (1, 0), "its answers outlive its token");
}
