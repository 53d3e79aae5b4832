//! Who is let in where, and why not.

use std::time::Instant;

use super::credential::{Credential, Kind, State};
use super::routing::Question;
use super::server::{Shelved, Site};

/// The two sorts of protocol, which want the same credential shown in different forms.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// Smart HTTP, and LFS, which takes its credentials from git.
    Git,
    Rest,
}

/// Why a request is refused; each protocol has its own words for it.
pub(super) enum Refusal {
    /// No credential where one is needed, or one that is unknown, revoked, expired or shown in the
    /// wrong form.
    Unauthenticated,
    /// Data Center: the administrator allows no Basic authentication.
    BasicDisabled,
    /// An app password, where those are told apart from other bad credentials.
    AppPassword,
    RateLimited,
    /// An API token without scopes, which Bitbucket takes nowhere.
    NoScopes,
    /// The repository does not exist, or not for this credential.
    Invisible(Box<Credential>),
    /// The scopes needed, and the credential, which lacks one of them.
    LacksScope(&'static [&'static str], Box<Credential>),
    /// The credential is good, but its kind has no business here; the scopes of those that have.
    WrongKind(&'static [&'static str], Box<Credential>),
}

impl Question<'_> {
    /// Whose request it is; nobody's if it shows no credential.
    pub(super) fn identify(&self, door: Door) -> Result<Option<Credential>, Refusal> {
        let Some(shown) = self.shown else {
            return Ok(None);
        };
        let x_token_auth = match &self.host.site {
            Site::DataCenter(instance) if instance.refuses(shown, door) => {
                return Err(Refusal::BasicDisabled);
            }
            Site::DataCenter(instance) => instance.takes_x_token_auth(),
            Site::Cloud | Site::CloudRest => false,
        };
        let fits = |credential: &Credential| {
            let shown_well = match door {
                Door::Git => credential.shown_to_git(shown, x_token_auth),
                Door::Rest => credential.shown_to_rest(shown, x_token_auth),
            };
            // libcurl sends a user name in the address at once, with an empty password.
            shown_well && !credential.secret.is_empty() && credential.secret == shown.secret()
        };
        let known = self
            .server
            .credentials(self.host.place())
            .into_iter()
            .find(fits);
        let all = self.server.credentials(self.host.place());
        let is_unscoped =
            |it: &Credential| it.kind == Kind::UnscopedApiToken && it.secret == shown.secret();
        let credential = known.ok_or_else(|| {
            if all.iter().any(is_unscoped) {
                Refusal::NoScopes
            } else {
                Refusal::Unauthenticated
            }
        })?;
        match (credential.kind, credential.state) {
            _ if credential.ends.is_some_and(|end| end < Instant::now()) => {
                Err(Refusal::Unauthenticated)
            }
            (_, State::Revoked | State::Expired) => Err(Refusal::Unauthenticated),
            (Kind::AppPassword, _) => Err(Refusal::AppPassword),
            (_, State::RateLimited) => Err(Refusal::RateLimited),
            (_, State::Valid) if self.server.faults().refuses() => Err(Refusal::Unauthenticated),
            (_, State::Valid) => Ok(Some(credential)),
        }
    }

    /// The repository `name`, if the request may read it or write to it, and whose request it is.
    pub(super) fn admit(
        &self,
        door: Door,
        name: &str,
        write: bool,
    ) -> Result<(Shelved, Option<Credential>), Refusal> {
        let credential = self.identify(door)?;
        let repository = self.server.repository(self.host.place(), name);
        let Some(credential) = credential else {
            let public = repository.filter(|repository| repository.public && !write);
            return public
                .map(|repository| (repository, None))
                .ok_or(Refusal::Unauthenticated);
        };
        if credential.is_refused_by(name) {
            return Err(Refusal::Unauthenticated);
        }
        let seen = credential.can_see(name);
        let open = |repository: &Shelved| repository.public && !write;
        let Some(repository) = repository.filter(|repository| seen || open(repository)) else {
            return Err(Refusal::Invisible(Box::new(credential)));
        };
        let scopes = credential.repository_scopes(write);
        if !open(&repository) && !scopes.iter().all(|scope| credential.holds(scope)) {
            return Err(Refusal::LacksScope(scopes, Box::new(credential)));
        }
        Ok((repository, Some(credential)))
    }
}
