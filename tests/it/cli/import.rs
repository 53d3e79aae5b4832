//! `import`: from plain files and other helpers into the store.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, Outcome, TestEnv, reply, write_private};

fn environment() -> TestEnv {
    let env = TestEnv::new();
    fs::create_dir_all(env.data()).unwrap();
    fs::write(
        env.data().join("config.toml"),
        "[store]\ndefault = 'file'\n",
    )
    .unwrap();
    env
}

fn import(env: &TestEnv, arguments: &[&str]) -> Outcome {
    let outcome = env.program(&[&["import"], arguments].concat(), "");
    let text = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!text.contains("canary"), "{text}");
    outcome
}

fn git_credentials() -> String {
    format!(
        "https://ada%40example.com:{}@bitbucket.org\nhttps://u:other-canary@github.com\nhttps://x-token-auth:{ACCESS_TOKEN}@bitbucket.org/acme/app.git\n",
        API_TOKEN.replace('=', "%3D")
    )
}

#[test]
fn the_file_of_git_credential_store_is_taken_over() {
    let env = environment();
    let path = env.home().join(".git-credentials");
    write_private(&path, &git_credentials());
    let outcome = import(&env, &["git-credentials"]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let file = path.display();
    for line in [
        format!("Imported 'ada@example.com', 'acme-app' from '{file}'\n"),
        "1 entry for other hosts, left alone\n".to_owned(),
        format!("It is still in '{file}'; '--remove' removes it there\n"),
    ] {
        assert!(outcome.stderr.contains(&line), "{line}: {outcome:?}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), git_credentials());
    assert_eq!(
        env.get_cloud("path=beta/x.git\n"),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    assert_eq!(
        env.get_cloud("path=acme/app.git\n"),
        reply("x-token-auth", ACCESS_TOKEN)
    );
    assert_eq!(env.accounts().len(), 2);
    assert_eq!(import(&env, &["git-credentials"]).status, 0);
    assert_eq!(env.accounts().len(), 2, "a second time changes nothing");
}

#[test]
fn remove_deletes_just_what_was_taken_over() {
    let env = environment();
    let path = env.home().join(".git-credentials");
    fs::write(&path, format!("# mine\n{}rubbish\n", git_credentials())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let outcome = import(&env, &["git-credentials", "--remove"]);
    assert_eq!(outcome.status, 1, "one line is bad");
    assert!(
        outcome
            .stderr
            .contains(&format!("{}:5: it is not a URL\n", path.display())),
        "{outcome:?}"
    );
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "# mine\nhttps://u:other-canary@github.com\nrubbish\n"
    );
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(env.accounts().len(), 2);
}

#[test]
fn a_netrc_file_is_taken_over_and_left_with_its_other_entries() {
    let env = environment();
    env.login(
        "BBDC-canary-0000000000000000000000",
        &["--host", "git.corp.example:7990", "--username", "x", "dc"],
    );
    let path = env.home().join(".netrc");
    let before = format!(
        "# head\nmachine github.com login u password other-canary\nmachine bitbucket.org\n  login \"ada\"\n  \
         password \"{ACCESS_TOKEN}\"\nmachine git.corp.example login bob password can\\ary-canary\n\
         macdef init\ncd /machine bitbucket.org\n\nmachine api.bitbucket.org login ada@example.com\n\
         machine bitbucket.org login eve password {API_TOKEN} machine x.example login y password z-canary\n\
         default login anonymous password me-canary\nwhat\n"
    );
    write_private(&path, &before);
    let outcome = import(&env, &["netrc", "--remove"]);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    for line in [
        ":10: the machine has no password\n",
        ":13: it is not a netrc word, or a quote is not closed\n",
        "3 entries for other hosts, left alone\n",
    ] {
        assert!(outcome.stderr.contains(line), "{line}: {outcome:?}");
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "# head\nmachine github.com login u password other-canary\n\
         macdef init\ncd /machine bitbucket.org\n\nmachine api.bitbucket.org login ada@example.com\n\
         machine x.example login y password z-canary\n\
         default login anonymous password me-canary\nwhat\n"
    );
    // As with curl, the first entry for a host is the one that counts.
    assert_eq!(env.get_cloud(""), reply("x-token-auth", ACCESS_TOKEN));
    // One from `login` would come before it.
    assert_eq!(env.program(&["logout", "dc"], "").status, 0);
    let answer = env.get("protocol=https\nhost=git.corp.example:7990\nusername=bob\n");
    assert_eq!(answer, reply("bob", "can\\ary-canary"));
}

#[test]
fn two_machines_in_one_line_both_go() {
    let env = environment();
    let path = env.home().join(".netrc");
    write_private(
        &path,
        &format!(
            "machine bitbucket.org login a password {ACCESS_TOKEN} machine api.bitbucket.org login b@example.com password {API_TOKEN}\n"
        ),
    );
    let outcome = import(&env, &["netrc", "--remove"]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "\n");
    assert_eq!(env.accounts().len(), 2);
}

#[test]
fn without_a_source_the_plain_files_are_taken_over_and_a_dry_run_changes_nothing() {
    let env = environment();
    let outcome = import(&env, &[]);
    assert_eq!(outcome.status, 0);
    assert!(outcome.stderr.contains("There is neither"), "{outcome:?}");
    let xdg = env.home().join(".config/git/credentials");
    fs::create_dir_all(xdg.parent().unwrap()).unwrap();
    write_private(&xdg, &git_credentials());
    write_private(
        &env.home().join(".netrc"),
        "machine bitbucket.org login ada password old-canary\n",
    );
    let outcome = import(&env, &["--dry-run"]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(
        outcome.stderr.contains("Would import 'ada@example.com'"),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("Would import 'ada' from"));
    assert!(env.accounts().is_empty() && !env.data().join("secrets").exists());
    assert_eq!(import(&env, &[]).status, 0);
    assert_eq!(env.accounts().len(), 3);
    assert!(xdg.exists());
}

#[test]
fn what_another_helper_has_is_asked_through_git_and_can_be_taken_out_there() {
    let env = environment();
    write_private(&env.home().join("mine"), &git_credentials());
    env.configure_plain();
    let source = "helper:store --file=mine";
    let outcome = import(&env, &[source]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(
        outcome.stderr.contains("from the helper 'store'\n"),
        "{outcome:?}"
    );
    let mut kinds: Vec<String> = env
        .accounts()
        .iter()
        .map(|account| account["kind"].to_string())
        .collect();
    kinds.sort();
    assert_eq!(kinds, ["\"access-token\"", "\"api-token\""]);
    assert_eq!(import(&env, &[source, "--remove"]).status, 0);
    assert_eq!(
        fs::read_to_string(env.home().join("mine")).unwrap(),
        "https://u:other-canary@github.com\n"
    );
}

#[test]
fn a_helper_that_is_not_there_or_has_nothing_is_told() {
    let env = environment();
    let outcome = import(&env, &["helper:nonesuch"]);
    assert_eq!(outcome.status, 1);
    assert!(
        outcome
            .stderr
            .contains("cannot ask the helper 'nonesuch': git knows no helper of that name"),
        "{outcome:?}"
    );
    let outcome = import(&env, &["helper:!echo username=canary"]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("Nothing for Bitbucket in the helper 'a shell command'"),
        "{outcome:?}"
    );
    let outcome = import(&env, &["helper:bitbucket"]);
    assert_eq!(outcome.status, 1);
    assert!(
        outcome
            .stderr
            .contains("that helper is this program itself"),
        "{outcome:?}"
    );
    assert_eq!(import(&env, &["nonesuch"]).status, 2);
    let outcome = import(&env, &["netrc:nowhere"]);
    assert_eq!(outcome.status, 1);
    assert!(
        outcome.stderr.contains("there is no file 'nowhere'"),
        "{outcome:?}"
    );
}

#[test]
fn setup_names_the_command_that_takes_over_from_each_helper_it_cuts_off() {
    let env = environment();
    for helper in [
        "cache --timeout=300",
        "libsecret",
        "!echo canary",
        "x --password=canary",
    ] {
        env.git_succeeds(&["config", "--global", "--add", "credential.helper", helper]);
    }
    let outcome = env.program(&["setup"], "");
    let text = outcome.stderr;
    assert!(!text.contains("canary"), "{text}");
    for line in [
        "'git credential-bitbucket import 'helper:cache --timeout=300''",
        "'git credential-bitbucket import helper:libsecret'",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!(text.matches("import").count(), 2, "{text}");
}

#[test]
fn a_file_that_git_tracks_is_reported_and_not_taken_over() {
    let env = environment();
    env.git_succeeds(&["init", "-q", "clone"]);
    let path = env.home().join("clone/credentials");
    write_private(&path, &git_credentials());
    env.git_succeeds(&["-C", "clone", "add", "."]);
    let source = "git-credentials:clone/credentials";
    for arguments in [&[source][..], &[source, "--dry-run"], &[source, "--remove"]] {
        let outcome = import(&env, arguments);
        assert_eq!(outcome.status, 1, "{outcome:?}");
        for line in [
            "clone/credentials:1: git tracks it, so others may have written or read it: revoke it at https://id.atlassian.com/",
            "clone/credentials:3: git tracks it, so others may have written or read it: revoke it at https://bitbucket.org/acme/app/admin/access-tokens",
            "Nothing for Bitbucket in 'clone/credentials'",
        ] {
            assert!(outcome.stderr.contains(line), "{line}: {outcome:?}");
        }
        assert!(env.accounts().is_empty());
        assert_eq!(fs::read_to_string(&path).unwrap(), git_credentials());
    }
    env.git_succeeds(&["-C", "clone", "rm", "-q", "--cached", "credentials"]);
    assert_eq!(import(&env, &[source]).status, 0);
    assert_eq!(env.accounts().len(), 2);
}

#[test]
fn a_long_netrc_file_is_read_in_one_go() {
    let env = environment();
    for (name, word) in [("words", "m"), ("quotes", "\"m\"")] {
        let words = format!("login {word} password {word} ").repeat(12_000);
        write_private(&env.home().join(name), &format!("machine x.org {words}"));
        let start = Instant::now();
        let outcome = import(&env, &[&format!("netrc:{name}")]);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "{name}");
    }
}
