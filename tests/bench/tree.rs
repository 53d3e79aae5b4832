//! `scrub` over a tree of repositories, and what git needs to list their configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::contender::Contender;
use crate::row::{Entries, Helper, Operation, REPOSITORIES, Row};
use crate::session::Session;

const ROUNDS: usize = 5;
const TOKEN: &str = "ATCTT3xFfGN0bench-access-token-0000000000000000=0A1B2C3D";
const GIT: &str = "for folder in \"$1\"/*; do git -C \"$folder\" config --list; done";

pub(crate) fn contenders(
    session: &Session,
    builds: &[(Helper, PathBuf)],
) -> Result<Vec<Contender>> {
    let tree = session.folder.join("tree");
    let home = session.folder.join("tree-home");
    build(session, &tree)?;
    let start = |helper, program: &Path, operation| {
        let row = Row {
            helper,
            operation,
            entries: Entries::Repositories,
        };
        let (tree, fresh) = (tree.clone(), home.clone());
        Contender::new(row, program, session.environment())
            .env("GIT_CREDENTIAL_BITBUCKET_HOME", &home)
            .rounds(ROUNDS)
            .prepare(move || {
                forget_all(&fresh)?;
                put_tokens_in(&tree)
            })
    };
    let mut contenders = Vec::new();
    for (helper, program) in builds {
        let scrub = start(*helper, program, Operation::Scrub).arg("scrub");
        let look = start(*helper, program, Operation::ScrubDryRun).arg("scrub");
        contenders.push(look.arg("--dry-run").arg(&tree));
        contenders.push(scrub.arg(&tree));
    }
    let git = start(Helper::GitConfig, Path::new("/bin/sh"), Operation::Nothing);
    contenders.push(git.arg("-ec").arg(GIT).arg("sh").arg(&tree));
    for contender in &contenders {
        contender.answer()?;
    }
    Ok(contenders)
}

/// Repositories of a few files with a commit each.
fn build(session: &Session, tree: &Path) -> Result<()> {
    let script = "
        git init -q -b main \"$1/0\" && cd \"$1/0\"
        for file in 1 2 3 4 5 6 7 8; do seq 400 >$file; done
        git add . && git -c user.name=a -c user.email=a@example.com commit -qm first
        repository=1
        while [ $repository -lt $2 ]; do cp -r . ../$repository; repository=$((repository + 1)); done";
    let status = Command::new("sh")
        .env_clear()
        .envs(session.environment())
        .args(["-ec", script, "sh"])
        .arg(tree)
        .arg(REPOSITORIES.to_string())
        .stdin(Stdio::null())
        .status()
        .context("cannot run 'sh'")?;
    ensure!(status.success(), "no repositories could be made");
    Ok(())
}

/// An empty folder of the program.
fn forget_all(home: &Path) -> Result<()> {
    if home.exists() {
        fs::remove_dir_all(home)?;
    }
    fs::create_dir(home)?;
    fs::write(home.join("config.toml"), "[store]\ndefault = 'file'\n")?;
    Ok(())
}

fn put_tokens_in(tree: &Path) -> Result<()> {
    for number in 0..REPOSITORIES {
        let config = format!(
            "[core]\n\trepositoryformatversion = 0\n\tbare = false\n[remote \"origin\"]\n\t\
             url = https://x-token-auth:{TOKEN}@bitbucket.org/acme/r{number}.git\n\t\
             fetch = +refs/heads/*:refs/remotes/origin/*\n"
        );
        fs::write(tree.join(number.to_string()).join(".git/config"), config)?;
    }
    Ok(())
}
