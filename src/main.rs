//! A git credential helper for Bitbucket.
//!
//! The data's way, in [`answer`]: git's attributes on stdin become a request, its context finds an account and the
//! secret from its store, and the reply goes to stdout in one piece.

mod account;
mod accounts;
#[macro_use]
mod bitbucket;
mod browser;
mod bytes;
mod check;
mod child;
mod cli;
mod command;
mod config;
mod context;
mod elsewhere;
mod environment;
mod error;
mod fields;
mod file;
mod first_contact;
mod folder;
mod git;
mod git_config;
mod grant;
mod helper;
mod http;
mod identity;
mod import;
mod locations;
mod lookup;
mod loopback;
mod matching;
mod oauth;
mod policy;
mod probe;
mod process;
mod protocol;
#[cfg(unix)]
mod quiet;
mod refusal;
mod rejection;
mod remote;
mod renewal;
mod route;
mod scope;
mod secret;
mod shortlist;
mod state;
mod store;
mod terminal;
mod trace;
mod vault;

use std::env;
use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;

use crate::helper::Answer;
use crate::lookup::Lookup;
use crate::protocol::{ReadError, Request};

fn main() -> ExitCode {
    process::keep_to_itself();
    trace::start();
    match Operation::of_arguments() {
        // In the middle of git's own output, hints are for people only.
        Some(operation) => match answer(operation) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => command::report(&error, terminal::is_watched()),
        },
        None => cli::run().unwrap_or_else(|error| command::report(&error, true)),
    }
}

/// What git starts a helper for; `capability` is defined for whoever asks (git-credential(1)).
#[derive(Clone, Copy)]
enum Operation {
    Capability,
    Erase,
    Get,
    Store,
}

impl Operation {
    /// git passes one word. Nothing else is looked at before the answer is given: this runs on each git command.
    fn of_arguments() -> Option<Self> {
        let mut arguments = env::args_os().skip(1);
        let (first, second) = (arguments.next()?, arguments.next());
        match first.to_str().filter(|_| second.is_none())? {
            "capability" => Some(Self::Capability),
            "erase" => Some(Self::Erase),
            "get" => Some(Self::Get),
            "store" => Some(Self::Store),
            _ => None,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Capability => "capability",
            Self::Erase => "erase",
            Self::Get => "get",
            Self::Store => "store",
        })
    }
}

/// Answers git: reads everything, decides everything, writes once.
fn answer(operation: Operation) -> Result<()> {
    if let Operation::Capability = operation {
        return Ok(terminal::output()?.write_all(b"version 0\ncapability authtype\n")?);
    }
    let request = match Request::read(&mut terminal::input()?) {
        Err(ReadError::Io(error)) => return Err(error.into()),
        // A request that git would not write gets no answer, and git goes on as if we did not exist.
        Err(error) => {
            if terminal::is_watched() {
                command::warn(format_args!("cannot read git's request: {error}"));
            }
            return Ok(());
        }
        Ok(request) => request,
    };
    trace::say(|| format!("{operation}: {}", request.describe()));
    let lookup = Lookup::for_git();
    match operation {
        Operation::Capability => {}
        Operation::Erase => helper::erase(&lookup, &request)?,
        Operation::Get => {
            let Answer {
                reply,
                notices,
                quit,
            } = helper::get(&lookup, &request)?;
            trace::say(|| {
                reply.as_ref().map_or("no reply".to_owned(), |reply| {
                    format!("reply: {}", reply.describe())
                })
            });
            for notice in notices.iter().filter(|_| terminal::is_watched()) {
                command::warn(notice);
            }
            if let Some(reply) = reply.and_then(|reply| reply.to_bytes()) {
                terminal::output()?.write_all(&reply)?;
            } else if quit {
                terminal::output()?.write_all(b"quit=1\n")?;
            }
        }
        Operation::Store => {
            let notice = helper::store(&lookup, request)?;
            if let Some(notice) = notice.filter(|_| terminal::is_watched()) {
                command::warn(notice);
            }
        }
    }
    trace::say(|| "done".to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::account::{Account, Kept, Origin};
    use crate::bitbucket::cloud;
    use crate::helper::Answer;
    use crate::identity::Identity;
    use crate::import::Credential;
    use crate::lookup::{Findings, Found};
    use crate::protocol::{Form, Reply, Request};
    use crate::secret::Secret;

    #[test]
    fn no_debug_shows_a_secret() {
        let text = "protocol=https\nhost=bitbucket.org\nusername=ada\npassword=canary\ncredential=canary\n\
                    oauth_refresh_token=canary\n";
        let request = Request::read(&mut text.as_bytes()).expect("a request");
        let secret = || Secret::new(b"canary".to_vec());
        let kept = || Kept {
            secret: secret(),
            oauth_refresh_token: Some(secret()),
            client_secret: Some(secret()),
        };
        let forms = [
            Form::Password {
                username: b"ada".to_vec(),
                password: secret(),
            },
            Form::Header {
                authtype: b"Bearer".to_vec(),
                credential: secret(),
                username: None,
            },
        ];
        let mut shown = vec![format!("{request:?}"), format!("{:?}", kept())];
        for form in forms {
            let reply = Reply {
                form,
                password_expiry_utc: None,
                oauth_refresh_token: Some(secret()),
                is_ephemeral: false,
            };
            shown.push(format!("{reply:?} {}", reply.describe()));
            let answer = Answer {
                reply: Some(reply),
                ..Answer::default()
            };
            shown.push(format!("{answer:?}"));
        }
        for identity in [
            Identity::Bearer(secret()),
            Identity::Basic {
                username: b"ada".to_vec(),
                password: secret(),
            },
            Identity::Header {
                authtype: b"x".to_vec(),
                credential: secret(),
            },
        ] {
            shown.push(format!("{identity:?} {:?}", identity.authorization()));
        }
        let account = Account::new("ada".to_owned(), cloud(), Origin::Login);
        let found = Some(Found {
            account,
            kept: kept(),
        });
        let findings = Findings {
            found,
            notices: Vec::new(),
        };
        shown.push(format!("{findings:?}"));
        shown.push(format!("{:?}", Credential::new(&cloud(), None, secret())));
        for text in shown {
            // As text, and as the numbers of its bytes.
            assert!(
                !text.contains("canary") && !text.contains("99, 97, 110"),
                "{text}"
            );
        }
    }
}
