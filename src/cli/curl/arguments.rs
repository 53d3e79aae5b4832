//! Checks a command line for curl: one URL, and no option that sends the secret elsewhere.

use std::ffi::OsString;

use anyhow::Result;
use percent_encoding::percent_decode_str;

use super::options::{CurlOption, Effect};
use crate::git::Host;
use crate::sys::Usage;

/// A command line that is safe with a secret.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) host: Host,
    pub(super) path: String,
    /// Effects of the options that may surprise the user.
    pub(super) warnings: Vec<String>,
}

impl Call {
    /// Reads the arguments as curl does. An unknown option is an error: its value could be mistaken for the URL.
    pub(super) fn of(arguments: &[OsString]) -> Result<Self> {
        let mut urls: Vec<&[u8]> = Vec::new();
        let mut warnings = Vec::new();
        let mut rest = arguments.iter().map(|argument| argument.as_encoded_bytes());
        let mut are_options_over = false;
        while let Some(argument) = rest.next() {
            let (option, attached) = match argument {
                b"--" if !are_options_over => {
                    are_options_over = true;
                    continue;
                }
                [b'-', b'-', name @ ..] if !are_options_over => (long(name)?, None),
                [b'-', letters @ ..] if !are_options_over => short(letters, &mut warnings)?,
                url => {
                    urls.push(url);
                    continue;
                }
            };
            check(option, &mut warnings)?;
            if !option.takes_value {
                continue;
            }
            let value = attached.or_else(|| rest.next()).ok_or_else(|| {
                let message = format!("curl's '--{}' needs a value", option.name);
                Usage::hinted(message, "write the value after it")
            })?;
            if option.name == "url" {
                urls.push(value);
            }
        }
        let (message, hint) = match urls.as_slice() {
            [url] => {
                let (host, path) = host_and_path(url)?;
                return Ok(Self {
                    host,
                    path,
                    warnings,
                });
            }
            [] => (
                "there is no URL",
                "name one: 'git credential-bitbucket curl https://api.bitbucket.org/2.0/user'",
            ),
            _ => (
                "there is more than one URL (every word that is no option or value counts)",
                "run the command once for each URL",
            ),
        };
        Err(Usage::hinted(message, hint))
    }
}

fn long(name: &[u8]) -> Result<CurlOption> {
    let name = std::str::from_utf8(name).unwrap_or_default();
    let start = name.split('=').next().unwrap_or_default();
    match CurlOption::of_name(start) {
        // curl 8.16 and later takes a value behind it; older versions have no such option.
        Some(option) if start != name => Err(Usage::hinted(
            format!("curl's '--{}' takes no equals sign here", option.name),
            "write the value as an argument of its own",
        )),
        Some(option) => Ok(option),
        // A mistyped word may be a secret: show it only if it looks like an option.
        None if is_name(start) => Err(unknown(&format!(" '--{start}'"))),
        None => Err(unknown("")),
    }
}

/// The last of several letters after one hyphen, and its attached value: `-sSo`, `-XPOST`.
fn short<'a>(
    letters: &'a [u8],
    warnings: &mut Vec<String>,
) -> Result<(CurlOption, Option<&'a [u8]>)> {
    let mut left = letters;
    while let [letter, value @ ..] = left {
        let option = CurlOption::of_letter(char::from(*letter)).ok_or_else(|| unknown(""))?;
        if option.takes_value || value.is_empty() {
            return Ok((option, Some(value).filter(|value| !value.is_empty())));
        }
        check(option, warnings)?;
        left = value;
    }
    Err(unknown(""))
}

/// Refuses the option, or adds its warning.
fn check(option: CurlOption, warnings: &mut Vec<String>) -> Result<()> {
    let name = option.name;
    match option.effect {
        Effect::None => {}
        Effect::Refused(why) => {
            let message = format!("curl's '--{name}' is refused: {why}");
            return Err(Usage::hinted(message, "leave it out"));
        }
        Effect::Warned(what) => {
            let warning = format!("'--{name}' {what}");
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    Ok(())
}

/// Parses only what every curl reads the same way. The path is without the leading slash, query and fragment.
fn host_and_path(url: &[u8]) -> Result<(Host, String)> {
    let text = std::str::from_utf8(url).unwrap_or_default();
    let whole = "write it out: 'https://api.bitbucket.org/2.0/…'";
    let parts = text.split_at_checked("https://".len());
    let rest = parts.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("https://"));
    let (_, rest) =
        rest.ok_or_else(|| Usage::hinted("the URL does not begin with 'https://'", whole))?;
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(Usage::hinted(
            "there is a user name in the URL",
            "leave it out: workspace and repository choose the account",
        ));
    }
    // curl expands braces and brackets (we switch that off), and its versions differ about blanks.
    let is_odd = |letter: char| {
        letter.is_ascii_control() || matches!(letter, ' ' | '\\' | '{' | '}' | '[' | ']')
    };
    if rest.contains(is_odd) {
        return Err(Usage::hinted(
            "the URL has a bracket, a brace, a backslash or a blank in it",
            "percent-encode it: '{' is %7B, '}' %7D, '[' %5B, ']' %5D, '\\' %5C, a blank %20",
        ));
    }
    let no_host = "what follows 'https://' in the URL is no host name";
    let host = authority.parse();
    let host = host.map_err(|_| Usage::hinted(no_host, whole))?;
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    // A server may read an encoded slash or dot differently than git.
    let lower = path.to_ascii_lowercase();
    if ["%2f", "%5c", "%25"]
        .iter()
        .any(|code| lower.contains(code))
    {
        return Err(Usage::hinted(
            "the URL encodes a slash, a backslash or a percent sign",
            "write the path without them, or use another client",
        ));
    }
    let path = percent_decode_str(path).decode_utf8_lossy();
    Ok((host, path.trim_start_matches('/').to_owned()))
}
fn unknown(name: &str) -> anyhow::Error {
    Usage::hinted(
        format!("the option{name} is not a curl option known here"),
        "write each option out in full, as 'curl --help all' lists it",
    )
}

fn is_name(name: &str) -> bool {
    let is_part =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    !name.is_empty() && name.len() <= 30 && name.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::Call;

    const URL: &str = "https://api.bitbucket.org/2.0/user";

    fn read(arguments: &[&str]) -> Result<Call, String> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        Call::of(&arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn the_url_is_found_wherever_it_stands() {
        let lines: [&[&str]; 12] = [
            &[URL],
            &["--url", URL],
            &["-X", "POST", URL, "-d", "@status.json"],
            &["-XPOST", "-d@status.json", URL],
            &["-sSo", "out", URL],
            &["-sSoout", URL, "--fail"],
            &["-d", "https://evil.example/", URL],
            &["--data", "-K", URL],
            &["-H", "X: y", "--", URL],
            &["--no-location", "--request", "PUT", URL, "-L"],
            &["-sfL", "-m5", URL, "-w", "%{http_code}"],
            &["-C", "-", "HTTPS://API.Bitbucket.org:443/2.0/user"],
        ];
        for line in lines {
            let call = read(line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
            assert_eq!(call.host.as_str(), "api.bitbucket.org", "{line:?}");
            assert_eq!(call.path, "2.0/user", "{line:?}");
            assert!(call.warnings.is_empty(), "{line:?}");
        }
    }

    #[test]
    fn there_is_exactly_one_url() {
        for line in [
            &[][..],
            &["-d", URL],
            &["-sSo", URL],
            &["--data-raw", URL, "-s"],
        ] {
            assert_eq!(read(line).expect_err("none"), "there is no URL", "{line:?}");
        }
        for line in [
            &[URL, "https://evil.example/"][..],
            &[URL, "--url", URL],
            &["-s", URL, "word"],
            &[URL, ""],
            &["--", URL, "-K"],
            &[URL, "--", "--"],
        ] {
            let error = read(line).expect_err("several");
            assert!(
                error.starts_with("there is more than one URL"),
                "{line:?}: {error}"
            );
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for option in [
            "--locat",
            "--urll",
            "--URL",
            "--expand-url",
            "-h",
            "-V",
            "-",
            "-sh",
            "-s\u{e9}",
            "--no-url",
            "--data=x",
            "--url=https://evil.example/",
            "--help",
            "---url",
        ] {
            read(&[option, URL]).expect_err(option);
        }
        assert!(
            read(&[URL, "-o"])
                .expect_err("no value")
                .contains("needs a value")
        );
    }

    #[test]
    fn options_that_take_the_secret_elsewhere_are_refused_in_each_form() {
        for line in [
            &["-K", "file"][..],
            &["-Kfile"],
            &["-sK", "-"],
            &["--config", "file"],
            &["-:"],
            &["-s:"],
            &["--next"],
            &["--location-trusted"],
            &["--libcurl", "file"],
            &["--connect-to", "::evil.example:443"],
            &["--resolve", "api.bitbucket.org:443:192.0.2.1"],
            &["--unix-socket", "socket"],
            &["--abstract-unix-socket", "socket"],
            &["--metalink"],
            &["--variable", "x=y"],
        ] {
            for at in [0, 1] {
                let mut all = line.to_vec();
                all.insert(if at == 0 { 0 } else { all.len() }, URL);
                let error = read(&all).expect_err("refused");
                assert!(error.contains("is refused: "), "{all:?}: {error}");
            }
        }
    }

    #[test]
    fn what_shows_the_secret_is_told_once() {
        let warnings = |line: &[&str]| read(line).expect("a call").warnings.len();
        assert_eq!(warnings(&["-vv", "--verbose", URL]), 1);
        assert_eq!(warnings(&["-vk", URL]), 2);
        assert_eq!(warnings(&["--trace-ascii", "-", URL]), 1);
        assert_eq!(warnings(&["--no-verbose", "-d", "-v", URL]), 0);
    }

    #[test]
    fn a_url_that_is_not_plain_https_is_refused() {
        for url in [
            "http://api.bitbucket.org/",
            "api.bitbucket.org/2.0/user",
            "https:/api.bitbucket.org/",
            "https:///api.bitbucket.org/",
            "ftp://api.bitbucket.org/",
            "https://",
            "https://ada@api.bitbucket.org/",
            "https://ada:x@api.bitbucket.org/",
            "https://{api.bitbucket.org,evil.example}/",
            "https://api.bitbucket.org/{a,b}",
            "https://api.bitbucket.org/[1-3]",
            "https://api.bitbucket.org\\@evil.example/",
            "https://api.bitbucket.org/a b",
            " https://api.bitbucket.org/",
            "https://api.bitbucket.org/\r\nX: y",
            "https://api.bitbucket.org%2eevil.example/",
            "https://api.bitbucket.org:/",
            "@file",
            "",
        ] {
            read(&[url]).expect_err(url);
        }
        let message = read(&["https://ada:canary@bitbucket.org/"]).expect_err("user info");
        assert!(!message.contains("canary"));
    }
}
