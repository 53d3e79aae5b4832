//! Moves credentials from plain text into the store.
//!
//! The caller finds the credentials. [`Plan::carry_out`] maps each to an account, stores it and has the store confirm it.
//! Only then may the caller remove it from its file.

pub(crate) mod git_credentials;
pub(crate) mod import;
pub(crate) mod netrc;
pub(crate) mod other_helper;
pub(crate) mod scrub;

use std::collections::BTreeSet;
use std::ops::Range;

use anyhow::Result;
use zeroize::Zeroizing;

use crate::account::{Account, Accounts, Kept, Known, Origin, Owner, State, verify};
use crate::bitbucket::{self, Kind, Reach};
use crate::cli::doctor::chain;
use crate::cli::setup;
use crate::git::{Host, Url, Username};
use crate::settings::{Session, StoreChoice};
use crate::sys::parallel::in_parallel;
use crate::sys::{Secret, error, message};

/// A credential in plain text, and what its place says about it.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(crate) host: Host,
    /// As it stands there; it may stand for a kind.
    pub(crate) username: Option<Username>,
    pub(crate) secret: Secret,
    pub(crate) reach: Option<Reach>,
    known: Known,
    owner: Owner,
    /// Compares hundreds of secrets quickly; valid in this process only.
    fingerprint: String,
}

impl Credential {
    pub(crate) fn new(host: &Host, username: Option<Username>, secret: Secret) -> Self {
        let (username, secret) = bitbucket::put_right(username, secret);
        let host = bitbucket::home_of(host);
        let kind = Kind::of_pair(&secret, username.as_ref(), &host);
        Self {
            known: Known::new(kind),
            owner: Owner::of_kind(kind, username.clone(), None),
            fingerprint: secret.fingerprint(b""),
            host,
            username,
            secret,
            reach: None,
        }
    }

    /// Whether host and secret are the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.host == other.host && self.fingerprint == other.fingerprint
    }

    /// Whether the user name is the same too.
    pub(crate) fn is_twin(&self, other: &Self) -> bool {
        self.is_same(other) && self.username == other.username
    }

    /// The page where it is revoked.
    pub(crate) fn page(&self) -> String {
        let known = &self.known;
        let reach = self.reach.as_slice();
        known.kind.page(&self.host, &known.base_path, reach)
    }
}

/// The secrets of a URL, and the text to remove with them; a real user name stays.
pub(crate) struct InUrl {
    pub(crate) credentials: Vec<Credential>,
    pub(crate) cut: Range<usize>,
    pub(crate) shown: String,
}

/// Looks for a secret in an http or https URL of any host.
pub(crate) fn in_url(url: &Url<'_>) -> Option<InUrl> {
    let host = url.host().filter(|_| url.is_http())?;
    let (name, password) = (url.username(), url.password());
    let is_filler = |password: &Secret| bitbucket::is_filler(password.expose());
    let has_filler = name.is_some() && password.as_ref().is_some_and(is_filler);
    let is_token = |name: &Secret| has_filler || bitbucket::is_token_for_a_name(name.expose());
    let token = name.clone().filter(is_token);
    let name = name.filter(|name| !is_token(name));
    let username = name.as_ref().and_then(|name| Username::new(name.expose()));
    let path = url.path().unwrap_or_default();
    let is_cloud = bitbucket::is_cloud(&host);
    let secrets = token.into_iter().chain(password.filter(|_| !has_filler));
    let credentials = secrets.map(|secret| {
        let mut credential = Credential::new(&host, username.clone(), secret);
        credential.reach = Reach::of_path(&host, &path);
        if !is_cloud {
            credential.known.base_path = bitbucket::context_of(&path);
        }
        credential
    });
    let credentials: Vec<Credential> = credentials.collect();
    let (cut, shown) = match name {
        Some(_) => (url.password_range(), url.named()),
        None => (url.userinfo_range(), url.bare()),
    };
    let cut = cut.filter(|_| !credentials.is_empty())?;
    Some(InUrl {
        credentials,
        cut,
        shown,
    })
}

/// The text without these parts, which are in the order of their starts.
pub(crate) fn without(text: &[u8], cuts: &[Range<usize>]) -> Zeroizing<Vec<u8>> {
    let mut rest = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut position = 0;
    for cut in cuts {
        rest.extend_from_slice(&text[position..cut.start.max(position)]);
        position = cut.end.max(position);
    }
    rest.extend_from_slice(&text[position..]);
    rest
}

/// The span with its line break if its lines hold nothing else; otherwise with the blanks after it.
pub(crate) fn whole_lines(text: &[u8], span: Range<usize>) -> Range<usize> {
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r');
    let before = text[..span.start].iter().rev().take_while(is_blank).count();
    let behind = text[span.end..].iter().take_while(is_blank).count();
    let (start, end) = (span.start - before, span.end + behind);
    let starts_line = start == 0 || text[start - 1] == b'\n';
    match text.get(end) {
        None | Some(b'\n') if starts_line => start..text.len().min(end + 1),
        _ => span.start..end,
    }
}

/// An entry of a file with credentials.
pub(crate) struct Entry {
    /// Counted from 1.
    pub(crate) line: usize,
    /// The text to remove with the entry.
    pub(crate) span: Range<usize>,
    /// For a host of ours one, or two as in some URLs; for another host none. Else why it is not imported, without its
    /// text.
    pub(crate) content: Result<Vec<Credential>, String>,
}

impl Entry {
    pub(crate) fn own(&self) -> &[Credential] {
        self.content.as_deref().unwrap_or_default()
    }
}

/// The accounts that credentials become: one for each secret of a host.
pub(crate) struct Plan(Vec<Planned>);

pub(crate) struct Planned {
    pub(crate) account: Account,
    credential: Credential,
    /// The account that had the secret, as it was.
    before: Option<Account>,
    /// Why its secret is not stored: before anything is, because the policy forbids it.
    pub(crate) failure: Option<String>,
}

impl Plan {
    /// Unless `is_dry`, stores the new secrets and has the store confirm them.
    /// Warns of the stores that do not answer: their secrets may be stored twice.
    pub(crate) fn carry_out<'a>(
        session: &Session,
        credentials: impl Iterator<Item = &'a Credential>,
        is_dry: bool,
    ) -> Result<Self> {
        let mut accounts = session.accounts()?;
        let choice = session.config()?.store.default;
        let credentials: Vec<&Credential> = credentials.collect();
        let known = known_secrets(session, &accounts, &credentials);
        let mut plan = Self(Vec::new());
        for credential in &credentials {
            if plan.of(credential).is_some() {
                continue;
            }
            let same = credentials.iter().filter(|it| it.is_same(credential));
            let mut planned = Planned::new(&same.copied().collect::<Vec<_>>(), &known);
            if planned.before.is_none() {
                let objection = session.objection_to_keeping(&planned.account, choice)?;
                planned.failure = objection.map(|objection| objection.to_string());
            }
            plan.0.push(planned);
        }
        plan.widen(session);
        for planned in plan.0.iter_mut().filter(|it| it.before.is_none()) {
            let account = &planned.account;
            let email = account.email().filter(|_| account.username().is_none());
            let name = email.map_or_else(|| account.usual_name(), str::to_owned);
            planned.account.name = accounts.free_name(&name);
            accounts.add(planned.account.clone());
        }
        for planned in plan.0.iter_mut().filter(|_| !is_dry) {
            let outcome = planned.carry_out(session, choice);
            planned.failure = outcome.err().map(|error| error::one_line(&error));
        }
        Ok(plan)
    }

    /// Asks Bitbucket which of the new tokens are for a whole workspace. Without an answer each is for what it was found in.
    fn widen(&mut self, session: &Session) {
        let deadline = session.deadline();
        let asked = self.0.iter_mut().filter(|it| it.may_be_for_more());
        let asked: Vec<&mut Planned> = asked.collect();
        let answers = in_parallel(&asked, |planned| {
            let secret = &planned.credential.secret;
            verify::about(&planned.account, secret, deadline).is_for_a_workspace()
        });
        for (planned, is_wide) in asked.into_iter().zip(answers) {
            if is_wide {
                let places = std::mem::take(&mut planned.account.reach).into_iter();
                places.for_each(|it| planned.account.add_reach(it.workspace_alone()));
            }
        }
    }

    pub(crate) fn of(&self, credential: &Credential) -> Option<&Planned> {
        let mut planned = self.0.iter();
        planned.find(|planned| planned.credential.is_same(credential))
    }

    /// Whether there are some, and all of them are stored, or would be.
    pub(crate) fn has(&self, credentials: &[Credential]) -> bool {
        let is_stored = |planned: &Planned| planned.failure.is_none();
        let mut all = credentials.iter();
        !credentials.is_empty() && all.all(|it| self.of(it).is_some_and(is_stored))
    }

    pub(crate) fn failures(&self) -> impl Iterator<Item = String> {
        let failed = |planned: &Planned| {
            let reason = planned.failure.as_ref()?;
            Some(format!("cannot store '{}': {reason}", planned.account.name))
        };
        self.0.iter().filter_map(failed)
    }

    /// Where secrets were stored, brings git's configuration up to date, and says what is left to do before git uses them.
    pub(crate) fn finish(&self, session: &Session, is_dry: bool) -> Result<()> {
        let stored = self.0.iter().filter(|planned| planned.failure.is_none());
        if is_dry || stored.clone().next().is_none() {
            return Ok(());
        }
        setup::refresh(session, "the secrets are stored")?;
        let retired = stored.map(|it| &it.account).filter(|it| it.is_retired());
        let complaints = retired.filter_map(|account| State::Retired.complaint(account));
        complaints.for_each(|it| message::tell(&it.on_one_line()));
        chain::warn(session, None);
        Ok(())
    }
}

/// The stored secrets of the credentials' hosts, with their accounts; a store that does not answer is asked once.
fn known_secrets(
    session: &Session,
    accounts: &Accounts,
    credentials: &[&Credential],
) -> Vec<(Account, Secret)> {
    let mut told = BTreeSet::new();
    let mut known = Vec::new();
    for account in accounts.iter() {
        // A forbidden account does not answer: removing the secret from its file would take it from git.
        let is_of_interest = account.kind().is_some()
            && credentials.iter().any(|it| it.host == account.host)
            && !session.forbids(account);
        if !is_of_interest || session.is_silent(account.store) {
            continue;
        }
        match session.secret_of(account) {
            Ok(kept) => known.extend(kept.map(|kept| (account.clone(), kept.secret))),
            Err(error) => {
                let (name, error) = (&account.name, error::one_line(&error));
                if told.insert(error.clone()) {
                    message::warn(format_args!("cannot tell what '{name}' has: {error}"));
                }
            }
        }
    }
    known
}

impl Planned {
    /// Extends the account that has the secret, or makes a new one, still without a name. It is for the places in which
    /// the secret was found, and no more, whatever other accounts there are: so the order of commands does not matter. A
    /// person's token is for the workspace, as when git gives it; without a place, for the host.
    fn new(same: &[&Credential], known: &[(Account, Secret)]) -> Self {
        let credential = same[0].clone();
        let has_it = |(account, secret): &&(Account, Secret)| {
            account.host == credential.host && *secret == credential.secret
        };
        let before = known
            .iter()
            .find(has_it)
            .map(|(account, _)| account.clone());
        // The account's origin is git, so one from `login` that fits comes before it.
        let mut account = before.clone().unwrap_or_else(|| {
            let (host, known) = (credential.host.clone(), credential.known.clone());
            let mut account = Account::new(String::new(), host, Origin::Git, known);
            account.owner = credential.owner.clone();
            account
        });
        let mut emails = same.iter().filter_map(|it| it.owner.email.clone());
        account.owner.email = account.owner.email.or_else(|| emails.next());
        account.only_username = None;
        let was_for_host = before.as_ref().is_some_and(Account::is_for_its_host);
        let is_for_host = was_for_host || same.iter().any(|it| it.reach.is_none());
        let of_place = account.kind() == Some(Kind::AccessToken);
        match account.origin {
            Origin::Login if was_for_host => {}
            Origin::Git if is_for_host && !of_place => account.reach.clear(),
            _ => {
                for place in same.iter().filter_map(|it| it.reach.clone()) {
                    let whole = place.workspace_alone();
                    account.add_reach(if of_place { place } else { whole });
                }
            }
        }
        Self {
            before,
            account,
            credential,
            failure: None,
        }
    }

    /// Whether there is something to write.
    fn is_changed(&self) -> bool {
        let told = |it: &Account| (it.reach.clone(), it.only_username.clone(), it.owner.clone());
        self.before.as_ref().map(told) != Some(told(&self.account))
    }

    /// Whether Bitbucket may say that the token is for more than the repositories in which it was found.
    fn may_be_for_more(&self) -> bool {
        let is_repository = |place: &Reach| place.repository.is_some();
        self.is_changed()
            && self.failure.is_none()
            && self.account.origin == Origin::Git
            && self.account.kind() == Some(Kind::AccessToken)
            && self.account.reach.iter().any(is_repository)
    }

    fn carry_out(&mut self, session: &Session, choice: StoreChoice) -> Result<()> {
        if self.before.is_none() {
            let kept = Kept::only(self.credential.secret.clone());
            session.keep(&mut self.account, &kept, choice)?;
            self.account.name = session.update(&self.account, |accounts, account| {
                account.name = accounts.free_name(&account.name);
                accounts.add(account.clone());
                account.name.clone()
            })?;
        } else if self.is_changed() {
            let new = &self.account;
            session.change(new, |known| {
                known.reach.clone_from(&new.reach);
                known.only_username.clone_from(&new.only_username);
                let email = known.owner.email.take();
                known.owner.email = email.or_else(|| new.owner.email.clone());
            })?;
        }
        Ok(())
    }
}
