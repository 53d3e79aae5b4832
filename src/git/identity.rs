//! How a secret is presented: what goes into the `Authorization` header, or what git makes it of.

use base64ct::{Base64, Encoding as _};

use crate::git::username::Username;
use crate::sys::Secret;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// User name and password. Every git and git-lfs understands them.
    Basic { username: Vec<u8>, password: Secret },
    /// `AUTHTYPE CREDENTIAL`. git takes them where it offers `capability[]=authtype`.
    Header {
        authtype: Vec<u8>,
        credential: Secret,
    },
}

impl Identity {
    pub(crate) fn basic(username: &[u8], password: Secret) -> Self {
        let username = username.to_vec();
        Self::Basic { username, password }
    }

    pub(crate) fn header(authtype: &[u8], credential: Secret) -> Self {
        let authtype = authtype.to_vec();
        Self::Header {
            authtype,
            credential,
        }
    }

    pub(crate) fn bearer(credential: Secret) -> Self {
        Self::header(b"Bearer", credential)
    }

    /// The value of the `Authorization` header (RFC 7617, RFC 6750); nothing in it is percent-encoded.
    pub(crate) fn authorization(&self) -> Secret {
        match self {
            Self::Basic { username, password } => {
                let pair = Secret::new([username, &b":"[..], password.expose()].concat());
                let encoded = Secret::new(Base64::encode_string(pair.expose()).into_bytes());
                Secret::new([b"Basic ", encoded.expose()].concat())
            }
            Self::Header {
                authtype,
                credential,
            } => Secret::new([authtype, &b" "[..], credential.expose()].concat()),
        }
    }
}

/// The user name and the password in what follows `Basic`.
pub(crate) fn of_basic(credential: &str) -> Option<(Option<Username>, Secret)> {
    let pair = Base64::decode_vec(credential).ok().map(Secret::new)?;
    let colon = pair.expose().iter().position(|&byte| byte == b':')?;
    let (username, password) = pair.expose().split_at(colon);
    let password = Secret::new(password[1..].to_vec());
    (!password.is_empty()).then(|| (Username::new(username), password))
}

#[cfg(test)]
mod tests {
    use super::Identity;
    use crate::sys::secret::Secret;

    #[test]
    fn basic_is_encoded_as_rfc_7617_says() {
        let identity = Identity::Basic {
            username: b"Aladdin".to_vec(),
            password: Secret::new(b"open sesame".to_vec()),
        };
        assert_eq!(
            identity.authorization().expose(),
            b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
        assert_eq!(
            Identity::bearer(Secret::new(b"t".to_vec()))
                .authorization()
                .expose(),
            b"Bearer t"
        );
    }
}
