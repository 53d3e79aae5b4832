//! Asks the policy about an account, and about storing a secret.

use anyhow::Result;
use jiff::Timestamp;

use crate::account::standing::Standing;
use crate::account::{Account, Kept};
use crate::settings::config::StoreChoice;
use crate::settings::policy::Objection;
use crate::settings::session::Session;
use crate::store::Name;

impl Session {
    pub(crate) fn objection(&self, account: &Account) -> Result<Option<Objection>> {
        Ok(self.policy()?.objection(account))
    }

    /// The same with its secret, whose start may tell another kind.
    pub(crate) fn objection_to_kept(
        &self,
        account: &Account,
        kept: &Kept,
    ) -> Result<Option<Objection>> {
        let policy = self.policy()?;
        let of_secret = || policy.objection_to_secret(&kept.secret, &account.host);
        Ok(policy.objection(account).or_else(of_secret))
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
        if let StoreChoice::One(name) = choice {
            return Ok(vec![name]);
        }
        let mut stores = vec![Name::Keyring, Name::File];
        stores.retain(|name| policy.allows_store(*name));
        if stores.is_empty() && policy.allows_store(Name::Exec) {
            stores.push(Name::Exec);
        }
        Ok(stores)
    }
}
