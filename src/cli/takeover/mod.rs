//! Credentials that lie in the open, and the way they take from there into the store.
//!
//! First all of them are gathered, then [`Plan::make`] says which account each one becomes, then [`Plan::carry_out`]
//! stores them and has the store confirm each. Only then may whoever found them take them out of where they lay.

pub(crate) mod git_credentials;
pub(crate) mod import;
pub(crate) mod netrc;
pub(crate) mod other_helper;
pub(crate) mod scrub;

use std::ops::Range;

use anyhow::Result;
use jiff::Timestamp;

use crate::account::file::Accounts;
use crate::account::sign_in::{Known, Owner, Scheme};
use crate::account::standing::Standing;
use crate::account::state::State;
use crate::account::{Account, Kept, Origin};
use crate::answer::matching::{self, Wanted};
use crate::bitbucket::reach::Reach;
use crate::bitbucket::{self, Kind};
use crate::git::context::Host;
use crate::git::url::Url;
use crate::git::username::Username;
use crate::settings::config::StoreChoice;
use crate::settings::session::Session;
use crate::store;
use crate::sys::error;
use crate::sys::secret::Secret;

/// A credential that lies in the open, and what can be told of it there.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    /// The host whose accounts answer for it.
    pub(crate) host: Host,
    pub(crate) username: Option<Username>,
    pub(crate) secret: Secret,
    /// What it was used for.
    pub(crate) reach: Option<Reach>,
    /// Data Center: the path below which the instance lies, with a slash before it.
    pub(crate) context: String,
    /// It was sent as Bearer.
    pub(crate) is_bearer: bool,
    /// Tells the secret from others, in this process only; there may be hundreds to compare.
    fingerprint: [u8; 32],
}

impl Credential {
    pub(crate) fn new(host: &Host, username: Option<Username>, secret: Secret) -> Self {
        Self {
            host: bitbucket::home_of(host),
            username,
            fingerprint: secret.fingerprint(b""),
            secret,
            reach: None,
            context: String::new(),
            is_bearer: false,
        }
    }

    /// Whether it is the same secret for the same host, whatever stands beside it.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.host == other.host && self.fingerprint == other.fingerprint
    }

    /// The page where it is revoked.
    pub(crate) fn page(&self) -> String {
        let kind = Kind::of_pair(&self.secret, self.username.as_ref(), &self.host);
        let reach: Vec<Reach> = self.reach.iter().cloned().collect();
        kind.page(&self.host, &self.context, &reach)
    }

    /// What it is for, as a URL's path tells it.
    fn of_path(mut self, host: &Host, path: Option<&[u8]>) -> Self {
        let Some(path) = path else { return self };
        self.reach = Reach::of_path(host, path);
        if !bitbucket::is_cloud(host) {
            self.context = bitbucket::context_of(path);
        }
        self
    }

    /// The account it makes when there is none yet.
    ///
    /// Its origin is git's configuration and not the user's word: so it never stands in the way of an account from
    /// `login` that fits equally.
    fn to_account(&self) -> Account {
        let owner = Owner {
            username: self.username.clone(),
            email: None,
        };
        let mut known = Known::of_secret(&self.secret, &self.host, None, owner);
        known.base_path.clone_from(&self.context);
        if self.is_bearer && known.kind == Kind::HttpAccessToken {
            known.scheme = Scheme::Bearer;
        }
        Account::new(String::new(), self.host.clone(), Origin::Git, known)
    }
}

/// The secrets of a URL, and what of its text goes with them; the user name stays if it is one.
pub(crate) struct InUrl {
    pub(crate) credentials: Vec<Credential>,
    pub(crate) cut: Range<usize>,
    /// The URL as it is without them.
    pub(crate) shown: String,
}

/// Looks for a secret in a URL for http or https, on whatever host.
pub(crate) fn in_url(url: &Url<'_>) -> Option<InUrl> {
    let host = url.host().filter(|_| url.is_http())?;
    let is_token = |name: &Secret| bitbucket::is_token_for_a_name(name.expose());
    let is_filler = |password: &Secret| bitbucket::is_filler(password.expose());
    let credential = |username: Option<&Secret>, secret: Secret| {
        let username = username.and_then(|name| Username::new(name.expose()));
        Credential::new(&host, username, secret).of_path(&host, url.path().as_deref())
    };
    let (username, password) = (url.username(), url.password());
    let (credentials, cut) = match (&username, &password) {
        (Some(token), Some(secret)) if is_token(token) && !is_filler(secret) => (
            vec![
                credential(None, token.clone()),
                credential(None, secret.clone()),
            ],
            url.userinfo_range(),
        ),
        (Some(token), Some(filler)) if is_filler(filler) => {
            (vec![credential(None, token.clone())], url.userinfo_range())
        }
        (Some(token), None) if is_token(token) => {
            (vec![credential(None, token.clone())], url.userinfo_range())
        }
        (None, Some(secret)) => (vec![credential(None, secret.clone())], url.userinfo_range()),
        (Some(name), Some(secret)) => (
            vec![credential(Some(name), secret.clone())],
            url.password_range(),
        ),
        (_, None) => return None,
    };
    let keeps_name = cut != url.userinfo_range();
    Some(InUrl {
        credentials,
        cut: cut?,
        shown: if keeps_name { url.named() } else { url.bare() },
    })
}

/// An entry of a file of credentials.
pub(crate) struct Entry {
    /// Counted from 1.
    pub(crate) line: usize,
    /// What of the file goes when the entry goes.
    pub(crate) span: Range<usize>,
    pub(crate) content: EntryContent,
}

pub(crate) enum EntryContent {
    /// For a host of ours. A URL may hold two.
    Ours(Vec<Credential>),
    /// For another host.
    Foreign,
    /// It cannot be understood; why, without the text.
    Bad(&'static str),
}

/// Which accounts the credentials become.
pub(crate) struct Plan {
    planned: Vec<Planned>,
    /// For each credential the index of its account.
    of: Vec<usize>,
    /// Stores that did not say what they have, a line each: what lies there may be stored a second time.
    pub(crate) warnings: Vec<String>,
}

struct Planned {
    account: Account,
    secret: Secret,
    step: Step,
    /// Why the policy does not let it be kept.
    objection: Option<String>,
}

enum Step {
    /// The account is new.
    Add,
    /// It has the secret already, and is to know more of it.
    Extend,
    /// It has all of it already.
    Nothing,
}

impl Plan {
    pub(crate) fn make(session: &Session, credentials: &[&Credential]) -> Result<Self> {
        let mut accounts = session.accounts()?;
        let choice = session.config()?.store.default;
        let mut plan = Self {
            planned: Vec::new(),
            of: vec![0; credentials.len()],
            warnings: Vec::new(),
        };
        let known = plan.secrets_of(session, &accounts, credentials);
        for (index, credential) in credentials.iter().enumerate() {
            let earlier = credentials[..index]
                .iter()
                .position(|earlier| earlier.is_same(credential));
            if let Some(earlier) = earlier {
                plan.of[index] = plan.of[earlier];
                continue;
            }
            let same: Vec<&Credential> = credentials
                .iter()
                .filter(|other| other.is_same(credential))
                .copied()
                .collect();
            let others: Vec<&Credential> = credentials
                .iter()
                .filter(|other| other.host == credential.host && !other.is_same(credential))
                .copied()
                .collect();
            let has_it = |(account, secret): &&(Account, Secret)| {
                account.host == credential.host && *secret == credential.secret
            };
            let mut planned = match known.iter().find(has_it) {
                Some((account, _)) => extended(account, &same, &others, &accounts),
                None => added(credential, &same, &others, &accounts),
            };
            if let Step::Add = planned.step {
                let objection = session.objection_to_keeping(&planned.account, choice)?;
                planned.objection = objection.map(|objection| objection.to_string());
                accounts.add(planned.account.clone());
            }
            plan.of[index] = plan.planned.len();
            plan.planned.push(planned);
        }
        Ok(plan)
    }

    /// The name of the account that a credential becomes.
    pub(crate) fn name_of(&self, credential: usize) -> &str {
        &self.planned[self.of[credential]].account.name
    }

    /// What a person would want to know of the accounts, a line each.
    pub(crate) fn notices(&self) -> Vec<String> {
        let accounts = self.planned.iter().map(|planned| &planned.account);
        accounts
            .filter(|account| account.is_retired())
            .filter_map(|account| State::Retired.notice(account))
            .collect()
    }

    /// For each credential whether it would be in the store.
    pub(crate) fn foresee(&self) -> Vec<Result<(), String>> {
        let outcome = |index: &usize| match &self.planned[*index].objection {
            Some(objection) => Err(objection.clone()),
            None => Ok(()),
        };
        self.of.iter().map(outcome).collect()
    }

    /// Stores what is not stored yet; for each credential whether it is in the store now, and confirmed by it.
    pub(crate) fn carry_out(&mut self, session: &Session) -> Result<Vec<Result<(), String>>> {
        let choice = session.config()?.store.default;
        let mut outcomes = Vec::new();
        for planned in &mut self.planned {
            let outcome = planned.carry_out(session, choice);
            outcomes.push(outcome.map_err(|error| error::one_line(&error)));
        }
        Ok(self
            .of
            .iter()
            .map(|&index| outcomes[index].clone())
            .collect())
    }

    /// What the stores have for the accounts of these hosts; each store that does not answer is asked once.
    fn secrets_of(
        &mut self,
        session: &Session,
        accounts: &Accounts,
        credentials: &[&Credential],
    ) -> Vec<(Account, Secret)> {
        let mut silent: Vec<store::Name> = Vec::new();
        let mut known = Vec::new();
        let now = Timestamp::now();
        let is_of_interest = |account: &&Account| {
            let mut hosts = credentials.iter().map(|credential| &credential.host);
            // One that is not allowed does not answer: what it has would be lost to git with the place it is found in.
            account.kind().is_some()
                && hosts.any(|host| *host == account.host)
                && session.standing(account, now) != Standing::Forbidden
        };
        for account in accounts.iter().filter(is_of_interest) {
            if silent.contains(&account.store) {
                continue;
            }
            match session.secret_of(account) {
                Ok(Some(kept)) => known.push((account.clone(), kept.secret)),
                Ok(None) => {}
                Err(error) => {
                    silent.push(account.store);
                    let error = error::one_line(&error);
                    self.warnings
                        .push(format!("cannot tell what '{}' has: {error}", account.name));
                }
            }
        }
        known
    }
}

impl Planned {
    fn carry_out(&mut self, session: &Session, choice: StoreChoice) -> Result<()> {
        match self.step {
            Step::Nothing => Ok(()),
            Step::Extend => session.update_accounts(|accounts| {
                let mut accounts = accounts.iter_mut();
                if let Some(known) = accounts.find(|known| known.entry == self.account.entry) {
                    known.reach.clone_from(&self.account.reach);
                    add_email(known, self.account.email().map(str::to_owned));
                }
                Ok(())
            }),
            Step::Add => {
                session.keep(&mut self.account, &Kept::only(self.secret.clone()), choice)?;
                let name = session.update(&self.account, |accounts, account| {
                    account.name = accounts.free_name(&account.name);
                    accounts.add(account.clone());
                    account.name.clone()
                })?;
                self.account.name = name;
                Ok(())
            }
        }
    }
}

fn added(
    credential: &Credential,
    same: &[&Credential],
    others: &[&Credential],
    accounts: &Accounts,
) -> Planned {
    let mut account = credential.to_account();
    for reach in same
        .iter()
        .filter_map(|credential| credential.reach.as_ref())
    {
        add_scope(&mut account, reach, others, accounts);
    }
    if same.iter().any(|credential| credential.reach.is_none()) {
        // Somewhere it served the whole host.
        account.reach.clear();
    }
    add_email(&mut account, email_of(same));
    let name = account.username().map(ToString::to_string);
    let name = name
        .or_else(|| account.email().map(str::to_owned))
        .or_else(|| account.reach.first().map(ToString::to_string))
        .unwrap_or_else(|| account.host.to_string());
    account.name = accounts.free_name(&name);
    Planned {
        account,
        secret: credential.secret.clone(),
        step: Step::Add,
        objection: None,
    }
}

fn email_of(same: &[&Credential]) -> Option<String> {
    same.iter()
        .find_map(|credential| Some(credential.to_account().email()?.to_owned()))
}

/// Gives the account this e-mail if it has none.
fn add_email(account: &mut Account, email: Option<String>) {
    if let Some(owner) = account.owner_mut() {
        owner.email = owner.email.take().or(email);
    }
}

/// The account that has the secret, for what it is used as well; what it is for is never taken away.
fn extended(
    known: &Account,
    same: &[&Credential],
    others: &[&Credential],
    accounts: &Accounts,
) -> Planned {
    let mut account = known.clone();
    if !account.reach.is_empty() {
        for reach in same
            .iter()
            .filter_map(|credential| credential.reach.as_ref())
        {
            add_scope(&mut account, reach, others, accounts);
        }
    }
    add_email(&mut account, email_of(same));
    let is_changed = account.reach != known.reach || account.email() != known.email();
    Planned {
        secret: same[0].secret.clone(),
        account,
        step: if is_changed {
            Step::Extend
        } else {
            Step::Nothing
        },
        objection: None,
    }
}

/// Lets an account serve a repository: by its whole workspace, unless somebody else serves that.
///
/// The token of one repository must not come before an account that has served the rest of the workspace so far.
fn add_scope(account: &mut Account, reach: &Reach, others: &[&Credential], accounts: &Accounts) {
    if account.reach.iter().any(|known| known.contains(reach)) {
        return;
    }
    let workspace = reach.workspace_alone();
    let is_wanted_by = |other: &Credential| match &other.reach {
        Some(reach) => reach.workspace == workspace.workspace,
        None => true,
    };
    let wanted = Wanted {
        host: account.host.clone(),
        path: None,
        username: None,
        reach: Some(workspace.clone()),
    };
    let is_served = matching::fitting(accounts, &wanted)
        .any(|known| known.entry != account.entry && !known.is_retired());
    let is_contested = others.iter().any(|other| is_wanted_by(other)) || is_served;
    account.reach.push(if is_contested {
        reach.clone()
    } else {
        workspace
    });
}
