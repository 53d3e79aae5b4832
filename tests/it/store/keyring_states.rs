//! The states in which a keyring can be, each with the real daemons: git is never kept waiting, and goes on to ask.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::support::harness::{API_TOKEN, PROGRAM, TestEnv, has, reply, run, write_private};
use crate::support::keyring::TOOLS;

/// An operation has five seconds; the rest is for a machine that does other things as well. Two waits in a row, which
/// is what must not be, would take ten.
const PATIENCE: Duration = Duration::from_secs(9);

/// Tells how each of several processes, which run at the same time, ended: a line `NAME STATUS MILLISECONDS`.
const TIMED: &str = r#"
timed() {
    name=$1 input=$2; shift 2
    {
        start=$(date +%s%N)
        printf "$input" | setsid -w "$@" >"$OUT/$name.out" 2>"$OUT/$name.err"
        status=$?
        echo "$name $status $((($(date +%s%N) - start) / 1000000))"
    } &
}
"#;

/// Where the bus of a session comes from.
enum Bus {
    /// As on a desktop: a service is started when somebody asks for it.
    Usual,
    /// With nothing to start.
    Bare,
    /// None; the address, if there is one, leads nowhere.
    None(Option<String>),
}

/// What became of one of the processes.
struct Ended {
    status: i32,
    took: Duration,
    stdout: String,
    stderr: String,
}

/// Three accounts in the keyring that no keyring has anything for, with what the tests need of a desktop.
fn env_with_three_accounts() -> Option<TestEnv> {
    if !has(&TOOLS) {
        return None;
    }
    let mut env = TestEnv::new();
    env.configure_plain();
    let account = |(name, scope)| {
        format!(
            "[[account]]\nname = '{name}'\nhost = 'bitbucket.org'\nkind = 'api-token'\nfor = ['{scope}']\n\
             store = 'keyring'\nentry = '{name}@bitbucket.org#00000001'\norigin = 'login'\n"
        )
    };
    let accounts = [("work", "acme"), ("private", "ada"), ("other", "other")].map(account);
    fs::create_dir(env.data()).unwrap();
    write_private(&env.data().join("accounts.toml"), &accounts.concat());
    let runtime = env.path().join("run");
    fs::create_dir_all(&runtime).unwrap();
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
    fs::create_dir_all(services(&env)).unwrap();
    fs::create_dir(out(&env)).unwrap();
    env.set("XDG_RUNTIME_DIR", runtime.to_str().unwrap());
    env.set("OUT", out(&env).to_str().unwrap());
    let askpass = env.path().join("askpass");
    crate::support::harness::write_program(&askpass, "#!/bin/sh\necho typed\n");
    env.set("GIT_ASKPASS", askpass.to_str().unwrap());
    Some(env)
}

fn out(env: &TestEnv) -> PathBuf {
    env.path().join("out")
}

/// Where a session bus looks first for what it can start.
fn services(env: &TestEnv) -> PathBuf {
    env.path().join("run/dbus-1/services")
}

/// Makes the bus start something that never answers in place of a service.
fn hang(env: &TestEnv, service: &str) {
    let text = format!("[D-BUS Service]\nName={service}\nExec=/bin/sleep 10\n");
    fs::write(services(env).join(format!("{service}.service")), text).unwrap();
}

/// Runs a script on a bus.
fn on(env: &TestEnv, bus: &Bus, script: &str) {
    let script = format!("{TIMED}\n{script}\nwait");
    let mut command = env.command("sh");
    let bare = env.path().join("bare.conf");
    let start = match bus {
        Bus::None(address) => {
            if let Some(address) = address {
                command.env("DBUS_SESSION_BUS_ADDRESS", address);
            }
            String::new()
        }
        Bus::Usual => "dbus-run-session -- ".to_owned(),
        Bus::Bare => {
            let config = format!(
                "<busconfig><type>session</type><listen>unix:tmpdir={}</listen><policy context=\"default\">\
                 <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/>\
                 </policy></busconfig>",
                env.path().display()
            );
            fs::write(&bare, config).unwrap();
            format!("dbus-run-session --config-file='{}' -- ", bare.display())
        }
    };
    command.args([
        "-c",
        // What the bus starts inherits these, and outlives it for a while: pipes would keep us waiting for that.
        &format!(r#"exec >"$OUT/words" 2>&1 {start}sh -c "$1""#),
        "sh",
        &script,
    ]);
    run(command, b"");
}

/// What the processes of a script came to.
fn ended(env: &TestEnv) -> BTreeMap<String, Ended> {
    let read = |name: &str, stream| {
        fs::read_to_string(out(env).join(format!("{name}.{stream}"))).unwrap_or_default()
    };
    let words = fs::read_to_string(out(env).join("words")).unwrap();
    eprintln!("{words}");
    let lines = words.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (name, status, took) = (words.next()?, words.next()?, words.next()?);
        let ended = Ended {
            status: status.parse().ok()?,
            took: Duration::from_millis(took.parse().ok()?),
            stdout: read(name, "out"),
            stderr: read(name, "err"),
        };
        Some((name.to_owned(), ended))
    });
    lines.collect()
}

const CONTEXT: &str = "protocol=https\\nhost=bitbucket.org\\npath=acme/site\\n";

fn get() -> String {
    format!("timed get '{CONTEXT}' '{PROGRAM}' get")
}

/// All that may have to ask the keyring, at the same time.
fn everything() -> String {
    let whole = "protocol=https\\nhost=bitbucket.org\\npath=acme/site\\nusername=x-bitbucket-api-token-auth\\n\
                 password=something-else\\n";
    format!(
        "{}\ntimed fill '{CONTEXT}' git -c credential.useHttpPath=true credential fill
         timed store '{whole}' '{PROGRAM}' store
         timed erase '{whole}' '{PROGRAM}' erase
         timed status '' '{PROGRAM}' status --json
         timed doctor '' '{PROGRAM}' doctor --json
         timed login '{API_TOKEN}' '{PROGRAM}' login --no-verify --with-token --store auto other
         timed logout '' '{PROGRAM}' logout --all",
        get()
    )
}

/// The same, each when the one before has ended.
fn one_by_one() -> String {
    everything().replace('\n', "\nwait\n")
}

/// Holds what a script came to against what has to be said when the keyring cannot be had.
fn each_ended_in_time_and_told(env: &TestEnv, reason: &str) {
    let ended = ended(env);
    assert_eq!(ended.len(), 8);
    for (name, ended) in &ended {
        assert!(ended.took < PATIENCE, "{name} took {:?}", ended.took);
    }
    let of = |name: &str| &ended[name];
    assert_eq!((of("get").status, of("get").stdout.as_str()), (1, ""));
    let told = format!("error: cannot read the secret of 'work': {reason}");
    // At the same time only one of the two says it.
    let said = format!("{}{}", of("get").stderr, of("fill").stderr);
    assert!(said.contains(&told), "{said}");

    assert_eq!(of("fill").status, 0, "git goes on: {}", of("fill").stderr);
    assert!(
        of("fill")
            .stdout
            .contains("username=typed\npassword=typed\n")
    );
    for name in ["store", "erase", "logout"] {
        assert_eq!(of(name).status, 1, "{name}");
        assert!(
            of(name).stderr.contains(&format!("error: {reason}"))
                || of(name).stderr.contains(&format!("'work': {reason}")),
            "{name}: {}",
            of(name).stderr
        );
    }
    assert_eq!(of("status").status, 1);
    // The one that is signed in again at the same time may be told either way.
    let unreachable = of("status").stdout.matches("\"unreachable\"").count();
    assert!(unreachable >= 2, "{}", of("status").stdout);
    assert!(
        of("doctor").stdout.contains(reason),
        "{}",
        of("doctor").stdout
    );

    assert_eq!(of("login").status, 0, "{}", of("login").stderr);
    assert!(
        of("login")
            .stderr
            .contains("Replaced the secret of 'other' for bitbucket.org in the file"),
        "{}",
        of("login").stderr
    );
    assert_eq!(
        env.get_cloud("path=other/site\n"),
        reply("x-bitbucket-api-token-auth", API_TOKEN),
        "what was kept elsewhere answers"
    );
}

const SILENT: &str = "the OS keyring did not answer within 5 seconds";
const UNREACHABLE: &str = "cannot reach the OS keyring: ";

#[test]
fn without_a_bus_there_is_no_keyring() {
    let Some(env) = env_with_three_accounts() else {
        return;
    };
    on(&env, &Bus::None(None), &everything());
    each_ended_in_time_and_told(&env, UNREACHABLE);
}

#[test]
fn a_socket_behind_which_nobody_listens_is_no_bus() {
    let Some(env) = env_with_three_accounts() else {
        return;
    };
    let socket = env.path().join("dead");
    drop(UnixListener::bind(&socket).unwrap());
    let bus = Bus::None(Some(format!("unix:path={}", socket.display())));
    on(&env, &bus, &everything());
    each_ended_in_time_and_told(&env, UNREACHABLE);
}

#[test]
fn a_keyring_that_hangs_over_a_refused_secret_keeps_no_other_store_from_answering() {
    let Some(mut env) = env_with_three_accounts() else {
        return;
    };
    let path = env.data().join("accounts.toml");
    let accounts = fs::read_to_string(&path).unwrap();
    let first = "origin = 'login'\n";
    let refused = format!("{first}[account.rejected]\nat = '2026-01-01T00:00:00Z'\ntimes = 2\n");
    write_private(&path, &accounts.replacen(first, &refused, 1));
    let program = env.path().join("program");
    crate::support::harness::write_program(
        &program,
        &format!("#!/bin/sh\nread url\necho '{{\"Secret\":\"{API_TOKEN}\"}}'\n"),
    );
    let settings = format!(
        "lookup = ['exec']\n[store.exec]\nprogram = '{}'\n",
        program.display()
    );
    write_private(&env.data().join("config.toml"), &settings);
    // Whoever connects waits for a word.
    let socket = env.path().join("silent");
    let _listener = UnixListener::bind(&socket).unwrap();
    let address = format!("unix:path={}", socket.display());
    env.set("DBUS_SESSION_BUS_ADDRESS", &address);
    assert_eq!(
        env.get_cloud("path=acme/app\n"),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
}

#[test]
fn a_bus_without_a_keyring_is_told() {
    let Some(env) = env_with_three_accounts() else {
        return;
    };
    on(&env, &Bus::Bare, &everything());
    each_ended_in_time_and_told(&env, UNREACHABLE);
}

#[test]
fn a_keyring_that_does_not_answer_is_left_after_five_seconds() {
    // Side by side, as they only wait.
    thread::scope(|scope| {
        for state in [
            a_bus_that_stands_still,
            a_keyring_that_stands_still,
            a_keyring_that_never_comes_up,
            a_prompt_that_never_comes_up,
            somebody_at_the_unlock_prompt_has_longer,
        ] {
            scope.spawn(state);
        }
    });
}

fn a_bus_that_stands_still() {
    let Some(env) = env_with_three_accounts() else {
        return;
    };
    let script = format!(
        "bus=$({}); kill -STOP \"$bus\"\n{}\nwait; kill -CONT \"$bus\"",
        process_of("org.freedesktop.DBus"),
        everything()
    );
    on(&env, &Bus::Usual, &script);
    each_ended_in_time_and_told(&env, SILENT);
}

fn a_keyring_that_stands_still() {
    let Some(env) = env_with_three_accounts() else {
        return;
    };
    let script = format!(
        "{UNLOCKED}\nkeyring=$({}); kill -STOP \"$keyring\"\n{}\nwait; kill -CONT \"$keyring\"",
        process_of("org.freedesktop.secrets"),
        everything()
    );
    on(&env, &Bus::Usual, &script);
    each_ended_in_time_and_told(&env, SILENT);
}

fn a_keyring_that_never_comes_up() {
    let Some(env) = env_with_three_accounts() else {
        return;
    };
    hang(&env, "org.freedesktop.secrets");
    on(&env, &Bus::Usual, &everything());
    each_ended_in_time_and_told(&env, SILENT);
}

/// A new keyring, unlocked, as after signing in to a desktop.
const UNLOCKED: &str = r"printf 'pw\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null
gdbus wait --session --timeout 10 org.freedesktop.secrets || exit 99";

/// A command that prints the number of the process behind a name on the bus.
fn process_of(name: &str) -> String {
    format!(
        "gdbus call --session -d org.freedesktop.DBus -o /org/freedesktop/DBus \
         -m org.freedesktop.DBus.GetConnectionUnixProcessID {name} | sed 's/.* //; s/[^0-9]//g'"
    )
}

/// Signs in to `work` while the keyring is open, and then locks it.
fn locked() -> String {
    format!(
        "{UNLOCKED}
         printf '%s' '{API_TOKEN}' | '{PROGRAM}' login --no-verify --with-token work >/dev/null 2>&1 || exit 98
         gdbus call --session -d org.freedesktop.secrets -o /org/freedesktop/secrets \
            -m org.freedesktop.Secret.Service.Lock \"['/org/freedesktop/secrets/collection/login']\" >/dev/null"
    )
}

#[test]
fn a_locked_keyring_that_nobody_can_unlock_is_told() {
    let Some(env) = env_with_three_accounts() else {
        return;
    };
    // The keyring tries one prompt after the other.
    on(
        &env,
        &Bus::Usual,
        &format!("{}\n{}", locked(), one_by_one()),
    );
    each_ended_in_time_and_told(&env, "the OS keyring is locked");
}

fn a_prompt_that_never_comes_up() {
    let Some(env) = env_with_three_accounts() else {
        return;
    };
    hang(&env, "org.gnome.keyring.SystemPrompter");
    on(
        &env,
        &Bus::Usual,
        &format!("{}\n{}", locked(), everything()),
    );
    each_ended_in_time_and_told(&env, SILENT);
}

fn somebody_at_the_unlock_prompt_has_longer() {
    let Some(mut env) = env_with_three_accounts() else {
        return;
    };
    env.set("DISPLAY", ":99");
    hang(&env, "org.gnome.keyring.SystemPrompter");
    let get = format!("timed get '{CONTEXT}' timeout 7 '{PROGRAM}' get");
    on(&env, &Bus::Usual, &format!("{}\n{get}", locked()));
    let ended = ended(&env);
    assert_eq!(
        ended["get"].status, 124,
        "it still waits: {}",
        ended["get"].stderr
    );
}

#[test]
fn a_keyring_that_was_never_used_has_no_secret_and_auto_does_without() {
    let Some(env) = env_with_three_accounts() else {
        return;
    };
    on(&env, &Bus::Usual, &one_by_one());
    let ended = ended(&env);
    assert_eq!(ended.len(), 8);
    for (name, ended) in &ended {
        assert!(ended.took < PATIENCE, "{name} took {:?}", ended.took);
    }
    for (name, status) in [
        ("get", 0),
        ("store", 0),
        ("erase", 0),
        ("logout", 0),
        ("status", 1),
    ] {
        assert_eq!(ended[name].status, status, "{name}: {}", ended[name].stderr);
    }
    // Somebody is asked in place of what is gone.
    assert_eq!(
        ended["get"].stdout,
        "username=x-token-auth\npassword=typed\n"
    );
    assert!(ended["fill"].stdout.contains("password=typed"));
    assert_eq!(ended["status"].stdout.matches("\"missing\"").count(), 3);
    assert!(
        ended["login"]
            .stderr
            .contains("Replaced the secret of 'other' for bitbucket.org in the file"),
        "{}",
        ended["login"].stderr
    );
}

#[test]
fn a_keyring_out_of_reach_does_not_keep_what_lies_elsewhere_in_service() {
    let env = TestEnv::new();
    fs::create_dir(env.data()).unwrap();
    write_private(
        &env.data().join("accounts.toml"),
        "[[account]]\nname = 'old'\nhost = 'bitbucket.org'\nkind = 'api-token'\nstore = 'keyring'\n\
         entry = 'old@bitbucket.org#00000001'\norigin = 'git'\n",
    );
    env.login(API_TOKEN, &["work"]);
    let refused = format!("protocol=https\nhost=bitbucket.org\npassword={API_TOKEN}\n");
    let outcome = env.program(&["erase"], refused);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    assert_eq!(env.accounts()[0]["state"], "rejected");
}
