//! The secrets in a text: one of git's configuration files, or one that git writes for itself.

use std::collections::BTreeMap;
use std::ops::Range;

use base64ct::{Base64, Encoding as _};

use crate::bitbucket;
use crate::bitbucket::reach::Reach;
use crate::cli::takeover::{Credential, InUrl, in_url};
use crate::git;
use crate::git::config::{ConfigEntry, ConfigSection, GitConfig, Piece};
use crate::git::context::Host;
use crate::git::url::{self, Url, urls_in};
use crate::git::username::Username;
use crate::sys::secret::Secret;

/// A secret, and where it stands.
pub(crate) struct Found {
    /// Counted from 1.
    pub(crate) line: usize,
    /// The setting, in a configuration file; a URL in it is masked.
    pub(crate) key: Option<String>,
    /// The URL without the secret, if it stands in one.
    pub(crate) url: Option<String>,
    /// What goes into the store. A URL may hold two secrets, and where nobody can tell whose a secret is there is none.
    pub(crate) credentials: Vec<Credential>,
    /// What of the text goes with it; empty where it must not be taken out.
    pub(crate) cut: Range<usize>,
}

/// How many secrets of one text are looked at. No text that people write has as many.
pub(crate) const MOST: usize = 10_000;

/// What was found in one text.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) found: Vec<Found>,
    /// There are more than [`MOST`].
    pub(crate) is_cut_short: bool,
    /// How many secrets of other hosts there are.
    pub(crate) foreign: usize,
}

/// The hosts whose secrets are looked for.
pub(crate) struct Ours {
    pub(crate) hosts: Vec<Host>,
}

impl Ours {
    fn has(&self, host: &Host) -> bool {
        self.hosts.contains(host)
    }

    /// The host for which a setting with this pattern counts.
    fn matching(&self, pattern: &str) -> Option<&Host> {
        self.hosts
            .iter()
            .find(|host| git::matches_host(pattern, host))
    }

    /// The host of a secret that stands alone, as far as its start tells.
    fn of_secret(&self, secret: &Secret) -> Option<&Host> {
        let mut hosts = self.hosts.iter();
        hosts.find(|host| bitbucket::Kind::of_secret(secret, host).is_some())
    }
}

/// The secrets in one of git's configuration files, or nothing where git could not read it.
pub(crate) fn in_config(text: &[u8], ours: &Ours) -> Option<(GitConfig, Findings)> {
    let config = GitConfig::parse(text)?;
    let mut search = Search::of(text, ours);
    for section in &config.sections {
        if let Some(subsection) = &section.subsection {
            search.urls(subsection, Some(&Heading::of(section, ours).shown));
        }
    }
    let mut heading = None;
    for entry in &config.entries {
        // Once for each section, and not for each entry: its name may be long.
        let heading = match &mut heading {
            Some((section, heading)) if *section == entry.section => heading,
            other => {
                let heading = Heading::of(config.section_of(entry), ours);
                &mut other.insert((entry.section, heading)).1
            }
        };
        search.entry(entry, heading);
    }
    for comment in &config.comments {
        search.plain(comment.clone());
    }
    let mut findings = search.into_findings();
    give_scopes(&config, ours, &mut findings.found);
    Some((config, findings))
}

/// The secrets in a text of no particular form. It may quote others, and an account without a repository would be for
/// the whole host: so one whose URL names none stays.
pub(crate) fn in_text(text: &[u8], ours: &Ours) -> Findings {
    let mut search = Search::of(text, ours);
    search.plain(0..text.len());
    let mut findings = search.into_findings();
    for found in &mut findings.found {
        if found.credentials.iter().any(|it| it.reach.is_none()) {
            found.credentials.clear();
        }
    }
    findings
}

/// A secret that says nothing of a repository is for the one in whose configuration it stands.
fn give_scopes(config: &GitConfig, ours: &Ours, found: &mut [Found]) {
    let remotes: Vec<(Host, Reach)> = config
        .entries
        .iter()
        .filter(|entry| {
            let name = &config.section_of(entry).name;
            name == b"remote" || name.starts_with(b"remote.")
        })
        .filter_map(|entry| {
            let value = std::str::from_utf8(entry.value.as_ref()?.bytes()).ok()?;
            let url = Url::parse(value)?;
            let host = url.host().filter(|host| ours.has(host))?;
            let reach = Reach::of_path(&host, &url.path()?)?;
            Some((bitbucket::home_of(&host), reach))
        })
        .collect();
    let without = found
        .iter_mut()
        .flat_map(|found| &mut found.credentials)
        .filter(|credential| credential.reach.is_none());
    for credential in without {
        let mut remotes = remotes.iter();
        let remote = remotes.find(|(host, _)| *host == credential.host);
        credential.reach = remote.map(|(_, reach)| reach.clone());
    }
}

/// The name of a section, and for which of our hosts its settings count.
struct Heading {
    name: Vec<u8>,
    has_pattern: bool,
    host: Option<Host>,
    reach: Option<Reach>,
    /// Masked, and cut where it is long.
    shown: String,
}

impl Heading {
    /// A name that is longer is no help to anybody.
    const LONGEST: usize = 256;

    fn of(section: &ConfigSection, ours: &Ours) -> Self {
        let mut heading = Self {
            name: section.name.clone(),
            has_pattern: section.subsection.is_some(),
            host: None,
            reach: None,
            shown: String::from_utf8_lossy(&section.name).into_owned(),
        };
        if let Some(subsection) = &section.subsection {
            let pattern = String::from_utf8_lossy(subsection.bytes());
            heading.host = ours.matching(&pattern).cloned();
            let path = Url::parse(&pattern).and_then(|url| url.path());
            heading.reach = heading
                .host
                .as_ref()
                .zip(path)
                .and_then(|(host, path)| Reach::of_path(host, &path));
            heading.shown = url::masked(&format!("{}.{pattern}", heading.shown));
        }
        heading.shown = shortened(heading.shown);
        heading
    }

    fn key_of(&self, entry: &ConfigEntry) -> String {
        let variable = String::from_utf8_lossy(&entry.variable).into_owned();
        format!("{}.{}", self.shown, shortened(variable))
    }
}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(Heading::LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

struct Search<'a> {
    text: &'a [u8],
    ours: &'a Ours,
    /// What has been accounted for: where it starts, and where it ends.
    seen: BTreeMap<usize, usize>,
    findings: Findings,
}

impl<'a> Search<'a> {
    fn of(text: &'a [u8], ours: &'a Ours) -> Self {
        Self {
            text,
            ours,
            seen: BTreeMap::new(),
            findings: Findings::default(),
        }
    }

    /// What was found, in its order, with the lines in which it stands.
    fn into_findings(self) -> Findings {
        let mut findings = self.findings;
        findings.found.sort_by_key(|found| found.cut.start);
        let (mut line, mut position) = (1, 0);
        for found in &mut findings.found {
            let before = &self.text[position..found.cut.start];
            line += before.split(|byte| *byte == b'\n').count() - 1;
            position = found.cut.start;
            found.line = line;
        }
        findings
    }

    fn is_seen(&self, place: &Range<usize>) -> bool {
        let before = self.seen.range(..place.end).next_back();
        before.is_some_and(|(_, &end)| place.start < end)
    }

    /// Looks at a setting: what is sent with requests, what a helper says, a URL anywhere, a token anywhere.
    fn entry(&mut self, entry: &ConfigEntry, heading: &Heading) {
        let Some(value) = &entry.value else { return };
        let key = heading.key_of(entry);
        let secrets = match (heading.name.as_slice(), entry.variable.as_slice()) {
            (b"http", b"extraheader") => authorization(value.bytes()),
            (b"credential", b"helper") => of_helper(value.bytes()),
            (b"credential", b"username") => of_username(value.bytes()),
            _ => None,
        };
        if let Some(alone) = secrets {
            self.alone(entry, &key, heading, alone);
        }
        self.urls(value, Some(&key));
        self.tokens(value.bytes(), Some(&key), |part| value.place(part));
    }

    /// A secret that is the whole of a setting, which goes with it.
    fn alone(&mut self, entry: &ConfigEntry, key: &str, heading: &Heading, alone: Alone) {
        let host = if heading.has_pattern {
            heading.host.as_ref()
        } else {
            // Where it counts for every host, only its start can tell whose it is.
            self.ours.of_secret(&alone.secret)
        };
        let Some(host) = host else {
            self.findings.foreign += usize::from(heading.has_pattern);
            return;
        };
        let mut credential = Credential::new(host, alone.username, alone.secret);
        credential.is_bearer = alone.is_bearer;
        credential.reach.clone_from(&heading.reach);
        self.add(entry.span.clone(), Some(key), None, vec![credential]);
    }

    /// The URLs in a value or in the name of a section.
    fn urls(&mut self, piece: &Piece, key: Option<&str>) {
        for (start, url) in urls_in(piece.bytes()) {
            self.url(url, key, |part| {
                piece.place(start + part.start..start + part.end)
            });
        }
    }

    fn url(&mut self, text: &str, key: Option<&str>, place: impl Fn(Range<usize>) -> Range<usize>) {
        let Some(url) = Url::parse(text) else { return };
        let Some(InUrl {
            credentials,
            cut,
            shown,
        }) = in_url(&url)
        else {
            return;
        };
        if !url.host().is_some_and(|host| self.ours.has(&host)) {
            self.findings.foreign += 1;
            // A token of ours in it is none of theirs to keep, but it is accounted for.
            let place = place(cut);
            self.seen.insert(place.start, place.end);
            return;
        }
        self.add(place(cut), key, Some(shown), credentials);
    }

    /// A text of no form: URLs, and tokens that stand alone.
    fn plain(&mut self, place: Range<usize>) {
        let text = self.text;
        let start = place.start;
        for (position, url) in urls_in(&text[place.clone()]) {
            let position = start + position;
            self.url(url, None, |part| position + part.start..position + part.end);
        }
        self.tokens(&text[place], None, |part| {
            start + part.start..start + part.end
        });
    }

    /// Tokens that stand alone: nobody can tell what the text around them is for, so they stay.
    fn tokens(
        &mut self,
        text: &[u8],
        key: Option<&str>,
        place: impl Fn(Range<usize>) -> Range<usize>,
    ) {
        for token in bitbucket::tokens_in(text) {
            let place = place(token);
            if !self.is_seen(&place) {
                self.add(place.start..place.start, key, None, Vec::new());
            }
        }
    }

    fn add(
        &mut self,
        cut: Range<usize>,
        key: Option<&str>,
        url: Option<String>,
        credentials: Vec<Credential>,
    ) {
        if !cut.is_empty() && self.is_seen(&cut) {
            return;
        }
        if self.findings.found.len() == MOST {
            self.findings.is_cut_short = true;
            return;
        }
        if !cut.is_empty() {
            self.seen.insert(cut.start, cut.end);
        }
        self.findings.found.push(Found {
            line: 0,
            key: key.map(str::to_owned),
            url,
            credentials,
            cut,
        });
    }
}

/// A secret that a setting holds in another way than in a URL.
struct Alone {
    username: Option<Username>,
    secret: Secret,
    is_bearer: bool,
}

impl Alone {
    fn new(username: Option<&[u8]>, secret: &[u8]) -> Option<Self> {
        Some(Self {
            username: username.and_then(Username::new),
            secret: Secret::new(secret.to_vec()),
            is_bearer: false,
        })
        .filter(|alone| !alone.secret.is_empty())
    }
}

/// `Authorization: Basic …` or `Authorization: Bearer …`, as `http.extraHeader` sends it with each request.
fn authorization(header: &[u8]) -> Option<Alone> {
    let (name, value) = split_at(header, b':')?;
    if !name.trim_ascii().eq_ignore_ascii_case(b"authorization") {
        return None;
    }
    let (scheme, credential) = split_at(value.trim_ascii(), b' ')?;
    let credential = credential.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        let mut alone = Alone::new(None, credential)?;
        alone.is_bearer = true;
        return Some(alone);
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let pair = Secret::new(Base64::decode_vec(std::str::from_utf8(credential).ok()?).ok()?);
    let (username, password) = split_at(pair.expose(), b':')?;
    Alone::new(Some(username), password)
}

/// A helper that is a piece of shell and says a password, `!f() { echo username=ada; echo password=…; }; f`. What it
/// takes from elsewhere (`$TOKEN`) is no secret in the file.
fn of_helper(value: &[u8]) -> Option<Alone> {
    value.strip_prefix(b"!")?;
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"'\";|&\\)".contains(byte);
    let said = |name: &[u8]| {
        let start = value.windows(name.len()).position(|part| part == name)? + name.len();
        let said = value[start..].split(is_end).next()?;
        let is_literal = !said.is_empty() && !said.iter().any(|byte| b"$`%".contains(byte));
        is_literal.then_some(said)
    };
    let username = said(b"username=");
    if let Some(password) = said(b"password=") {
        return Alone::new(username, password);
    }
    let token = value
        .split(|byte| is_end(byte) || *byte == b'=')
        .find(|word| bitbucket::looks_like_a_secret(&String::from_utf8_lossy(word)))?;
    Alone::new(username, token)
}

/// A token in the place of a user name.
fn of_username(value: &[u8]) -> Option<Alone> {
    Alone::new(None, value).filter(|_| bitbucket::is_token_for_a_name(value))
}

fn split_at(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let position = text.iter().position(|&other| other == byte)?;
    Some((&text[..position], &text[position + 1..]))
}
