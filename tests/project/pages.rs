//! What the pages name exists: files, and the tests that hold what they promise.

use std::path::Path;

use crate::manual::{documents, files_below, read, root};

#[test]
fn each_file_that_a_page_names_exists() {
    let mut count = 0;
    for page in documents() {
        for path in quoted(&read(&page)).filter(|word| is_path(word)) {
            let exists = root().join(path).exists() || root().join("src").join(path).exists();
            assert!(exists, "no '{path}', which {} names", page.display());
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn each_test_that_a_page_names_exists() {
    let sources: Vec<String> = ["src", "tests"]
        .iter()
        .flat_map(|folder| files_below(&root().join(folder), "rs"))
        .map(|file| read(&file))
        .collect();
    let mut count = 0;
    for page in documents() {
        for name in quoted(&read(&page)).filter(|word| is_test(word)) {
            let found = sources.iter().any(|source| has_test(source, name));
            assert!(found, "'{name}' in {} is no test", page.display());
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

/// What stands between backticks on one line.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

fn has_test(source: &str, name: &str) -> bool {
    let Some((before, _)) = source.split_once(&format!("fn {name}()")) else {
        return false;
    };
    let lines = before.lines().rev().map(str::trim);
    let attributes = lines.skip_while(|line| line.is_empty());
    attributes
        .take_while(|line| line.starts_with("#["))
        .any(|line| line == "#[test]")
}

/// A path of ours; `NAME` in one stands for any name.
fn is_path(word: &str) -> bool {
    let ours = word.starts_with("src/") || word.starts_with("tests/");
    let source = word.contains('/') && has_extension(word, "rs");
    (ours || source) && !word.contains([' ', '*']) && !word.contains(|it: char| it.is_uppercase())
}

fn has_extension(word: &str, extension: &str) -> bool {
    Path::new(word)
        .extension()
        .is_some_and(|found| found == extension)
}

/// A sentence of five words and more.
fn is_test(word: &str) -> bool {
    let letter = |it: char| it == '_' || it.is_ascii_lowercase() || it.is_ascii_digit();
    word.matches('_').count() > 3 && word.chars().all(letter)
}
