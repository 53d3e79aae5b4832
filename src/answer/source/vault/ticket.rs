//! What a login presents: two ids (`approle`), or a JWT.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use sha2::{Digest as _, Sha256};

use super::lease;
use super::reply::Reply;
use super::server::{Server, encoded};
use crate::answer::source::environment;
use crate::answer::source::environment::vault_variable;
use crate::settings::config::{Auth, VaultSection};
use crate::sys::{Hinted, Secret, files, trace};

/// Where Kubernetes puts the token of a pod's service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// What is shown to a server to be let in.
pub(super) struct Ticket {
    auth: Auth,
    mount: String,
    document: Secret,
    /// What of it nobody may see.
    proof: Secret,
}

impl Ticket {
    pub(super) fn of(settings: &VaultSection) -> Result<Self> {
        let auth = settings.auth;
        let mount = settings.auth_mount.as_deref().unwrap_or(auth.as_str());
        let (document, proof) = match auth {
            Auth::AppRole => app_role(settings)?,
            _ => with_jwt(settings)?,
        };
        Ok(Self {
            auth,
            mount: mount.trim_matches('/').to_owned(),
            document,
            proof,
        })
    }

    /// A file for this server and this login: the next job of a runner must not come in as the one before it.
    pub(super) fn file_name(&self, server: &Server) -> String {
        let mut digest = Sha256::new();
        let namespace = server.namespace.as_deref().unwrap_or_default();
        for part in [server.address.as_str(), namespace, &self.mount] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
        digest.update(self.document.expose());
        let name = Base64UrlUnpadded::encode_string(&digest.finalize()[..15]);
        format!("{}{name}", lease::START)
    }

    /// The token, and for how long it may be kept.
    pub(super) fn log_in(&self, server: &Server) -> Result<(Secret, Option<Duration>)> {
        let Self { auth, mount, .. } = self;
        trace::say(|| format!("vault: login with {auth} at 'auth/{mount}'"));
        let path = format!("auth/{}/login", encoded(mount));
        let reply = server.ask(&path, None, Some(&self.document), &[&self.proof])?;
        let Reply { status, said, .. } = &reply;
        if let Some(login) = reply.login().filter(|_| *status == 200) {
            return Ok(login);
        }
        let what =
            format!("refuses the login with {auth} at 'auth/{mount}' (status {status}){said}");
        let hint = match auth {
            Auth::AppRole => {
                "have a new secret id made, and see 'role_id_file' and 'secret_id_file' of [store.vault]"
            }
            _ => {
                "see 'role' and 'auth_mount' of [store.vault], and which claims the role is bound to"
            }
        };
        Err(server.error(&what, hint))
    }
}

fn app_role(settings: &VaultSection) -> Result<(Secret, Secret)> {
    let part = |file: &Option<PathBuf>, variable: &str, key: &str| -> Result<Secret> {
        if let Some(path) = file {
            return mounted(path);
        }
        let id = vault_variable(variable).ok_or_else(|| {
            Hinted::new(
                "an id for the login with approle is missing",
                format!("set '{key}' of [store.vault] in config.toml, or VAULT_{variable}"),
            )
        })?;
        Ok(Secret::new(id.into_bytes()))
    };
    let role_id = part(&settings.role_id_file, "ROLE_ID", "role_id_file")?;
    let secret_id = part(&settings.secret_id_file, "SECRET_ID", "secret_id_file")?;
    let ids = [
        ("role_id", text(&role_id)?),
        ("secret_id", text(&secret_id)?),
    ];
    Ok((Secret::of_json(&BTreeMap::from(ids))?, secret_id))
}

fn with_jwt(settings: &VaultSection) -> Result<(Secret, Secret)> {
    let is_kubernetes = settings.auth == Auth::Kubernetes;
    if is_kubernetes && settings.role.is_none() {
        bail!(Hinted::new(
            "no role is named for the login with kubernetes",
            "set 'role' of [store.vault] in config.toml",
        ));
    }
    let usual = is_kubernetes.then_some(Path::new(SERVICE_ACCOUNT));
    let jwt = match settings.jwt_file.as_deref().or(usual) {
        Some(path) => mounted(path)?,
        None => environment::step_token().ok_or_else(|| {
            Hinted::new(
                "there is no JWT to log in to Vault with",
                "in Bitbucket Pipelines set 'oidc: true' for the step; elsewhere set 'jwt_file' of [store.vault] in config.toml",
            )
        })?,
    };
    let mut document = BTreeMap::from([("jwt", text(&jwt)?)]);
    document.extend(settings.role.as_deref().map(|role| ("role", role)));
    Ok((Secret::of_json(&document)?, jwt))
}

fn text(secret: &Secret) -> Result<&str> {
    std::str::from_utf8(secret.expose()).context("what Vault is to be shown is no text")
}

/// What somebody else has put into a file, without the white space around it.
fn mounted(path: &Path) -> Result<Secret> {
    let secret = files::read_mounted(path)?.unwrap_or_default().trimmed();
    if secret.is_empty() {
        bail!(Hinted::new(
            format!("'{}' is empty, or is not there", path.display()),
            "see the files that [store.vault] in config.toml names",
        ));
    }
    Ok(secret)
}
