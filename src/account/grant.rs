//! A grant of OAuth 2.0: what of it is no secret.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bitbucket::oauth::{Ended, Flow};

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
