//! Our own questions take no route from a folder: a clone may look like a bare repository, and git would then read its
//! configuration.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::PathBuf;

use crate::support::harness::{API_TOKEN, Outcome, PROGRAM, STATIC, TestEnv, reply, run};
use crate::support::stand_in::Credential;

/// A folder in which git sees a bare repository with a proxy and certificates of its own.
pub(super) struct HostileFolder {
    path: PathBuf,
    proxy: TcpListener,
}

impl HostileFolder {
    pub(super) fn new(env: &TestEnv) -> Self {
        let path = env.home().join("clone");
        for folder in ["objects", "refs", "below"] {
            fs::create_dir_all(path.join(folder)).unwrap();
        }
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        proxy.set_nonblocking(true).unwrap();
        let address = format!("http://{}", proxy.local_addr().unwrap());
        let mut text = "[core]\n\tbare = true\n\trepositoryFormatVersion = 0\n".to_owned();
        for section in [
            "http",
            "http \"https://bitbucket.org\"",
            "http \"https://api.bitbucket.org\"",
        ] {
            let lines = format!("\tproxy = {address}\n\tsslCAInfo = /nonexistent.pem\n");
            text = format!("{text}[{section}]\n{lines}");
        }
        fs::write(path.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        fs::write(path.join("config"), text).unwrap();
        let mut git = env.command("git");
        git.args(["config", "http.proxy"]).current_dir(&path);
        assert_eq!(run(git, b"").stdout.trim(), address, "git believes it");
        Self { path, proxy }
    }

    /// Runs the program here, in the ways in which git runs its helpers.
    pub(super) fn program(&self, env: &TestEnv, arguments: &[&str], input: &str) -> Vec<Outcome> {
        let ways: [(&str, Option<&str>); 3] = [("", None), ("below", None), ("", Some("."))];
        let run_in = |(folder, git_dir): (&str, Option<&str>)| {
            let mut command = env.command(PROGRAM);
            command.args(arguments).current_dir(self.path.join(folder));
            // It would come before the setting.
            command.env_remove("GIT_SSL_CAINFO");
            command.envs(git_dir.map(|folder| ("GIT_DIR", folder)));
            command.envs(git_dir.map(|folder| ("GIT_COMMON_DIR", folder)));
            let outcome = run(command, input.as_bytes());
            let visit = self.proxy.accept().map_err(|error| error.kind());
            assert_eq!(
                visit.map(|_| ()),
                Err(ErrorKind::WouldBlock),
                "{arguments:?} in '{folder}' went to the folder's proxy"
            );
            outcome
        };
        ways.map(run_in).into()
    }
}

#[test]
fn login_verify_and_the_question_after_a_refusal_take_no_route_from_a_folder() {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    stand_in.allow(Credential::api_token(API_TOKEN));
    let folder = HostileFolder::new(&env);
    let login = ["login", "mine", "--with-token", "--store", "file"];
    let login = [
        &login[..],
        &["--email", "ada@example.com", "--for", "acme/app"],
    ]
    .concat();
    for outcome in folder.program(&env, &login, API_TOKEN) {
        assert!(outcome.stderr.contains("knows it as"), "{outcome:?}");
    }
    for outcome in folder.program(&env, &["status", "--verify"], "") {
        assert!(outcome.stderr.contains("knows it as"), "{outcome:?}");
    }
    let wanted = "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n";
    let answer = reply(STATIC, API_TOKEN);
    env.program(&["erase"], format!("{wanted}{answer}"));
    stand_in.forget_requests();
    for outcome in folder.program(&env, &["get"], wanted) {
        assert_eq!(outcome.stdout, answer, "{outcome:?}");
    }
    assert_eq!(stand_in.requests().len(), 2, "the question was asked");
}
