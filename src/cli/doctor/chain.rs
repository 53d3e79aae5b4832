//! Our place in git's chain of helpers.

use std::collections::BTreeMap;
use std::path::Path;

use super::finding::{Check, CheckOutcome};
use super::surroundings::Surroundings;
use super::{accounts, environment};
use crate::bitbucket::{self, API_HOST};
use crate::cli::output;
use crate::git::{self, Helper, Host, Scope, Setting, url};
use crate::settings::Session;
use crate::sys::{Hinted, child, message, shell_quoted};

/// For each host: whether git asks us, which other helpers it asks, and whether it names the repository.
pub(super) fn checks(surroundings: &Surroundings<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for (host, chain) in &surroundings.chains {
        checks.push(of_host(surroundings, host, chain));
        checks.extend(use_http_path(surroundings, host));
    }
    checks
}

/// Warns of what is wrong with git's helpers for our hosts, or for this one and its other names; each with its fix.
pub(crate) fn warn(session: &Session, only: Option<&Host>) {
    let surroundings = Surroundings::look(session, &mut Vec::new());
    let mut faults: BTreeMap<(String, String), Vec<&Host>> = BTreeMap::new();
    let is_meant = |host: &Host| only.is_none_or(|only| bitbucket::home_of(host) == *only);
    let chains = surroundings.chains.iter();
    for (host, chain) in chains.filter(|(host, _)| is_meant(host)) {
        let Check { message, hint, .. } = of_host(&surroundings, host, chain);
        // Only a fault has a fix.
        if let Some(fix) = hint {
            faults.entry((message, fix)).or_default().push(host);
        }
    }
    for ((message, fix), mut hosts) in faults {
        // bitbucket.org comes first, and stands for its other names.
        let first = hosts[0];
        hosts.retain(|host| *host == first || bitbucket::home_of(host) != *first);
        message::warn(format_args!("{}: {message}", output::listed(&hosts)));
        message::hint(fix);
    }
}

/// Whether git asks us for a host, and which other helpers it asks or gives the credentials to.
pub(super) fn of_host(surroundings: &Surroundings<'_>, host: &Host, chain: &[Helper]) -> Check {
    let id = format!("chain.{host}");
    let Some(position) = chain.iter().position(Helper::is_ours) else {
        return not_asked(&id, &surroundings.settings, host, chain);
    };
    if let Some(complaint) = misnamed(surroundings, host, &chain[position..]) {
        return Check::of(&id, CheckOutcome::Fail, complaint);
    }
    let (before, behind) = chain.split_at(position);
    let (before, behind) = (foreign_in(before), foreign_in(behind));
    let asks = match before.as_slice() {
        [] => "git asks this helper".to_owned(),
        before => format!("git asks {} before this helper", listed(before)),
    };
    let gives = match (before.as_slice(), behind.as_slice()) {
        ([], []) => return Check::pass(&id, "git asks this helper, and no other"),
        (_, []) => "it your credentials".to_owned(),
        (_, behind) => format!("your credentials to {} too", listed(behind)),
    };
    let message = format!("{asks}, and gives {gives}");
    // What setup wrote stays where it is: only with '--force' setup cuts off what stands behind it.
    let own = &chain[position];
    let is_by_setup = own.scope == Scope::Global && own.is_for_host() && own.program().is_some();
    let is_set_up = is_by_setup && before.is_empty();
    let option = if is_set_up { " --force" } else { "" };
    let mut others = before.iter().chain(&behind);
    let in_the_way = others.find(|helper| !is_of_the_user(helper));
    let fix = in_the_way.map_or_else(|| setup(option), |helper| removal(helper));
    // git's `store` and libsecret keep even what is marked as not to be kept.
    if is_set_up {
        Check::fail(&id, message, fix)
    } else {
        Check::warn(&id, message, fix)
    }
}

/// What is wrong with the account that is to answer alone here; the helper that git asks is the first one.
fn misnamed(surroundings: &Surroundings<'_>, host: &Host, chain: &[Helper]) -> Option<Hinted> {
    if let Some(name) = chain[0].account() {
        let is_there = surroundings.accounts.named(&name).is_some();
        let is_missing = surroundings.knows_accounts && !is_there;
        let origin = &chain[0].origin;
        return is_missing.then(|| {
            Hinted::new(
                format!("'{origin}' names '{name}', and there is no account '{name}'"),
                "write the name of an account there: 'git credential-bitbucket status' lists them",
            )
        });
    }
    let says = |name: &str, helper: &Helper| {
        format!("'{name}' is to answer alone ('{}'), but", helper.origin)
    };
    if let Some((name, helper)) = chain.iter().find_map(|it| Some((it.account()?, it))) {
        let message = format!("{} another helper comes first", says(&name, helper));
        let fix = format!("write the line 'helper =' before it in '{}'", helper.origin);
        return Some(Hinted::new(message, fix));
    }
    let cleared = git::cleared(&surroundings.settings, host);
    let cleared = cleared
        .iter()
        .map(|(helper, empty)| Some((helper.account()?, helper, empty)));
    let (name, helper, empty) = cleared.flatten().last()?;
    let message = format!(
        "{} the empty helper in '{}' comes later and switches it off",
        says(&name, helper),
        empty.origin
    );
    let fix = moved_behind(&surroundings.settings, helper, empty);
    Some(Hinted::new(message, fix))
}

/// The command that moves the include of a helper's file behind that of another one's.
fn moved_behind(settings: &[Setting], helper: &Helper, other: &Helper) -> String {
    let include_of = |helper: &Helper| {
        let file = dunce::canonicalize(&helper.origin).ok();
        let of = |it: &Setting| git::included(Path::new(&it.origin), &it.value);
        let mut settings = settings.iter();
        settings.rfind(|it| file.is_some() && it.key.starts_with("include") && of(it) == file)
    };
    match (include_of(helper), include_of(other)) {
        (Some(include), Some(other)) => {
            let words = [&include.origin, &include.key, &include.value, &other.origin];
            let [from, key, path, to] = words.map(|word| shell_quoted(word));
            format!(
                "move it behind that: 'git config --file {from} --unset-all {key} && git config --file {to} --add {key} {path}'"
            )
        }
        _ => format!("move it behind that in '{}'", helper.origin),
    }
}

/// Why git does not ask us.
fn not_asked(id: &str, settings: &[Setting], host: &Host, chain: &[Helper]) -> Check {
    if let Some(helper) = chain.iter().find(|helper| helper.is_namesake()) {
        return namesake(id, settings, helper);
    }
    if let Some((own, empty)) = git::cleared(settings, host).last() {
        let who = match empty.scope {
            Scope::Command => ", as JetBrains IDEs and GitHub Desktop set it,",
            _ => "",
        };
        let (origin, own) = (&empty.origin, named(own));
        let message = format!("an empty helper ('{origin}'){who} switches off {own}");
        return Check::fail(id, message, removal(empty));
    }
    let message = match foreign_in(chain).as_slice() {
        [] => "git does not ask this helper".to_owned(),
        others => format!("git does not ask this helper, but {}", listed(others)),
    };
    Check::fail(id, message, setup(""))
}

/// A helper of our name by which git starts another program, or none.
fn namesake(id: &str, settings: &[Setting], helper: &Helper) -> Check {
    let fix = if is_of_the_user(helper) {
        setup("")
    } else {
        removal(helper)
    };
    let is_alias = |setting: &&Setting| setting.key == "alias.credential-bitbucket";
    let message = match (helper.program(), git::named_alone(&helper.value)) {
        (Some(path), _) if !path.exists() => format!(
            "git is set to start '{}', which does not exist",
            path.display()
        ),
        (Some(path), Some(_)) if !git::is_this_program(&path) => {
            let message = format!("git starts another program, '{}'", path.display());
            return Check::warn(id, message, format!("to use this one: {fix}"));
        }
        (None, Some(name)) if !git::is_this_program(&name) => {
            let command = match child::found(&name) {
                Some(other) => format!("another program, '{}'", other.display()),
                None => match settings.iter().rfind(is_alias) {
                    Some(alias) => format!("the alias '{}' ('{}')", alias.key, alias.origin),
                    None => "no command: this program is in no folder of PATH".to_owned(),
                },
            };
            format!("git makes {} into {command}", named(helper))
        }
        _ => format!("{} names this helper, but does not start it", named(helper)),
    };
    Check::fail(id, message, fix)
}

fn foreign_in(helpers: &[Helper]) -> Vec<&Helper> {
    helpers.iter().filter(|helper| !helper.is_ours()).collect()
}

fn listed(helpers: &[&Helper]) -> String {
    let names: Vec<String> = helpers.iter().map(|helper| named(helper)).collect();
    names.join(", ")
}

fn named(helper: &Helper) -> String {
    let shown = helper.shown();
    match environment::ide(&helper.value) {
        Some(ide) => format!("'{shown}' of {ide} ('{}')", helper.origin),
        None => format!("'{shown}' ('{}')", helper.origin),
    }
}

/// Whether `setup` can put itself in its place: git reads the other files after the user's.
fn is_of_the_user(helper: &Helper) -> bool {
    matches!(helper.scope, Scope::System | Scope::Global)
}

/// How to remove a helper that setup cannot cut off.
fn removal(helper: &Helper) -> String {
    let what = match helper.shown() {
        "" => format!("the empty '{}'", url::masked(&helper.key)),
        shown => format!("'{shown}'"),
    };
    if helper.scope == Scope::Command {
        return format!(
            "start git without {what}: '-c {}=…', GIT_CONFIG_COUNT or GIT_CONFIG_PARAMETERS sets it",
            url::masked(&helper.key)
        );
    }
    format!("take {what} out of '{}'", helper.origin)
}

/// The command that makes git ask us. git may find another program by our name, or none.
pub(super) fn setup(option: &str) -> String {
    let is_found = git::is_this_program(Path::new("git-credential-bitbucket"));
    match git::this_program() {
        Ok(own) if !is_found => format!("'{} setup{option}'", shell_quoted(&own.to_string_lossy())),
        _ => format!("'git credential-bitbucket setup{option}'"),
    }
}

/// Whether git names the repository, if somebody needs it.
fn use_http_path(surroundings: &Surroundings<'_>, host: &Host) -> Option<Check> {
    let who_needs_it = who_needs_the_path(surroundings, host)?;
    let id = format!("use-http-path.{host}");
    if git::uses_http_path(&format!("https://{host}/")) {
        return Some(Check::pass(&id, "git names the repository"));
    }
    let message = format!("git does not name the repository, but {who_needs_it}");
    // git itself never asks for a credential there.
    Some(if host.as_str() == API_HOST {
        Check::warn(&id, message, setup(""))
    } else {
        Check::fail(&id, message, setup(""))
    })
}

/// The account with a part of the host, or the stores, for which git has to name the repository.
pub(super) fn who_needs_the_path(surroundings: &Surroundings<'_>, host: &Host) -> Option<String> {
    let home = bitbucket::home_of(host);
    let mut own = surroundings.accounts.iter().filter(|it| it.host == home);
    let for_a_part = own.find_map(|it| Some(format!("'{}' {}", it.name, accounts::part(it)?)));
    let of_stores = || "the stores of 'lookup' have one entry for each".to_owned();
    // Another check reports settings that cannot be read.
    let config = surroundings.session.config();
    let is_looked_up = config.is_ok_and(|config| !config.lookup.is_empty());
    for_a_part.or_else(|| is_looked_up.then(of_stores))
}
