//! Getting into Vault: with a token that is there already, or by a login whose token is kept for its lease.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::lease::{self, LeasedToken};
use super::own_token;
use super::reply::Reply;
use super::server::Server;
use super::ticket::Ticket;
use crate::settings::Session;
use crate::settings::config::Auth;
use crate::sys::files::Lock;
use crate::sys::{Secret, one_line, trace};

/// Where the KV engine of a new server is mounted.
const MOUNT: &str = "secret";
/// Where a token asks about itself.
pub(super) const ITSELF: &str = "auth/token/lookup-self";
/// How long another process may take for the same login. What is left then has to do for one of our own.
const OTHERS: Duration = Duration::from_secs(2);

pub(super) struct VaultSession {
    pub(super) server: Server,
    /// Where the KV engine is, without slashes around it.
    pub(super) mount: String,
    pub(super) auth: Auth,
    /// None behind an agent, which has its own and takes no other.
    token: Option<Secret>,
    /// What a login presents, where there is none.
    pub(super) ticket: Option<Ticket>,
    /// Where the token of a login is kept.
    path: Option<PathBuf>,
    kept: Option<LeasedToken>,
    /// Whether the kept one may have ended since: it is from an earlier login, and the server was not asked about it.
    is_old: bool,
}

impl VaultSession {
    pub(super) fn begin(session: &Session, server: Server) -> Result<Self> {
        let settings = &session.config()?.store.vault;
        let (token, ticket) = match settings.auth {
            Auth::Agent => (None, None),
            Auth::Token => (Some(own_token::find()?), None),
            Auth::AppRole | Auth::Jwt | Auth::Kubernetes => (None, Some(Ticket::of(settings)?)),
        };
        let name = ticket.as_ref().map(|ticket| ticket.file_name(&server));
        let locations = session.locations().ok();
        let mount = settings.mount.as_deref().unwrap_or(MOUNT);
        let mut session = Self {
            server,
            mount: mount.trim_matches('/').to_owned(),
            auth: settings.auth,
            token,
            ticket,
            path: locations.and_then(|it| Some(it.runtime.join(name?))),
            kept: None,
            is_old: false,
        };
        if session.ticket.is_some() {
            session.enter()?;
        }
        Ok(session)
    }

    pub(super) fn get(&self, path: &str) -> Result<Reply> {
        let token = self.token.as_ref();
        self.server.ask(path, token, None, token.as_slice())
    }

    /// Whether there is another token now. Ask it after a 403: an ended token and one that may not read get the same.
    pub(super) fn is_renewed(&mut self) -> Result<bool> {
        if self.kept.as_ref().is_none_or(|kept| kept.is_mute) {
            return Ok(false);
        }
        if self.get(ITSELF)?.status == 200 {
            return Ok(false);
        }
        if self.is_old {
            trace::say(|| "vault: the token of the last login is over".to_owned());
            self.enter()?;
            self.is_old = false;
            return Ok(true);
        }
        // One that is new and may not ask about itself either would be taken for dead at each question.
        if let (Some(kept), Some(path)) = (&mut self.kept, &self.path) {
            kept.is_mute = true;
            // It only spares the next question.
            let _ = kept.write(path);
        }
        Ok(false)
    }

    pub(super) fn may_not_read(&self, path: &str) -> anyhow::Error {
        let hint = match self.auth {
            Auth::Token => {
                "sign in to it again ('bao login' or 'vault login'), or have its policy allow that"
            }
            Auth::Agent => "see whether the agent is signed in, and have its policy allow that",
            Auth::AppRole | Auth::Jwt | Auth::Kubernetes => {
                "have the policy of the role allow that"
            }
        };
        self.server
            .error(&format!("does not let us read '{path}' (403)"), hint)
    }

    /// Takes the token of an earlier login, but not the one that we had; or logs in, one process at a time.
    fn enter(&mut self) -> Result<()> {
        let path = self.path.as_deref();
        let earlier = || {
            path.and_then(LeasedToken::read)
                .filter(|kept| self.token.as_ref() != Some(&kept.token))
        };
        let kept = earlier();
        // Where it cannot be had everybody logs in on his own.
        let lock = path.filter(|_| kept.is_none());
        let _lock = lock.map(|path| Lock::acquire(path, OTHERS));
        self.kept = kept.or_else(earlier);
        self.is_old = self.kept.is_some();
        if let Some(kept) = &self.kept {
            self.token = Some(kept.token.clone());
            return Ok(());
        }
        path.inspect(|path| lease::sweep(path));
        let ticket = self.ticket.as_ref().context("there is no login")?;
        let (token, lease) = ticket.log_in(&self.server)?;
        self.kept = lease.map(|lease| LeasedToken::new(token.clone(), lease));
        if let (Some(path), Some(kept)) = (path, &self.kept) {
            // It only spares the next login.
            let outcome = kept.write(path);
            trace::say(|| match outcome {
                Ok(()) => "vault: the token is kept for its lease".to_owned(),
                Err(error) => format!("vault: the token is not kept: {}", one_line(&error)),
            });
        }
        self.token = Some(token);
        Ok(())
    }
}
