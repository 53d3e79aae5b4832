//! Askpass programs, which behave as those of IDEs do.

use std::fs;
use std::path::PathBuf;

use super::harness::{TestEnv, write_program};

/// A program that writes down what it is asked.
pub(crate) struct Askpass {
    pub(crate) program: PathBuf,
    log: PathBuf,
}

/// VS Code's script splits the question at blanks. The second word after the kind of question is the URL, and what is
/// typed is hidden where the first word is `password`. A cancelled box is an empty line.
const OF_VS_CODE: &str = r#"set -- $*
echo "$*" >>LOG
case $1 in [Pp]assword) echo "ANSWER" ;; *) echo "NAME" ;; esac
"#;

/// The program of `JetBrains` splits it too, and wants the URL in quotes. Cancelled, it prints nothing.
const OF_JETBRAINS: &str = r#"echo "$1" >>LOG
set -- $1
case $3 in "'https://"*"':") ;; *) exit 1 ;; esac
case $1 in Username) echo "NAME" ;; *) if [ -n "ANSWER" ]; then echo "ANSWER"; fi ;; esac
"#;

impl Askpass {
    pub(crate) fn of_vs_code(env: &TestEnv, name: &str, answer: &str) -> Self {
        Self::new(env, OF_VS_CODE, name, answer)
    }

    pub(crate) fn of_jetbrains(env: &TestEnv, name: &str, answer: &str) -> Self {
        Self::new(env, OF_JETBRAINS, name, answer)
    }

    /// A shell script in which LOG is a file, NAME what is answered to the question for a user name, and ANSWER to the other.
    pub(crate) fn new(env: &TestEnv, script: &str, name: &str, answer: &str) -> Self {
        let (program, log) = (env.path().join("ask pass"), env.path().join("asked"));
        let script = script.replace("LOG", &format!("'{}'", log.display()));
        let script = script.replace("NAME", name).replace("ANSWER", answer);
        write_program(&program, &format!("#!/bin/sh\n{script}"));
        Self { program, log }
    }

    pub(crate) fn path(&self) -> &str {
        self.program.to_str().unwrap()
    }

    /// The questions so far, which it forgets.
    pub(crate) fn asked(&self) -> Vec<String> {
        let asked = fs::read_to_string(&self.log).unwrap_or_default();
        let _ = fs::remove_file(&self.log);
        asked
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }
}
