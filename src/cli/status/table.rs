//! An account as `status` shows it, and the table of accounts.

use std::io;

use jiff::Timestamp;
use serde::Serialize;

use crate::account::{Account, Origin, State, state};
use crate::bitbucket::Kind;
use crate::sys::printable;
use crate::sys::terminal::{Colour, coloured};

const HEAD: [&str; COLUMNS] = [
    "NAME", "KIND", "HOST", "FOR", "OWNER", "DEFAULT", "STORE", "EXPIRES", "STATE",
];
const COLUMNS: usize = 9;
/// Where the values of a paragraph start.
const INDENT: usize = 11;

/// An account as `--json` shows it: the names are a contract.
#[derive(Serialize)]
pub(super) struct StatusRow {
    name: String,
    host: String,
    kind: Option<&'static str>,
    username: Option<String>,
    email: Option<String>,
    r#for: Vec<String>,
    owner: Option<String>,
    default: bool,
    store: String,
    expires: Option<String>,
    origin: Origin,
    added: Option<Timestamp>,
    pub(super) state: State,
}

impl StatusRow {
    pub(super) fn of(account: &Account, default: bool, state: State) -> Self {
        let expires = account.expires.map(|day| day.to_string());
        Self {
            name: account.name.clone(),
            host: account.host.to_string(),
            kind: account.kind().map(Kind::as_str),
            username: account.username().map(ToString::to_string),
            email: account.email().map(str::to_owned),
            r#for: account.reach.iter().map(ToString::to_string).collect(),
            owner: account.owner.confirmed.clone(),
            default,
            store: account.store.to_string(),
            expires: expires.or_else(|| Some(state::expiry(account)?.to_string())),
            origin: account.origin,
            added: account.added,
            state,
        }
    }
}

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
    let text = lines.iter().map(|line| {
        let cells = line.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    });
    text.collect()
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
    let default = if row.default { "yes" } else { "" };
    let cells = [
        row.name.clone(),
        row.kind.unwrap_or("given by git").to_owned(),
        row.host.clone(),
        row.r#for.join(","),
        row.owner.clone().unwrap_or_default(),
        default.to_owned(),
        row.store.clone(),
        row.expires.clone().unwrap_or_default(),
        row.state.to_string(),
    ];
    cells.map(|cell| printable(if cell.is_empty() { "-" } else { &cell }))
}

#[cfg(test)]
mod tests {
    use super::{StatusRow, text};
    use crate::account::Origin;
    use crate::account::state::State;

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
