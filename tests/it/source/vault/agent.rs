//! An agent on the same machine, which has signed in: we have no token at all.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Server, answer, bao, configure, error, free_port, get, world_of_app_role};
use crate::support::harness::TestEnv;
use crate::support::stand_in::found_here;

/// `bao agent` or `bao proxy`; it ends with this value.
struct Agent {
    child: Child,
    address: String,
}

impl Agent {
    fn start(env: &TestEnv, server: &Server, command: &str) -> Self {
        let port = free_port();
        let file = |name: &str| env.path().join(name).display().to_string();
        let config = format!(
            r#"vault {{ address = "{}" }}
auto_auth {{
  method "approle" {{
    config = {{
      role_id_file_path = "{}"
      secret_id_file_path = "{}"
      remove_secret_id_file_after_reading = false
    }}
  }}
}}
api_proxy {{ use_auto_auth_token = true }}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_disable = true
  require_request_header = true
}}
"#,
            server.address,
            file("role-id"),
            file("secret-id")
        );
        fs::write(file("agent.hcl"), config).unwrap();
        let mut program = Command::new(found_here("setpriv"));
        program.args(["--pdeathsig", "KILL"]).arg(bao());
        program.args([command, &format!("-config={}", file("agent.hcl"))]);
        let log = fs::File::create(file("agent.log")).unwrap();
        program
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", env.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        Self {
            child: program.spawn().unwrap(),
            address: format!("http://127.0.0.1:{port}"),
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `get` answers once the agent has signed in.
fn in_the_end(env: &TestEnv) -> String {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let outcome = get(env);
        if outcome.status == 0 || Instant::now() > end {
            return outcome.stdout;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn behind_an_agent_no_token_is_needed_and_none_is_sent() {
    let is_enough = |command: &str| {
        let Some((mut env, server)) = world_of_app_role(&json!({})) else {
            return;
        };
        let agent = Agent::start(&env, &server, command);
        // Neither is for the agent, which would hand them on.
        env.set("VAULT_TOKEN", "canary-junk");
        env.set("VAULT_ADDR", "http://127.0.0.1:9");
        let address = format!("address = \"{}\"", agent.address);
        configure(&env, &[&address, "auth = \"agent\""]);
        assert_eq!(in_the_end(&env), answer(), "{command}");
        for _ in 0..3 {
            assert_eq!(get(&env).stdout, answer(), "{command}");
        }
        assert_eq!(server.logins(), 1, "the agent's own");

        configure(&env, &["auth = \"agent\""]);
        env.set("BAO_AGENT_ADDR", &agent.address);
        assert_eq!(get(&env).stdout, answer(), "{command}");

        server.policy("git", &["secret/data/other"]);
        let path = "secret/data/bitbucket/acme/app";
        assert_eq!(
            error(&env),
            format!(
                "Vault at '{}' does not let us read '{path}' (403)",
                agent.address
            )
        );
        // It goes on trying, longer than git would wait.
        drop(server);
        env.hurry(5);
        let message = error(&env);
        assert!(message.contains(&agent.address), "{message}");
    };
    // Side by side, as they mostly wait.
    thread::scope(|scope| {
        scope.spawn(|| is_enough("agent"));
        scope.spawn(|| is_enough("proxy"));
    });
}
