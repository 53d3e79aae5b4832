//! Replays what is kept of the fuzzer's cases, without the fuzzer: `tests/fuzz/corpus/TARGET/*`.

#![expect(clippy::unwrap_used, reason = "tests: a panic is a failure")]

use std::fs;
use std::path::Path;

use git_credential_bitbucket::fuzz as targets;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 8] = [
    ("accounts", targets::accounts),
    ("config", targets::config),
    ("git_config", targets::git_config),
    ("import", targets::import),
    ("oauth", targets::oauth),
    ("request", targets::request),
    ("url", targets::url),
    ("vault", targets::vault),
];

#[test]
fn each_case_that_was_kept_passes() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for (name, target) in TARGETS {
        let mut count = 0;
        for case in fs::read_dir(corpus.join(name)).unwrap() {
            target(&fs::read(case.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 3, "'{name}' has cases");
    }
}

#[test]
fn each_target_of_the_fuzzer_is_replayed() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/targets");
    for file in fs::read_dir(targets).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(TARGETS.iter().any(|(known, _)| *known == name), "{name}");
    }
}
