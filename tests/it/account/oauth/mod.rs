//! OAuth: signing in with a browser or without one, and access tokens that are renewed once and never lost.

mod attacks;
mod browser;
mod client;
mod crashes;
mod data_center;
mod real_server;
mod renewal;
mod route;
mod sign_in;
mod start;
mod typed;

use crate::support::harness::{Outcome, PROGRAM, TestEnv, has, run, write_private};
use crate::support::stand_in::{Consumer, DataCenter, StandIn};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const WANTED: &str = "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n";

/// An instance of Data Center below a path.
const DC: &str = "git.corp.example:7990";
const DC_APP: &str = "https://git.corp.example:7990/bitbucket/scm/prj/app.git";

const CLIENT_SECRET: &str = "canary-client-secret";

fn world() -> (TestEnv, StandIn, Consumer) {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    let consumer = stand_in.consumer("KEY", CLIENT_SECRET);
    env.set_up();
    (env, stand_in, consumer)
}

/// The same with an instance of Data Center.
fn data_center() -> (TestEnv, StandIn, DataCenter, Consumer) {
    let (env, stand_in) = TestEnv::with_stand_in();
    let data_center = stand_in.data_center(DC, "/bitbucket");
    data_center.repository("prj/app");
    let consumer = data_center.consumer("KEY", CLIENT_SECRET);
    env.set_up();
    (env, stand_in, data_center, consumer)
}

/// A port that nobody listens on.
fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

/// A browser whose user says yes at once; it runs these lines of shell first, with `$page` for Bitbucket's page and
/// `$jar` for its cookies.
fn browser(env: &mut TestEnv, before: &str) {
    let path = env.path().join("browser");
    let script = format!(
        "#!/bin/sh\njar='{0}/jar'\n\
         page=$(curl -s --noproxy 127.0.0.1 -c \"$jar\" -o /dev/null -w '%{{redirect_url}}' \"$1\")\n\
         {before}\n\
         exec curl -sL --noproxy 127.0.0.1 -b \"$jar\" --cacert \"$SSL_CERT_FILE\" -o '{1}' \"$page\"\n",
        env.path().display(),
        page(env)
    );
    crate::support::harness::write_program(&path, &script);
    env.set("BROWSER", &path.display().to_string());
}

/// What the browser shows in the end.
fn page(env: &TestEnv) -> String {
    env.path().join("page.html").display().to_string()
}

/// The same, once it is there: the browser may end after the program.
fn shown(env: &TestEnv) -> String {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let text = fs::read_to_string(page(env)).unwrap_or_default();
        if text.ends_with("</html>\n") || Instant::now() > end {
            return text;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn login(env: &TestEnv, more: &[&str]) -> Outcome {
    let mut all = vec!["login", "mine", "--kind", "oauth", "--client-id", "KEY"];
    all.extend(["--with-token", "--store", "file"]);
    all.extend(more);
    env.program(&all, format!("{CLIENT_SECRET}\n"))
}

/// Signed in as a machine or, with a refresh token, as somebody with a browser.
fn signed_in() -> (TestEnv, StandIn, Consumer) {
    let (mut env, stand_in, consumer) = world();
    browser(&mut env, "");
    let outcome = login(&env, &["--port", &free_port()]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    stand_in.forget_requests();
    (env, stand_in, consumer)
}

/// The same at Data Center.
fn signed_in_at_data_center() -> (TestEnv, StandIn, Consumer) {
    let (mut env, stand_in, _data_center, consumer) = data_center();
    browser(&mut env, "");
    let outcome = login(
        &env,
        &[
            "--host",
            "git.corp.example:7990/bitbucket",
            "--port",
            &free_port(),
        ],
    );
    assert_eq!(outcome.status, 0, "{outcome:?}");
    stand_in.forget_requests();
    (env, stand_in, consumer)
}

/// The access token's time is up.
fn let_it_end(env: &TestEnv) {
    set_end(env, 1_000_000_000);
}

fn set_end(env: &TestEnv, seconds: u64) {
    let path = env.data().join("accounts.toml");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            if line.starts_with("password_expiry_utc") {
                format!("password_expiry_utc = {seconds}")
            } else {
                line.to_owned()
            }
        })
        .collect();
    assert!(text.contains("password_expiry_utc"), "{text}");
    write_private(&path, &(lines.join("\n") + "\n"));
}

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// The password that `get` answers, if it does.
fn password(answer: &str) -> Option<&str> {
    answer
        .lines()
        .find_map(|line| line.strip_prefix("password="))
}

fn get(env: &TestEnv) -> Outcome {
    env.program(&["get"], wanted(env))
}

/// What git asks for on the host of the account.
fn wanted(env: &TestEnv) -> &'static str {
    if is_of_data_center(env) {
        "protocol=https\nhost=git.corp.example:7990\npath=bitbucket/scm/prj/app.git\n"
    } else {
        WANTED
    }
}

fn is_of_data_center(env: &TestEnv) -> bool {
    let accounts = fs::read_to_string(env.data().join("accounts.toml"));
    accounts.is_ok_and(|accounts| accounts.contains(DC))
}

/// The same without waiting for it.
fn start_get(env: &TestEnv) -> Child {
    let mut command = env.command(PROGRAM);
    command
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut input = process.stdin.take().unwrap();
    input.write_all(wanted(env).as_bytes()).unwrap();
    process
}

/// How often a token was asked for.
fn asked(stand_in: &StandIn) -> usize {
    let tokens = [
        "/site/oauth2/access_token",
        "/bitbucket/rest/oauth2/latest/token",
    ];
    stand_in.count(|request| tokens.contains(&request.path.as_str()))
}

/// Whether Bitbucket takes it.
fn works(env: &TestEnv) -> bool {
    let repository = if is_of_data_center(env) {
        DC_APP
    } else {
        "https://bitbucket.org/acme/app.git"
    };
    env.git(&["ls-remote", repository]).status == 0
}

fn start(mut command: std::process::Command) -> (Child, impl Iterator<Item = String>) {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    (child, lines.map_while(Result::ok))
}

/// Somebody opens the page in a browser elsewhere and allows it; the address at which it ends.
fn allow(env: &TestEnv, url: &str) -> String {
    let mut curl = env.command("curl");
    curl.args(["-s", "-o", "/dev/null", "-w", "%{redirect_url}", "--cacert"]);
    curl.arg(env.path().join("stand-in/ca.pem")).arg(url);
    let address = run(curl, b"").stdout;
    assert!(address.contains("code="), "{address}");
    address
}

/// A process that is killed so long after Bitbucket has given it tokens; the answer with them is on its way for `delay`.
fn renew_and_die(
    env: &TestEnv,
    stand_in: &StandIn,
    consumer: &Consumer,
    delay: Duration,
    moment: Duration,
) {
    let before = (consumer.issued(), asked(stand_in));
    stand_in.delay_answers(delay);
    let mut process = start_get(env);
    let end = Instant::now() + Duration::from_secs(60);
    // A request is recorded just after its tokens are issued.
    while consumer.issued() == before.0 || asked(stand_in) == before.1 {
        assert!(Instant::now() < end, "no tokens are asked for");
        thread::sleep(Duration::from_micros(200));
    }
    thread::sleep(moment);
    process.kill().unwrap();
    process.wait().unwrap();
    stand_in.delay_answers(Duration::ZERO);
}

/// A process that dies with its refresh token under way.
fn die_half_way(env: &TestEnv, stand_in: &StandIn, consumer: &Consumer) {
    renew_and_die(
        env,
        stand_in,
        consumer,
        Duration::from_secs(5),
        Duration::ZERO,
    );
}

/// `get` has nothing, and says why in one line that names `login`.
fn ended(env: &TestEnv, reason: &str) {
    let outcome = get(env);
    assert_eq!(
        (outcome.status, outcome.stdout.as_str()),
        (1, ""),
        "{outcome:?}"
    );
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    assert!(outcome.stderr.contains(reason), "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("'git credential-bitbucket login mine"),
        "{outcome:?}"
    );
    assert_eq!(env.accounts()[0]["state"], "rejected");
}

#[test]
fn nothing_of_a_grant_shows_and_logout_forgets_all_of_it() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _consumer) = signed_in();
    env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", "1");
    let_it_end(&env);
    let mut said = String::new();
    for arguments in [
        &["status"][..],
        &["doctor"],
        &["status", "--json"],
        &["get"],
    ] {
        let outcome = env.program(arguments, WANTED);
        said.push_str(&outcome.stderr);
        said.push_str(password(&outcome.stdout).map_or(outcome.stdout.as_str(), |_| ""));
    }
    let text = fs::read_to_string(env.data().join("accounts.toml")).unwrap();
    for canary in [CLIENT_SECRET, "refresh/KEY", "eyJKEY"] {
        assert!(!said.contains(canary), "{said}");
        assert!(!text.contains(canary), "{text}");
    }
    let gone = env.program(&["logout", "mine"], "");
    assert!(
        gone.stderr
            .contains("https://bitbucket.org/account/settings/app-authorizations/"),
        "{gone:?}"
    );
    assert_eq!(get(&env).stdout, "");
    assert!(env.accounts().is_empty());
}

#[test]
fn the_keyring_keeps_a_grant_too() {
    if !has(&[
        "curl",
        "dbus-run-session",
        "gnome-keyring-daemon",
        "secret-tool",
    ]) {
        return;
    }
    let (mut env, stand_in, consumer) = world();
    consumer.token_length(5000);
    browser(&mut env, "");
    let count =
        "secret-tool search --all service git-credential-bitbucket 2>/dev/null | grep -c '^secret'";
    let script = format!(
        "printf 'pw\\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null\n\
         gdbus wait --session --timeout 10 org.freedesktop.secrets\n\
         printf '%s\\n' '{CLIENT_SECRET}' | '{PROGRAM}' login mine --client-id KEY --port {} --with-token --store keyring\n\
         sed -i 's/^password_expiry_utc = .*/password_expiry_utc = 1000000000/' '{}'\n\
         printf '{}' | '{PROGRAM}' get\n\
         {count}; '{PROGRAM}' logout mine; {count}\n",
        free_port(),
        env.data().join("accounts.toml").display(),
        WANTED.replace('\n', "\\n"),
    );
    let run_folder = env.path().join("run");
    fs::create_dir(&run_folder).unwrap();
    fs::set_permissions(&run_folder, fs::Permissions::from_mode(0o700)).unwrap();
    let mut session = env.command("dbus-run-session");
    session.env("XDG_RUNTIME_DIR", run_folder);
    session.args(["--", "sh", "-c", &script]);
    let outcome = run(session, b"");
    assert_eq!(
        password(&outcome.stdout).map(str::len),
        Some(5000),
        "{outcome:?}"
    );
    assert!(outcome.stdout.ends_with("\n1\n0\n"), "{outcome:?}");
    assert_eq!((asked(&stand_in), consumer.punished()), (2, 0));
}

#[test]
fn rest_gets_a_token_that_is_renewed_too() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    let rest = "protocol=https\nhost=api.bitbucket.org\n";
    let user = "https://api.bitbucket.org/2.0/user";
    let fill = |request: &str| {
        let mut git = env.command("git");
        git.args(["credential", "fill"]);
        run(git, request.as_bytes())
    };
    let_it_end(&env);
    let who = env.program(&["curl", "-s", user], "");
    assert!(who.stdout.contains("\"username\":\"ada\""), "{who:?}");
    let_it_end(&env);
    let token = env.program(&["token"], "").stdout;
    assert!(token.starts_with("eyJKEY.3."), "{token}");
    let_it_end(&env);
    let filled = fill(&format!("capability[]=authtype\n{rest}"));
    assert!(filled.stdout.contains("credential=eyJKEY.4."), "{filled:?}");
    assert_eq!((asked(&stand_in), consumer.punished()), (3, 0));
    // Nothing to say to whoever takes no Bearer, and no harm to the grant.
    let plain = fill(rest);
    assert!(!plain.stdout.contains("eyJKEY"), "{plain:?}");
    consumer.revoke();
    let_it_end(&env);
    for arguments in [&["token"][..], &["curl", "-s", user]] {
        let outcome = env.program(arguments, "");
        assert_eq!(
            (outcome.status, outcome.stdout.as_str()),
            (1, ""),
            "{outcome:?}"
        );
        assert!(outcome.stderr.contains("login mine"), "{outcome:?}");
    }
}
