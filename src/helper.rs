//! What git asks and tells: `get`, `store` and `erase` (gitcredentials(7), "CUSTOM HELPERS").

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;

use crate::account::{Account, Kept, Origin};
use crate::bitbucket::{self, API_HOST, Kind};
use crate::bytes::Bytes;
use crate::config::StoreChoice;
use crate::elsewhere;
use crate::environment;
use crate::error::Hinted;
use crate::first_contact::{self, Outcome};
use crate::identity::{Identity, Missing};
use crate::lookup::{Findings, Found, Lookup};
use crate::matching::{self, Wanted};
use crate::protocol::{Form, Reply, Request};
use crate::rejection::Rejection;
use crate::secret::Secret;
use crate::trace;

/// What `get` has to say.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Nothing when we have none: then git asks the next helper, or the user.
    pub(crate) reply: Option<Reply>,
    /// For a person at a terminal, a line each.
    pub(crate) notices: Vec<String>,
    /// Somebody wants nothing more to be asked: git is to stop.
    pub(crate) quit: bool,
}

/// Answers with the credential for a request's context.
///
/// # Errors
/// When there is an account, but its secret cannot be had; or several, and none is meant.
pub(crate) fn get(lookup: &Lookup, request: &Request) -> Result<Answer> {
    let Some(wanted) = Wanted::of(&request.context) else {
        return Ok(Answer::default());
    };
    let Findings { found, notices } = lookup.find(&wanted)?;
    let reply = match found {
        Some(found) => reply(&wanted, found, request.offers_authtype)?,
        None if notices.is_empty() => return first_contact(lookup, &wanted, request),
        None => None,
    };
    Ok(Answer {
        reply,
        notices,
        quit: false,
    })
}

/// Asks for a first token where nobody has signed in yet.
fn first_contact(lookup: &Lookup, wanted: &Wanted<'_>, request: &Request) -> Result<Answer> {
    match first_contact::ask(lookup, wanted)? {
        Outcome::Found(found) => {
            let reply = reply(wanted, *found, request.offers_authtype)?;
            Ok(Answer {
                reply,
                ..Answer::default()
            })
        }
        Outcome::Given { username, password } => {
            let form = Form::Password { username, password };
            let reply = Reply {
                form,
                password_expiry_utc: None,
                oauth_refresh_token: None,
                is_ephemeral: false,
            };
            Ok(Answer {
                reply: Some(reply),
                ..Answer::default()
            })
        }
        Outcome::Interrupted => Ok(Answer {
            quit: true,
            ..Answer::default()
        }),
        Outcome::Nothing => Ok(Answer::default()),
    }
}

/// Keeps a credential that worked, unless it is not for us, not to be kept, or what we have already; what a person would
/// want to know of that.
///
/// # Errors
/// When the store or the accounts cannot be written.
pub(crate) fn store(lookup: &Lookup, request: Request) -> Result<Option<String>> {
    let Some(wanted) = Wanted::of(&request.context).filter(|_| !request.ephemeral) else {
        return Ok(None);
    };
    let Some(given) = Given::of(&request) else {
        return Ok(None);
    };
    if let Some((_, kept)) = lookup.environment_account(&wanted.host)? {
        if kept.secret == *given.secret {
            elsewhere::note(lookup, given.secret, true);
        }
        return Ok(None);
    }
    let accounts = lookup.accounts_for(&wanted)?;
    if !lookup.is_ours(&wanted.host, &accounts)? {
        return Ok(None);
    }
    let account = account_of(&wanted, &given, &request);
    let mut fitting = matching::fitting(&accounts, &wanted);
    fitting.retain(|(_, known)| !lookup.is_forbidden(known));
    for (_, known) in &fitting {
        if is_same(lookup, known, &account, &given)? {
            trace::say(|| format!("store: it is what '{}' has already", known.name));
            back_in_service(lookup, known)?;
            return Ok(None);
        }
    }
    if fitting.iter().any(|(_, known)| known.oauth.is_some()) {
        trace::say(|| "store: a grant answers here, whose tokens come and go".to_owned());
        return Ok(None);
    }
    let now = Timestamp::now();
    let in_service: Vec<_> = fitting
        .into_iter()
        .filter(|(_, known)| !known.is_set_aside(now))
        .collect();
    if matching::choose(&in_service, &wanted)
        .is_ok_and(|chosen| chosen.is_some_and(|chosen| chosen.kind.is_some()))
    {
        // git asks the user only when we answer nothing. So this came out of a URL, or from another helper; and of a
        // public repository's URL git stores the secret although no server ever saw it. It must not displace ours.
        trace::say(|| "store: another account answers here, and stays".to_owned());
        return Ok(None);
    }
    if elsewhere::may_answer(lookup, &wanted) {
        // A copy of a secret that is changed there would be served when it is no longer good.
        trace::say(|| "store: a store that is looked into answers here".to_owned());
        elsewhere::note(lookup, given.secret, true);
        return Ok(None);
    }
    let choice = lookup.config()?.store.default;
    if let Some(objection) = lookup.objection_to_keeping(&account, choice)? {
        first_contact::settle(lookup, true);
        return Ok(Some(format!("what git gave is not kept: {objection}")));
    }
    let kept = Kept {
        secret: given.secret.clone(),
        oauth_refresh_token: request.oauth_refresh_token,
        client_secret: None,
    };
    add(lookup, account, &kept, choice)?;
    first_contact::settle(lookup, true);
    Ok(None)
}

/// Drops a credential that was refused: what git gave us is removed, what the user signed in with is only set aside.
///
/// # Errors
/// When the store does not answer or the accounts cannot be written.
pub(crate) fn erase(lookup: &Lookup, request: &Request) -> Result<()> {
    let Some(wanted) = Wanted::of(&request.context) else {
        return Ok(());
    };
    let refused = request.credential.as_ref().or(request.password.as_ref());
    let now = Timestamp::now();
    let is_rest = wanted.host.as_str() == API_HOST;
    if let Some((account, kept)) = lookup.environment_account(&wanted.host)? {
        if let Some(refused) = refused.filter(|_| !is_rest)
            && is_refused(&account, &kept, request, refused)
        {
            elsewhere::note(lookup, refused, false);
        }
        return Ok(());
    }
    first_contact::settle(lookup, false);
    let accounts = lookup.accounts_for(&wanted)?;
    let mut removed = Vec::new();
    let mut set_aside = Vec::new();
    let mut unread = None;
    // Of what the policy does not allow nothing was given to anybody.
    let fitting = matching::fitting(&accounts, &wanted).into_iter();
    for (_, account) in fitting.filter(|(_, account)| !lookup.is_forbidden(account)) {
        let is_unknown = account.kind.is_none();
        let is_meant = match refused {
            // Without any secret: only what git gave us and can be given again. A broken URL produces such an erase
            // (git dies while writing a value with a CR), and a token from `login` cannot be displayed a second time.
            None => is_unknown,
            Some(_) if is_rest && !is_unknown => false,
            Some(refused) => match lookup.secret_of(account) {
                Ok(Some(kept)) => is_refused(account, &kept, request, refused),
                Ok(None) => false,
                // What was refused may lie in another store.
                Err(error) => {
                    unread.get_or_insert(error);
                    false
                }
            },
        };
        match is_meant {
            false => {}
            true if is_unknown => removed.push(account.entry.clone()),
            true => set_aside.push(account.entry.clone()),
        }
    }
    trace::say(|| {
        format!(
            "erase: {} to remove, {} to set aside",
            removed.len(),
            set_aside.len()
        )
    });
    if removed.is_empty() && set_aside.is_empty() {
        // Whether it came from there is not asked: of what did not come from there the note says nothing.
        if let Some(refused) = refused.filter(|_| !is_rest)
            && elsewhere::is_asked(lookup, &wanted.host)?
        {
            elsewhere::note(lookup, refused, false);
        }
        return unread.map_or(Ok(()), Err);
    }
    let removed = lookup.update_accounts(|accounts| {
        for account in accounts
            .iter_mut()
            .filter(|account| set_aside.contains(&account.entry))
        {
            // git-lfs before 3.6 knows no Bearer, and sends as a password what only works as Bearer.
            if account.bearer && request.credential.is_none() {
                account.bearer_only = true;
            } else {
                account.rejected = Some(Rejection::again(account.rejected, now));
            }
        }
        Ok(accounts.remove(|account| removed.contains(&account.entry)))
    })?;
    removed
        .iter()
        .try_for_each(|account| lookup.forget(account))
}

/// The credential in the form in which its taker wants it.
fn reply(wanted: &Wanted<'_>, found: Found, offers_authtype: bool) -> Result<Option<Reply>> {
    let Found {
        account,
        kept: Kept {
            secret,
            oauth_refresh_token,
            ..
        },
    } = found;
    // What we renew ourselves nobody else has to know.
    let oauth_refresh_token = oauth_refresh_token.filter(|_| account.kind.is_none());
    let form = if account.kind.is_none() {
        as_it_came(&account, secret, offers_authtype)
    } else if wanted.host.as_str() == API_HOST {
        Some(for_rest(&account, secret, offers_authtype)?)
    } else {
        for_git(&account, secret, offers_authtype)
    };
    // With nothing noted against it, its success would change nothing; and other helpers need not keep a copy.
    let is_ephemeral = offers_authtype && account.kind.is_some() && account.rejected.is_none();
    Ok(form.map(|form| Reply {
        form,
        password_expiry_utc: account.password_expiry_utc,
        oauth_refresh_token,
        is_ephemeral,
    }))
}

/// What git gave us goes back in the form in which it came; whoever does not offer the header form would drop it
/// without a word.
fn as_it_came(account: &Account, secret: Secret, offers_authtype: bool) -> Option<Form> {
    let username = account
        .username
        .as_ref()
        .map(|name| name.as_slice().to_vec());
    match &account.authtype {
        Some(scheme) if offers_authtype => Some(Form::Header {
            authtype: scheme.as_slice().to_vec(),
            credential: secret,
            username,
        }),
        Some(_) => None,
        None => Some(Form::Password {
            username: username?,
            password: secret,
        }),
    }
}

fn for_git(account: &Account, secret: Secret, offers_authtype: bool) -> Option<Form> {
    match Identity::for_git(account, secret).ok()? {
        Identity::Header {
            authtype,
            credential,
        } => Some(Form::Header {
            authtype,
            credential,
            username: None,
        }),
        Identity::Basic { username, password } => Some(Form::Password { username, password }),
        Identity::Bearer(credential) if offers_authtype => Some(bearer(credential)),
        Identity::Bearer(_) if account.bearer_only => None,
        // Recent Data Centers take the static name from gits that know no Bearer.
        Identity::Bearer(password) => Some(Form::Password {
            username: account.git_username()?.to_vec(),
            password,
        }),
    }
}

fn for_rest(account: &Account, secret: Secret, offers_authtype: bool) -> Result<Form> {
    match Identity::for_rest(account, secret) {
        Ok(Identity::Header {
            authtype,
            credential,
        }) => Ok(Form::Header {
            authtype,
            credential,
            username: None,
        }),
        Ok(Identity::Basic { username, password }) => Ok(Form::Password { username, password }),
        Ok(Identity::Bearer(credential)) if offers_authtype => Ok(bearer(credential)),
        Ok(Identity::Bearer(_)) => bail!(Hinted::new(
            format!(
                "Bitbucket's REST API takes '{}' only as Bearer, which was not asked for",
                account.name
            ),
            "put 'capability[]=authtype' in front of what 'git credential fill' is given",
        )),
        Err(missing) => Err(lacking(account, missing)),
    }
}

fn bearer(credential: Secret) -> Form {
    Form::Header {
        authtype: b"Bearer".to_vec(),
        credential,
        username: None,
    }
}

/// That an account cannot present itself at REST, and how to mend it.
pub(crate) fn lacking(account: &Account, missing: Missing) -> anyhow::Error {
    let name = &account.name;
    let hint = match missing {
        _ if environment::is_its_account(account) => {
            "set BITBUCKET_EMAIL to the e-mail of the Atlassian account".to_owned()
        }
        Missing::Email => format!(
            "sign in again with it: 'git credential-bitbucket login {name} --email ADDRESS'"
        ),
        Missing::Username => format!(
            "sign in again with it: 'git credential-bitbucket login {name} --username NAME'"
        ),
    };
    Hinted::new(
        format!("Bitbucket's REST API wants {missing} with the secret, and '{name}' has none"),
        hint,
    )
    .into()
}

/// A complete credential that git gives us to keep.
struct Given<'a> {
    username: Option<&'a [u8]>,
    authtype: Option<&'a [u8]>,
    /// The password, or what follows the scheme in the header form.
    secret: &'a Secret,
}

impl<'a> Given<'a> {
    fn of(request: &'a Request) -> Option<Self> {
        let username = request
            .context
            .username
            .as_deref()
            .filter(|name| !name.is_empty());
        let authtype = request
            .authtype
            .as_deref()
            .filter(|scheme| !scheme.is_empty());
        let given = match (authtype, &request.credential) {
            (Some(_), Some(secret)) => Self {
                username,
                authtype,
                secret,
            },
            _ => Self {
                username: Some(username?),
                authtype: None,
                secret: request.password.as_ref()?,
            },
        };
        Some(given).filter(|given| !given.secret.is_empty())
    }
}

/// The account that a given credential makes.
///
/// A secret whose prefix names its kind serves every repository, and not just the path it was typed for; an access
/// token's scope is that path's repository.
fn account_of(wanted: &Wanted<'_>, given: &Given<'_>, request: &Request) -> Account {
    let bytes = |value: &[u8]| Bytes::from(value.to_vec());
    let home = bitbucket::home_of(&wanted.host);
    let is_plain = given.authtype.is_none() && request.oauth_refresh_token.is_none();
    let kind = Kind::of_secret(given.secret, &home).filter(|_| is_plain);
    let mut account = Account::new(String::new(), wanted.host.clone(), Origin::Git);
    // A date that no file can hold is none.
    account.password_expiry_utc = request
        .password_expiry_utc
        .filter(|seconds| i64::try_from(*seconds).is_ok());
    let Some(kind) = kind else {
        account.username = given.username.map(bytes);
        account.authtype = given.authtype.map(bytes);
        account.path = wanted.path.map(bytes);
        return account;
    };
    account.host = home;
    account.kind = Some(kind);
    let own = given
        .username
        .filter(|name| kind.needs_username() || kind.git_username(None) != Some(name));
    match own.map(|name| (name, std::str::from_utf8(name))) {
        Some((_, Ok(text))) if kind == Kind::ApiToken && text.contains('@') => {
            account.email = Some(text.to_owned());
        }
        Some((name, _)) => account.username = Some(bytes(name)),
        None => {}
    }
    if kind == Kind::AccessToken {
        account.scopes = wanted.scope.iter().cloned().collect();
    }
    account
}

/// Whether what git gives is what an account of ours has already.
fn is_same(lookup: &Lookup, known: &Account, new: &Account, given: &Given<'_>) -> Result<bool> {
    if known.kind.is_none() {
        let attributes = |account: &Account| {
            (
                account.username.clone(),
                account.path.clone(),
                account.authtype.clone(),
                account.password_expiry_utc,
            )
        };
        if attributes(known) != attributes(new) {
            return Ok(false);
        }
    }
    let kept = lookup.secret_of(known)?;
    Ok(kept.is_some_and(|kept| kept.secret == *given.secret))
}

/// Whether it is this account's credential that a server refused.
///
/// A token that somebody sent with a name it cannot work with (an e-mail, say, out of a URL) says nothing about the token.
fn is_refused(account: &Account, kept: &Kept, request: &Request, refused: &Secret) -> bool {
    let username = request.context.username.as_deref();
    let is_possible = match account.kind {
        None => true,
        Some(_) => username.is_none_or(|username| {
            let own = account
                .username
                .as_ref()
                .is_some_and(|own| own.as_slice() == username);
            own || account.git_username() == Some(username)
        }),
    };
    is_possible && kept.secret == *refused
}

/// A server took the secret: nothing is known against it any more, and how often it came back is forgotten.
fn back_in_service(lookup: &Lookup, account: &Account) -> Result<()> {
    match account.rejected {
        Some(_) => lookup.set_rejected(account, None),
        None => Ok(()),
    }
}

/// Adds what git gave, in place of what it gave before for the same protocol, host, path and user name.
///
/// Only what is of no known kind is replaced: a token cannot be displayed a second time, and may only have been refused
/// once.
fn add(lookup: &Lookup, mut account: Account, kept: &Kept, choice: StoreChoice) -> Result<()> {
    let named = account
        .username
        .as_ref()
        .map(ToString::to_string)
        .or_else(|| account.email.clone());
    let wanted_name = named.unwrap_or_else(|| account.host.to_string());
    account.name.clone_from(&wanted_name);
    lookup
        .keep(&mut account, kept, choice)
        .context("cannot keep the credential that git gave")?;

    let identity = |account: &Account| {
        let Account {
            host,
            kind,
            username,
            path,
            authtype,
            origin,
            ..
        } = account.clone();
        (host, kind, username, path, authtype, origin)
    };
    let replaced = lookup.update(&account, |accounts, account| {
        let replaced =
            accounts.remove(|known| known.kind.is_none() && identity(known) == identity(account));
        account.name = accounts.free_name(&wanted_name);
        accounts.add(account.clone());
        replaced
    })?;
    replaced.iter().try_for_each(|old| lookup.forget(old))
}
