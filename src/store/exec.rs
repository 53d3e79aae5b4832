//! A program that stores secrets and speaks the protocol of the docker-credential-helpers:
//! <https://github.com/docker/docker-credential-helpers#development>.

use std::io;
use std::path::{Path, is_separator};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use percent_encoding::utf8_percent_encode;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Error, Store, within};
use crate::sys::bytes::UNRESERVED;
use crate::sys::child::{Output, is_too_long};
use crate::sys::{Hinted, Program, Secret, SecretBuffer, shell_quoted};

/// The program, and its time limit for all calls together: the user may be typing at its unlock prompt.
#[derive(Debug)]
pub(crate) struct ExecStore {
    /// A name on PATH, or an absolute path.
    pub(crate) program: String,
    pub(crate) patience: Duration,
    pub(crate) since: Instant,
    /// It may ask a person on the terminal.
    pub(crate) may_ask: bool,
}

/// The JSON of the protocol. Programs without a value leave its field out, or make it null or empty.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    #[serde(rename = "ServerURL", skip_deserializing)]
    server_url: String,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    secret: Option<Zeroizing<String>>,
}

/// Printed on standard output, with a failure, by programs that have nothing: `credentials/error.go` there.
const NOT_FOUND: &[u8] = b"credentials not found in native keychain";
/// Their user name for a token that needs none.
const NO_USERNAME: &str = "<token>";
/// Not empty: some programs use it as a file name.
const USERNAME: &str = "git-credential-bitbucket";

impl Store for ExecStore {
    fn get(&self, entry: &str) -> Result<Option<Secret>, Error> {
        Ok(self.look_up(&url_of(entry))?.map(|(_, secret)| secret))
    }

    fn set(&self, entry: &str, secret: &Secret) -> Result<(), Error> {
        let text = std::str::from_utf8(secret.expose())
            .ok() // It would say where.
            .context("'exec' keeps text only, and the secret is not UTF-8")?;
        let message = Message {
            server_url: url_of(entry),
            username: Some(USERNAME.to_owned()),
            secret: Some(text.to_owned().into()),
        };
        let json = Secret::of_json(&message).context("cannot write JSON")?;
        self.ask("store", &json).map(drop)
    }

    fn delete(&self, entry: &str) -> Result<(), Error> {
        // Some programs fail when there is nothing to erase.
        if self.get(entry)?.is_none() {
            return Ok(());
        }
        self.ask("erase", &Secret::new(url_of(entry).into_bytes()))?;
        // Others report success without erasing anything.
        match self.get(entry)? {
            None => Ok(()),
            Some(_) => Err(self.hinted("still has the secret after 'erase'")),
        }
    }
}

impl ExecStore {
    /// The secret for a URL, and the user name that stands beside it.
    pub(crate) fn look_up(&self, url: &str) -> Result<Option<(Option<String>, Secret)>, Error> {
        let Some(answer) = self.ask("get", &Secret::new(url.as_bytes().to_vec()))? else {
            return Ok(None);
        };
        let message: Message = serde_json::from_slice(&answer)
            // Its output may be a secret.
            .map_err(|_| self.hinted("does not answer as a docker-credential-helper does"))?;
        let mut secret = message.secret.unwrap_or_default();
        let secret = Secret::new(std::mem::take(&mut *secret).into_bytes());
        let username = message
            .username
            .filter(|name| !name.is_empty() && name != NO_USERNAME);
        Ok((!secret.is_empty()).then_some((username, secret)))
    }

    /// What the program answers. None when it has nothing to say.
    fn ask(&self, operation: &str, input: &Secret) -> Result<Option<SecretBuffer>, Error> {
        let program = &self.program;
        let wrong = |message: String| {
            let hint = "set 'program' of [store.exec] in config.toml to a name on PATH or an absolute path";
            anyhow!(Hinted::new(message, hint))
        };
        // A repository that git is run in could contain a program at this path.
        if program.contains(is_separator) && !Path::new(program).is_absolute() {
            return Err(wrong(format!("'{program}' is a relative path")).into());
        }
        let left = self.patience.saturating_sub(self.since.elapsed());
        let store = Program::new(program).with_service_tokens();
        let store = store.args([operation]).at_the_terminal(self.may_ask);
        let output = store.run(input.expose(), left);
        let output = output.map_err(|error| match error.kind() {
            _ if is_too_long(&error) => self.hinted("prints too much"),
            io::ErrorKind::NotFound => wrong(format!("there is no program '{program}'")).into(),
            _ => wrong(format!("cannot start '{program}': {error}")).into(),
        })?;
        let silent = || self.hinted(&format!("does not answer {}", within(self.patience)));
        let output = output.ok_or_else(silent)?;
        let how = match output.code {
            _ if has_nothing(&output) => return Ok(None),
            Some(0) => return Ok(Some(output.answer)),
            Some(code) => format!("exit status {code}"),
            None => "a signal".to_owned(),
        };
        Err(self.hinted(&format!("fails at '{operation}' ({how})")))
    }

    fn hinted(&self, what: &str) -> Error {
        let program = &self.program;
        // Unlike 'get', it shows no secret.
        let hint = format!("try it by hand: '{} list'", shell_quoted(program));
        anyhow!(Hinted::new(format!("'{program}' {what}"), hint)).into()
    }
}

/// Whether the program has nothing. Each says so in its own way.
fn has_nothing(output: &Output) -> bool {
    let says_so = |text: &[u8]| {
        let start = text.trim_ascii_start().get(..NOT_FOUND.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(NOT_FOUND))
    };
    let is_silent = output.answer.trim_ascii().is_empty();
    match output.code {
        Some(0) => is_silent,
        // A script fails silently when its last command finds nothing.
        Some(1) if is_silent && output.errors.trim_ascii().is_empty() => true,
        Some(_) => says_so(&output.answer) || says_so(&output.errors),
        None => false,
    }
}

/// The URL of an entry. Programs parse it, so it is a plain URL of no server; they also make file names of it, so it is
/// short.
fn url_of(entry: &str) -> String {
    let entry = utf8_percent_encode(entry, UNRESERVED);
    format!("https://git-credential-bitbucket.invalid/{entry}")
}
