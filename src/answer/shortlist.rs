//! `accounts.toml` without the accounts that are certainly for other places, found by a plain text search: to parse one
//! takes far longer. It knows the form in which we write the file. A doubt leaves all of it to the parser.

use anyhow::Result;

use crate::account::Accounts;
use crate::answer::matching::{self, Wanted};
use crate::settings::{Locations, Session};
use crate::sys::{files, trace};

/// How a block begins, behind the end of a line.
const HEADER: &str = "\n[[account]]\n";
/// With one of these a text need not mean what it seems to.
const DOUBTS: [&str; 3] = ["\\", "'", "\"\"\""];

/// At least the accounts that may answer. Damage to one that cannot is not noticed.
pub(crate) fn accounts(session: &Session, wanted: &Wanted<'_>) -> Result<Accounts> {
    let Ok(locations) = session.locations() else {
        return session.accounts();
    };
    let Some(content) = read(locations)? else {
        return Ok(Accounts::default());
    };
    // Of damage the whole file tells the line.
    let all = || Accounts::of_file(&locations.accounts(), &content);
    of(&content, wanted).map_or_else(all, Ok)
}

/// Whether the secret of an account may be unchecked: at least the word is there.
pub(crate) fn may_be_unchecked(session: &Session) -> Result<bool> {
    let Ok(locations) = session.locations() else {
        return Ok(true);
    };
    let content = read(locations)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&content).contains("unchecked"))
}

/// The file. It holds no secret, and to wipe it would take longer than to search it.
fn read(locations: &Locations) -> Result<Option<Vec<u8>>> {
    let content = files::read_private(&locations.accounts())?;
    Ok(content.map(|mut content| std::mem::take(&mut *content)))
}

pub(crate) fn of(content: &[u8], wanted: &Wanted<'_>) -> Option<Accounts> {
    let (place, text) = (wanted.reach.as_ref()?, str::from_utf8(content).ok()?);
    let starts = text.match_indices(HEADER).map(|(at, _)| at);
    let bounds: Vec<usize> = starts.chain([text.len()]).collect();
    let tables = text.matches("[[").count();
    if tables >= bounds.len() || DOUBTS.iter().any(|doubt| text.contains(doubt)) {
        return None;
    }
    let mut short = text[..bounds[0]].to_owned();
    let blocks = bounds.windows(2).map(|it| &text[it[0]..it[1]]);
    // What stands in a list that contains the place.
    let places = [format!("\"{}\"", place.workspace), format!("\"{place}\"")];
    let left: Vec<&str> = blocks.filter(|it| !is_for_others(it, &places)).collect();
    let (all, out) = (bounds.len() - 1, bounds.len() - 1 - left.len());
    trace::say(|| format!("accounts: {out} of {all} cannot answer"));
    if out == 0 {
        return None;
    }
    short.extend(left);
    let accounts = Accounts::parse(short.as_bytes()).ok()?;
    // That none fits may come from damage, which whoever reads everything tells.
    let fits = matching::fitting(&accounts, wanted).next().is_some();
    fits.then_some(accounts)
}

/// Whether a block is certainly of an account for other places: what follows `for` has none of these.
fn is_for_others(block: &str, places: &[String]) -> bool {
    block.find("\nfor = [\"").is_some_and(|at| {
        // Another table's list is none of the account's. An account's base path counts for the others as well.
        let is_own = !block[HEADER.len() - 1..at].contains('[') && !block.contains("context");
        let list = block[at..].to_ascii_lowercase().replace(".git\"", "\"");
        is_own && !places.iter().any(|place| list.contains(place))
    })
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
            "for=[\"beta\"]",
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
        for rest in ["for = ['acme']", "for = [\"\\u0061cme\"]"] {
            let text = block("b", "for = [\"beta\"]") + &block("a", rest) + &block("c", "");
            assert_eq!(left(&text, Some("acme/app")), None, "{rest}");
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
