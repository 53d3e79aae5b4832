//! Whom the question goes to: the askpass program that git would start, else the terminal.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::Result;

use crate::bitbucket::{self, Kind};
use crate::git::context::Context;
use crate::git::{Helper, Host, Scope, Setting};
use crate::sys::terminal::Interrupted;
use crate::sys::{Program, Secret, message, terminal};

/// The time for a question: a person is on the way to a web page and back.
pub(super) const ASKING: Duration = Duration::from_secs(300);

pub(super) enum Asker {
    /// The variable or setting that names the program, and the program.
    Askpass(&'static str, OsString),
    Terminal,
}

impl Asker {
    /// None where git asks nobody, and where only git itself should ask.
    pub(super) fn of_git(settings: &[Setting]) -> Option<Self> {
        let setting = |key: &str| settings.iter().rfind(|it| it.key == key);
        let interactive = setting("credential.interactive");
        if interactive.is_some_and(|it| terminal::forbids_questions(&it.value)) {
            return None;
        }
        let core = setting("core.askpass");
        let is_planted = core.is_some_and(|it| it.scope == Scope::Local);
        match terminal::askpass(core.map(|it| it.value.as_str())) {
            // A repository that came as an archive may name a program of its own. git starts it; but a token that it
            // answers would become an account for other repositories too.
            Some(("core.askPass", _)) if is_planted => None,
            Some((name, program)) => Some(Self::Askpass(name, program)),
            None => terminal::can_ask().then_some(Self::Terminal),
        }
    }

    /// Asks for a token. On the terminal `lines` stand before the question. None when nothing more is to be asked.
    pub(super) fn token(
        &mut self,
        context: &Context,
        host: &Host,
        lines: &[String],
    ) -> Result<Option<Secret>> {
        // Such programs hide what is typed where they are asked for a password.
        let token = usual_kind(host).noun().trim_start_matches("an ");
        let prompt = context.prompt("Password", Some(&token.replace(' ', "-")));
        self.ask(&prompt, || {
            for line in lines {
                terminal::show(line);
            }
            terminal::ask_secret(&format!("Token for {host} (it will not show): "))
        })
    }

    /// Asks for the user name of a token whose start tells no kind. The terminal also takes none.
    pub(super) fn username(&mut self, context: &Context) -> Result<Option<Secret>> {
        self.ask(&context.prompt("Username", None), || {
            let prompt = "Bitbucket user name (Enter if the token has none): ";
            Ok(Secret::new(terminal::ask_line(prompt)?.into_bytes()))
        })
    }

    pub(super) fn say(&self, line: &str) {
        match self {
            Self::Askpass(..) => message::warn(line),
            Self::Terminal => terminal::show(line),
        }
    }

    fn ask(
        &mut self,
        prompt: &str,
        at_terminal: impl FnOnce() -> Result<Secret>,
    ) -> Result<Option<Secret>> {
        if let Self::Askpass(name, program) = self {
            let askpass = Program::new(program).args([prompt]).at_the_terminal(true);
            match askpass.run(b"", ASKING) {
                Ok(None) => return Ok(None),
                Ok(Some(output)) if output.code == Some(0) => {
                    return Ok(first_line(&output.answer, prompt));
                }
                Ok(Some(_)) | Err(_) => {
                    message::warn(format_args!(
                        "the askpass program of {name} does not answer"
                    ));
                    if !terminal::can_ask() {
                        return Ok(None);
                    }
                    *self = Self::Terminal;
                }
            }
        }
        match at_terminal() {
            Err(error) if error.is::<Interrupted>() => Ok(None),
            text => text.map(Some),
        }
    }
}

/// The kind of which the question speaks.
pub(super) fn usual_kind(host: &Host) -> Kind {
    if bitbucket::is_cloud(host) {
        Kind::ApiToken
    } else {
        Kind::HttpAccessToken
    }
}

/// As git reads it. A program that only echoes the question answers nothing.
fn first_line(answer: &[u8], prompt: &str) -> Option<Secret> {
    let line = answer.split(|byte| b"\r\n".contains(byte)).next();
    let text = Secret::new(line.unwrap_or_default().trim_ascii().to_vec());
    (!text.is_empty() && text.expose() != prompt.trim().as_bytes()).then_some(text)
}

/// Whether git asks another helper after us. Where none is known to be ours, a single one must be.
pub(super) fn has_another_behind(chain: &[Helper]) -> bool {
    let own = chain.iter().position(Helper::is_ours);
    own.map_or(chain.len() > 1, |own| {
        !chain[own..].iter().all(Helper::is_ours)
    })
}
