//! The store `folder`: secrets as Kubernetes, systemd and Docker mount them.

mod git;

use crate::source::{OF_THE_HOST, OF_THE_WORKSPACE, assert_nearest_answers};
use crate::support::harness::{
    ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, TestEnv, reply, rounds, run, write_private,
};
use crate::support::mounted::{configure, mounted, put};
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const WANTED: &str = "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n";

const APP: &str = "https://bitbucket.org/acme/app.git";

/// An environment with these files mounted.
fn env_with(files: &[(&str, &str)]) -> TestEnv {
    let env = TestEnv::new();
    mount(&env, files);
    env
}

fn mount(env: &TestEnv, files: &[(&str, &str)]) {
    fs::create_dir_all(mounted(env)).unwrap();
    configure(env, &format!("path = '{}'", mounted(env).display()));
    put(&mounted(env), files);
}

/// That there is an error of which this is a part, and no answer.
fn assert_fails(env: &TestEnv, part: &str) {
    let outcome = env.program(&["get"], WANTED);
    assert_eq!((outcome.status, &outcome.stdout[..]), (1, ""), "{part}");
    assert!(
        outcome.stderr.contains(part) && !outcome.stderr.contains("canary"),
        "'{part}' is not in: {}",
        outcome.stderr
    );
}

#[test]
fn one_file_for_each_repository_workspace_and_all() {
    let env = env_with(&[
        ("_default", &format!("{OF_THE_HOST}\n")),
        ("acme/_default", OF_THE_WORKSPACE),
        ("acme/app", API_TOKEN),
        ("acme/empty-folder/.keep", ""),
    ]);
    assert_nearest_answers(&env);
    assert_eq!(
        env.get_cloud("path=acme/empty-folder\n"),
        reply("x-token-auth", OF_THE_WORKSPACE)
    );
}

#[test]
fn one_file_for_each_field() {
    let env = env_with(&[
        ("acme/app/username", "ada\n"),
        ("acme/app/password", "secret\n"),
        ("acme/app/email", "ada@example.com\n"),
        ("acme/app/kind", "api-token\n"),
        ("acme/app/expires", "2099-01-31\n"),
        ("_default/password", API_TOKEN),
        ("_default/email", "ada@example.com"),
    ]);
    assert_eq!(
        env.get_cloud("path=acme/app\n"),
        reply("x-bitbucket-api-token-auth", "secret")
    );
    let rest = "protocol=https\nhost=api.bitbucket.org\npath=2.0/repositories/acme/app/src\n";
    assert_eq!(env.get(rest), reply("ada@example.com", "secret"));
    let rest = "protocol=https\nhost=api.bitbucket.org\npath=2.0/user\n";
    assert_eq!(env.get(rest), reply("ada@example.com", API_TOKEN));
}

#[test]
fn what_the_settings_name_may_be_the_one_secret_itself() {
    let answer = reply("x-bitbucket-api-token-auth", API_TOKEN);
    // As Kubernetes mounts a secret with the keys `username` and `password`.
    let env = env_with(&[("password", API_TOKEN), ("username", "ada@example.com")]);
    assert_eq!(env.get(WANTED), answer);
    // As Docker mounts one: a file.
    fs::remove_dir_all(mounted(&env)).unwrap();
    fs::write(mounted(&env), format!("{API_TOKEN}\n")).unwrap();
    assert_eq!(env.get(WANTED), answer);
    assert_eq!(env.get_cloud(""), answer);
    // Folders of workspaces are no fields, whatever they are called.
    fs::remove_file(mounted(&env)).unwrap();
    put(
        &mounted(&env),
        &[("password/app", "canary"), ("kind/app", "canary")],
    );
    assert_eq!(env.get(WANTED), "");
    put(&mounted(&env), &[("email", "ada@example.com")]);
    assert_fails(&env, "has no field 'password'");
}

#[test]
fn systemds_folder_is_looked_into_and_a_strangers_password_in_it_is_not_taken() {
    let mut env = TestEnv::new();
    let folder = mounted(&env);
    put(&folder, &[("password", "canary-of-a-database")]);
    env.set("CREDENTIALS_DIRECTORY", folder.to_str().unwrap());
    configure(&env, "");
    assert_eq!(env.get(WANTED), "");
    put(&folder, &[("_default", "for-all")]);
    assert_eq!(env.get(WANTED), reply("x-token-auth", "for-all"));
    put(&folder, &[("bitbucket", API_TOKEN)]);
    configure(&env, "path = '$CREDENTIALS_DIRECTORY/bitbucket'");
    let answer = reply("x-bitbucket-api-token-auth", API_TOKEN);
    assert_eq!(env.get(WANTED), answer);
    configure(&env, "path = '$CREDENTIALS_DIRECTORY'");
    fs::remove_file(folder.join("_default")).unwrap();
    assert_eq!(
        env.get(WANTED),
        reply("x-token-auth", "canary-of-a-database"),
        "it was named"
    );
}

#[test]
fn without_a_folder_the_settings_are_at_fault_and_an_empty_one_has_nothing() {
    let env = TestEnv::new();
    for settings in ["", "path = 'here'", "path = '$CREDENTIALS'"] {
        configure(&env, settings);
        assert_fails(&env, "no folder is named for the store 'folder'");
    }
    // Whoever is at work outside of the service; in a repository that has such a folder.
    configure(&env, "path = '$CREDENTIALS_DIRECTORY/x'");
    put(&env.home(), &[("$CREDENTIALS_DIRECTORY/x", "canary")]);
    assert_eq!(env.get(WANTED), "");
    configure(&env, &format!("path = '{}'", mounted(&env).display()));
    assert_eq!(env.get(WANTED), "");
    fs::create_dir(mounted(&env)).unwrap();
    assert_eq!(env.get(WANTED), "");
    symlink("nowhere", mounted(&env).join("_default")).unwrap();
    assert_eq!(
        env.get(WANTED),
        "",
        "a link that leads nowhere is no secret"
    );
}

#[test]
fn what_cannot_be_a_secret_is_named_and_nothing_else_answers_in_its_place() {
    let huge = "canary".repeat(20_000);
    for (content, error) in [
        ("", "acme/app' is empty"),
        ("\n", "acme/app' is empty"),
        ("canary\ncanary\n", "has a password with a line break"),
        ("canary\0", "has a password with a line break"),
        (&huge[..], "acme/app' is too long to be a secret"),
    ] {
        let env = env_with(&[("acme/app", content), ("_default", "canary")]);
        assert_fails(&env, error);
    }
    for (name, content, error) in [
        ("password", "", "acme/app' has no field 'password'"),
        (
            "kind",
            "canary",
            "has a kind that does not exist for bitbucket.org",
        ),
        (
            "kind",
            "http-access-token",
            "has a kind that does not exist for bitbucket.org",
        ),
        (
            "kind",
            "app-password",
            "has an app password and no field 'username'",
        ),
        (
            "expires",
            "canary",
            "has an expiry that is not a date such as 2027-01-31",
        ),
        (
            "username",
            "canary\nhost=evil.example",
            "the field 'username' is not a line of text",
        ),
    ] {
        let env = env_with(&[("acme/app/password", "canary"), ("_default", "canary")]);
        put(&mounted(&env), &[(&format!("acme/app/{name}"), content)]);
        assert_fails(&env, error);
    }
    // What Docker makes where it was to mount a file that is not there.
    let env = env_with(&[("acme/app/password/x", "canary"), ("_default", "canary")]);
    assert_fails(&env, "acme/app/password' is not a file");
    // Nobody writes to it.
    let env = env_with(&[("acme/.keep", ""), ("_default", "canary")]);
    let mut pipe = env.command("mkfifo");
    pipe.arg(mounted(&env).join("acme/app"));
    assert_eq!(run(pipe, b"").status, 0);
    assert_fails(&env, "acme/app' is not a file");
    fs::remove_file(mounted(&env).join("acme/app")).unwrap();
    symlink("/dev/zero", mounted(&env).join("acme/app")).unwrap();
    assert_fails(&env, "acme/app' is not a file");
    fs::remove_file(mounted(&env).join("acme/app")).unwrap();
    symlink("app", mounted(&env).join("acme/app")).unwrap();
    assert_fails(&env, "cannot read '");
}

#[test]
fn what_somebody_else_alone_may_read_is_an_error_and_modes_are_not_judged() {
    let env = env_with(&[("acme/app", "first"), ("_default", "second")]);
    let (mut shell, program) = env.shell_of_a_plain_user();
    let script = r#"
        get() {
            rm -f "$GIT_CREDENTIAL_BITBUCKET_HOME/said"
            printf 'protocol=https\nhost=bitbucket.org\npath=acme/app\n' | "$1" get
        }
        chmod 666 "$2/acme/app"; chmod 777 "$2"; get "$1"
        chmod 0 "$2/acme/app"; get "$1"; echo $?
        chmod 644 "$2/acme/app"; chmod 0 "$2/acme"; get "$1"; echo $?
        chmod 755 "$2/acme""#;
    shell
        .args(["-c", script, "sh"])
        .arg(program)
        .arg(mounted(&env));
    let outcome = run(shell, b"");
    assert_eq!(
        outcome.stdout,
        format!("{}1\n1\n", reply("x-token-auth", "first")),
        "{outcome:?}"
    );
    assert_eq!(
        outcome.stderr.matches("Permission denied").count(),
        2,
        "{outcome:?}"
    );
}

#[test]
fn each_file_may_be_a_link_that_leads_elsewhere_and_what_lies_beside_its_target_is_not_read() {
    let env = env_with(&[("acme/.keep", "")]);
    let elsewhere = env.path().join("elsewhere");
    put(
        &elsewhere,
        &[
            ("token", API_TOKEN),
            ("username", "canary"),
            ("kind", "canary"),
        ],
    );
    fs::create_dir(mounted(&env).join("acme/app")).unwrap();
    symlink(
        elsewhere.join("token"),
        mounted(&env).join("acme/app/password"),
    )
    .unwrap();
    symlink(elsewhere.join("token"), mounted(&env).join("acme/site")).unwrap();
    let answer = reply("x-bitbucket-api-token-auth", API_TOKEN);
    assert_eq!(env.get_cloud("path=acme/app\n"), answer);
    assert_eq!(env.get_cloud("path=acme/site\n"), answer);
}

#[test]
fn a_folder_is_for_one_host_alone() {
    let env = env_with(&[("_default", API_TOKEN), ("prj/app", "canary")]);
    let path = mounted(&env).display().to_string();
    let data_center = "protocol=https\nhost=git.corp.example\npath=scm/prj/app.git\n";
    let start = "lookup = ['folder']\nhosts = ['git.corp.example']\n[store.folder]\n";
    let settings = |more: &str| {
        let text = format!("{start}path = '{path}'\n{more}");
        write_private(&env.data().join("config.toml"), &text);
    };
    settings("");
    assert_eq!(env.get(data_center), "", "a token of the cloud stays there");
    let url = "https://git.corp.example/scm/prj/app.git";
    let told = env.program(&["doctor", url, "--json"], "").stdout;
    assert!(
        told.contains("the store 'folder' is for bitbucket.org"),
        "{told}"
    );
    settings("host = 'git.corp.example'");
    assert_eq!(env.get(data_center), reply("x-token-auth", "canary"));
    assert_eq!(env.get_cloud("path=prj/app\n"), "");
}

#[test]
fn a_secret_that_is_another_hosts_by_its_start_is_shown_to_nobody() {
    let env = env_with(&[("_default", "BBDC-canary-of-a-data-center")]);
    assert_fails(
        &env,
        "_default' has an HTTP access token, and bitbucket.org is another host",
    );
    let path = mounted(&env).display().to_string();
    configure(&env, &format!("path = '{path}'\nhost = 'git.corp.example'"));
    let config = env.data().join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    write_private(&config, &format!("hosts = ['git.corp.example']\n{text}"));
    let wanted = "protocol=https\nhost=git.corp.example\npath=scm/prj/app.git\n";
    assert_eq!(
        env.get(wanted),
        reply("x-token-auth", "BBDC-canary-of-a-data-center")
    );
    for (secret, what) in [
        (API_TOKEN, "an API token"),
        (ACCESS_TOKEN, "an access token"),
        (APP_PASSWORD, "an app password"),
    ] {
        put(&mounted(&env), &[("_default", secret)]);
        let outcome = env.program(&["get"], wanted);
        assert_eq!((outcome.status, &outcome.stdout[..]), (1, ""), "{what}");
        let expected = format!("_default' has {what}, and git.corp.example is another host");
        assert!(outcome.stderr.contains(&expected), "{outcome:?}");
    }
}

#[test]
fn what_rest_wants_and_is_not_there_is_to_be_put_there() {
    let env = env_with(&[("_default", API_TOKEN)]);
    let wanted = "protocol=https\nhost=api.bitbucket.org\npath=2.0/user\n";
    let outcome = env.program(&["get"], wanted);
    assert_eq!((outcome.status, &outcome.stdout[..]), (1, ""));
    let outcome = env.program(&["curl", "https://api.bitbucket.org/2.0/user"], "");
    assert_eq!(outcome.status, 1);
    let hint = "hint: add it there beside the password";
    assert!(outcome.stderr.contains(hint), "{}", outcome.stderr);
}

#[test]
fn a_path_that_tells_no_repository_is_answered_with_nothing() {
    let env = env_with(&[("_default", ACCESS_TOKEN)]);
    let answer = reply("x-token-auth", ACCESS_TOKEN);
    assert_eq!(env.get_cloud("path=acme/app.git\n"), answer);
    assert_eq!(env.get_cloud(""), answer, "no path is the whole host");
    for path in [
        "..",
        "../app",
        "acme/..",
        "acme//app",
        "./app",
        "acme/a%2fb",
    ] {
        assert_eq!(env.get_cloud(&format!("path={path}\n")), "", "{path}");
    }
    let rest = "protocol=https\nhost=api.bitbucket.org\ncapability[]=authtype\n";
    for path in ["2.0/user", "2.0/repositories/acme/app/src/main/a%20b"] {
        let answer = env.get(&format!("{rest}path={path}\n"));
        assert!(answer.contains(ACCESS_TOKEN), "{path}: {answer}");
    }
}

#[test]
fn while_a_version_is_swapped_no_answer_mixes_two_of_them() {
    let env = env_with(&[]);
    let root = mounted(&env);
    // As kubelet does it: links through `..data`, which is swapped by a rename, and then the old version is removed.
    let version = |number: usize| {
        let name = format!("..version-{number}");
        let (user, secret) = (format!("user-{number}"), format!("secret-{number}"));
        put(
            &root.join(&name),
            &[
                ("acme/app/username", &user[..]),
                ("acme/app/password", &secret),
                ("acme/app/kind", "app-password"),
                ("acme/app/expires", "2099-01-31"),
            ],
        );
        symlink(&name, root.join("..data-new")).unwrap();
        fs::rename(root.join("..data-new"), root.join("..data")).unwrap();
        name
    };
    let first = version(0);
    symlink("..data/acme", root.join("acme")).unwrap();
    let is_over = AtomicBool::new(false);
    let number = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut old = first;
            while !is_over.load(Ordering::Relaxed) {
                let new = version(number.fetch_add(1, Ordering::Relaxed) + 1);
                fs::remove_dir_all(root.join(old)).unwrap();
                old = new;
            }
        });
        let (mut answers, wanted) = (0, rounds(200));
        while answers < wanted || number.load(Ordering::Relaxed) < wanted {
            assert!(!writer.is_finished(), "no more versions come");
            answers += 1;
            let answer = env.program(&["get"], WANTED);
            let number = |start: &str| {
                let line = answer
                    .stdout
                    .lines()
                    .find_map(|line| line.strip_prefix(start));
                line.map(str::to_owned)
            };
            let (user, secret) = (number("username=user-"), number("password=secret-"));
            if user.is_none() || user != secret {
                is_over.store(true, Ordering::Relaxed);
            }
            assert!(user.is_some() && user == secret, "{answer:?}");
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_token_is_found_in_a_file_that_somebody_wrote() {
    let env = env_with(&[
        ("acme/app", &format!("\u{feff}token: \"{API_TOKEN}\"\r\n\n")),
        (
            "acme/site/password",
            &format!("ada@example.com {API_TOKEN}"),
        ),
        (
            "acme/elsewhere",
            &format!("https://ada:{API_TOKEN}@x.example/a/b"),
        ),
    ]);
    let answer = reply("x-bitbucket-api-token-auth", API_TOKEN);
    assert_eq!(env.get_cloud("path=acme/app.git\n"), answer);
    let rest = "protocol=https\nhost=api.bitbucket.org\npath=2.0/repositories/acme/site\n";
    assert_eq!(env.get(rest), reply("ada@example.com", API_TOKEN));
    let wanted = "protocol=https\nhost=bitbucket.org\npath=acme/elsewhere\n";
    let outcome = env.program(&["get"], wanted);
    assert_eq!((outcome.status, &outcome.stdout[..]), (1, ""));
    assert!(
        outcome.stderr.contains("has a URL of x.example"),
        "{outcome:?}"
    );
}
