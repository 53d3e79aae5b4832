//! The stores that are only looked into, and what the administrators of the machine allow.

use super::finding::Check;
use super::surroundings::Surroundings;
use crate::answer::source::folder;
use crate::answer::source::vault;
use crate::bitbucket;
use crate::settings::config::LookupStore;
use crate::settings::locations::{Locations, system_config};
use crate::settings::session::Session;
use crate::store;

/// Whether each of the stores of `lookup` in the settings can be looked into.
pub(super) fn stores(surroundings: &Surroundings<'_>) -> Vec<Check> {
    let session = surroundings.session;
    // That the settings cannot be read is a finding of its own check.
    let sources = session.config().map_or(&[][..], |config| &config.lookup);
    let check = |source: &LookupStore| {
        let name = store::Name::from(*source);
        let id = format!("lookup.{name}");
        let policy = session.policy().ok();
        if let Some(objection) = policy.and_then(|policy| policy.objection_to_store(name)) {
            let hint = "take it out of 'lookup' in config.toml";
            return Check::warn(id, objection.to_string(), hint);
        }
        look_into(session, *source).map_or_else(
            |error| Check::failed(&id, &error),
            |message| Check::pass(&id, message),
        )
    };
    sources.iter().map(check).collect()
}

fn look_into(session: &Session, source: LookupStore) -> anyhow::Result<String> {
    let settings = &session.config()?.store;
    match source {
        LookupStore::Exec => {
            let store = session.exec_store()?;
            let host = bitbucket::cloud();
            store
                .look_up(&format!("https://{host}"))
                .map_err(store::Error::with_hint)?;
            Ok(format!("'{}' answers", store.program))
        }
        LookupStore::Folder => {
            let root = folder::Root::of(settings.folder.path.as_deref())?;
            root.find(None)?;
            let path = root.path.display();
            // What is not mounted has nothing: the next store is looked into.
            Ok(if root.path.exists() {
                format!("'{path}' exists")
            } else {
                format!("'{path}' does not exist, so it has no secrets")
            })
        }
        LookupStore::Vault => {
            let kept = session.locations().ok().map(Locations::runtime);
            vault::knock(&settings.vault, kept, session.deadline())
        }
    }
}

/// What the policy allows.
pub(super) fn policy(surroundings: &Surroundings<'_>) -> Check {
    let id = "policy";
    let path = system_config();
    match surroundings.session.policy() {
        Err(error) => Check::failed(id, &error),
        Ok(policy) => Check::pass(
            id,
            match policy.describe() {
                Some(rules) => format!("'{}' allows only: {rules}", path.display()),
                None => "nothing is forbidden on this machine".to_owned(),
            },
        ),
    }
}
