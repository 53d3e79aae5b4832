//! What a release says about itself: its version in all places, what is compiled in, and how it was checked.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::manual::{files_below, read, root};
use crate::support::harness::has;
use crate::support::needs::COMMON;

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

/// A name, a version and a licence.
type Crate = (String, String, String);

#[test]
fn the_bill_of_materials_lists_what_is_compiled_in_with_versions_and_licences() {
    if !has(&["cargo-cyclonedx"]) {
        return;
    }
    let output = at_root("sh", &["tests/package.sh", "sbom"]);
    let bill: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(bill["bomFormat"], "CycloneDX");
    assert_eq!(bill["metadata"]["component"]["version"], VERSION);
    assert!(
        !output.contains(root().to_str().unwrap()),
        "a folder of here"
    );
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let listed: BTreeSet<Crate> = bill["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let licence = &it["licenses"][0]["expression"];
            assert_eq!(it["hashes"][0]["alg"], "SHA-256", "{it}");
            (text(&it["name"]), text(&it["version"]), text(licence))
        })
        .collect();
    assert_eq!(listed, compiled_in());
    assert!(listed.iter().any(|(name, ..)| name == "rustls"));
}

/// What cargo itself says of it.
fn compiled_in() -> BTreeSet<Crate> {
    let host = at_root("rustc", &["-vV"]);
    let host = host.lines().find_map(|line| line.strip_prefix("host: "));
    let words = "tree --locked --edges normal --prefix none --format {p}\t{l} --target";
    let mut words: Vec<_> = words.split(' ').collect();
    words.push(host.unwrap());
    let tree = at_root("cargo", &words);
    let crates = tree.lines().map(|line| {
        let (name, licence) = line.split_once('\t').unwrap();
        let mut words = name.split(' ');
        let (name, version) = (words.next().unwrap(), words.next().unwrap());
        let licence = licence.trim_end_matches(" (*)").replace('/', " OR ");
        let version = version.strip_prefix('v').unwrap();
        (name.to_owned(), version.to_owned(), licence)
    });
    crates
        .filter(|(name, ..)| name != "git-credential-bitbucket")
        .collect()
}

fn at_root(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    let output = command
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// So a plain `cargo test` asserts the same on each machine that can run it.
#[test]
fn without_all_the_tests_use_what_the_quick_command_installs_and_what_each_linux_has() {
    let script = read(&root().join("tests/run.sh"));
    let (_, table) = script.split_once("\nneeds=\"\n").unwrap();
    let (table, _) = table.split_once('"').unwrap();
    let installed = table.lines().map(|line| line.split_once(':').unwrap().0);
    let of_each_linux = [
        "mount", "nsenter", "setpriv", "setsid", "timeout", "unshare",
    ];
    let mut all: Vec<&str> = installed.chain(of_each_linux).collect();
    all.sort_unstable();
    assert_eq!(COMMON, all);
}

/// `.ci/run` is what CI calls; there is one quick way and one whole way, and the pages name these two.
#[test]
fn the_pages_name_the_test_commands_that_there_are() {
    let path = |name: &str| read(&root().join(name));
    assert!(path(".ci/run").ends_with("exec tests/run.sh --all\n"));
    for workflow in ["ci.yml", "release.yml"] {
        let text = path(&format!(".github/workflows/{workflow}"));
        assert!(text.contains("- run: .ci/run\n"), "{workflow}");
    }
    let usage = Command::new(root().join("tests/run.sh"))
        .arg("--fast")
        .output()
        .unwrap();
    assert_eq!(usage.status.code(), Some(2));
    let usage = String::from_utf8(usage.stderr).unwrap();
    assert_eq!(usage, "tests/run.sh: usage: tests/run.sh [--all]\n");
    for page in ["README.md", "docs/CONTRIBUTING.md", "docs/architecture.md"] {
        let text = path(page);
        assert!(text.contains("tests/run.sh --all"), "{page}");
        assert!(!text.contains("tests/run.sh --fast"), "{page}");
    }
}
