//! The version of git, and whether git finds this program.

use std::path::{Path, PathBuf};

use super::chain;
use super::finding::Check;
use super::surroundings::Surroundings;
use crate::cli::post_buffer;
use crate::git::{self, GitVersion, Helper, Host, version_of};
use crate::sys::child;

/// Whether this git passes a carriage return or an escape sequence from a URL to helpers and prompts (CVE-2024-52006,
/// CVE-2024-50349).
fn lacks_fixes(version: GitVersion) -> bool {
    /// The first fixed releases of 2.40, 2.41 and so on, by git's own list.
    const FIXED: [u32; 9] = [4, 3, 4, 6, 3, 3, 3, 2, 1];
    let (_, minor, patch) = version;
    let fixed = (40..).zip(FIXED).find(|(fixed, _)| *fixed == minor);
    version < (2, 40, 0) || version < (3, 0, 0) && fixed.is_some_and(|(_, fixed)| patch < fixed)
}

/// The version of git, and whether its credential protocol has the fixes.
pub(super) fn version(git: &str) -> Check {
    let name = format!("git {git}");
    if !lacks_fixes(version_of(git)) {
        return Check::pass("git", name);
    }
    let message = format!(
        "{name} is older than the fixes of its credential protocol (CVE-2024-50349, CVE-2024-52006)"
    );
    let hint = "update git, or check that your distribution has added the fixes";
    Check::warn("git", message, hint)
}

/// Whether a large push keeps its `Authorization`, for each host with a Bearer account.
pub(super) fn post_buffer(surroundings: &Surroundings<'_>, git: &str) -> Vec<Check> {
    let check = |host: &Host| {
        let id = format!("post-buffer.{host}");
        match post_buffer::judge(git, host) {
            Ok(message) => Check::pass(&id, message),
            Err(message) => Check::warn(&id, message, format!("'{}'", post_buffer::command(host))),
        }
    };
    let hosts = post_buffer::hosts(surroundings.accounts.iter());
    hosts.into_iter().map(check).collect()
}

/// Whether another program has our name, and which of them git finds.
pub(super) fn others_of_this_name(surroundings: &Surroundings<'_>) -> Check {
    let id = "program";
    let own = match git::this_program() {
        Ok(own) => own,
        Err(error) => {
            return Check::skip(id, format!("cannot find the path of this program: {error}"));
        }
    };
    let found = child::on_path(Path::new("git-credential-bitbucket"));
    let found: Vec<PathBuf> = found
        .filter_map(|path| dunce::canonicalize(path).ok())
        .collect();
    let folder = own.parent().unwrap_or(Path::new("/")).display();
    let shown = own.display();
    if found.is_empty() {
        let message = format!("'{shown}' is in no folder of PATH");
        return Check::warn(id, message, format!("put '{folder}' on PATH"));
    }
    let Some(other) = found.iter().find(|path| **path != own) else {
        return Check::pass(id, format!("'{shown}' is the only program of its name"));
    };
    let other = format!("another program of this name, '{}',", other.display());
    if found[0] == own {
        let message = format!("{other} is later on PATH");
        return Check::warn(id, message, "remove it if it is not needed");
    }
    let message = format!("{other} comes before this one on PATH");
    let mut helpers = surroundings.chains.iter().flat_map(|(_, chain)| chain);
    let names_no_path =
        |it: &Helper| git::named_alone(&it.value).is_some_and(|it| !it.is_absolute());
    // git searches PATH for it then.
    if helpers.any(names_no_path) {
        let hint = format!("{} makes git ask this one", chain::setup(""));
        return Check::fail(id, message, hint);
    }
    let hint = format!("remove it, or put '{folder}' before its folder on PATH");
    Check::warn(id, message, hint)
}

#[cfg(test)]
mod tests {
    use super::{lacks_fixes, version_of};
    use crate::cli::post_buffer;

    #[test]
    fn releases_without_the_fixes_are_told_from_those_with_them() {
        for text in ["2.25.1", "2.39.5", "2.40.3", "2.41.2", "2.47.1", "2.48.0"] {
            assert!(lacks_fixes(version_of(text)), "{text}");
        }
        for text in [
            "2.40.4", "2.43.6", "2.43.7", "2.47.2", "2.48.1", "2.49.0", "3.0.0",
        ] {
            assert!(!lacks_fixes(version_of(text)), "{text}");
        }
        for (text, forgets) in [
            ("2.45.3", false),
            ("2.46.0", true),
            ("2.53.9", true),
            ("2.54.0", false),
        ] {
            assert_eq!(post_buffer::is_needed(version_of(text)), forgets, "{text}");
        }
    }
}
