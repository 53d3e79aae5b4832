//! The last of `cargo test`: says in one line what was skipped, and how to get it.

#![expect(clippy::print_stdout, reason = "what it prints is all it is for")]

/// The tests note what they lack in a file of this `cargo test` (`tests/it/support/needs.rs`).
#[cfg(unix)]
fn main() {
    use std::collections::BTreeSet;
    use std::path::Path;

    let name = format!("skipped-{}", std::os::unix::process::parent_id());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let Ok(notes) = std::fs::read_to_string(&path) else {
        return;
    };
    // An error means that the next `cargo test` of this number says too much.
    let _ = std::fs::remove_file(path);
    let (mut tests, mut without) = (BTreeSet::new(), BTreeSet::new());
    for note in notes.lines() {
        let mut words = note.split('\t');
        tests.extend(words.next());
        without.extend(words);
    }
    let without: Vec<_> = without.into_iter().collect();
    println!(
        "\n{} tests skipped, or a part of them, without {}: 'tests/run.sh --all' installs that and runs everything",
        tests.len(),
        without.join(", ")
    );
}

#[cfg(not(unix))]
fn main() {
    println!("\n'tests/run.sh --all' runs everything, on Linux");
}
