//! Getting into Vault: with a token that is there already, or by a login whose token is kept for its lease, so that a
//! push with LFS, which asks three times, logs in once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, bail};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::server::{Server, said};
use crate::child;
use crate::config::{Auth, VaultSection};
use crate::environment::{self, vault_variable};
use crate::error::{Hinted, one_line};
use crate::file::{self, Lock};
use crate::http::{Answer, Json};
use crate::secret::Secret;
use crate::trace;

/// How long another process may take for the same login.
const OTHERS: Duration = Duration::from_secs(2);
/// How long the user's token helper may take.
const HELPER: Duration = Duration::from_secs(3);
/// Where Kubernetes puts the token of a pod's service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Somebody whom the server lets in.
pub(super) struct Session<'a> {
    pub(super) server: &'a Server,
    settings: &'a VaultSection,
    /// None behind an agent, which has its own and takes no other.
    token: Option<Secret>,
    /// What the token was, or would be, got with.
    ticket: Option<Ticket>,
    /// Where the token of a login is kept.
    kept: Option<PathBuf>,
    /// Whether the token is from there.
    is_kept: bool,
}

impl<'a> Session<'a> {
    /// # Errors
    /// When there is nothing to get in with, or the server does not take it.
    pub(super) fn begin(
        server: &'a Server,
        settings: &'a VaultSection,
        folder: Option<&Path>,
    ) -> Result<Self> {
        let mut session = Self {
            server,
            settings,
            token: None,
            ticket: None,
            kept: None,
            is_kept: false,
        };
        match settings.auth {
            Auth::Agent => {}
            Auth::Token => session.token = Some(own_token()?),
            Auth::AppRole | Auth::Jwt | Auth::Kubernetes => {
                let ticket = Ticket::of(settings)?;
                session.kept = folder.map(|folder| folder.join(ticket.file_name(server)));
                session.ticket = Some(ticket);
                session.enter()?;
            }
        }
        Ok(session)
    }

    /// Asks for what lies at a path of the API. A token of an earlier login may have been revoked since.
    ///
    /// # Errors
    /// As [`Server::get`].
    pub(super) fn get(&mut self, path: &str) -> Result<Answer> {
        let answer = self.server.get(path, self.token.as_ref())?;
        if answer.status != 403 || !self.is_kept || self.is_alive()? {
            return Ok(answer);
        }
        trace::say(|| "vault: the token of the last login is over".to_owned());
        if let Some(path) = &self.kept {
            file::remove(path)?;
        }
        self.enter()?;
        self.server.get(path, self.token.as_ref())
    }

    /// That the token may not read at a path.
    pub(super) fn may_not_read(&self, path: &str) -> anyhow::Error {
        let Server { address, .. } = self.server;
        let message = format!("Vault at '{address}' does not let us read '{path}' (403)");
        let hint = match self.settings.auth {
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

    /// Whether the server still knows the token, whatever it lets it read.
    fn is_alive(&self) -> Result<bool> {
        let answer = self
            .server
            .get("auth/token/lookup-self", self.token.as_ref())?;
        Ok(answer.status == 200)
    }

    /// Takes the token of an earlier login, or logs in; one process at a time, and whoever has waited takes what came
    /// of it.
    fn enter(&mut self) -> Result<()> {
        let Some(ticket) = &self.ticket else {
            return Ok(());
        };
        let earlier = |path: &Option<PathBuf>| path.as_deref().and_then(read_kept);
        let mut token = earlier(&self.kept);
        // Where it cannot be had everybody logs in on his own.
        let lock = self.kept.as_ref().filter(|_| token.is_none());
        let _lock = lock.and_then(|path| Lock::acquire(&path.with_extension("lock"), OTHERS).ok());
        token = token.or_else(|| earlier(&self.kept));
        self.is_kept = token.is_some();
        self.token = match token {
            Some(token) => Some(token),
            None => Some(log_in(self.server, ticket, self.kept.as_deref())?),
        };
        Ok(())
    }
}

/// What a login presents.
struct Ticket {
    auth: Auth,
    /// Where the auth method is mounted.
    mount: String,
    /// The JSON that is sent.
    document: Secret,
}

impl Ticket {
    fn of(settings: &VaultSection) -> Result<Self> {
        let auth = settings.auth;
        let mount = settings.auth_mount.as_deref().unwrap_or(auth.method());
        Ok(Self {
            auth,
            mount: mount.trim_matches('/').to_owned(),
            document: match auth {
                Auth::AppRole => app_role(settings)?,
                _ => with_jwt(settings)?,
            },
        })
    }

    /// A file for this server and just what is presented to it: a runner's next job, with a token of its own, must not
    /// come in as the one before it.
    fn file_name(&self, server: &Server) -> String {
        let mut digest = Sha256::new();
        let namespace = server.namespace.as_deref().unwrap_or_default();
        for part in [server.address.as_str(), namespace, &self.mount] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
        digest.update(self.document.expose());
        let name = Base64UrlUnpadded::encode_string(&digest.finalize()[..15]);
        format!("{KEPT}{name}")
    }
}

/// How the names of kept tokens begin.
const KEPT: &str = "vault-login-";

#[derive(Serialize)]
struct AppRole<'a> {
    role_id: &'a str,
    secret_id: &'a str,
}

#[derive(Serialize)]
struct Jwt<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    jwt: &'a str,
}

fn app_role(settings: &VaultSection) -> Result<Secret> {
    let part = |file: &Option<PathBuf>, variable: &str, key: &str| {
        let value = match file {
            Some(path) => Some(mounted(path)?),
            None => vault_variable(variable).map(|text| Secret::new(text.into_bytes())),
        };
        value.ok_or_else(|| {
            anyhow!(Hinted::new(
                "an id for the login with approle is missing",
                format!("set '{key}' of [store.vault] in config.toml, or VAULT_{variable}"),
            ))
        })
    };
    let role_id = part(&settings.role_id_file, "ROLE_ID", "role_id_file")?;
    let secret_id = part(&settings.secret_id_file, "SECRET_ID", "secret_id_file")?;
    to_json(&AppRole {
        role_id: text(&role_id)?,
        secret_id: text(&secret_id)?,
    })
}

fn with_jwt(settings: &VaultSection) -> Result<Secret> {
    let is_kubernetes = settings.auth == Auth::Kubernetes;
    let jwt = match (&settings.jwt_file, is_kubernetes) {
        (Some(path), _) => mounted(path)?,
        (None, true) => mounted(Path::new(SERVICE_ACCOUNT))?,
        (None, false) => environment::step_token().ok_or_else(|| {
            Hinted::new(
                "there is no JWT to log in to Vault with",
                "in Bitbucket Pipelines set 'oidc: true' for the step; elsewhere set 'jwt_file' of [store.vault] in config.toml",
            )
        })?,
    };
    if is_kubernetes && settings.role.is_none() {
        bail!(Hinted::new(
            "no role is named for the login with kubernetes",
            "set 'role' of [store.vault] in config.toml",
        ));
    }
    to_json(&Jwt {
        role: settings.role.as_deref(),
        jwt: text(&jwt)?,
    })
}

fn to_json(document: &impl Serialize) -> Result<Secret> {
    // Longer than any of them: a buffer that grows leaves copies behind.
    let mut json = Vec::with_capacity(1 << 17);
    serde_json::to_writer(&mut json, document)?;
    Ok(Secret::new(json))
}

fn text(secret: &Secret) -> Result<&str> {
    std::str::from_utf8(secret.expose()).context("what Vault is to be shown is no text")
}

/// What somebody else has put into a file, without the white space around it.
fn mounted(path: &Path) -> Result<Secret> {
    let secret = file::read_mounted(path)?.filter(|secret| !secret.trimmed().is_empty());
    let secret = secret.ok_or_else(|| {
        Hinted::new(
            format!("'{}' is empty, or is not there", path.display()),
            "see the files that [store.vault] in config.toml names",
        )
    })?;
    Ok(secret.trimmed())
}

fn log_in(server: &Server, ticket: &Ticket, kept: Option<&Path>) -> Result<Secret> {
    let method = ticket.auth.method();
    trace::say(|| format!("vault: login with {method} at 'auth/{}'", ticket.mount));
    let path = format!("auth/{}/login", super::encoded(&ticket.mount));
    let answer = server.post(&path, &ticket.document)?;
    let json = answer.json().filter(|_| answer.status == 200);
    let Some((token, lease)) = json.as_ref().and_then(token_in) else {
        return Err(refused(server, ticket, &answer));
    };
    if let (Some(path), Some(lease)) = (kept, lease) {
        // It only spares the next login.
        let outcome = keep(path, &token, lease);
        trace::say(|| match outcome {
            Ok(()) => format!("vault: the token is kept for {} seconds", lease.as_secs()),
            Err(error) => format!("vault: the token is not kept: {}", one_line(&error)),
        });
    }
    Ok(token)
}

/// The token of a login, and for how long it may be kept: not when it is good for ever, or for a number of uses, which
/// others count on.
fn token_in(json: &Json) -> Option<(Secret, Option<Duration>)> {
    let auth = json.get("auth")?;
    let token = auth.get("client_token")?.as_str()?;
    let number = |key: &str| {
        auth.get(key)
            .and_then(serde_json::Value::as_u64)
            .unwrap_or(0)
    };
    let lease =
        Some(number("lease_duration")).filter(|&lease| lease > 0 && number("num_uses") == 0);
    (!token.is_empty()).then(|| {
        let token = Secret::new(token.as_bytes().to_vec());
        (token, lease.map(Duration::from_secs))
    })
}

fn refused(server: &Server, ticket: &Ticket, answer: &Answer) -> anyhow::Error {
    let method = ticket.auth.method();
    let said = said(answer).map_or(String::new(), |said| format!(": {said}"));
    let message = format!(
        "Vault at '{}' refuses the login with {method} at 'auth/{}' (status {}){said}",
        server.address, ticket.mount, answer.status
    );
    let hint = match ticket.auth {
        Auth::AppRole => {
            "have a new secret id made, and see 'role_id_file' and 'secret_id_file' of [store.vault]"
        }
        _ => "see 'role' and 'auth_mount' of [store.vault], and which claims the role is bound to",
    };
    Hinted::new(message, hint).into()
}

/// A kept token, unless its time is over.
fn read_kept(path: &Path) -> Option<Secret> {
    let content = file::read_private(path).ok()??;
    let (until, token) = content.split_at(content.iter().position(|&byte| byte == b' ')?);
    let until: u64 = std::str::from_utf8(until).ok()?.parse().ok()?;
    let token = Secret::new(token.to_vec()).trimmed();
    (until > seconds_since_1970() && !token.is_empty()).then_some(token)
}

/// Keeps a token, private, a little shorter than it lives: a request takes its time, and clocks differ.
fn keep(path: &Path, token: &Secret, lease: Duration) -> Result<()> {
    let margin = (lease / 10)
        .min(Duration::from_secs(30))
        .max(Duration::from_secs(1));
    let until = seconds_since_1970() + lease.saturating_sub(margin).as_secs();
    let until = format!("{until} ").into_bytes();
    let content = Secret::new([&until, token.expose()].concat());
    sweep(path);
    file::write_private(path, content.expose())
}

/// Removes what is over: each job of a runner leaves one.
fn sweep(path: &Path) {
    let entries = path
        .parent()
        .map(fs::read_dir)
        .into_iter()
        .flatten()
        .flatten();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_kept = name
            .to_str()
            .is_some_and(|name| name.starts_with(KEPT) && !name.contains('.'));
        if is_kept && entry.path() != path && read_kept(&entry.path()).is_none() {
            // Whoever comes next tries again.
            let _ = fs::remove_file(entry.path());
            let _ = fs::remove_file(entry.path().with_extension("lock"));
        }
    }
}

fn seconds_since_1970() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// The token that Vault's own command line tool would use, and in its order.
fn own_token() -> Result<Secret> {
    if let Some(token) = vault_variable("TOKEN") {
        return Ok(Secret::new(token.into_bytes()).trimmed());
    }
    if let Some(program) = token_helper()? {
        return from_helper(&program);
    }
    let path = dirs::home_dir().map(|home| home.join(".vault-token"));
    let token = path
        .map(|path| file::read_mounted(&path))
        .transpose()?
        .flatten();
    let token = token
        .map(|token| token.trimmed())
        .filter(|token| !token.is_empty());
    token.ok_or_else(|| {
        anyhow!(Hinted::new(
            "there is no token for Vault",
            "sign in to it ('bao login' or 'vault login'), set VAULT_TOKEN, or name another 'auth' in [store.vault]",
        ))
    })
}

/// The program named in the tool's configuration: <https://developer.hashicorp.com/vault/docs/commands/token-helper>.
fn token_helper() -> Result<Option<PathBuf>> {
    let path = vault_variable("CONFIG_PATH").map(PathBuf::from);
    let path = path.or_else(|| Some(dirs::home_dir()?.join(".vault")));
    let Some(path) = path.filter(|path| path.is_file()) else {
        return Ok(None);
    };
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read '{}'", path.display()))?;
    let helper = text.lines().find_map(|line| {
        let value = line
            .trim()
            .strip_prefix("token_helper")?
            .trim_start()
            .strip_prefix('=')?;
        Some(PathBuf::from(value.trim().trim_matches('"')))
    });
    Ok(helper.filter(|helper| !helper.as_os_str().is_empty()))
}

fn from_helper(program: &Path) -> Result<Secret> {
    let failed = |what: String| {
        let message = format!("the token helper '{}' {what}", program.display());
        Hinted::new(
            message,
            "see 'token_helper' in ~/.vault, or set VAULT_TOKEN",
        )
    };
    let mut command = Command::new(program);
    command.arg("get");
    for variable in environment::secret_variables() {
        command.env_remove(variable);
    }
    let output = child::run(command, b"", HELPER)
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    let output = output.ok_or_else(|| {
        failed(format!(
            "does not answer within {} seconds",
            HELPER.as_secs()
        ))
    })?;
    let token = Secret::new(output.answer.to_vec()).trimmed();
    if output.code != Some(0) || token.is_empty() {
        bail!(failed("has no token".to_owned()));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{keep, read_kept};
    use crate::secret::Secret;

    #[test]
    fn a_kept_token_is_over_before_its_lease() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vault-login-a");
        let token = Secret::new(b"canary".to_vec());
        keep(&path, &token, Duration::from_secs(60)).expect("kept");
        assert_eq!(read_kept(&path).as_ref(), Some(&token));
        keep(&path, &token, Duration::from_secs(1)).expect("kept");
        assert_eq!(read_kept(&path), None);
        let other = folder.path().join("vault-login-b");
        keep(&other, &token, Duration::from_secs(60)).expect("kept");
        assert!(!path.exists(), "what is over is swept away");
    }
}
