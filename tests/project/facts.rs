//! What is true of Bitbucket and may change stands in `src/bitbucket/` and nowhere else.

use std::fs;
use std::path::{Path, PathBuf};

/// Names, headers, addresses and prefixes that are Bitbucket's own.
const FACTS: [&str; 22] = [
    "x-token-auth",
    "x-bitbucket-api-token-auth",
    "x-oauth-scopes",
    "x-credential-type",
    "x-ausername",
    "x-authentication-denied",
    "/site/oauth2",
    "/rest/api",
    "/rest/oauth2",
    "2.0/user\"",
    "info/refs",
    "access-tokens",
    "app-authorizations",
    "settings/api",
    "oauth-clients",
    "id.atlassian.com",
    "account/settings",
    "ATAT",
    "ATCT",
    "ATBB",
    "BBDC",
    "2026",
];

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn nothing_true_of_bitbucket_stands_outside_its_room() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut checked = 0;
    for path in files(&root) {
        if path.starts_with(root.join("bitbucket")) {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let code = source.split("#[cfg(test)]\nmod tests").next().unwrap();
        let lines = code.lines().filter(|line| {
            let line = line.trim_start();
            // Comments, and the example that a message shows.
            !line.starts_with("//") && !line.contains("git credential-bitbucket curl https://")
        });
        for line in lines {
            for fact in FACTS {
                assert!(
                    !line.to_lowercase().contains(&fact.to_lowercase()),
                    "{}: {line}",
                    path.display()
                );
            }
            checked += 1;
        }
    }
    assert!(checked > 10_000, "the test looks at something");
}
