//! Getting into Vault: with a token that is there already, or by a login whose token is kept for its lease.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::lease::{self, LeasedToken};
use super::own_token;
use super::reply::Reply;
use super::server::Server;
use super::ticket::Ticket;
use crate::settings::config::{Auth, VaultSection};
use crate::sys::files::Lock;
use crate::sys::{Hinted, Secret, one_line, trace};

/// Where a token asks about itself.
pub(super) const ITSELF: &str = "auth/token/lookup-self";
/// How long another process may take for the same login.
const OTHERS: Duration = Duration::from_secs(2);

pub(super) struct VaultSession<'a> {
    pub(super) server: &'a Server,
    auth: Auth,
    /// None behind an agent, which has its own and takes no other.
    token: Option<Secret>,
    entrance: Option<Entrance>,
}

/// A login, and what came of an earlier one.
struct Entrance {
    ticket: Ticket,
    path: Option<PathBuf>,
    kept: Option<LeasedToken>,
    /// Whether it may have ended since: it is from an earlier login, and the server was not asked about it.
    is_old: bool,
}

impl<'a> VaultSession<'a> {
    pub(super) fn begin(
        server: &'a Server,
        settings: &VaultSection,
        folder: Option<&Path>,
    ) -> Result<Self> {
        let auth = settings.auth;
        let (token, entrance) = match auth {
            Auth::Agent => (None, None),
            Auth::Token => (Some(own_token::find()?), None),
            Auth::AppRole | Auth::Jwt | Auth::Kubernetes => {
                let ticket = Ticket::of(settings)?;
                let mut entrance = Entrance {
                    path: folder.map(|folder| folder.join(ticket.file_name(server))),
                    ticket,
                    kept: None,
                    is_old: false,
                };
                let token = entrance.enter(server, None)?;
                (Some(token), Some(entrance))
            }
        };
        Ok(Self {
            server,
            auth,
            token,
            entrance,
        })
    }

    pub(super) fn get(&self, path: &str) -> Result<Reply> {
        let token = self.token.as_ref();
        self.server.ask(path, token, None, token.as_slice())
    }

    /// Whether there is another token now. Ask it after a 403: an ended token and one that may not read get the same.
    pub(super) fn is_renewed(&mut self) -> Result<bool> {
        let (Some(entrance), Some(token)) = (&mut self.entrance, &self.token) else {
            return Ok(false);
        };
        let Some(kept) = entrance.kept.as_mut().filter(|kept| !kept.is_mute) else {
            return Ok(false);
        };
        let itself = (self.server).ask(ITSELF, Some(token), None, &[token])?;
        if itself.status == 200 {
            // That need not be asked twice.
            entrance.kept = None;
            return Ok(false);
        }
        if !entrance.is_old {
            // One that is new and may not ask about itself either would be taken for dead at each question.
            kept.is_mute = true;
            if let Some(path) = &entrance.path {
                // It only spares the next question.
                let _ = kept.write(path);
            }
            return Ok(false);
        }
        trace::say(|| "vault: the token of the last login is over".to_owned());
        let token = entrance.enter(self.server, Some(token))?;
        entrance.is_old = false;
        self.token = Some(token);
        Ok(true)
    }

    /// Whether the server is known to let us in, although it does not let us ask about ourselves.
    pub(super) fn is_in(&self) -> bool {
        let entrance = self.entrance.as_ref();
        entrance.is_some_and(|it| !it.is_old || it.kept.as_ref().is_some_and(|kept| kept.is_mute))
    }

    pub(super) fn may_not_read(&self, path: &str) -> anyhow::Error {
        let Server { address, .. } = self.server;
        let message = format!("Vault at '{address}' does not let us read '{path}' (403)");
        let hint = match self.auth {
            Auth::Token => {
                "sign in to it again ('bao login' or 'vault login'), or have its policy allow that"
            }
            Auth::Agent => "see whether the agent is signed in, and have its policy allow that",
            Auth::AppRole | Auth::Jwt | Auth::Kubernetes => {
                "have the policy of the role allow that"
            }
        };
        Hinted::new(message, hint).into()
    }
}

impl Entrance {
    /// Takes the token of an earlier login, but not the one that is `over`; or logs in, one process at a time.
    fn enter(&mut self, server: &Server, over: Option<&Secret>) -> Result<Secret> {
        let path = self.path.as_deref();
        let earlier = || {
            path.and_then(LeasedToken::read)
                .filter(|kept| over != Some(&kept.token))
        };
        let kept = earlier();
        // Where it cannot be had everybody logs in on his own.
        let lock = path.filter(|_| kept.is_none());
        // Half of the time that is left has to do for a login of our own.
        let patience = OTHERS.min(server.time_left() / 2);
        let _lock = lock.map(|path| Lock::acquire(&path.with_extension(lease::LOCK), patience));
        self.kept = kept.or_else(earlier);
        self.is_old = self.kept.is_some();
        match &self.kept {
            Some(kept) => Ok(kept.token.clone()),
            None => self.log_in(server),
        }
    }

    fn log_in(&mut self, server: &Server) -> Result<Secret> {
        if let Some(path) = &self.path {
            lease::sweep(path);
        }
        let login = self.ticket.log_in(server)?;
        let kept = |lease| LeasedToken::new(login.token.clone(), lease);
        self.kept = login.lease.map(kept);
        if let (Some(path), Some(kept)) = (&self.path, &self.kept) {
            // It only spares the next login.
            let outcome = kept.write(path);
            trace::say(|| match outcome {
                Ok(()) => "vault: the token is kept for its lease".to_owned(),
                Err(error) => format!("vault: the token is not kept: {}", one_line(&error)),
            });
        }
        Ok(login.token)
    }
}
