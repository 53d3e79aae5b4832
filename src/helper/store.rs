//! `store`: keeps a credential that worked, unless it is for another host, marked `ephemeral`, or known already.

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use crate::account::rejection::Rejection;
use crate::account::sign_in::{Opaque, SignIn};
use crate::account::{Account, Accounts, Kept, Known, Origin, Owner};
use crate::answer::decide::a_source_may_answer;
use crate::answer::ruling::{Ruling, hindrance, rule};
use crate::answer::source::environment;
use crate::answer::{Wanted, shortlist};
use crate::bitbucket::Kind;
use crate::git::{Request, Username};
use crate::helper::{mark, newcomer};
use crate::settings::{Session, StoreChoice};
use crate::sys::{Bytes, Secret, trace};

/// Keeps a credential that worked. Returns the notice for a person, if there is one.
pub(super) fn store(session: &Session, request: Request) -> Result<Option<String>> {
    let Some(wanted) = Wanted::of(&request.context) else {
        return Ok(None);
    };
    let variable = environment::allowed_account(session, &wanted.host)?;
    // An answer of ours comes back ephemeral. Its success changes nothing but that an account is unchecked.
    if request.ephemeral && variable.is_none() && !shortlist::may_be_unchecked(session)? {
        return Ok(None);
    }
    let Some((mut account, secret)) = given(&wanted, &request) else {
        return Ok(None);
    };
    // A server took the secret: only what other repositories say against it stays.
    let place = wanted.reach.as_ref();
    let after_success = |it: Option<Rejection>| it?.after_success(place, Timestamp::now());
    let has_it = |(_, kept): &(Account, Kept)| kept.secret == secret;
    if variable.as_ref().is_some_and(has_it) {
        session.change_refusal(&secret, after_success);
        return Ok(None);
    }
    let accounts = shortlist::accounts(session, &wanted)?;
    if !session.is_ours(&wanted.host)? {
        return Ok(None);
    }
    let rulings = rule(&accounts, &wanted, |known| {
        hindrance(session, known, &wanted)
    });
    // Forbidden accounts never answered.
    let fitting = rulings.iter().filter(|(_, it)| it.may_have_answered());
    let fitting: Vec<&Account> = fitting.map(|(known, _)| *known).collect();
    let mut session = session.clone();
    let may_change = |it: &&&Account| it.unchecked || !request.ephemeral;
    for &known in fitting.iter().filter(may_change) {
        let is_same = is_same(&session, known, &account, &secret)?;
        // Somebody may have been at an unlock prompt.
        session = session.afresh_when_late();
        if is_same {
            trace::say(|| format!("store: it is what '{}' has already", known.name));
            let noted = session.judge(known, &secret, after_success);
            // In a home that cannot be written an unchecked account stays so.
            return known
                .rejected
                .as_ref()
                .map_or(Ok(None), |_| noted.map(|()| None));
        }
    }
    let mut rulings = rulings.iter();
    let answering = rulings.find(|(_, ruling)| *ruling == Ruling::Answers);
    if request.ephemeral
        || variable.is_some()
        // Its tokens come and go.
        || fitting.iter().any(|known| known.grant().is_some())
        // git asks the user only when we answer nothing. So this came out of a URL, or from another helper; and of a
        // public repository's URL git stores the secret although no server ever saw it. It must not displace ours.
        || answering.is_some_and(|(known, _)| known.kind().is_some())
    {
        trace::say(|| "store: another credential answers here, and stays".to_owned());
        return Ok(None);
    }
    let session = &session;
    if a_source_may_answer(session, &wanted) {
        // A copy of a secret that is changed there would be served when it is no longer good.
        trace::say(|| "store: a store that is looked into answers here".to_owned());
        session.change_refusal(&secret, after_success);
        return Ok(None);
    }
    let is_of_a_repository = account.reach.iter().any(|reach| reach.repository.is_some());
    if !is_of_a_repository && mark::asked_for(session, &secret) {
        account.reach.clear();
        account.only_username = None;
    }
    let choice = session.config()?.store.default;
    let objection = session.objection_to_keeping(&account, choice)?;
    let bound = bound(&session.accounts()?, &wanted).map(str::to_owned);
    if let Some(why) = objection.map(|it| it.to_string()).or(bound) {
        mark::settle(session, true);
        return Ok(Some(format!("what git gave is not kept: {why}")));
    }
    let kept = Kept {
        secret,
        oauth_refresh_token: request.oauth_refresh_token,
        client_secret: None,
    };
    add(session, account, &kept, choice)?;
    mark::settle(session, true);
    Ok(None)
}

/// The account that a complete credential makes, and its secret. What git gives may have been planted in a public URL,
/// which no server ever checked: it is never broader than the place it came from.
fn given(wanted: &Wanted<'_>, request: &Request) -> Option<(Account, Secret)> {
    let bytes = |value: &[u8]| Bytes::from(value.to_vec());
    let username = request.context.username.as_deref().and_then(Username::new);
    let scheme = request.authtype.as_deref().filter(|it| !it.is_empty());
    let password = request.password.as_ref().filter(|_| username.is_some());
    let (authtype, secret) = match scheme.zip(request.credential.as_ref()) {
        Some((scheme, credential)) => (Some(scheme), credential),
        None => (None, password?),
    };
    if secret.is_empty() {
        return None;
    }
    let is_plain = authtype.is_none() && request.oauth_refresh_token.is_none();
    let kind = Kind::of_secret(secret, &wanted.host).filter(|_| is_plain);
    let mut account = if let Some(kind) = kind {
        let mut account = newcomer::account(wanted, Origin::Git, Known::new(kind));
        account.owner = Owner::of_kind(kind, username.clone(), None);
        match &wanted.reach {
            Some(reach) if kind == Kind::AccessToken => account.reach.push(reach.clone()),
            Some(reach) => account.reach.push(reach.workspace_alone()),
            None => account.only_username = username,
        }
        account
    } else {
        let opaque = SignIn::Opaque(Opaque {
            path: wanted.path.map(bytes),
            authtype: authtype.map(bytes),
        });
        let mut account = Account::new(String::new(), wanted.host.clone(), Origin::Git, opaque);
        account.owner.username = username;
        account
    };
    // A date that no file can hold is none.
    account.password_expiry_utc = request
        .password_expiry_utc
        .filter(|seconds| i64::try_from(*seconds).is_ok());
    Some((account, secret.clone()))
}

/// Why no more is taken from git: the URLs of submodules may hold anything, and must not fill the accounts.
fn bound(accounts: &Accounts, wanted: &Wanted<'_>) -> Option<&'static str> {
    const LONGEST_USERNAME: usize = 255;
    const LONGEST_PATH: usize = 1024;
    const MOST: usize = 512;
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let given = accounts.iter().filter(|known| known.origin == Origin::Git);
    if length(wanted.username) > LONGEST_USERNAME {
        Some("its user name is longer than 255 bytes")
    } else if length(wanted.path) > LONGEST_PATH {
        Some("its path is longer than 1024 bytes")
    } else {
        (given.count() >= MOST)
            .then_some("there are 512 accounts that git gave; 'logout' those you do not use")
    }
}

/// Whether what git gives is what an account of ours has already.
fn is_same(session: &Session, known: &Account, new: &Account, secret: &Secret) -> Result<bool> {
    let is_as_before =
        is_given_alike(known, new) && known.password_expiry_utc == new.password_expiry_utc;
    if known.opaque().is_some() && !is_as_before {
        return Ok(false);
    }
    let kept = session.secret_of(known)?;
    Ok(kept.is_some_and(|kept| kept.secret == *secret))
}

/// Whether git gave both in the same form, for the same path and user name.
fn is_given_alike(one: &Account, other: &Account) -> bool {
    one.opaque() == other.opaque() && one.username() == other.username()
}

/// Adds what git gave, in place of what it gave before for the same protocol, host, path and user name.
///
/// Only what is of no known kind is replaced: a token cannot be displayed a second time, and may only have been refused
/// once.
fn add(session: &Session, mut account: Account, kept: &Kept, choice: StoreChoice) -> Result<()> {
    let name = account.username().map(ToString::to_string);
    let name = name.or_else(|| account.email().map(str::to_owned));
    account.name = name.unwrap_or_else(|| account.host.to_string());
    let kept = session.keep(&mut account, kept, choice);
    kept.context("cannot keep the credential that git gave")?;
    let replaced = session.update(&account, |accounts, account| {
        let replaced = accounts.remove(|known| {
            known.opaque().is_some()
                && is_given_alike(known, account)
                && known.host == account.host
                && known.origin == account.origin
        });
        account.name = accounts.free_name(&account.name);
        accounts.add(account.clone());
        replaced
    })?;
    replaced.iter().try_for_each(|old| session.forget(old))
}
