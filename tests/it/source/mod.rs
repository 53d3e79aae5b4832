//! Where secrets are only read: mounted files, Vault.

mod environment;
mod folder;
#[cfg(target_os = "linux")]
mod vault;

use crate::support::harness::{API_TOKEN, TestEnv, reply};

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
