//! The rows to compare with: git's own helpers with one entry each, and a program that does nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::contender::{Contender, Row};
use crate::session::{self, Session};
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
    notes: &mut Vec<String>,
) -> Result<Vec<Contender>> {
    let mut contenders = vec![store(session)?];
    match cache.get() {
        Ok(contender) => contenders.push(contender),
        Err(error) => notes.push(format!("git-credential-cache: {error:#}")),
    }
    // Without a keyring that has been said already.
    if session::why_no_keyring().is_none() {
        match libsecret(session) {
            Ok(contender) => contenders.push(contender),
            Err(error) => notes.push(format!("git-credential-libsecret: {error:#}")),
        }
    }
    // By its path: std starts a name that it has to look for in a slower way.
    let empty = session::find("true");
    contenders.extend(empty.map(|path| Contender::new(Row::Empty, path, session.environment())));
    Ok(contenders)
}

fn store(session: &Session) -> Result<Contender> {
    let token = token_like("s");
    let file = session.folder.join("git-credentials");
    let helper = || -> Result<Contender> {
        let program = session.git_program("git-credential-store")?;
        let helper = Contender::new(Row::GitStore, program, session.environment());
        Ok(helper.arg("--file").arg(&file))
    };
    helper()?.arg("store").input(&entry(&token)).answer()?;
    let get = helper()?.arg("get").expect(&token);
    get.answer()?;
    Ok(get)
}

/// git-credential-cache; its daemon keeps the entry until this value goes.
pub(crate) struct Cache<'a>(pub(crate) &'a Session);

impl Cache<'_> {
    fn get(&self) -> Result<Contender> {
        let token = token_like("c");
        let store = self.helper()?.arg("store");
        store.input(&entry(&token)).answer()?;
        let get = self.helper()?.arg("get").expect(&token);
        get.answer()?;
        Ok(get)
    }

    fn helper(&self) -> Result<Contender> {
        let program = self.0.git_program("git-credential-cache")?;
        let helper = Contender::new(Row::GitCache, program, self.0.environment());
        let socket = self.0.folder.join("cache").join("socket");
        Ok(helper.arg("--socket").arg(socket))
    }
}

impl Drop for Cache<'_> {
    fn drop(&mut self) {
        // Where it did not start there is nothing to end.
        let _ = self.helper().and_then(|helper| helper.arg("exit").answer());
    }
}

fn libsecret(session: &Session) -> Result<Contender> {
    let token = token_like("l");
    let program = match session.git_program("git-credential-libsecret") {
        Ok(program) => program,
        Err(_) => build_libsecret(&session.folder.join("libsecret"))?,
    };
    let helper = || Contender::new(Row::GitLibsecret, &program, session.environment());
    helper().arg("store").input(&entry(&token)).answer()?;
    let get = helper().arg("get").expect(&token);
    get.answer()?;
    Ok(get)
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
    let make = Command::new("make")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ensure!(
        make.is_ok_and(|status| status.success()),
        "to build it takes make, gcc and, on Debian, libsecret-1-dev"
    );
    Ok(folder.join("git-credential-libsecret"))
}

/// What git gives a helper to keep.
fn entry(token: &str) -> String {
    format!("protocol=https\nhost=bitbucket.org\nusername=ada\npassword={token}\n\n")
}
