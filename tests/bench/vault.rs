//! `cargo bench --bench vault`: one `get` from a real OpenBao beside curl's request for the same to the same server.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "what it prints is all it is for, and a panic is a failure"
)]

use std::env;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

const ROUNDS: usize = 300;
const QUICK_ROUNDS: usize = 30;
/// Of curl's time.
const MOST: f64 = 1.3;
/// KiB.
const MEMORY_LIMIT: u64 = 16 * 1024;
const TOKEN: &str = "ATATT3xFfGF0bench";
const WANTED: &str = "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n";

fn main() {
    let bao = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/openbao/bin/bao");
    if !bao.exists() {
        assert!(env::var_os("REQUIRE_ALL").is_none(), "OpenBao is missing");
        println!("Left out: OpenBao is not installed, which tests/run.sh does");
        return;
    }
    let is_quick = env::args().any(|argument| argument == "--quick");
    let rounds = if is_quick { QUICK_ROUNDS } else { ROUNDS };
    let world = World::start(&bao);
    println!("\nOne secret of OpenBao, whole processes, {rounds} rounds, one of each per round\n");
    let mut pairs = [world.pair("http", false), world.pair("TLS", true)];
    for round in 0..rounds {
        for pair in &mut pairs {
            // Now the one first, now the other.
            let (first, second) = match round % 2 {
                0 => (&mut pair.ours, &mut pair.curl),
                _ => (&mut pair.curl, &mut pair.ours),
            };
            first.run_against_the_clock();
            second.run_against_the_clock();
        }
    }
    for pair in &mut pairs {
        let (ours, curl) = (pair.ours.median(), pair.curl.median());
        let ratio = ours.as_secs_f64() / curl.as_secs_f64();
        let verdict = |met| if met { "met" } else { "missed" };
        println!(
            "{:5} ours {:>8.2?}   curl {:>8.2?}   at most {MOST} of curl: {ratio:.2}, {}",
            pair.name,
            ours,
            curl,
            verdict(ratio <= MOST)
        );
        let memory = pair.ours.memory();
        println!(
            "{:5} memory below {MEMORY_LIMIT} KiB: {memory} KiB, {}",
            pair.name,
            verdict(memory < MEMORY_LIMIT)
        );
    }
}

/// A server that listens with TLS and without, and the homes of those who ask it.
struct World {
    server: Child,
    folder: tempfile::TempDir,
    ports: [u16; 2],
}

struct Pair {
    name: &'static str,
    ours: Contender,
    curl: Contender,
}

impl World {
    fn start(bao: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        certificates(folder.path());
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
        let ports = [free().unwrap().port(), free().unwrap().port()];
        let listener = format!(
            "listener \"tcp\" {{\n address = \"127.0.0.1:{}\"\n tls_cert_file = \"{}\"\n tls_key_file = \"{}\"\n}}\n",
            ports[1],
            path("server.pem").display(),
            path("server.key").display()
        );
        fs::write(path("server.hcl"), listener).unwrap();
        let log = fs::File::create(path("server.log")).unwrap();
        let server = Command::new(bao)
            .args(["server", "-dev", "-dev-no-store-token"])
            .arg("-dev-root-token-id=root")
            .arg(format!("-dev-listen-address=127.0.0.1:{}", ports[0]))
            .arg(format!("-config={}", path("server.hcl").display()))
            .env("HOME", folder.path())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let world = Self {
            server,
            folder,
            ports,
        };
        world.put_a_secret();
        world
    }

    fn put_a_secret(&self) {
        let body = format!("{{\"data\":{{\"password\":\"{TOKEN}\"}}}}");
        let end = Instant::now() + Duration::from_secs(60);
        while !self
            .curl(false)
            .args(["-f", "-d", &body])
            .status()
            .unwrap()
            .success()
        {
            assert!(Instant::now() < end, "OpenBao does not come up");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn address(&self, is_tls: bool) -> String {
        let scheme = if is_tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.ports[usize::from(is_tls)])
    }

    /// The request that we make, made by curl.
    fn curl(&self, is_tls: bool) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["-s", "--noproxy", "*", "-o"])
            .arg(self.folder.path().join("answer"))
            .args(["-H", "X-Vault-Request: true", "-H", "X-Vault-Token: root"])
            .arg("--cacert")
            .arg(self.folder.path().join("ca.pem"))
            .arg(self.address(is_tls) + "/v1/secret/data/bitbucket/acme/app");
        curl
    }

    fn pair(&self, name: &'static str, is_tls: bool) -> Pair {
        let home = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        let config = format!(
            "lookup = [\"vault\"]\n[store.vault]\naddress = \"{}\"\nca = \"{}\"\n",
            self.address(is_tls),
            self.folder.path().join("ca.pem").display()
        );
        fs::write(home.join("config.toml"), config).unwrap();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_git-credential-bitbucket"));
        let mut ours = Command::new(&program);
        ours.arg("get")
            .env("GIT_CREDENTIAL_BITBUCKET_HOME", &home)
            .env("VAULT_TOKEN", "root");
        let curl = self.curl(is_tls);
        Pair {
            name,
            ours: Contender::new(ours, true),
            curl: Contender::new(curl, false),
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

struct Contender {
    command: Command,
    answers: bool,
    times: Vec<Duration>,
}

impl Contender {
    fn new(command: Command, answers: bool) -> Self {
        Self {
            command,
            answers,
            times: Vec::new(),
        }
    }

    fn run_against_the_clock(&mut self) {
        let start = Instant::now();
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // curl does not read it.
        let _ = child.stdin.take().unwrap().write_all(WANTED.as_bytes());
        let output = child.wait_with_output().unwrap();
        self.times.push(start.elapsed());
        let text = String::from_utf8_lossy(&output.stdout);
        let is_right = output.status.success() && text.contains(TOKEN) == self.answers;
        assert!(is_right, "{:?}: {text}", self.command);
    }

    fn median(&mut self) -> Duration {
        self.times.sort();
        self.times[self.times.len() / 2]
    }

    /// The most it takes, in KiB, as GNU time tells it.
    fn memory(&self) -> u64 {
        let mut command = Command::new("time");
        command.args(["-f", "%M"]).arg(self.command.get_program());
        command.args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(WANTED.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        String::from_utf8_lossy(&output.stderr)
            .trim()
            .parse()
            .unwrap()
    }
}

/// An authority, and a certificate of it for the loopback interface.
fn certificates(folder: &Path) {
    let mut parameters = CertificateParams::new([]).unwrap();
    // Another name than that of what it signs, or curl takes that for its own authority.
    let name = &mut parameters.distinguished_name;
    name.push(DnType::CommonName, "Benchmark's authority");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = parameters.self_signed(&key).unwrap();
    let issuer = Issuer::new(parameters, key);
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let own = own.signed_by(&key, &issuer).unwrap();
    for (name, text) in [
        ("ca.pem", authority.pem()),
        ("server.pem", own.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}
