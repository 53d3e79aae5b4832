//! Each hint of the catalogue of messages is followed as it is printed, in the situation that printed it.
//!
//! Behind an answer that says what to do stands what a reader does then, one line for each hint:
//!
//! - `> mends: SCRIPT`: after this script the same command, typed again, no more prints the hint.
//! - `> signs in: SCRIPT`: the same, where the script asks at a terminal and a person answers.
//! - `> then: COMMAND`: in place of the same command, this one succeeds after the script, and does not print the hint.
//! - `> works: SCRIPT`: this script is what to type in place of the command. It succeeds, and does not print the hint.
//! - `> passes: SCRIPT`: the same, but what comes next may fail for another reason.
//! - `> act: REASON`: what to do is no command.
//!
//! In a script `{hint}` is the first command in quotes that the answer names, word for word, and `{hint2}` the second one;
//! `{hint ADDRESS=ada@example.com}` has a placeholder filled in. `{typed}` is the command of the step, `{token}` a token,
//! and `{sign in}` makes the account `work`. Whoever follows a hint reaches Bitbucket: a stand-in.
//!
//! `HINTS=edit cargo test --test it -- hints` tries the files with `edit` in their names.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::catalogue::{Step, answer, files, hints, session, shell, steps};
use crate::support::harness::{TestEnv, has};
use crate::support::stand_in::{Credential, StandIn};
use crate::support::terminal::Terminal;

const TOKEN: &str = "ATATT3xFfGF0catalogue-of-messages-00000000000=0A1B2C3D";

/// The commands in quotes, word for word, each with the line that names it.
fn commands(answer: &str) -> Vec<(String, String)> {
    let mut commands = Vec::new();
    for hint in hints(answer) {
        let mut rest = hint.as_str();
        let start_in = |text: &str| {
            let starts = ["'git ", "'chmod "].iter();
            starts.filter_map(|start| text.find(start)).min()
        };
        while let Some(start) = start_in(rest) {
            rest = &rest[start + 1..];
            // The quotes within a command come in pairs, but for those that are escaped, and the last one ends a word.
            let is_end = |place: &usize| {
                let quotes = rest[..*place].replace("\\'", "").matches('\'').count();
                let next = &rest[place + 1..];
                let goes_on = next.strip_prefix(' ').map_or(next, |word| word);
                quotes.is_multiple_of(2)
                    && (next.is_empty()
                        || next.starts_with([',', ';', ':', '?', ')'])
                        || next.starts_with(' ')
                            && goes_on.starts_with(|it: char| it.is_ascii_lowercase()))
            };
            let mut ends = rest.match_indices('\'').map(|(place, _)| place);
            let end = ends.find(is_end).expect("the end of a command");
            commands.push((rest[..end].to_owned(), hint.clone()));
            rest = &rest[end + 1..];
        }
    }
    commands
}

/// A script with what stands in braces filled in, and the hint from which it comes.
fn filled(script: &str, step: &Step, answer: &str) -> Result<(String, Option<String>), String> {
    let commands = commands(answer);
    let mut text = String::new();
    let mut hint = None;
    let mut rest = script;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}').expect("a closing brace");
        let mut words = name.split(' ');
        let mut part = match (name, words.next()) {
            ("typed", _) => step.typed.clone(),
            ("token", _) => TOKEN.to_owned(),
            ("sign in", _) => format!(
                "printf {TOKEN} | git credential-bitbucket login --no-verify --store file --with-token work \
                 --email ada@example.com"
            ),
            (_, Some(word)) if word.starts_with("hint") => {
                let number = word["hint".len()..].parse().unwrap_or(1_usize);
                let command = commands.get(number - 1);
                let (command, line) = command.ok_or("it names no such command")?;
                hint = Some(line.clone());
                command.clone()
            }
            _ => format!("{{{name}}}"),
        };
        for word in words.filter(|_| hint.is_some()) {
            let (placeholder, value) = word.split_once('=').expect("PLACEHOLDER=VALUE");
            if !part.contains(placeholder) {
                return Err(format!("there is no {placeholder} in '{part}'"));
            }
            part = part.replace(placeholder, value);
        }
        text += before;
        text += &part;
        rest = behind;
    }
    Ok((text + rest, hint))
}

/// Runs a script at a terminal, where a person answers what it asks; `None` without one.
fn at_a_terminal(env: &TestEnv, script: &str, online: &[(&str, String)]) -> Option<Outcome> {
    const ANSWERS: [(&str, &str); 6] = [
        ("Token for bitbucket.org (it will not show):", TOKEN),
        (
            "Token for example.com (it will not show):",
            "BBDC-catalogue-0000000000000000000000000000",
        ),
        ("E-mail of your Atlassian account", "ada@example.com"),
        ("User name (Enter if", "ada"),
        ("Expiry date, YYYY-MM-DD", ""),
        ("[y/N]", "y"),
    ];
    let terminal = Terminal::open(env)?;
    // The shell of the terminal reads it from a file, whatever quotes are in it.
    let file = env.path().join("script");
    let variables = online.iter();
    let variables = variables.map(|(name, value)| format!("export {name}='{value}'\n"));
    fs::write(&file, variables.collect::<String>() + script).unwrap();
    terminal.types_anew(&format!("sh {}; echo en''ded $?", file.display()));
    let mut answered = [0; ANSWERS.len()];
    let start = Instant::now();
    loop {
        let screen = terminal.screen();
        if let Some((said, status)) = screen.rsplit_once("ended ") {
            let stdout = said.to_owned();
            let status = status.split_whitespace().next();
            let status = status.and_then(|status| status.parse().ok());
            return Some((status.unwrap_or(-1), stdout));
        }
        for ((prompt, reply), answered) in ANSWERS.iter().zip(&mut answered) {
            if screen.matches(prompt).count() > *answered {
                *answered += 1;
                terminal.types(reply);
            }
        }
        assert!(
            start.elapsed() < Duration::from_secs(90),
            "{script}:\n{screen}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Exit status, and all that was said.
type Outcome = (i32, String);

/// Follows what an answer says, in an environment in which all steps ran.
fn follow(env: &TestEnv, step: &Step, told: &str, online: &[(&str, String)]) -> Result<(), String> {
    let mut follows = step.follows.iter().peekable();
    while let Some(line) = follows.next() {
        let (verb, script) = line.split_once(": ").ok_or("a line without a verb")?;
        if verb == "act" {
            continue;
        }
        let (script, hint) = filled(script, step, told)?;
        let followed = hint.map_or_else(|| hints(told), |hint| vec![hint]);
        let is_gone = |said: &str| {
            let left = hints(said);
            match followed.iter().find(|hint| left.contains(hint)) {
                Some(hint) => Err(format!("after '{script}' there is still '{hint}': {said}")),
                None => Ok(()),
            }
        };
        env.forget_what_was_said();
        let outcome = if verb == "signs in" {
            let Some(outcome) = at_a_terminal(env, &script, online) else {
                continue;
            };
            outcome
        } else {
            let outcome = shell(env, &script, online);
            (outcome.status, outcome.stdout)
        };
        if outcome.0 != 0 && verb != "passes" {
            return Err(format!("'{script}' fails: {outcome:?}"));
        }
        env.forget_what_was_said();
        let then = follows.next_if(|line| line.starts_with("then: "));
        match (verb, then) {
            ("works" | "passes", _) => is_gone(&outcome.1)?,
            (_, Some(then)) => {
                let then = shell(env, &then["then: ".len()..], &[]);
                if then.status != 0 {
                    return Err(format!("after '{script}': {then:?}"));
                }
                is_gone(&then.stdout)?;
            }
            _ => is_gone(&answer(&shell(env, &step.typed, &[])))?,
        }
    }
    Ok(())
}

/// Follows the hints of one file, each in the situation that printed it.
fn follow_all(text: &str, online: &[(&str, String)]) -> Vec<String> {
    let env = session();
    let mut wrong = Vec::new();
    for step in steps(text) {
        let told = answer(&shell(&env, &step.typed, &[]));
        if step.follows.iter().all(|line| line.starts_with("act: ")) {
            continue;
        }
        // The next step finds what this one left, not what was done about its hints.
        let before = Copy::of(&env);
        if let Err(error) = follow(&env, &step, &told, online) {
            wrong.push(format!(
                "{}$ {}\n{told}{error}\n",
                step.comments, step.typed
            ));
        }
        before.restore(&env);
    }
    wrong
}

/// All that lies in an environment at a moment.
struct Copy(tempfile::TempDir);

impl Copy {
    fn of(env: &TestEnv) -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        Self::all(env, env.path(), copy.0.path());
        copy
    }

    fn restore(self, env: &TestEnv) {
        for entry in fs::read_dir(env.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
        Self::all(env, self.0.path(), env.path());
    }

    /// With links, modes and times.
    fn all(env: &TestEnv, from: &Path, to: &Path) {
        let mut copy = env.command("cp");
        copy.current_dir("/").arg("-a").arg(from.join(".")).arg(to);
        assert!(copy.status().unwrap().success());
    }
}

#[test]
fn each_hint_works_as_it_is_printed() {
    // Some are followed at a terminal, and later steps need what that made.
    if !has(&["tmux"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let stand_in = StandIn::start(folder.path()).unwrap();
    stand_in.allow(Credential::api_token(TOKEN));
    stand_in.consumer("KEY", "catalogue").private();
    stand_in.repository("acme/app");
    let online = stand_in.environment();
    let wanted = std::env::var("HINTS").unwrap_or_default();
    let mut files = files();
    files.retain(|(path, _)| path.display().to_string().contains(&wanted));
    let follow = |(path, text): &(PathBuf, String)| -> Vec<String> {
        let wrong = follow_all(text, &online).into_iter();
        let at = path.display();
        wrong.map(|what| format!("{at}: {what}")).collect()
    };
    let wrong: Vec<String> = thread::scope(|threads| {
        let workers: Vec<_> = files
            .iter()
            .map(|file| threads.spawn(|| follow(file)))
            .collect();
        let wrong = workers.into_iter().map(|worker| worker.join().unwrap());
        wrong.flatten().collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
