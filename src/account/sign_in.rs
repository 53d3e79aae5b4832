//! What an account signs in with: a secret of a known kind, or what git gave.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, Serializer};

use crate::bitbucket::Kind;
use crate::bitbucket::oauth::{Ended, Flow, LATER};
use crate::sys::Bytes;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "SignInRow", untagged)]
pub(crate) enum SignIn {
    Known(Known),
    /// What git gave us to keep, as it came: nothing tells its kind.
    Opaque(Opaque),
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Known {
    pub(crate) kind: Kind,
    /// Data Center: the path below which the instance lies, with a slash before it.
    #[serde(rename = "context", skip_serializing_if = "String::is_empty")]
    pub(crate) base_path: String,
    #[serde(flatten)]
    pub(crate) scheme: Scheme,
    /// Of OAuth: its secret is an access token, which we renew.
    #[serde(rename = "oauth")]
    pub(crate) grant: Option<Grant>,
}

/// An OAuth 2.0 grant, without its secrets, and how the last renewal of its access token went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// How long the grant rests after a refusal that may pass.
    pub(crate) fn rest(&self, now: Timestamp) -> Option<SignedDuration> {
        let since = now.duration_since(self.refused?).abs();
        (since < LATER).then(|| LATER - since)
    }

    /// The grant without the notes of earlier renewals.
    pub(crate) fn rested(&self) -> Self {
        Self {
            client_id: self.client_id.clone(),
            flow: self.flow,
            rotates: self.rotates,
            spare: self.spare.clone(),
            ..Self::default()
        }
    }
}

/// How git presents a secret, the most restricted way last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scheme {
    #[default]
    Basic,
    /// `login` found Basic refused, or the token has no user. A git that knows no Bearer sends it as a password.
    Bearer,
    /// The host refused it as a password, which says nothing about Bearer.
    BearerOnly,
}

impl Serialize for Scheme {
    fn serialize<S: Serializer>(&self, file: S) -> Result<S::Ok, S::Error> {
        let bearer = (*self != Self::Basic).then_some(("bearer", true));
        let only = (*self == Self::BearerOnly).then_some(("bearer_only", true));
        file.collect_map(bearer.into_iter().chain(only))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Opaque {
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
            scheme: Scheme::default(),
            base_path: String::new(),
            grant: None,
        }
    }
}

impl From<Known> for SignIn {
    fn from(known: Known) -> Self {
        Self::Known(known)
    }
}

/// All keys of both, with the names of version 0.1. A key that the account cannot have is dropped.
#[derive(Deserialize)]
struct SignInRow {
    kind: Option<Kind>,
    path: Option<Bytes>,
    authtype: Option<Bytes>,
    #[serde(default)]
    context: String,
    #[serde(default)]
    bearer: bool,
    #[serde(default)]
    bearer_only: bool,
    oauth: Option<Grant>,
}

impl From<SignInRow> for SignIn {
    fn from(row: SignInRow) -> Self {
        // Trust `oauth` over `kind`, which may have been edited.
        let kind = row.oauth.as_ref().map(|_| Kind::Oauth).or(row.kind);
        match kind {
            Some(kind) => Self::Known(Known {
                kind,
                scheme: match (row.bearer, row.bearer_only) {
                    (false, _) => Scheme::Basic,
                    (true, false) => Scheme::Bearer,
                    (true, true) => Scheme::BearerOnly,
                },
                base_path: row.context,
                grant: row.oauth,
            }),
            None => Self::Opaque(Opaque {
                path: row.path,
                authtype: row.authtype,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::account::Account;

    const COMMON: &str = "store = \"file\"\nentry = \"work@bitbucket.org#00000001\"\n";

    /// Every shape that version 0.1 could write.
    const SHAPES: [&str; 8] = [
        "name = \"work\"\nhost = \"bitbucket.org\"\nusername = \"ada\"\nemail = \"ada@example.com\"\nkind = \"api-token\"\n\
         for = [\"acme\", \"beta/app\"]\n{COMMON}expires = \"2027-01-31\"\norigin = \"login\"\n",
        "name = \"work\"\nhost = \"bitbucket.org\"\nkind = \"access-token\"\n{COMMON}origin = \"git\"\ncolour = \"blue\"\n",
        "name = \"work\"\nhost = \"git.corp.example:7990\"\nusername = \"j%FCrgen\"\nkind = \"http-access-token\"\n\
         context = \"/bitbucket\"\nbearer = true\n{COMMON}origin = \"login\"\n",
        "name = \"work\"\nhost = \"git.corp.example\"\nkind = \"http-access-token\"\n\
         bearer = true\nbearer_only = true\n{COMMON}origin = \"login\"\n",
        "name = \"work\"\nhost = \"bitbucket.org\"\nusername = \"ada\"\nkind = \"app-password\"\n{COMMON}origin = \"git\"\n\
         password_expiry_utc = 1\n\n[rejected]\nat = \"2026-11-21T12:00:00Z\"\ntimes = 2\n",
        "name = \"work\"\nhost = \"bitbucket.org\"\nusername = \"ada\"\nemail = \"ada@example.com\"\nkind = \"oauth\"\n\
         {COMMON}origin = \"login\"\npassword_expiry_utc = 1\n\n[oauth]\nclient_id = \"key\"\nflow = \"authorization-code\"\n\
         spare = \"x\"\n",
        "name = \"work\"\nhost = \"bitbucket.org\"\nusername = \"ada\"\npath = \"acme/site.git\"\n{COMMON}origin = \"git\"\n\
         password_expiry_utc = 1\n",
        "name = \"work\"\nhost = \"bitbucket.org\"\nauthtype = \"Bearer\"\n{COMMON}origin = \"git\"\n",
    ];

    #[test]
    fn each_account_goes_back_into_the_file_as_it_was() {
        for shape in SHAPES {
            let text = shape.replace("{COMMON}", COMMON);
            let account: Account = toml::from_str(&text).expect("an account");
            let back = toml::to_string(&account).expect("text");
            assert_eq!(back, text);
        }
    }

    #[test]
    fn a_grant_stays_one_when_its_kind_was_edited() {
        let text = SHAPES[5].replace("{COMMON}", COMMON);
        let edited = text.replace("kind = \"oauth\"", "kind = \"api-token\"");
        let account: Account = toml::from_str(&edited).expect("an account");
        let back = toml::to_string(&account).expect("text");
        assert_eq!(back, text);
    }
}
