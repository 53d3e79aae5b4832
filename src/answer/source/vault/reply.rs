//! What Vault answers: the reader of it. It may be another server's words, or a hostile one's.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::answer::source::record::Fields;
use crate::sys::http::Json;
use crate::sys::{Secret, printable};

/// An answer of the API (<https://openbao.org/api-docs/>).
pub(crate) struct Reply {
    pub(crate) status: u16,
    json: Option<Json>,
    /// What the server says of a failure, on one line after a colon; or nothing.
    pub(crate) said: String,
}

impl Reply {
    /// Reads an answer; what was `sent` as a secret is not shown when the server says it back.
    pub(crate) fn new(status: u16, json: Option<Json>, sent: &[&Secret]) -> Self {
        let said = json.as_ref().and_then(|json| said(json, sent));
        let said = said.map_or_else(String::new, |said| format!(": {said}"));
        Self { status, json, said }
    }

    /// Whether nothing lies there, or what lay there was deleted; otherwise there is no such engine or namespace.
    pub(crate) fn is_absence(&self) -> bool {
        let errors = self.at("/errors").and_then(Value::as_array);
        self.status == 404 && self.json.is_some() && errors.is_none_or(Vec::is_empty)
    }

    /// What lies at the path that was asked for, unless it was deleted; `pointer` is where an answer has it. None if this is
    /// no KV engine, or no such answer.
    pub(crate) fn fields(&self, pointer: &str) -> Option<Result<Option<Fields>>> {
        let data = self.at(pointer)?;
        let fields = || Fields::read(|name| value(data, name));
        Some(data.is_object().then(fields).transpose())
    }

    /// The token of a login, and for how long it may be kept: not when it is good for ever, or for a number of uses,
    /// which others count on.
    pub(crate) fn login(&self) -> Option<(Secret, Option<Duration>)> {
        let token = self.at("/auth/client_token")?.as_str()?;
        // What goes into a header and into a file of one line.
        let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let number = |pointer| self.at(pointer).and_then(Value::as_u64).unwrap_or(0);
        let lease = Some(number("/auth/lease_duration"));
        let lease = lease.filter(|&lease| lease > 0 && number("/auth/num_uses") == 0);
        let token = Secret::new(token.as_bytes().to_vec());
        is_token.then_some((token, lease.map(Duration::from_secs)))
    }

    /// Whether the engine of which this tells is a KV engine of the first version.
    pub(crate) fn tells_of_version_one(&self) -> bool {
        let text = |pointer| self.at(pointer).and_then(Value::as_str);
        let is_kv = matches!(text("/data/type"), Some("kv" | "generic"));
        is_kv && text("/data/options/version").is_none_or(|version| version == "1")
    }

    fn at(&self, pointer: &str) -> Option<&Value> {
        self.json.as_ref()?.pointer(pointer)
    }
}

/// A field of a secret, without the newline that a file or standard input adds. A number counts as its text.
fn value(data: &Value, name: &str) -> Result<Option<Secret>> {
    match data.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            let line = text.strip_suffix('\n');
            let line = line.map_or(text.as_str(), |line| {
                line.strip_suffix('\r').unwrap_or(line)
            });
            Ok(Some(Secret::new(line.as_bytes().to_vec())))
        }
        Some(Value::Number(number)) => Ok(Some(Secret::new(number.to_string().into_bytes()))),
        Some(_) => bail!("the field '{name}' is no text"),
    }
}

fn said(json: &Json, sent: &[&Secret]) -> Option<String> {
    const LONGEST: usize = 160;
    let errors = json.get("errors")?.as_array()?;
    let words = errors
        .iter()
        .filter_map(Value::as_str)
        .flat_map(str::split_whitespace)
        // The stars before the items of a list.
        .filter(|word| *word != "*")
        .take(LONGEST)
        .map(|word| match word {
            _ if is_a_code(word) || sent.iter().any(|it| shares(word.as_bytes(), it.expose())) => {
                "…"
            }
            _ => word,
        });
    let said = printable(&words.collect::<Vec<_>>().join(" "));
    let said: String = said.chars().take(LONGEST).collect();
    (!said.is_empty()).then_some(said)
}

/// Whether a word may be a secret in another encoding: percent-encoded, escaped, in base64 or in hexadecimal.
fn is_a_code(word: &str) -> bool {
    let is_strange = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    let text = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    // It says who was refused, and has no secret in it.
    let is_address = text.parse::<SocketAddrV4>().is_ok() || text.parse::<Ipv4Addr>().is_ok();
    // A name begins with a capital letter.
    word.contains(['%', '\\'])
        || text.len() >= MUCH && text.bytes().skip(1).any(is_strange) && !is_address
}

/// How much of a secret is too much to be shown.
const MUCH: usize = 8;

/// Whether a word has much of a secret, or all of a short one.
fn shares(word: &[u8], secret: &[u8]) -> bool {
    if secret.len() < MUCH {
        return !secret.is_empty() && word == secret;
    }
    let is_in_it = |part| secret.windows(MUCH).any(|other| other == part);
    word.windows(MUCH).any(is_in_it)
}

#[cfg(test)]
mod tests {
    use super::Reply;
    use crate::sys::Secret;
    use crate::sys::http::Json;

    #[test]
    fn a_server_that_says_a_secret_back_is_not_quoted() {
        let said = |text: &str, sent: &str| {
            let sent = Secret::new(sent.as_bytes().to_vec());
            let json = Json::parse(text.as_bytes());
            Reply::new(403, json, &[&sent]).said
        };
        let text = r#"{"errors":["1 error occurred:\n\t* no token 'hvs.canary-token', sorry\n"]}"#;
        assert_eq!(
            said(text, "hvs.canary-token"),
            ": 1 error occurred: no token … sorry"
        );
        assert_eq!(said(text, "another"), {
            ": 1 error occurred: no token 'hvs.canary-token', sorry"
        });
        assert_eq!(said(r#"{"errors":["a T b"]}"#, "T"), ": a … b");
        assert_eq!(said(r#"{"errors":["a\u001b[2J"]}"#, "T"), ": a\\u{1b}[2J");
        assert_eq!(said("<html>", "T"), "");
    }
}
