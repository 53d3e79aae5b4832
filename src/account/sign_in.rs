//! What an account signs in with: a secret of a known kind, a grant, or what git gave.

use serde::{Deserialize, Serialize};

use crate::account::grant::Grant;
use crate::account::row::SignInRow;
use crate::bitbucket::Kind;
use crate::git::username::Username;
use crate::sys::bytes::Bytes;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "SignInRow", into = "SignInRow")]
pub(crate) enum SignIn {
    Known(Known),
    /// OAuth access tokens, which we renew.
    Grant {
        grant: Grant,
        owner: Owner,
    },
    /// What git gave us to keep, as it came: nothing tells its kind.
    Opaque(Opaque),
}

/// Who signs in: git wants the user name, the REST API the e-mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) username: Option<Username>,
    pub(crate) email: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) kind: Kind,
    pub(crate) owner: Owner,
    pub(crate) scheme: Scheme,
    /// Data Center: the path below which the instance lies, with a slash before it.
    pub(crate) base_path: String,
}

/// How git presents a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scheme {
    #[default]
    Basic,
    /// `login` found Basic refused, or the token has no user. A git that knows no Bearer sends it as a password.
    Bearer,
    /// The host refused it as a password, which says nothing about Bearer.
    BearerOnly,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opaque {
    pub(crate) username: Option<Username>,
    /// The path for which git gave it.
    pub(crate) path: Option<Bytes>,
    /// The scheme, where it came in the header form.
    pub(crate) authtype: Option<Bytes>,
}

impl Known {
    /// One that nothing else is known of.
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            owner: Owner::default(),
            scheme: Scheme::default(),
            base_path: String::new(),
        }
    }
}

impl From<Known> for SignIn {
    fn from(known: Known) -> Self {
        Self::Known(known)
    }
}
