//! `help`, with and without the manual page.

use crate::support::harness::TestEnv;

#[test]
fn help_needs_no_manual_page() {
    let mut env = TestEnv::new();
    env.set("MANPATH", "/nowhere");
    let all = env.git_succeeds(&["credential-bitbucket", "help"]).stdout;
    assert!(
        all.contains("Commands:") && all.contains("'get', 'store' and 'erase'"),
        "{all}"
    );
    assert_eq!(env.program(&["--help"], "").stdout, all);
    for verb in ["login", "scrub", "curl"] {
        let help = env
            .git_succeeds(&["credential-bitbucket", "help", verb])
            .stdout;
        assert!(
            help.contains(&format!("Usage: git credential-bitbucket {verb}")),
            "{help}"
        );
        // git takes only the word right behind the command for its own.
        let behind = env.git_succeeds(&["credential-bitbucket", verb, "--help"]);
        assert_eq!(behind.stdout, help);
    }
    // git asks man alone.
    let outcome = env.git(&["credential-bitbucket", "--help"]);
    assert_ne!((outcome.status, outcome.stdout.as_str()), (0, all.as_str()));
    let outcome = env.program(&["help", "frobnicate"], "");
    assert_eq!(outcome.status, 2);
    assert!(
        outcome
            .stderr
            .contains("error: 'frobnicate' is not a command\n"),
        "{}",
        outcome.stderr
    );
}
