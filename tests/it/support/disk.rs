//! A disk that is small, and mounts that nobody else sees.

use std::fs;
use std::process::Command;

use super::harness::{Outcome, PROGRAM, TestEnv, has, run};
use super::needs::skip;

/// What it takes to mount something that nobody else sees: as root, or as root of a user namespace.
pub(crate) fn namespace(env: &TestEnv) -> Option<Vec<&'static str>> {
    if !has(&["unshare"]) {
        return None;
    }
    let ways: [&[&str]; 2] = [&["unshare", "-m"], &["unshare", "-Urm"]];
    let works = |way: &&[&str]| {
        let mut command = env.command(way[0]);
        command
            .args(&way[1..])
            .args(["mount", "-t", "tmpfs", "none", "/mnt"]);
        run(command, b"").status == 0
    };
    let found = ways.into_iter().find(works).map(<[&str]>::to_vec);
    if found.is_none() {
        // A container may forbid it; the kills have shown that nothing is half-written.
        skip(&["mounts"]);
    }
    found
}

/// Runs a script with 64 KiB of disk for the program's files, and nothing in them.
pub(crate) fn on_a_small_disk(env: &TestEnv, script: &str) -> Option<Outcome> {
    let way = namespace(env)?;
    fs::create_dir_all(env.data()).unwrap();
    let mut command: Command = env.command(way[0]);
    let script = format!("set -u; {FUNCTIONS}\n{script}");
    command
        .args(&way[1..])
        .args(["sh", "-c", &script])
        .env("P", PROGRAM)
        .env("D", env.data());
    Some(run(command, b""))
}

/// `login NAME`, `given OPERATION USER`, `fill PAGES_TO_LEAVE` and the like, and the mount.
const FUNCTIONS: &str = r#"
mount -t tmpfs -o size=64k,mode=700 none "$D" || exit 99
login() { printf "$1" | "$P" login --with-token --no-verify --store file --for "$2" "$2"; }
get() { printf "protocol=https\nhost=bitbucket.org\npath=$1/x\n" | "$P" get; }
given() { printf "protocol=https\nhost=bitbucket.org\npath=$2/x\nusername=ada\npassword=given\n" | "$P" "$1"; }
fill() {
    rm -f "$D/fill"; dd if=/dev/zero of="$D/fill" bs=4k 2>/dev/null
    size=$(stat -c %s "$D/fill"); truncate -s $((size - $1 * 4096)) "$D/fill"
}
entries() { grep -vc '^#' "$D/secrets"; }
"#;
