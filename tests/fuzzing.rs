//! What the fuzzer calls with bytes of its own. Each function fails by panicking, and shows nothing.

#![expect(
    clippy::missing_panics_doc,
    reason = "a panic is what the fuzzer looks for"
)]

use std::path::Path;
use std::time::Duration;

use crate::account::file::Accounts;
use crate::answer::matching::{self, Wanted};
use crate::answer::shortlist;
use crate::answer::source::vault::reply;
use crate::bitbucket;
use crate::bitbucket::oauth;
use crate::bitbucket::reach::Reach;
use crate::cli::takeover::scrub::find;
use crate::cli::takeover::scrub::rewrite::config_without;
use crate::cli::takeover::{git_credentials, in_url, netrc};
use crate::git::config::GitConfig;
use crate::git::context::Host;
use crate::git::identity::Identity;
use crate::git::protocol::{Reply, Request};
use crate::git::url::{self, Url, urls_in};
use crate::settings::config::Config;
use crate::settings::policy::Policy;
use crate::settings::toml_file;
use crate::store::Name;
use crate::sys::http::Json;
use crate::sys::loopback::{self, Callback};
use crate::sys::secret::Secret;

/// git's requests: what is read can be matched, and what we would reply with it is read back as the same.
pub fn request(mut data: &[u8]) {
    let Ok(request) = Request::read(&mut data) else {
        return;
    };
    let _ = request.describe();
    if let Some(wanted) = Wanted::of(&request.context) {
        let none = Accounts::default();
        assert!(matching::fitting(&none, &wanted).next().is_none());
        assert!(wanted.host.as_str().is_ascii());
    }
    let (Some(username), Some(password)) = (request.context.username, request.password) else {
        return;
    };
    let reply = Reply {
        identity: Identity::basic(&username, password.clone()),
        username: None,
        password_expiry_utc: request.password_expiry_utc,
        oauth_refresh_token: request.oauth_refresh_token,
        is_ephemeral: false,
    };
    if let Some(text) = reply.to_bytes() {
        let again = Request::read(&mut &text[..]).expect("what we say can be read");
        let context = again.context;
        assert!(context.username == Some(username) && again.password == Some(password));
        assert!(context.host.is_none() && context.protocol.is_none());
    }
}

/// URLs: what is taken out lies in the text, and nothing of a secret is left in what is shown.
pub fn url(data: &[u8]) {
    for (start, text) in urls_in(data) {
        assert!(&data[start..start + text.len()] == text.as_bytes());
        let Some(url) = Url::parse(text) else {
            continue;
        };
        if let Some(secrets) = in_url(&url) {
            let rest = [&text[..secrets.cut.start], &text[secrets.cut.end..]].concat();
            let rest = Url::parse(&rest).expect("it is still a URL");
            assert!(rest.host() == url.host() && rest.path() == url.path());
            assert!(in_url(&rest).is_none(), "it has no secret any more");
            let shown = Url::parse(&secrets.shown).expect("what is shown is a URL");
            assert!(in_url(&shown).is_none());
        }
        if let (Some(host), Some(path)) = (url.host(), url.path()) {
            let _ = bitbucket::is_general_rest(&host, &path);
            if let Some(reach) = Reach::of_path(&host, &path) {
                let again: Reach = reach.to_string().parse().expect("a reach is one");
                assert!(again == reach);
            }
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = url::masked(text);
        if let Ok(host) = text.parse::<Host>() {
            assert!(host.as_str().parse::<Host>().expect("a host is one") == host);
        }
    }
    assert!(bitbucket::tokens_in(data).all(|token| token.end <= data.len()));
    let text = Secret::new(data.to_vec());
    for text in [bitbucket::joined(&text), text] {
        if let Ok((secret, _)) = bitbucket::understood(&text, &bitbucket::cloud()) {
            assert!(secret.expose().len() <= data.len());
        }
    }
}

/// git's configuration: each value lies where it is said to lie, and without its secrets a file says what it said.
pub fn git_config(data: &[u8]) {
    let Some(config) = GitConfig::parse(data) else {
        return;
    };
    for entry in &config.entries {
        let value = entry.value.as_ref();
        let end = value.map_or(0, |value| value.place(0..value.bytes().len()).end);
        assert!(entry.span.end.max(end) <= data.len());
    }
    let hosts = [
        bitbucket::cloud(),
        bitbucket::API_HOST.parse().expect("a host"),
    ];
    let _ = find::in_text(data, &hosts);
    let new = config_without(data, &hosts, &|found| !found.credentials.is_empty());
    let Some((new, meant)) = new else { return };
    // Where git would list anything else, the file stays.
    let list = GitConfig::parse(&new).and_then(|config| config.list_without(&[]));
    if list.is_some_and(|list| *list == *meant) {
        let (_, again) = find::in_config(&new, &hosts).expect("git can still read it");
        assert!(again.found.iter().all(|found| found.credentials.is_empty()));
    }
}

/// `accounts.toml`, and what we would write in its place; what is read of it for a request answers as the whole does.
pub fn accounts(data: &[u8]) {
    let Ok(accounts) = Accounts::parse(data) else {
        return;
    };
    let text = accounts.to_toml().expect("what was read can be written");
    let again = Accounts::parse(text.as_bytes()).expect("what was written can be read");
    assert!(again.iter().count() == accounts.iter().count());
    for (path, username) in [("", None), ("acme/app.git", None), ("acme", Some("ada"))] {
        let path = Some(path.as_bytes()).filter(|path| !path.is_empty());
        let wanted = Wanted::at(bitbucket::cloud(), path, username.map(str::as_bytes));
        let fitting = |accounts: &Accounts| -> Vec<String> {
            let fitting = matching::fitting(accounts, &wanted);
            fitting.map(|account| account.entry.clone()).collect()
        };
        for text in [data, text.as_bytes()] {
            let few = shortlist::of(text, &wanted);
            assert!(few.is_none_or(|few| fitting(&few) == fitting(&accounts)));
        }
    }
}

/// `config.toml`
pub fn config(data: &[u8]) {
    let path = Path::new("config.toml");
    let _ = toml_file::parse::<Config>(path, data);
    let _ = Policy::parse(path, data);
}

/// The netrc file, and that of git-credential-store: entries lie in the text, in order and apart.
pub fn import(data: &[u8]) {
    let hosts = bitbucket::hosts_asked_for(&bitbucket::cloud());
    for entries in [netrc::entries, git_credentials::entries] {
        let mut end = 0;
        for entry in entries(data, &hosts) {
            assert!(end <= entry.span.start && entry.span.end <= data.len());
            end = entry.span.end;
        }
    }
}

/// What an OAuth server answers, and what a browser, or whoever else comes to the loopback interface, asks for.
pub fn oauth(data: &[u8]) {
    if let Ok(json) = serde_json::from_slice(data) {
        let name = oauth::code(&json).unwrap_or_default();
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        assert!(name.bytes().all(is_part));
        if let Some(tokens) = oauth::parse(&json, Duration::from_secs(7200)) {
            assert!(is_token(&tokens.access) && tokens.refresh.as_ref().is_none_or(is_token));
            assert!(tokens.lifetime.as_secs() <= 366 * 24 * 3600);
        }
    }
    let callback = |target, state: &[u8]| loopback::callback(target, &Secret::new(state.to_vec()));
    if let Some(request) = loopback::request(data, 7) {
        assert!(!request.target.contains([' ', '\r', '\n']));
        assert!(callback(request.target, &b"never".repeat(9)) == Callback::Stray);
    }
    if let Ok(address) = std::str::from_utf8(data) {
        assert!(callback(address, b"s") == Callback::Stray || address.contains("state="));
    }
}

/// Whether it can go into a header.
fn is_token(secret: &Secret) -> bool {
    !secret.is_empty() && secret.expose().iter().all(u8::is_ascii_graphic)
}

/// What Vault answers, or who answers in its place: what is taken from it can go into a header, a file of one line and a
/// reply to git, and of what was sent nothing is shown.
pub fn vault(data: &[u8]) {
    let sent = Secret::new(b"hvs.0123456789".to_vec());
    let reply = reply::Reply::new(404, Json::parse(data), &[&sent]);
    let _ = (reply.is_absence(), reply.tells_of_version_one());
    let said = &reply.said;
    assert!(!said.chars().any(char::is_control) && !said.contains("hvs.0123456789"));
    assert!(reply.login().is_none_or(|(token, _)| is_token(&token)));
    for pointer in ["/data", "/data/data"] {
        let Some(Ok(Some(fields))) = reply.fields(pointer) else {
            continue;
        };
        let account = fields.into_account("place", Name::Vault, &bitbucket::cloud());
        let Ok((account, kept)) = account else {
            continue;
        };
        let username = account.username().map(ToString::to_string);
        let texts = [
            account.email().unwrap_or_default(),
            &username.unwrap_or_default(),
        ];
        assert!(!texts.concat().contains(char::is_control));
        assert!(!kept.secret.is_empty());
        assert!(!kept.secret.expose().iter().any(u8::is_ascii_control));
    }
}
