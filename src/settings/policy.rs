//! The machine's policy: `[policy]` in the machine's `config.toml`. No user can override it, and an unreadable policy
//! forbids everything.
//!
//! These functions ask it:
//! - before a secret is used: `answer::decide`, and `Session::secret_of`;
//! - before a secret is stored: `Session::keep`, and no other function stores one;
//! - before a user types a secret, or a secret is removed from a file: `Session::objection_to_keeping`.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::account::{Account, Origin};
use crate::bitbucket::{self, Kind};
use crate::git::Host;
use crate::settings::toml_file;
use crate::settings::toml_file::MachineFile;
use crate::store::Name;
use crate::sys::{Hinted, Secret};

/// The rules. A missing rule allows everything. An unknown key is an error: it may forbid something.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Policy {
    stores: Option<Vec<Name>>,
    kinds: Option<Vec<Kind>>,
    require_expiry: bool,
    hosts: Option<Vec<Host>>,
    /// Whether a variable may have any certificate taken for Vault's.
    pub(crate) skip_verify: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SystemFile {
    policy: Policy,
}

impl Policy {
    /// Fails when the file cannot be parsed: then nothing is allowed.
    pub(crate) fn read(machine: &MachineFile) -> Result<Self> {
        Self::parse(&machine.path, &machine.content).context(toml_file::not_known())
    }

    pub(crate) fn parse(path: &Path, content: &[u8]) -> Result<Self> {
        Ok(toml_file::parse::<SystemFile>(path, content)?.policy)
    }

    pub(crate) fn allows_store(&self, store: Name) -> bool {
        (self.stores.as_ref()).is_none_or(|stores| stores.contains(&store))
    }

    pub(crate) fn allows_host(&self, host: &Host) -> bool {
        let home = bitbucket::home_of(host);
        let is_home = |allowed: &Host| bitbucket::home_of(allowed) == home;
        let hosts = self.hosts.as_ref();
        hosts.is_none_or(|hosts| hosts.iter().any(is_home))
    }

    pub(crate) fn objection(&self, account: &Account) -> Option<Objection> {
        let has_end = account.expires.is_some() || account.password_expiry_utc.is_some();
        let of_host = (!self.allows_host(&account.host)).then(|| Objection {
            what: format!("the host {}", account.host),
            rule: Rule::Hosts,
            allowed: listed(self.hosts.as_deref().unwrap_or_default()),
        });
        of_host
            .or_else(|| self.objection_to_store(account.store))
            .or_else(|| self.objection_to_kind(account.kind()))
            .or_else(|| self.objection_to_end(has_end, account.kind()))
    }

    /// What a secret's own start says counts, whatever its account is called.
    pub(crate) fn objection_to_secret(&self, secret: &Secret, host: &Host) -> Option<Objection> {
        let told = Kind::of_secret(secret, host)?;
        self.objection_to_kind(Some(told))
    }

    pub(crate) fn objection_to_store(&self, store: Name) -> Option<Objection> {
        (!self.allows_store(store)).then(|| Objection {
            what: format!("the store '{store}'"),
            ..self.objection_to_keeping()
        })
    }

    /// No store that can keep a secret is allowed.
    pub(crate) fn objection_to_keeping(&self) -> Objection {
        let keeping = Name::keeping().filter(|store| self.allows_store(*store));
        Objection {
            what: "a secret to be kept".to_owned(),
            rule: Rule::Stores {
                all: listed(self.stores.as_deref().unwrap_or_default()),
            },
            allowed: listed(&keeping.collect::<Vec<_>>()),
        }
    }

    /// A credential of unknown kind may be of a forbidden one.
    pub(crate) fn objection_to_kind(&self, kind: Option<Kind>) -> Option<Objection> {
        let kinds = self.kinds.as_ref()?;
        let what = match kind {
            Some(kind) if kinds.contains(&kind) => return None,
            Some(kind) => format!("the kind '{kind}'"),
            None => "a credential of an unknown kind".to_owned(),
        };
        Some(Objection {
            what,
            rule: Rule::Kinds,
            allowed: listed(kinds),
        })
    }

    /// OAuth access tokens always expire. API tokens do too, but no server tells when.
    pub(crate) fn objection_to_end(&self, is_known: bool, kind: Option<Kind>) -> Option<Objection> {
        let has_end = is_known || kind == Some(Kind::Oauth);
        (self.require_expiry && !has_end).then(|| Objection {
            what: "a secret without an expiry date".to_owned(),
            rule: Rule::RequireExpiry,
            allowed: String::new(),
        })
    }

    pub(crate) fn allows_kind(&self, kind: Kind) -> bool {
        (self.kinds.as_ref()).is_none_or(|kinds| kinds.contains(&kind))
    }

    pub(crate) fn describe(&self) -> Option<String> {
        fn rule<T: ToString>(name: &str, allowed: Option<&Vec<T>>) -> Option<String> {
            Some(match allowed?.as_slice() {
                [] => format!("no {name}"),
                allowed => format!("{name} {}", listed(allowed)),
            })
        }
        let rules = [
            rule("stores", self.stores.as_ref()),
            rule("kinds", self.kinds.as_ref()),
            rule("hosts", self.hosts.as_ref()),
            self.require_expiry
                .then(|| "secrets with an expiry date".to_owned()),
            (self.skip_verify == Some(false)).then(|| "Vault with a certificate".to_owned()),
        ];
        let rules: Vec<String> = rules.into_iter().flatten().collect();
        (!rules.is_empty()).then(|| rules.join("; "))
    }
}

fn listed<T: ToString>(allowed: &[T]) -> String {
    let names: Vec<String> = allowed.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// What is forbidden, by which rule, and what the rule allows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Objection {
    /// Half a sentence.
    what: String,
    rule: Rule,
    /// Of the stores those that can keep a secret.
    allowed: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Rule {
    Hosts,
    Kinds,
    RequireExpiry,
    Stores {
        /// With those that are only looked into.
        all: String,
    },
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the policy of this machine does not allow {}", self.what)
    }
}

impl Objection {
    /// The error when a secret cannot be stored; its hint says what can.
    pub(crate) fn to_keeping(&self) -> anyhow::Error {
        let hint = match (&self.rule, self.allowed.as_str()) {
            (Rule::RequireExpiry, _) => "give the expiry date: '--expires YYYY-MM-DD'".to_owned(),
            (Rule::Stores { all }, "") if !all.is_empty() => {
                format!("put the secret where the policy allows a lookup: {all}")
            }
            (_, "") => SHOWN.to_owned(),
            (Rule::Kinds, kinds) => format!("give a secret of a kind that it allows: {kinds}"),
            (Rule::Hosts, hosts) => format!("sign in to a host that it allows: {hosts}"),
            (Rule::Stores { .. }, stores) => {
                format!("choose a store that it allows with '--store': {stores}")
            }
        };
        Hinted::new(self.to_string(), hint).into()
    }

    /// That a forbidden account is not used, and the act after which it would answer, or no longer be in the way.
    pub(crate) fn to_using(&self, account: &Account) -> Hinted {
        let name = account.argument();
        let fix = match (account.origin, &self.rule, self.allowed.as_str()) {
            (Origin::Variable(variable), ..) => format!("unset {variable}"),
            // It stands for the store, which is not asked.
            (Origin::Source(store), Rule::Stores { .. }, _) => {
                let fix = format!("take '{store}' out of 'lookup' in config.toml");
                return Hinted::new(self.to_string(), fix);
            }
            (Origin::Source(_), ..) => SHOWN.to_owned(),
            (_, Rule::RequireExpiry, _) => {
                format!("'git credential-bitbucket edit {name} --expires YYYY-MM-DD' adds the date")
            }
            (_, Rule::Hosts, _) | (.., "") => {
                format!("'git credential-bitbucket logout {name}' removes it")
            }
            (_, Rule::Kinds, kinds) => format!(
                "'git credential-bitbucket login {name}' replaces it: the policy allows {kinds}"
            ),
            (_, Rule::Stores { .. }, stores) => {
                let store = stores.split(", ").next().unwrap_or_default();
                format!("'git credential-bitbucket edit {name} --store {store}' moves its secret")
            }
        };
        Hinted::new(format!("'{}' is not used: {self}", account.name), fix)
    }
}

const SHOWN: &str = "'git credential-bitbucket doctor' shows what it allows";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Policy;
    use crate::account::sign_in::{Known, Opaque, SignIn};
    use crate::account::{Account, Origin};
    use crate::bitbucket::{Kind, cloud};
    use crate::store::Name;

    fn policy(rules: &str) -> Policy {
        let text = format!("[policy]\n{rules}\n");
        Policy::parse(Path::new("config.toml"), text.as_bytes()).expect("a policy")
    }

    fn account(kind: Option<Kind>) -> Account {
        let sign_in = kind.map_or_else(
            || SignIn::Opaque(Opaque::default()),
            |kind| Known::new(kind).into(),
        );
        Account::new("work".to_owned(), cloud(), Origin::Login, sign_in)
    }

    #[test]
    fn a_secret_has_an_end_when_a_user_or_the_server_says_so_and_what_oauth_gives_always_has() {
        let policy = policy("require_expiry = true");
        let is_allowed = |account: &Account| policy.objection(account).is_none();
        for kind in Kind::ALL.map(Some).into_iter().chain([None]) {
            let mut account = account(kind);
            assert_eq!(is_allowed(&account), kind == Some(Kind::Oauth), "{kind:?}");
            account.expires = "2027-01-31".parse().ok();
            assert!(is_allowed(&account), "{kind:?}");
            account.expires = None;
            account.password_expiry_utc = Some(1);
            assert!(is_allowed(&account), "{kind:?}");
        }
    }

    #[test]
    fn what_is_not_said_is_allowed_and_an_empty_list_allows_nothing() {
        for (rules, is_allowed) in [("", true), ("stores = []", false)] {
            let policy = policy(rules);
            for store in Name::ALL {
                let account = Account {
                    store,
                    ..account(None)
                };
                assert_eq!(policy.objection(&account).is_none(), is_allowed);
            }
        }
        assert!(policy("").describe().is_none());
        let all = format!(
            "stores = {:?}\nkinds = {:?}",
            Name::ALL.map(Name::as_str),
            Kind::ALL.map(Kind::as_str)
        );
        let policy = policy(&all);
        for kind in Kind::ALL {
            assert!(policy.objection(&account(Some(kind))).is_none());
        }
        assert!(policy.objection(&account(None)).is_some());
    }
}
