//! `accounts.toml` without the blocks that cannot answer, found by a plain text search: to parse a block takes far longer.
//!
//! Only an account for other places is left out, where its block has the form in which we write it. A doubt keeps it.

use std::path::Path;

use anyhow::Result;

use crate::account::Accounts;
use crate::answer::matching;
use crate::answer::matching::Wanted;
use crate::bitbucket::Reach;
use crate::settings::Session;
use crate::sys::{files, trace};

/// At least the accounts that may answer. Damage to one that cannot is not noticed.
pub(crate) fn accounts(session: &Session, wanted: &Wanted<'_>) -> Result<Accounts> {
    let Ok(locations) = session.locations() else {
        return session.accounts();
    };
    let path = locations.accounts();
    let Some(content) = read(&path)? else {
        return Ok(Accounts::default());
    };
    match of(&content, wanted) {
        Some(accounts) => Ok(accounts),
        // Of damage the whole file tells the line.
        None => Accounts::of_file(&path, &content),
    }
}

/// Whether the secret of an account may be unchecked: at least the word is there.
pub(crate) fn may_be_unchecked(session: &Session) -> Result<bool> {
    let Ok(locations) = session.locations() else {
        return Ok(true);
    };
    let content = read(&locations.accounts())?;
    Ok(content.is_some_and(|content| String::from_utf8_lossy(&content).contains("unchecked")))
}

/// The file. It holds no secret, and to wipe it would take longer than to search it.
fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let content = files::read_private(path)?;
    Ok(content.map(|mut content| std::mem::take(&mut *content)))
}

/// The accounts that may answer, when some cannot.
pub(crate) fn of(content: &[u8], wanted: &Wanted<'_>) -> Option<Accounts> {
    let text = std::str::from_utf8(content).ok()?;
    if text.contains("\"\"\"") || text.contains("'''") {
        return None;
    }
    let places = places(wanted.reach.as_ref()?);
    let starts = text.match_indices(HEADER).map(|(at, _)| at + 1);
    let starts: Vec<usize> = starts.collect();
    let mut short = text[..*starts.first()?].to_owned();
    let ends = starts[1..].iter().copied().chain([text.len()]);
    // Most files have none of these, and no block is searched for them.
    let mut doubts: Vec<&str> = DOUBTS.into_iter().filter(|it| text.contains(it)).collect();
    if text.matches("[[").count() > starts.len() {
        doubts.push("[[");
    }
    let mut left_out = 0;
    for (&start, end) in starts.iter().zip(ends) {
        let block = &text[start..end];
        let keys = &block[HEADER.len() - 2..];
        let is_plain = !doubts.iter().any(|doubt| keys.contains(doubt));
        if is_plain && is_for_others(keys, &places) {
            left_out += 1;
        } else {
            short.push_str(block);
        }
    }
    let all = starts.len();
    trace::say(|| format!("accounts: {left_out} of {all} cannot answer"));
    if left_out == 0 {
        return None;
    }
    let accounts = Accounts::parse(short.as_bytes()).ok()?;
    // That none fits may come from damage, which whoever reads everything tells.
    let fits = matching::fitting(&accounts, wanted).next().is_some();
    fits.then_some(accounts)
}

/// With one of these in a block its list may not be what it seems. An account's base path counts for the others as well.
const DOUBTS: [&str; 3] = ["\\", "'", "\ncontext = "];

/// How a block begins, behind the end of a line.
const HEADER: &str = "\n[[account]]\n";

/// How a list names what contains the wanted place.
fn places(wanted: &Reach) -> Vec<String> {
    let workspace = &wanted.workspace;
    let repository = wanted.repository.iter();
    let endings = repository.flat_map(|name| [format!("/{name}"), format!("/{name}.git")]);
    let endings = endings.chain([String::new()]);
    endings.map(|end| format!("\"{workspace}{end}\"")).collect()
}

/// Whether a block is certainly of an account for other places: its own list of them is a line without this one.
fn is_for_others(keys: &str, places: &[String]) -> bool {
    let Some(at) = keys.find("\nfor = [") else {
        return false;
    };
    let line = keys[at + 1..].lines().next().unwrap_or_default();
    let line = line.to_ascii_lowercase();
    // A table's name would make it that table's list.
    !keys[..at].contains('[')
        && line.ends_with(']')
        && !line.contains('#')
        && !places.iter().any(|place| line.contains(place))
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
        let text = "\n[[account]]\nname = \"NAME\"\nhost = \"bitbucket.org\"\nkind = \"access-token\"\n\
                    store = \"file\"\nentry = \"NAME@bitbucket.org#1\"\norigin = \"login\"\nREST\n";
        text.replace("NAME", name).replace("REST", rest)
    }

    #[test]
    fn accounts_for_other_places_are_left_out() {
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
            "for = [\"acme/app.git\"]",
            "for = ['acme']",
            "for=[\"beta\"]",
            "for = [\"\\u0061cme\"]",
            "x = 1\n[account.newer]\nfor = [\"beta\"]",
            "x = 1\n [account.newer]\nfor = [\"beta\"]",
            "for = [\"beta\", # ]\n\"acme\"]",
            "for = [\"beta\"]\ncontext = \"/x\"",
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

    #[test]
    fn no_text_in_a_block_hides_the_account_that_comes_first() {
        let repository = block("b", "for = [\"acme/app\"]");
        let indented = repository.replace("\n[[", "\n [[");
        let text = block("a", &format!("for = [\"beta\"]{indented}")) + &block("c", "");
        assert_eq!(left(&text, Some("acme/app")), None);
        for quotes in ["'''", "\"\"\""] {
            let note = format!("note = {quotes}\n[[account]]\nfor = [\"beta\"]\n{quotes}");
            let text = block("a", &note) + &repository + &block("c", &note);
            assert_eq!(left(&text, Some("acme/app")), None, "{quotes}");
        }
    }
}
