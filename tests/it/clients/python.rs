//! pip, uv and pre-commit: each starts git.

use std::process::Command;

use super::{Client, installed};
use crate::support::harness::run;

/// A package that builds itself: nothing is to be downloaded for that.
const PACKAGE: [(&str, &str); 2] = [
    (
        "pyproject.toml",
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n\
         [project]\nname = 'app'\nversion = '1.0'\n",
    ),
    (
        "backend.py",
        "import zipfile\n\
         def build_wheel(folder, *_):\n\
         \x20   name = 'app-1.0-py3-none-any.whl'\n\
         \x20   with zipfile.ZipFile(folder + '/' + name, 'w') as wheel:\n\
         \x20       wheel.writestr('app.py', '')\n\
         \x20       wheel.writestr('app-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: app\\nVersion: 1.0\\n')\n\
         \x20       wheel.writestr('app-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
         \x20       wheel.writestr('app-1.0.dist-info/RECORD', '')\n\
         \x20   return name\n",
    ),
];

fn installs(start: &[&str]) {
    let Some(program) = installed(start[0]) else {
        return;
    };
    let client = Client::of(&PACKAGE);
    let mut command = client.command(program, &start[1..]);
    command.args([
        "--target",
        "packages",
        "--no-index",
        "git+https://bitbucket.org/acme/app.git",
    ]);
    client.fetches(command);
    assert!(client.project().join("packages/app.py").exists());
}

#[test]
fn pip_installs_from_a_private_repository() {
    installs(&["pip", "install"]);
}

#[test]
fn uv_installs_from_a_private_repository() {
    let Some(python) = installed("python") else {
        return;
    };
    installs(&["uv", "pip", "install", "--python", &python]);
}

/// pre-commit drops every variable of git's, the first name of ours among them.
#[test]
fn pre_commit_finds_the_accounts_by_the_second_name_of_the_variable() {
    let Some(program) = installed("pre-commit") else {
        return;
    };
    let client = Client::of(&[(
        ".pre-commit-hooks.yaml",
        "- {id: ok, name: ok, entry: 'true', language: system, always_run: true}\n",
    )]);
    client.write(
        ".pre-commit-config.yaml",
        "repos:\n- {repo: 'https://bitbucket.org/acme/app.git', rev: main, hooks: [{id: ok}]}\n",
    );
    let git = |arguments: &[&str]| run(client.command("git", arguments), b"").status;
    assert_eq!((git(&["init", "--quiet"]), git(&["add", "."])), (0, 0));
    let pre_commit = || -> Command { client.command(&program, &["run", "--all-files"]) };
    let without = run(pre_commit(), b"");
    assert_ne!(without.status, 0, "{without:?}");
    let mut with = pre_commit();
    with.env("BITBUCKET_CREDENTIAL_HOME", client.env.data());
    client.fetches(with);
}
