//! What git asks and is told.

mod asker;
mod erase;
pub(crate) mod get;
mod mark;
mod newcomer;
mod question;
pub(crate) mod reply;
mod store;
pub(crate) mod unanswered;
mod wrong_name;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Error, Result};

use self::erase::erase;
use self::get::get;
use self::store::store;
use crate::bitbucket::{self, Kind};
use crate::git::{self, Request, Username};
use crate::settings::Session;
use crate::sys::words::words;
use crate::sys::{Secret, message, terminal, trace};

words! {
    /// What git starts a helper for; `capability` is defined for whoever asks (git-credential(1)).
    pub(crate) enum Operation {
        Capability = "capability",
        Erase = "erase",
        Get = "get",
        Store = "store",
    }
}

impl Operation {
    /// Nothing else is looked at before the answer is given: this runs on each git command.
    pub(crate) fn of_arguments() -> Option<(Self, Option<String>)> {
        let (word, account) = word_of_git()?;
        Some((word.parse().ok()?, account))
    }
}

/// git passes one word, behind what its configuration has: `--account NAME`, the only account that may answer.
pub(crate) fn word_of_git() -> Option<(String, Option<String>)> {
    let words = env::args_os().skip(1).take(4);
    let mut words: Vec<String> = words
        .map(OsString::into_string)
        .collect::<Result<_, _>>()
        .ok()?;
    let word = words.pop()?;
    let account = match words.as_slice() {
        [] => None,
        [option, name] if option == "--account" => Some(name.clone()),
        [option] => Some(option.strip_prefix("--account=")?.to_owned()),
        _ => return None,
    };
    Some((word, account))
}

/// The request without a token in the place of the user name: with a filler beside it the token is the password, and
/// nothing else is a name that could be kept or shown.
fn put_right(mut request: Request) -> Request {
    let Some(host) = request.context.https_host() else {
        return request;
    };
    let name = request.context.username.clone().and_then(Username::new);
    let given = request.password.clone();
    let (username, secret) = bitbucket::put_right(name.clone(), given.clone().unwrap_or_default());
    let Some(token) = name.filter(|_| username.is_none()) else {
        return request;
    };
    let token = Secret::new(token.as_slice().to_vec());
    let is_the_password = given.as_ref() != Some(&secret);
    let kind = is_the_password.then(|| Kind::of_pair(&token, None, &host));
    let username = kind.and_then(|kind| kind.git_username(&host, None));
    request.context.username = username.map(<[u8]>::to_vec);
    request.password = given.map(|_| secret);
    request
}

/// Says why an operation failed. The hint stands in git's output where git gets no answer, else a person has to be there.
pub(crate) fn report(operation: Operation, error: &Error) -> ExitCode {
    let is_get = matches!(operation, Operation::Get);
    if is_get && !mark::is_news(&format!("{error:#}")).unwrap_or(true) {
        return ExitCode::FAILURE;
    }
    message::report(error, is_get || terminal::is_watched())
}

/// Answers git: reads everything, decides everything, writes once. `only` names the only account that may answer.
pub(crate) fn answer(operation: Operation, only: Option<&str>) -> Result<()> {
    if let Operation::Capability = operation {
        return Ok(terminal::output()?.write_all(&git::capabilities())?);
    }
    let request = match Request::read(&mut terminal::input()?) {
        Err(error) if error.is::<io::Error>() => return Err(error),
        // A request that git would not write gets no answer, and git goes on as if we did not exist.
        Err(error) => {
            mark::notice([format!("cannot read git's request: {error}")]);
            return Ok(());
        }
        Ok(request) => put_right(request),
    };
    trace::say(|| format!("{operation}: {}", request.describe()));
    let session = Session::for_git();
    if only.is_some() {
        // A setting for all hosts also makes git ask for those of others.
        match request.context.https_host() {
            Some(host) if session.is_known(&host)? => {}
            _ => return Ok(()),
        }
    }
    let session = session.with_only(only)?;
    match operation {
        Operation::Capability => {}
        Operation::Erase => erase(&session, request)?,
        Operation::Get => get(&session, &request)?,
        Operation::Store => mark::notice(store(&session, request)?),
    }
    trace::say(|| "done".to_owned());
    Ok(())
}
