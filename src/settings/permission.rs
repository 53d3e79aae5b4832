//! Asks the policy about an account, and about storing a secret.

use anyhow::Result;
use jiff::Timestamp;

use crate::account::Account;
use crate::account::standing::Standing;
use crate::settings::config::StoreChoice;
use crate::settings::policy::Objection;
use crate::settings::session::Session;
use crate::store::Name;

impl Session {
    /// Why the policy forbids an account, if it does.
    pub(crate) fn objection(&self, account: &Account) -> Result<Option<Objection>> {
        Ok(self.policy()?.objection(account))
    }

    /// Whether an account may answer now. An unreadable policy forbids everything.
    pub(crate) fn standing(&self, account: &Account, now: Timestamp) -> Standing {
        match self.objection(account) {
            Ok(None) => account.standing(now),
            Ok(Some(_)) | Err(_) => Standing::Forbidden,
        }
    }

    /// Why the policy forbids to store a secret of this account, if it does.
    pub(crate) fn objection_to_keeping(
        &self,
        account: &Account,
        choice: StoreChoice,
    ) -> Result<Option<Objection>> {
        let policy = self.policy()?;
        let Some(store) = self.stores_of(choice)?.first().copied() else {
            return Ok(Some(policy.objection_to_keeping()));
        };
        // `auto` lists allowed stores only, so the first one stands for all.
        let account = account.clone();
        Ok(policy.objection(&Account { store, ..account }))
    }

    /// Why the policy forbids these stores, if it does.
    pub(crate) fn objection_to_choice(&self, choice: StoreChoice) -> Result<Option<Objection>> {
        let policy = self.policy()?;
        Ok(match self.stores_of(choice)?.first() {
            Some(store) => policy.objection_to_store(*store),
            None => Some(policy.objection_to_keeping()),
        })
    }

    /// The stores to try in turn for a new secret.
    pub(crate) fn stores_of(&self, choice: StoreChoice) -> Result<Vec<Name>> {
        let policy = self.policy()?;
        let allowed = |names: &[Name]| -> Vec<Name> {
            let allowed = names.iter().filter(|name| policy.allows_store(**name));
            allowed.copied().collect()
        };
        Ok(match choice {
            StoreChoice::One(name) => vec![name],
            StoreChoice::Auto => {
                let usual = allowed(&[Name::Keyring, Name::File]);
                if usual.is_empty() {
                    allowed(&[Name::Exec])
                } else {
                    usual
                }
            }
        })
    }
}
