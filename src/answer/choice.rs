//! Which of several that fit equally: Bitbucket is asked once what each can do in the repository, and that is remembered.

use std::time::{Duration, Instant};

use crate::account::choices::mark;
use crate::account::probe::Access;
use crate::account::rejection::is_notable;
use crate::account::{Account, Kept, Origin, choices, probe};
use crate::answer::found::Effort;
use crate::answer::matching::{Exactness, Misfit, Wanted};
use crate::answer::ruling::{Rank, Ruling};
use crate::answer::{matching, renewal, ruling};
use crate::bitbucket::{self, Reach};
use crate::settings::Session;
use crate::sys::{Secret, shell_quoted, trace};

/// An account with its ruling.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) account: Account,
    pub(crate) ruling: Ruling,
    /// What its store has, once it was read.
    pub(crate) kept: Option<Kept>,
    /// What it can do in the repository, as far as that is known.
    pub(super) access: Option<Access>,
    /// Whether it was asked about lately, without an answer.
    pub(super) is_silent: bool,
}

impl Candidate {
    pub(super) fn new(account: Account, ruling: Ruling) -> Self {
        Self {
            account,
            ruling,
            kept: None,
            access: None,
            is_silent: false,
        }
    }
}

/// How the one was chosen that answers.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// Of how many that fit equally.
    pub(crate) number: usize,
    pub(crate) access: Option<Access>,
    pub(crate) basis: Basis,
    /// That Bitbucket opens the repository to none of them, and what to do.
    pub(crate) closed: Option<String>,
}

/// Where the answers of Bitbucket come from that counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    Unasked,
    Remembered,
    Asked,
}

/// How many are asked.
const MOST: usize = 8;
/// What of an answer's time is left for writing down what Bitbucket said.
pub(super) const NOTE: Duration = Duration::from_millis(500);

/// Chooses among those that fit equally. The environment's account is the first of all. None where there is no choice.
pub(super) fn among(
    session: &Session,
    wanted: &Wanted<'_>,
    effort: Effort,
    all: &mut [Candidate],
) -> Option<Chosen> {
    let equals = all.iter_mut().filter(|it| it.ruling.is_equal());
    let mut equals: Vec<&mut Candidate> = equals.collect();
    let number = equals.len();
    if number < 2 {
        return None;
    }
    let (first, variable) = match equals[0].account.origin {
        Origin::Variable(name) => (1, Some(name)),
        _ => (0, None),
    };
    // The newest of those that git gave comes first.
    if equals[first].ruling != Ruling::Answers {
        equals[first..].reverse();
    }
    equals.truncate(MOST);
    let basis = look(session, wanted, effort, &mut equals);
    // Only its own answer costs the variable its place, and then nothing takes it that git gave.
    let may_pass = |it: &Candidate| variable.is_none() || it.account.origin != Origin::Git;
    let can = |access| {
        let can = |it: &&mut Candidate| it.access == Some(access) && may_pass(it);
        equals.iter().position(can)
    };
    let best = match variable {
        Some(_) if equals[0].access.is_none() => 0,
        _ => can(Access::Push).or_else(|| can(Access::Read)).unwrap_or(0),
    };
    let access = equals[best].access;
    let closed = why_closed(session, wanted, &equals);
    for (position, it) in equals.iter_mut().enumerate() {
        let is_as_good = it.access == access && access != Some(Access::Nothing);
        match variable {
            _ if position == best => it.ruling = Ruling::Answers,
            Some(name) if best == 0 && (is_as_good || access.is_none() || !may_pass(it)) => {
                it.ruling = Ruling::Outranked(Rank::Variable(name));
            }
            _ if !is_as_good => it.ruling = Ruling::Outranked(Rank::Access(it.access)),
            _ => {}
        }
    }
    Some(Chosen {
        number,
        access,
        basis,
        closed,
    })
}

/// Finds out what each of them can do in the repository.
fn look(
    session: &Session,
    wanted: &Wanted<'_>,
    effort: Effort,
    equals: &mut [&mut Candidate],
) -> Basis {
    let place = wanted.reach.as_ref().filter(|place| is_notable(place));
    let (Some(place), Ok(locations)) = (place, session.locations()) else {
        return Basis::Unasked;
    };
    let marks = equals.iter();
    let marks: Vec<Secret> = marks
        .map(|it| mark(&it.account, it.kept.as_ref()))
        .collect();
    let Account { host, .. } = &equals[0].account;
    let repository = format!("{host}{}/{place}", equals[0].account.base_path());
    let repository = Secret::new(repository.into_bytes());
    let file = locations.choices();
    let known = choices::of(&file, &repository, &marks);
    for (it, known) in equals.iter_mut().zip(known) {
        it.access = known.and_then(|known| known.access);
        it.is_silent = known.is_some_and(|known| known.access.is_none());
    }
    let is_told = |it: &&&mut Candidate| it.access.is_some() || it.is_silent;
    let remembered = equals.iter().filter(is_told).count();
    // Nobody who comes after one that can push would answer.
    let first = equals.iter().position(|it| it.access == Some(Access::Push));
    let first = first.unwrap_or(equals.len());
    if effort != (Effort::Explain { is_offline: true }) {
        ask(session, place, &mut equals[..first], false);
    }
    // A grant's token is renewed only where no other one will do.
    if effort == Effort::Answer && !equals.iter().any(|it| it.access == Some(Access::Push)) {
        ask(session, place, equals, true);
    }
    if equals.iter().all(|it| it.access.is_none()) {
        return Basis::Unasked;
    } else if equals.iter().filter(is_told).count() == remembered {
        return Basis::Remembered;
    }
    if effort == Effort::Answer {
        // While one is known that opens the repository, each get need not wait for those that bring no answer.
        let opens = |access| matches!(access, Some(Access::Read | Access::Push));
        let is_open = equals.iter().any(|it| opens(it.access));
        let known = marks.iter().zip(equals.iter());
        let known = known.filter(|(_, it)| it.access.is_some() || is_open && it.is_silent);
        let known: Vec<_> = known.map(|(mark, it)| (mark, it.access)).collect();
        // Where nothing can be written the answers are as good.
        let noted = choices::note(&file, session.patience(), &repository, &known);
        trace::say(|| format!("choice: noted: {}", noted.is_ok()));
    }
    Basis::Asked
}

/// Asks about those of which nothing is known.
fn ask(session: &Session, place: &Reach, equals: &mut [&mut Candidate], renews: bool) {
    let mut asked: Vec<&mut Candidate> = Vec::new();
    for it in equals.iter_mut() {
        let is_known = it.access.is_some() || it.is_silent;
        let can_be_asked = it.account.kind().is_some() && !it.account.is_retired();
        if is_known || !can_be_asked || renewal::is_due(&it.account) != renews {
            continue;
        }
        it.is_silent = true;
        if it.kept.is_none()
            && let Ok(Some((account, kept))) = renewal::secret_of(session, &it.account)
        {
            it.account = account;
            it.kept = Some(kept);
        }
        // One whose secret cannot be had is not asked about.
        if it.kept.is_some() {
            asked.push(it);
        }
    }
    let pairs = asked.iter();
    let pairs = pairs.filter_map(|it| Some((&it.account, &it.kept.as_ref()?.secret)));
    // Somebody may have been at an unlock prompt.
    let session = session.afresh_when_late();
    let deadline = Instant::now() + session.patience().saturating_sub(NOTE);
    let answers = probe::access_of_each(place, &pairs.collect::<Vec<_>>(), deadline);
    for (it, answer) in asked.iter_mut().zip(answers) {
        trace::say(|| format!("choice: '{}': {answer:?}", it.account.name));
        it.access = answer;
        it.is_silent = answer.is_none();
    }
}

/// The line that explains the 404 which git will get, if none of them can read the repository.
fn why_closed(session: &Session, wanted: &Wanted<'_>, equals: &[&mut Candidate]) -> Option<String> {
    let place = wanted.reach.as_ref()?;
    if equals.iter().any(|it| it.access != Some(Access::Nothing)) {
        return None;
    }
    let names = equals.iter().map(|it| format!("'{}'", it.account.name));
    let names = names.collect::<Vec<_>>().join(" or ");
    let way_in = left_out(session, wanted).map_or_else(
        || format!("'{}' signs in with another", wanted.login(Some(place))),
        |(why, edit)| format!("{why}; {edit}"),
    );
    let host = bitbucket::home_of(&wanted.host);
    Some(format!(
        "{host} does not open '{place}' to {names}: {way_in}"
    ))
}

/// That an account is for other places by its `--for`, and the command that adds this one.
pub(crate) fn left_out(session: &Session, wanted: &Wanted<'_>) -> Option<(String, String)> {
    let place = wanted.reach.as_ref()?;
    let accounts = session.accounts().ok()?;
    let is_left_out = |(account, fit): &(&Account, Result<Exactness, Misfit>)| {
        *fit == Err(Misfit::OtherReach)
            && account.origin == Origin::Login
            && session.lets_answer(account)
            && ruling::hindrance(session, account, wanted).is_none()
    };
    let (account, _) = matching::fits(&accounts, wanted).find(is_left_out)?;
    let places: Vec<String> = account.reach.iter().map(ToString::to_string).collect();
    let mut edit = format!("git credential-bitbucket edit {}", account.argument());
    for place in places.iter().chain([&place.to_string()]) {
        edit.extend([" --for ", &shell_quoted(place)]);
    }
    let why = format!("'{}' is for {} only", account.name, places.join(" and "));
    Some((why, format!("'{edit}' lets it answer here")))
}
