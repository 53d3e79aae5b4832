//! A grant of OAuth 2.0: what of it is no secret.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A grant of OAuth 2.0: all but its secrets, and how the last renewal of its access token went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// The key of the consumer.
    pub(crate) client_id: String,
    pub(crate) flow: Flow,
    /// Since when the refresh token is on its way to Bitbucket. Written before it is sent, and gone with the answer: what
    /// is left behind by a dead process says that the token may have been used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sent: Option<Timestamp>,
    /// It was sent a second time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) sent_again: bool,
    /// Nothing more is to be had of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<Ended>,
    /// When a renewal last failed for a reason that may pass: whoever waited for it meanwhile takes its word for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<Timestamp>,
    /// The entry into which a renewal puts the new tokens, and after it the one of the old tokens. Written before there
    /// is anything in it, so that what a dead process left in the store is found again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) spare: Option<String>,
}

impl Grant {
    pub(crate) fn new(client_id: String, flow: Flow) -> Self {
        Self {
            client_id,
            flow,
            sent: None,
            sent_again: false,
            ended: None,
            failed: None,
            spare: None,
        }
    }

    /// The same as if nothing had been asked with it yet.
    pub(crate) fn rested(&self) -> Self {
        Self {
            sent: None,
            sent_again: false,
            ended: None,
            failed: None,
            ..self.clone()
        }
    }
}

/// How access tokens are come by (RFC 6749).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Flow {
    /// Somebody signed in with a browser; the refresh token does the rest.
    AuthorizationCode,
    /// The consumer acts for itself; there is no refresh token.
    ClientCredentials,
}

/// Why a grant gives no more tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ended {
    /// `invalid_grant`
    Grant,
    /// `unauthorized_client`, `invalid_client`
    Client,
    /// The answer with the new refresh token was lost.
    Lost,
}

impl Ended {
    /// The same in half a sentence.
    pub(crate) fn reason(self, flow: Flow) -> &'static str {
        match (self, flow) {
            (Self::Grant, Flow::AuthorizationCode) => {
                "Bitbucket has ended the grant (invalid_grant): it was revoked, or not used for three months"
            }
            (Self::Grant, Flow::ClientCredentials) => {
                "Bitbucket gives the OAuth consumer no token (invalid_grant): it is not marked 'private'"
            }
            (Self::Client, Flow::AuthorizationCode) => {
                "Bitbucket refuses the OAuth consumer (unauthorized_client): its key or secret has changed, or the \
                 refresh token was used elsewhere"
            }
            (Self::Client, Flow::ClientCredentials) => {
                "Bitbucket refuses the OAuth consumer (unauthorized_client): its key or secret has changed"
            }
            (Self::Lost, _) => "the last renewal broke off, and the new refresh token is lost",
        }
    }
}
