//! `erase`: sets a refused account aside. Only a credential of unknown kind, which git gave, is removed; without a secret
//! in the request that one is set aside too.

use anyhow::Result;
use jiff::Timestamp;

use crate::account::rejection::Rejection;
use crate::account::{Account, Scheme};
use crate::answer::source::environment;
use crate::answer::{Wanted, matching, shortlist, source};
use crate::bitbucket::{self, API_HOST};
use crate::git::{Request, Username};
use crate::helper::{mark, wrong_name};
use crate::settings::Session;
use crate::sys::trace;

pub(super) fn erase(session: &Session, request: Request) -> Result<()> {
    let Some(wanted) = Wanted::of(&request.context) else {
        return Ok(());
    };
    let refused = request.credential.as_ref().or(request.password.as_ref());
    let is_of_git = |path| bitbucket::is_of_git(&wanted.host, path);
    let is_elsewhere = wanted.host.as_str() == API_HOST || !wanted.path.is_none_or(is_of_git);
    let refused_by_git = refused.filter(|_| !is_elsewhere);
    let variable = environment::allowed_account(session, &wanted.host)?;
    if let Some((account, kept)) = &variable {
        let Some(refused) = refused else {
            return Ok(());
        };
        // An account may have the same secret.
        if refused_by_git == Some(&kept.secret) && may_work(account, &request) {
            source::note_refusal(session, refused, &wanted);
        }
    }
    let was_asked_for = refused.is_some_and(|refused| mark::asked_for(session, refused));
    mark::settle(session, false);
    let accounts = match shortlist::accounts(session, &wanted) {
        Err(_) if variable.is_some() => return Ok(()),
        accounts => accounts?,
    };
    let mut meant = Vec::new();
    let mut unread = None;
    let mut is_known = false;
    let mut session = session.clone();
    // Forbidden accounts never answered.
    for account in matching::fitting(&accounts, &wanted) {
        if session.forbids(account) {
            continue;
        }
        let is_unknown = account.kind().is_none();
        let is_meant = match refused {
            // A broken URL produces an erase without any secret: git dies while it writes a value with a CR. So nothing
            // is removed, and of what the user signed in with nothing is even set aside.
            None => is_unknown,
            Some(_) if is_elsewhere && !is_unknown => false,
            Some(refused) => match session.secret_of(account) {
                Ok(kept) => {
                    // Somebody may have been at an unlock prompt.
                    session = session.afresh_when_late();
                    let is_its_own = kept.is_some_and(|kept| kept.secret == *refused);
                    is_known |= is_its_own;
                    is_its_own && may_work(account, &request)
                }
                // What was refused may lie in another store.
                Err(error) => {
                    unread.get_or_insert(error);
                    false
                }
            },
        };
        if is_meant {
            meant.push(account);
        }
    }
    let is_removed = |account: &&Account| account.kind().is_none() && refused.is_some();
    let (removed, aside): (Vec<_>, Vec<_>) = meant.into_iter().partition(is_removed);
    let (number, others) = (removed.len(), aside.len());
    trace::say(|| format!("erase: {number} to remove, {others} to set aside"));
    if number + others == 0 {
        if let (None, Some(refused)) = (variable, refused_by_git) {
            // Whether it came from a source is not asked: of what did not come from there the note says nothing.
            if was_asked_for || source::is_asked(&session, &wanted.host)? {
                source::note_refusal(&session, refused, &wanted);
            } else if session.is_ours(&wanted.host)? {
                wrong_name::put_right(&session, request, is_known)?;
            }
        }
        return unread.map_or(Ok(()), Err);
    }
    let is_in = |all: &[&Account], one: &Account| all.iter().any(|it| it.entry == one.entry);
    let removed = session.update_accounts(|accounts| {
        for account in accounts.iter_mut().filter(|it| is_in(&aside, it)) {
            // git-lfs before 3.6 knows no Bearer, and sends as a password what only works as Bearer.
            match account.known_mut() {
                Some(known) if known.scheme != Scheme::Basic && request.credential.is_none() => {
                    known.scheme = Scheme::BearerOnly;
                }
                _ => {
                    let before = account.rejected.take();
                    let place = wanted.reach.as_ref();
                    account.rejected = Some(Rejection::again(before, place, Timestamp::now()));
                }
            }
        }
        Ok(accounts.remove(|account| is_in(&removed, account)))
    })?;
    removed.iter().try_for_each(|it| session.forget(it))
}

/// Whether the account's secret can work with the user name of the request.
///
/// A token that somebody sent with a name it cannot work with (an e-mail, say, out of a URL) says nothing about the token.
fn may_work(account: &Account, request: &Request) -> bool {
    let username = request.context.username.as_deref();
    let own = account.username().map(Username::as_slice);
    account.kind().is_none()
        || username.is_none()
        || username == own
        || username == account.git_username()
}
