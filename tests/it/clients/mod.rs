//! Real clients that fetch from Bitbucket: docs/clients.md says how each is set up.

mod builds;
mod composer;
mod libgit2;
mod python;
mod replayed;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::harness::{API_TOKEN, Outcome, TestEnv, run};
use crate::support::needs::has_installed;
use crate::support::stand_in::{Credential, StandIn};

/// A home that is signed in and set up, with `acme/app` at Bitbucket, which nobody else may see.
struct Client {
    env: TestEnv,
    stand_in: StandIn,
}

impl Client {
    fn of(files: &[(&str, &str)]) -> Self {
        let (env, stand_in) = TestEnv::with_stand_in();
        let mut repository = stand_in.repository("acme/app");
        for (name, content) in files {
            repository = repository.with_file(name, content.as_bytes());
        }
        stand_in.allow(Credential::api_token(API_TOKEN).email("ada@example.com"));
        env.set_up();
        env.login(API_TOKEN, &["--email", "ada@example.com"]);
        Self { env, stand_in }
    }

    /// Writes a file of the project that uses `acme/app`.
    fn write(&self, name: &str, content: &str) {
        let path = self.project().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn project(&self) -> PathBuf {
        self.env.home().join("project")
    }

    fn command(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        fs::create_dir_all(self.project()).unwrap();
        let mut command = self.env.command(program);
        command.args(arguments).current_dir(self.project());
        command
    }

    /// Runs a command that has to get to `acme/app` with the token, and leaves the token nowhere.
    fn fetches(&self, command: Command) -> Outcome {
        let shown = format!("{command:?}");
        let outcome = run(command, b"");
        assert_eq!(outcome.status, 0, "{shown}: {outcome:?}");
        let fetched = |path: &str| {
            let is_it = |request: &_| is_fetch(request, path);
            self.stand_in.count(is_it) > 0
        };
        assert!(fetched("git-upload-pack"), "{shown}: {outcome:?}");
        let said = outcome.stdout.clone() + &outcome.stderr;
        assert!(!said.contains(API_TOKEN), "{said}");
        let mut grep = self.env.command("grep");
        grep.args(["-rlF", API_TOKEN]).arg(self.env.home());
        assert_eq!(run(grep, b"").stdout, "", "{shown} has kept the token");
        outcome
    }
}

/// Whether a request got what it asked for, with the token.
fn is_fetch(request: &crate::support::stand_in::Request, path: &str) -> bool {
    request.path.ends_with(path)
        && request.status == Some(200)
        && request.secret() == Some(API_TOKEN)
}

/// One of the programs that `tests/run.sh --all` installs below target, from tests/clients.
fn installed(name: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/clients/bin")
        .join(name);
    has_installed(&path).then(|| path.display().to_string())
}
