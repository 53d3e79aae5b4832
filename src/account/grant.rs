//! An OAuth 2.0 grant, without its secrets, and how the last renewal of its access token went.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::bitbucket::oauth::{Ended, Flow, LATER};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// The ID of the OAuth client.
    pub(crate) client_id: String,
    pub(crate) flow: Flow,
    /// When the refresh token was sent to Bitbucket. Written before it is sent, removed after the answer: a dead process
    /// leaves it behind, and then the token may have been used.
    pub(crate) sent: Option<Timestamp>,
    /// A renewal brought a new refresh token: the old one must not be used after its time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) rotates: bool,
    /// When Bitbucket first answered with a refusal that may pass. The next one ends the grant, after [`LATER`].
    pub(crate) refused: Option<Timestamp>,
    /// It yields no new token, for this reason.
    pub(crate) ended: Option<Ended>,
    /// When a renewal last failed for a reason that may pass. A process that waited for it does not try again.
    pub(crate) failed: Option<Timestamp>,
    /// The entry for the next tokens; after a renewal, the entry of the old ones. Written before the entry is filled, so
    /// that tokens which a dead process stored are found.
    pub(crate) spare: Option<String>,
}

impl Grant {
    pub(crate) fn new(client_id: String, flow: Flow) -> Self {
        Self {
            client_id,
            flow,
            sent: None,
            rotates: false,
            refused: None,
            ended: None,
            failed: None,
            spare: None,
        }
    }

    /// How long the grant rests after a refusal that may pass.
    pub(crate) fn rest(&self, now: Timestamp) -> Option<SignedDuration> {
        let since = now.duration_since(self.refused?).abs();
        (since < LATER).then(|| LATER - since)
    }

    /// The grant without the notes of earlier renewals.
    pub(crate) fn rested(&self) -> Self {
        Self {
            spare: self.spare.clone(),
            rotates: self.rotates,
            ..Self::new(self.client_id.clone(), self.flow)
        }
    }
}
