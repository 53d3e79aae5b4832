//! An environment of its own for each test: HOME, git configuration, accounts, and nothing of the machine's.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

#[cfg(target_os = "linux")]
use super::etc::Etc;
pub(crate) use super::needs::{has, rounds};
use super::stand_in::{StandIn, found_on};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_git-credential-bitbucket");

/// Secrets that look like Bitbucket's; none is one.
pub(crate) const API_TOKEN: &str = "ATATT3xFfGF0canary-api-token-0000000000000000=0A1B2C3D";
pub(crate) const ACCESS_TOKEN: &str = "ATCTT3xFfGN0canary-access-token-00000000000000=0A1B2C3D";
pub(crate) const APP_PASSWORD: &str = "ATBBcanaryapppassword00000000000000";

/// Another token of the same kind: one token is one account.
pub(crate) fn another(token: &str, number: usize) -> String {
    token.replace("0A1B2C3D", &format!("{number:08X}"))
}

/// The one user name of all API tokens.
pub(crate) const STATIC: &str = "x-bitbucket-api-token-auth";

/// A private HOME, gone when dropped.
pub(crate) struct TestEnv {
    folder: TempDir,
    variables: Vec<(String, String)>,
    /// Held while what was done before is done again or copied.
    pub(super) preparing: Mutex<()>,
    /// Where what it starts sees an /etc of its own.
    #[cfg(target_os = "linux")]
    pub(super) etc: Option<Etc>,
}

/// What a process left behind.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// It read its input to the end; git's own writer would not mind, others would see a broken pipe.
    pub(crate) took_all: bool,
}

impl Outcome {
    /// The one error that a failed operation prints, and its hint, which may be missing.
    #[track_caller]
    pub(crate) fn error_and_hint(&self) -> (&str, &str) {
        let text = self.stderr.strip_suffix('\n').unwrap();
        let (error, hint) = text
            .split_once("\ngit-credential-bitbucket: hint: ")
            .unwrap_or((text, ""));
        assert!(!error.contains('\n') && !hint.contains('\n'), "{self:?}");
        (error, hint)
    }

    /// A `get` that answers is silent; one that does not says at most one line.
    #[track_caller]
    pub(crate) fn assert_says_at_most_why(&self) {
        let line = self
            .stderr
            .strip_prefix("git-credential-bitbucket: warning: ")
            .and_then(|rest| rest.strip_suffix('\n'));
        let is_one_line = line.is_some_and(|line| !line.contains('\n'));
        let is_silent = self.stderr.is_empty();
        assert!(
            self.status == 0 && (is_silent || self.stdout.is_empty() && is_one_line),
            "{self:?}"
        );
    }
}

/// The words of a login with a secret on standard input.
fn login<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["login", "--with-token", "--no-verify"];
    if !arguments.contains(&"--store") {
        all.extend(["--store", "file"]);
    }
    all.extend(arguments);
    all
}

impl TestEnv {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let env = Self {
            folder,
            variables: Vec::new(),
            preparing: Mutex::default(),
            #[cfg(target_os = "linux")]
            etc: None,
        };
        fs::create_dir(env.home()).unwrap();
        fs::write(
            env.git_config(),
            // Left out is what git does on the side, which would take a good part of the tests' time.
            "[user]\n\tname = Ada\n\temail = ada@example.com\n[init]\n\tdefaultBranch = main\n\ttemplateDir =\n\
             [core]\n\tcompression = 0\n[maintenance]\n\tauto = false\n",
        )
        .unwrap();
        env
    }

    /// The same, with git sent to the stand-in.
    pub(crate) fn with_stand_in() -> (Self, StandIn) {
        let mut env = Self::new();
        let stand_in = StandIn::start(env.folder.path().join("stand-in")).unwrap();
        for (name, value) in stand_in.environment() {
            env.set(name, &value);
        }
        (env, stand_in)
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Has the program wait a part of the time that it may: for what comes after a wait whose length another test holds.
    pub(crate) fn hurry(&mut self, times: u32) {
        self.set("GIT_CREDENTIAL_BITBUCKET_HURRY", &times.to_string());
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    pub(crate) fn git_config(&self) -> PathBuf {
        self.home().join(".gitconfig")
    }

    /// Where the program keeps its files.
    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// A process in this environment, without a terminal to ask on.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let binaries = Path::new(PROGRAM).parent().unwrap();
        let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
        let own = self.variables.iter().rfind(|(name, _)| name == "PATH");
        let searched = own.map_or(path.as_str(), |(_, value)| value);
        let program = found_on(searched, program.as_ref());
        let mut command = Command::new(&program);
        #[cfg(target_os = "linux")]
        if let Some(etc) = &self.etc {
            command = etc.command(&program, &self.home());
        }
        command
            .current_dir(self.home())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.home())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CREDENTIAL_BITBUCKET_HOME", self.data())
            .env("GIT_TERMINAL_PROMPT", "0")
            // Nobody is there: no test asks the real Bitbucket.
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program with this on its standard input.
    pub(crate) fn program(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> Outcome {
        self.forget_what_was_said();
        let mut command = self.command(PROGRAM);
        command.args(arguments);
        let outcome = run(command, input.as_ref());
        let is_operation = matches!(arguments, ["get" | "store" | "erase" | "frobnicate"]);
        assert!(
            outcome.took_all || !is_operation,
            "{arguments:?} left a broken pipe"
        );
        outcome
    }

    /// Has the next `get` say why it gives no answer, even if another one has just said the same.
    pub(crate) fn forget_what_was_said(&self) {
        let _ = fs::remove_file(self.data().join("said"));
    }

    /// Runs git.
    pub(crate) fn git(&self, arguments: &[&str]) -> Outcome {
        let mut command = self.command("git");
        command.args(arguments);
        run(command, b"")
    }

    /// Runs git, and fails the test with its words when it fails.
    pub(crate) fn git_succeeds(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.git(arguments);
        assert_eq!(outcome.status, 0, "git {arguments:?}: {outcome:?}");
        outcome
    }

    /// Runs a script of a shell.
    pub(crate) fn shell(&self, script: &str) -> Outcome {
        let mut command = self.command("sh");
        command.args(["-c", script]);
        run(command, b"")
    }

    /// Carries out the command of ours that a message names in quotes, with a value for its placeholder.
    pub(crate) fn follow(&self, message: &str, placeholder: &str, value: &str) {
        let start = message.find("'git credential-bitbucket").unwrap() + 1;
        let rest = &message[start..];
        // The quotes within the command come in pairs, and a word follows the first of each.
        let is_end = |place: &usize| {
            let is_whole = rest[..*place].matches('\'').count().is_multiple_of(2);
            is_whole && !rest[place + 1..].starts_with(char::is_alphanumeric)
        };
        let mut ends = rest.match_indices('\'').map(|(place, _)| place);
        let end = ends.find(is_end).unwrap();
        let mut script = rest[..end].to_owned();
        if !placeholder.is_empty() {
            script = script.replace(placeholder, value);
        }
        let outcome = self.shell(&script);
        assert_eq!(outcome.status, 0, "{script}: {outcome:?}");
    }

    /// Signs in with a secret on standard input, unchecked; into the file store, unless the arguments name another.
    pub(crate) fn login(&self, secret: &str, arguments: &[&str]) -> Outcome {
        let outcome = self.prepare(&login(arguments), secret);
        assert_eq!(outcome.status, 0, "{arguments:?}: {outcome:?}");
        outcome
    }

    /// The same while others run, so that the program itself does it each time.
    pub(crate) fn login_beside_others(&self, secret: &str, arguments: &[&str]) -> Outcome {
        let outcome = self.program(&login(arguments), secret);
        assert_eq!(outcome.status, 0, "{arguments:?}: {outcome:?}");
        outcome
    }

    /// Whether nothing but a stand-in is in the environment that is not in each.
    pub(super) fn is_usual(&self) -> bool {
        #[cfg(target_os = "linux")]
        if self.etc.is_some() {
            return false;
        }
        let is_of_stand_in = |name: &str| {
            let name = name.to_ascii_lowercase();
            name.ends_with("_proxy") || name.contains("ssl_c")
        };
        self.variables.iter().all(|(name, _)| is_of_stand_in(name))
    }

    /// What `get` answers for these attributes: in silence, or not at all and one line says why.
    #[track_caller]
    pub(crate) fn get(&self, attributes: &str) -> String {
        let outcome = self.program(&["get"], attributes);
        outcome.assert_says_at_most_why();
        outcome.stdout
    }

    /// What `get` answers for bitbucket.org and more attributes.
    pub(crate) fn get_cloud(&self, more: &str) -> String {
        self.get(&format!("protocol=https\nhost=bitbucket.org\n{more}"))
    }

    /// git reports that our answer for bitbucket.org and more attributes worked.
    pub(crate) fn has_worked(&self, more: &str) {
        let context = format!("protocol=https\nhost=bitbucket.org\n{more}");
        let report = format!("{context}{}", self.get(&context));
        assert_eq!(self.program(&["store"], report).status, 0);
    }

    /// A shell of somebody who is not root, to whom modes and owners mean something, and a program that he can start.
    pub(crate) fn shell_of_a_plain_user(&self) -> (Command, PathBuf) {
        let program = self.path().join("git-credential-bitbucket");
        // Copied by another process: one that was forked while we wrote would keep it from being started.
        let mut copy = self.command("cp");
        copy.arg(PROGRAM).arg(&program);
        assert_eq!(run(copy, b"").status, 0);
        let mut who = self.command("id");
        who.arg("-u");
        if run(who, b"").stdout != "0\n" {
            return (self.command("sh"), program);
        }
        let mut own = self.command("chown");
        own.args(["-R", "65534:65534"]).arg(self.path());
        assert_eq!(run(own, b"").status, 0);
        let mut shell = self.command("setpriv");
        shell.args([
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "sh",
        ]);
        (shell, program)
    }

    /// Makes git ask this program for everything, as `git config credential.helper bitbucket` does.
    pub(crate) fn configure_plain(&self) {
        let mut config = fs::read_to_string(self.git_config()).unwrap();
        assert!(!config.contains("helper"), "{config}");
        config += "[credential]\n\thelper = bitbucket\n";
        fs::write(self.git_config(), config).unwrap();
    }

    /// The accounts as `status --json` shows them.
    pub(crate) fn accounts(&self) -> Vec<serde_json::Value> {
        let outcome = self.program(&["status", "--json"], "");
        let json: serde_json::Value =
            serde_json::from_str(&outcome.stdout).expect("JSON on stdout");
        json["accounts"].as_array().expect("accounts").clone()
    }
}

/// The reply with user name and password.
pub(crate) fn reply(username: &str, password: &str) -> String {
    format!("username={username}\npassword={password}\n")
}

/// The same as whoever offers `capability[]=authtype` gets it while nothing is known against the secret.
pub(crate) fn ephemeral(reply: &str) -> String {
    format!("capability[]=authtype\n{reply}ephemeral=1\n")
}

/// Runs a process to its end.
pub(crate) fn run(mut command: Command, input: &[u8]) -> Outcome {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    // What goes into a pipe at once, whoever reads it, needs nobody who writes it meanwhile.
    let (now, later) = input.split_at(input.len().min(4096));
    let took_first = stdin.write_all(now).is_ok();
    let writer = (!later.is_empty()).then(|| {
        let later = later.to_vec();
        std::thread::spawn(move || stdin.write_all(&later))
    });
    let output = child.wait_with_output().unwrap();
    let took_rest = writer.is_none_or(|writer| writer.join().unwrap().is_ok());
    let took_all = took_first && took_rest;
    Outcome {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        took_all,
    }
}

/// Writes a program, in another process: one that was forked while we write would keep it from being started.
#[cfg(unix)]
pub(crate) fn write_program(path: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let mut command = Command::new("sh");
    command.args(["-c", "printf %s \"$2\" >\"$1\"", "sh"]);
    command.arg(path).arg(script);
    assert_eq!(run(command, b"").status, 0);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, content: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Bytes that do not compress.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut noise = Vec::with_capacity(length + 8);
    while noise.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    noise.truncate(length);
    noise
}
