//! What `docs/vault.md` tells administrators to paste can be pasted.

use std::fs;

use serde_json::json;

use super::{ROOT, Server, address, bao, configure, get, world};
use crate::support::harness::{TestEnv, reply, run};

const PAGE: &str = include_str!("../../../../docs/vault.md");

/// The blocks of a language below a heading.
fn blocks(language: &str, heading: &str) -> Vec<&'static str> {
    let (_, rest) = PAGE.split_once(&format!("# {heading}\n")).expect(heading);
    let section = rest.split("\n#").next().unwrap();
    let start = format!("```{language}\n");
    let parts = section.split(&start).skip(1);
    parts
        .map(|part| part.split("```").next().unwrap())
        .collect()
}

/// Pastes the commands below a heading, each of which has to succeed.
fn paste(env: &TestEnv, server: &Server, heading: &str, change: impl Fn(&str) -> String) {
    let folder = bao().parent().unwrap().display().to_string();
    for block in blocks("sh", heading) {
        let mut shell = env.command("sh");
        shell
            .args(["-ec", &change(block)])
            .env("BAO_ADDR", &server.address)
            .env("BAO_TOKEN", ROOT)
            .env(
                "PATH",
                format!("{folder}:{}", std::env::var("PATH").unwrap()),
            );
        let outcome = run(shell, b"");
        assert_eq!(outcome.status, 0, "{heading}: {outcome:?}");
    }
}

#[test]
fn secrets_policy_and_approle_work_as_the_page_has_them() {
    let Some((env, server)) = world() else {
        return;
    };
    let same = str::to_owned;
    paste(&env, &server, "Put the secrets there", same);
    paste(&env, &server, "A policy", same);
    paste(&env, &server, "AppRole", same);
    let (here, home) = (address(&server), env.home().display().to_string());
    let lines = blocks("toml", "Configure each machine, once")[0];
    let (_, lines) = lines.split_once("[store.vault]\n").unwrap();
    let lines: Vec<String> = lines
        .lines()
        .filter(|line| !line.starts_with("ca ="))
        .map(|line| {
            let is_address = line.starts_with("address =");
            let line = if is_address { &here } else { line };
            line.replace("/etc/git-credential-bitbucket", &home)
        })
        .collect();
    configure(&env, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(
        get(&env).stdout,
        reply("x-bitbucket-api-token-auth", "ATATT3x-token")
    );
    assert_eq!(
        env.get("protocol=https\nhost=bitbucket.org\npath=acme/other\n"),
        reply("x-token-auth", "ATCTT3x-token-of-the-workspace")
    );
    assert_eq!(server.logins(), 1);
}

#[test]
fn the_roles_for_pipelines_and_kubernetes_can_be_made() {
    let Some((env, server)) = world() else {
        return;
    };
    let key = env.home().join("key.pem");
    let mut openssl = env.command("sh");
    openssl.args([
        "-c",
        "openssl genrsa 2>/dev/null | openssl rsa -pubout 2>/dev/null",
    ]);
    fs::write(&key, run(openssl, b"").stdout).unwrap();
    // Bitbucket cannot be asked from here; of the rest nothing is changed.
    let without_network = |block: &str| {
        let discovery = "oidc_discovery_url=https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc";
        assert!(block.contains(discovery));
        block.replace(discovery, "jwt_validation_pubkeys=@key.pem")
    };
    paste(
        &env,
        &server,
        "A step of Bitbucket Pipelines",
        without_network,
    );
    let path = "auth/pipelines/role/acme-app";
    let (_, role) = server.ask("GET", path, &serde_json::Value::Null);
    assert_eq!(
        role["data"]["bound_claims"],
        json!({ "repositoryUuid": "{5ecc0000-0000-4000-8000-000000000002}" })
    );
    // Outside a cluster its certificate has to be told.
    let without_cluster = |block: &str| {
        let host = "kubernetes_host=https://kubernetes.default.svc";
        assert!(block.contains(host));
        let ca = server.ca().display().to_string();
        let more = format!("{host} kubernetes_ca_cert=@{ca} disable_local_ca_jwt=true");
        block.replace(host, &more)
    };
    paste(&env, &server, "Kubernetes", without_cluster);
}

#[test]
fn each_setting_on_the_page_is_known_to_the_program() {
    let env = TestEnv::new();
    let mut count = 0;
    for heading in [
        "Configure each machine, once",
        "An agent on the machine",
        "A step of Bitbucket Pipelines",
        "Kubernetes",
    ] {
        for block in blocks("toml", heading) {
            let block = block.replace("lookup = [\"vault\"]\n", "");
            configure(&env, &[&block.replace("[store.vault]\n", "")]);
            let doctor = env.program(&["doctor", "--json"], "");
            assert!(
                doctor.stdout.contains("has no mistake"),
                "{block}: {doctor:?}"
            );
            count += 1;
        }
    }
    assert_eq!(count, 4);
}
