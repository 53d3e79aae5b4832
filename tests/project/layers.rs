//! The house rule of `src/`: a module imports only from lines above its own.

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up; modules of one line may use one another.
const LAYERS: [&[&str]; 10] = [
    &["child", "error", "secret", "file", "process", "trace"],
    &["bytes", "context", "git_config", "protocol", "remote"],
    &["bitbucket", "scope"],
    &["store"],
    &[
        "account",
        "accounts",
        "config",
        "environment",
        "fields",
        "folder",
        "grant",
        "identity",
        "locations",
        "policy",
        "refusal",
        "rejection",
        "state",
    ],
    &["browser", "git", "quiet", "terminal"],
    &["http", "loopback", "oauth", "route", "vault"],
    &[
        "elsewhere",
        "matching",
        "lookup",
        "probe",
        "renewal",
        "shortlist",
    ],
    &["check", "first_contact", "helper", "import"],
    &["command", "cli"],
];

/// Stores know nothing of git or hosts.
const STORES_KNOW: [&str; 5] = ["child", "error", "secret", "file", "store"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .flat_map(|path| {
            if path.is_dir() {
                sources(&path)
            } else {
                vec![path]
            }
        })
        .collect();
    files.sort();
    files
}

/// The top modules that a source names.
fn used(source: &str) -> Vec<&str> {
    let names = source.split("crate::").skip(1);
    names
        .map(|rest| {
            rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .next()
                .unwrap()
        })
        .collect()
}

fn layer(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&module))
        .unwrap_or_else(|| panic!("'{module}' has no layer"))
}

#[test]
fn each_module_imports_only_from_its_own_layer_or_below() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut checked = 0;
    for path in sources(&root) {
        let within = path.strip_prefix(&root).unwrap().with_extension("");
        let module = within.iter().next().unwrap().to_str().unwrap().to_owned();
        // What the program and the fuzzer start with.
        if ["main", "lib", "targets"].contains(&module.as_str()) {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        // What only tests use binds nobody.
        let source = source.split("#[cfg(test)]\nmod tests").next().unwrap();
        for name in used(source) {
            assert!(
                layer(name) <= layer(&module),
                "{}: {module} uses {name}",
                path.display()
            );
            if module == "store" {
                assert!(
                    STORES_KNOW.contains(&name),
                    "{}: a store uses {name}",
                    path.display()
                );
            }
            checked += 1;
        }
    }
    assert!(checked > 50, "the test looks at something");
}

#[test]
fn the_page_on_how_it_is_built_has_each_room_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let rooms = page.split("| Room |").nth(1).unwrap();
    let rooms = rooms
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = rooms.map(|line| line.split('|').nth(1).unwrap());
    let mut named: Vec<&str> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(|room| room.trim_end_matches('/'))
        .collect();
    let mut modules: Vec<&str> = LAYERS.concat();
    named.sort_unstable();
    modules.sort_unstable();
    assert_eq!(named, modules);
}

#[test]
fn only_the_modules_named_for_it_start_git_open_the_terminal_or_read_the_environment() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let starters = [
        "git/",
        "browser.rs",
        "command/curl.rs",
        "store/exec.rs",
        "vault/own_token.rs",
    ];
    let rules: [(&str, &[&str]); 3] = [
        ("Command::new(", &starters),
        ("/dev/tty", &["terminal.rs"]),
        ("ureq::", &["http.rs"]),
    ];
    for path in sources(&root) {
        let source = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
        for (pattern, allowed) in rules {
            let is_allowed = allowed.iter().any(|place| name.starts_with(place));
            assert!(
                !source.contains(pattern) || is_allowed,
                "{name} has {pattern}"
            );
        }
    }
}
