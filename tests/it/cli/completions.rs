//! `completions`, in the shells that read them.

use crate::support::harness::TestEnv;

#[test]
fn completions_are_printed_for_four_shells() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let outcome = TestEnv::new().program(&["completions", shell], "");
        assert_eq!(outcome.status, 0);
        assert!(
            outcome.stdout.contains("login") && outcome.stdout.contains("with-token"),
            "{shell}"
        );
    }
    assert_eq!(
        TestEnv::new().program(&["completions", "tcsh"], "").status,
        2
    );
}

#[test]
fn bash_completes_also_behind_git() {
    if !crate::support::harness::has(&["bash"]) {
        return;
    }
    let env = TestEnv::new();
    let completed = |words: &str, position: u8| {
        let mut command = env.command("bash");
        let script = format!(
            "source <(git-credential-bitbucket completions bash)
             COMP_WORDS=({words}); COMP_CWORD={position}; _git_credential_bitbucket; echo \"${{COMPREPLY[@]}}\""
        );
        command.args(["--norc", "-c", &script]);
        let outcome = crate::support::harness::run(command, b"");
        assert_eq!(outcome.status, 0, "{outcome:?}");
        outcome.stdout
    };
    assert_eq!(completed("git credential-bitbucket sta", 2), "status\n");
    assert_eq!(
        completed("git -C x credential-bitbucket login --with", 5),
        "--with-token\n"
    );
}
