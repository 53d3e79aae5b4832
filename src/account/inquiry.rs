//! The two questions to Bitbucket about a secret: whose it is, and whether a repository lets it in.

use std::time::{Duration, Instant};

use crate::account::Account;
use crate::bitbucket::authorization::Identity;
use crate::bitbucket::reach::Reach;
use crate::bitbucket::{self, Service};
use crate::git::context::Host;
use crate::git::route;
use crate::sys::http::{self, Answer, Client};
use crate::sys::secret::Secret;
use crate::sys::terminal::waiting::Waiting;

/// All that is asked about one secret, until the deadline.
pub(super) struct Inquiry<'a> {
    pub(super) account: &'a Account,
    pub(super) secret: &'a Secret,
    /// The time limit for one answer.
    pub(super) patience: Duration,
    pub(super) deadline: Instant,
}

impl Inquiry<'_> {
    /// Asks who signs in with this identity.
    pub(super) fn who_is(&self, identity: &Identity) -> Result<Answer, http::Error> {
        let host = &self.account.host;
        let url = bitbucket::whoami_url(host, self.account.base_path());
        if bitbucket::is_cloud(host) {
            self.get(&bitbucket::api_host(), &url, identity)
        } else {
            self.get(host, &url, identity)
        }
    }

    /// Asks for a repository as git would. None for a place that is no repository, or if git could not sign in.
    pub(super) fn refs(
        &self,
        place: &Reach,
        service: Service,
    ) -> Option<Result<Answer, http::Error>> {
        let Account { host, .. } = self.account;
        let repository = place.repository.as_deref()?;
        let identity = Identity::for_git(self.account, self.secret.clone()).ok()?;
        let base_path = self.account.base_path();
        let repository = bitbucket::clone_url(host, base_path, &place.workspace, repository);
        let url = bitbucket::service_url(&repository, service);
        let answer = self.get(host, &url, &identity);
        // A workspace that was renamed leads to its new name. Another host never gets the secret.
        let own = format!("https://{host}/");
        let moved = answer.as_ref().ok().and_then(Answer::moved_to);
        Some(match moved.filter(|url| url.starts_with(&own)) {
            Some(url) => self.get(host, url, &identity),
            None => answer,
        })
    }

    pub(super) fn get(
        &self,
        host: &Host,
        url: &str,
        identity: &Identity,
    ) -> Result<Answer, http::Error> {
        let asked = self.account.host.clone();
        let _line = Waiting::on(move || format!("asking {asked}…"));
        let client = Client::new(&route::to(host, self.patience, self.deadline))?;
        client.get(url, Some(&identity.authorization()))
    }
}
