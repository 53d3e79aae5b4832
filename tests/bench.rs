//! `cargo bench`: what the helper takes as git sees it, whole processes side by side with other helpers.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what it prints is all it is for"
)]

#[path = "bench/asking.rs"]
mod asking;
#[path = "bench/before.rs"]
mod before;
#[path = "bench/contender.rs"]
mod contender;
#[path = "bench/meter.rs"]
mod meter;
#[path = "bench/ours.rs"]
mod ours;
#[path = "bench/report.rs"]
mod report;
#[path = "bench/rivals.rs"]
mod rivals;
#[path = "bench/row.rs"]
mod row;
#[path = "bench/session.rs"]
mod session;
#[path = "it/support/stand_in/mod.rs"]
mod stand_in;
#[path = "bench/tree.rs"]
mod tree;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};

use meter::Meter;
use session::Session;
use stand_in::StandIn;

const ROUNDS: usize = 300;
const QUICK_ROUNDS: usize = 30;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let options = Options::parse()?;
    if let Some(folder) = options.session {
        compare(&Session::with_keyring(folder)?, options.rounds)?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = tempfile::Builder::new().prefix("bench-").tempdir()?;
    let code = if session::why_no_keyring().is_none() {
        let mut again = session::command(folder.path());
        again.arg(env::current_exe()?).args(env::args_os().skip(1));
        again.arg("--session").arg(folder.path());
        let status = again.status().context("cannot start 'dbus-run-session'")?;
        u8::from(!status.success()).into()
    } else {
        compare(
            &Session::without_keyring(folder.path().to_owned()),
            options.rounds,
        )?;
        ExitCode::SUCCESS
    };
    folder.close().context("something stays behind")?;
    Ok(code)
}

struct Options {
    rounds: usize,
    /// The folder of the session in which this program has started itself anew.
    session: Option<PathBuf>,
}

impl Options {
    fn parse() -> Result<Self> {
        let mut options = Self {
            rounds: ROUNDS,
            session: None,
        };
        let mut arguments = env::args_os().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                // cargo adds it.
                Some("--bench") => {}
                Some("--quick") => options.rounds = QUICK_ROUNDS,
                Some("--session") => options.session = arguments.next().map(PathBuf::from),
                _ => bail!("the only option is '--quick', for {QUICK_ROUNDS} rounds"),
            }
        }
        Ok(options)
    }
}

fn compare(session: &Session, rounds: usize) -> Result<()> {
    let mut notes = Vec::new();
    let bitbucket = StandIn::start(session.folder.join("bitbucket"))?;
    let builds = ours::builds(session, &mut notes)?;
    let mut contenders = ours::contenders(session, &builds, &mut notes)?;
    contenders.extend(asking::contenders(session, &builds, &bitbucket)?);
    contenders.extend(tree::contenders(session, &builds)?);
    let (cache, pass) = (rivals::Cache(session), rivals::Pass(session));
    contenders.extend(rivals::contenders(
        session, &cache, &pass, &bitbucket, &mut notes,
    )?);
    let (meters, missing) = Meter::all(&session.folder);
    notes.extend(missing);
    // Where everything has to be there, a table with a row less must not pass for one.
    ensure!(
        notes.is_empty() || env::var_os("REQUIRE_ALL").is_none(),
        "missing: {}",
        notes.join("; ")
    );

    for round in 0..rounds {
        for number in order(contenders.len(), round) {
            contenders[number].run_against_the_clock()?;
        }
    }
    for meter in &meters {
        for contender in &mut contenders {
            contender.count(meter)?;
        }
    }

    println!("\nWhole processes, {rounds} rounds, one of each per round\n");
    println!("{}", report::tables(&contenders));
    for note in &notes {
        println!("Left out: {note}");
    }
    if !notes.is_empty() {
        println!();
    }
    print!("{}", report::goals(&contenders));
    Ok(())
}

/// Each of so many once, in each round after other ones: what ran before leaves the caches behind in a state of its own.
fn order(count: usize, round: usize) -> impl Iterator<Item = usize> {
    let is_prime_to_count = |step: usize| {
        let (mut a, mut b) = (step, count);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a == 1
    };
    let steps: Vec<usize> = (1..=count)
        .filter(|step| is_prime_to_count(*step))
        .collect();
    let step = steps[round % steps.len()];
    (0..count).map(move |number| (number * step + round) % count)
}

/// What looks like a token, another one for each letter.
fn token_like(letter: &str) -> String {
    "ATATT3xFfGF0".to_owned() + &letter.repeat(180)
}
