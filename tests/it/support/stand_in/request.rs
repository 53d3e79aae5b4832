//! What the stand-in remembers of a request.

use base64ct::{Base64, Encoding};

/// A request as it arrived, and how it was answered.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The host and port of the tunnel, or of the refused address: `bitbucket.org:443`.
    pub(crate) host: String,
    /// `GET`, `POST`, …, and `CONNECT` for a tunnel that was refused.
    pub(crate) method: String,
    /// The path as sent, without the query.
    pub(crate) path: String,
    /// What followed the question mark, or nothing.
    pub(crate) query: String,
    /// What the request said about who sends it.
    pub(crate) authorization: Option<Authorization>,
    /// The body, if it is JSON or a form, as the REST and OAuth endpoints take.
    pub(crate) body: String,
    /// The `User-Agent`, which tells git, git-lfs and the helper apart.
    pub(crate) agent: String,
    /// The answer, unless the stand-in was told to keep silent.
    pub(crate) status: Option<u16>,
    /// Whether it was for a host the stand-in does not play, or not over TLS.
    pub(crate) refused: bool,
}

impl Request {
    /// The user name sent, empty for Bearer, none if the request bore no credential.
    pub(crate) fn user(&self) -> Option<&str> {
        self.authorization.as_ref().map(Authorization::user)
    }

    /// The password or token sent, none if the request bore no credential.
    pub(crate) fn secret(&self) -> Option<&str> {
        self.authorization.as_ref().map(Authorization::secret)
    }
}

/// A decoded `Authorization` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Authorization {
    /// RFC 7617: the pair is cut at the first colon.
    Basic { user: String, secret: String },
    /// RFC 6750.
    Bearer(String),
    /// Anything else, or a Basic header that cannot be decoded, as sent.
    Other(String),
}

impl Authorization {
    /// Decodes the value of an `Authorization` header.
    pub(super) fn parse(value: &str) -> Self {
        let other = || Self::Other(value.to_owned());
        let Some((scheme, rest)) = value.split_once(' ') else {
            return other();
        };
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => Self::decode_basic(rest.trim()).unwrap_or_else(other),
            "bearer" => Self::Bearer(rest.trim().to_owned()),
            _ => other(),
        }
    }

    /// `Basic`, `Bearer`, or the whole of an unknown header.
    pub(crate) fn scheme(&self) -> &str {
        match self {
            Self::Basic { .. } => "Basic",
            Self::Bearer(_) => "Bearer",
            Self::Other(value) => value,
        }
    }

    /// The user name, empty where the scheme has none.
    pub(crate) fn user(&self) -> &str {
        match self {
            Self::Basic { user, .. } => user,
            Self::Bearer(_) | Self::Other(_) => "",
        }
    }

    /// The password or token.
    pub(crate) fn secret(&self) -> &str {
        match self {
            Self::Basic { secret, .. } | Self::Bearer(secret) => secret,
            Self::Other(_) => "",
        }
    }

    fn decode_basic(encoded: &str) -> Option<Self> {
        let decoded = String::from_utf8(Base64::decode_vec(encoded).ok()?).ok()?;
        let (user, secret) = decoded.split_once(':')?;
        Some(Self::Basic {
            user: user.to_owned(),
            secret: secret.to_owned(),
        })
    }
}
