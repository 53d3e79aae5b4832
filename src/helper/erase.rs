//! `erase`: sets a refused account aside. Only a credential of unknown kind, which git gave, is removed; without a secret
//! in the request that one is set aside too.

use anyhow::Result;
use jiff::Timestamp;

use crate::account::rejection::Rejection;
use crate::account::sign_in::Scheme;
use crate::account::standing::Standing;
use crate::account::{Account, Kept};
use crate::answer::matching::{self, Wanted};
use crate::answer::shortlist;
use crate::answer::source::{self, environment};
use crate::bitbucket::{self, API_HOST};
use crate::git::protocol::Request;
use crate::helper::{mark, wrong_name};
use crate::settings::session::Session;
use crate::sys::secret::Secret;
use crate::sys::trace;

/// Removes or sets aside what was refused.
pub(crate) fn erase(session: &Session, request: Request) -> Result<()> {
    let Some(wanted) = Wanted::of(&request.context) else {
        return Ok(());
    };
    let refused = request.credential.as_ref().or(request.password.as_ref());
    let now = Timestamp::now();
    let is_elsewhere = wanted.host.as_str() == API_HOST
        || wanted
            .path
            .is_some_and(|path| !bitbucket::is_of_git(&wanted.host, path));
    if let Some((account, kept)) = environment::allowed_account(session, &wanted.host)? {
        if let Some(refused) = refused.filter(|_| !is_elsewhere)
            && is_refused(&account, &kept, &request, refused)
        {
            source::note_refusal(session, refused, &wanted);
        }
        return Ok(());
    }
    let was_asked_for = refused.is_some_and(|refused| mark::asked_for(session, refused));
    mark::settle(session, false);
    let accounts = shortlist::accounts(session, &wanted)?;
    let mut removed = Vec::new();
    let mut set_aside = Vec::new();
    let mut unread = None;
    let mut is_known = false;
    let mut session = session.clone();
    // Forbidden accounts never answered.
    for account in matching::fitting(&accounts, &wanted) {
        if session.standing(account, now) == Standing::Forbidden {
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
                    is_known |= kept.as_ref().is_some_and(|kept| kept.secret == *refused);
                    kept.is_some_and(|kept| is_refused(account, &kept, &request, refused))
                }
                // What was refused may lie in another store.
                Err(error) => {
                    unread.get_or_insert(error);
                    false
                }
            },
        };
        match is_meant {
            false => {}
            true if is_unknown && refused.is_some() => removed.push(account.entry.clone()),
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
        let refused = refused.filter(|_| !is_elsewhere);
        let is_asked = source::is_asked(&session, &wanted.host)?;
        // Whether it came from there is not asked: of what did not come from there the note says nothing.
        if let Some(refused) = refused.filter(|_| is_asked || was_asked_for) {
            source::note_refusal(&session, refused, &wanted);
        } else if refused.is_some() && session.is_ours(&wanted.host, &accounts)? {
            wrong_name::put_right(&session, request, is_known)?;
        }
        return unread.map_or(Ok(()), Err);
    }
    let removed = session.update_accounts(|accounts| {
        for account in accounts
            .iter_mut()
            .filter(|account| set_aside.contains(&account.entry))
        {
            // git-lfs before 3.6 knows no Bearer, and sends as a password what only works as Bearer.
            match account.known_mut() {
                Some(known) if known.scheme != Scheme::Basic && request.credential.is_none() => {
                    known.scheme = Scheme::BearerOnly;
                }
                _ => {
                    let before = account.rejected.take();
                    let repository = wanted.reach.as_ref();
                    account.rejected = Some(Rejection::again(before, repository, now));
                }
            }
        }
        Ok(accounts.remove(|account| removed.contains(&account.entry)))
    })?;
    removed
        .iter()
        .try_for_each(|account| session.forget(account))
}

/// Whether it is this account's credential that a server refused.
///
/// A token that somebody sent with a name it cannot work with (an e-mail, say, out of a URL) says nothing about the token.
fn is_refused(account: &Account, kept: &Kept, request: &Request, refused: &Secret) -> bool {
    let username = request.context.username.as_deref();
    let is_possible = match account.kind() {
        None => true,
        Some(_) => username.is_none_or(|username| {
            let own = account
                .username()
                .is_some_and(|own| own.as_slice() == username);
            own || account.git_username() == Some(username)
        }),
    };
    is_possible && kept.secret == *refused
}
