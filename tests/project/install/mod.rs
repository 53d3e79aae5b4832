//! `install.sh`: what it installs, names, reports and removes.

pub(crate) mod place;
#[cfg(target_os = "linux")]
mod target;

use std::{fs, os::unix::fs::PermissionsExt};

use crate::support::harness::{has, rounds};
use place::{INSTALLED, Place, assert_succeeded, binary, contents, names, path_with, script, text};

#[test]
fn install_puts_binary_man_page_and_completions_below_the_prefix() {
    let place = Place::new();
    let output = place.install(&[]);
    assert_succeeded(&output);

    assert_eq!(names(&place.prefix()), INSTALLED);
    for file in INSTALLED {
        let metadata = fs::metadata(place.prefix().join(file)).expect("it was just listed");
        let mode = metadata.permissions().mode() & 0o777;
        let expected = if file.starts_with("bin/") {
            0o755
        } else {
            0o644
        };
        assert_eq!(mode, expected, "the mode of {file}");
        assert!(metadata.len() > 0, "{file} is empty");
    }
    assert!(
        text(&output.stdout).ends_with("login\n"),
        "the last line is the next step"
    );
    let configuration = fs::read_to_string(place.git_configuration()).expect("setup wrote it");
    assert!(configuration.contains("[include]\n\tpath = ~/own/gitconfig"));
    let included = place.home().join("own/gitconfig");
    let included = fs::read_to_string(included).expect("setup wrote it");
    assert!(included.contains(text(place.program().as_os_str().as_encoded_bytes())));
}

#[test]
fn without_setup_git_is_left_alone() {
    let place = Place::new();
    let output = place.install(&["--no-setup"]);
    assert_succeeded(&output);
    assert!(!place.git_configuration().exists());
    assert!(
        text(&output.stdout).contains("setup"),
        "the next step is setup"
    );
}

#[test]
fn install_runs_twice() {
    let place = Place::new();
    assert_succeeded(&place.install(&[]));
    let first = contents(&place.home());
    assert_succeeded(&place.install(&[]));
    assert_eq!(names(&place.prefix()), INSTALLED);
    assert!(
        contents(&place.home()) == first,
        "the second run changed something"
    );
}

#[test]
fn uninstall_leaves_nothing_behind_and_other_files_alone() {
    let place = Place::new();
    let mine = place.prefix().join("bin/mine");
    fs::create_dir_all(mine.parent().expect("it has one")).expect("the folder is ours");
    fs::write(&mine, "mine").expect("the folder is ours");
    let before = "# a comment\n[user]\n\tname = Ada\n[credential]\n\thelper = store\n";
    fs::write(place.git_configuration(), before).expect("the folder is ours");

    assert_succeeded(&place.install(&[]));
    assert_succeeded(&place.install(&["--uninstall"]));
    assert_eq!(names(&place.prefix()), ["bin/mine"]);
    let after = fs::read_to_string(place.git_configuration()).expect("it was there before");
    assert_eq!(after, before);

    let again = place.install(&["--uninstall"]);
    assert_succeeded(&again);
    assert!(text(&again.stdout).contains("nothing to remove"));
}

#[test]
fn uninstall_stops_while_git_still_has_the_helper() {
    let place = Place::new();
    let stand_in = place.stand_in(r#"[ "$*" != "setup --undo" ]"#);
    assert_succeeded(&place.install_with(&stand_in, &[]));
    let output = place.install(&["--uninstall"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nothing was removed"));
    assert_eq!(names(&place.prefix()), INSTALLED);

    assert_succeeded(&place.install(&["--uninstall", "--no-setup"]));
    assert!(names(&place.prefix()).is_empty());
}

#[test]
fn uninstall_stops_when_another_hand_wrote_the_helper() {
    let place = Place::new();
    assert_succeeded(&place.install(&["--no-setup"]));
    let by_hand = format!("[credential]\n\thelper = {}\n", place.program().display());
    fs::write(place.git_configuration(), by_hand).expect("the folder is ours");
    let output = place.install(&["--uninstall"]);
    assert_eq!(output.status.code(), Some(1));
    let configuration = place.git_configuration();
    assert!(text(&output.stderr).contains(text(configuration.as_os_str().as_encoded_bytes())));
    assert_eq!(names(&place.prefix()), INSTALLED);
}

#[test]
fn accounts_go_only_when_that_is_asked_for() {
    for (options, calls) in [
        (&["--uninstall"][..], "setup --undo\n"),
        (
            &["--uninstall", "--accounts"][..],
            "logout --all\nsetup --undo\n",
        ),
    ] {
        let place = Place::new();
        let log = place.folder.path().join("calls");
        let stand_in = place.stand_in(&format!(r#"echo "$*" >>'{}'"#, log.display()));
        assert_succeeded(&place.install_with(&stand_in, &[]));
        fs::remove_file(&log).expect("the installation made calls");
        assert_succeeded(&place.install(options));
        assert_eq!(fs::read_to_string(&log).expect("so did this"), calls);
        assert!(names(&place.prefix()).is_empty());
    }
}

#[test]
fn accounts_that_cannot_be_removed_stop_the_uninstallation() {
    let place = Place::new();
    let stand_in = place.stand_in(r#"[ "$*" != "logout --all" ]"#);
    assert_succeeded(&place.install_with(&stand_in, &[]));
    let output = place.install(&["--uninstall", "--accounts"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("accounts are left"));
    assert_eq!(names(&place.prefix()), INSTALLED);
}

#[test]
fn a_program_that_does_not_run_replaces_nothing() {
    let place = Place::new();
    assert_succeeded(&place.install(&[]));
    let before = contents(&place.home());
    let broken = place.stand_in("exit 1");
    let output = place.install_with(&broken, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("does not run here"));
    assert!(
        contents(&place.home()) == before,
        "a failed installation changed something"
    );
}

#[test]
fn install_names_what_is_missing() {
    let place = Place::new();
    for (missing, expected) in [
        (
            &["cargo"][..],
            &["cargo is missing", "https://rustup.rs"][..],
        ),
        (&["cc"][..], &["cc is missing"][..]),
        (&["git"][..], &["git is missing"][..]),
        (
            &["cargo", "cc", "git"][..],
            &["cargo is", "cc is", "git is"][..],
        ),
    ] {
        let output = place.build(&place.path_without(missing, "1.99.0"));
        assert_eq!(output.status.code(), Some(1));
        let errors = text(&output.stderr);
        assert_eq!(
            errors.lines().count(),
            missing.len(),
            "one line each: {errors}"
        );
        for part in expected {
            assert!(errors.contains(part), "'{part}' in: {errors}");
        }
        assert!(names(&place.prefix()).is_empty());
    }
}

#[test]
fn a_rust_too_old_is_named_with_the_one_wanted() {
    let place = Place::new();
    let output = place.build(&place.path_without(&["git"], "1.63.0"));
    assert_eq!(output.status.code(), Some(1));
    let wanted = concat!("install Rust ", env!("CARGO_PKG_RUST_VERSION"), " or newer");
    let errors = text(&output.stderr);
    assert!(
        errors.contains("Rust 1.63.0 is too old") && errors.contains(wanted),
        "{errors}"
    );
}

/// `rust-toolchain.toml` names one version, and rustup would download it.
#[test]
fn the_rust_that_is_there_builds_and_none_is_downloaded() {
    let place = Place::new();
    let path = place.path_without(&["git"], "1.99.0");
    let used = place.folder.path().join("used");
    let rustc = format!(
        "echo \"${{RUSTUP_TOOLCHAIN:-the named one}}\" >'{}'\necho 'rustc 1.99.0'",
        used.display()
    );
    place.write_script(&path.join("rustc"), &rustc);
    let toolchain = fs::read_to_string(script().with_file_name("rust-toolchain.toml"));
    let toolchain = toolchain.expect("it is part of the project");
    let named = toolchain.split('"').nth(1).expect("it names a version");
    let both = format!("stable-x86_64 (active, default)\n{named}-x86_64");
    for (installed, given, expected) in [
        ("stable-x86_64 (active, default)", "", "stable-x86_64"),
        (&both[..], "", named),
        (&both[..], "mine", "mine"),
        ("", "", "the named one"),
    ] {
        let rustup = format!(
            "case $* in\n'toolchain list') echo '{installed}' ;;\n\
             'show active-toolchain') [ -n '{installed}' ] && echo 'stable-x86_64 (default)' ;;\n\
             *) exit 1 ;;\nesac"
        );
        place.write_script(&path.join("rustup"), &rustup);
        let mut command = place.installer(&binary(), &[]);
        command.env_remove("INSTALL_BINARY").env("PATH", &path);
        if !given.is_empty() {
            command.env("RUSTUP_TOOLCHAIN", given);
        }
        let output = command.output().expect("sh runs");
        let errors = text(&output.stderr);
        assert!(errors.starts_with("install.sh: git is missing"), "{errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        let used = fs::read_to_string(&used).expect("rustc was asked");
        assert_eq!(used.trim_end(), expected, "{installed}");
    }
}

#[test]
fn a_prefix_with_blanks_works() {
    let mut place = Place::new();
    place.prefix = r#"Ada's "own" $HOME; tools"#.into();
    assert_succeeded(&place.install(&[]));
    assert_eq!(names(&place.prefix()), INSTALLED);

    // git, too, must be able to run the helper that lies there.
    let fill = r"printf 'protocol=https\nhost=bitbucket.org\n\n' | git credential fill";
    let output = place
        .command("sh")
        .args(["-c", fill])
        .env("BITBUCKET_API_TOKEN", "of-the-blank-prefix")
        .output()
        .expect("sh runs");
    assert!(
        text(&output.stdout).contains("password=of-the-blank-prefix"),
        "{output:?}"
    );

    assert_succeeded(&place.install(&["--uninstall"]));
    assert!(names(&place.prefix()).is_empty());
}

#[test]
fn a_prefix_may_be_relative_or_start_with_a_tilde() {
    let place = Place::new();
    for (prefix, folder) in [("here", "here"), ("~/there", "home/there")] {
        let mut command = place.command("sh");
        command
            .arg(script())
            .args(["--no-setup", "--prefix", prefix]);
        let output = command
            .env("INSTALL_BINARY", binary())
            .output()
            .expect("sh runs");
        assert_succeeded(&output);
        assert_eq!(names(&place.folder.path().join(folder)), INSTALLED);
    }
}

#[test]
fn a_prefix_not_on_path_is_reported() {
    let place = Place::new();
    let bin = place.prefix().join("bin");
    let output = place.install(&[]);
    let line = format!("export PATH={}:\"$PATH\"", bin.display());
    assert!(text(&output.stderr).contains(&line), "{output:?}");

    let mut command = place.installer(&binary(), &[]);
    command.env("PATH", path_with(&bin));
    let output = command.output().expect("sh runs");
    assert_succeeded(&output);
    assert!(!text(&output.stderr).contains("PATH"), "{output:?}");
    assert!(text(&output.stdout).ends_with("next: git credential-bitbucket login\n"));
}

#[test]
fn another_program_first_on_path_is_reported() {
    let place = Place::new();
    let other = place.stand_in("");
    let mut command = place.installer(&binary(), &[]);
    command.env("PATH", path_with(other.parent().expect("it has one")));
    let output = command.output().expect("sh runs");
    assert_succeeded(&output);
    assert!(
        text(&output.stderr).contains("comes first on PATH"),
        "{output:?}"
    );
}

#[test]
fn git_help_shows_the_installed_page() {
    if !has(&["man"]) {
        return;
    }
    let place = Place::new();
    assert_succeeded(&place.install(&[]));
    let output = place
        .command("git")
        .args(["credential-bitbucket", "--help"])
        .env("PATH", path_with(&place.prefix().join("bin")))
        .envs([("MANPAGER", "cat"), ("MANWIDTH", "80")])
        .output()
        .expect("git runs");
    assert_succeeded(&output);
    let head = text(&output.stdout).lines().next().unwrap_or_default();
    let title = "GIT-CREDENTIAL-BITBUCKET(1)";
    assert!(head.starts_with(title) && head.ends_with(title), "{head}");
}

#[test]
fn a_mistake_on_the_command_line_is_one_line() {
    let place = Place::new();
    for arguments in [
        &["--prefux", "x"][..],
        &["--prefix"][..],
        &["--prefix="][..],
        &["--accounts"][..],
        &["--from"][..],
        &["--from="][..],
        &["--from", "x", "--uninstall"][..],
        &["somewhere"][..],
    ] {
        let output = place
            .command("sh")
            .arg(script())
            .args(arguments)
            .output()
            .expect("sh runs");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert_eq!(text(&output.stderr).lines().count(), 1, "{output:?}");
    }
    assert!(names(&place.home()).is_empty());
}

#[test]
fn no_home_is_named_and_needed_only_for_setup() {
    let place = Place::new();
    let output = place
        .installer(&binary(), &[])
        .env_remove("HOME")
        .output()
        .expect("sh runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("HOME is not set"));

    let mut command = place.installer(&binary(), &["--no-setup"]);
    assert_succeeded(&command.env_remove("HOME").output().expect("sh runs"));
    assert_eq!(names(&place.prefix()), INSTALLED);
}

#[test]
fn half_a_script_does_nothing() {
    let whole = fs::read_to_string(script()).expect("it lies in the checkout");
    let place = Place::new();
    let checkout = place.folder.path().join("checkout");
    fs::create_dir(&checkout).expect("the folder is ours");
    fs::write(checkout.join("Cargo.toml"), "").expect("the folder is ours");
    let half = checkout.join("install.sh");
    let line_ends = whole.match_indices('\n').map(|(at, _)| at);
    let line_ends = line_ends.step_by(4 / rounds(4));
    for length in line_ends.chain(whole.len() - 8..whole.len() - 2) {
        if length == whole.len() - 1 {
            continue; // only the last line feed is missing, and the shell does without
        }
        fs::write(&half, &whole[..length]).expect("the folder is ours");
        let mut command = place.command("sh");
        command.arg(&half).arg("--prefix").arg(place.prefix());
        command
            .env("INSTALL_BINARY", binary())
            .output()
            .expect("sh runs");
        assert!(
            !place.prefix().exists(),
            "{length} bytes of install.sh did something"
        );
    }
}
