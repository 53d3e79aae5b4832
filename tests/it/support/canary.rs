//! Whether a secret of the tests is where it must not be.

use base64ct::{Base64, Encoding as _};

use super::harness::{ACCESS_TOKEN, API_TOKEN, APP_PASSWORD};

/// What must not be found: the secrets, and how Basic would encode them.
fn canaries() -> Vec<Vec<u8>> {
    let mut all = vec![b"canary".to_vec()];
    for secret in [API_TOKEN, ACCESS_TOKEN, APP_PASSWORD] {
        for name in [
            "x-bitbucket-api-token-auth",
            "x-token-auth",
            "ada",
            "ada@example.com",
        ] {
            all.push(Base64::encode_string(format!("{name}:{secret}").as_bytes()).into_bytes());
        }
        all.push(
            Base64::encode_string(secret.as_bytes())
                .trim_end_matches('=')
                .as_bytes()[..40]
                .to_vec(),
        );
    }
    all
}

/// Whether a secret is in this, as it is or as Basic would encode it.
pub(crate) fn leaks(content: &[u8]) -> bool {
    canaries()
        .iter()
        .any(|canary| content.windows(canary.len()).any(|window| window == canary))
}
