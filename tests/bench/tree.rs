//! `scrub` over a tree of repositories, side by side with what git needs to list their configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::session::Session;

const REPOSITORIES: usize = 500;
const ROUNDS: usize = 5;
/// Of the time of `git config --list` in each repository.
const MOST: f64 = 3.0;
const TOKEN: &str = "ATCTT3xFfGN0bench-access-token-0000000000000000=0A1B2C3D";

/// Builds the tree, takes the times, and says how they compare.
pub(crate) fn compare(session: &Session) -> Result<String> {
    let tree = session.folder.join("tree");
    let home = session.folder.join("tree-home");
    fs::create_dir_all(&home)?;
    fs::write(home.join("config.toml"), "[store]\ndefault = 'file'\n")?;
    let bench = Bench {
        session,
        tree,
        home,
    };
    bench.build()?;
    let mut git = Vec::new();
    let mut look = Vec::new();
    let mut scrub = Vec::new();
    for _ in 0..ROUNDS {
        bench.put_tokens_in()?;
        git.push(bench.git_lists()?);
        look.push(bench.scrub(&["--dry-run"])?);
        scrub.push(bench.scrub(&[])?);
    }
    fs::remove_dir_all(&bench.tree)?;
    let least = |times: &[Duration]| times.iter().min().copied().unwrap_or_default();
    let ratio = |times: &[Duration]| least(times).as_secs_f64() / least(&git).as_secs_f64();
    let goal = if ratio(&scrub) < MOST {
        "met"
    } else {
        "missed"
    };
    Ok(format!(
        "scrub, {REPOSITORIES} repositories with a token each, of 'git config --list' in each: \
         {:.2} to look, {:.2} to move all (goal: under {MOST:.0}, {goal})\n",
        ratio(&look),
        ratio(&scrub)
    ))
}

struct Bench<'a> {
    session: &'a Session,
    tree: PathBuf,
    home: PathBuf,
}

impl Bench<'_> {
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .env_clear()
            .envs(self.session.environment())
            .env("GIT_CREDENTIAL_BITBUCKET_HOME", &self.home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Repositories of a few files with a commit each.
    fn build(&self) -> Result<()> {
        let script = "
            git init -q -b main \"$1/0\" && cd \"$1/0\"
            for file in 1 2 3 4 5 6 7 8; do seq 400 >$file; done
            git add . && git -c user.name=a -c user.email=a@example.com commit -qm first
            repository=1
            while [ $repository -lt $2 ]; do cp -r . ../$repository; repository=$((repository + 1)); done";
        let mut build = self.command("sh");
        build.args(["-ec", script, "sh"]).arg(&self.tree);
        run(build.arg(REPOSITORIES.to_string()))?;
        Ok(())
    }

    fn put_tokens_in(&self) -> Result<()> {
        for number in 0..REPOSITORIES {
            let config = format!(
                "[core]\n\trepositoryformatversion = 0\n\tbare = false\n[remote \"origin\"]\n\t\
                 url = https://x-token-auth:{TOKEN}@bitbucket.org/acme/r{number}.git\n\t\
                 fetch = +refs/heads/*:refs/remotes/origin/*\n"
            );
            fs::write(
                self.tree.join(number.to_string()).join(".git/config"),
                config,
            )?;
        }
        Ok(())
    }

    fn git_lists(&self) -> Result<Duration> {
        let script = "for folder in \"$1\"/*; do git -C \"$folder\" config --list; done";
        let mut list = self.command("sh");
        run(list.args(["-ec", script, "sh"]).arg(&self.tree))
    }

    fn scrub(&self, options: &[&str]) -> Result<Duration> {
        let mut scrub = self.command(env!("CARGO_BIN_EXE_git-credential-bitbucket"));
        run(scrub.arg("scrub").args(options).arg(&self.tree))
    }
}

fn run(command: &mut Command) -> Result<Duration> {
    let start = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(start.elapsed())
}
