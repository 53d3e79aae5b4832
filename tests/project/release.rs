//! What a release says about itself: its version, in all places.

use crate::manual::{files_below, read, root};

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn each_page_and_package_names_the_version_of_this_release() {
    let newest = format!("## [{VERSION}] - 20");
    let changelog = read(&root().join("docs/CHANGELOG.md"));
    let first = changelog.lines().find(|line| line.starts_with("## "));
    assert!(
        first.is_some_and(|line| line == "## [Unreleased]" || line.starts_with(&newest)),
        "{first:?}"
    );
    assert!(changelog.contains(&newest), "{VERSION} is in the changelog");

    let debian = read(&root().join("docs/packaging/debian/changelog"));
    let newest = format!("git-credential-bitbucket ({VERSION}) ");
    assert!(debian.starts_with(&newest), "{debian}");

    let fuzz = read(&root().join("tests/fuzz/Cargo.lock"));
    let own = format!("name = \"git-credential-bitbucket\"\nversion = \"{VERSION}\"\n");
    assert!(fuzz.contains(&own), "tests/fuzz/Cargo.lock");

    let mut pages = vec![
        root().join("README.md"),
        root().join("docs/packaging/README.md"),
    ];
    for ending in ["yaml", "rb"] {
        pages.extend(files_below(&root().join("docs/packaging"), ending));
    }
    let mut count = 0;
    for page in pages {
        for found in versions(&read(&page)) {
            assert_eq!(found, VERSION, "{}", page.display());
            count += 1;
        }
    }
    assert!(count > 6, "{count}");
}

/// The versions behind the program's name, in addresses of a release, and in winget's key for it.
fn versions(text: &str) -> impl Iterator<Item = &str> {
    let marks = [
        "git-credential-bitbucket-",
        "git-credential-bitbucket_",
        "/v",
        "PackageVersion: ",
    ];
    marks.into_iter().flat_map(|mark| {
        text.split(mark).skip(1).filter_map(|rest| {
            let end = rest.find(|it: char| it != '.' && !it.is_ascii_digit());
            let found = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
            (found.matches('.').count() == 2).then_some(found)
        })
    })
}
