//! Finds secrets in git's configuration files, and in files that git writes for itself.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use crate::account::Scheme;
use crate::bitbucket::{self, Kind, Reach};
use crate::cli::takeover::{Credential, in_url};
use crate::git::config::{ConfigEntry, ConfigSection};
use crate::git::url::urls_in;
use crate::git::{self, GitConfig, Host, Url, Username, url};
use crate::sys::Secret;

/// A secret, and what happens to it. As `scrub --json` prints it: the names are a contract.
#[derive(Default, Serialize)]
pub(crate) struct Found {
    pub(crate) file: String,
    /// The setting, in a configuration file; a URL in it is masked.
    pub(crate) key: Option<String>,
    pub(crate) line: usize,
    /// The URL without the secret, if it stands in one.
    pub(crate) url: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) action: Action,
    /// What goes into the store: two for some URLs, none if the secret must stay.
    #[serde(skip)]
    pub(crate) credentials: Vec<Credential>,
    #[serde(skip)]
    pub(crate) place: Range<usize>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// It is in the store and no longer in the file.
    Moved,
    WouldMove,
    /// It is still in the file.
    #[default]
    Reported,
    /// It stays in the file, which others may have written.
    #[serde(rename = "reported")]
    OfOthers,
}

/// How many secrets of one text are looked at. No text that people write has as many.
pub(crate) const MOST: usize = 10_000;

#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) found: Vec<Found>,
    /// The number of secrets of other hosts.
    pub(crate) foreign: usize,
}

/// The secrets of these hosts in a git configuration file; `None` if git could not read the file.
pub(crate) fn in_config(text: &[u8], hosts: &[Host]) -> Option<(GitConfig, Findings)> {
    let config = GitConfig::parse(text)?;
    let mut search = Search::new(text, hosts);
    // One for each section, and not for each entry: its name may be long.
    let headings = config.sections.iter().map(|it| Heading::new(it, hosts));
    let headings: Vec<Heading<'_>> = headings.collect();
    for heading in &headings {
        if let Some(name) = &heading.section.subsection {
            search.key = Some(heading.shown.clone());
            search.all(name.bytes(), |part| name.place(part));
        }
    }
    for entry in &config.entries {
        search.entry(entry, &headings[entry.section]);
    }
    search.key = None;
    for comment in &config.comments {
        search.plain(comment);
    }
    let mut findings = search.into_findings();
    give_reaches(&config, hosts, &mut findings.found);
    Some((config, findings))
}

/// The secrets in a text of no particular form.
pub(crate) fn in_text(text: &[u8], hosts: &[Host]) -> Findings {
    let mut search = Search::new(text, hosts);
    search.plain(&(0..text.len()));
    search.into_findings()
}

/// A secret that names no repository is for the repository of the configuration's first remote on its host.
fn give_reaches(config: &GitConfig, hosts: &[Host], found: &mut [Found]) {
    let is_remote = |name: &[u8]| name == b"remote" || name.starts_with(b"remote.");
    let remotes = config.texts().filter(|it| is_remote(&it.0.name));
    let reaches_of = remotes.filter_map(|(.., value)| {
        let url = Url::parse(value)?;
        let host = url.host().filter(|host| hosts.contains(host))?;
        let reach = Reach::of_path(&host, &url.path()?)?;
        Some((bitbucket::home_of(&host), reach))
    });
    // The first one is the last that is put in.
    let reaches: BTreeMap<Host, Reach> = reaches_of.rev().collect();
    for credential in found.iter_mut().flat_map(|found| &mut found.credentials) {
        if credential.reach.is_none() {
            credential.reach = reaches.get(&credential.host).cloned();
        }
    }
}

/// The heading of a section, and for which of our hosts its settings count.
struct Heading<'a> {
    section: &'a ConfigSection,
    host: Option<&'a Host>,
    reach: Option<Reach>,
    /// Masked, and cut where it is long.
    shown: String,
}

impl<'a> Heading<'a> {
    fn new(section: &'a ConfigSection, hosts: &'a [Host]) -> Self {
        let name = String::from_utf8_lossy(&section.name);
        let pattern = section.subsection.as_ref();
        let pattern = pattern.map(|pattern| String::from_utf8_lossy(pattern.bytes()));
        let pattern = pattern.as_deref();
        let mut hosts = hosts.iter();
        let host = pattern.and_then(|it| hosts.find(|host| git::matches_host(it, host)));
        let path = pattern.and_then(|url| Url::parse(url)?.path());
        let shown = match pattern {
            Some(pattern) => url::masked(&format!("{name}.{pattern}")),
            None => name.into_owned(),
        };
        Self {
            section,
            host,
            reach: host.and_then(|host| Reach::of_path(host, path.as_ref()?)),
            // A name that is longer is no help to anybody.
            shown: shown.chars().take(256).collect(),
        }
    }
}

#[derive(Default)]
struct Search<'a> {
    text: &'a [u8],
    hosts: &'a [Host],
    /// The setting that is searched.
    key: Option<String>,
    /// The places that are done.
    seen: BTreeMap<usize, usize>,
    findings: Findings,
}

impl<'a> Search<'a> {
    fn new(text: &'a [u8], hosts: &'a [Host]) -> Self {
        Self {
            text,
            hosts,
            ..Self::default()
        }
    }

    /// What was found, in its order, with the lines in which it stands.
    fn into_findings(self) -> Findings {
        let mut findings = self.findings;
        findings.found.sort_by_key(|found| found.place.start);
        let (mut line, mut position) = (1, 0);
        for found in &mut findings.found {
            let before = &self.text[position..found.place.start];
            line += before.split(|byte| *byte == b'\n').count() - 1;
            position = found.place.start;
            found.line = line;
        }
        findings
    }

    /// Whether a place is not done yet; from now on it is.
    fn is_new(&mut self, place: &Range<usize>) -> bool {
        let before = self.seen.range(..place.end).next_back();
        let is_new = before.is_none_or(|(_, &end)| end <= place.start);
        if is_new {
            self.seen.insert(place.start, place.end);
        }
        is_new
    }

    /// Searches a setting for headers, passwords of helpers, URLs and tokens.
    fn entry(&mut self, entry: &ConfigEntry, heading: &Heading<'_>) {
        let Some(value) = &entry.value else { return };
        let variable = String::from_utf8_lossy(&entry.variable);
        self.key = Some(format!("{}.{variable}", heading.shown));
        let name = heading.section.name.as_slice();
        let alone = match (name, entry.variable.as_slice()) {
            (b"http", b"extraheader") => authorization(value.bytes()),
            (b"credential", b"helper") => of_helper(value.bytes()),
            (b"credential", b"username") => of_username(value.bytes()),
            _ => None,
        };
        if let Some((username, secret, scheme)) = alone {
            let has_pattern = heading.section.subsection.is_some();
            // A setting for every host: only the secret's prefix shows its host.
            let by_prefix = |host: &&Host| Kind::of_secret(&secret, host).is_some();
            let mut hosts = self.hosts.iter().filter(|_| !has_pattern);
            if let Some(host) = heading.host.or_else(|| hosts.find(by_prefix)) {
                let mut credential = Credential::new(host, username, secret);
                credential.reach.clone_from(&heading.reach);
                if credential.known.kind == Kind::HttpAccessToken {
                    credential.known.scheme = scheme;
                }
                // The setting goes with it.
                self.add(entry.span.clone(), None, vec![credential]);
            } else {
                self.findings.foreign += usize::from(has_pattern);
            }
        }
        self.all(value.bytes(), |part| value.place(part));
    }

    /// The secrets in the URLs of a text, and bare tokens: the meaning of the text around these is unknown, so they stay.
    /// `place` tells where a part of the text lies in the whole.
    fn all(&mut self, text: &[u8], place: impl Fn(Range<usize>) -> Range<usize>) {
        for (start, url) in urls_in(text) {
            let Some(url) = Url::parse(url) else { continue };
            let Some(secrets) = in_url(&url) else {
                continue;
            };
            let place = place(start + secrets.cut.start..start + secrets.cut.end);
            if url.host().is_some_and(|host| self.hosts.contains(&host)) {
                self.add(place, Some(secrets.shown), secrets.credentials);
            } else {
                self.findings.foreign += 1;
                // A token of ours in another host's URL is not stored, but done.
                self.is_new(&place);
            }
        }
        for token in bitbucket::tokens_in(text) {
            self.add(place(token), None, Vec::new());
        }
    }

    fn plain(&mut self, whole: &Range<usize>) {
        self.all(&self.text[whole.clone()], |part| {
            whole.start + part.start..whole.start + part.end
        });
    }

    fn add(&mut self, place: Range<usize>, url: Option<String>, credentials: Vec<Credential>) {
        // One more than the most tells that there are more.
        if self.is_new(&place) && self.findings.found.len() <= MOST {
            self.findings.found.push(Found {
                key: self.key.clone(),
                url,
                credentials,
                place,
                ..Found::default()
            });
        }
    }
}

/// A secret in a setting, but not in a URL.
type Alone = (Option<Username>, Secret, Scheme);

fn alone(username: Option<&[u8]>, secret: &[u8], scheme: Scheme) -> Option<Alone> {
    let username = username.and_then(Username::new);
    (!secret.is_empty()).then(|| (username, Secret::new(secret.to_vec()), scheme))
}

/// `Authorization: Basic …` or `Authorization: Bearer …`, as `http.extraHeader` sends it with each request.
fn authorization(header: &[u8]) -> Option<Alone> {
    let (name, value) = std::str::from_utf8(header).ok()?.split_once(':')?;
    let (scheme, credential) = value.trim().split_once(' ')?;
    let credential = credential.trim();
    if !name.trim().eq_ignore_ascii_case("authorization") {
        return None;
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        return alone(None, credential.as_bytes(), Scheme::Bearer);
    }
    let (username, password) = git::of_basic(credential)?;
    let is_basic = scheme.eq_ignore_ascii_case("basic");
    is_basic.then_some((username, password, Scheme::Basic))
}

/// A shell helper that prints a password: `!f() { echo username=ada; echo password=…; }; f`. A variable (`$TOKEN`) is no
/// secret in the file.
fn of_helper(value: &[u8]) -> Option<Alone> {
    value.strip_prefix(b"!")?;
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"'\";|&\\)".contains(byte);
    let said = |name: &[u8]| {
        let start = value.windows(name.len()).position(|part| part == name)? + name.len();
        let said = value[start..].split(is_end).next()?;
        let is_literal = !said.is_empty() && !said.iter().any(|byte| b"$`%".contains(byte));
        is_literal.then_some(said)
    };
    let token = || {
        let mut words = value.split(|byte| is_end(byte) || *byte == b'=');
        words.find(|word| bitbucket::looks_like_a_secret(word))
    };
    alone(
        said(b"username="),
        said(b"password=").or_else(token)?,
        Scheme::Basic,
    )
}

/// A token in the place of a user name.
fn of_username(value: &[u8]) -> Option<Alone> {
    alone(None, value, Scheme::Basic).filter(|_| bitbucket::is_token_for_a_name(value))
}
