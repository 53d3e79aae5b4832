//! The manual page says what the program has, and nothing else; the links in the documents lead somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::harness::{TestEnv, write_private};

const PAGE: &str = include_str!("../../docs/git-credential-bitbucket.1");
/// What git calls; `-h` does not list them.
const OPERATIONS: [&str; 4] = ["get", "store", "erase", "capability"];
const PREFIXES: [&str; 2] = ["BITBUCKET_", "GIT_CREDENTIAL_BITBUCKET_"];

#[test]
fn each_command_has_a_section_that_names_its_options() {
    for command in commands() {
        let section = section(&command);
        assert!(!section.is_empty(), "'{command}' has no section");
        let mut missing = &long_options(&help(&[&command])) - &long_options(&section);
        // What every command has is said once, above the sections.
        missing.remove("--help");
        assert!(
            missing.is_empty(),
            "the section of '{command}' does not name {missing:?}"
        );
    }
}

#[test]
fn each_word_that_an_option_takes_is_in_its_section() {
    let mut count = 0;
    for command in commands() {
        let section = section(&command);
        let is_between = |letter: char| !letter.is_ascii_alphanumeric() && letter != '-';
        let named: BTreeSet<&str> = section.split(is_between).collect();
        let help = help(&[&command]);
        for list in help.split("[possible values:").skip(1) {
            let words = list.split(']').next().expect("a split has a first part");
            for word in words.split(',').map(str::trim) {
                assert!(
                    named.contains(word),
                    "the section of '{command}' does not name '{word}'"
                );
                count += 1;
            }
        }
    }
    assert!(count > 8, "the test looks at something: {count}");
}

#[test]
fn each_operation_of_git_has_a_section() {
    for operation in OPERATIONS {
        assert!(!section(operation).is_empty(), "{operation}");
    }
}

#[test]
fn the_page_names_the_options_of_the_program_itself() {
    let missing = &long_options(&help(&[])) - &long_options(&page());
    assert!(missing.is_empty(), "not in the manual page: {missing:?}");
}

#[test]
fn each_option_in_the_page_exists() {
    let named = long_options(&page());
    let existing = all_options();
    let invented: Vec<&String> = named.difference(&existing).collect();
    assert!(invented.is_empty(), "no command has {invented:?}");
}

#[test]
fn each_call_in_the_documents_has_a_command_and_options_that_exist() {
    let (commands, options) = (commands(), all_options());
    for document in documents() {
        let text = read(&document);
        for call in text.split("git credential-bitbucket ").skip(1) {
            let call = call.split(['\n', '`', '\'', '|', '#', ';']).next();
            let call = call.expect("a split has a first part");
            let verb = call.split_whitespace().next().unwrap_or_default();
            assert!(
                verb.starts_with('-') || commands.iter().any(|command| command == verb),
                "'{verb}' in {} is no command",
                document.display()
            );
            for option in long_options(call) {
                assert!(
                    options.contains(&option),
                    "'{option}' in {} is no option",
                    document.display()
                );
            }
        }
    }
}

#[test]
fn each_environment_variable_in_the_source_is_in_the_page() {
    let mut found = BTreeSet::new();
    for file in files_below(&root().join("src"), "rs") {
        for line in read(&file).lines() {
            if !line.trim_start().starts_with("//") {
                found.extend(variables(line));
            }
        }
    }
    assert!(found.contains("BITBUCKET_TOKEN"), "{found:?}");
    // Debug builds alone read it, for tests.
    assert!(found.remove("GIT_CREDENTIAL_BITBUCKET_HURRY"));
    let named: BTreeSet<String> = PAGE.lines().flat_map(variables).collect();
    let missing: Vec<&String> = found.difference(&named).collect();
    assert!(missing.is_empty(), "not in the manual page: {missing:?}");
}

#[test]
fn each_environment_variable_in_the_documents_is_in_the_source() {
    let source: String = files_below(&root().join("src"), "rs")
        .iter()
        .map(|file| read(file))
        .collect();
    let mut texts: Vec<String> = documents().iter().map(|file| read(file)).collect();
    texts.push(PAGE.to_owned());
    for variable in texts.iter().flat_map(|text| variables(text)) {
        assert!(source.contains(&format!("\"{variable}\"")), "{variable}");
    }
}

#[test]
fn each_link_between_documents_leads_to_a_file_and_to_a_heading_in_it() {
    let mut count = 0;
    for document in documents() {
        for link in links(&read(&document)) {
            let (target, heading) = link.split_once('#').unwrap_or((&link, ""));
            let folder = document.parent().expect("a file lies in a folder");
            let path = match target {
                "" => document.clone(),
                target => folder.join(target),
            };
            let is_there = path.exists()
                && (heading.is_empty() || headings(&read(&path)).iter().any(|it| it == heading));
            assert!(is_there, "'{link}' in {} leads nowhere", document.display());
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}

#[test]
fn each_setting_that_the_documents_show_is_known_to_the_program() {
    let mut count = 0;
    for document in documents() {
        // Its own test knows which section its blocks are of.
        if document.ends_with("vault.md") {
            continue;
        }
        for block in read(&document).split("\n```toml\n").skip(1) {
            let block = block.split("\n```").next().expect("a first part");
            let env = TestEnv::new();
            fs::create_dir_all(env.data()).expect("a folder");
            write_private(&env.data().join("config.toml"), block);
            let said = env.program(&["status"], "").stderr;
            assert!(
                !said.contains("unknown key") && !said.contains("cannot"),
                "{}: {block}: {said}",
                document.display()
            );
            count += 1;
        }
    }
    assert!(count > 5, "{count}");
}

/// The page's text without what roff needs to print a hyphen, and with mdoc's `Fl` as the hyphen it prints.
fn page() -> String {
    PAGE.replace("\\-", "-")
        .replace("\\&", "")
        .replace("Fl ", "-")
}

/// The subsection of a command or an operation, up to the next heading; empty when there is none.
fn section(name: &str) -> String {
    let page = page();
    let heading = format!("\n.Ss {name}\n");
    let Some((_, rest)) = page.split_once(&heading) else {
        return String::new();
    };
    let ends = ["\n.Ss ", "\n.Sh "].map(|heading| rest.find(heading).unwrap_or(rest.len()));
    rest[..ends[0].min(ends[1])].to_owned()
}

/// What `-h` says of the program, or of one of its commands.
fn help(command: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_git-credential-bitbucket"))
        .args(command)
        .arg("-h")
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{command:?} -h");
    String::from_utf8(output.stdout).expect("help is text")
}

/// The commands which `-h` lists.
fn commands() -> Vec<String> {
    let help = help(&[]);
    let list = help.split("Commands:\n").nth(1).expect("a list");
    let names = list
        .lines()
        .take_while(|line| !line.is_empty())
        // A description that was broken stands further to the right.
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next());
    let names: Vec<String> = names.map(str::to_owned).collect();
    assert!(names.iter().any(|name| name == "login"), "{names:?}");
    names
}

/// The options of the program and of every command, hidden ones included.
fn all_options() -> BTreeSet<String> {
    let mut options = long_options(&help(&[]));
    let listed = commands();
    for command in listed.iter().map(String::as_str).chain(OPERATIONS) {
        options.extend(long_options(&help(&[command])));
    }
    options
}

/// Every `--word` in a text.
fn long_options(text: &str) -> BTreeSet<String> {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '-')
        .filter(|word| word.len() > 2 && word.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

/// Every environment variable of ours in a text.
fn variables(text: &str) -> BTreeSet<String> {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .filter(|word| {
            PREFIXES
                .iter()
                .any(|prefix| word.starts_with(prefix) && word.len() > prefix.len())
        })
        .map(str::to_owned)
        .collect()
}

/// The relative targets of a document's links.
fn links(text: &str) -> Vec<String> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .map(str::to_owned)
        .collect()
}

/// The headings of a document as links name them.
fn headings(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let kept =
                |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
            let name: String = line.trim_matches(['#', ' ']).chars().filter(kept).collect();
            name.to_lowercase().replace(' ', "-")
        })
        .collect()
}

/// README.md and the Markdown files below docs.
pub(crate) fn documents() -> Vec<PathBuf> {
    let mut documents = files_below(&root().join("docs"), "md");
    documents.push(root().join("README.md"));
    documents
}

pub(crate) fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
