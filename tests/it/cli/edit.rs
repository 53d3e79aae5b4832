//! `edit`: what is known of an account changes, and its secret stays.

use std::fs;

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, STATIC, TestEnv, reply};
#[cfg(target_os = "linux")]
use crate::support::harness::{PROGRAM, has, run, write_program};
use crate::support::stand_in::Credential;

/// Edits the account `work`.
fn edit(env: &TestEnv, changes: &[&str]) {
    let outcome = env.program(&[&["edit", "work"], changes].concat(), "");
    assert_eq!(outcome.status, 0, "{changes:?}: {outcome:?}");
    assert_eq!(outcome.stderr, "Changed 'work'\n", "{changes:?}");
}

fn refused(env: &TestEnv, arguments: &[&str]) -> (i32, String) {
    let before = fs::read(env.data().join("accounts.toml")).unwrap();
    let outcome = env.program(&[&["edit"], arguments].concat(), "");
    let after = fs::read(env.data().join("accounts.toml")).unwrap();
    assert_eq!(before, after, "{arguments:?}");
    (outcome.status, outcome.stderr)
}

#[test]
fn each_option_changes_one_thing_and_an_empty_value_removes_it() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work", "--for", "acme"]);
    let field = |name: &str| env.accounts()[0][name].clone();
    let list = |reach: &[&str]| serde_json::json!(reach);
    edit(&env, &["--for", "Beta", "--for", "gamma/app.git"]);
    assert_eq!(field("for"), list(&["beta", "gamma/app"]));
    assert_eq!(env.get_cloud("path=acme/x\n"), "");
    assert_eq!(env.get_cloud("path=beta/x\n"), reply(STATIC, API_TOKEN));
    edit(&env, &["--everywhere"]);
    assert_eq!(field("for"), list(&[]));
    edit(&env, &["--for", "beta"]);
    edit(&env, &["--for", ""]);
    assert_eq!(field("for"), list(&[]));
    for (option, value) in [
        ("expires", "2099-01-31"),
        ("email", "ada@example.com"),
        ("username", "ada"),
    ] {
        let before = env.accounts();
        edit(&env, &[&format!("--{option}"), value]);
        assert_eq!(field(option), value);
        edit(&env, &[&format!("--{option}="), "--everywhere"]);
        assert_eq!(env.accounts(), before, "only {option}");
    }
    assert_eq!(env.get_cloud("path=acme/x\n"), reply(STATIC, API_TOKEN));
}

#[test]
fn a_mistake_changes_nothing_and_is_named() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    env.login(APP_PASSWORD, &["old", "--username", "ada"]);
    for (arguments, status, message) in [
        (
            &["work"][..],
            2,
            "an option is missing: nothing would change",
        ),
        (&[], 2, "'NAME' is missing"),
        (
            &["nobody", "--everywhere"],
            1,
            "there is no account 'nobody'",
        ),
        (
            &["work", "--everywhere", "--for", "acme"],
            2,
            "cannot be used with",
        ),
        (&["work", "--expires", "soon"], 2, "is not a date such as"),
        (&["work", "--for", "a/b/c"], 2, "not of the form WORKSPACE"),
        (
            &["work", "--store", ""],
            2,
            "'--store' has to be one of auto, keyring, file, exec",
        ),
        (&["work", "--rename", ""], 2, "a name cannot be empty"),
        (&["work", "--rename", "old"], 1, "the name 'old' is taken"),
        (&["work", "--email", "ada"], 1, "'ada' is not an e-mail"),
        (&["work", "--username", "a@b.example"], 1, "is an e-mail"),
        (&["old", "--username", ""], 1, "needs a user name"),
        (&["work", "--store", "exec"], 1, "no program is named"),
        (
            &["work", "--rename", API_TOKEN],
            2,
            "a secret is never an argument",
        ),
    ] {
        let (got, stderr) = refused(&env, arguments);
        assert_eq!(got, status, "{arguments:?}: {stderr}");
        assert!(stderr.contains(message), "{arguments:?}: {stderr}");
    }
}

#[test]
fn what_git_gave_becomes_an_account_of_login() {
    let env = TestEnv::new();
    let give = |path: &str, username: &str, secret: &str| {
        let given = format!(
            "protocol=https\nhost=bitbucket.org\n{path}username={username}\npassword={secret}\n"
        );
        assert_eq!(env.program(&["store"], given).status, 0);
    };
    // Without a path it answers for its user name alone, until somebody says what it is for.
    give("", "work", API_TOKEN);
    assert_eq!(env.accounts()[0]["origin"], "git");
    assert_eq!(env.get_cloud("path=acme/x\n"), "");
    edit(&env, &["--for", "acme"]);
    assert_eq!(env.accounts()[0]["origin"], "login");
    assert_eq!(env.get_cloud("path=acme/x\n"), reply(STATIC, API_TOKEN));

    // Nobody knows the kind of this one: it answers as it came.
    give("path=beta/x\n", "bob", "unknown");
    let (status, stderr) = refused(&env, &["bob", "--for", "beta"]);
    assert_eq!(status, 1, "{stderr}");
    assert!(stderr.contains("the kind of 'bob' is unknown"), "{stderr}");
    assert!(
        stderr.contains("'git credential-bitbucket login bob'"),
        "{stderr}"
    );
    let outcome = env.program(&["edit", "bob", "--rename", "its own"], "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(env.accounts()[1]["origin"], "login");
    assert_eq!(env.get_cloud("path=beta/x\n"), reply("bob", "unknown"));
}

#[test]
fn a_refusal_of_the_old_names_does_not_bind_the_new_ones() {
    let env = TestEnv::new();
    let host = "protocol=https\nhost=git.corp.example\npath=scm/prj/x.git\n";
    env.login(
        "BBDC-canary",
        &["work", "--host", "git.corp.example", "--username", "adda"],
    );
    let erase = format!("{host}username=adda\npassword=BBDC-canary\n");
    assert_eq!(env.program(&["erase"], erase).status, 0);
    edit(&env, &["--for", "prj"]);
    assert_eq!(env.accounts()[0]["state"], "rejected");
    let outcome = env.program(&["edit", "work", "--username", "ada"], "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(
        outcome.stderr.contains("'work' is unchecked: cannot ask"),
        "{outcome:?}"
    );
    assert_eq!(env.accounts()[0]["state"], "unchecked");
    assert_eq!(env.get(host), reply("ada", "BBDC-canary"));
}

#[test]
fn a_renamed_account_answers_and_gits_settings_that_hold_the_old_name_are_mended_as_printed() {
    let env = TestEnv::new();
    env.configure_plain();
    env.login(ACCESS_TOKEN, &["work", "--for", "acme"]);
    let included = env.home().join("in cluded");
    fs::create_dir(env.home().join("elsewhere")).unwrap();
    let set = |file: &[&str], key: &str, value: &str| {
        env.git_succeeds(&[&["config"], file, &["--add", key, value]].concat());
    };
    let file = included.to_str().unwrap();
    set(
        &["--global"],
        "includeIf.gitdir:~/elsewhere/.path",
        "~/in cluded",
    );
    set(
        &["--file", file],
        "credential.https://bitbucket.org.username",
        "work",
    );
    set(&["--file", file], "credential.helper", "");
    set(
        &["--file", file],
        "credential.helper",
        "bitbucket --account work",
    );
    // None of these means the account.
    set(
        &["--global"],
        "credential.https://github.com.username",
        "work",
    );
    set(&["--global"], "credential.helper", "other --account work");
    set(&["--global"], "credential.username", "workshop");

    let outcome = env.program(&["edit", "work", "--rename", "my job"], "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(
        outcome.stderr.starts_with("Renamed 'work' to 'my job'\n"),
        "{outcome:?}"
    );
    let warnings: Vec<&str> = outcome
        .stderr
        .lines()
        .filter(|line| line.contains("warning: "))
        .collect();
    assert_eq!(
        warnings,
        ["username", "helper"].map(|name| {
            let key = if name == "helper" {
                "credential"
            } else {
                "credential.https://bitbucket.org"
            };
            format!("git-credential-bitbucket: warning: '{file}' still names 'work': {key}.{name}")
        })
    );
    for line in outcome.stderr.lines() {
        if let Some((_, command)) = line.split_once("hint: '") {
            let command = command.strip_suffix('\'').unwrap();
            assert_eq!(env.shell(command).status, 0, "{command}");
        }
    }
    let text = fs::read_to_string(&included).unwrap();
    assert!(text.contains("username = my job\n"), "{text}");
    assert!(
        text.contains("helper = bitbucket --account 'my job'\n"),
        "{text}"
    );
    assert!(text.contains("helper = \n"), "{text}");
    assert_eq!(
        env.get_cloud("path=acme/x\n"),
        reply("x-token-auth", ACCESS_TOKEN)
    );
    let outcome = env.program(&["edit", "my job", "--rename", "work"], "");
    assert_eq!(
        outcome.stderr.matches("still names 'my job'").count(),
        2,
        "{outcome:?}"
    );

    // The user name of the account is no old name.
    env.login(API_TOKEN, &["--username", "ada"]);
    set(&["--global"], "credential.username", "ada");
    let outcome = env.program(&["edit", "ada", "--rename", "me"], "");
    assert_eq!(outcome.stderr, "Renamed 'ada' to 'me'\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_secret_moves_to_another_store_and_is_only_there() {
    use crate::store::exec::with_pass;
    let mut env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    let Some(_keys) = with_pass(&mut env) else {
        return;
    };
    for store in ["exec", "file", "exec"] {
        let outcome = env.program(&["edit", "work", "--store", store], "");
        assert_eq!(outcome.status, 0, "{outcome:?}");
        assert!(
            outcome.stderr.starts_with("Stored the secret of 'work'"),
            "{outcome:?}"
        );
        assert_eq!(env.accounts()[0]["store"], store);
        assert_eq!(env.get_cloud(""), reply(STATIC, API_TOKEN));
        let sealed = fs::read_to_string(env.data().join("secrets")).unwrap();
        assert_eq!(sealed.contains("work@"), store == "file", "{sealed}");
        let mut list = env.command("docker-credential-pass");
        list.arg("list");
        assert_eq!(
            run(list, b"").stdout.contains("bitbucket.invalid"),
            store == "exec"
        );
    }
    // A store that does not take it changes nothing.
    assert!(has(&["gpg"]));
    env.set("GNUPGHOME", "/nowhere");
    let (status, stderr) = refused(&env, &["work", "--store", "file"]);
    assert_eq!(status, 1, "{stderr}");
}

#[test]
fn new_names_of_a_refused_account_are_unchecked() {
    let (env, stand_in) = TestEnv::with_stand_in();
    let handle = stand_in.allow(Credential::api_token(API_TOKEN));
    env.program(
        &[
            "login",
            "work",
            "--with-token",
            "--email",
            "ada@example.com",
        ],
        API_TOKEN,
    );
    assert_eq!(env.accounts()[0]["state"], "ok");
    handle.revoke();
    let pair = reply(STATIC, API_TOKEN);
    let refused = format!("protocol=https\nhost=bitbucket.org\npath=acme/app.git\n{pair}");
    env.program(&["erase"], refused);
    assert_eq!(env.accounts()[0]["state"], "rejected");
    env.program(&["edit", "work", "--email", "bob@example.com"], "");
    assert_eq!(env.accounts()[0]["state"], "unchecked");
}

#[test]
fn a_store_that_is_not_there_leaves_the_secret_where_it_is_and_the_hint_names_another() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    let (status, stderr) = refused(&env, &["work", "--store", "keyring"]);
    assert_eq!(status, 1, "{stderr}");
    assert!(
        stderr.contains("error: the secret of 'work' stays in the file: cannot reach"),
        "{stderr}"
    );
    assert!(
        stderr.ends_with("'git credential-bitbucket edit work --store file'\n"),
        "{stderr}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn what_another_command_notes_meanwhile_stays() {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.allow(Credential::api_token(API_TOKEN));
    env.login(API_TOKEN, &["work", "--email", "ada@example.com"]);
    let before = env.accounts();
    assert_eq!(
        (&before[0]["owner"], &before[0]["state"]),
        (&serde_json::Value::Null, &"unchecked".into())
    );
    // While the secret moves, another command learns whose it is.
    let program = env.path().join("docker-credential-slow");
    let kept = env.path().join("kept");
    let script = format!(
        "#!/bin/sh\nread -r line\ncase $1 in\n\
         store) printf '%s\\n' \"$line\" >'{0}'; {PROGRAM} status --verify >/dev/null 2>&1 </dev/null ;;\n\
         get) cat '{0}' ;;\nesac\n",
        kept.display()
    );
    write_program(&program, &script);
    crate::store::exec::configure(&env, program.to_str().unwrap(), "");
    let outcome = env.program(&["edit", "work", "--store", "exec"], "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let after = env.accounts();
    assert_eq!(after[0]["store"], "exec");
    assert_eq!(
        (&after[0]["owner"], &after[0]["state"]),
        (&"ada".into(), &"ok".into())
    );
}
