//! What Bitbucket's answer about a secret means, in words.

use std::collections::BTreeSet;

use crate::account::record::Account;
use crate::bitbucket::{self, Kind, Reach, Service};
use crate::sys::http::Answer;
use crate::sys::{Secret, http};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) meaning: Meaning,
    /// Without the account's name.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It works.
    Good,
    /// Bitbucket knows it, but git cannot do everything with it. It is stored, with a warning.
    Limited,
    /// It works, but not where the account is to be used: `login` does not store it.
    Misplaced,
    /// Bitbucket does not know it: it is not stored.
    Refused,
    /// It is refused as it is presented, and may work otherwise: it is not stored.
    Mistaken,
    /// Bitbucket could not be asked. It is stored, with a warning.
    Unchecked,
}

impl Meaning {
    /// Whether Bitbucket knows the secret, as it is presented.
    pub(crate) fn is_known(self) -> bool {
        matches!(self, Self::Good | Self::Limited | Self::Misplaced)
    }

    pub(super) fn says(self, message: impl Into<String>, hint: impl Into<String>) -> Verdict {
        Verdict {
            meaning: self,
            message: message.into(),
            hint: Some(hint.into()),
        }
    }
}

impl Verdict {
    pub(super) fn but(self, meaning: Meaning) -> Self {
        Self { meaning, ..self }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.meaning == Meaning::Good
    }

    /// What a line about the account of this name says.
    pub(crate) fn about(&self, name: &str) -> String {
        match self.meaning {
            Meaning::Unchecked => format!("'{name}' is unchecked: {}", self.message),
            _ => format!("'{name}': {}", self.message),
        }
    }
}

/// It works. `who` is the user, where Bitbucket says so.
pub(super) fn good(account: &Account, who: Option<String>) -> Verdict {
    let who = who.map_or_else(String::new, |who| format!(" as '{who}'"));
    Verdict {
        meaning: Meaning::Good,
        message: format!("{} knows it{who}", account.host),
        hint: None,
    }
}

pub(super) fn lacks(account: &Account, what: Service) -> Verdict {
    let scope = account.kind().and_then(|kind| kind.git_scope(what));
    let message = match scope {
        Some(scope) => format!("the token works, but cannot {what}: it lacks the scope '{scope}'"),
        None => format!("the token works, but is not allowed to {what}"),
    };
    Meaning::Limited.says(message, make_one(account))
}

pub(super) fn misplaced(account: &Account, place: &Reach) -> Verdict {
    Meaning::Misplaced.says(
        format!("the secret works, but it cannot see '{place}'"),
        format!("check the name, or give it access: {}", page(account)),
    )
}

pub(super) fn wrong_kind(is: Kind, said: Kind) -> Verdict {
    Meaning::Mistaken.says(
        format!("that is {}, not {}", is.noun(), said.noun()),
        format!("sign in with '--kind {is}'"),
    )
}

/// What a repository refuses whose workspace was renamed: git asks for the new name, for which the account is not.
pub(super) fn moved(account: &Account, old: &Reach, new: &Reach) -> Verdict {
    let option = |reach: &Reach| match (reach.contains(old), &reach.repository) {
        (false, _) => format!(" --for {reach}"),
        (true, None) => format!(" --for {}", new.workspace),
        (true, Some(_)) => format!(" --for {new}"),
    };
    let options: BTreeSet<String> = account.reach.iter().map(option).collect();
    let options: String = options.into_iter().collect();
    let name = account.argument();
    Meaning::Limited.says(
        format!(
            "'{old}' was renamed to '{new}', which git then asks for, and the account is not for it"
        ),
        format!("'git credential-bitbucket edit {name}{options}'"),
    )
}

/// A token that Bitbucket takes nowhere, whoever asks.
pub(crate) fn of_a_service_account(secret: &Secret) -> Option<Verdict> {
    bitbucket::is_of_a_service_account(secret).then(|| {
        Meaning::Refused.says(
            "that is the token of a service account, which Bitbucket does not take: it has no scopes for one",
            "make an access token, or an OAuth client: \
             'git credential-bitbucket login --client-id ID --client-credentials'",
        )
    })
}

/// A refusal, with Bitbucket's own reason where it names one.
pub(super) fn refused(account: &Account, answer: &Answer) -> Verdict {
    let page = page(account);
    if bitbucket::lacks_all_scopes(answer) {
        return Meaning::Refused.says(
            "the API token was made without scopes, and Bitbucket takes no such token",
            format!("make one with 'Create API token with scopes', app Bitbucket: {page}"),
        );
    }
    let message = match account.kind() {
        Some(Kind::ApiToken) => {
            let reason = account.email().map_or_else(
                || "has expired or was revoked".to_owned(),
                |email| format!("has expired, was revoked, or is not that of '{email}'"),
            );
            format!("Bitbucket refuses the API token: it was made without scopes, {reason}")
        }
        Some(Kind::AccessToken) => {
            "Bitbucket refuses the access token: it has expired or was revoked".to_owned()
        }
        Some(Kind::Oauth) => "Bitbucket refuses the access token of the OAuth grant".to_owned(),
        _ => format!("{} refuses the user name and the secret", account.host),
    };
    let hint = match account.username() {
        Some(username) if !bitbucket::is_cloud(&account.host) => format!(
            "check that '{username}' is the user name (not the e-mail), or make a new one: {page}"
        ),
        _ => make_one(account),
    };
    Meaning::Refused.says(message, hint)
}

pub(super) fn unchecked(reason: impl Into<String>) -> Verdict {
    Verdict {
        meaning: Meaning::Unchecked,
        message: reason.into(),
        hint: None,
    }
}

pub(super) fn unanswered(account: &Account, error: &http::Error) -> Verdict {
    Meaning::Unchecked.says(
        format!("cannot ask {}: {error}", server(account)),
        error.hint(),
    )
}

/// An answer that says nothing about the secret.
pub(super) fn undecided(account: &Account, status: u16) -> Verdict {
    let server = server(account);
    unchecked(match status {
        429 => format!("{server} limits our requests (429)"),
        _ => format!("{server} answered {status}"),
    })
}

/// Who was asked: of Bitbucket Cloud it may be either of its two hosts.
pub(super) fn server(account: &Account) -> &str {
    if bitbucket::is_cloud(&account.host) {
        "Bitbucket"
    } else {
        account.host.as_str()
    }
}

fn make_one(account: &Account) -> String {
    let to_tick = account.kind().and_then(Kind::scopes_to_tick);
    let to_tick = to_tick.unwrap_or("with access to the repositories");
    format!("make one ({to_tick}): {}", page(account))
}

pub(super) fn page(account: &Account) -> String {
    let kind = account.kind().unwrap_or(Kind::ApiToken);
    if kind == Kind::Oauth {
        // The client's page shows what the grant may do.
        return account.oauth_site().clients_page(&account.reach);
    }
    kind.page(&account.host, account.base_path(), &account.reach)
}
