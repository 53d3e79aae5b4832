//! What git needs a credential for: protocol, host, path and user name (gitcredentials(7), "CREDENTIAL CONTEXTS").

use std::fmt;
use std::str::FromStr;

use crate::sys::words::serde_as_text;

/// What git leaves in a path and in a host as it is, beside letters and digits (strbuf.c, `URL_UNSAFE_CHARS`).
const IN_PATH: &[u8] = b"-._~/";
const IN_HOST: &[u8] = b"-.:[]";

/// The attributes of the wanted credential, as git sent them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    pub(crate) protocol: Option<Vec<u8>>,
    pub(crate) host: Option<Vec<u8>>,
    /// Only sent when `credential.useHttpPath` is set for the host.
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) username: Option<Vec<u8>>,
}

impl Context {
    /// The host, if a secret may be sent to it: over https, to a host that is named and well-formed.
    ///
    /// A missing host means "not ours", never "any" (CVE-2020-11008). git also asks for `protocol=http`, which would
    /// send the secret in clear text.
    pub(crate) fn https_host(&self) -> Option<Host> {
        if self.protocol.as_deref() != Some(b"https") {
            return None;
        }
        let host = std::str::from_utf8(self.host.as_deref()?).ok()?;
        host.parse().ok()
    }

    /// git's own question for a `Username`, or for the `Password` of a user (git 2.47, `credential_ask_one` in
    /// credential.c). Askpass programs take its form apart.
    pub(crate) fn prompt(&self, what: &str, username: Option<&str>) -> String {
        let encoded = |value: &Option<Vec<u8>>, plain: &[u8]| -> String {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || plain.contains(&byte);
            let bytes = value.iter().flatten().map(|&byte| match byte {
                byte if is_plain(byte) => char::from(byte).into(),
                byte => format!("%{byte:02X}"),
            });
            bytes.collect()
        };
        let username = username.map_or_else(String::new, |name| format!("{name}@"));
        let host = encoded(&self.host, IN_HOST);
        let path = encoded(&self.path, IN_PATH);
        let slash = if path.is_empty() { "" } else { "/" };
        format!("{what} for 'https://{username}{host}{slash}{path}': ")
    }
}

/// A host with its port, normalised: lower case, without `:443`, the default port of https.
///
/// Hosts are compared as a whole. Only a plain host name with an optional port is a host: a lookalike
/// (`bitbucket.org/.evil.example`, a trailing blank, a percent sign) is never compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Host(String);

impl Host {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the port; an IPv6 address keeps its brackets.
    pub(crate) fn name(&self) -> &str {
        name_and_port(&self.0).0
    }
}

fn name_and_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        // A colon within the brackets of an IPv6 address starts no port.
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (text, None),
    }
}

impl FromStr for Host {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.to_ascii_lowercase();
        let (name, port) = name_and_port(&lower);
        let address = name.strip_prefix('[');
        let address = address.and_then(|rest| rest.strip_suffix(']'));
        let is_of_address = |byte: u8| byte.is_ascii_hexdigit() || b":.".contains(&byte);
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let is_well_formed = match address {
            Some(address) => address.bytes().all(is_of_address),
            None => name.bytes().all(is_of_name),
        };
        let is_port = |port: &str| port.parse::<u16>().is_ok_and(|it| it.to_string() == port);
        match port {
            _ if name.is_empty() || !is_well_formed => {}
            None | Some("443") => return Ok(Self(name.to_owned())),
            Some(port) if is_port(port) => return Ok(Self(lower)),
            Some(_) => {}
        }
        Err("not a host name with an optional port, such as 'git.corp.example:7990'")
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(Host);

#[cfg(test)]
mod tests {
    use super::{Context, Host};

    fn host(text: &str) -> Option<String> {
        text.parse::<Host>().ok().map(|host| host.to_string())
    }

    #[test]
    fn case_and_the_default_port_make_no_difference() {
        for text in ["bitbucket.org", "BitBucket.ORG", "bitbucket.org:443"] {
            assert_eq!(host(text).as_deref(), Some("bitbucket.org"), "{text}");
        }
        assert_eq!(
            host("git.corp.example:7990").as_deref(),
            Some("git.corp.example:7990")
        );
        assert_eq!(host("[::1]:7990").as_deref(), Some("[::1]:7990"));
    }

    #[test]
    fn lookalikes_are_other_hosts_or_none() {
        let lookalikes = [
            "bitbucket.org.evil.example",
            "evilbitbucket.org",
            "bitbucket.org.",
            "bitbucket.org:8443",
            "bitbucket.org/.evil.example",
            "bitbucket.org#.evil.example",
            "bitbucket.org ",
            " bitbucket.org",
            "bitbucket%2eorg",
            "b\u{456}tbucket.org",
            "bitbucket.org:",
            "bitbucket.org:0443",
            "bitbucket.org:443:443",
            "user@bitbucket.org",
            "bitbucket.org\0",
            "",
            ":443",
        ];
        for text in lookalikes {
            assert_ne!(host(text).as_deref(), Some("bitbucket.org"), "{text:?}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_a_port_written_one_way() {
        for text in [
            "a-b_c.example",
            "localhost",
            "git.corp.example:0",
            "git.corp.example:65535",
            "[::1]",
            "[::1]:1",
            "[::ffff:192.0.2.1]",
            "192.0.2.1:7990",
        ] {
            let host: Host = text.parse().expect(text);
            assert_eq!(host.as_str(), text);
        }
        for text in [
            "",
            ":443",
            ":7990",
            "[::1]:",
            "[::g]",
            "[::1%eth0]",
            "[::1]x",
            "x[::1]",
            "::1",
            "a b",
            "a@b",
            "a/b",
            "git.corp.example:",
            "git.corp.example:65536",
            "git.corp.example:07990",
            "git.corp.example:0443",
            "git.corp.example:+443",
            "git.corp.example: 443",
            "git.corp.example:443:443",
        ] {
            assert_eq!(host(text), None, "{text:?}");
        }
        assert_eq!(host("[::1]:443").as_deref(), Some("[::1]"));
        assert_eq!(host("[ABCD::1]").as_deref(), Some("[abcd::1]"));
    }

    #[test]
    fn the_name_of_a_host_has_no_port() {
        for (text, name) in [
            ("git.corp.example", "git.corp.example"),
            ("git.corp.example:7990", "git.corp.example"),
            ("[::1]", "[::1]"),
            ("[::1]:7990", "[::1]"),
        ] {
            let host: Host = text.parse().expect(text);
            assert_eq!(host.name(), name);
        }
    }

    #[test]
    fn only_https_has_a_host() {
        let context = |protocol: Option<&str>| Context {
            protocol: protocol.map(|protocol| protocol.as_bytes().to_vec()),
            host: Some(b"bitbucket.org".to_vec()),
            ..Context::default()
        };
        let found = context(Some("https")).https_host();
        assert_eq!(found.expect("a host").as_str(), "bitbucket.org");
        for protocol in [None, Some("http"), Some("HTTPS"), Some(""), Some("https ")] {
            assert!(context(protocol).https_host().is_none(), "{protocol:?}");
        }
    }
}
