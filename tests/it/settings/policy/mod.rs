//! The machine's own config.toml: no user gets past its `[policy]`, at whichever door, and without it being known nothing
//! goes in or out.

mod answer;
mod keep;
mod login;
mod setup;
mod slips;
mod unknown;

use crate::support::harness::{Outcome, TestEnv};
use crate::support::stand_in::StandIn;
use std::fs;

const CLOUD: &str = "protocol=https\nhost=bitbucket.org\n";

const REPOSITORY: &str = "protocol=https\nhost=bitbucket.org\npath=acme/site.git\n";

const NOT_KNOWN: &str = "the policy of this machine is not known: ";

/// An environment on a machine with this config.toml.
fn machine(text: &str) -> Option<TestEnv> {
    TestEnv::new().with_system_config(text)
}

/// The same with git sent to the stand-in.
fn machine_with_stand_in(text: &str) -> Option<(TestEnv, StandIn)> {
    let (env, stand_in) = TestEnv::with_stand_in();
    Some((env.with_system_config(text)?, stand_in))
}

/// The administrators change their mind.
fn change(env: &TestEnv, text: &str) {
    fs::write(env.system_config(), text).unwrap();
}

/// Nothing came out of it, and why is said in one line which holds this.
fn assert_refused(outcome: &Outcome, why: &str) {
    assert_eq!(
        (outcome.status, outcome.stdout.as_str()),
        (1, ""),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains(why), "{why}: {outcome:?}");
    let errors = outcome.stderr.matches("git-credential-bitbucket: error: ");
    assert_eq!(errors.count(), 1, "{outcome:?}");
    assert!(!outcome.stderr.contains("canary"), "{outcome:?}");
}

fn in_a_year() -> String {
    let now = std::time::SystemTime::now();
    let seconds = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let year = 1970 + seconds / 31_556_952 + 1;
    format!("{year}-01-31")
}

/// A program of the docker-credential-helper protocol which keeps its secrets in a folder.
fn exec_store(env: &TestEnv) -> Option<String> {
    let program = env.path().join("docker-credential-kept");
    let folder = env.path().join("kept");
    fs::create_dir_all(&folder).ok()?;
    let text = format!(
        "#!/bin/sh\nread -r line\ncase $1 in\n\
         store) key=$(printf %s \"$line\" | sed 's/.*\"ServerURL\":\"\\([^\"]*\\)\".*/\\1/' | cksum | tr -d ' ')\n\
         printf '%s\\n' \"$line\" >{0}/$key ;;\n\
         get) key=$(printf %s \"$line\" | cksum | tr -d ' '); [ -e {0}/$key ] || {{ echo 'credentials not found in native keychain'; exit 1; }}; cat {0}/$key ;;\n\
         erase) key=$(printf %s \"$line\" | cksum | tr -d ' '); rm -f {0}/$key ;;\nesac\n",
        folder.display()
    );
    crate::support::harness::write_program(&program, &text);
    Some(program.display().to_string())
}
