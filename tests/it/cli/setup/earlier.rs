//! What version 0.1 wrote: the sections themselves, in git's own file.

use super::{BEFORE, config, include, included};
use crate::support::harness::{API_TOKEN, PROGRAM, TestEnv, write_private};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// git's file and the record, as version 0.1 left them behind this text.
fn set_up_by_0_1(before: &str, separator: &str, rest: &str) -> TestEnv {
    let env = TestEnv::new();
    let mut block = String::new();
    let mut record = format!(
        "[[file]]\npath = '{}'\ncreated = false\nseparator = {separator:?}\n",
        env.git_config().display()
    );
    for (header, lines) in [
        (
            "[credential \"https://bitbucket.org\"]",
            vec![
                "\thelper =".to_owned(),
                format!("\thelper = {PROGRAM}"),
                "\tuseHttpPath = true".to_owned(),
            ],
        ),
        ("[transfer]", vec!["\tcredentialsInUrl = die".to_owned()]),
    ] {
        let _ = write!(block, "{header}\n{}\n", lines.join("\n"));
        let _ = write!(
            record,
            "[[file.sections]]\nheader = {header:?}\nlines = {lines:?}\n"
        );
    }
    fs::write(
        env.git_config(),
        format!("{before}{separator}{block}{rest}"),
    )
    .unwrap();
    fs::create_dir(env.data()).unwrap();
    fs::set_permissions(env.data(), fs::Permissions::from_mode(0o700)).unwrap();
    write_private(&env.data().join("setup.toml"), &record);
    env
}

#[test]
fn setup_turns_it_into_the_include_and_undo_leaves_what_stood_there_before() {
    for (before, separator) in [
        (BEFORE, "\n"),
        ("", ""),
        ("[user]\n\tname = Ada\n", ""),
        ("[alias]\n\tx = status \\", "\n\n"),
    ] {
        let env = set_up_by_0_1(before, separator, "");
        let outcome = env.program(&["setup"], "");
        assert_eq!(outcome.status, 0, "{outcome:?}");
        assert_eq!(
            config(&env),
            format!("{before}{separator}{}", include(&env))
        );
        let text = included(&env);
        assert!(text.contains("https://www.bitbucket.org\""), "{text}");
        assert!(
            text.ends_with("[transfer]\n\tcredentialsInUrl = die\n"),
            "{text}"
        );
        let once = config(&env);
        assert_eq!(env.program(&["setup"], "").status, 0);
        assert_eq!((config(&env), included(&env)), (once, text));
        assert_eq!(env.program(&["setup", "--undo"], "").status, 0);
        assert_eq!(config(&env), before);
    }
}

#[test]
fn undo_takes_it_back_and_keeps_later_edits() {
    for rest in ["", "[alias]\n\tst = status\n", "\tfsckObjects = true\n"] {
        let env = set_up_by_0_1(BEFORE, "\n", rest);
        let outcome = env.program(&["setup", "--undo"], "");
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let kept = match rest {
            "" => BEFORE.to_owned(),
            "\tfsckObjects = true\n" => format!("{BEFORE}\n[transfer]\n{rest}"),
            _ => format!("{BEFORE}\n{rest}"),
        };
        assert_eq!(config(&env), kept);
        assert!(!env.data().join("setup.toml").exists());
    }
}

#[test]
fn login_leaves_it_and_says_how_a_new_host_is_added() {
    let env = set_up_by_0_1(BEFORE, "\n", "");
    let before = config(&env);
    let outcome = env.login(API_TOKEN, &[]);
    assert!(
        outcome.stderr.contains(
            "www.bitbucket.org and api.bitbucket.org: git does not ask this helper, but 'store' ('"
        ),
        "{outcome:?}"
    );
    assert!(
        outcome
            .stderr
            .ends_with("hint: 'git credential-bitbucket setup'\n"),
        "{outcome:?}"
    );
    assert_eq!(config(&env), before);
}
