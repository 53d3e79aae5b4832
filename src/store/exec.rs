//! A program that keeps secrets and speaks the protocol of the docker-credential-helpers:
//! <https://github.com/docker/docker-credential-helpers#development>.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use super::{Error, Store};
use crate::child::{self, Output};
use crate::error::Hinted;
use crate::secret::Secret;

/// The program, and how long it may take: somebody may be typing at its unlock prompt.
#[derive(Debug)]
pub(crate) struct ExecStore {
    pub(crate) program: String,
    pub(crate) patience: Duration,
    /// Variables it need not inherit.
    pub(crate) withheld: Vec<&'static str>,
}

/// What the program has for a URL.
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) secret: Secret,
}

/// As the program writes and reads it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    #[serde(rename = "ServerURL", default)]
    server_url: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

impl Drop for Message {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// What the programs say when they have nothing, on standard output and with a failure.
const NOT_FOUND: &[u8] = b"credentials not found in native keychain";
/// Programs use it as the name of a file, so it must not be empty.
const USERNAME: &str = "git-credential-bitbucket";

impl Store for ExecStore {
    fn get(&self, entry: &str) -> Result<Option<Secret>, Error> {
        Ok(self.look_up(&url_of(entry))?.map(|login| login.secret))
    }

    fn set(&self, entry: &str, secret: &Secret) -> Result<(), Error> {
        let text = std::str::from_utf8(secret.expose())
            .context("'exec' keeps text only, and the secret is not UTF-8")?;
        let message = Message {
            server_url: url_of(entry),
            username: USERNAME.to_owned(),
            secret: text.to_owned(),
        };
        // As long as it can get: a buffer that grows leaves copies behind.
        let mut json = Vec::with_capacity(6 * text.len() + 1024);
        serde_json::to_writer(&mut json, &message).context("cannot write JSON")?;
        let output = self.run("store", &Secret::new(json))?;
        match output.code {
            Some(0) => Ok(()),
            code => Err(self.failed("store", code)),
        }
    }

    fn delete(&self, entry: &str) -> Result<bool, Error> {
        if self.get(entry)?.is_none() {
            return Ok(false);
        }
        let url = Secret::new(url_of(entry).into_bytes());
        match self.run("erase", &url)?.code {
            Some(0) => Ok(true),
            code => Err(self.failed("erase", code)),
        }
    }
}

impl ExecStore {
    /// What the program has for a URL.
    ///
    /// # Errors
    /// When it cannot be started, does not end in time, or fails in another way than by having nothing.
    pub(crate) fn look_up(&self, url: &str) -> Result<Option<Login>, Error> {
        let output = self.run("get", &Secret::new(url.as_bytes().to_vec()))?;
        if output.code != Some(0) {
            let has_nothing = output.answer.trim_ascii().starts_with(NOT_FOUND);
            return if has_nothing {
                Ok(None)
            } else {
                Err(self.failed("get", output.code))
            };
        }
        let mut message: Message = serde_json::from_slice(&output.answer)
            // What it says may be a secret.
            .map_err(|_| self.hinted("does not answer as a docker-credential-helper does"))?;
        let secret = Secret::new(std::mem::take(&mut message.secret).into_bytes());
        let username = std::mem::take(&mut message.username);
        // Some programs have no other way to say that there is none.
        Ok((!secret.is_empty()).then_some(Login { username, secret }))
    }

    fn run(&self, operation: &str, input: &Secret) -> Result<Output, Error> {
        let mut command = Command::new(&self.program);
        command.arg(operation);
        for variable in &self.withheld {
            command.env_remove(variable);
        }
        let output = child::run(command, input.expose(), self.patience).map_err(|error| {
            let message = format!("cannot start '{}': {error}", self.program);
            let hint =
                "see 'program' of [store.exec] in config.toml: a name on PATH or an absolute path";
            anyhow::Error::from(Hinted::new(message, hint))
        })?;
        let seconds = self.patience.as_secs_f64().round();
        output.ok_or_else(|| self.hinted(&format!("does not answer within {seconds} seconds")))
    }

    fn failed(&self, operation: &str, code: Option<i32>) -> Error {
        let code = code.map_or("a signal".to_owned(), |code| format!("exit status {code}"));
        self.hinted(&format!("fails at '{operation}' ({code})"))
    }

    fn hinted(&self, what: &str) -> Error {
        let program = &self.program;
        let hint = format!("try it by hand: 'echo https://bitbucket.org | {program} get'");
        anyhow!(Hinted::new(format!("'{program}' {what}"), hint)).into()
    }
}

/// The URL under which an entry lies. Programs take URLs apart, so it is a plain one, and no server's.
fn url_of(entry: &str) -> String {
    let entry = percent_encoding::utf8_percent_encode(entry, percent_encoding::NON_ALPHANUMERIC);
    format!("https://git-credential-bitbucket.invalid/{entry}")
}
