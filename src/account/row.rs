//! An account as `accounts.toml` has it: flat, each key once, and what a newer version wrote beside them.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::account::grant::Grant;
use crate::account::rejection::Rejection;
use crate::account::sign_in::{Known, Opaque, Owner, Scheme, SignIn};
use crate::account::{Account, Origin};
use crate::bitbucket::Kind;
use crate::bitbucket::reach::Reach;
use crate::git::context::Host;
use crate::git::username::Username;
use crate::store;
use crate::sys::bytes::Bytes;

/// The names and their order are those of version 0.1. A key that the account cannot have is dropped.
#[derive(Serialize, Deserialize)]
pub(super) struct AccountRow {
    name: String,
    host: Host,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(rename = "for", default, skip_serializing_if = "Vec::is_empty")]
    reach: Vec<Reach>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    only_username: Option<Bytes>,
    store: store::Name,
    entry: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Date>,
    origin: Origin,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authtype: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_expiry_utc: Option<u64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    context: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    bearer: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    bearer_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<Rejection>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    oauth: Option<Grant>,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        let username = row.username.and_then(Username::of_bytes);
        let owner = |username| Owner {
            username,
            email: row.email,
        };
        let sign_in = match (row.oauth, row.kind) {
            // Trust `oauth` over `kind`, which may have been edited.
            (Some(grant), _) => SignIn::Grant {
                grant,
                owner: owner(username),
            },
            (None, Some(kind)) => SignIn::Known(Known {
                kind,
                owner: owner(username),
                scheme: match (row.bearer, row.bearer_only) {
                    (false, _) => Scheme::Basic,
                    (true, false) => Scheme::Bearer,
                    (true, true) => Scheme::BearerOnly,
                },
                base_path: row.context,
            }),
            (None, None) => SignIn::Opaque(Opaque {
                username,
                path: row.path,
                authtype: row.authtype,
            }),
        };
        Self {
            name: row.name,
            host: row.host,
            sign_in,
            reach: row.reach,
            only_username: row.only_username.and_then(Username::of_bytes),
            store: row.store,
            entry: row.entry,
            expires: row.expires,
            origin: row.origin,
            password_expiry_utc: row.password_expiry_utc,
            rejected: row.rejected,
            other: row.other,
        }
    }
}

impl From<&Account> for AccountRow {
    fn from(account: &Account) -> Self {
        let account = account.clone();
        let kind = account.kind();
        let bytes = |username: Option<Username>| username.map(Username::into_bytes);
        let mut row = Self {
            name: account.name,
            host: account.host,
            kind,
            username: None,
            email: None,
            reach: account.reach,
            only_username: bytes(account.only_username),
            store: account.store,
            entry: account.entry,
            expires: account.expires,
            origin: account.origin,
            path: None,
            authtype: None,
            password_expiry_utc: account.password_expiry_utc,
            context: String::new(),
            bearer: false,
            bearer_only: false,
            rejected: account.rejected,
            oauth: None,
            other: account.other,
        };
        match account.sign_in {
            SignIn::Known(known) => {
                row.username = bytes(known.owner.username);
                row.email = known.owner.email;
                row.context = known.base_path;
                row.bearer = known.scheme != Scheme::Basic;
                row.bearer_only = known.scheme == Scheme::BearerOnly;
            }
            SignIn::Grant { grant, owner } => {
                row.username = bytes(owner.username);
                row.email = owner.email;
                row.oauth = Some(grant);
            }
            SignIn::Opaque(opaque) => {
                row.username = bytes(opaque.username);
                row.path = opaque.path;
                row.authtype = opaque.authtype;
            }
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::AccountRow;
    use crate::account::Account;

    const COMMON: &str = "store = \"file\"\nentry = \"work@bitbucket.org#00000001\"\n";

    /// Every shape that version 0.1 could write.
    const SHAPES: [&str; 8] = [
        "name = \"work\"\nhost = \"bitbucket.org\"\nkind = \"api-token\"\nusername = \"ada\"\nemail = \"ada@example.com\"\n\
         for = [\"acme\", \"beta/app\"]\n{COMMON}expires = \"2027-01-31\"\norigin = \"login\"\n",
        "name = \"work\"\nhost = \"bitbucket.org\"\nkind = \"access-token\"\n{COMMON}origin = \"git\"\ncolour = \"blue\"\n",
        "name = \"work\"\nhost = \"git.corp.example:7990\"\nkind = \"http-access-token\"\nusername = \"j%FCrgen\"\n\
         {COMMON}origin = \"login\"\ncontext = \"/bitbucket\"\nbearer = true\n",
        "name = \"work\"\nhost = \"git.corp.example\"\nkind = \"http-access-token\"\n{COMMON}origin = \"login\"\n\
         bearer = true\nbearer_only = true\n",
        "name = \"work\"\nhost = \"bitbucket.org\"\nkind = \"app-password\"\nusername = \"ada\"\n{COMMON}origin = \"git\"\n\
         password_expiry_utc = 1\n\n[rejected]\nat = \"2026-11-21T12:00:00Z\"\ntimes = 2\n",
        "name = \"work\"\nhost = \"bitbucket.org\"\nkind = \"oauth\"\nusername = \"ada\"\nemail = \"ada@example.com\"\n\
         {COMMON}origin = \"login\"\npassword_expiry_utc = 1\n\n[oauth]\nclient_id = \"key\"\nflow = \"authorization-code\"\n\
         spare = \"x\"\n",
        "name = \"work\"\nhost = \"bitbucket.org\"\nusername = \"ada\"\n{COMMON}origin = \"git\"\npath = \"acme/site.git\"\n\
         password_expiry_utc = 1\n",
        "name = \"work\"\nhost = \"bitbucket.org\"\n{COMMON}origin = \"git\"\nauthtype = \"Bearer\"\n",
    ];

    #[test]
    fn each_account_goes_back_into_the_file_as_it_was() {
        for shape in SHAPES {
            let text = shape.replace("{COMMON}", COMMON);
            let row: AccountRow = toml::from_str(&text).expect("a row");
            let back = toml::to_string(&AccountRow::from(&Account::from(row))).expect("text");
            assert_eq!(back, text);
        }
    }

    #[test]
    fn a_grant_stays_one_when_its_kind_was_edited() {
        let text = SHAPES[5].replace("{COMMON}", COMMON);
        let edited = text.replace("kind = \"oauth\"", "kind = \"api-token\"");
        let row: AccountRow = toml::from_str(&edited).expect("a row");
        let back = toml::to_string(&AccountRow::from(&Account::from(row))).expect("text");
        assert_eq!(back, text);
    }
}
