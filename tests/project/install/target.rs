//! Which program `install.sh` builds: the static one where Rust has its target, or rustup adds it.

use std::{env, fs, process::Output};

use super::place::{Place, assert_succeeded, binary, path_with, text};

/// What a Rust on this machine does with `install.sh`.
struct Build {
    output: Output,
    /// The target that cargo was given.
    target: Option<String>,
    /// Whether rustup was told to add one.
    adds: bool,
}

/// Installs with a cargo, a rustc and a rustup that only look like them. `rustup` is a piece of shell for `target add`.
fn build(rustc_is_rustups: bool, has_target: bool, add: &str) -> Build {
    let place = Place::new();
    let root = place.folder.path().join("rust");
    let (bin, sysroot) = (root.join("bin"), root.join("toolchain"));
    let target = format!("{}-unknown-linux-musl", env::consts::ARCH);
    let library = sysroot.join("lib/rustlib").join(&target).join("lib");
    if has_target {
        fs::create_dir_all(&library).expect("the folder is ours");
    }
    let rustc = format!(
        "case $* in
        --version) echo 'rustc 1.99.0' ;;
        -vV) echo 'host: {}-unknown-linux-gnu' ;;
        '--print sysroot') echo '{}' ;;
        *) exit 1 ;;
        esac",
        env::consts::ARCH,
        sysroot.display()
    );
    place.write_script(&sysroot.join("bin/rustc"), &rustc);
    place.write_script(&bin.join("rustc"), &rustc);
    let cargo = format!(
        "echo \"$*\" >>'{0}/cargo'
        while [ $# -gt 0 ]; do
            case $1 in --root) mkdir -p \"$2/bin\"; cp '{1}' \"$2/bin/\" ;; esac
            shift
        done",
        root.display(),
        binary().display()
    );
    place.write_script(&bin.join("cargo"), &cargo);
    let which = if rustc_is_rustups { &sysroot } else { &root };
    let rustup = format!(
        "case $* in
        'which rustc') echo '{}/bin/rustc' ;;
        '-q target add {target}') echo >'{}/added'; {add} ;;
        *) exit 1 ;;
        esac",
        which.display(),
        root.display(),
    );
    place.write_script(
        &bin.join("rustup"),
        &rustup.replace("LIBRARY", &library.display().to_string()),
    );
    let mut command = place.installer(&binary(), &["--no-setup"]);
    command
        .env_remove("INSTALL_BINARY")
        .env("PATH", path_with(&bin));
    let output = command.output().expect("sh runs");
    assert_succeeded(&output);
    let calls = fs::read_to_string(root.join("cargo")).expect("cargo was started");
    let target = |call: &str| {
        let (_, rest) = call.split_once("--target ")?;
        rest.split(' ').next().map(str::to_owned)
    };
    let targets: Vec<_> = calls.lines().map(target).collect();
    assert!(targets.len() == 2 && targets[0] == targets[1], "{calls}");
    Build {
        output,
        target: targets[0].clone(),
        adds: root.join("added").exists(),
    }
}

#[test]
fn rustup_adds_the_target_of_the_static_program() {
    let built = build(true, false, "mkdir -p 'LIBRARY'");
    let target = format!("{}-unknown-linux-musl", env::consts::ARCH);
    assert_eq!(built.target, Some(target.clone()));
    let said = text(&built.output.stdout);
    assert!(
        said.contains(&format!("adding Rust's target {target}")),
        "{said}"
    );
}

#[test]
fn a_target_that_is_there_is_not_added_again() {
    let built = build(true, true, "exit 1");
    assert!(built.target.is_some() && !built.adds);
}

#[test]
fn without_the_target_the_dynamic_program_is_built() {
    let built = build(true, false, "echo 'error: no network' >&2; exit 1");
    assert!(built.target.is_none() && built.adds);
    let said = text(&built.output.stdout);
    assert!(
        said.contains("building the dynamic program instead"),
        "{said}"
    );
    assert_eq!(
        text(&built.output.stderr).lines().next(),
        Some("error: no network")
    );
}

/// A target that rustup adds to its own Rust is of no use to another one.
#[test]
fn a_rust_of_the_distribution_builds_the_dynamic_program() {
    let built = build(false, false, "mkdir -p 'LIBRARY'");
    assert!(built.target.is_none() && !built.adds);
    let said = text(&built.output.stdout);
    assert!(!said.contains("target"), "{said}");
}
