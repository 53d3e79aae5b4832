//! The two questions to Bitbucket about a secret: whose it is, and whether a repository lets it in.

use std::time::{Duration, Instant};

use crate::account::present::Missing;
use crate::account::record::Account;
use crate::account::sign_in::Scheme;
use crate::bitbucket::{self, Reach, Service};
use crate::git::{Identity, Url, route};
use crate::sys::http::{Answer, Client};
use crate::sys::{Secret, Waiting, http, trace};

/// All that is asked about one secret, until the deadline.
pub(crate) struct Inquiry<'a> {
    /// With what its answers have told so far.
    pub(super) account: Account,
    pub(super) secret: &'a Secret,
    /// The time limit for one answer.
    pub(super) patience: Duration,
    pub(super) deadline: Instant,
}

/// What a person asks.
pub(crate) fn about<'a>(account: &Account, secret: &'a Secret, deadline: Instant) -> Inquiry<'a> {
    Inquiry {
        account: account.clone(),
        secret,
        patience: Duration::from_secs(10),
        deadline,
    }
}

impl<'a> Inquiry<'a> {
    /// What is asked while git waits.
    pub(super) fn of_git(account: &Account, secret: &'a Secret, deadline: Instant) -> Self {
        Self {
            patience: Duration::from_secs(3),
            ..about(account, secret, deadline)
        }
    }

    pub(super) fn for_rest(&self) -> Result<Identity, Missing> {
        Identity::for_rest(&self.account, self.secret.clone())
    }

    pub(super) fn with_scheme(&self, scheme: Scheme) -> Self {
        let mut account = self.account.clone();
        account.set_scheme(scheme);
        Self { account, ..*self }
    }

    pub(super) fn as_bearer(&self) -> Identity {
        Identity::bearer(self.secret.clone())
    }

    /// Asks who signs in with this identity.
    pub(super) fn who_is(&self, identity: &Identity) -> Result<Answer, http::Error> {
        let host = &self.account.host;
        let url = bitbucket::whoami_url(host, self.account.base_path());
        self.get(&url, identity)
    }

    /// Asks for a repository as git would, and where it was renamed for the new one: says where it is now. None if it is
    /// none, or if git could not sign in.
    pub(super) fn refs(
        &self,
        place: &Reach,
        service: Service,
    ) -> Option<Result<(Reach, Answer), http::Error>> {
        let host = &self.account.host;
        let identity = Identity::for_git(&self.account, self.secret.clone()).ok()?;
        let ask = |place: &Reach| {
            let repository = bitbucket::clone_url(host, self.account.base_path(), place)?;
            let url = bitbucket::service_url(&repository, service);
            Some(self.get(&url, &identity))
        };
        let answer = ask(place)?;
        let new = answer.as_ref().ok();
        match new.and_then(|answer| bitbucket::renamed(host, answer)) {
            Some(new) => Some(ask(&new)?.map(|answer| (new, answer))),
            None => Some(answer.map(|answer| (place.clone(), answer))),
        }
    }

    pub(super) fn get(&self, url: &str, identity: &Identity) -> Result<Answer, http::Error> {
        let host = Url::parse(url).and_then(|url| url.host());
        let host = host.as_ref().unwrap_or(&self.account.host);
        let asked = self.account.host.clone();
        let _line = Waiting::on(move || format!("asking {asked}…"));
        let client = Client::new(route::to(host, self.patience, self.deadline))?;
        let answer = client.get(url, Some(&identity.authorization()))?;
        if let Some(end) = bitbucket::announced_end(&answer) {
            trace::say(|| format!("rest: {url} will end: {end}"));
        }
        Ok(answer)
    }
}
