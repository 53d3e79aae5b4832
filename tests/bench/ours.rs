//! Our own rows: one account each, each in a home of its own.

use anyhow::Result;

use crate::contender::{Contender, REQUEST, Row};
use crate::session::{self, Session};
use crate::token_like;

pub(crate) fn contenders(session: &Session, notes: &mut Vec<String>) -> Result<Vec<Contender>> {
    let (in_file, in_environment, in_keyring) = (token_like("f"), token_like("e"), token_like("k"));

    login(session, "file", &in_file)?;
    let file = get(session, Row::OursFile, "file").expect(&in_file);
    let reply = file.answer()?;
    let environment = get(session, Row::OursEnvironment, "environment")
        .env("BITBUCKET_API_TOKEN", &in_environment)
        .expect(&in_environment);
    environment.answer()?;
    let store = ours(session, Row::OursStore, "file")
        .arg("store")
        .input(&format!("{}\n{reply}\n", REQUEST.trim_end()));
    store.answer()?;

    let mut contenders = vec![file, environment];
    if let Some(reason) = session::why_no_keyring() {
        notes.push(format!("the keyring: {reason}"));
    } else if let Err(error) = login(session, "keyring", &in_keyring) {
        notes.push(format!("the keyring: {error:#}"));
    } else {
        let keyring = get(session, Row::OursKeyring, "keyring").expect(&in_keyring);
        keyring.answer()?;
        contenders.push(keyring);
    }
    contenders.push(store);
    Ok(contenders)
}

fn login(session: &Session, store: &str, secret: &str) -> Result<()> {
    let login = ours(session, Row::OursStore, store)
        .arg("login")
        .arg("--no-verify")
        .arg("--with-token")
        .arg("--store")
        .arg(store);
    login.input(secret).answer().map(drop)
}

fn get(session: &Session, row: Row, home: &str) -> Contender {
    ours(session, row, home).arg("get")
}

fn ours(session: &Session, row: Row, home: &str) -> Contender {
    let program = env!("CARGO_BIN_EXE_git-credential-bitbucket");
    Contender::new(row, program, session.environment())
        .env("GIT_CREDENTIAL_BITBUCKET_HOME", session.folder.join(home))
}
