//! The table, and whether the goals were met.

use std::fmt::Write as _;
use std::time::Duration;

use crate::before;
use crate::contender::Contender;
use crate::meter::Count;
use crate::row::{Entries, Helper, MOST, Operation, Row};

const KIB: u64 = 1024;
const MEMORY_LIMIT: u64 = 8 * KIB;
const MEMORY_LIMIT_OF_LARGE: u64 = 16 * KIB;
const MOST_GROWTH: f64 = 1.1;
const SIZE_LIMIT: u64 = 4 * KIB * KIB;

/// First what install.sh builds where it can, beside the others, then what cargo builds by default.
pub(crate) fn tables(contenders: &[Contender]) -> String {
    let is_default = |contender: &&Contender| {
        matches!(contender.row.helper, Helper::Dynamic | Helper::EmptyDynamic)
    };
    let (default, first): (Vec<&Contender>, Vec<&Contender>) =
        contenders.iter().partition(is_default);
    format!(
        "{}\n{}",
        table(&first, contenders),
        table(&default, contenders)
    )
}

fn table(rows: &[&Contender], contenders: &[Contender]) -> String {
    let mut text = line(
        "whole process",
        &[
            "minimum",
            "median",
            "ratio",
            "of",
            "instructions",
            "of 0.1",
            "memory",
            "system calls",
            "program",
        ]
        .map(str::to_owned),
    );
    text += &line(
        &"-".repeat(NAME_WIDTH),
        &WIDTHS.map(|width| "-".repeat(width - 1) + ":"),
    );
    for contender in rows {
        let yardstick = yardstick(contender.row);
        let ratio = ratio(contenders, contender.row, yardstick);
        let of = ratio.map_or_else(String::new, |_| name(yardstick));
        let two_digits =
            |ratio: Option<f64>| ratio.map_or_else(String::new, |it| format!("{it:.2}"));
        let cells = [
            milliseconds(contender.minimum()),
            milliseconds(contender.median()),
            two_digits(ratio),
            of,
            counted(contender, Count::Instructions, ""),
            two_digits(growth(contender)),
            counted(contender, Count::Memory, " KiB"),
            counted(contender, Count::SystemCalls, ""),
            contender
                .size()
                .map_or_else(String::new, |size| format!("{} KiB", size.div_ceil(KIB))),
        ];
        text += &line(&contender.row.to_string(), &cells);
    }
    text
}

/// What a row is to be compared with: what does the same in the same place.
fn yardstick(row: Row) -> Row {
    let (helper, operation, entries) = match (row.operation, row.entries) {
        (Operation::StoreEphemeral, _) => return NOTHING,
        (Operation::FirstGet, _) | (_, Entries::Accounts) => {
            (Helper::Curl, Operation::Nothing, row.entries)
        }
        (_, Entries::Repositories) => (Helper::GitConfig, Operation::Nothing, row.entries),
        _ if row.helper == Helper::Curl => return row,
        (Operation::Store, entries) => (rival(entries), Operation::Store, own(entries)),
        (_, entries) => (rival(entries), Operation::Get, own(entries)),
    };
    Row {
        helper,
        operation,
        entries,
    }
}

fn rival(entries: Entries) -> Helper {
    match entries {
        Entries::Keyring => Helper::GitLibsecret,
        _ => Helper::GitStore,
    }
}

/// What the rival has to look through.
fn own(entries: Entries) -> Entries {
    match entries {
        Entries::Keyring | Entries::Many(MOST) => entries,
        _ => Entries::Own,
    }
}

/// Its instructions, of those that 0.1.0 took for the same.
fn growth(contender: &Contender) -> Option<f64> {
    let now = contender.counted(Count::Instructions)?;
    let before = before::instructions(contender.row)?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2 to the 53rd")]
    Some(now as f64 / before as f64)
}

/// The empty program.
const NOTHING: Row = Row {
    helper: Helper::Empty,
    operation: Operation::Nothing,
    entries: Entries::Own,
};

fn name(row: Row) -> String {
    let name = row.to_string();
    name.trim_start_matches("git-credential-").to_owned()
}

/// Of the time of what a row is compared with.
const GOALS: [(Helper, Operation, Entries, f64); 17] = {
    use Helper::{Dynamic, Static};
    use Operation::{Get, Scrub, Store, StoreEphemeral};
    [
        (Static, Get, Entries::Environment, 0.35),
        (Static, Store, Entries::Environment, 0.35),
        (Static, Get, Entries::File, 0.45),
        (Static, Store, Entries::File, 0.45),
        (Static, Get, Entries::Keyring, 0.7),
        (Static, Store, Entries::Keyring, 0.7),
        (Static, Get, Entries::Many(100), 0.75),
        (Static, Store, Entries::Many(100), 0.75),
        (Static, StoreEphemeral, Entries::File, 1.1),
        (Static, Get, Entries::Many(MOST), 1.0),
        (Static, Scrub, Entries::Repositories, 3.0),
        (Dynamic, Get, Entries::Environment, 0.7),
        (Dynamic, Get, Entries::File, 0.7),
        (Dynamic, Get, Entries::Keyring, 0.75),
        (Dynamic, StoreEphemeral, Entries::File, 1.1),
        (Dynamic, Get, Entries::Many(MOST), 1.0),
        (Dynamic, Scrub, Entries::Repositories, 3.0),
    ]
};

/// A line for each goal. Whoever misses one has not failed: the figures depend on the machine and its mood.
pub(crate) fn goals(contenders: &[Contender]) -> String {
    let mut text = String::new();
    for (helper, operation, entries, most) in GOALS {
        let row = Row {
            helper,
            operation,
            entries,
        };
        let yardstick = yardstick(row);
        let goal = format!("{row}: at most {most} of {}", name(yardstick));
        let ratio = ratio(contenders, row, yardstick);
        let verdict = ratio.map(|ratio| (ratio <= most, format!("{ratio:.2}")));
        say(&mut text, &goal, verdict);
    }
    goals_of_instructions(&mut text, contenders);
    goals_of_memory(&mut text, contenders);
    let ours = contenders.iter().filter(|it| it.row.helper.is_ours());
    let largest = ours.filter_map(Contender::size).max();
    let verdict = largest.map(|size| (size < SIZE_LIMIT, format!("{} KiB", size.div_ceil(KIB))));
    let goal = format!("our programs: below {} KiB", SIZE_LIMIT / KIB);
    say(&mut text, &goal, verdict);
    text
}

fn goals_of_instructions(text: &mut String, contenders: &[Contender]) {
    let nothing = find(contenders, NOTHING);
    let nothing = nothing.and_then(|nothing| nothing.counted(Count::Instructions));
    for entries in [Entries::Environment, Entries::File] {
        let row = Row {
            helper: Helper::Dynamic,
            operation: Operation::Get,
            entries,
        };
        let goal = format!("{row}: at most 1.25 of true's instructions and 250000 more");
        let own = find(contenders, row).and_then(|own| own.counted(Count::Instructions));
        let verdict = own
            .zip(nothing)
            .map(|(own, nothing)| (own <= nothing * 5 / 4 + 250_000, own.to_string()));
        say(text, &goal, verdict);
    }
    let grown = contenders.iter();
    let grown = grown.filter_map(|it| Some((growth(it)?, it.row)));
    let most = grown.max_by(|one, other| one.0.total_cmp(&other.0));
    let verdict = most.map(|(most, row)| (most <= MOST_GROWTH, format!("{most:.2} for {row}")));
    let goal = format!("instructions: in each row at most {MOST_GROWTH} of 0.1.0");
    say(text, &goal, verdict);
}

fn goals_of_memory(text: &mut String, contenders: &[Contender]) {
    // More than git needs for an answer, or with Bitbucket asked.
    let is_large = |it: &&Contender| match it.row.operation {
        Operation::Get | Operation::Store => it.row.entries == Entries::Many(MOST),
        operation => operation != Operation::StoreEphemeral,
    };
    let memory = |contender: &Contender| contender.counted(Count::Memory);
    let ours = contenders.iter().filter(|it| it.row.helper.is_ours());
    let (large, small): (Vec<&Contender>, Vec<&Contender>) = ours.partition(is_large);
    let large_goal = format!("memory with {MOST} entries, for a first get, status and scrub");
    for (goal, rows, limit) in [
        (large_goal, large, MEMORY_LIMIT_OF_LARGE),
        ("memory of the others".to_owned(), small, MEMORY_LIMIT),
    ] {
        let most = rows.into_iter().filter_map(memory).max();
        let verdict = most.map(|most| (most < limit, format!("{most} KiB")));
        say(text, &format!("{goal}: below {limit} KiB"), verdict);
    }
}

fn say(text: &mut String, goal: &str, verdict: Option<(bool, String)>) {
    let verdict = match verdict {
        Some((true, figure)) => format!("{figure}, met"),
        Some((false, figure)) => format!("{figure}, missed"),
        None => "not measured".to_owned(),
    };
    let _ = writeln!(text, "{goal}: {verdict}");
}

fn find(contenders: &[Contender], row: Row) -> Option<&Contender> {
    contenders.iter().find(|contender| contender.row == row)
}

fn ratio(contenders: &[Contender], row: Row, yardstick: Row) -> Option<f64> {
    Some(find(contenders, row)?.ratio(find(contenders, yardstick)?))
}

fn counted(contender: &Contender, count: Count, unit: &str) -> String {
    let number = contender.counted(count);
    number.map_or_else(String::new, |number| format!("{number}{unit}"))
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

const NAME_WIDTH: usize = 52;
const WIDTHS: [usize; 9] = [10, 10, 6, 35, 12, 6, 10, 12, 9];

/// Of a table in Markdown.
fn line(name: &str, cells: &[String; 9]) -> String {
    let mut text = format!("| {name:NAME_WIDTH$} |");
    for (cell, width) in cells.iter().zip(WIDTHS) {
        let _ = write!(text, " {cell:>width$} |");
    }
    text + "\n"
}
