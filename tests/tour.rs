//! `cargo run --example tour`: the main job from signing in to signing out, offline and without an account.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what it prints is all it is for"
)]

#[path = "tour/home.rs"]
mod home;
#[path = "tour/program.rs"]
mod program;
#[path = "it/support/stand_in/mod.rs"]
mod stand_in;

use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};

use home::{Home, Outcome};
use stand_in::{Credential, Handle, Repository, StandIn};

const WELCOME: &str = "\
A tour of git-credential-bitbucket: no account needed, nothing leaves this
machine. A stand-in answers for bitbucket.org. All files are made in a home
folder of their own, which is removed at the end; your git configuration and
your keyring are not touched. A line that starts with '$' is a command as you
would type it; below it is what it really printed.";

const FAREWELL: &str = "\
That was the tour. To do the same with Bitbucket itself:

  ./install.sh                      install the program
  git credential-bitbucket setup    let git ask it
  git credential-bitbucket login    sign in; says where to make a token
  git credential-bitbucket -h       what else it can do

README.md tells more.";

fn main() -> ExitCode {
    println!("{WELCOME}");
    match walk() {
        Ok(()) => {
            println!("\n{FAREWELL}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\nThe tour ends here: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn walk() -> Result<()> {
    program::require("git", &["--version"], "https://git-scm.com/downloads")?;
    program::require("sh", &["-c", ":"], "on Windows, Git Bash has it")?;
    let program = program::build()?;
    let folder = tempfile::Builder::new().prefix("tour-").tempdir()?;
    let bitbucket = StandIn::start(home::make(folder.path().join("bitbucket"))?)?;
    let home = Home::make(folder.path().join("home"), &program, &bitbucket)?;
    let tour = Tour::prepare(home, bitbucket)?;
    tour.set_up_and_sign_in()?;
    tour.clone_and_push()?;
    tour.add_a_second_account()?;
    tour.mend_a_revoked_token()?;
    tour.look_for_tokens()?;
    tour.sign_out()?;
    folder.close().context("something of the tour stays behind")
}

/// The steps; each says what it does, does it, and looks whether that is what happened.
struct Tour {
    home: Home,
    bitbucket: StandIn,
    app: Repository,
    token: String,
    token_at_bitbucket: Handle,
    new_token: String,
    globex_token: String,
}

impl Tour {
    /// What there is before the first step: two repositories, three tokens, a git that knows its user's name.
    fn prepare(home: Home, bitbucket: StandIn) -> Result<Self> {
        let app = bitbucket.repository("acme/app");
        bitbucket.repository("globex/site");
        let token = token_like("ATATT3xFfGF0", "a");
        let new_token = token_like("ATATT3xFfGF0", "b");
        let globex_token = token_like("ATCTT3xFfGN0", "c");
        let token_at_bitbucket = bitbucket.allow(Credential::api_token(&token));
        bitbucket.allow(Credential::api_token(&new_token));
        bitbucket.allow(Credential::access_token(&globex_token).sees("globex"));
        home.write(
            ".gitconfig",
            "[user]\n\tname = Ada\n\temail = ada@example.com\n",
        )?;
        home.write("token", &token)?;
        home.write("new-token", &new_token)?;
        home.write("globex-token", &globex_token)?;
        Ok(Self {
            home,
            bitbucket,
            app,
            token,
            token_at_bitbucket,
            new_token,
            globex_token,
        })
    }

    fn set_up_and_sign_in(&self) -> Result<()> {
        explain("1. Let git ask the helper, and no other helper, about Bitbucket.");
        self.run("git credential-bitbucket setup", "bitbucket.org")?;

        explain(
            "2. Sign in with an API token, which lies in the file 'token' here. Without\n   \
             '--with-token' the helper asks for it, and without '--store file' it goes\n   \
             to the keyring of the operating system.",
        );
        self.run(
            "git credential-bitbucket login work --email ada@example.com \\\n    \
             --store file --with-token < token",
            "'work'",
        )?;

        explain("3. Look at the accounts.");
        self.run("git credential-bitbucket status", "ok")?;
        Ok(())
    }

    fn clone_and_push(&self) -> Result<()> {
        explain("4. Clone a private repository: git asks the helper, and nobody asks you.");
        self.run("git clone https://bitbucket.org/acme/app.git", "app")?;
        self.tell_who_answered("acme/app", "work", &self.token)?;

        explain("5. Commit and push.");
        self.run("echo hello > app/hello.txt", "")?;
        self.run("git -C app add hello.txt", "")?;
        self.run("git -C app commit -m 'Say hello'", "Say hello")?;
        self.run("git -C app push", "main -> main")?;
        let local = self.home.run("git -C app rev-parse HEAD")?.text;
        ensure!(local.trim() == self.app.head(), "the push did not arrive");
        Ok(())
    }

    fn add_a_second_account(&self) -> Result<()> {
        explain(
            "6. Add a second account, with an access token of the workspace 'globex'.\n   \
             There it answers; everywhere else the first one still does.",
        );
        self.run(
            "git credential-bitbucket login globex --for globex \\\n    \
             --store file --with-token < globex-token",
            "'globex'",
        )?;
        self.run("git clone https://bitbucket.org/globex/site.git", "site")?;
        self.tell_who_answered("globex/site", "globex", &self.globex_token)?;
        self.run("git -C app fetch", "")?;
        self.tell_who_answered("acme/app", "work", &self.token)
    }

    fn mend_a_revoked_token(&self) -> Result<()> {
        explain(
            "7. Now the token of 'work' is revoked at Bitbucket. git is refused, and the\n   \
             helper sets the token aside.",
        );
        self.token_at_bitbucket.revoke();
        self.run_in_vain("git -C app fetch", "Authentication failed")?;
        self.run_in_vain("git credential-bitbucket status", "set aside")?;

        explain("8. Sign in again with a new token; all else about the account stays.");
        self.run(
            "git credential-bitbucket login work --with-token < new-token",
            "'work'",
        )?;
        self.run("git -C app fetch", "")?;
        self.tell_who_answered("acme/app", "work", &self.new_token)?;
        self.run("git credential-bitbucket status", "ok")?;
        Ok(())
    }

    fn look_for_tokens(&self) -> Result<()> {
        explain(
            "9. The tokens are in the store, encrypted, and nowhere else: not in a URL,\n   \
             not in git's configuration. They begin with ATATT and ATCTT; a search of\n   \
             the whole home finds only the three files they were read from.",
        );
        let remote = "https://bitbucket.org/acme/app.git (push)";
        self.run("git -C app remote -v", remote)?;
        let found = self.run("grep -rlE 'ATATT|ATCTT' .", "")?;
        let mut found: Vec<&str> = found.lines().collect();
        found.sort_unstable();
        ensure!(
            found == ["./globex-token", "./new-token", "./token"],
            "a token lies where it should not"
        );
        Ok(())
    }

    fn sign_out(&self) -> Result<()> {
        explain("10. Sign out, and take the helper out of git's configuration.");
        self.run("git credential-bitbucket logout --all", "'work'")?;
        self.run("git credential-bitbucket setup --undo", ".gitconfig")?;
        let left = self.home.run("git credential-bitbucket status --json")?;
        ensure!(!left.text.contains("work"), "an account is left");
        let strangers = self.bitbucket.refused();
        ensure!(strangers.is_empty(), "somebody called {strangers:?}");
        Ok(())
    }

    /// Shows and runs a command, which has to succeed and to say `expected`; gives its output.
    fn run(&self, command: &str, expected: &str) -> Result<String> {
        let outcome = self.show(command)?;
        ensure!(outcome.code == 0, "that should not have failed");
        outcome.require(expected)
    }

    /// Shows and runs a command, which has to fail and to say `expected`; gives its output.
    fn run_in_vain(&self, command: &str, expected: &str) -> Result<String> {
        let outcome = self.show(command)?;
        ensure!(outcome.code != 0, "that should have failed");
        outcome.require(expected)
    }

    fn show(&self, command: &str) -> Result<Outcome> {
        self.bitbucket.forget_requests();
        println!("$ {command}");
        let outcome = self.home.run(command)?;
        print!("{}", outcome.text);
        if outcome.code != 0 {
            println!("(exit status {})", outcome.code);
        }
        Ok(outcome)
    }

    /// Says whose token the last command sent to Bitbucket; it has to have sent that one and no other.
    fn tell_who_answered(&self, repository: &str, account: &str, token: &str) -> Result<()> {
        let folder = format!("/{repository}.git/");
        let requests = self.bitbucket.requests();
        let mut sent = requests
            .iter()
            .filter(|request| request.path.starts_with(&folder) && request.secret().is_some());
        ensure!(
            sent.clone().all(|request| request.secret() == Some(token)),
            "Bitbucket got another token than that of '{account}'"
        );
        let first = sent.next().context("Bitbucket got no token")?;
        let user = first.user().unwrap_or_default();
        println!("(Bitbucket got the token of '{account}', user name {user})");
        Ok(())
    }
}

/// Opens a step.
fn explain(step: &str) {
    println!("\n{step}\n");
}

/// What looks like a token; put together here, so that no scanner takes it for a secret that leaked.
fn token_like(prefix: &str, letter: &str) -> String {
    prefix.to_owned() + &letter.repeat(180)
}
