//! OAuth: signing in with a browser or without one, and access tokens that are renewed once and never lost.

mod attacks;
mod browser;
mod crashes;
mod real_server;
mod start;
mod typed;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Outcome, PROGRAM, TestEnv, has, run, write_private};
use crate::stand_in::{Consumer, Silence, StandIn};

const WANTED: &str = "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n";
const CLIENT_SECRET: &str = "canary-client-secret";

fn world() -> (TestEnv, StandIn, Consumer) {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    let consumer = stand_in.consumer("KEY", CLIENT_SECRET);
    assert_eq!(env.program(&["setup"], "").status, 0);
    (env, stand_in, consumer)
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
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
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
    env.program(&["get"], WANTED)
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
    input.write_all(WANTED.as_bytes()).unwrap();
    process
}

/// How often a token was asked for.
fn asked(stand_in: &StandIn) -> usize {
    stand_in.count(|request| request.path == "/site/oauth2/access_token")
}

/// Whether Bitbucket takes it.
fn works(env: &TestEnv) -> bool {
    env.git(&["ls-remote", "https://bitbucket.org/acme/app.git"])
        .status
        == 0
}

#[test]
fn with_a_browser_one_signs_in_and_everything_works() {
    let (mut env, stand_in, consumer) = world();
    consumer.token_length(5000);
    browser(&mut env, "");
    let outcome = login(&env, &["--port", &free_port()]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(outcome.stderr.contains("/callback"), "{outcome:?}");
    for secret in ["/oauth2/authorize?", "state=", "/start/"] {
        assert!(!outcome.stderr.contains(secret), "{outcome:?}");
    }
    let shown = shown(&env);
    assert!(shown.contains("You are signed in"), "{shown}");

    stand_in.forget_requests();
    let answer = get(&env).stdout;
    assert!(answer.starts_with("username=x-token-auth\n"), "{answer}");
    assert_eq!(password(&answer).map(str::len), Some(5000));
    assert!(answer.contains("\npassword_expiry_utc="), "{answer}");
    assert!(!answer.contains("refresh"), "{answer}");
    assert!(stand_in.requests().is_empty(), "from the store alone");

    env.git_succeeds(&["clone", "--quiet", "https://bitbucket.org/acme/app.git"]);
    fs::write(env.home().join("app/new"), "new").unwrap();
    env.git_succeeds(&["-C", "app", "add", "."]);
    env.git_succeeds(&["-C", "app", "commit", "-qm", "new"]);
    env.git_succeeds(&["-C", "app", "push", "--quiet"]);
    assert_eq!(env.accounts().len(), 1, "git's store adds nothing");
    assert_eq!(env.accounts()[0]["kind"], "oauth");
    assert_eq!(env.accounts()[0]["state"], "ok");

    let token = password(&answer).unwrap();
    assert_eq!(env.program(&["token"], "").stdout, format!("{token}\n"));
    let rest = "capability[]=authtype\nprotocol=https\nhost=api.bitbucket.org\n";
    let rest = env.get(rest);
    assert!(rest.contains("authtype=Bearer\n"), "{rest}");
    let who = env.program(&["curl", "-s", "https://api.bitbucket.org/2.0/user"], "");
    assert!(who.stdout.contains("\"username\":\"ada\""), "{who:?}");
}

#[test]
fn without_a_browser_the_address_is_pasted() {
    let (env, _stand_in, _consumer) = world();
    let mut command = env.command(PROGRAM);
    command.args([
        "login",
        "mine",
        "--client-id",
        "KEY",
        "--no-browser",
        "--with-token",
    ]);
    command.args(["--store", "file"]);
    let (mut login, mut lines) = start(command);
    let mut input = login.stdin.take().unwrap();
    writeln!(input, "{CLIENT_SECRET}").unwrap();
    let url = lines
        .find(|line| line.starts_with("https://bitbucket.org/site/"))
        .expect("an address");
    let address = allow(&env, &url);
    writeln!(input, "  {address} ").unwrap();
    let rest: Vec<String> = lines.collect();
    assert!(login.wait().unwrap().success(), "{rest:?}");
    assert!(works(&env));
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

#[test]
fn an_address_of_another_sign_in_is_refused() {
    let (env, stand_in, _consumer) = world();
    let input = format!("{CLIENT_SECRET}\nhttp://127.0.0.1:23418/callback?code=code-0&state=x\n");
    let arguments = [
        "login",
        "--client-id",
        "KEY",
        "--no-browser",
        "--with-token",
    ];
    let outcome = env.program(&arguments, input);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("not the address"), "{outcome:?}");
    assert_eq!((asked(&stand_in), env.accounts().len()), (0, 0));
}

#[test]
fn stray_visitors_do_not_end_the_sign_in() {
    let (mut env, _stand_in, _consumer) = world();
    let port = free_port();
    // A connection that never says anything, other addresses, another state, another method, no HTTP at all.
    let strays = format!(
        "at=127.0.0.1:{port}\n\
         for path in / /favicon.ico '/callback?code=evil&state=evil' '/callback?state='; do\n\
           curl -s --noproxy 127.0.0.1 \"http://$at$path\" >>\"$HOME/strays\"\ndone\n\
         curl -s --noproxy 127.0.0.1 -d code=evil \"http://$at/callback\" >>\"$HOME/strays\"\n\
         echo hello | curl -s --noproxy 127.0.0.1 -m 1 telnet://$at >/dev/null\n"
    );
    browser(&mut env, &strays);
    let silent = port.clone();
    let visitor = thread::spawn(move || {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            if let Ok(stream) = TcpStream::connect(format!("127.0.0.1:{silent}")) {
                return Some(stream);
            }
            thread::sleep(Duration::from_millis(2));
        }
        None
    });
    let outcome = login(&env, &["--port", &port]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(visitor.join().unwrap().is_some());
    let strays = fs::read_to_string(env.home().join("strays")).unwrap();
    assert_eq!(
        strays.matches("There is nothing here").count(),
        3,
        "{strays}"
    );
    assert_eq!(strays.matches("not the sign-in").count(), 2, "{strays}");
    assert!(works(&env));
}

#[test]
fn a_busy_port_and_a_no_are_told() {
    let (mut env, _stand_in, consumer) = world();
    browser(&mut env, "");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let outcome = login(&env, &["--port", &port]);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("'--port N'"), "{outcome:?}");

    consumer.denies();
    let outcome = login(&env, &["--port", &free_port()]);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("was not granted"), "{outcome:?}");
    let shown = shown(&env);
    assert!(shown.contains("It did not work"), "{shown}");
    assert!(env.accounts().is_empty());
}

#[test]
fn a_machine_signs_in_without_anybody() {
    let (env, stand_in, consumer) = world();
    let refused = login(&env, &["--client-credentials"]);
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("This is a private consumer"),
        "{refused:?}"
    );
    consumer.private();
    assert_eq!(login(&env, &["--client-credentials"]).status, 0);
    assert!(works(&env));
    let_it_end(&env);
    stand_in.forget_requests();
    assert!(works(&env) && works(&env));
    assert_eq!(asked(&stand_in), 1);
    let text = fs::read_to_string(env.data().join("accounts.toml")).unwrap();
    assert!(text.contains("flow = \"client-credentials\""), "{text}");
    let gone = env.program(&["logout"], "");
    assert!(gone.stderr.contains("/workspace/settings/api"), "{gone:?}");
}

#[test]
fn a_token_that_ends_is_renewed_once_and_the_next_refresh_token_kept() {
    let (env, stand_in, consumer) = signed_in();
    for round in 1..=3 {
        let_it_end(&env);
        assert!(works(&env) && works(&env));
        assert_eq!(asked(&stand_in), round);
    }
    assert_eq!(consumer.punished(), 0);
    // One that is good for less than a minute is renewed too.
    set_end(&env, now() + 50);
    get(&env);
    assert_eq!(asked(&stand_in), 4);
    set_end(&env, now() + 90);
    get(&env);
    assert_eq!(asked(&stand_in), 4);
    // Nothing piles up in the store.
    let size = |env: &TestEnv| fs::metadata(env.data().join("secrets")).unwrap().len();
    let before = size(&env);
    let_it_end(&env);
    get(&env);
    assert!(size(&env) < before + 64, "{before} {}", size(&env));
}

#[test]
fn sixteen_processes_at_the_moment_of_expiry_renew_once() {
    let (env, stand_in, consumer) = signed_in();
    let rounds = if std::env::var_os("KILLS").is_some() {
        50
    } else {
        5
    };
    for round in 1..=rounds {
        let_it_end(&env);
        let answers: Vec<Outcome> = thread::scope(|scope| {
            let all: Vec<_> = (0..16).map(|_| scope.spawn(|| get(&env))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(asked(&stand_in), round, "one request in round {round}");
        let first = password(&answers[0].stdout).expect("an answer").to_owned();
        for answer in &answers {
            assert_eq!(password(&answer.stdout), Some(first.as_str()), "{answer:?}");
        }
    }
    assert!(works(&env));
    assert_eq!(consumer.punished(), 0);
}

#[test]
fn killed_between_the_answer_and_its_storing_the_account_still_works() {
    let (env, stand_in, consumer) = signed_in();
    let kills: u32 = if std::env::var_os("KILLS").is_some() {
        100
    } else {
        10
    };
    let mut lost = 0;
    for number in 0..kills {
        let_it_end(&env);
        let delay = Duration::from_millis(40);
        // From before the answer arrives until after everything is kept.
        let moment = Duration::from_micros(u64::from(number % 50) * 1500);
        renew_and_die(&env, &stand_in, &consumer, delay, moment);
        lost += usize::from(get(&env).stdout.is_empty());
        assert!(works(&env), "after kill {number}");
    }
    assert_eq!((lost, consumer.punished()), (0, 0));
}

/// A process that is killed so long after Bitbucket has given it tokens; the answer with them is on its way for `delay`.
fn renew_and_die(
    env: &TestEnv,
    stand_in: &StandIn,
    consumer: &Consumer,
    delay: Duration,
    moment: Duration,
) {
    let before = consumer.issued();
    stand_in.delay_answers(delay);
    let mut process = start_get(env);
    let end = Instant::now() + Duration::from_secs(10);
    while consumer.issued() == before && Instant::now() < end {
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

#[test]
fn what_cannot_be_saved_is_told_in_one_line_and_not_tried_again() {
    // Twice in a row.
    let (env, stand_in, consumer) = signed_in();
    let_it_end(&env);
    die_half_way(&env, &stand_in, &consumer);
    die_half_way(&env, &stand_in, &consumer);
    let requests = asked(&stand_in);
    ended(&env, "the new refresh token is lost");
    assert_eq!(asked(&stand_in), requests, "it is not even tried");
    // Whoever asks for it has it tried all the same, and the ten minutes are not over.
    let verified = env.program(&["status", "--verify"], "");
    assert_eq!(verified.status, 0, "{verified:?}");
    assert!(works(&env));

    // When the time of grace is over.
    let (env, stand_in, consumer) = signed_in();
    consumer.grace(Duration::ZERO);
    let_it_end(&env);
    die_half_way(&env, &stand_in, &consumer);
    ended(&env, "the new refresh token is lost");
    let requests = asked(&stand_in);
    ended(&env, "the new refresh token is lost");
    assert_eq!((asked(&stand_in), consumer.punished()), (requests, 1));
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
fn each_no_of_the_server_has_its_own_words() {
    let (mut env, stand_in, consumer) = signed_in();
    consumer.revoke();
    let_it_end(&env);
    ended(&env, "it was revoked, or not used for three months");
    let requests = asked(&stand_in);
    ended(&env, "invalid_grant");
    assert_eq!(asked(&stand_in), requests, "an end is an end");
    let refused = env.program(&["status", "--verify"], "");
    assert_eq!(
        (refused.status, asked(&stand_in)),
        (1, requests + 1),
        "{refused:?}"
    );
    // As the message says: the key and the secret are known.
    let port = free_port();
    browser(&mut env, "");
    let again = env.program(&["login", "mine", "--port", &port], "");
    assert_eq!(again.status, 0, "{again:?}");
    assert!(works(&env));

    consumer.change_secret();
    let_it_end(&env);
    ended(&env, "unauthorized_client");
    let wrong = login(&env, &["--port", &free_port()]);
    assert_eq!(wrong.status, 1, "{wrong:?}");
    assert!(wrong.stderr.contains("look at key and secret"), "{wrong:?}");
}

#[test]
fn an_outage_costs_nothing() {
    let (env, stand_in, consumer) = signed_in();
    let_it_end(&env);
    for status in [500, 503, 429] {
        consumer.fails(Some(status));
        let outcome = get(&env);
        assert_eq!(outcome.status, 1, "{outcome:?}");
        assert!(
            outcome.stderr.contains("cannot renew the access token"),
            "{outcome:?}"
        );
    }
    // While the old one is good it is answered.
    set_end(&env, now() + 40);
    let outcome = get(&env);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(password(&outcome.stdout).is_some());
    consumer.fails(None);
    stand_in.fall_silent(Silence::Connection);
    let start = Instant::now();
    assert!(password(&get(&env).stdout).is_some());
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    let_it_end(&env);
    let start = Instant::now();
    assert_eq!(get(&env).stdout, "");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    stand_in.fall_silent(Silence::Off);
    assert!(works(&env));
    assert_eq!(consumer.punished(), 0);
}

#[test]
fn an_answer_that_takes_its_time_is_waited_for() {
    let (env, stand_in, consumer) = signed_in();
    let_it_end(&env);
    stand_in.delay_answers(Duration::from_secs(8));
    let answers: Vec<Outcome> = thread::scope(|scope| {
        let all: Vec<_> = (0..3).map(|_| scope.spawn(|| get(&env))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    stand_in.delay_answers(Duration::ZERO);
    for answer in answers {
        assert!(password(&answer.stdout).is_some(), "{answer:?}");
    }
    assert_eq!(consumer.issued(), 2);
}

#[test]
fn a_token_that_was_refused_is_followed_by_another() {
    let (env, stand_in, _consumer) = signed_in();
    let first = get(&env).stdout;
    env.program(&["erase"], format!("{WANTED}{first}"));
    let second = get(&env).stdout;
    assert!(password(&second).is_some() && second != first);
    assert_eq!(asked(&stand_in), 1);
    // What comes late about the old one changes nothing.
    env.program(&["erase"], format!("{WANTED}{first}"));
    env.program(&["store"], format!("{WANTED}{first}"));
    assert_eq!(get(&env).stdout, second);
    assert_eq!((asked(&stand_in), env.accounts().len()), (1, 1));
    // Whoever goes on refusing them has a reason.
    for _ in 0..10 {
        let answer = get(&env).stdout;
        env.program(&["erase"], format!("{WANTED}{answer}"));
    }
    assert!(asked(&stand_in) <= 6, "{}", asked(&stand_in));
}

#[test]
fn nothing_of_a_grant_shows_and_logout_forgets_all_of_it() {
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
fn options_that_do_not_go_together_are_refused() {
    let env = TestEnv::new();
    for arguments in [
        &["login", "--kind", "api-token", "--client-id", "KEY"][..],
        &["login", "--kind", "oauth", "--client-id", ""],
        &[
            "login",
            "--client-id",
            "KEY",
            "--client-credentials",
            "--no-browser",
        ],
        &["login", "--client-id", "KEY", "--port", "0"],
        &["login", "--client-id", "KEY", "--host", "git.corp.example"],
    ] {
        let outcome = env.program(arguments, "");
        assert_eq!(outcome.status, 2, "{arguments:?}: {outcome:?}");
    }
    let outcome = env.program(&["login", "--kind", "oauth"], "");
    assert!(outcome.stderr.contains("'--client-id KEY'"), "{outcome:?}");
}

#[test]
fn the_keyring_keeps_a_grant_too() {
    if !has(&["dbus-run-session", "gnome-keyring-daemon", "secret-tool"]) {
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
