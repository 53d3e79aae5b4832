//! The page of dependencies names each crate that `Cargo.toml` names, and no other one.

use std::collections::BTreeSet;

use toml::Table;

const MANIFEST: &str = include_str!("../../Cargo.toml");
const PAGE: &str = include_str!("../../docs/dependencies.md");

/// The names in all tables of dependencies, at whatever depth.
fn named(table: &Table, names: &mut BTreeSet<String>) {
    for (key, value) in table {
        let Some(inner) = value.as_table() else {
            continue;
        };
        if key.ends_with("dependencies") {
            names.extend(inner.keys().cloned());
        } else {
            named(inner, names);
        }
    }
}

#[test]
fn each_dependency_has_its_reason_and_no_reason_is_left_over() {
    let mut wanted = BTreeSet::new();
    named(&MANIFEST.parse().unwrap(), &mut wanted);
    assert!(wanted.len() > 20, "{wanted:?}");
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
    let explained: BTreeSet<String> = rows
        .map(|row| row.split('`').next().unwrap().to_owned())
        .collect();
    assert_eq!(explained, wanted);
}
