//! Questions on the terminal, and the two standard streams.

#[cfg(unix)]
mod hidden;
pub(crate) mod waiting;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write as _};
#[cfg(unix)]
use std::rc::Rc;

use anyhow::{Result, anyhow};
use thiserror::Error;

#[cfg(unix)]
use self::hidden::{Line, Quiet};
use crate::sys::error::{Hinted, printable};
use crate::sys::secret::Secret;
#[cfg(unix)]
use crate::sys::secret::SecretBuffer;
use crate::sys::variables;

/// Whether we may ask: there is a terminal, and git's `GIT_TERMINAL_PROMPT` does not forbid it.
pub(crate) fn can_ask() -> bool {
    !prompts_are_forbidden() && tty().is_ok()
}

pub(crate) fn why_not() -> &'static str {
    if prompts_are_forbidden() {
        "GIT_TERMINAL_PROMPT forbids it"
    } else {
        "no terminal"
    }
}

pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// The width of stdout in columns. None when it is no terminal.
pub(crate) fn width() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(columns.into())
}

/// Whether a stream ends on a terminal that obeys control codes.
fn knows_codes(stream: &impl IsTerminal) -> bool {
    let has_codes = variables::text("TERM").is_some_and(|name| name != "dumb");
    !cfg!(windows) && has_codes && stream.is_terminal()
}

/// A colour, by its control code.
#[derive(Clone, Copy)]
pub(crate) enum Colour {
    Red = 31,
    Yellow = 33,
}

/// The text, with its first `word` in a colour where the stream shows colours and `NO_COLOR` allows them.
pub(crate) fn coloured(
    text: &str,
    word: &str,
    colour: Option<Colour>,
    stream: &impl IsTerminal,
) -> String {
    match colour {
        Some(colour) if knows_codes(stream) && variables::filled("NO_COLOR").is_none() => {
            let code = colour as u8;
            text.replacen(word, &format!("\x1b[{code}m{word}\x1b[0m"), 1)
        }
        _ => text.to_owned(),
    }
}

/// Whether there is a terminal, even if we may not ask on it.
pub(crate) fn is_there() -> bool {
    tty().is_ok()
}

/// Whether somebody can answer a prompt of another program, such as a keyring's.
pub(crate) fn somebody_may_be_there() -> bool {
    let has = |name| variables::filled(name).is_some();
    let has_a_desktop = cfg!(any(windows, target_os = "macos"));
    has_a_desktop || has("DISPLAY") || has("WAYLAND_DISPLAY") || is_there()
}

/// The program through which git asks in place of the terminal, with the variable or setting that names it. The first
/// that is set counts, and an empty one means none (gitcredentials(7), "REQUESTING CREDENTIALS").
///
/// `core_askpass` is the value of `core.askPass`.
pub(crate) fn askpass(core_askpass: Option<&str>) -> Option<(&'static str, OsString)> {
    let variable = |name| Some((name, variables::value(name)?));
    variable("GIT_ASKPASS")
        .or_else(|| Some(("core.askPass", core_askpass?.into())))
        .or_else(|| variable("SSH_ASKPASS"))
        .filter(|(_, program)| !program.is_empty())
}

/// Whether a value of `credential.interactive` (git 2.47) forbids all questions.
pub(crate) fn forbids_questions(interactive: &str) -> bool {
    is_false(interactive) || interactive.eq_ignore_ascii_case("never")
}

fn is_false(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    matches!(value.as_str(), "false" | "no" | "off" | "0")
}

/// Shows a line on the terminal. `git fetch --jobs` holds back the stderr of its children.
pub(crate) fn show(line: &str) {
    if let Ok((_, mut output)) = tty() {
        // Where this fails, the question that follows fails too.
        let _ = writeln!(output, "{}", printable(line));
    }
}

pub(crate) fn ask_secret(prompt: &str) -> Result<Secret> {
    let answer = hidden_lines(&printable(prompt)).map_err(|error| broken_off(&error))?;
    Ok(answer.trimmed())
}

/// One line, or all that were pasted at once: none of them may show at the next question.
#[cfg(unix)]
fn hidden_lines(prompt: &str) -> io::Result<Secret> {
    let (terminal, mut output) = tty()?;
    let quiet = Rc::new(Quiet::ask(terminal, prompt)?);
    let mut answer = SecretBuffer::default();
    loop {
        let config = rpassword::ConfigBuilder::new()
            .input_reader(Line(Rc::clone(&quiet)))
            .output_discard();
        let line = rpassword::read_password_with_config(config.build())?;
        answer.extend(Secret::new(line.into_bytes()).expose());
        if !quiet.goes_on()? {
            break;
        }
        answer.push(b'\n');
    }
    // The typed line break did not show either.
    output.write_all(b"\n")?;
    Ok(answer.into())
}

#[cfg(windows)]
fn hidden_lines(prompt: &str) -> io::Result<Secret> {
    rpassword::prompt_password(prompt).map(|line| Secret::new(line.into_bytes()))
}

/// Asks for a line, which may be empty.
pub(crate) fn ask_line(prompt: &str) -> Result<String> {
    let ask = || -> io::Result<String> {
        let (input, mut output) = tty()?;
        output.write_all(printable(prompt).as_bytes())?;
        output.flush()?;
        let mut line = String::new();
        if BufReader::new(input).read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim().to_owned())
    };
    ask().map_err(|error| broken_off(&error))
}

/// The user pressed Ctrl-C at a prompt.
#[derive(Debug, Error)]
#[error("interrupted")]
pub(crate) struct Interrupted;

fn broken_off(error: &io::Error) -> anyhow::Error {
    if let Ok((_, mut output)) = tty() {
        // Ends the line of the prompt.
        let _ = output.write_all(b"\n");
    }
    match error.kind() {
        io::ErrorKind::Interrupted => Interrupted.into(),
        io::ErrorKind::UnexpectedEof => Hinted::new(
            "there was no answer",
            "run it again, or see '-h' for what can be given as an option",
        )
        .into(),
        _ => anyhow!("cannot read from the terminal: {error}"),
    }
}

/// `GIT_TERMINAL_PROMPT`, git(1): a false value forbids prompts on the terminal.
pub(crate) fn prompts_are_forbidden() -> bool {
    variables::text("GIT_TERMINAL_PROMPT").is_some_and(|value| is_false(&value))
}

/// Standard input without a buffer: it would not be wiped.
pub(crate) fn input() -> io::Result<File> {
    unbuffered(&io::stdin())
}

/// Standard output without a buffer: it would not be wiped.
pub(crate) fn output() -> io::Result<File> {
    unbuffered(&io::stdout())
}

#[cfg(unix)]
fn unbuffered(stream: &impl std::os::fd::AsFd) -> io::Result<File> {
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}

#[cfg(windows)]
fn unbuffered(stream: &impl std::os::windows::io::AsHandle) -> io::Result<File> {
    Ok(stream.as_handle().try_clone_to_owned()?.into())
}

/// Where to read what is typed, and where to write.
fn tty() -> io::Result<(File, File)> {
    let (input, output) = if cfg!(windows) {
        ("CONIN$", "CONOUT$")
    } else {
        ("/dev/tty", "/dev/tty")
    };
    let open = |path| File::options().read(true).write(true).open(path);
    Ok((open(input)?, open(output)?))
}
