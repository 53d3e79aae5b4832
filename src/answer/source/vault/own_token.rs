//! The token that Vault's own command line tool would use, found in its order.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::answer::source::environment::vault_variable;
use crate::sys::child::is_too_long;
use crate::sys::{Hinted, Program, Secret, files};

/// How long the user's token helper may take.
const HELPER: Duration = Duration::from_secs(3);

/// The token of the environment, of the token helper, or of the file that signing in writes.
pub(super) fn find() -> Result<Secret> {
    let (token, source) = if let Some(token) = vault_variable("TOKEN") {
        (Secret::new(token.into_bytes()), "VAULT_TOKEN".to_owned())
    } else if let Some(program) = token_helper()? {
        let source = format!("the token helper '{}'", program.display());
        (from_helper(&program, &source)?, source)
    } else {
        let named = vault_variable("TOKEN_PATH").map(PathBuf::from);
        let usual = || Some(dirs::home_dir()?.join(".vault-token"));
        let path = named.or_else(usual).unwrap_or_default();
        let token = files::read_mounted(&path)?.unwrap_or_default();
        (token, format!("'{}'", path.display()))
    };
    let token = token.trimmed();
    if token.is_empty() {
        bail!(Hinted::new(
            "there is no token for Vault",
            "set VAULT_TOKEN or another 'auth' in [store.vault], or sign in to it: 'bao login', 'vault login'",
        ));
    }
    if !token.expose().iter().all(u8::is_ascii_graphic) {
        bail!(Hinted::new(
            format!("the token from {source} is not one of Vault"),
            "sign in again: 'bao login' or 'vault login'",
        ));
    }
    Ok(token)
}

/// The program named in the tool's configuration: <https://openbao.org/docs/commands/token-helper/>,
/// <https://developer.hashicorp.com/vault/docs/commands/token-helper>.
fn token_helper() -> Result<Option<PathBuf>> {
    let files = match vault_variable("CONFIG_PATH") {
        Some(path) => vec![PathBuf::from(path)],
        None => dirs::home_dir()
            .map(|home| vec![home.join(".bao"), home.join(".vault")])
            .unwrap_or_default(),
    };
    for path in files.iter().filter(|path| path.is_file()) {
        // It names a program: nobody else may have written it.
        let content = files::read_trusted(path)?.unwrap_or_default();
        let content = String::from_utf8_lossy(&content);
        if let Some(helper) = content.lines().find_map(helper_in) {
            // It would be another program wherever git is run, a clone's own among them.
            if !helper.is_absolute() {
                bail!(Hinted::new(
                    format!(
                        "'token_helper' in '{}' is not an absolute path",
                        path.display()
                    ),
                    "write the whole path of the program, or set VAULT_TOKEN",
                ));
            }
            return Ok(Some(helper));
        }
    }
    Ok(None)
}

/// `token_helper = "/path"`, as HCL has it.
fn helper_in(line: &str) -> Option<PathBuf> {
    let value = line.trim().strip_prefix("token_helper")?.trim_start();
    let value = value.strip_prefix('=')?.trim_start().strip_prefix('"')?;
    let (path, _) = value.split_once('"')?;
    (!path.is_empty()).then(|| PathBuf::from(path))
}

fn from_helper(program: &Path, source: &str) -> Result<Secret> {
    let failed = |what: &str| {
        Hinted::new(
            format!("{source} {what}"),
            "see 'token_helper' in ~/.bao or ~/.vault, or set VAULT_TOKEN",
        )
    };
    let helper = Program::new(program).with_service_tokens().args(["get"]);
    match helper.run(b"", HELPER) {
        Ok(Some(output)) if output.code == Some(0) => Ok(output.answer.into()),
        Ok(Some(_)) => bail!(failed("fails")),
        Ok(None) => {
            let seconds = HELPER.as_secs();
            bail!(failed(&format!("does not answer within {seconds} seconds")))
        }
        Err(error) if is_too_long(&error) => bail!(failed("prints too much")),
        Err(error) => bail!(failed(&format!("cannot be started: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::helper_in;

    #[test]
    fn the_helper_stands_in_quotes_on_a_line_of_its_own() {
        for line in [
            "token_helper = \"/bin/x y\"",
            "  token_helper=\"/bin/x y\" # mine",
        ] {
            assert_eq!(
                helper_in(line).as_deref(),
                Some("/bin/x y".as_ref()),
                "{line}"
            );
        }
        for line in [
            "# token_helper = \"/bin/x\"",
            "token_helper = \"\"",
            "token_helper = /bin/x",
            "token_helpers = \"/bin/x\"",
            "",
        ] {
            assert_eq!(helper_in(line), None, "{line}");
        }
    }
}
