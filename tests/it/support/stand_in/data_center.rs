//! A Data Center instance: its switches, its words of refusal, and a little of its REST interface.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::access::{Door, Refusal};
use super::credential::{Credential, Handle};
use super::message::Response;
use super::oauth::Consumer;
use super::repository::Repository;
use super::request::Authorization;
use super::routing::Question;
use super::server::{Server, Site};

/// A Data Center host the stand-in plays.
pub(crate) struct DataCenter {
    server: Arc<Server>,
    instance: Arc<Instance>,
    host: String,
    authority: String,
}

impl DataCenter {
    pub(super) fn register(server: &Arc<Server>, host: &str, context: &str) -> Self {
        let authority = if host.contains(':') {
            host.to_owned()
        } else {
            format!("{host}:443")
        };
        let context = context.trim_matches('/');
        let slash = if context.is_empty() { "" } else { "/" };
        let instance = Arc::new(Instance {
            context: format!("{slash}{context}"),
            basic_disabled: AtomicBool::new(false),
            basic_disabled_for_git: AtomicBool::new(false),
            x_token_auth: AtomicBool::new(false),
            plus_for_blank: AtomicBool::new(false),
        });
        server.add_host(&authority, Site::DataCenter(Arc::clone(&instance)));
        Self {
            server: Arc::clone(server),
            instance,
            host: host.to_owned(),
            authority,
        }
    }

    /// A bare repository such as `prj/app` with one commit on `main`; private to begin with.
    pub(crate) fn repository(&self, name: &str) -> Repository {
        let url = format!("{}/scm/{name}.git", self.url());
        Repository::create(&self.server, &self.authority, name, url)
    }

    /// Lets this instance, and no other, know a credential.
    pub(crate) fn allow(&self, credential: Credential) -> Handle {
        self.server.allow(&self.authority, credential)
    }

    /// Registers an incoming link of the administrator, an OAuth client.
    pub(crate) fn consumer(&self, id: &str, secret: &str) -> Consumer {
        self.server
            .register(Consumer::new(&self.authority, id, secret))
    }

    /// Has a real OAuth server, on this port of the loopback interface, answer what is about OAuth.
    pub(crate) fn forward_oauth(&self, port: u16) {
        self.server.set_oauth_server(&self.authority, port);
    }

    /// Where the instance begins: `https://git.corp.example:7990/context`.
    pub(crate) fn url(&self) -> String {
        format!("https://{}{}", self.host, self.instance.context())
    }

    /// Whether the administrator has forbidden Basic authentication, which is then answered with
    /// 403.
    pub(crate) fn disable_basic(&self, disabled: bool) {
        self.instance
            .basic_disabled
            .store(disabled, Ordering::Relaxed);
    }

    /// The same for git's addresses alone.
    pub(crate) fn disable_basic_for_git(&self) {
        let disabled = &self.instance.basic_disabled_for_git;
        disabled.store(true, Ordering::Relaxed);
    }

    /// From now on a blank in a user's name is a plus sign in `X-AUSERNAME`, as Java's `URLEncoder` has it.
    pub(crate) fn write_plus_for_blank(&self) {
        let written = &self.instance.plus_for_blank;
        written.store(true, Ordering::Relaxed);
    }

    /// Whether it takes tokens from the user `x-token-auth`, as newer versions are reported to do;
    /// it does not at first.
    pub(crate) fn accept_x_token_auth(&self, accepted: bool) {
        self.instance
            .x_token_auth
            .store(accepted, Ordering::Relaxed);
    }
}

/// The settings of a Data Center instance.
pub(super) struct Instance {
    context: String,
    basic_disabled: AtomicBool,
    basic_disabled_for_git: AtomicBool,
    plus_for_blank: AtomicBool,
    x_token_auth: AtomicBool,
}

impl Instance {
    /// The context path with a slash before it, or nothing.
    pub(super) fn context(&self) -> &str {
        &self.context
    }

    /// What is left of a path below the context path, if it lies there.
    pub(super) fn within<'a, 'b>(&self, segments: &'a [&'b str]) -> Option<&'a [&'b str]> {
        let context: Vec<&str> = self.context.split('/').skip(1).collect();
        segments
            .starts_with(&context)
            .then(|| &segments[context.len()..])
    }

    pub(super) fn refuses(&self, shown: &Authorization, door: Door) -> bool {
        let is_disabled = |switch: &AtomicBool| switch.load(Ordering::Relaxed);
        let disabled = is_disabled(&self.basic_disabled)
            || door == Door::Git && is_disabled(&self.basic_disabled_for_git);
        disabled && matches!(shown, Authorization::Basic { .. })
    }

    /// fork-dev/Tracker#1492: the name is percent-encoded.
    fn encoded(&self, name: &str) -> String {
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC).to_string();
        if self.plus_for_blank.load(Ordering::Relaxed) {
            name.replace("%20", "+")
        } else {
            name
        }
    }

    pub(super) fn takes_x_token_auth(&self) -> bool {
        self.x_token_auth.load(Ordering::Relaxed)
    }
}

/// Answers the addresses which belong neither to git nor to LFS.
pub(super) fn answer(question: &Question<'_>, instance: &Instance, rest: &[&str]) -> Response {
    let who = match question.identify(Door::Rest) {
        Ok(who) => who.map(|credential| credential.user).unwrap_or_default(),
        Err(refusal) => return refuse(&refusal),
    };
    let response = match rest {
        ["rest", "api", _, "application-properties"] => Response::json(
            200,
            &json!({ "version": "9.4.0", "displayName": "Bitbucket" }),
        ),
        ["plugins", "servlet", "applinks", "whoami"] => Response::text(200, &who),
        ["rest", "api", _, "projects", project, "repos", repository] => {
            match question.admit(Door::Rest, &format!("{project}/{repository}"), false) {
                Ok(_) => Response::json(
                    200,
                    &json!({ "slug": repository, "project": { "key": project } }),
                ),
                Err(refusal) => refuse(&refusal),
            }
        }
        _ => Response::text(404, "Not found\n"),
    };
    // The header names whoever is signed in, and is absent for nobody.
    if who.is_empty() {
        response
    } else {
        response.with("X-AUSERNAME", &instance.encoded(&who))
    }
}

/// A refusal in Data Center's words.
pub(super) fn refuse(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Unauthenticated | Refusal::AppPassword | Refusal::NoScopes => Response::text(
            401,
            "Authentication failed. Please check your credentials and try again.\n",
        )
        .with("WWW-Authenticate", "Basic realm=\"Atlassian Bitbucket\""),
        Refusal::BasicDisabled => Response::json(
            403,
            &json!({ "message": "Basic Authentication has been disabled on this instance." }),
        ),
        Refusal::RateLimited => Response::text(429, "Too many requests\n"),
        Refusal::Invisible(_) => Response::text(
            404,
            "Repository not found\nThe requested repository does not exist, or you do not have permission to access it.\n",
        ),
        Refusal::LacksScope(..) | Refusal::WrongKind(..) => {
            Response::text(403, "You are not permitted to write to this repository.\n")
        }
    }
}
