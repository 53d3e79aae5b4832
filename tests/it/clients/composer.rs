//! composer: by git, and by REST with what `COMPOSER_AUTH` holds.

use super::Client;
use crate::support::harness::{API_TOKEN, has, run};

const PACKAGE: [(&str, &str); 1] = [("composer.json", "{\"name\": \"acme/app\"}\n")];

fn write_project(client: &Client, kind: &str) {
    let project = format!(
        "{{\"repositories\": [{{\"packagist.org\": false}},
           {{\"type\": \"{kind}\", \"url\": \"https://bitbucket.org/acme/app.git\"}}],
          \"require\": {{\"acme/app\": \"dev-main\"}}}}"
    );
    client.write("composer.json", &project);
}

#[test]
fn composer_fetches_by_git_where_the_type_says_so() {
    if !has(&["composer"]) {
        return;
    }
    let client = Client::of(&PACKAGE);
    write_project(&client, "git");
    let mut command = client.command("composer", &["install", "--no-interaction", "--no-plugins"]);
    command.env("COMPOSER_ALLOW_SUPERUSER", "1");
    client.fetches(command);
    assert!(
        client
            .project()
            .join("vendor/acme/app/composer.json")
            .exists()
    );
}

/// The line of docs/clients.md. What composer then does at REST is more than the stand-in knows.
#[test]
fn composer_asks_rest_with_the_token_of_its_variable() {
    if !has(&["composer"]) {
        return;
    }
    let page = include_str!("../../../docs/clients.md");
    let (_, line) = page
        .split_once("export COMPOSER_AUTH=")
        .expect("the page has the line");
    let line = line
        .lines()
        .next()
        .unwrap()
        .replace("you@example.com", "ada@example.com");
    let client = Client::of(&PACKAGE);
    write_project(&client, "vcs");
    let script =
        format!("export COMPOSER_AUTH={line}\ncomposer install --no-interaction --no-plugins");
    let mut command = client.command("sh", &["-c", &script]);
    command.env("COMPOSER_ALLOW_SUPERUSER", "1");
    let outcome = run(command, b"");
    let asked = client.stand_in.count(|request| {
        request.host.starts_with("api.bitbucket.org")
            && request.user() == Some("ada@example.com")
            && request.secret() == Some(API_TOKEN)
    });
    assert!(asked > 0, "{outcome:?} {:?}", client.stand_in.requests());
}
