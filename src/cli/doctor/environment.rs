//! The environment: its credential, git's prompts, proxies.

use super::finding::{Check, CheckOutcome};
use super::surroundings::Surroundings;
use crate::answer::source;
use crate::git::{self, Host, route, url};
use crate::sys::child::SECRET_VARIABLES;
use crate::sys::{terminal, variables};

/// Whether a variable holds a credential, and which of several answers.
pub(super) fn credentials(surroundings: &Surroundings<'_>) -> Check {
    let id = "environment";
    let (account, secret, complaint) = match source::of_variable(surroundings.session) {
        Ok(Some(found)) => found,
        Ok(None) => return Check::pass(id, "no variable holds a credential for Bitbucket"),
        Err(error) => return Check::failed(id, &error),
    };
    if let Some(complaint) = complaint {
        let outcome = match surroundings.session.objection(&account) {
            // The accounts answer in its place.
            Ok(Some(_)) => CheckOutcome::Warn,
            _ => CheckOutcome::Fail,
        };
        return Check::of(id, outcome, complaint);
    }
    let mut message = source::answers_first(&account);
    let is_other = |other: &&str| *other != account.name && variables::filled(other).is_some();
    let others: Vec<&str> = SECRET_VARIABLES.into_iter().filter(is_other).collect();
    if !others.is_empty() {
        message = format!("{message}; not used: {}", others.join(", "));
    }
    let mut check = Check::pass(id, message);
    check.asks = Some(Box::new((account, secret)));
    check
}

/// Whether and how git asks the user when no helper answers.
pub(super) fn prompts(surroundings: &Surroundings<'_>) -> Check {
    let id = "prompts";
    if surroundings
        .setting("credential.interactive")
        .is_some_and(terminal::forbids_questions)
    {
        return Check::pass(id, "credential.interactive forbids git to ask");
    }
    let asks = terminal::askpass(surroundings.setting("core.askpass"));
    let mut message = match (asks, terminal::prompts_are_forbidden()) {
        (Some((name, program)), _) => {
            let whose = ide(&program.to_string_lossy());
            let whose = whose.map_or_else(String::new, |ide| format!(" of {ide}"));
            format!("where no helper answers, git asks through {name}{whose}")
        }
        (None, false) => "where no helper answers, git asks on the terminal".to_owned(),
        (None, true) => "GIT_TERMINAL_PROMPT forbids git to ask on the terminal".to_owned(),
    };
    // Its terminal is set up otherwise than its own git.
    if variables::text("TERMINAL_EMULATOR").is_some_and(|name| name.starts_with("JetBrains")) {
        message += "; a JetBrains IDE asks no helper unless 'Use credential helper' is ticked (Settings, Git)";
    }
    Check::pass(id, message)
}

/// The IDE that brings a helper or an askpass program, by its command.
pub(super) fn ide(command: &str) -> Option<&'static str> {
    const IDES: [(&str, &str); 6] = [
        ("vscode", "VS Code"),
        ("extensions/git/dist", "VS Code"),
        ("codespaces", "GitHub Codespaces"),
        ("desktop-", "GitHub Desktop"),
        ("intellij", "a JetBrains IDE"),
        ("jetbrains", "a JetBrains IDE"),
    ];
    let command = command.to_ascii_lowercase();
    let mut ides = IDES.into_iter();
    ides.find_map(|(word, ide)| command.contains(word).then_some(ide))
}

pub(super) fn proxy(host: &Host) -> Check {
    let message = match route::proxy(host, git::PATIENCE) {
        None => format!("git goes to {host} directly"),
        Some(proxy) => {
            // curl(1), "--proxy": without a scheme it is http.
            let scheme = if proxy.contains("://") { "" } else { "http://" };
            let shown = url::masked(&format!("{scheme}{proxy}"));
            format!("git goes to {host} through '{shown}'")
        }
    };
    Check::pass(&format!("proxy.{host}"), message)
}
