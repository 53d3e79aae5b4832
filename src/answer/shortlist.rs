//! `accounts.toml` without the blocks that cannot answer, found by a plain text search: to parse a block takes far longer.
//!
//! Only an account for other workspaces is left out, and only where its block has the form in which the program writes it.
//! A doubt keeps the block.

use anyhow::Result;

use crate::account::file::Accounts;
use crate::answer::matching::{self, Wanted};
use crate::settings::session::Session;
use crate::sys::files;

/// The accounts, at least those that may answer.
///
/// # Errors
/// As [`Session::accounts`]. Damage to an account that cannot answer is not noticed.
pub(crate) fn accounts(session: &Session, wanted: &Wanted<'_>) -> Result<Accounts> {
    let Ok(locations) = session.locations() else {
        return session.accounts();
    };
    let path = locations.accounts();
    let Some(content) = files::read_private(&path)? else {
        return Ok(Accounts::default());
    };
    match of(&content, wanted) {
        Some(accounts) => Ok(accounts),
        // Of damage the whole file tells the line.
        None => Accounts::of_file(&path, &content),
    }
}

/// The accounts that may answer, when some cannot.
pub(crate) fn of(content: &[u8], wanted: &Wanted<'_>) -> Option<Accounts> {
    let workspace = &wanted.reach.as_ref()?.workspace;
    let text = std::str::from_utf8(content).ok()?;
    if text.contains("\"\"\"") || text.contains("'''") {
        return None;
    }
    let (head, blocks) = text.split_once(HEADER)?;
    let mut short = head.to_owned();
    for block in blocks.split(HEADER) {
        if !is_for_others(block, workspace) {
            short.push_str(HEADER);
            short.push_str(block);
        }
    }
    if short.len() == text.len() {
        return None;
    }
    let accounts = Accounts::parse(short.as_bytes()).ok()?;
    // That none fits may come from damage, which whoever reads everything tells.
    let fits = matching::fitting(&accounts, wanted).next().is_some();
    fits.then_some(accounts)
}

/// How a block begins.
const HEADER: &str = "\n[[account]]\n";

/// Whether a block is certainly of an account for other workspaces: it has a list of them, and this one is not in its text.
fn is_for_others(block: &str, workspace: &str) -> bool {
    let own = block.split("\n[").next().unwrap_or(block);
    let is_plain = !block.contains("[[") && !block.contains('\\');
    is_plain && own.contains("\nfor = [") && !block.to_ascii_lowercase().contains(workspace)
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::answer::matching::Wanted;
    use crate::bitbucket::cloud;

    fn left(text: &str, path: Option<&str>) -> Option<Vec<String>> {
        let wanted = Wanted::at(cloud(), path.map(str::as_bytes), None);
        let accounts = of(text.as_bytes(), &wanted)?;
        Some(
            accounts
                .iter()
                .map(|account| account.name.clone())
                .collect(),
        )
    }

    fn block(name: &str, rest: &str) -> String {
        let known =
            "host = 'bitbucket.org'\nkind = 'access-token'\nstore = 'file'\norigin = 'login'";
        format!(
            "\n[[account]]\nname = '{name}'\nentry = '{name}@bitbucket.org#1'\n{known}\n{rest}\n"
        )
    }

    #[test]
    fn accounts_for_other_workspaces_are_left_out() {
        let text =
            block("a", "for = [\"acme\"]") + &block("b", "for = [\"beta/x\"]") + &block("c", "");
        let names = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect());
        assert_eq!(left(&text, Some("acme/app.git")), names(&["a", "c"]));
        assert_eq!(left(&text, Some("BETA/x")), names(&["b", "c"]));
        assert_eq!(
            left(&text, None),
            None,
            "without a path it counts who is alone"
        );
    }

    #[test]
    fn a_doubt_keeps_the_block() {
        for rest in [
            "for = [\"ACME\"]",
            "for=[\"beta\"]",
            "for = [\"\\u0061cme\"]",
            "x = 1\n[account.newer]\nfor = [\"beta\"]",
        ] {
            let text = block("b", "for = [\"beta\"]") + &block("a", rest) + &block("c", "");
            assert_eq!(
                left(&text, Some("acme/app")),
                Some(vec!["a".to_owned(), "c".to_owned()]),
                "{rest}"
            );
        }
        let hidden = block("b", "for = [\"beta\"]\r\n[[account]]\r");
        assert_eq!(left(&hidden, Some("acme/app")), None);
        let long = block("b", "for = [\"beta\"]\nnote = '''\n[[account]]\n'''");
        assert_eq!(left(&long, Some("acme/app")), None);
    }
}
