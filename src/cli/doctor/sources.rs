//! The stores of `lookup`.

use anyhow::bail;

use super::finding::Check;
use super::surroundings::Surroundings;
use crate::answer::source::{folder, vault};
use crate::bitbucket;
use crate::settings::Session;
use crate::store::{self, Name};

/// Whether each store of `lookup` answers.
pub(super) fn stores(surroundings: &Surroundings<'_>) -> Vec<Check> {
    let session = surroundings.session;
    // Another check reports settings that cannot be read.
    let sources = session.config().map_or(&[][..], |config| &config.lookup);
    let check = |&name: &Name| {
        let id = format!("lookup.{name}");
        let policy = session.policy().ok();
        if let Some(objection) = policy.and_then(|policy| policy.objection_to_store(name)) {
            let hint = "take it out of 'lookup' in config.toml";
            return Check::warn(&id, objection.to_string(), hint);
        }
        match look_into(session, name) {
            Ok(message) => Check::pass(&id, message),
            Err(error) => Check::failed(&id, &error),
        }
    };
    let unbounded = sources.iter().filter_map(|it| unbounded(session, *it));
    sources.iter().map(check).chain(unbounded).collect()
}

/// Warns of a path without a fixed part: a hostile URL could then name any secret.
fn unbounded(session: &Session, source: Name) -> Option<Check> {
    let settings = &session.config().ok()?.store;
    let (what, hint) = match source {
        Name::Folder => {
            let root = settings.folder.path.as_deref();
            let root = root.filter(|root| root.parent().is_none())?.display();
            (
                format!("each file of '{root}' is taken for a secret"),
                "let 'path' of [store.folder] in config.toml name a folder for these secrets alone",
            )
        }
        Name::Vault => (
            format!(
                "'{}' has no fixed part before the workspace: a URL can name any secret of the engine",
                vault::unbounded(&settings.vault)?
            ),
            "start it with a name for these secrets alone: 'bitbucket/{workspace}/{repository}'",
        ),
        _ => return None,
    };
    Some(Check::warn(&format!("lookup.{source}.path"), what, hint))
}

fn look_into(session: &Session, source: Name) -> anyhow::Result<String> {
    let settings = &session.config()?.store;
    match source {
        Name::Exec => {
            let store = session.exec_store()?;
            let url = format!("https://{}", bitbucket::cloud());
            store.look_up(&url).map_err(store::Error::with_hint)?;
            Ok(format!("'{}' answers", store.program))
        }
        Name::Folder => {
            let setting = settings.folder.path.as_deref();
            folder::find(setting, None)?;
            let root = folder::root(setting)?;
            let path = root.display();
            if root.exists() {
                return Ok(format!("'{path}' exists"));
            }
            // A folder that is not mounted is empty: the next store is searched.
            Ok(format!("'{path}' does not exist, so it has no secrets"))
        }
        Name::Vault => vault::knock(session),
        Name::Env | Name::File | Name::Keyring => bail!("the store '{source}' is not looked into"),
    }
}
