//! cargo, Go and npm: each starts git.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::Client;
use crate::support::harness::has;

/// `cargo fetch`, with cargo and rustc themselves in place of rustup's, which want a toolchain in the home.
pub(super) fn cargo_fetch(client: &Client) -> Command {
    let cargo = PathBuf::from(std::env::var_os("CARGO").expect("cargo runs the tests"));
    let mut command = client.command(&cargo, &["fetch"]);
    command.env("RUSTC", cargo.with_file_name("rustc"));
    command
}

/// A crate that needs the one at this URL.
pub(super) fn write_crate(client: &Client, url: &str) {
    let manifest = format!(
        "[package]\nname = 'user'\nversion = '1.0.0'\nedition = '2021'\n[dependencies]\napp = {{ git = '{url}' }}\n"
    );
    client.write("Cargo.toml", &manifest);
    client.write("src/lib.rs", "");
}

pub(super) const CRATE: [(&str, &str); 2] = [
    (
        "Cargo.toml",
        "[package]\nname = 'app'\nversion = '1.0.0'\nedition = '2021'\n",
    ),
    ("src/lib.rs", ""),
];

#[test]
fn cargo_fetches_with_git() {
    let client = Client::of(&CRATE);
    write_crate(&client, "https://bitbucket.org/acme/app.git");
    let mut command = cargo_fetch(&client);
    command.env("CARGO_NET_GIT_FETCH_WITH_CLI", "true");
    client.fetches(command);
}

#[test]
fn go_fetches_a_private_module() {
    if !has(&["go"]) {
        return;
    }
    let client = Client::of(&[
        ("go.mod", "module bitbucket.org/acme/app\n\ngo 1.19\n"),
        ("app.go", "package app\n"),
    ]);
    client.write("go.mod", "module example.com/user\n\ngo 1.19\n");
    let mut command = client.command("go", &["get", "bitbucket.org/acme/app@main"]);
    command
        .env("GOPRIVATE", "bitbucket.org/acme/*")
        .env("GOFLAGS", "-modcacherw");
    client.fetches(command);
}

#[test]
fn npm_fetches_a_package_by_git() {
    if !has(&["npm"]) {
        return;
    }
    // Where the archive cannot be had without a credential npm goes on to git; with a host in upper case it asks for none.
    for host in ["bitbucket.org", "BITBUCKET.ORG"] {
        let client = Client::of(&[(
            "package.json",
            "{\"name\": \"app\", \"version\": \"1.0.0\"}\n",
        )]);
        client.write(
            "package.json",
            "{\"name\": \"user\", \"version\": \"1.0.0\"}\n",
        );
        let url = format!("git+https://{host}/acme/app.git");
        let npm = |arguments: &[&str]| {
            let mut command = client.command("npm", arguments);
            command
                .args([
                    "--ignore-scripts",
                    "--no-audit",
                    "--no-fund",
                    "--no-update-notifier",
                ])
                .args(["--fetch-retries", "0", "--cafile"])
                .arg(client.stand_in.ca_file());
            command
        };
        client.fetches(npm(&["install", &url]));
        let archives = client
            .stand_in
            .count(|request| request.path.contains("/get/"));
        assert_eq!(archives > 0, host == "bitbucket.org", "{host}");
        // npm tries https first, also where the lock file says 'git+ssh'.
        let lock = fs::read_to_string(client.project().join("package-lock.json")).unwrap();
        if lock.contains("git+ssh") {
            fs::remove_dir_all(client.project().join("node_modules")).unwrap();
            fs::remove_dir_all(client.env.home().join(".npm")).unwrap();
            client.stand_in.forget_requests();
            client.fetches(npm(&["ci"]));
        }
        assert!(
            client
                .project()
                .join("node_modules/app/package.json")
                .exists()
        );
    }
}
