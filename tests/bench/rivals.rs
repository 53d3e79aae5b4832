//! The rows to compare with: git's own helpers, two of others, and programs that do nothing.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::asking;
use crate::contender::{Contender, REQUEST};
use crate::ours;
use crate::row::{Entries, Helper, MOST, Operation, Row};
use crate::session::{self, Session};
use crate::stand_in::StandIn;
use crate::token_like;

/// Where distributions put the source of git-credential-libsecret, which few of them build.
const LIBSECRET_SOURCES: [&str; 3] = [
    "/usr/share/doc/git/contrib/credential/libsecret",
    "/usr/share/git-core/contrib/credential/libsecret",
    "/usr/share/git/credential/libsecret",
];

pub(crate) fn contenders(
    session: &Session,
    cache: &Cache,
    pass: &Pass,
    bitbucket: &StandIn,
    notes: &mut Vec<String>,
) -> Result<Vec<Contender>> {
    let mut contenders = store(session)?;
    let mut add = |helper, rows: Result<Vec<Contender>>| match rows {
        Ok(rows) => contenders.extend(rows),
        Err(error) => notes.push(format!("{helper}: {error:#}")),
    };
    add("git-credential-cache", cache.rows());
    // Without a keyring that has been said already.
    if session::why_no_keyring().is_none() {
        add("git-credential-libsecret", libsecret(session));
    }
    add("pass-git-helper", pass.rows());
    add("git-credential-oauth", oauth(session));
    add("curl", asking::curl(session, bitbucket));
    add("programs that do nothing", empty(session));
    Ok(contenders)
}

/// A helper with the entries of a row, and how it is called.
struct Caller<'a> {
    session: &'a Session,
    helper: Helper,
    program: PathBuf,
    options: Vec<String>,
    environment: Vec<(&'static str, PathBuf)>,
}

impl<'a> Caller<'a> {
    fn new(session: &'a Session, helper: Helper, program: PathBuf) -> Self {
        Self {
            session,
            helper,
            program,
            options: Vec::new(),
            environment: Vec::new(),
        }
    }

    fn contender(&self, operation: Operation, entries: Entries) -> Contender {
        let row = Row {
            helper: self.helper,
            operation,
            entries,
        };
        let contender = Contender::new(row, &self.program, self.session.environment());
        let contender = self
            .environment
            .iter()
            .fold(contender, |contender, (name, value)| {
                contender.env(name, value)
            });
        let contender = self.options.iter().fold(contender, Contender::arg);
        match operation {
            Operation::Get | Operation::GetNothing => contender.arg("get"),
            Operation::Store => contender.arg("store"),
            // What the others do only we do.
            _ => contender,
        }
    }

    /// `get` of what is there.
    fn get(&self, entries: Entries, request: &str, token: &str) -> Result<Contender> {
        let get = self
            .contender(Operation::Get, entries)
            .input(request)
            .expect(token);
        get.answer()?;
        Ok(get)
    }

    /// `store` of what is then there, and `get` of it.
    fn rows(&self, entries: Entries, request: &str, token: &str) -> Result<Vec<Contender>> {
        let entry = format!("{}\nusername=ada\npassword={token}\n\n", request.trim_end());
        let store = self.contender(Operation::Store, entries).input(&entry);
        store.answer()?;
        Ok(vec![self.get(entries, request, token)?, store])
    }
}

fn store(session: &Session) -> Result<Vec<Contender>> {
    let token = token_like("s");
    let program = session.git_program("git-credential-store")?;
    let caller = |file: &Path| {
        let mut caller = Caller::new(session, Helper::GitStore, program.clone());
        caller.options = vec!["--file".to_owned(), file.display().to_string()];
        caller
    };
    let mut rows =
        caller(&session.folder.join("git-credentials")).rows(Entries::Own, REQUEST, &token)?;

    let mut text = String::new();
    for number in 0..MOST {
        let _ = writeln!(
            text,
            "https://ada:{token}@bitbucket.org/w{number}/r{number}.git"
        );
    }
    let request = ours::request_for(MOST / 2);
    // `store` puts what it is given in front of all others: each operation has a file of its own.
    let many = ["get", "store"].map(|name| session.folder.join(format!("git-credentials-{name}")));
    for file in &many {
        fs::write(file, &text)?;
    }
    let stored = caller(&many[1]).rows(Entries::Many(MOST), &request, &token)?;
    rows.push(caller(&many[0]).get(Entries::Many(MOST), &request, &token)?);
    rows.extend(stored.into_iter().skip(1));
    Ok(rows)
}

/// git-credential-cache; its daemon keeps the entry until this value goes.
pub(crate) struct Cache<'a>(pub(crate) &'a Session);

impl Cache<'_> {
    fn rows(&self) -> Result<Vec<Contender>> {
        self.caller()?.rows(Entries::Own, REQUEST, &token_like("c"))
    }

    fn caller(&self) -> Result<Caller<'_>> {
        let program = self.0.git_program("git-credential-cache")?;
        let mut caller = Caller::new(self.0, Helper::GitCache, program);
        let socket = self.0.folder.join("cache").join("socket");
        caller.options = vec!["--socket".to_owned(), socket.display().to_string()];
        Ok(caller)
    }
}

impl Drop for Cache<'_> {
    fn drop(&mut self) {
        // Where it did not start there is nothing to end.
        let _ = self.caller().and_then(|caller| {
            let exit = caller.contender(Operation::Nothing, Entries::Own);
            exit.arg("exit").answer()
        });
    }
}

fn libsecret(session: &Session) -> Result<Vec<Contender>> {
    let program = match session.git_program("git-credential-libsecret") {
        Ok(program) => program,
        Err(_) => build_libsecret(&session.folder.join("libsecret"))?,
    };
    let caller = Caller::new(session, Helper::GitLibsecret, program);
    caller.rows(Entries::Keyring, REQUEST, &token_like("l"))
}

fn build_libsecret(folder: &Path) -> Result<PathBuf> {
    let mut sources = LIBSECRET_SOURCES.iter().map(Path::new);
    let source = sources
        .find(|source| source.join("Makefile").exists())
        .context("git's package here has no source of it")?;
    fs::create_dir(folder)?;
    for file in fs::read_dir(source)? {
        let file = file?;
        fs::copy(file.path(), folder.join(file.file_name()))?;
    }
    let make = quiet(Command::new("make").current_dir(folder));
    ensure!(
        make,
        "to build it takes make, gcc and, on Debian, libsecret-1-dev"
    );
    Ok(folder.join("git-credential-libsecret"))
}

/// pass-git-helper over pass, with an `OpenPGP` key that has no passphrase; gpg-agent runs until this value goes.
pub(crate) struct Pass<'a>(pub(crate) &'a Session);

impl Pass<'_> {
    fn rows(&self) -> Result<Vec<Contender>> {
        let token = token_like("p");
        let program = session::find("pass-git-helper").context("it is not installed")?;
        let settings = self.0.folder.join(".config/pass-git-helper");
        fs::create_dir_all(&settings)?;
        fs::write(
            settings.join("git-pass-mapping.ini"),
            "[bitbucket.org]\ntarget=bitbucket.org\n",
        )?;
        let entry = format!("{token}\nusername: ada\n");
        let script = "
            mkdir -m 700 -p \"$GNUPGHOME\"
            gpg --batch --quiet --passphrase '' --quick-generate-key bench default default never
            pass init bench
            printf %s \"$1\" | pass insert --multiline bitbucket.org";
        let mut prepare = Command::new("sh");
        prepare
            .args(["-ec", script, "sh", &entry])
            .env_clear()
            .envs(self.0.environment())
            .env("GNUPGHOME", self.gnupg());
        ensure!(quiet(&mut prepare), "it takes pass and gnupg");
        let mut caller = Caller::new(self.0, Helper::Pass, program);
        caller.environment = vec![("GNUPGHOME", self.gnupg())];
        // It stores nothing: with `pass` one does that oneself.
        Ok(vec![caller.get(Entries::Own, REQUEST, &token)?])
    }

    fn gnupg(&self) -> PathBuf {
        self.0.folder.join("gnupg")
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut kill = Command::new("gpgconf");
        // Where it did not start there is nothing to end.
        quiet(
            kill.args(["--kill", "gpg-agent"])
                .env("GNUPGHOME", self.gnupg()),
        );
    }
}

/// It keeps nothing itself, and for Bitbucket it opens a browser: what is left is its start.
fn oauth(session: &Session) -> Result<Vec<Contender>> {
    let program = session::find("git-credential-oauth").context("it is not installed")?;
    let caller = Caller::new(session, Helper::Oauth, program);
    let nothing = caller
        .contender(Operation::GetNothing, Entries::Own)
        .input("protocol=https\nhost=git.example.com\n\n");
    nothing.answer()?;
    Ok(vec![nothing])
}

/// What starts and ends and does nothing in between, in C and in Rust: below that none of the others can be.
fn empty(session: &Session) -> Result<Vec<Contender>> {
    let row = |helper| Row {
        helper,
        operation: Operation::Nothing,
        entries: Entries::Own,
    };
    // By its path: std starts a name that it has to look for in a slower way.
    let program = session::find("true").context("there is no 'true'")?;
    let mut rows = vec![Contender::new(
        row(Helper::Empty),
        program,
        session.environment(),
    )];
    let source = session.folder.join("empty.rs");
    fs::write(&source, "fn main() {}\n")?;
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    for (helper, name, options) in [
        (Helper::EmptyDynamic, "empty", &[][..]),
        (Helper::EmptyStatic, "empty-static", &["--target", &triple]),
    ] {
        let program = session.folder.join(name);
        // rustup's own rustc wants a home, and ours is another one.
        let mut rustc = Command::new(Path::new(env!("CARGO")).with_file_name("rustc"));
        rustc
            .args(["-Copt-level=s", "-Cpanic=abort", "-Cstrip=symbols"])
            .args(options)
            .arg("-o")
            .arg(&program)
            .arg(&source);
        let is_built = quiet(&mut rustc);
        // Where there is no such target there is no static row of ours either, and that is said.
        ensure!(is_built || helper == Helper::EmptyStatic, "rustc fails");
        if is_built {
            rows.push(Contender::new(row(helper), program, session.environment()));
        }
    }
    Ok(rows)
}

/// Whether a command that says nothing worth reading went well.
fn quiet(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
