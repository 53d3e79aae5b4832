//! Where secrets are only read: mounted files, Vault.

mod environment;
mod folder;
#[cfg(target_os = "linux")]
mod vault;

use crate::support::harness::{API_TOKEN, TestEnv, reply, write_private};

/// What lies for a whole host and for one workspace, where [`API_TOKEN`] lies for `acme/app`.
pub(crate) const OF_THE_HOST: &str = "for-all";

pub(crate) const OF_THE_WORKSPACE: &str = "for-acme";

/// That a repository's secret comes before its workspace's, and that before the host's.
pub(crate) fn assert_nearest_answers(env: &TestEnv) {
    let of_the_repository = reply("x-bitbucket-api-token-auth", API_TOKEN);
    let of_the_workspace = reply("x-token-auth", OF_THE_WORKSPACE);
    let of_the_host = reply("x-token-auth", OF_THE_HOST);
    for (path, answer) in [
        ("path=Acme/App.git\n", &of_the_repository),
        ("path=Acme/App.git/info/lfs\n", &of_the_repository),
        ("path=acme/site.git\n", &of_the_workspace),
        ("path=acme-old/app\n", &of_the_host),
        ("path=acme-old/app.git\n", &of_the_host),
        ("", &of_the_host),
    ] {
        assert_eq!(&env.get_cloud(path), answer, "{path}");
    }
}

#[test]
fn a_place_that_a_url_alone_chooses_is_warned_of() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    let warned = |store: &str, path: &str| {
        let text = format!("lookup = [\"{store}\"]\n[store.{store}]\npath = {path}\n");
        write_private(&env.data().join("config.toml"), &text);
        let doctor = env.program(&["doctor", "--json"], "");
        let json: serde_json::Value = serde_json::from_str(&doctor.stdout).unwrap();
        let id = format!("lookup.{store}.path");
        let mut checks = json["checks"].as_array().unwrap().iter();
        checks.any(|check| check["id"] == *id && check["outcome"] == "warn")
    };
    assert!(warned(
        "vault",
        "[\"a/{workspace}\", \"{workspace}/{repository}\"]"
    ));
    assert!(warned("vault", "[\"/{workspace}/fixed\"]"));
    assert!(!warned(
        "vault",
        "[\"a/{workspace}\", \"{host}/{workspace}\"]"
    ));
    assert!(warned("folder", "\"/\""));
    assert!(!warned("folder", "\"/run/secrets\""));
}

#[test]
fn what_is_no_name_of_bitbucket_s_reaches_no_secret() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    env.program(&["logout", "work"], "");
    let folder = env.path().join("secrets");
    for name in [
        "..data/app",
        ".hidden/app",
        "acme/..data",
        "acme/.github",
        "acme/a b",
    ] {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, API_TOKEN).unwrap();
    }
    let text = format!(
        "lookup = [\"folder\"]\n[store.folder]\npath = \"{}\"\n",
        folder.display()
    );
    write_private(&env.data().join("config.toml"), &text);
    for (path, is_found) in [
        ("..data/app.git", false),
        (".hidden/app.git", false),
        ("acme/..data", false),
        ("acme/a b", false),
        ("acme/.github.git", true),
    ] {
        let request = format!("protocol=https\nhost=bitbucket.org\npath={path}\n");
        let outcome = env.program(&["get"], request);
        assert_eq!(
            outcome.stdout.contains(API_TOKEN),
            is_found,
            "{path}: {outcome:?}"
        );
        let name = path.strip_suffix(".git").unwrap_or(path);
        let login = env.program(
            &["login", "x", "--with-token", "--no-verify", "--for", name],
            API_TOKEN,
        );
        assert_eq!(login.status == 0, is_found, "{name}: {login:?}");
        env.program(&["logout", "x"], "");
    }
}
