//! `curl`: runs curl with the REST authorization of the account that fits the URL.
//!
//! curl gets the secret as configuration through a pipe: others can see arguments and environment (`ps`, `/proc`), and a
//! file outlives the call. Standard input stays the user's (`-d @-`).

mod arguments;
mod options;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use clap::Args;

use self::arguments::Call;
use crate::answer::{Found, Wanted};
use crate::cli::output;
use crate::git::Identity;
use crate::helper::reply;
use crate::settings::Session;
use crate::sys::{Hinted, Program, Secret, SecretBuffer, Usage, message};

#[derive(Debug, Args)]
#[command(
    after_help = "Refused, because the secret could go elsewhere or be written down: -K (--config), --connect-to, \
                  --libcurl, --location-trusted, --metalink, -: (--next), --request-target, --resolve, --unix-socket, \
                  --abstract-unix-socket, --variable. Any other option has to be written out in full, and its value, \
                  if it has one, as an argument of its own."
)]
pub(crate) struct Curl {
    /// What curl takes: options, and exactly one https URL of Bitbucket or of a host with an account
    #[arg(
        value_name = "ARG",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) arguments: Vec<OsString>,
}

pub(crate) fn run(arguments: &Curl, only: Option<&str>) -> Result<ExitCode> {
    let call = Call::of(&arguments.arguments)?;
    let settings = settings(&authorization(&call, only)?)?;
    call.warnings.iter().for_each(message::warn);
    start(&arguments.arguments, &settings)
}

fn authorization(call: &Call, only: Option<&str>) -> Result<Secret> {
    let session = Session::default().with_only(only)?;
    if !session.is_known(&call.host)? {
        return Err(Usage::hinted(
            "the URL's host is not Bitbucket Cloud, and you have no account for it",
            "sign in to it first: 'git credential-bitbucket login --host HOST'",
        ));
    }
    let path = Some(call.path.as_bytes()).filter(|path| !path.is_empty());
    let wanted = Wanted::at(call.host.clone(), path, None);
    let Found { account, kept } = output::answering(&session, &wanted)?;
    match Identity::for_rest(&account, kept.secret) {
        Ok(identity) => Ok(identity.authorization()),
        Err(missing) => Err(reply::lacking(&account, missing)),
    }
}

/// What curl reads before its arguments (curl(1), `--config`).
fn settings(authorization: &Secret) -> Result<Secret> {
    // `proto`: neither a mistake of ours nor a redirect in a curl before 7.83 may send the secret in clear text.
    const START: &[u8] = b"globoff\nproto = \"=https\"\nheader = \"Authorization: ";
    let value = authorization.expose();
    if value.iter().any(u8::is_ascii_control) {
        bail!(Hinted::new(
            "the secret holds a line break or another control character",
            "sign in again: 'git credential-bitbucket login NAME'",
        ));
    }
    let mut settings = SecretBuffer::default();
    settings.extend(START);
    for &byte in value {
        if matches!(byte, b'"' | b'\\') {
            settings.push(b'\\');
        }
        settings.push(byte);
    }
    settings.extend(b"\"\n");
    Ok(settings.into())
}

/// Replaces this process with curl: streams, signals and exit status are curl's own.
#[cfg(unix)]
fn start(arguments: &[OsString], settings: &Secret) -> Result<ExitCode> {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;

    use anyhow::Context as _;
    use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};

    let fill = || -> io::Result<io::PipeReader> {
        let (reader, mut writer) = io::pipe()?;
        // The pipe holds about 64 KiB and curl reads it later; a full pipe must not block us.
        ioctl_fionbio(&writer, true)?;
        writer.write_all(settings.expose())?;
        fcntl_setfd(&reader, FdFlags::empty())?;
        Ok(reader)
    };
    let reader = fill().context("cannot hand the secret to curl")?;
    let config = format!("/dev/fd/{}", reader.as_raw_fd());
    Err(no_curl(&curl(&config, arguments).become_it()))
}

/// Runs curl. Its configuration takes standard input, the only pipe there is.
#[cfg(not(unix))]
fn start(arguments: &[OsString], settings: &Secret) -> Result<ExitCode> {
    let curl = curl("-", arguments);
    let code = curl
        .run_for_the_user(settings)
        .map_err(|error| no_curl(&error))?;
    Ok(ExitCode::from(
        code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
    ))
}

fn curl(config: &str, arguments: &[OsString]) -> Program {
    // `-q` must come first: a `.curlrc` could send the secret elsewhere.
    let curl = Program::new("curl").args(["-q", "--config", config]);
    curl.args(arguments)
}

fn no_curl(error: &io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => Hinted::new(
            "there is no curl on PATH",
            "install curl, or add its folder to PATH",
        )
        .into(),
        _ => anyhow!("cannot start curl: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::settings;
    use crate::sys::secret::Secret;

    #[test]
    fn a_secret_cannot_end_its_line_in_the_configuration() {
        let written = |value: &[u8]| {
            settings(&Secret::new(value.to_vec())).map(|text| text.expose().to_vec())
        };
        let text = written(br#"Bearer a"b\c"#).expect("settings");
        assert!(text.ends_with(b"\nheader = \"Authorization: Bearer a\\\"b\\\\c\"\n"));
        for value in ["a\nurl = https://evil.example/", "a\r", "a\0"] {
            written(value.as_bytes()).expect_err(value);
        }
    }
}
