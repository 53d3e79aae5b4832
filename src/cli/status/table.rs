//! The table of accounts.

use std::io;

use super::row::StatusRow;
use crate::account::State;
use crate::sys::printable;
use crate::sys::terminal::{Colour, coloured};

const HEAD: [&str; COLUMNS] = [
    "NAME", "KIND", "HOST", "FOR", "OWNER", "DEFAULT", "STORE", "EXPIRES", "STATE",
];
const COLUMNS: usize = 9;
/// Where the values of a paragraph start.
const INDENT: usize = 11;

/// A line for each account, or a paragraph if the terminal is too narrow. Without a terminal (`width` is `None`) always
/// lines: scripts rely on them.
pub(super) fn text(rows: &[StatusRow], width: Option<usize>) -> String {
    let states = rows.iter().map(|row| row.state);
    let mut rows: Vec<[String; COLUMNS]> = rows.iter().map(cells).collect();
    let widest = table(&rows).lines().map(|line| line.chars().count()).max();
    for (state, [.., cell]) in states.zip(&mut rows) {
        *cell = coloured(cell, cell, colour(state), &io::stdout());
    }
    match width {
        Some(width) if widest > Some(width) => {
            let paragraphs: Vec<String> = rows.iter().map(|row| paragraph(row, width)).collect();
            paragraphs.join("\n")
        }
        _ => table(&rows),
    }
}

fn colour(state: State) -> Option<Colour> {
    match state {
        State::Ok => None,
        _ if state.needs_attention() => Some(Colour::Red),
        _ => Some(Colour::Yellow),
    }
}

fn table(rows: &[[String; COLUMNS]]) -> String {
    let head = HEAD.map(str::to_owned);
    let lines: Vec<&[String; COLUMNS]> = std::iter::once(&head).chain(rows).collect();
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn paragraph(row: &[String; COLUMNS], width: usize) -> String {
    let [name, rest @ ..] = row;
    let lines = HEAD[1..].iter().zip(rest).map(|(head, cell)| {
        let parts = cell
            .split(',')
            .flat_map(|part| folded(part, width.saturating_sub(INDENT)));
        let cell: Vec<String> = parts.collect();
        let cell = cell.join(&format!("\n{:INDENT$}", ""));
        format!("  {:7}  {cell}\n", head.to_lowercase())
    });
    format!(
        "{}\n{}",
        folded(name, width).join("\n"),
        lines.collect::<String>()
    )
}

/// The text in lines of this width.
fn folded(text: &str, width: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let lines = characters.chunks(width.max(1));
    lines.map(|line| line.iter().collect()).collect()
}

fn cells(row: &StatusRow) -> [String; COLUMNS] {
    let or_dash = |text: Option<&str>| {
        text.filter(|text| !text.is_empty())
            .unwrap_or("-")
            .to_owned()
    };
    [
        row.name.clone(),
        row.kind.unwrap_or("given by git").to_owned(),
        row.host.clone(),
        or_dash(Some(&row.r#for.join(","))),
        or_dash(row.owner.as_deref()),
        or_dash(row.default.then_some("yes")),
        row.store.clone(),
        or_dash(row.expires.as_deref()),
        row.state.to_string(),
    ]
    .map(|cell| printable(&cell))
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::account::Origin;
    use crate::account::state::State;
    use crate::cli::status::row::StatusRow;

    #[test]
    fn on_a_narrow_terminal_each_account_is_a_paragraph() {
        let rows = [StatusRow {
            name: "work".to_owned(),
            host: "git.corp.example:7990".to_owned(),
            kind: Some("http-access-token"),
            username: None,
            email: None,
            r#for: vec!["prj/a".to_owned(), "prj/b".to_owned()],
            owner: Some("ada".to_owned()),
            default: true,
            store: "keyring".to_owned(),
            expires: None,
            origin: Origin::Login,
            added: None,
            state: State::Ok,
        }];
        let table = "NAME  KIND               HOST                   FOR          OWNER  DEFAULT  STORE    EXPIRES  STATE\n\
                     work  http-access-token  git.corp.example:7990  prj/a,prj/b  ada    yes      keyring  -        ok\n";
        assert_eq!(text(&rows, None), table);
        assert_eq!(text(&rows, Some(200)), table);
        assert_eq!(
            text(&rows, Some(80)),
            "work\n  kind     http-access-token\n  host     git.corp.example:7990\n  for      prj/a\n           \
             prj/b\n  owner    ada\n  default  yes\n  store    keyring\n  expires  -\n  state    ok\n"
        );
    }
}
