//! Sources: stores that somebody else fills, and that are only read. What a source has for a request becomes an account
//! for one answer; nothing of it is stored.

pub(crate) mod environment;
pub(crate) mod folder;
mod record;
pub(crate) mod vault;

use anyhow::Result;
use jiff::Timestamp;

use crate::account::rejection::Rejection;
use crate::account::sign_in::{Opaque, SignIn};
use crate::account::{Account, Kept, Origin, State};
use crate::answer::matching::Wanted;
use crate::answer::source::record::Fields;
use crate::bitbucket::{self, Reach};
use crate::git::{Host, Username};
use crate::settings::config::is_for;
use crate::settings::{Config, Session};
use crate::store;
use crate::sys::{Hinted, Secret};

pub(crate) fn is_asked_for(session: &Session, wanted: &Wanted<'_>) -> Result<bool> {
    // git's path may name no repository: it holds `..`, for example, which a server may read in another way. A request
    // without a path is different: it is about the whole host.
    let is_of_git = |path: &[u8]| !bitbucket::is_rest(&wanted.host, path);
    let is_about_nothing = wanted.reach.is_none() && wanted.path.is_some_and(is_of_git);
    Ok(!is_about_nothing && is_asked(session, &wanted.host)?)
}

pub(crate) fn is_asked(session: &Session, host: &Host) -> Result<bool> {
    Ok(!session.config()?.lookup.is_empty() && session.is_ours(host)?)
}

pub(crate) fn look_into(
    session: &Session,
    source: store::Name,
    wanted: &Wanted<'_>,
) -> Result<Option<(Account, Kept)>> {
    let host = bitbucket::home_of(&wanted.host);
    let reach = wanted.reach.as_ref();
    let settings = &session.config()?.store.folder;
    let found = match source {
        store::Name::Exec => of_program(session, &host, reach)?,
        store::Name::Folder if is_for(settings.host.as_ref(), &host) => {
            let found = folder::find(settings.path.as_deref(), reach)?;
            found.map(|(path, fields)| (path.display().to_string(), fields))
        }
        store::Name::Vault => vault::find(session, &host, reach)?,
        _ => None,
    };
    let made = found.map(|(place, fields)| fields.into_account(&place, source, &host));
    made.transpose()
}

/// What stands for a source that the policy forbids: it is not asked.
pub(crate) fn placeholder(name: store::Name, host: &Host) -> Account {
    let opaque = SignIn::Opaque(Opaque::default());
    Account::new(name.to_string(), host.clone(), Origin::Source(name), opaque)
}

/// The first source whose settings name no host: all it has is for bitbucket.org, and nothing for a Data Center.
pub(crate) fn for_bitbucket_org_alone(session: &Session, host: &Host) -> Option<store::Name> {
    let Config { lookup, store, .. } = session.config().ok()?;
    let is_left_open = |source: &store::Name| match source {
        store::Name::Folder => store.folder.host.is_none(),
        store::Name::Vault => {
            let mut paths = store.vault.path.iter().flatten();
            store.vault.host.is_none() && !paths.any(|path| path.contains("{host}"))
        }
        _ => false,
    };
    let mut sources = lookup.iter().copied();
    sources.find(|source| !bitbucket::is_cloud(host) && is_left_open(source))
}

/// What the program of the store `exec` has for the repository, else for its workspace, else for the host.
fn of_program(
    session: &Session,
    host: &Host,
    reach: Option<&Reach>,
) -> Result<Option<(String, Fields)>> {
    let store = session.exec_store()?;
    for url in urls(host, reach) {
        let found = store.look_up(&url).map_err(store::Error::with_hint)?;
        if let Some((username, secret)) = found {
            let fields = Fields {
                username: username.and_then(Username::new),
                password: Some(secret),
                ..Fields::default()
            };
            return Ok(Some((url, fields)));
        }
    }
    Ok(None)
}

fn urls(host: &Host, reach: Option<&Reach>) -> Vec<String> {
    let places = reach.map(|reach| [Some(reach.to_string()), Some(reach.workspace.clone())]);
    let mut places: Vec<String> = places.into_iter().flatten().flatten().collect();
    places.dedup();
    let urls = places.iter().map(|place| format!("https://{host}/{place}"));
    urls.chain([format!("https://{host}")]).collect()
}

/// Notes that a server refused a secret that lies in none of our stores.
pub(crate) fn note_refusal(session: &Session, secret: &Secret, wanted: &Wanted<'_>) {
    session.change_refusal(secret, |before| {
        let place = wanted.reach.as_ref();
        Some(Rejection::again(before, place, Timestamp::now()))
    });
}

/// The account of the variable that is set, its secret, and why it does not answer, if it does not.
pub(crate) fn of_variable(session: &Session) -> Result<Option<(Account, Secret, Option<Hinted>)>> {
    let Some((mut account, kept)) = environment::account(session, &bitbucket::cloud())? else {
        return Ok(None);
    };
    account.rejected = session.refusal_of(&kept.secret);
    let complaint = match session.objection(&account) {
        Ok(Some(objection)) => Some(objection.to_using(&account)),
        _ if account.is_retired() => State::Retired.complaint(&account),
        _ if account.standing(Timestamp::now()).may_answer() => None,
        _ => {
            let message = format!("{} is set, but bitbucket.org refused it", account.name);
            Some(Hinted::new(message, State::Rejected.fix(&account)))
        }
    };
    Ok(Some((account, kept.secret, complaint)))
}

/// What a person should know of the variable that is set.
pub(crate) fn notice_of_variable(session: &Session) -> Result<Option<String>> {
    let told = of_variable(session)?;
    Ok(told.map(|(account, _, complaint)| match complaint {
        Some(complaint) => complaint.on_one_line(),
        None => answers_first(&account),
    }))
}

pub(crate) fn answers_first(variable: &Account) -> String {
    format!(
        "{} is set and answers for bitbucket.org ahead of the accounts: \
         'environment = false' in config.toml turns it off",
        variable.name
    )
}

#[cfg(test)]
mod tests {
    use super::urls;
    use crate::bitbucket::cloud;

    #[test]
    fn a_program_is_asked_for_the_repository_first_and_for_the_host_last() {
        let reach = "acme/site".parse().expect("a reach");
        assert_eq!(
            urls(&cloud(), Some(&reach)),
            [
                "https://bitbucket.org/acme/site",
                "https://bitbucket.org/acme",
                "https://bitbucket.org"
            ]
        );
        assert_eq!(urls(&cloud(), None), ["https://bitbucket.org"]);
    }
}
