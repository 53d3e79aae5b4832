//! Each kind of credential, each mistake, and each way to be asked: how often somebody is asked, what is kept, and what the
//! second try does.
//!
//! `cargo test --test it question_matrix -- --nocapture` prints the table.

use std::fmt::Write as _;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::askpass::Askpass;
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, TestEnv, has, write_private};
use crate::support::stand_in::{Credential, StandIn};
use crate::support::terminal::Terminal;

const DC: &str = "git.corp.example:7990";

#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    credential: fn() -> Credential,
    secret: &'static str,
    /// The right user name, and that of another kind.
    names: [&'static str; 2],
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "API token",
        credential: || Credential::api_token(API_TOKEN),
        secret: API_TOKEN,
        names: ["x-bitbucket-api-token-auth", "x-token-auth"],
    },
    Kind {
        name: "access token",
        credential: || Credential::access_token(ACCESS_TOKEN),
        secret: ACCESS_TOKEN,
        names: ["x-token-auth", "x-bitbucket-api-token-auth"],
    },
    Kind {
        name: "no prefix",
        credential: || Credential::oauth("no-prefix-canary"),
        secret: "no-prefix-canary",
        names: ["x-token-auth", "x-bitbucket-api-token-auth"],
    },
    Kind {
        name: "app password",
        credential: || Credential::app_password(APP_PASSWORD),
        secret: APP_PASSWORD,
        names: ["ada", "x-token-auth"],
    },
    Kind {
        name: "Data Center",
        credential: || Credential::http_access_token("BBDC-canary"),
        secret: "BBDC-canary",
        names: ["ada", "x-bitbucket-api-token-auth"],
    },
];

const MISTAKES: [&str; 5] = ["right", "e-mail", "other name", "wrong kind", "revoked"];

/// Who asks whom.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Our question, through an askpass program. A wrong name stands in the URL.
    Askpass,
    /// git's two questions, as another helper stands behind ours. A wrong name is typed.
    Git,
    /// Our question on the terminal. A wrong name stands in the URL.
    Terminal,
}

struct Case {
    env: TestEnv,
    _stand_in: StandIn,
    url: String,
    name: &'static str,
    kind: Kind,
}

fn case(kind: Kind, mistake: &str, way: Way) -> Case {
    let (env, stand_in) = TestEnv::with_stand_in();
    let is_cloud = kind.name != "Data Center";
    let handle = if is_cloud {
        stand_in.repository("acme/app");
        stand_in.allow((kind.credential)())
    } else {
        let data_center = stand_in.data_center(DC, "");
        data_center.repository("prj/app");
        data_center.allow((kind.credential)())
    };
    if mistake == "revoked" {
        handle.revoke();
    }
    fs::create_dir(env.data()).unwrap();
    let config = format!("hosts = [\"{DC}\"]\n[store]\ndefault = \"file\"\n");
    write_private(&env.data().join("config.toml"), &config);
    env.configure_plain();
    env.git_succeeds(&["config", "--global", "credential.useHttpPath", "true"]);
    if way == Way::Git {
        env.git_succeeds(&["config", "--global", "--add", "credential.helper", "!true"]);
    }
    let name = match mistake {
        "e-mail" => "ada@example.com",
        "other name" => "bob",
        "wrong kind" => kind.names[1],
        _ => kind.names[0],
    };
    let is_right = name == kind.names[0];
    let userinfo = if way == Way::Git || is_right {
        String::new()
    } else {
        format!("{}@", name.replace('@', "%40"))
    };
    let url = if is_cloud {
        format!("https://{userinfo}bitbucket.org/acme/app.git")
    } else {
        format!("https://{userinfo}{DC}/scm/prj/app.git")
    };
    Case {
        env,
        _stand_in: stand_in,
        url,
        name,
        kind,
    }
}

/// How often somebody was asked, and whether git succeeded.
type Outcome = (usize, bool);

impl Case {
    fn try_with_askpass(&self) -> Outcome {
        let askpass = Askpass::of_vs_code(&self.env, self.name, self.kind.secret);
        let mut git = self.env.command("git");
        git.args(["ls-remote", &self.url])
            .env("GIT_ASKPASS", &askpass.program);
        let outcome = crate::support::harness::run(git, b"");
        assert!(!outcome.stderr.contains("canary"), "{outcome:?}");
        (askpass.asked().len(), outcome.status == 0)
    }

    fn try_at_terminal(&self, terminal: &Terminal<'_>) -> Outcome {
        terminal.types_anew(&format!("git ls-remote {}; echo status-$?", self.url));
        let mut answered: Vec<String> = Vec::new();
        let start = Instant::now();
        loop {
            let screen = terminal.screen();
            assert!(start.elapsed() < Duration::from_secs(30), "{screen}");
            assert!(!screen.contains("canary"), "{screen}");
            if let Some((_, status)) = screen.split_once("\nstatus-") {
                return (answered.len(), status.starts_with('0'));
            }
            let last = screen.lines().last().unwrap_or_default();
            let answer = match last.split_whitespace().next() {
                Some("Token" | "Password") => self.kind.secret,
                Some("Username" | "Bitbucket") if last.ends_with(':') => self.name,
                _ => "",
            };
            // The same question once more stands further down.
            let place = format!("{} {last}", screen.lines().count());
            if !answer.is_empty() && !answered.contains(&place) {
                answered.push(place);
                terminal.types(answer);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The accounts that there are now.
    fn kept(&self) -> String {
        let accounts = self.env.accounts();
        let told = accounts.iter().map(|account| {
            let text = |key: &str| account[key].as_str().unwrap_or("-").to_owned();
            let reach: Vec<&str> = account["for"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|reach| reach.as_str())
                .collect();
            let reach = if reach.is_empty() {
                "all".to_owned()
            } else {
                reach.join("+")
            };
            let names = [text("username"), text("email")];
            let names: Vec<&str> = names
                .iter()
                .map(String::as_str)
                .filter(|name| *name != "-")
                .collect();
            let state = if text("state") == "ok" {
                String::new()
            } else {
                format!(" ({})", text("state"))
            };
            format!(
                "{} by {} for {reach} {}{state}",
                text("kind"),
                text("origin"),
                names.join("/")
            )
            .trim_end()
            .to_owned()
        });
        let told: Vec<String> = told.collect();
        if told.is_empty() {
            "nothing".to_owned()
        } else {
            told.join(", ")
        }
    }
}

fn table(way: Way) -> String {
    let mut table = format!(
        "{:<13} {:<11} {:<7} {:<50} {}\n",
        "kind", "mistake", "first", "kept", "second"
    );
    thread::scope(|scope| {
        let rows = KINDS.map(|kind| scope.spawn(move || rows(kind, way)));
        for rows in rows {
            table.push_str(&rows.join().unwrap());
        }
    });
    eprintln!("{table}");
    table
}

fn rows(kind: Kind, way: Way) -> String {
    let told =
        |(asked, succeeds): Outcome| format!("{asked} {}", if succeeds { "ok" } else { "fails" });
    let mut rows = String::new();
    for mistake in MISTAKES {
        let case = case(kind, mistake, way);
        let (first, kept, second) = if way == Way::Terminal {
            let terminal = Terminal::open(&case.env).expect("tmux is there");
            let first = case.try_at_terminal(&terminal);
            (first, case.kept(), case.try_at_terminal(&terminal))
        } else {
            (
                case.try_with_askpass(),
                case.kept(),
                case.try_with_askpass(),
            )
        };
        let (name, first, second) = (kind.name, told(first), told(second));
        writeln!(
            rows,
            "{name:<13} {mistake:<11} {first:<7} {kept:<50} {second}"
        )
        .unwrap();
    }
    rows
}

const THROUGH_ASKPASS: &str = "\
kind          mistake     first   kept                                               second
API token     right       1 ok    api-token by login for all                         0 ok
API token     e-mail      1 ok    api-token by login for all                         0 ok
API token     other name  1 ok    api-token by login for all                         0 ok
API token     wrong kind  1 ok    api-token by login for all                         0 ok
API token     revoked     2 fails nothing                                            1 fails
access token  right       1 ok    access-token by login for acme/app                 0 ok
access token  e-mail      1 ok    access-token by login for acme/app                 0 ok
access token  other name  1 ok    access-token by login for acme/app                 0 ok
access token  wrong kind  1 ok    access-token by login for acme/app                 0 ok
access token  revoked     2 fails nothing                                            1 fails
no prefix     right       2 ok    access-token by login for acme/app ada             0 ok
no prefix     e-mail      2 ok    access-token by login for acme/app ada             0 ok
no prefix     other name  2 ok    access-token by login for acme/app ada             0 ok
no prefix     wrong kind  3 fails nothing                                            1 fails
no prefix     revoked     3 fails nothing                                            1 fails
app password  right       2 fails nothing                                            2 fails
app password  e-mail      2 fails nothing                                            2 fails
app password  other name  2 fails nothing                                            2 fails
app password  wrong kind  2 fails nothing                                            2 fails
app password  revoked     2 fails nothing                                            2 fails
Data Center   right       1 ok    http-access-token by login for all ada             0 ok
Data Center   e-mail      1 ok    http-access-token by login for all ada             0 ok
Data Center   other name  1 ok    http-access-token by login for all ada             0 ok
Data Center   wrong kind  1 ok    http-access-token by login for all ada             0 ok
Data Center   revoked     2 fails nothing                                            1 fails
";

const BY_GIT: &str = "\
kind          mistake     first   kept                                               second
API token     right       2 ok    api-token by git for acme                          0 ok
API token     e-mail      2 fails api-token by git for acme ada@example.com          0 ok
API token     other name  2 fails api-token by git for acme                          0 ok
API token     wrong kind  2 fails api-token by git for acme                          0 ok
API token     revoked     2 fails nothing                                            2 fails
access token  right       2 ok    access-token by git for acme/app                   0 ok
access token  e-mail      2 fails access-token by git for acme/app                   0 ok
access token  other name  2 fails access-token by git for acme/app                   0 ok
access token  wrong kind  2 fails access-token by git for acme/app                   0 ok
access token  revoked     2 fails nothing                                            2 fails
no prefix     right       2 ok    - by git for all x-token-auth                      0 ok
no prefix     e-mail      2 fails nothing                                            2 fails
no prefix     other name  2 fails nothing                                            2 fails
no prefix     wrong kind  2 fails nothing                                            2 fails
no prefix     revoked     2 fails nothing                                            2 fails
app password  right       2 fails nothing                                            2 fails
app password  e-mail      2 fails nothing                                            2 fails
app password  other name  2 fails nothing                                            2 fails
app password  wrong kind  2 fails nothing                                            2 fails
app password  revoked     2 fails nothing                                            2 fails
Data Center   right       2 ok    http-access-token by git for prj ada               0 ok
Data Center   e-mail      2 fails nothing                                            2 fails
Data Center   other name  2 fails nothing                                            2 fails
Data Center   wrong kind  2 fails nothing                                            2 fails
Data Center   revoked     2 fails nothing                                            2 fails
";

#[test]
fn asked_through_an_askpass_program() {
    assert_eq!(table(Way::Askpass), THROUGH_ASKPASS);
}

#[test]
fn asked_by_git_itself() {
    assert_eq!(table(Way::Git), BY_GIT);
}

#[test]
fn asked_on_the_terminal() {
    if has(&["tmux"]) {
        // A token is never sent again that Bitbucket has just refused. Somebody at the terminal is asked once more.
        let expected = THROUGH_ASKPASS.replace("1 fails\n", "2 fails\n");
        assert_eq!(table(Way::Terminal), expected);
    }
}
