//! What the release is made from: nothing unpinned goes unnoticed.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::recipes::{assert_schema, blocks, root, yaml};
use crate::support::harness::{Outcome, TestEnv, run};

const MARK: &str = "# pin";

fn pins(env: &TestEnv, folder: &Path) -> Outcome {
    let mut command = env.command("sh");
    command.arg(root().join("tests/pins.sh")).arg(folder);
    run(command, b"")
}

/// The release's jobs all wait for the one that looks for marks before it does anything else.
#[test]
fn a_release_looks_for_marks_first() {
    let env = TestEnv::new();
    let text = read(".github/workflows/release.yml");
    let Some(workflow) = yaml(&env, &text) else {
        return;
    };
    let jobs = workflow[0]["jobs"].as_object().unwrap();
    let steps = jobs["check"]["steps"].as_array().unwrap();
    let runs: Vec<_> = steps
        .iter()
        .filter_map(|step| step["run"].as_str())
        .collect();
    assert_eq!(runs[0], "tests/pins.sh");
    for (name, job) in jobs {
        assert!(name == "check" || !job["needs"].is_null(), "{name}");
    }
}

/// The files right in a folder of the project.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Whether a line names an action or an image by a commit or a digest, or one that lies in the project or is the
/// reader's own.
fn is_pinned(reference: &str) -> bool {
    let hash = reference.rsplit(['@', ':']).next().unwrap();
    let hexadecimal = hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    reference.starts_with("./")
        || reference.contains("git-with-bitbucket")
        || (reference.contains('@') && hexadecimal && [40, 64].contains(&hash.len()))
}

/// What a line fetches: an action, or an image.
fn fetched(line: &str) -> Option<&str> {
    let line = line.trim_start().trim_start_matches("- ");
    ["uses:", "image:", "container:", "FROM "]
        .iter()
        .find_map(|key| line.strip_prefix(key))
        .map(|rest| rest.split(" #").next().unwrap().trim())
        .filter(|reference| !reference.is_empty())
}

/// The lines that fetch something by a name that can change, and do not say so. A Dockerfile takes no comment behind
/// `FROM`, so that the mark is the line before.
fn unmarked(text: &str) -> Vec<&str> {
    let mut before = "";
    let mut found = Vec::new();
    for line in text.lines() {
        let marked = line.ends_with(&format!(" {MARK}")) || before == MARK;
        if fetched(line).is_some_and(|reference| !is_pinned(reference)) && !marked {
            found.push(line);
        }
        before = line;
    }
    found
}

#[test]
fn a_mark_is_listed_with_its_place_and_stops_the_release() {
    let env = TestEnv::new();
    let folder = env.path().join("tree");
    fs::create_dir_all(folder.join(".github/workflows")).unwrap();
    fs::create_dir_all(folder.join("target")).unwrap();
    fs::write(folder.join("target/old.yml"), format!("x {MARK}\n")).unwrap();
    let workflow = folder.join(".github/workflows/ci.yml");
    let pinned = format!("- uses: actions/checkout@{} # v4\n", "0a".repeat(20));
    fs::write(&workflow, format!("{pinned}# {MARK}ned\n")).unwrap();
    let outcome = pins(&env, &folder);
    assert_eq!((outcome.status, &outcome.stdout[..]), (0, ""));

    for mark in [
        format!("x@v4 {MARK}"),
        format!("x@v4 {MARK}\r"),
        MARK.into(),
    ] {
        fs::write(&workflow, format!("{pinned}{mark}\n")).unwrap();
        let outcome = pins(&env, &folder);
        assert_eq!(outcome.status, 1, "{outcome:?}");
        let place = ".github/workflows/ci.yml:2:";
        assert!(outcome.stdout.contains(place), "{outcome:?}");
        assert_eq!(outcome.stdout.lines().count(), 1, "{outcome:?}");
    }
    assert_eq!(pins(&env, &folder.join("nowhere")).status, 2);
}

#[test]
fn the_marks_of_this_project_are_those_in_workflows_and_pages() {
    let outcome = pins(&TestEnv::new(), root());
    for line in outcome.stdout.lines() {
        assert!(
            line.starts_with("./.github/workflows/") || line.starts_with("./docs/ci/"),
            "{line}"
        );
    }
    assert_eq!(outcome.status == 1, !outcome.stdout.is_empty());
}

#[test]
fn what_is_fetched_by_a_name_that_can_change_is_marked() {
    for (line, expected) in [
        ("      - uses: actions/checkout@v4", false),
        ("      - uses: actions/checkout@v4 # pin", true),
        ("  - uses: ./own", true),
        ("    container: rust:1-bookworm", false),
        ("FROM debian:bookworm-slim", false),
        ("# pin\nFROM debian:bookworm-slim", true),
        ("# pin\n\nFROM debian:bookworm-slim", false),
    ] {
        assert_eq!(unmarked(line).is_empty(), expected, "{line}");
    }
    let commit = format!("- uses: x@{} # v4", "0a".repeat(20));
    let digest = format!("FROM x@sha256:{}", "0a".repeat(32));
    assert!(unmarked(&commit).is_empty() && unmarked(&digest).is_empty());

    let recipe = &blocks("docker-build.md", "dockerfile")[0];
    assert!(recipe.starts_with("# pin\nFROM debian:"), "{recipe}");
    let mut checked = 0;
    for path in [files(".github/workflows"), files("docs/ci")].concat() {
        let text = fs::read_to_string(&path).unwrap();
        let found = unmarked(&text);
        assert!(found.is_empty(), "{}: {found:?}", path.display());
        checked += text.lines().filter_map(fetched).count();
    }
    assert!(checked > 10, "the test looks at something");
}

#[test]
fn no_page_lets_git_trust_every_folder() {
    for path in [files("docs/ci"), files(".github/workflows")].concat() {
        for line in fs::read_to_string(&path).unwrap().lines() {
            let trusts = line.split("safe.directory").nth(1);
            assert!(!trusts.is_some_and(|rest| rest.contains('*')), "{line}");
        }
    }
}

/// Every workflow: those of the project, and the one that a page shows. With its name.
fn workflows() -> Vec<(String, String)> {
    let own = files(".github/workflows").into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        (path.display().to_string(), text)
    });
    let shown = blocks("github-actions.md", "yaml");
    own.chain(shown.into_iter().map(|text| ("the page".to_owned(), text)))
        .collect()
}

fn steps(job: &Value) -> &[Value] {
    job["steps"].as_array().unwrap()
}

fn uses(step: &Value, action: &str) -> bool {
    step["uses"]
        .as_str()
        .is_some_and(|name| name.starts_with(&format!("{action}@")))
}

#[test]
fn a_workflow_may_read_and_keeps_no_credential() {
    let env = TestEnv::new();
    for (name, text) in workflows() {
        assert_schema(&env, "vendor.github-workflows", &text);
        let Some(workflow) = yaml(&env, &text) else {
            return;
        };
        assert_eq!(
            workflow[0]["permissions"],
            json!({"contents": "read"}),
            "{name}"
        );
        for job in workflow[0]["jobs"].as_object().unwrap().values() {
            for step in steps(job)
                .iter()
                .filter(|step| uses(step, "actions/checkout"))
            {
                assert_eq!(step["with"]["persist-credentials"], json!(false), "{name}");
            }
        }
    }
}

#[test]
fn a_pull_request_of_a_fork_gets_no_secret() {
    for (name, text) in workflows() {
        // Both run with the project's own rights, on what a stranger has written.
        for trigger in ["pull_request_target", "workflow_run"] {
            assert!(!text.contains(trigger), "{name}: {trigger}");
        }
        if text.contains("pull_request") {
            for secret in ["secrets", "github.token", "GITHUB_TOKEN", "write"] {
                assert!(!text.contains(secret), "{name}: {secret}");
            }
        }
    }
}

/// What may sign may not publish, and neither fetches or runs what was built.
#[test]
fn a_job_that_may_write_has_one_right_and_runs_nothing_of_the_project() {
    let env = TestEnv::new();
    let text = read(".github/workflows/release.yml");
    let Some(workflow) = yaml(&env, &text) else {
        return;
    };
    let jobs = workflow[0]["jobs"].as_object().unwrap();
    let rights: Vec<_> = jobs
        .iter()
        .filter(|(_, job)| !job["permissions"].is_null())
        .map(|(name, job)| (&name[..], job["permissions"].clone()))
        .collect();
    let expected = [
        (
            "attest",
            json!({"attestations": "write", "id-token": "write"}),
        ),
        ("release", json!({"contents": "write"})),
    ];
    assert_eq!(rights, expected);
    for (name, _) in expected {
        let steps = steps(&jobs[name]);
        assert!(
            !steps.iter().any(|step| uses(step, "actions/checkout")),
            "{name}"
        );
    }
    let attest = steps(&jobs["attest"]);
    let step = attest
        .iter()
        .find(|step| uses(step, "actions/attest-build-provenance"));
    let subjects = step.unwrap()["with"]["subject-path"].as_str().unwrap();
    assert_eq!(subjects, "files/*.tar.gz\nfiles/*.deb\nfiles/*.zip\n");
    assert_eq!(
        jobs["release"]["needs"], "attest",
        "nothing unsigned is released"
    );
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

#[test]
fn one_rust_builds_the_release_and_one_is_the_oldest() {
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = "));
    let channel = channel.unwrap().trim_matches('"');
    let numbers: Vec<u32> = channel
        .split('.')
        .map(|part| part.parse().unwrap())
        .collect();
    let oldest = env!("CARGO_PKG_RUST_VERSION");
    let wanted: Vec<u32> = oldest
        .split('.')
        .map(|part| part.parse().unwrap())
        .collect();
    assert!(numbers.len() == 3 && numbers >= wanted, "{channel}");

    let (ci, release) = (
        read(".github/workflows/ci.yml"),
        read(".github/workflows/release.yml"),
    );
    let image = format!("container: rust:{channel}-");
    assert!(
        release.contains(&image),
        "the Debian package is built with it too"
    );
    for text in [&ci, &release] {
        for floating in ["rustup update", "rustup default", "-latest"] {
            assert!(!text.contains(floating), "{floating}");
        }
    }
    for command in ["rustup toolchain install", "cargo"] {
        let separator = if command == "cargo" { " +" } else { " " };
        let line = format!("{command}{separator}{oldest}.0 ");
        assert!(ci.contains(&line), "{line}");
    }
    let (minor, _) = channel.rsplit_once('.').unwrap();
    let said = format!("Oldest Rust: {oldest}, declared in `Cargo.toml` and checked by CI's job");
    let readme = read("README.md").replace('\n', " ");
    assert!(readme.contains(&said) && readme.contains(&format!("Rust {minor}")));
}

#[test]
fn the_page_for_reports_names_a_private_way_a_time_and_the_limits() {
    let page = read("docs/SECURITY.md");
    for part in [
        "Report a\nvulnerability",
        "within 3 working days",
        "## Supported versions",
        "## In scope",
        "## Out of scope",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let packaging = read("docs/packaging/README.md");
    assert!(packaging.contains("The workflow and this command have **not been run**"));
}
