//! Our own rows: each place a secret comes from in a home of its own, answered by each build of the program.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::contender::{Contender, REQUEST};
use crate::row::{Entries, Helper, MANY, Operation, Row};
use crate::session::{self, Session};
use crate::token_like;

/// The program as cargo builds it by default.
const DYNAMIC: &str = env!("CARGO_BIN_EXE_git-credential-bitbucket");

/// The program as install.sh builds it, and as cargo does.
pub(crate) fn builds(session: &Session, notes: &mut Vec<String>) -> Result<Vec<(Helper, PathBuf)>> {
    let mut builds = vec![(Helper::Dynamic, PathBuf::from(DYNAMIC))];
    match static_program() {
        Some(program) => builds.insert(0, (Helper::Static, program)),
        None => notes.push(
            "the static program that install.sh builds where Rust has a musl target: run './install.sh' first".to_owned(),
        ),
    }
    // As an installation puts it there, in one go: the linker leaves a file that takes longer to get into memory.
    for (helper, program) in &mut builds {
        let installed = session.folder.join(format!("{helper:?}"));
        fs::copy(&*program, &installed)?;
        *program = installed;
    }
    Ok(builds)
}

pub(crate) fn contenders(
    session: &Session,
    builds: &[(Helper, PathBuf)],
    notes: &mut Vec<String>,
) -> Result<Vec<Contender>> {
    let places = places(session, notes)?;
    let mut contenders = Vec::new();
    for (helper, program) in builds {
        for place in &places {
            let start = |operation| {
                let row = Row {
                    helper: *helper,
                    operation,
                    entries: place.entries,
                };
                let mut contender = Contender::new(row, program, session.environment())
                    .env("GIT_CREDENTIAL_BITBUCKET_HOME", &place.home);
                if place.entries == Entries::Environment {
                    contender = contender.env("BITBUCKET_API_TOKEN", &place.secret);
                }
                contender
            };
            let get = start(Operation::Get)
                .arg("get")
                .input(&place.request)
                .expect(&place.secret);
            let reply = format!("{}\n{}\n", place.request.trim_end(), get.answer()?);
            let store = start(Operation::Store).arg("store").input(&reply);
            store.answer()?;
            contenders.extend([get, store]);
            if place.entries == Entries::File {
                let input = format!("ephemeral=1\n{reply}");
                let store = start(Operation::StoreEphemeral).arg("store").input(&input);
                store.answer()?;
                contenders.push(store);
            }
        }
    }
    Ok(contenders)
}

/// Where a secret lies, and what git asks for it.
struct Place {
    entries: Entries,
    home: PathBuf,
    secret: String,
    request: String,
}

fn places(session: &Session, notes: &mut Vec<String>) -> Result<Vec<Place>> {
    let place = |name: &str, entries| Place {
        entries,
        home: session.folder.join(name),
        secret: token_like(&name[..1]),
        request: REQUEST.to_owned(),
    };
    let mut places = vec![place("environment", Entries::Environment)];

    let file = place("file", Entries::File);
    file.login(session, &["--store", "file"])?;
    places.push(file);

    let kernel = place("kernel", Entries::Kernel);
    fs::create_dir(&kernel.home)?;
    fs::write(
        kernel.home.join("config.toml"),
        "[store.file]\nkey = 'kernel'\n",
    )?;
    match kernel.login(session, &["--store", "file"]) {
        Ok(()) => places.push(kernel),
        Err(error) => notes.push(format!("the key in the kernel: {error:#}")),
    }

    let keyring = place("ring", Entries::Keyring);
    if let Some(reason) = session::why_no_keyring() {
        notes.push(format!("the keyring: {reason}"));
    } else {
        match keyring.login(session, &["--store", "keyring"]) {
            Ok(()) => places.push(keyring),
            Err(error) => notes.push(format!("the keyring: {error:#}")),
        }
    }

    for number in MANY {
        let middle = number / 2;
        let many = Place {
            request: request_for(middle),
            ..place(&format!("many-{number}"), Entries::Many(number))
        };
        let scope = format!("w{middle}/r{middle}");
        many.login(session, &["--store", "file", "--for", &scope])?;
        many.surround(number)?;
        places.push(many);
    }
    Ok(places)
}

/// For the repository that this number stands for.
pub(crate) fn request_for(number: usize) -> String {
    format!("protocol=https\nhost=bitbucket.org\npath=w{number}/r{number}.git\n\n")
}

impl Place {
    fn login(&self, session: &Session, options: &[&str]) -> Result<()> {
        login(session, &self.home, &self.secret, options)
    }

    /// Puts the one account that is there in the middle of so many, each for a repository of its own, and its secret
    /// among as many others.
    fn surround(&self, number: usize) -> Result<()> {
        let accounts = self.home.join("accounts.toml");
        let secrets = self.home.join("secrets");
        let text = fs::read_to_string(&accounts)?;
        let (start, own) = text
            .split_once("[[account]]\n")
            .context("'login' wrote no account")?;
        let sealed = fs::read_to_string(&secrets)?;
        let (header, own_line) = sealed.split_once('\n').context("there is no secret")?;
        let (_, own_secret) = own_line.split_once(' ').context("there is no secret")?;

        let (mut text, mut sealed) = (start.to_owned(), format!("{header}\n"));
        for other in 0..number {
            if other == number / 2 {
                let _ = writeln!(text, "[[account]]\n{own}");
                sealed += own_line;
                continue;
            }
            let entry = format!("a{other}@bitbucket.org#{other:08x}");
            let _ = writeln!(
                text,
                "[[account]]\nname = \"a{other}\"\nhost = \"bitbucket.org\"\nkind = \"access-token\"\n\
                 for = [\"w{other}/r{other}\"]\nstore = \"file\"\nentry = \"{entry}\"\norigin = \"login\"\n"
            );
            // As long as a real one; nobody opens it.
            let _ = write!(sealed, "{} {own_secret}", entry.replace('#', "%23"));
        }
        // They keep their modes.
        fs::write(accounts, text)?;
        fs::write(secrets, sealed)?;
        Ok(())
    }
}

/// Signs in with a secret, which nobody checks.
pub(crate) fn login(session: &Session, home: &Path, secret: &str, options: &[&str]) -> Result<()> {
    let row = Row {
        helper: Helper::Dynamic,
        operation: Operation::Nothing,
        entries: Entries::Own,
    };
    let login = Contender::new(row, DYNAMIC, session.environment())
        .env("GIT_CREDENTIAL_BITBUCKET_HOME", home);
    ["login", "--no-verify", "--with-token"]
        .iter()
        .chain(options)
        .fold(login, Contender::arg)
        .input(secret)
        .answer()
        .map(drop)
}

/// What install.sh has built where Rust has a musl target.
fn static_program() -> Option<PathBuf> {
    let target = Path::new(DYNAMIC).parent()?.parent()?;
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let program = target.join(triple).join("release/git-credential-bitbucket");
    program.exists().then_some(program)
}
