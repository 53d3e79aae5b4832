//! Ways past us: secrets in URLs, netrc, headers of git's own.

use super::{assert_starts, config, doctor, finding, found};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, TestEnv, write_private};

#[test]
fn secrets_in_urls_are_found_wherever_git_takes_urls_from() {
    let env = TestEnv::new();
    env.git_succeeds(&["init", "-q", "."]);
    let set = |key: &str, value: &str| {
        env.git_succeeds(&["config", "--add", key, value]);
    };
    set(
        "remote.harmless.url",
        "https://ada@bitbucket.org/acme/site.git",
    );
    set(
        "remote.elsewhere.url",
        "https://ada:canary@github.com/acme/site.git",
    );
    set("remote.ssh.url", "git@bitbucket.org:acme/site.git");
    assert_starts(&finding(&env, "secret-in-url"), "pass: ");

    set(
        "remote.origin.url",
        &format!("https://x-token-auth:{ACCESS_TOKEN}@bitbucket.org/acme/site.git"),
    );
    set(
        "remote.fork.pushurl",
        &format!("https://{API_TOKEN}@bitbucket.org:443/acme/fork.git"),
    );
    set(
        &format!("url.https://u:{API_TOKEN}@bitbucket.org/.insteadOf"),
        "bb:",
    );
    set(
        "submodule.x.url",
        "http://u:canary@BitBucket.org/acme/x.git",
    );
    assert_eq!(
        found(&doctor(&env, &[]).1, "secret-in-url"),
        [
            "fail: 'remote.origin.url' in '.git/config' holds a secret for bitbucket.org; fix: \
             'git credential-bitbucket scrub', and revoke the secret",
            "fail: 'remote.fork.pushurl' in '.git/config' holds a secret for bitbucket.org; fix: \
             'git credential-bitbucket scrub', and revoke the secret",
            "fail: 'url.https://***@bitbucket.org/.insteadof' in '.git/config' holds a secret for bitbucket.org; fix: \
             'git credential-bitbucket scrub', and revoke the secret",
            "fail: 'submodule.x.url' in '.git/config' holds a secret for bitbucket.org; fix: \
             'git credential-bitbucket scrub', and revoke the secret",
        ]
    );

    let key = format!("url.https://u:{API_TOKEN}@bitbucket.org/.insteadOf");
    config(&env, &key, "bb:");
    let all = found(&doctor(&env, &[]).1, "secret-in-url").join("\n");
    assert!(
        all.contains("fix: 'git credential-bitbucket scrub --global', and revoke"),
        "{all}"
    );
}

#[test]
fn a_netrc_entry_for_our_hosts_is_named_with_its_line() {
    let env = TestEnv::new();
    let netrc = env.home().join(".netrc");
    let with = |text: &str| {
        write_private(&netrc, text);
        found(&doctor(&env, &[]).1, "netrc")
    };
    assert_starts(
        &with("machine github.com login u password canary\n")[0],
        "pass: ",
    );
    let entry = with("# mine\nmachine bitbucket.org\n  login u\n  password canary\n");
    assert_starts(
        &entry[0],
        &format!(
            "warn: '{}' has an entry for bitbucket.org in line 2; git uses it",
            netrc.display()
        ),
    );
    assert!(with("default login u password canary\n")[0].contains("a 'default' entry"));
}

#[test]
fn an_authorization_among_the_extra_headers_is_found_without_being_shown() {
    let env = TestEnv::new();
    let id = "extra-header";
    config(&env, "http.extraHeader", "X-Trace: canary");
    config(
        &env,
        "http.https://github.com/.extraHeader",
        "AUTHORIZATION: basic canary",
    );
    assert_starts(&finding(&env, id), "pass: ");
    config(
        &env,
        "http.https://bitbucket.org/.extraHeader",
        "Authorization: Bearer canary",
    );
    let file = env.git_config().display().to_string();
    assert_starts(
        &finding(&env, id),
        &format!(
            "warn: 'http.https://bitbucket.org/.extraheader' in '{file}' sends an Authorization header to bitbucket.org"
        ),
    );
    config(&env, "http.extraHeader", "authorization: Basic canary");
    let both = found(&doctor(&env, &[]).1, id).join("\n");
    assert!(both.contains("fail: 'http.extraheader' in '"), "{both}");
    assert!(
        both.contains("sends an Authorization header to every host"),
        "{both}"
    );
}

#[test]
fn lfs_access_has_to_be_basic() {
    let env = TestEnv::new();
    let key = "lfs.https://bitbucket.org/acme/site.git/info/lfs.access";
    config(&env, key, "basic");
    config(
        &env,
        "lfs.https://github.com/acme/site.git/info/lfs.access",
        "ntlm",
    );
    assert_starts(&finding(&env, "lfs-access"), "pass: ");
    env.git_succeeds(&["config", "--global", key, "negotiate"]);
    let warning = finding(&env, "lfs-access");
    assert!(
        warning.ends_with(&format!("; fix: 'git config --global {key} basic'")),
        "{warning}"
    );
}

#[test]
fn credentials_in_urls_should_be_refused_by_git() {
    let env = TestEnv::new();
    let id = "credentials-in-url";
    let warning = finding(&env, id);
    assert!(
        warning.ends_with("; fix: 'git credential-bitbucket setup --guard'"),
        "{warning}"
    );
    config(&env, "transfer.credentialsInUrl", "die");
    assert_starts(&finding(&env, id), "pass: ");
}
