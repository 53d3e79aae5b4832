//! First contact: nobody has signed in yet and somebody sits at the terminal, so `get` itself asks for a token once,
//! in place of git's two prompts that say nothing about tokens.
//!
//! The token is kept when git reports that it worked, as any other credential that git gives. Until then a mark in
//! the data folder says that somebody was asked, so that of eight parallel fetches one asks and the others wait.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use base64ct::{Base64, Encoding as _};

use crate::account::sign_in::Known;
use crate::account::{Account, Origin};
use crate::answer::decide::{Effort, decide};
use crate::answer::found::{Findings, Found};
use crate::answer::matching::Wanted;
use crate::bitbucket::{self, Kind};
use crate::git;
use crate::git::context::Host;
use crate::settings::locations::Locations;
use crate::settings::policy::Objection;
use crate::settings::session::Session;
use crate::sys::files::{self, Lock};
use crate::sys::secret::Secret;
use crate::sys::terminal::{self, Interrupted};

/// How long one process waits while another one is asking: a person is on the way to a web page and back.
const ASKING: Duration = Duration::from_secs(300);
/// How long somebody looks at a screen on which nothing happens.
const SHORT: Duration = Duration::from_secs(2);
/// How long git may take to report whether a token worked.
const TRYING: Duration = Duration::from_secs(20);

/// What came of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Another process has signed in meanwhile.
    Found(Box<Found>),
    /// Somebody typed a secret.
    Given { username: Vec<u8>, password: Secret },
    /// Somebody pressed Ctrl-C.
    Interrupted,
    /// It is git's turn to ask.
    Nothing,
}

/// Asks for a token, if nobody has signed in to the host and git would ask on the terminal.
pub(crate) fn ask(session: &Session, wanted: &Wanted<'_>) -> Result<Outcome> {
    if !is_first(session, wanted)? || !terminal::can_ask() || !git_allows_it(session) {
        return Ok(Outcome::Nothing);
    }
    if let Some(objection) = objection(session, wanted)? {
        terminal::show(&format!(
            "Nobody has signed in to {} yet, and what you type here is not kept: {objection}.",
            wanted.host
        ));
        terminal::show(
            "See what it allows: 'git credential-bitbucket doctor'. Then sign in: 'git credential-bitbucket login'.",
        );
        return Ok(Outcome::Nothing);
    }
    let began = SystemTime::now();
    let mark = session.locations()?.first_contact();
    let _lock = wait_for_the_others(&mark.with_extension("lock"))?;
    wait_while_git_tries(&mark);
    let session = &session.afresh_when_late();
    if let Findings {
        found: Some(found), ..
    } = decide(session, wanted, Effort::Answer)?.into_findings(wanted)?
    {
        return Ok(Outcome::Found(Box::new(found)));
    }
    if !is_first(session, wanted)? {
        return Ok(Outcome::Nothing);
    }
    // Whoever waited while another process asked gets that answer; whoever begins afterwards asks anew.
    match Mark::left_since(&mark, began) {
        Some(Mark::Declined) => return Ok(Outcome::Nothing),
        Some(Mark::Refused) => return Ok(Outcome::Interrupted),
        Some(Mark::Asked) | None => {}
    }
    let answer = match question(session, wanted) {
        Err(error) if error.is::<Interrupted>() => {
            Mark::Declined.leave(&mark)?;
            return Ok(Outcome::Interrupted);
        }
        answer => answer?,
    };
    match &answer {
        Some((_, secret)) => leave_asked(&mark, secret)?,
        None => Mark::Declined.leave(&mark)?,
    }
    Ok(
        answer.map_or(Outcome::Nothing, |(username, password)| Outcome::Given {
            username,
            password,
        }),
    )
}

/// Notes what git has reported of the token: whoever waits only waits a little longer when this fails.
pub(crate) fn settle(session: &Session, has_worked: bool) {
    let Ok(mark) = session.locations().map(Locations::first_contact) else {
        return;
    };
    let _ = match (mark.exists(), has_worked) {
        (false, _) => Ok(()),
        (true, true) => files::remove(&mark),
        (true, false) => Mark::Refused.leave(&mark),
    };
}

/// Leaves a mark with which the secret that was typed is known again; it shows nothing else of it.
fn leave_asked(mark: &Path, secret: &Secret) -> Result<()> {
    let key = Secret::random()?;
    let (key, fingerprint) = (key.expose(), secret.fingerprint(key.expose()));
    let fingerprint = Base64::encode_string(&fingerprint);
    let word = Mark::Asked.word();
    files::write_private(mark, &[word, key, b"\n", fingerprint.as_bytes()].concat())
}

/// Whether this is the secret that somebody typed at our question just now.
pub(crate) fn asked_for(session: &Session, secret: &Secret) -> bool {
    let read = || {
        let mark = session.locations().ok()?.first_contact();
        let text = fs::read(mark).ok()?;
        let mut lines = text
            .strip_prefix(Mark::Asked.word())?
            .split(|&byte| byte == b'\n');
        let (key, fingerprint) = (lines.next()?, lines.next()?);
        Some(Base64::encode_string(&secret.fingerprint(key)).as_bytes() == fingerprint)
    };
    read().unwrap_or(false)
}

/// What became of the last question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// Somebody typed a token, and git tries it.
    Asked,
    /// Somebody did not want to be asked.
    Declined,
    /// The token did not work.
    Refused,
}

impl Mark {
    const ALL: [Self; 3] = [Self::Asked, Self::Declined, Self::Refused];

    fn word(self) -> &'static [u8] {
        match self {
            Self::Asked => b"asked\n",
            Self::Declined => b"declined\n",
            Self::Refused => b"refused\n",
        }
    }

    fn leave(self, mark: &Path) -> Result<()> {
        files::write_private(mark, self.word())
    }

    fn left_since(mark: &Path, start: SystemTime) -> Option<Self> {
        let written = fs::metadata(mark).ok()?.modified().ok()?;
        // One from the future comes from a clock that was set back: it tells nothing.
        let is_meant = written >= start && written <= SystemTime::now();
        let text = fs::read(mark).ok().filter(|_| is_meant)?;
        Self::ALL
            .into_iter()
            .find(|known| text.starts_with(known.word()))
    }
}

/// Whether the host is one for which git asks, is ours, and has no account.
fn is_first(session: &Session, wanted: &Wanted<'_>) -> Result<bool> {
    if wanted.host.as_str() == bitbucket::API_HOST {
        return Ok(false);
    }
    let accounts = session.accounts()?;
    let has_one = accounts.iter().any(|account| account.host == wanted.host);
    Ok(!has_one && session.is_ours(&wanted.host, &accounts)?)
}

/// What the policy has against keeping a token of the usual kind.
fn objection(session: &Session, wanted: &Wanted<'_>) -> Result<Option<Objection>> {
    let token = Known::new(usual_kind(&wanted.host));
    let account = Account::new(String::new(), wanted.host.clone(), Origin::Git, token);
    session.objection_to_keeping(&account, session.config()?.store.default)
}

fn usual_kind(host: &Host) -> Kind {
    if bitbucket::is_cloud(host) {
        Kind::ApiToken
    } else {
        Kind::HttpAccessToken
    }
}

/// `credential.interactive` (git 2.47) and askpass programs are obeyed as git does.
fn git_allows_it(session: &Session) -> bool {
    let interactive = git::plain_setting("credential.interactive", session.patience());
    let core_askpass = git::plain_setting("core.askPass", session.patience());
    !interactive.is_some_and(|value| terminal::forbids_questions(&value))
        && terminal::askpass(core_askpass.as_deref()).is_none()
}

/// One process asks at a time; whoever waits for a while sees why.
fn wait_for_the_others(lock: &Path) -> Result<Lock> {
    Lock::acquire(lock, SHORT).or_else(|_| {
        terminal::show("Another command is asking for the token of Bitbucket: waiting for it");
        Lock::acquire(lock, ASKING)
    })
}

/// Somebody was asked just now, and git tries what was typed: it has to tell us before we ask again.
fn wait_while_git_tries(mark: &Path) {
    let start = Instant::now();
    let mut is_told = false;
    let recent = SystemTime::now()
        .checked_sub(TRYING)
        .unwrap_or(SystemTime::UNIX_EPOCH);
    while start.elapsed() < TRYING && Mark::left_since(mark, recent) == Some(Mark::Asked) {
        if !is_told && start.elapsed() > SHORT {
            terminal::show("Somebody has just typed a token: waiting for git to try it");
            is_told = true;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The question itself; an empty answer leaves it to git.
fn question(session: &Session, wanted: &Wanted<'_>) -> Result<Option<(Vec<u8>, Secret)>> {
    let host = &wanted.host;
    let kind = usual_kind(host);
    terminal::show(&format!("Nobody has signed in to {host} yet."));
    for line in bitbucket::how_to_make(kind, host, "", wanted.reach.as_slice()) {
        terminal::show(&line);
    }
    let secret = terminal::ask_secret(&format!("Token for {host} (it will not show): "))?;
    if secret.is_empty() || secret.expose().iter().any(u8::is_ascii_control) {
        return Ok(None);
    }
    let told = Kind::of_secret(&secret, host);
    if let Some(objection) = session.policy()?.objection_to_kind(told) {
        terminal::show(&format!("That is not kept: {objection}."));
        return Ok(None);
    }
    let own = wanted.username.filter(|name| !name.is_empty());
    if let Some(name) = told
        .filter(|kind| *kind != Kind::HttpAccessToken)
        .and_then(|kind| kind.git_username(own))
    {
        return Ok(Some((name.to_vec(), secret)));
    }
    let typed = terminal::ask_line("Bitbucket user name (Enter for a token that has none): ")?;
    let username = if typed.is_empty() {
        Kind::AccessToken.git_username(None)
    } else {
        Some(typed.as_bytes())
    };
    Ok(username.map(|name| (name.to_vec(), secret)))
}
