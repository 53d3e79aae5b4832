//! `accounts.toml` without the blocks that cannot answer, found by a plain text search: to parse a block takes far longer.
//!
//! Only an account for other places is left out, where its block has the form in which we write it. A doubt keeps it.

use anyhow::Result;

use crate::account::file::Accounts;
use crate::answer::matching::{self, Wanted};
use crate::bitbucket::reach::Reach;
use crate::settings::session::Session;
use crate::sys::{files, trace};

/// The accounts, at least those that may answer.
/// Fails as [`Session::accounts`]. Damage to an account that cannot answer is not noticed.
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
    let text = std::str::from_utf8(content).ok()?;
    if text.contains("\"\"\"") || text.contains("'''") {
        return None;
    }
    let places = places(wanted.reach.as_ref()?);
    let (head, blocks) = text.split_once(HEADER)?;
    let mut short = head.to_owned();
    let (mut all, mut left_out) = (0, 0);
    let lower = blocks.to_ascii_lowercase();
    let mut start = 0;
    for block in blocks.split(HEADER) {
        all += 1;
        let in_lower_case = &lower[start..][..block.len()];
        start += block.len() + HEADER.len();
        if is_for_others(block, in_lower_case, &places) {
            left_out += 1;
        } else {
            short.push_str(HEADER);
            short.push_str(block);
        }
    }
    trace::say(|| format!("accounts: {left_out} of {all} cannot answer"));
    if left_out == 0 {
        return None;
    }
    let accounts = Accounts::parse(short.as_bytes()).ok()?;
    // That none fits may come from damage, which whoever reads everything tells.
    let fits = matching::fitting(&accounts, wanted).next().is_some();
    fits.then_some(accounts)
}

/// How a block begins.
const HEADER: &str = "\n[[account]]\n";

/// How a list names what contains the wanted place.
fn places(wanted: &Reach) -> Vec<String> {
    let workspace = &wanted.workspace;
    let repository = wanted.repository.iter();
    let endings = repository.flat_map(|name| [format!("/{name}"), format!("/{name}.git")]);
    let endings = endings.chain([String::new()]);
    endings.map(|end| format!("\"{workspace}{end}\"")).collect()
}

/// Whether a block is certainly of an account for other places: it has a list of them, and this one is not in its text.
fn is_for_others(block: &str, in_lower_case: &str, places: &[String]) -> bool {
    let own = block.split("\n[").next().unwrap_or(block);
    let is_plain =
        !block.contains("[[") && !block.bytes().any(|byte| matches!(byte, b'\\' | b'\''));
    // An account's base path counts for the others as well.
    let has_base_path = own.contains("\ncontext = ");
    is_plain
        && own.contains("\nfor = [")
        && !has_base_path
        && !places.iter().any(|place| in_lower_case.contains(place))
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
