//! The table, and whether the goals were met.

use std::fmt::Write as _;
use std::time::Duration;

use crate::contender::Contender;
use crate::meter::Count;
use crate::row::{Entries, Helper, MOST, Operation, Row};

const KIB: u64 = 1024;
const MEMORY_LIMIT: u64 = 8 * KIB;
const MEMORY_LIMIT_OF_MANY: u64 = 16 * KIB;
const SIZE_LIMIT: u64 = 4 * KIB * KIB;

pub(crate) fn table(contenders: &[Contender]) -> String {
    let mut text = line(
        "whole process",
        &[
            "minimum",
            "median",
            "ratio",
            "of",
            "instructions",
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
    for contender in contenders {
        let yardstick = yardstick(contender.row);
        let ratio = ratio(contenders, contender.row, yardstick);
        let of = ratio.map_or_else(String::new, |_| name(yardstick));
        let cells = [
            milliseconds(contender.minimum()),
            milliseconds(contender.median()),
            ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            of,
            counted(contender, Count::Instructions, ""),
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
    let (helper, entries) = match row.entries {
        Entries::Keyring => (Helper::GitLibsecret, Entries::Keyring),
        Entries::Many(MOST) => (Helper::GitStore, Entries::Many(MOST)),
        _ => (Helper::GitStore, Entries::Own),
    };
    let operation = match row.operation {
        Operation::Get | Operation::Store => row.operation,
        Operation::StoreEphemeral => return NOTHING,
        Operation::GetNothing | Operation::Nothing => Operation::Get,
    };
    Row {
        helper,
        operation,
        entries,
    }
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

/// A line for each goal. Whoever misses one has not failed: the figures depend on the machine and its mood.
pub(crate) fn goals(contenders: &[Contender]) -> String {
    let mut text = String::new();
    for (helper, operation, entries, most) in [
        (Helper::Dynamic, Operation::Get, Entries::Environment, 0.7),
        (Helper::Dynamic, Operation::Get, Entries::File, 0.7),
        (Helper::Dynamic, Operation::Get, Entries::Keyring, 0.75),
        (
            Helper::Dynamic,
            Operation::StoreEphemeral,
            Entries::File,
            1.1,
        ),
        (Helper::Dynamic, Operation::Get, Entries::Many(MOST), 1.0),
        (Helper::Static, Operation::Get, Entries::Environment, 0.35),
        (Helper::Static, Operation::Get, Entries::File, 0.35),
        (Helper::Static, Operation::Get, Entries::Keyring, 0.75),
        (
            Helper::Static,
            Operation::StoreEphemeral,
            Entries::File,
            1.1,
        ),
        (Helper::Static, Operation::Get, Entries::Many(MOST), 1.0),
    ] {
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
        say(&mut text, &goal, verdict);
    }
    let ours = |contender: &&Contender| contender.row.helper.is_ours();
    let is_many = |contender: &&Contender| contender.row.entries == Entries::Many(MOST);
    let memory = |contender: &Contender| contender.counted(Count::Memory);
    let ours = contenders.iter().filter(ours);
    let (many, others): (Vec<&Contender>, Vec<&Contender>) = ours.clone().partition(is_many);
    let most = many.into_iter().filter_map(memory).max();
    let verdict = most.map(|most| (most < MEMORY_LIMIT_OF_MANY, format!("{most} KiB")));
    let goal = format!("memory with {MOST} entries: below {MEMORY_LIMIT_OF_MANY} KiB");
    say(&mut text, &goal, verdict);
    let most = others.into_iter().filter_map(memory).max();
    let verdict = most.map(|most| (most < MEMORY_LIMIT, format!("{most} KiB")));
    let goal = format!("memory of the others: below {MEMORY_LIMIT} KiB");
    say(&mut text, &goal, verdict);
    let largest = ours.filter_map(Contender::size).max();
    let verdict = largest.map(|size| (size < SIZE_LIMIT, format!("{} KiB", size.div_ceil(KIB))));
    let goal = format!("our programs: below {} KiB", SIZE_LIMIT / KIB);
    say(&mut text, &goal, verdict);
    text
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

const NAME_WIDTH: usize = 49;
const WIDTHS: [usize; 8] = [9, 9, 6, 32, 12, 10, 12, 9];

/// Of a table in Markdown.
fn line(name: &str, cells: &[String; 8]) -> String {
    let mut text = format!("| {name:NAME_WIDTH$} |");
    for (cell, width) in cells.iter().zip(WIDTHS) {
        let _ = write!(text, " {cell:>width$} |");
    }
    text + "\n"
}
