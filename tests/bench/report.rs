//! The table, and whether the goals were met.

use std::fmt::Write as _;
use std::time::Duration;

use crate::contender::{Contender, Row};

const OURS: [Row; 7] = [
    Row::OursFile,
    Row::OursEnvironment,
    Row::OursKeyring,
    Row::OursStore,
    Row::StaticFile,
    Row::StaticEnvironment,
    Row::StaticKeyring,
];

/// Of the time of git-credential-store, and of that of git-credential-libsecret.
const MOST_OF_STORE: f64 = 0.8;
const MOST_OF_LIBSECRET: f64 = 0.85;
const MEMORY_LIMIT: u64 = 8 * 1024;

impl Row {
    fn label(self) -> &'static str {
        match self {
            Self::OursFile => "bitbucket get, file store",
            Self::OursEnvironment => "bitbucket get, environment",
            Self::OursKeyring => "bitbucket get, keyring",
            Self::OursStore => "bitbucket store, own reply",
            Self::StaticFile => "static get, file store",
            Self::StaticEnvironment => "static get, environment",
            Self::StaticKeyring => "static get, keyring",
            Self::GitStore => "store get",
            Self::GitCache => "cache get, warm",
            Self::GitLibsecret => "libsecret get",
            Self::Empty => "(true: does nothing)",
        }
    }
}

pub(crate) fn table(contenders: &[Contender]) -> String {
    let mut text = line(
        "git-credential-…",
        ["minimum", "median", "of store", "of libsecret", "memory"].map(str::to_owned),
    );
    for contender in contenders {
        let uses_the_keyring = matches!(
            contender.row,
            Row::OursKeyring | Row::StaticKeyring | Row::GitLibsecret
        );
        let of_libsecret = ratio(contenders, contender.row, Row::GitLibsecret);
        let cells = [
            milliseconds(contender.minimum()),
            milliseconds(contender.median()),
            or_dash(ratio(contenders, contender.row, Row::GitStore)),
            or_dash(of_libsecret.filter(|_| uses_the_keyring)),
            contender
                .memory
                .map_or_else(|| "-".to_owned(), |memory| format!("{memory} KiB")),
        ];
        text += &line(contender.row.label(), cells);
    }
    text
}

/// A line for each goal. Whoever misses one has not failed: the figures depend on the machine and its mood.
pub(crate) fn goals(contenders: &[Contender]) -> String {
    let mut text = String::new();
    let times = [
        (Row::OursFile, Row::GitStore, MOST_OF_STORE),
        (Row::OursEnvironment, Row::GitStore, MOST_OF_STORE),
        (Row::OursKeyring, Row::GitLibsecret, MOST_OF_LIBSECRET),
        (Row::StaticFile, Row::GitStore, MOST_OF_STORE),
        (Row::StaticEnvironment, Row::GitStore, MOST_OF_STORE),
        (Row::StaticKeyring, Row::GitLibsecret, MOST_OF_LIBSECRET),
    ];
    for (row, rival, most) in times {
        let rival_name = rival.label().trim_end_matches(" get");
        let goal = format!(
            "{}: at most {most} of git-credential-{rival_name}",
            row.label()
        );
        let verdict = match ratio(contenders, row, rival) {
            Some(ratio) => verdict(ratio <= most, &format!("{ratio:.2}")),
            None => "not measured".to_owned(),
        };
        let _ = writeln!(text, "{goal}: {verdict}");
    }
    let memory = contenders
        .iter()
        .filter(|contender| OURS.contains(&contender.row))
        .filter_map(|contender| contender.memory)
        .max();
    let verdict = match memory {
        Some(memory) => verdict(memory < MEMORY_LIMIT, &format!("{memory} KiB")),
        None => "not measured".to_owned(),
    };
    let _ = writeln!(text, "memory of each: below {MEMORY_LIMIT} KiB: {verdict}");
    text
}

fn verdict(met: bool, figure: &str) -> String {
    format!("{figure}, {}", if met { "met" } else { "missed" })
}

/// The median of one row as a part of another's.
fn ratio(contenders: &[Contender], row: Row, rival: Row) -> Option<f64> {
    let median = |wanted| {
        let contender = contenders
            .iter()
            .find(|contender| contender.row == wanted)?;
        Some(contender.median().as_secs_f64())
    };
    Some(median(row)? / median(rival)?)
}

fn line(label: &str, [minimum, median, of_store, of_libsecret, memory]: [String; 5]) -> String {
    format!("{label:27}{minimum:>9}{median:>10}{of_store:>10}{of_libsecret:>14}{memory:>10}\n")
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn or_dash(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
}
