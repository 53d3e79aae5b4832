//! The REST interface of api.bitbucket.org, as far as it tells about credentials; build statuses.

use serde_json::{Value, json};

use super::access::{Door, Refusal};
use super::credential::{Credential, Kind};
use super::git::{LACKS_SCOPE, NO_ACCESS, RATE_LIMITED};
use super::message::Response;
use super::routing::Question;
use super::server::CLOUD;

/// Answers what lies below `/2.0`.
pub(super) fn answer(mut question: Question<'_>, rest: &[&str]) -> Response {
    let method = if question.incoming.method == "HEAD" {
        "GET"
    } else {
        &question.incoming.method
    };
    let forbidden = question.server.faults().forbidden_to_rest.clone();
    if !forbidden.is_empty() {
        return error(403, &forbidden);
    }
    let announced = question.server.faults().sunset.clone();
    let answer = match (method, rest) {
        ("GET", ["user"]) => person(&question, &USER, |ada| {
            json!({
                "type": "user", "username": ada.user, "nickname": ada.user, "display_name": ada.user,
                "uuid": "{6a3f0d5e-0000-4000-8000-000000000001}", "account_id": "000000:stand-in",
            })
        }),
        ("GET", ["user", "emails"]) => person(&question, &EMAILS, |ada| {
            page(&json!({
                "type": "email", "email": ada.email, "is_primary": true, "is_confirmed": true,
            }))
        }),
        ("GET", ["user", "workspaces"]) => person(&question, &WORKSPACES, |_| {
            page(&json!({ "type": "workspace_access" }))
        }),
        ("GET", ["workspaces", workspace]) => answer_workspace(&question, workspace),
        ("GET", ["repositories", workspace, repository]) => {
            answer_repository(&question, &format!("{workspace}/{repository}"))
        }
        (
            "POST",
            [
                "repositories",
                workspace,
                repository,
                "commit",
                _,
                "statuses",
                "build",
            ],
        ) => take_status(&mut question, &format!("{workspace}/{repository}")),
        ("GET", ["workspaces" | "repositories"] | ["user", "permissions", ..]) => Ok(gone()),
        _ => Ok(error(404, "There is no API hosted at this URL")),
    };
    let answer = answer.unwrap_or_else(refuse);
    if announced.is_empty() {
        return answer;
    }
    answer.with("Sunset", &announced)
}

/// The scopes an address wants, by the names of API tokens and by the classic ones.
struct Scopes {
    granular: &'static [&'static str],
    classic: &'static [&'static str],
}

const USER: Scopes = Scopes {
    granular: &["read:user:bitbucket"],
    classic: &["account"],
};
const EMAILS: Scopes = Scopes {
    granular: &["read:user:bitbucket"],
    classic: &["email"],
};
const WORKSPACES: Scopes = Scopes {
    granular: &["read:workspace:bitbucket", "read:user:bitbucket"],
    classic: &["account"],
};
const WORKSPACE: Scopes = Scopes {
    granular: &["read:workspace:bitbucket"],
    classic: &[],
};

impl Scopes {
    fn of(&self, credential: &Credential) -> &'static [&'static str] {
        if credential.kind == Kind::ApiToken {
            self.granular
        } else {
            self.classic
        }
    }

    fn check(&self, credential: Credential) -> Result<Credential, Refusal> {
        let needed = self.of(&credential);
        if needed.iter().all(|scope| credential.holds(scope)) {
            Ok(credential)
        } else {
            Err(Refusal::LacksScope(needed, Box::new(credential)))
        }
    }
}

/// An answer about the person behind the credential: access tokens have none.
fn person(
    question: &Question<'_>,
    scopes: &Scopes,
    body: impl FnOnce(&Credential) -> Value,
) -> Result<Response, Refusal> {
    let credential = question
        .identify(Door::Rest)?
        .ok_or(Refusal::Unauthenticated)?;
    if credential.kind == Kind::AccessToken {
        return Err(Refusal::WrongKind(scopes.classic, Box::new(credential)));
    }
    let credential = scopes.check(credential)?;
    Ok(describe(
        Response::json(200, &body(&credential)),
        &credential,
        scopes.of(&credential),
    ))
}

fn answer_workspace(question: &Question<'_>, workspace: &str) -> Result<Response, Refusal> {
    let credential = question
        .identify(Door::Rest)?
        .ok_or(Refusal::Unauthenticated)?;
    let credential = WORKSPACE.check(credential)?;
    // A repository's access token knows its workspace, although it does not see all of it.
    let known = credential.can_see(workspace)
        || credential.kind == Kind::AccessToken && credential.can_see_within(workspace);
    let response = if known && question.server.has_workspace(CLOUD, workspace) {
        Response::json(
            200,
            &json!({ "type": "workspace", "slug": workspace, "name": workspace, "is_private": true }),
        )
    } else {
        error(404, &format!("No workspace with identifier '{workspace}'."))
    };
    Ok(describe(response, &credential, WORKSPACE.of(&credential)))
}

fn answer_repository(question: &Question<'_>, name: &str) -> Result<Response, Refusal> {
    let (repository, credential) = question.admit(Door::Rest, name, false)?;
    let body = json!({ "type": "repository", "full_name": name, "is_private": !repository.public, "scm": "git",
        "mainbranch": { "type": "branch", "name": "main" } });
    let response = Response::json(200, &body);
    Ok(match credential {
        Some(credential) => describe(response, &credential, credential.repository_scopes(false)),
        None => response,
    })
}

/// Writing a build status takes no more than reading (Atlassian, "Change notice - Updating commit
/// status permissions").
fn take_status(question: &mut Question<'_>, name: &str) -> Result<Response, Refusal> {
    let (_, credential) = question.admit(Door::Rest, name, false)?;
    let credential = credential.ok_or(Refusal::Unauthenticated)?;
    let mut status: Value = serde_json::from_str(&question.incoming.text()).unwrap_or_default();
    let response = if status["key"].is_string() && status["state"].is_string() {
        status["type"] = json!("build");
        Response::json(201, &status)
    } else {
        error(400, "Bad request")
    };
    Ok(describe(
        response,
        &credential,
        credential.repository_scopes(false),
    ))
}

/// Bitbucket names the scopes granted and wanted, and the credential's type, with every answer to a
/// known credential.
fn describe(response: Response, credential: &Credential, wanted: &[&str]) -> Response {
    response
        .with("X-OAuth-Scopes", &credential.scopes.join(", "))
        .with("X-Accepted-OAuth-Scopes", &wanted.join(", "))
        .with("X-Credential-Type", credential.credential_type())
}

fn refuse(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Unauthenticated | Refusal::AppPassword | Refusal::BasicDisabled => error(
            401,
            "Token is invalid, expired, or not supported for this endpoint.",
        )
        .with(
            "WWW-Authenticate",
            "BitbucketCustom realm=Bitbucket.org HTTP",
        ),
        Refusal::NoScopes => super::git::no_scopes(),
        Refusal::RateLimited => error(429, RATE_LIMITED)
            .with("X-RateLimit-Limit", "1000")
            .with("X-RateLimit-NearLimit", "true"),
        Refusal::Invisible(credential) => {
            let wanted = credential.repository_scopes(false);
            describe(error(404, NO_ACCESS), &credential, wanted)
        }
        Refusal::WrongKind(wanted, credential) => {
            let response = error(
                403,
                "This resource does not support authentication using the provided token",
            );
            describe(response, &credential, wanted)
        }
        Refusal::LacksScope(wanted, credential) => {
            let detail = json!({ "required": wanted, "granted": credential.scopes });
            let body =
                json!({ "type": "error", "error": { "message": LACKS_SCOPE, "detail": detail } });
            describe(Response::json(403, &body), &credential, wanted)
        }
    }
}

/// developer.atlassian.com/cloud/bitbucket/changelog#CHANGE-2770
fn gone() -> Response {
    let announcement = "https://developer.atlassian.com/cloud/bitbucket/changelog#CHANGE-2770";
    let body = json!({ "type": "error", "error": {
        "message": "CHANGE-2770 - Functionality has been deprecated",
        "detail": "Please read the changelog entry for more details.",
        "data": { "announcement_url": announcement },
    } });
    Response::json(410, &body)
}

fn error(status: u16, message: &str) -> Response {
    Response::json(
        status,
        &json!({ "type": "error", "error": { "message": message } }),
    )
}

fn page(value: &Value) -> Value {
    json!({ "pagelen": 10, "page": 1, "size": 1, "values": [value] })
}
