//! The programs the tour shows: git and a shell have to be there, ours is built.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

const PROGRAM: &str = "git-credential-bitbucket";

/// Sees to it that a program is there, or says where to get it.
pub(crate) fn require(program: &str, arguments: &[&str], source: &str) -> Result<()> {
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ensure!(
        status.is_ok_and(|status| status.success()),
        "'{program}' is missing: {source}"
    );
    Ok(())
}

/// Builds our program beside this example and in its profile, since cargo builds it for tests but not for an example.
pub(crate) fn build() -> Result<PathBuf> {
    // TARGET/PROFILE/examples/tour
    let example = env::current_exe()?;
    let mut folders = example.ancestors().skip(2);
    let elsewhere = "the example has to lie where cargo put it";
    let folder = folders.next().context(elsewhere)?;
    let target = folders.next().context(elsewhere)?;
    let profile = match folder.file_name().context(elsewhere)? {
        name if name == "debug" => "dev".as_ref(),
        name => name,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--locked", "--quiet", "--bin", PROGRAM])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .arg("--profile")
        .arg(profile)
        .stdin(Stdio::null());
    if cfg!(not(feature = "keyring")) {
        cargo.arg("--no-default-features");
    }
    let status = cargo.status().context("cannot run cargo")?;
    ensure!(status.success(), "the program does not build");
    Ok(folder
        .join(PROGRAM)
        .with_extension(env::consts::EXE_EXTENSION))
}
