//! A disk that is full, or cannot be written, and a user without a home.

use crate::support::disk::on_a_small_disk;
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, PROGRAM, TestEnv, has, reply, run};
use crate::support::needs::skip;

#[test]
fn on_a_full_disk_everything_fails_aloud_and_nothing_is_lost() {
    let env = TestEnv::new();
    let script = format!(
        r#"
        login '{API_TOKEN}' work; given store gift || exit 98
        # The accounts need two pages, the secrets one: with one left, the first write works and the second does not.
        printf 'padding = "%05000d"\n' 0 | cat - "$D/accounts.toml" >"$D/x"
        cat "$D/x" >"$D/accounts.toml"; rm "$D/x"
        before=$(cat "$D/accounts.toml" "$D/secrets")
        for pages in 0 1; do
            fill $pages
            login '{ACCESS_TOKEN}' new && exit 1
            login '{ACCESS_TOKEN}' work && exit 2
            given store other && exit 3
            get work || exit 4
            get gift || exit 5
            ls "$D"/*.new 2>/dev/null && exit 6
        done
        fill 0
        given erase gift && exit 7
        "$P" logout work && exit 8
        [ "$before" = "$(cat "$D/accounts.toml" "$D/secrets")" ] || exit 9
        rm "$D/fill"
        login '{ACCESS_TOKEN}' new && get new && given erase gift && "$P" logout work || exit 10
        [ "$(entries)" = 1 ] || exit 11
        ls "$D" | sort | tr '\n' ' '
        "#
    );
    let Some(outcome) = on_a_small_disk(&env, &script) else {
        return;
    };
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let both = reply("x-bitbucket-api-token-auth", API_TOKEN) + &reply("ada", "given");
    let files = "accounts.lock accounts.toml secrets secrets.key secrets.lock ";
    assert_eq!(
        outcome.stdout,
        format!("{both}{both}{}{files}", reply("x-token-auth", ACCESS_TOKEN))
    );
    let told = outcome.stderr.matches("No space left on device").count();
    assert_eq!(told, 8, "{}", outcome.stderr);
}

#[test]
fn what_cannot_be_written_is_still_read() {
    let env = TestEnv::new();
    let script = format!(
        r#"
        login '{API_TOKEN}' work; given store gift || exit 98
        mount -o remount,ro "$D" || exit 97
        get work && get gift || exit 1
        login '{ACCESS_TOKEN}' new && exit 2
        given store other && exit 3
        given erase gift && exit 4
        "$P" logout work && exit 5
        # What the environment brings needs no file, and that it was refused is noted where that is possible.
        export BITBUCKET_TOKEN='{ACCESS_TOKEN}'
        get any && given erase any || exit 6
        printf "protocol=https\nhost=bitbucket.org\npassword=$BITBUCKET_TOKEN\n" | "$P" erase || exit 7
        "#
    );
    let Some(outcome) = on_a_small_disk(&env, &script) else {
        return;
    };
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let all = reply("x-bitbucket-api-token-auth", API_TOKEN)
        + &reply("ada", "given")
        + &reply("x-token-auth", ACCESS_TOKEN);
    assert_eq!(outcome.stdout, all);
    let told = outcome.stderr.matches("Read-only file system").count();
    assert_eq!(told, 4, "{}", outcome.stderr);
}

#[test]
fn without_a_home_the_environment_answers_and_the_rest_is_told() {
    if !has(&["unshare"]) {
        return;
    }
    let env = TestEnv::new();
    // A user without a line in /etc/passwd, as containers have them.
    let nobody = |arguments: &[&str], token: &str, input: &str| {
        let mut command = env.command("unshare");
        command
            .args(["-U", "--map-user=54321"])
            .arg(PROGRAM)
            .args(arguments)
            .env_remove("HOME")
            .env_remove("GIT_CREDENTIAL_BITBUCKET_HOME")
            .env("BITBUCKET_TOKEN", token);
        run(command, input.as_bytes())
    };
    let request = "protocol=https\nhost=bitbucket.org\n";
    let answer = nobody(&["get"], ACCESS_TOKEN, request);
    if answer.stderr.contains("unshare") {
        skip(&["user namespaces"]);
        return;
    }
    assert_eq!(
        answer.stdout,
        reply("x-token-auth", ACCESS_TOKEN),
        "{answer:?}"
    );
    let refused = format!("{request}username=x-token-auth\npassword={ACCESS_TOKEN}\n");
    for operation in ["store", "erase"] {
        let outcome = nobody(&[operation], ACCESS_TOKEN, &refused);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    }
    for (arguments, input) in [
        (&["get"][..], request),
        (&["store"], &refused),
        (&["status"], ""),
        (&["login", "--with-token", "--no-verify"], API_TOKEN),
    ] {
        let outcome = nobody(arguments, "", input);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (1, ""));
        assert!(
            outcome
                .stderr
                .contains("there is no home folder to keep accounts in"),
            "{outcome:?}"
        );
    }
}
