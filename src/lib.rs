//! A git credential helper for Bitbucket.
//!
//! `helper::answer` shows the data's way: git's attributes on stdin become a request, `answer::decide` finds the account
//! and its secret, and the reply goes to stdout in one piece.

mod account;
mod answer;
mod bitbucket;
mod cli;
#[cfg(feature = "fuzzing")]
#[path = "../tests/fuzzing.rs"]
pub mod fuzz;
mod git;
mod helper;
mod settings;
mod store;
mod sys;

use std::process::ExitCode;

use crate::helper::Operation;
use crate::sys::{error, hardening, message, trace};

// musl's own allocator maps and unmaps pages all the time, which took a tenth of the time of a `get`.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Answers git, or does what somebody typed.
#[must_use]
pub fn main() -> ExitCode {
    hardening::keep_to_itself();
    error::mask_with(bitbucket::masked);
    trace::start();
    match Operation::of_arguments() {
        Some((operation, only)) => match helper::answer(operation, only.as_deref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => helper::report(operation, &error),
        },
        None => cli::run().unwrap_or_else(|error| message::report(&error, true)),
    }
}

#[cfg(test)]
mod tests {
    use crate::account::sign_in::Known;
    use crate::account::{Account, Kept, Origin};
    use crate::answer::found::Found;
    use crate::bitbucket::{Kind, cloud};
    use crate::cli::takeover::Credential;
    use crate::git::identity::Identity;
    use crate::git::protocol::{Reply, Request};
    use crate::sys::secret::Secret;

    #[test]
    fn no_debug_shows_a_secret() {
        let text = "protocol=https\nhost=bitbucket.org\nusername=ada\npassword=canary\ncredential=canary\n\
                    oauth_refresh_token=canary\n";
        let request = Request::read(&mut text.as_bytes()).expect("a request");
        let secret = || Secret::new(b"canary".to_vec());
        let kept = || Kept {
            secret: secret(),
            oauth_refresh_token: Some(secret()),
            client_secret: Some(secret()),
        };
        let mut shown = vec![format!("{request:?}"), format!("{:?}", kept())];
        for identity in [
            Identity::basic(b"ada", secret()),
            Identity::bearer(secret()),
            Identity::header(b"x", secret()),
        ] {
            shown.push(format!("{identity:?} {:?}", identity.authorization()));
            let reply = Reply {
                identity,
                username: None,
                password_expiry_utc: None,
                oauth_refresh_token: Some(secret()),
                is_ephemeral: false,
            };
            shown.push(format!("{reply:?} {}", reply.describe()));
        }
        let account = Account::new(
            "ada".to_owned(),
            cloud(),
            Origin::Login,
            Known::new(Kind::ApiToken),
        );
        let kept = kept();
        shown.push(format!("{:?}", Found { account, kept }));
        shown.push(format!("{:?}", Credential::new(&cloud(), None, secret())));
        for text in shown {
            // As text, and as the numbers of its bytes.
            assert!(
                !text.contains("canary") && !text.contains("99, 97, 110"),
                "{text}"
            );
        }
    }
}
