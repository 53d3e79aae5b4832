//! The rows in which Bitbucket is asked, or was: accounts that fit equally, and `status --verify`. A stand-in answers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::contender::Contender;
use crate::ours;
use crate::row::{ACCOUNTS, EQUALS, Entries, Helper, Operation, Row};
use crate::session::{self, Session};
use crate::stand_in::{Credential, StandIn};
use crate::token_like;

const REQUEST: &str = "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n\n";
const REFS: &str = "https://bitbucket.org/acme/app.git/info/refs?service=git-receive-pack";
const USER: &str = "https://api.bitbucket.org/2.0/user";
const EMAIL: &str = "ada@example.com";
/// How many requests the program has in flight.
const AT_A_TIME: &str = "8";

pub(crate) fn contenders(
    session: &Session,
    builds: &[(Helper, PathBuf)],
    bitbucket: &StandIn,
) -> Result<Vec<Contender>> {
    bitbucket.repository("acme/app");
    let asking = Asking { session, bitbucket };
    let equals = asking.home("equals", EQUALS)?;
    let first = asking.home("first", EQUALS)?;
    let accounts = asking.home("accounts", ACCOUNTS)?;
    let mut contenders = Vec::new();
    for (helper, program) in builds {
        let start = |home: &Path, operation, entries| {
            asking
                .start(*helper, program, operation, entries)
                .env("GIT_CREDENTIAL_BITBUCKET_HOME", home)
        };
        let get = |home: &Path, operation| {
            let get = start(home, operation, Entries::Equals).arg("get");
            get.input(REQUEST).expect(&token_like("0"))
        };
        let remembered = get(&equals, Operation::Get);
        let reply = remembered.answer()?;
        asking.expect(0, &remembered)?;
        let reply = format!("{}\n{reply}\n", REQUEST.trim_end());
        let store = start(&equals, Operation::Store, Entries::Equals).arg("store");
        let store = store.input(&reply);
        store.answer()?;
        let choices = first.join("choices");
        let first = get(&first, Operation::FirstGet).prepare(move || forget(&choices));
        asking.expect(EQUALS, &first)?;
        let verify = start(&accounts, Operation::Verify, Entries::Accounts);
        let verify = verify.arg("status").arg("--verify");
        // The first time writes down that they are checked.
        verify.answer()?;
        asking.expect(ACCOUNTS, &verify)?;
        contenders.extend([remembered, store, first, verify]);
    }
    Ok(contenders)
}

/// The same requests, made by curl.
pub(crate) fn curl(session: &Session, bitbucket: &StandIn) -> Result<Vec<Contender>> {
    let program = session::find("curl").context("it is not installed")?;
    let asking = Asking { session, bitbucket };
    [
        (Entries::Equals, EQUALS, REFS, "x-bitbucket-api-token-auth"),
        (Entries::Accounts, ACCOUNTS, USER, EMAIL),
    ]
    .into_iter()
    .map(|(entries, number, url, user)| {
        let curl = asking
            .start(Helper::Curl, &program, Operation::Nothing, entries)
            .arg("-sSfZ")
            .arg("--parallel-immediate")
            .arg("--parallel-max")
            .arg(AT_A_TIME)
            .arg("-u")
            .arg(format!("{user}:{}", token_like("0")));
        let curl = (0..number).fold(curl, |curl, _| curl.arg(url));
        asking.expect(number, &curl)?;
        Ok(curl)
    })
    .collect()
}

struct Asking<'a> {
    session: &'a Session,
    bitbucket: &'a StandIn,
}

impl Asking<'_> {
    fn start(
        &self,
        helper: Helper,
        program: &Path,
        operation: Operation,
        entries: Entries,
    ) -> Contender {
        let row = Row {
            helper,
            operation,
            entries,
        };
        let contender = Contender::new(row, program, self.session.environment());
        let environment = self.bitbucket.environment().into_iter();
        environment.fold(contender, |contender, (name, value)| {
            contender.env(name, value)
        })
    }

    /// A folder of the program with so many accounts of bitbucket.org, none of which fits better than another.
    fn home(&self, name: &str, number: usize) -> Result<PathBuf> {
        let home = self.session.folder.join(name);
        for number in 0..number {
            let number = number.to_string();
            let token = token_like(&number);
            self.bitbucket.allow(Credential::api_token(&token));
            let options = [&*number, "--store", "file", "--email", EMAIL];
            ours::login(self.session, &home, &token, &options)?;
        }
        Ok(home)
    }

    /// Runs it, and makes sure that Bitbucket is asked so often, and answers.
    fn expect(&self, number: usize, contender: &Contender) -> Result<()> {
        self.bitbucket.forget_requests();
        contender.answer()?;
        let answered = self.bitbucket.count(|request| request.status == Some(200));
        let asked = self.bitbucket.requests().len();
        ensure!(
            (answered, asked) == (number, number),
            "'{}' asks {asked} times, {answered} of which are answered",
            contender.row
        );
        Ok(())
    }
}

/// That Bitbucket was asked which of them can push.
fn forget(choices: &Path) -> Result<()> {
    match fs::remove_file(choices) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
