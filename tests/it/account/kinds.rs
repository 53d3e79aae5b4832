//! Each kind of credential in each place: git, LFS and REST, with the right name, a wrong one, revoked, and without a
//! scope.

use std::fs;

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, TestEnv, has, run};
use crate::support::stand_in::{Credential, Handle, StandIn};

const APP: &str = "https://bitbucket.org/acme/app.git";
const DC: &str = "git.corp.example:7990";
const DC_APP: &str = "https://git.corp.example:7990/bitbucket/scm/prj/app.git";

/// One kind, signed in, and where its repository and its REST address are.
struct Signed {
    env: TestEnv,
    stand_in: StandIn,
    handle: Handle,
    secret: String,
    repository: &'static str,
    rest: &'static str,
    /// The scopes with which it may fetch but not push.
    read_only: &'static [&'static str],
}

fn on_cloud(
    credential: Credential,
    secret: &str,
    arguments: &[&str],
    read_only: &'static [&'static str],
) -> Signed {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    let handle = stand_in.allow(credential);
    env.set_up();
    env.login(secret, arguments);
    let rest = "https://api.bitbucket.org/2.0/repositories/acme/app";
    Signed {
        env,
        stand_in,
        handle,
        secret: secret.to_owned(),
        repository: APP,
        rest,
        read_only,
    }
}

fn on_data_center(
    credential: Credential,
    secret: &str,
    arguments: &[&str],
    has_basic: bool,
) -> Signed {
    let (env, stand_in) = TestEnv::with_stand_in();
    let data_center = stand_in.data_center(DC, "/bitbucket");
    data_center.repository("prj/app");
    data_center.disable_basic(!has_basic);
    let handle = data_center.allow(credential);
    env.set_up();
    // Checked, as only the check finds out about Basic.
    let place = format!("{DC}/bitbucket");
    let all = [
        &["login", "--with-token", "--store", "file", "--host", &place],
        arguments,
    ]
    .concat();
    let outcome = env.program(&all, secret);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    Signed {
        env,
        stand_in,
        handle,
        secret: secret.to_owned(),
        repository: DC_APP,
        rest: "https://git.corp.example:7990/bitbucket/rest/api/1.0/projects/prj/repos/app",
        read_only: &["REPO_READ"],
    }
}

/// Every kind that works on bitbucket.org.
fn for_each_kind_of_the_cloud(check: impl Fn(&str, &Signed)) {
    let api = Credential::api_token(API_TOKEN).email("ada@example.com");
    let signed = on_cloud(
        api,
        API_TOKEN,
        &["--email", "ada@example.com"],
        &["read:repository:bitbucket"],
    );
    check("API token", &signed);
    check(
        "access token",
        &on_cloud(
            Credential::access_token(ACCESS_TOKEN),
            ACCESS_TOKEN,
            &[],
            &["repository"],
        ),
    );
}

/// Every kind that works, in every environment in which it does.
fn for_each_kind(check: impl Fn(&str, &Signed)) {
    for_each_kind_of_the_cloud(&check);
    for has_basic in [true, false] {
        let token = || Credential::http_access_token("BBDC-canary").user("bob");
        let signed = on_data_center(token(), "BBDC-canary", &["--username", "bob"], has_basic);
        check(
            if has_basic {
                "HTTP access token"
            } else {
                "HTTP access token without Basic"
            },
            &signed,
        );
        let project = Credential::project_http_access_token("BBDC-project");
        check(
            "project's HTTP access token",
            &on_data_center(project, "BBDC-project", &["--for", "prj"], has_basic),
        );
    }
    let password = Credential::password("hunter2").user("bob");
    let signed = on_data_center(
        password,
        "hunter2",
        &["--username", "bob", "--kind", "app-password"],
        true,
    );
    check("password on Data Center", &signed);
}

fn clone_commit_push(signed: &Signed, url: &str, folder: &str) -> crate::support::harness::Outcome {
    let env = &signed.env;
    env.git_succeeds(&["clone", "--quiet", url, folder]);
    env.git_succeeds(&[
        "-C",
        folder,
        "commit",
        "--quiet",
        "--allow-empty",
        "-m",
        folder,
    ]);
    env.git(&["-C", folder, "push", "--quiet"])
}

#[test]
fn each_kind_clones_and_pushes_and_no_stranger_is_asked() {
    for_each_kind(|kind, signed| {
        let outcome = clone_commit_push(signed, signed.repository, "app");
        assert_eq!(outcome.status, 0, "{kind}: {outcome:?}");
        assert!(signed.stand_in.refused().is_empty(), "{kind}");
        assert_eq!(signed.env.accounts()[0]["state"], "ok", "{kind}");
    });
}

#[test]
fn each_kind_pushes_and_pulls_lfs_objects() {
    if !has(&["git-lfs"]) {
        return;
    }
    for_each_kind(|kind, signed| {
        // git-lfs 3.3 knows no Bearer: where nothing else is taken it cannot work (docs/accounts.md).
        if signed
            .env
            .get(&format!(
                "protocol=https\nhost={DC}\npath=bitbucket/scm/prj/app.git\ncapability[]=authtype\n"
            ))
            .contains("Bearer")
        {
            return;
        }
        let env = &signed.env;
        env.git_succeeds(&["lfs", "install", "--skip-repo"]);
        env.git_succeeds(&["clone", "--quiet", signed.repository, "app"]);
        env.git_succeeds(&["-C", "app", "lfs", "track", "*.bin"]);
        fs::write(env.home().join("app/large.bin"), "large".repeat(1000)).unwrap();
        env.git_succeeds(&["-C", "app", "add", "."]);
        env.git_succeeds(&["-C", "app", "commit", "--quiet", "-m", "large"]);
        env.git_succeeds(&["-C", "app", "push", "--quiet"]);
        env.git_succeeds(&["clone", "--quiet", signed.repository, "again"]);
        assert_eq!(
            fs::read_to_string(env.home().join("again/large.bin")).unwrap(),
            "large".repeat(1000),
            "{kind}"
        );
    });
}

#[test]
fn each_kind_reaches_rest_by_curl() {
    if !has(&["curl"]) {
        return;
    }
    for_each_kind(|kind, signed| {
        let mut command = signed.env.command(crate::support::harness::PROGRAM);
        let ca = signed.stand_in.ca_file().display().to_string();
        command.args([
            "curl",
            "-sS",
            "--cacert",
            &ca,
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            signed.rest,
        ]);
        let outcome = run(command, b"");
        assert_eq!(
            (outcome.status, outcome.stdout.as_str()),
            (0, "200"),
            "{kind}: {outcome:?}"
        );
    });
}

#[test]
fn each_kind_of_the_cloud_reaches_rest_by_git_credential_fill() {
    let rest = "capability[]=authtype\nprotocol=https\nhost=api.bitbucket.org\n\n";
    for_each_kind_of_the_cloud(|kind, signed| {
        let mut command = signed.env.command("git");
        command.args(["credential", "fill"]);
        let answer = run(command, rest.as_bytes()).stdout;
        let expected = if kind == "API token" {
            format!("username=ada@example.com\npassword={API_TOKEN}\n")
        } else {
            format!("authtype=Bearer\ncredential={}\n", signed.secret)
        };
        assert!(
            expected
                .lines()
                .all(|line| answer.lines().any(|told| told == line)),
            "{kind}: {answer}"
        );
    });
}

#[test]
fn each_kind_works_whatever_user_name_the_url_has() {
    // A stand-in that refuses Basic answers libcurl's own `user:` with 403 before git asks us (doctor tells).
    for_each_kind_of_the_cloud(|kind, signed| {
        for (number, user) in [
            "",
            "ada@",
            "old-name@",
            "ada%40example.com@",
            "x-token-auth@",
        ]
        .iter()
        .enumerate()
        {
            let url = signed
                .repository
                .replace("https://", &format!("https://{user}"));
            let outcome = clone_commit_push(signed, &url, &format!("app{number}"));
            assert_eq!(outcome.status, 0, "{kind} {user}: {outcome:?}");
        }
    });
}

#[test]
fn each_kind_is_set_aside_and_not_lost_when_it_is_revoked_and_mended_by_login() {
    for_each_kind(|kind, signed| {
        let env = &signed.env;
        env.git_succeeds(&["ls-remote", signed.repository]);
        signed.handle.revoke();
        assert_ne!(
            env.git(&["ls-remote", signed.repository]).status,
            0,
            "{kind}"
        );
        let account = &env.accounts()[0];
        assert_eq!(account["state"], "rejected", "{kind}");
        let name = account["name"].as_str().unwrap();
        let secret = env.program(&["token", name], "").stdout;
        signed.handle.restore();
        let outcome = env.program(&["login", name, "--no-verify", "--with-token"], secret);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        env.git_succeeds(&["ls-remote", signed.repository]);
    });
}

#[test]
fn a_missing_write_scope_stops_the_push_and_leaves_the_account_in_service() {
    for_each_kind(|kind, signed| {
        if kind.starts_with("password") {
            return;
        }
        signed.handle.set_scopes(signed.read_only.iter().copied());
        let outcome = clone_commit_push(signed, signed.repository, "app");
        assert!(
            outcome.status != 0 && outcome.stderr.contains("403"),
            "{kind}: {outcome:?}"
        );
        assert_eq!(signed.env.accounts()[0]["state"], "ok", "{kind}");
    });
}

#[test]
fn an_app_password_of_the_cloud_is_answered_as_asked_and_refused_by_bitbucket() {
    let signed = on_cloud(
        Credential::app_password(APP_PASSWORD),
        APP_PASSWORD,
        &["--username", "ada"],
        &[],
    );
    let outcome = signed.env.git(&["ls-remote", APP]);
    assert!(outcome.stderr.contains("410"), "{outcome:?}");
    assert_eq!(
        signed.env.accounts()[0]["state"],
        "retired",
        "410 erases nothing"
    );
    let rest = signed.env.get("protocol=https\nhost=api.bitbucket.org\n");
    assert_eq!(rest, crate::support::harness::reply("ada", APP_PASSWORD));
}

#[test]
fn a_token_made_without_scopes_is_refused_everywhere() {
    let signed = on_cloud(
        Credential::unscoped_api_token(API_TOKEN),
        API_TOKEN,
        &["--email", "ada@example.com"],
        &[],
    );
    assert_ne!(signed.env.git(&["ls-remote", APP]).status, 0);
    assert_eq!(signed.env.accounts()[0]["state"], "rejected");
}
