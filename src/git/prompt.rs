//! The question that git puts to an askpass program (git 2.47, `credential_ask_one` in credential.c). Such programs take
//! its form apart.

use crate::git::context::Context;

/// What git leaves in a path and in a host as it is, beside letters and digits (strbuf.c, `URL_UNSAFE_CHARS`).
const IN_PATH: &[u8] = b"-._~/";
const IN_HOST: &[u8] = b"-.:[]";

/// The question for a `Username`, or for the `Password` of a user.
pub(crate) fn prompt(what: &str, context: &Context, username: Option<&str>) -> String {
    let encoded = |value: &Option<Vec<u8>>, plain: &[u8]| {
        let bytes = value.iter().flatten().map(|&byte| match byte {
            byte if byte.is_ascii_alphanumeric() || plain.contains(&byte) => {
                char::from(byte).into()
            }
            byte => format!("%{byte:02X}"),
        });
        bytes.collect::<String>()
    };
    let username = username.map_or_else(String::new, |name| format!("{name}@"));
    let host = encoded(&context.host, IN_HOST);
    let path = match encoded(&context.path, IN_PATH) {
        path if path.is_empty() => path,
        path => format!("/{path}"),
    };
    format!("{what} for 'https://{username}{host}{path}': ")
}
