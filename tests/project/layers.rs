//! The house rules of `src/`: nine rooms in one line, no circles inside them, one place for each dangerous thing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A room imports only from those behind it; the two of one line know nothing of each other.
const LINE: [&[&str]; 8] = [
    &["cli"],
    &["helper"],
    &["answer"],
    &["settings"],
    &["account"],
    &["bitbucket"],
    &["store", "git"],
    &["sys"],
];

/// What starts the rooms.
const FRONT: [&str; 2] = ["main.rs", "lib.rs"];

/// A file of `src/`.
struct Source {
    /// Below `src/`, with slashes.
    name: String,
    /// The path of its module: `["answer", "source", "vault"]`.
    module: Vec<String>,
    /// Without comments and unit tests: what only tests use binds nobody.
    code: String,
    lines: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources: Vec<Source> = files(&root)
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let within = path.strip_prefix(&root).unwrap();
            let names = within.with_extension("");
            let module = names.iter().map(|name| name.to_str().unwrap().to_owned());
            let code = text.split("\nmod tests {").next().unwrap();
            let code = code.lines().map(|line| {
                let is_comment = line.trim_start().starts_with("//");
                if is_comment { "" } else { line }
            });
            Source {
                name: within.to_str().unwrap().replace('\\', "/"),
                module: module.filter(|name| name != "mod").collect(),
                code: code.collect::<Vec<_>>().join("\n"),
                lines: text.lines().count(),
            }
        })
        .collect();
    assert!(sources.len() > 100, "the tests look at something");
    sources
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let within = |path: PathBuf| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    };
    paths.into_iter().flat_map(within).collect()
}

/// The position of a file's room in the line.
fn position(room: &str) -> usize {
    let position = LINE.iter().position(|rooms| rooms.contains(&room));
    position.unwrap_or_else(|| panic!("'{room}' is no room"))
}

/// The paths that a source names: `crate::a::b`, `super::b`, `self::b`, with what stands in braces after them.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    // What a module declares it may name without `self::`.
    let own = code.lines().filter_map(|line| {
        let (_, name) = line
            .split_once("mod ")
            .filter(|(start, _)| !line.starts_with(' ') && !start.contains("//"))?;
        Some(format!("{}::", name.strip_suffix(';')?))
    });
    let own: Vec<String> = own.collect();
    let starts = ["crate::", "super::", "self::"].into_iter();
    for start in starts.chain(own.iter().map(String::as_str)) {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|letter| letter.is_alphanumeric() || "_:".contains(letter)) {
                continue;
            }
            expand(&code[at..], Vec::new(), &mut paths);
        }
    }
    paths
}

/// Reads one path, or a list of them in braces; what follows it.
fn expand<'a>(mut text: &'a str, mut path: Vec<String>, paths: &mut Vec<Vec<String>>) -> &'a str {
    loop {
        let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        path.push(name.to_owned());
        let Some(behind) = rest.strip_prefix("::") else {
            paths.push(path);
            return rest;
        };
        let Some(mut list) = behind.strip_prefix('{') else {
            text = behind;
            continue;
        };
        loop {
            list = list.trim_start_matches(|letter: char| letter.is_whitespace() || letter == ',');
            if let Some(rest) = list.strip_prefix('}') {
                return rest;
            }
            let rest = expand(list, path.clone(), paths);
            assert!(rest.len() < list.len(), "a list that ends");
            // `as name`
            list = rest.trim_start_matches(|letter: char| {
                letter.is_alphanumeric() || " _".contains(letter)
            });
        }
    }
}

/// For each file the files from which it imports.
fn imports(sources: &[Source]) -> BTreeMap<&str, BTreeSet<&str>> {
    let by_module: BTreeMap<&[String], &str> = sources
        .iter()
        .map(|source| (source.module.as_slice(), source.name.as_str()))
        .collect();
    let of = |source: &Source| -> BTreeSet<&str> {
        let absolute = paths(&source.code).into_iter().map(|path| {
            let mut module = source.module.clone();
            let mut names = path.into_iter().peekable();
            while let Some(name) =
                names.next_if(|name| ["crate", "super", "self"].contains(&name.as_str()))
            {
                match name.as_str() {
                    "crate" => module.clear(),
                    "super" => {
                        module.pop();
                    }
                    _ => {}
                }
            }
            module.extend(names);
            module
        });
        let file = |module: Vec<String>| {
            let mut lengths = (1..=module.len()).rev();
            lengths
                .find_map(|length| by_module.get(&module[..length]))
                .copied()
        };
        absolute
            .filter_map(file)
            .filter(|name| *name != source.name)
            .collect()
    };
    let inside = sources
        .iter()
        .filter(|source| !FRONT.contains(&source.name.as_str()));
    inside
        .map(|source| (source.name.as_str(), of(source)))
        .collect()
}

/// The files that a file imports, and those that they import in their turn.
fn reached<'a>(
    imports: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    start: &'a str,
) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next = vec![start];
    while let Some(file) = next.pop() {
        let others = imports.get(file).into_iter().flatten();
        next.extend(others.filter(|other| reached.insert(**other)));
    }
    reached
}

#[test]
fn nothing_lies_loose_below_src() {
    for source in sources() {
        let room = source.name.split('/').next().unwrap();
        let is_known = FRONT.contains(&source.name.as_str()) || LINE.concat().contains(&room);
        assert!(is_known, "{} lies in no room", source.name);
    }
}

#[test]
fn a_room_imports_only_from_those_behind_it() {
    let sources = sources();
    let mut checked = 0;
    for (file, used) in imports(&sources) {
        let room = file.split('/').next().unwrap();
        for other in used {
            let behind = other.split('/').next().unwrap();
            assert!(
                room == behind || position(room) < position(behind),
                "{file} imports from {other}"
            );
            checked += 1;
        }
    }
    assert!(checked > 300, "the test looks at something: {checked}");
}

#[test]
fn no_files_import_from_one_another_in_a_circle() {
    let sources = sources();
    let imports = imports(&sources);
    for file in imports.keys() {
        let reached_from_here = reached(&imports, file);
        let circle = reached_from_here
            .iter()
            .filter(|other| reached(&imports, other).contains(file));
        let circle: Vec<_> = circle.collect();
        assert!(
            circle.is_empty(),
            "{file} imports itself through {circle:?}"
        );
    }
}

#[test]
fn no_file_has_more_than_450_lines_and_no_function_more_than_70() {
    for source in sources() {
        assert!(
            source.lines <= 450,
            "{} has {} lines",
            source.name,
            source.lines
        );
        let mut start = None;
        for (number, line) in source.code.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let words: Vec<&str> = line
                .split_whitespace()
                .take_while(|word| !word.contains('('))
                .collect();
            let is_function = line.contains("fn ")
                && (words.contains(&"fn")
                    || words.is_empty() && line.trim_start().starts_with("fn "));
            if is_function && start.is_none() {
                start = Some((number, indent));
            }
            if let Some((begin, at)) = start
                && indent == at
                && (line.trim_start().starts_with('}')
                    || line.trim_end().ends_with(';') && number == begin)
            {
                let length = number - begin + 1;
                assert!(
                    length <= 70,
                    "{}:{} has {length} lines",
                    source.name,
                    begin + 1
                );
                start = None;
            }
        }
    }
}

/// The variable with which a test shortens the waits of a debug build.
const HURRY: &str = "GIT_CREDENTIAL_BITBUCKET_HURRY";

#[test]
fn a_release_build_cannot_be_told_to_wait_less() {
    let sources = sources();
    let seam = sources.iter().find(|source| source.name == "sys/limit.rs");
    let code = &seam.expect("the seam of the waits").code;
    // tests/package.sh looks for the variable's name in the program that it packs.
    let (before, _) = code.split_once(HURRY).expect("the variable");
    assert!(before.contains("if !cfg!(debug_assertions) {\n        return promised;"));
    assert_eq!(code.matches("variables::text").count(), 1, "{code}");
}

#[test]
fn each_dangerous_thing_is_done_in_the_files_named_for_it() {
    let rules: [(&str, &[&str]); 7] = [
        ("Command::new(", &["sys/child.rs"]),
        ("/dev/tty", &["sys/terminal/"]),
        ("ureq::", &["sys/http.rs"]),
        ("TcpListener", &["sys/loopback.rs"]),
        ("TcpStream", &["sys/loopback.rs"]),
        ("env::var", &["sys/variables.rs"]),
        (HURRY, &["sys/limit.rs"]),
    ];
    for source in sources() {
        for (pattern, allowed) in rules {
            let is_allowed = allowed.iter().any(|place| source.name.starts_with(place));
            assert!(
                !source.code.contains(pattern) || is_allowed,
                "{} has {pattern}",
                source.name
            );
        }
    }
}
