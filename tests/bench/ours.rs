//! Our own rows: one account each, each in a home of its own.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::contender::{Contender, REQUEST, Row};
use crate::session::{self, Session};
use crate::token_like;

/// The program as cargo builds it by default.
const DYNAMIC: &str = env!("CARGO_BIN_EXE_git-credential-bitbucket");

pub(crate) fn contenders(session: &Session, notes: &mut Vec<String>) -> Result<Vec<Contender>> {
    let (in_file, in_environment, in_keyring) = (token_like("f"), token_like("e"), token_like("k"));

    login(session, "file", &in_file)?;
    let file = |row, program: &Path| get(session, row, program, "file").expect(&in_file);
    let environment = |row, program: &Path| {
        get(session, row, program, "environment")
            .env("BITBUCKET_API_TOKEN", &in_environment)
            .expect(&in_environment)
    };
    let keyring = |row, program: &Path| get(session, row, program, "keyring").expect(&in_keyring);

    let dynamic = Path::new(DYNAMIC);
    let mut contenders = vec![
        file(Row::OursFile, dynamic),
        environment(Row::OursEnvironment, dynamic),
    ];
    let fixed = static_program();
    match &fixed {
        Some(program) => {
            contenders.push(file(Row::StaticFile, program));
            contenders.push(environment(Row::StaticEnvironment, program));
        }
        None => notes.push(
            "the static program that install.sh builds where Rust has a musl target: run './install.sh' first".to_owned(),
        ),
    }
    if let Some(reason) = session::why_no_keyring() {
        notes.push(format!("the keyring: {reason}"));
    } else if let Err(error) = login(session, "keyring", &in_keyring) {
        notes.push(format!("the keyring: {error:#}"));
    } else {
        contenders.push(keyring(Row::OursKeyring, dynamic));
        contenders.extend(
            fixed
                .as_deref()
                .map(|program| keyring(Row::StaticKeyring, program)),
        );
    }
    let reply = contenders[0].answer()?;
    contenders.push(
        ours(session, Row::OursStore, dynamic, "file")
            .arg("store")
            .input(&format!("{}\n{reply}\n", REQUEST.trim_end())),
    );
    for contender in &contenders {
        contender.answer()?;
    }
    Ok(contenders)
}

/// What install.sh has built where Rust has a musl target.
fn static_program() -> Option<PathBuf> {
    let target = Path::new(DYNAMIC).parent()?.parent()?;
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let program = target.join(triple).join("release/git-credential-bitbucket");
    program.exists().then_some(program)
}

fn login(session: &Session, store: &str, secret: &str) -> Result<()> {
    let login = ours(session, Row::OursStore, Path::new(DYNAMIC), store)
        .arg("login")
        .arg("--no-verify")
        .arg("--with-token")
        .arg("--store")
        .arg(store);
    login.input(secret).answer().map(drop)
}

fn get(session: &Session, row: Row, program: &Path, home: &str) -> Contender {
    ours(session, row, program, home).arg("get")
}

fn ours(session: &Session, row: Row, program: &Path, home: &str) -> Contender {
    Contender::new(row, program, session.environment())
        .env("GIT_CREDENTIAL_BITBUCKET_HOME", session.folder.join(home))
}
