//! What a crash, a disk that is full or somebody else's act in the middle of a renewal leaves behind.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use super::world;
use super::{
    CLIENT_SECRET, WANTED, asked, browser, die_half_way, ended, free_port, get, let_it_end, login,
    password, renew_and_die, signed_in, start_get, works,
};
#[cfg(target_os = "linux")]
use crate::support::disk::on_a_small_disk;
use crate::support::harness::{TestEnv, has, rounds, run, write_private};
use crate::support::stand_in::{Consumer, StandIn};

/// How many entries lie in the file store.
fn entries(env: &TestEnv) -> usize {
    let text = fs::read_to_string(env.data().join("secrets")).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).count()
}

/// Changes the accounts by hand.
pub(super) fn edit(env: &TestEnv, script: &str) {
    let path = env.data().join("accounts.toml");
    let mut sed = env.command("sed");
    sed.arg(script).arg(&path);
    let outcome = run(sed, b"");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    write_private(&path, &outcome.stdout);
}

#[test]
fn whatever_a_crash_leaves_behind_goes_with_the_next_renewal_or_logout() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    let renew_and_kill = |number: u64| {
        let_it_end(&env);
        let delay = Duration::from_millis(40);
        // From when the answer arrives until after everything is kept.
        let moment = delay + Duration::from_micros(number * 1500);
        renew_and_die(&env, &stand_in, &consumer, delay, moment);
    };
    for number in (0..40).step_by(40 / rounds(40)) {
        renew_and_kill(number);
        let_it_end(&env);
        let outcome = get(&env);
        assert!(password(&outcome.stdout).is_some(), "{number}: {outcome:?}");
        assert_eq!(entries(&env), 1, "after kill {number}");
    }
    for number in [5, 10, 15] {
        renew_and_kill(number);
        assert_eq!(env.program(&["logout"], "").status, 0);
        assert_eq!(entries(&env), 0);
        assert_eq!(login(&env, &["--port", &free_port()]).status, 0);
    }
}

#[test]
fn logout_during_a_renewal_is_a_logout() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    let_it_end(&env);
    stand_in.delay_answers(Duration::from_secs(2));
    let before = consumer.issued();
    let process = start_get(&env);
    while consumer.issued() == before {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(env.program(&["logout", "mine"], "").status, 0);
    let output = process.wait_with_output().unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(env.accounts().is_empty());
    assert_eq!(entries(&env), 0);
}

#[test]
fn who_signs_in_during_a_renewal_is_signed_in_and_the_waiting_git_is_served() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in, consumer) = signed_in();
    let_it_end(&env);
    stand_in.delay_answers(Duration::from_secs(4));
    let before = consumer.issued();
    let process = start_get(&env);
    while consumer.issued() == before {
        thread::sleep(Duration::from_millis(1));
    }
    stand_in.delay_answers(Duration::ZERO);
    browser(&mut env, "");
    let again = login(&env, &["--port", &free_port()]);
    assert_eq!(again.status, 0, "{again:?}");
    let output = process.wait_with_output().unwrap();
    assert!(
        password(&String::from_utf8_lossy(&output.stdout)).is_some(),
        "{output:?}"
    );
    assert!(works(&env));
    assert_eq!((entries(&env), env.accounts().len()), (1, 1));
}

#[test]
fn a_clock_that_was_set_back_does_not_make_an_old_refresh_token_young() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    let_it_end(&env);
    die_half_way(&env, &stand_in, &consumer);
    edit(&env, "s/^sent = .*/sent = \"2090-01-01T00:00:00Z\"/");
    let requests = asked(&stand_in);
    // Nothing says yet that this consumer's tokens rotate.
    assert!(works(&env));
    assert_eq!(asked(&stand_in), requests + 1);
    let_it_end(&env);
    die_half_way(&env, &stand_in, &consumer);
    edit(&env, "s/^sent = .*/sent = \"2090-01-01T00:00:00Z\"/");
    let requests = asked(&stand_in);
    ended(&env, "the new refresh token is lost");
    assert_eq!(asked(&stand_in), requests);
}

#[test]
fn an_account_edited_by_hand_never_shows_what_is_behind_it() {
    if !has(&["curl"]) {
        return;
    }
    for script in [
        "s/^kind = .*/kind = \"api-token\"/",
        "/^kind = /d",
        "s/^flow = .*/flow = \"client-credentials\"/",
        "s/^flow = .*/flow = \"x\"/",
        "/^client_id = /d",
        "s/^client_id = .*/client_id = \"a:b\"/",
        "s/^client_id = .*/client_id = \"a\\nb\"/",
        "/^.*oauth\\]$/d",
        "s/^entry = .*/entry = \"\"/",
    ] {
        let (env, _stand_in, _consumer) = signed_in();
        for ended in [false, true] {
            if ended {
                let_it_end(&env);
            }
            edit(&env, script);
            for arguments in [
                &["get"][..],
                &["token"],
                &["status", "--verify"],
                &["doctor"],
                &["curl", "-s", "https://api.bitbucket.org/2.0/user"],
            ] {
                let outcome = env.program(arguments, WANTED);
                let said = outcome.stdout + &outcome.stderr;
                assert!(
                    !said.contains(CLIENT_SECRET) && !said.contains("refresh/KEY"),
                    "{script} {arguments:?}: {said}"
                );
            }
        }
    }
}

#[test]
fn a_new_refresh_token_that_reached_the_store_is_not_lost() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    store_and_die(&env, &stand_in, &consumer);
    // Days later as well.
    edit(&env, "s/^sent = .*/sent = \"2020-01-01T00:00:00Z\"/");
    assert!(works(&env));
    assert_eq!((consumer.punished(), entries(&env)), (0, 1));
}

#[test]
fn a_store_that_fails_for_a_moment_costs_no_refresh_token() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    store_and_die(&env, &stand_in, &consumer);
    let secrets = env.data().join("secrets");
    let whole = fs::read_to_string(&secrets).unwrap();
    // What the renewal had stored cannot be read.
    let (text, last) = whole.trim_end().rsplit_once('\n').unwrap();
    let end = last.len() - 1;
    let other = if last.ends_with('A') { 'B' } else { 'A' };
    write_private(&secrets, &format!("{text}\n{}{other}\n", &last[..end]));
    let requests = asked(&stand_in);
    let outcome = get(&env);
    assert_eq!(password(&outcome.stdout), None, "{outcome:?}");
    assert_eq!(asked(&stand_in), requests);
    write_private(&secrets, &whole);
    assert!(works(&env));
    assert_eq!((consumer.punished(), entries(&env)), (0, 1));
}

#[test]
fn a_grant_that_is_moved_takes_along_what_a_crash_has_left() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    store_and_die(&env, &stand_in, &consumer);
    let outcome = env.program(&["edit", "mine", "--store", "file"], "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let_it_end(&env);
    assert!(works(&env));
    assert_eq!((consumer.punished(), entries(&env)), (0, 1));
}

#[test]
fn whoever_edits_a_grant_waits_for_its_renewal() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    let_it_end(&env);
    stand_in.delay_answers(Duration::from_secs(2));
    let before = consumer.issued();
    let process = start_get(&env);
    while consumer.issued() == before {
        thread::sleep(Duration::from_millis(1));
    }
    stand_in.delay_answers(Duration::ZERO);
    let words = ["edit", "mine", "--rename", "its", "--for", "acme"];
    let outcome = env.program(&[&words[..], &["--store", "file"]].concat(), "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let output = process.wait_with_output().unwrap();
    assert!(
        password(&String::from_utf8_lossy(&output.stdout)).is_some(),
        "{output:?}"
    );
    let_it_end(&env);
    assert!(works(&env));
    assert_eq!((consumer.punished(), entries(&env)), (0, 1));
}

/// A renewal that dies when its tokens are in the store, but `accounts.toml` does not say so yet.
fn store_and_die(env: &TestEnv, stand_in: &StandIn, consumer: &Consumer) {
    // Whoever sends the old refresh token again is punished at once.
    consumer.grace(Duration::ZERO);
    let_it_end(env);
    stand_in.delay_answers(Duration::from_millis(500));
    let before = consumer.issued();
    let mut process = start_get(env);
    while consumer.issued() == before {
        thread::sleep(Duration::from_millis(1));
    }
    // It can write down the tokens, but not that it has.
    let accounts = fs::File::options()
        .write(true)
        .open(env.data().join("accounts.lock"))
        .unwrap();
    accounts.lock().unwrap();
    let end = Instant::now() + Duration::from_secs(4);
    while entries(env) < 2 && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    drop(accounts);
    stand_in.delay_answers(Duration::ZERO);
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_full_or_read_only_disk_nothing_is_sent_or_lost() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in, consumer) = world();
    consumer.token_length(5000);
    browser(&mut env, "");
    let script = format!(
        r#"
        get() {{ printf 'protocol=https\nhost=bitbucket.org\npath=acme/app.git\n' | "$P" get >"$HOME/answer"; }}
        end() {{ sed 's/^password_expiry_utc = .*/password_expiry_utc = 1000000000/' "$D/accounts.toml" >"$HOME/x"; cat "$HOME/x" >"$D/accounts.toml"; }}
        echo '{CLIENT_SECRET}' | "$P" login mine --client-id KEY --with-token --store file --port {} || exit 98
        get || exit 1
        end
        fill 0
        get && exit 2
        # The note finds room, and the tokens do not.
        fill 1
        get && exit 3
        rm "$D/fill"
        get || exit 4
        end
        mount -o remount,ro "$D" || exit 97
        get && exit 5
        mount -o remount,rw "$D"
        get || exit 6
        [ "$(entries)" = 1 ] || exit 7
        ls "$D"/*.new 2>/dev/null && exit 8
        exit 0
        "#,
        free_port()
    );
    let Some(outcome) = on_a_small_disk(&env, &script) else {
        return;
    };
    assert_eq!(outcome.status, 0, "{outcome:?}");
    // The sign-in, the tokens that found no room, and the two renewals.
    assert_eq!((asked(&stand_in), consumer.punished()), (4, 0));
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_of_a_grant_lies_about_while_it_is_signed_in_or_renewed() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in, _consumer) = world();
    env.set("BITBUCKET_APP_PASSWORD", "canary-of-the-environment");
    env.set(
        "GIT_CREDENTIAL_BITBUCKET_TRACE",
        &env.path().join("trace").display().to_string(),
    );
    env.set("TMPDIR", &env.path().join("tmp").display().to_string());
    fs::create_dir(env.path().join("tmp")).unwrap();
    browser(
        &mut env,
        "{ env; tr '\\0' ' ' <\"/proc/$PPID/cmdline\"; echo \"$@\"; } >\"$HOME/seen\"",
    );
    let outcome = login(&env, &["--port", &free_port()]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    env.set("BITBUCKET_APP_PASSWORD", "");
    let seen = fs::read_to_string(env.home().join("seen")).unwrap();
    assert!(
        seen.contains("--client-id KEY") && !seen.contains("canary"),
        "{seen}"
    );

    let_it_end(&env);
    stand_in.delay_answers(Duration::from_millis(300));
    let process = start_get(&env);
    let mut found = String::new();
    let end = Instant::now() + Duration::from_millis(700);
    while Instant::now() < end {
        let mut grep = env.command("grep");
        grep.args(["-rlaE", "canary-client|canary-of|refresh/KEY|code-0|eyJKEY"]);
        for place in ["data", "tmp", "trace", "home"] {
            grep.arg(env.path().join(place));
        }
        grep.arg(format!("/proc/{}/cmdline", process.id()));
        found += &run(grep, b"").stdout;
    }
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(found, "");
}
