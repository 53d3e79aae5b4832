//! `kill -9` at any moment: whatever was not the target is as before, and the target is in its old state or its new
//! one.
//!
//! `KILLS=1000 cargo test --test it kills` kills as often at random; `tests/run.sh --all` does.

use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, PROGRAM, TestEnv, has, reply, rounds};

const STILL: &str = "path=still/x\n";
const WORK: &str = "path=work/x\n";
const GUEST: &str = "path=guest/x\n";
const GIVEN: &str = "path=given/x\nusername=ada\n";

/// Each secret holds this, so that one which lies about can be found.
const CANARY: &str = "canary";

/// A home with an account that nobody touches, and one for each thing that can be done to an account.
struct World {
    env: TestEnv,
    /// What the account `work` answers with.
    work: String,
    /// What git gave, if it is there.
    given: Option<String>,
    has_guest: bool,
}

/// What is done to one of the accounts, and killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Act {
    /// Moves a secret.
    Edit,
    Erase,
    Login,
    Logout,
    Setup,
    Store,
    Undo,
}

impl Act {
    /// `setup` comes before what brings git's configuration up to date.
    const ALL: [Self; 7] = [
        Self::Setup,
        Self::Edit,
        Self::Erase,
        Self::Login,
        Self::Logout,
        Self::Store,
        Self::Undo,
    ];
}

impl World {
    fn new() -> Self {
        let world = Self {
            env: TestEnv::new(),
            work: token(0),
            given: Some("canary-given".to_owned()),
            has_guest: true,
        };
        world.env.login(API_TOKEN, &["still", "--for", "still"]);
        world.env.login(&world.work, &["work", "--for", "work"]);
        world.env.login(ACCESS_TOKEN, &["guest", "--for", "guest"]);
        let outcome = world.env.program(&["store"], world.gift());
        assert_eq!(outcome.status, 0, "{outcome:?}");
        world
    }

    /// What git has to say of the credential it gave.
    fn gift(&self) -> String {
        let password = self.given.as_deref().unwrap_or("canary-given");
        format!("protocol=https\nhost=bitbucket.org\n{GIVEN}password={password}\n")
    }

    /// The arguments and the input of an act; `number` makes what is new unlike all before.
    fn words(&self, act: Act, number: usize) -> (Vec<&'static str>, String) {
        match act {
            Act::Edit => (vec!["edit", "work", "--store", "file"], String::new()),
            Act::Erase => (vec!["erase"], self.gift()),
            Act::Login => (
                vec![
                    "login",
                    "--with-token",
                    "--no-verify",
                    "--store",
                    "file",
                    "work",
                ],
                token(number),
            ),
            Act::Logout => (vec!["logout", "guest"], String::new()),
            Act::Setup => (vec!["setup"], String::new()),
            Act::Store => {
                let old = self.given.as_deref().unwrap_or("canary-given");
                let new = format!("canary-given-{number}");
                (vec!["store"], self.gift().replace(old, &new))
            }
            Act::Undo => (vec!["setup", "--undo"], String::new()),
        }
    }

    /// Looks at everything after an act that was killed, and takes note of what came of it.
    fn check(&mut self, act: Act, number: usize) {
        let seen = |env: &TestEnv, more: &str| env.get_cloud(more);
        assert_eq!(
            seen(&self.env, STILL),
            reply("x-bitbucket-api-token-auth", API_TOKEN),
            "{act:?}: what nobody touched"
        );

        let work = seen(&self.env, WORK);
        let of = |token: &str| reply("x-bitbucket-api-token-auth", token);
        if act == Act::Login && work == of(&token(number)) {
            self.work = token(number);
        }
        assert_eq!(work, of(&self.work), "{act:?} {number}");

        let given = seen(&self.env, GIVEN);
        let before = self.given.take();
        let candidates = match act {
            Act::Erase => vec![before, None],
            Act::Store => vec![before, Some(format!("canary-given-{number}"))],
            _ => vec![before],
        };
        let is_it = |candidate: &Option<String>| {
            given
                == candidate
                    .as_ref()
                    .map_or(String::new(), |given| reply("ada", given))
        };
        self.given = candidates
            .into_iter()
            .find(is_it)
            .unwrap_or_else(|| panic!("{act:?} {number}: {given}"));

        let guest = seen(&self.env, GUEST);
        self.has_guest = guest == reply("x-token-auth", ACCESS_TOKEN);
        let is_gone = act == Act::Logout && guest.is_empty();
        assert!(self.has_guest || is_gone, "{act:?} {number}: {guest}");

        let config = self.env.git(&["config", "--global", "user.name"]);
        assert_eq!(config.stdout, "Ada\n", "{act:?} {number}: {config:?}");
        self.nothing_lies_about();
    }

    /// `status` finds nothing wrong, or says so of an account whose secret went before it.
    fn check_states(&self, act: Act, number: usize) {
        for account in self.env.accounts() {
            let may_be_missing = act == Act::Logout && account["name"] == "guest";
            assert!(
                account["state"] == "unchecked"
                    || account["state"] == "ok"
                    || may_be_missing && account["state"] == "missing",
                "{act:?} {number}: {account}"
            );
        }
    }

    /// No file holds a secret in the clear, and none is open to others.
    fn nothing_lies_about(&self) {
        for entry in fs::read_dir(self.env.data()).unwrap() {
            let path = entry.unwrap().path();
            let content = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            assert!(!content.contains(CANARY), "{}", path.display());
            let mode = path.metadata().unwrap().permissions().mode();
            // Every user's git may read what its configuration includes.
            let is_included = path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("gitconfig");
            let open = if is_included { 0o044 } else { 0 };
            assert_eq!(mode & 0o077 & !open, 0, "{}", path.display());
        }
    }

    /// Does what was killed once more, to the end: it works, and nothing is left of the first attempt.
    fn finish(&mut self, act: Act, number: usize) {
        let has_guest = || {
            let accounts = self.env.accounts();
            accounts.iter().any(|account| account["name"] == "guest")
        };
        let mut has_one = has_guest();
        let (arguments, input) = self.words(act, number);
        let is_possible = act != Act::Logout || has_one;
        // As after a git that was killed; whoever comes next is told so.
        let lock = self.env.home().join(".gitconfig.lock");
        if lock.exists() {
            if is_possible {
                let outcome = self.env.program(&arguments, &input);
                let is_told = outcome.stderr.contains(".gitconfig.lock'");
                assert!(
                    is_told || outcome.status == 0,
                    "{act:?} {number}: {outcome:?}"
                );
            }
            fs::remove_file(lock).unwrap();
            has_one = has_guest();
        }
        if is_possible && has_one {
            let outcome = self.env.program(&arguments, input);
            assert_eq!(outcome.status, 0, "{act:?} {number}: {outcome:?}");
        }
        match act {
            Act::Erase => {
                assert_eq!(self.env.get_cloud(GIVEN), "");
                self.given = None;
                self.bring_back();
            }
            Act::Login => self.work = token(number),
            Act::Edit | Act::Logout | Act::Setup | Act::Undo => {}
            Act::Store => self.given = Some(format!("canary-given-{number}")),
        }
        // This writes both files; what was done once more may have found nothing left to write.
        self.env.login(ACCESS_TOKEN, &["guest", "--for", "guest"]);
        self.check(Act::Setup, number);
        let drafts = drafts(&self.env.data());
        // Who was killed while it wrote a file of `setup` may be at work for all that the next one knows.
        let is_record =
            |draft: &String| draft.starts_with("setup.toml") || draft.starts_with("gitconfig");
        assert!(drafts.iter().all(is_record), "{act:?} {number}: {drafts:?}");
    }

    /// Brings back what the next act needs.
    fn bring_back(&mut self) {
        // What a killed git leaves behind, its user removes.
        let _ = fs::remove_file(self.env.home().join(".gitconfig.lock"));
        if !self.has_guest {
            self.env.login(ACCESS_TOKEN, &["guest", "--for", "guest"]);
        }
        if self.given.is_none() {
            let outcome = self.env.program(&["store"], self.gift());
            assert_eq!(outcome.status, 0, "{outcome:?}");
            self.given = Some("canary-given".to_owned());
        }
    }

    fn command(&self, act: Act, number: usize, strace: &[&str]) -> (Command, String) {
        let (arguments, input) = self.words(act, number);
        let mut command = match strace {
            [] => self.env.command(PROGRAM),
            [program, options @ ..] => {
                let mut command = self.env.command(program);
                command.args(options).arg(PROGRAM);
                command
            }
        };
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        (command, input)
    }
}

fn token(number: usize) -> String {
    API_TOKEN.replace("canary-api-token", &format!("canary-work-{number:04}"))
}

fn drafts(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    names
        .map(|name| name.into_string().unwrap())
        .filter(|name| name.split('.').next_back() == Some("new"))
        .collect()
}

/// Starts a process and gives it its input; whether something killed it.
fn is_killed(command: &mut Command, input: &str, after: Option<Duration>) -> bool {
    let mut child = command.spawn().unwrap();
    // Who is killed does not read to the end.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    if let Some(after) = after {
        thread::sleep(after);
        let _ = child.kill();
    }
    child.wait().unwrap().signal() == Some(9)
}

/// The system calls that change something others can see. What happens between two of them nobody can tell.
///
/// Of those with several names each system has one.
const CHANGES: [&str; 7] = [
    "write",
    "fsync",
    "?rename,?renameat,?renameat2",
    "?unlink,?unlinkat",
    "?mkdir,?mkdirat",
    "flock",
    "?chmod,?fchmod,?fchmodat",
];

/// Kills an act at the first of each of these calls, at the second, and so on until it comes through; how often it
/// was killed.
fn kill_at_each_call(act: Act) -> usize {
    let mut world = World::new();
    let step = 4 / rounds(4);
    let (mut kills, mut number) = (0, 0);
    for call in CHANGES {
        for time in (1..).step_by(step) {
            number += 1;
            let inject = format!("inject={call}:signal=KILL:when={time}");
            let trace = format!("trace={call}");
            let strace = ["strace", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let before = if act == Act::Setup {
                Act::Undo
            } else {
                Act::Setup
            };
            // The others leave git's configuration as it is.
            if number == 1 || matches!(act, Act::Setup | Act::Undo) {
                let (arguments, input) = world.words(before, number);
                assert_eq!(world.env.program(&arguments, input).status, 0);
            }
            let (mut command, input) = world.command(act, number, &strace);
            let is_killed = is_killed(&mut command, &input, None);
            world.check(act, number);
            world.check_states(act, number);
            world.finish(act, number);
            if !is_killed {
                break;
            }
            kills += step;
        }
    }
    kills
}

#[test]
fn killed_at_any_call_that_changes_something_nothing_is_lost() {
    if !has(&["strace"]) {
        return;
    }
    thread::scope(|scope| {
        let acts = Act::ALL.map(|act| (act, scope.spawn(move || kill_at_each_call(act))));
        for (act, kills) in acts {
            let kills = kills.join().unwrap();
            eprintln!("{act:?}: killed at each of {kills} calls");
            assert!(kills >= 4, "{act:?} was killed {kills} times");
        }
    });
}

#[test]
fn killed_at_random_nothing_is_lost() {
    let wanted = std::env::var("KILLS").map_or_else(|_| rounds(160), |text| text.parse().unwrap());
    let start = Instant::now();
    let attempts: usize = thread::scope(|scope| {
        let worlds = [wanted / 2, wanted - wanted / 2]
            .map(|kills| scope.spawn(move || kill_at_random(kills)));
        worlds.map(|world| world.join().unwrap()).iter().sum()
    });
    eprintln!(
        "{wanted} kills survived in {attempts} attempts, {:?}",
        start.elapsed()
    );
}

/// Kills one act after the other at a random moment; how many attempts it took.
fn kill_at_random(kills: usize) -> usize {
    let mut world = World::new();
    let random = RandomState::new();
    // How long an act takes here, undisturbed.
    let mut usual: HashMap<Act, Duration> = HashMap::new();
    let (mut killed, mut number) = (0, 0);
    while killed < kills {
        number += 1;
        assert!(number < 100 * (kills + 1), "hardly anything was killed");
        let act = Act::ALL[number % Act::ALL.len()];
        let dice = random.hash_one(number);
        let Some(usual) = usual.get(&act) else {
            let (mut command, input) = world.command(act, number, &[]);
            let start = Instant::now();
            assert!(!is_killed(&mut command, &input, None));
            usual.insert(act, start.elapsed());
            world.check(act, number);
            world.finish(act, number);
            continue;
        };
        let after =
            usual.mul_f64(f64::from(u32::try_from(dice >> 32).unwrap()) / f64::from(u32::MAX));
        let (mut command, input) = world.command(act, number, &[]);
        killed += usize::from(is_killed(&mut command, &input, Some(after)));
        world.check(act, number);
        if dice % 8 == 0 {
            world.check_states(act, number);
            world.finish(act, number);
        }
        world.bring_back();
    }
    number
}
