//! The tarball of a release: what is in it, and what `install.sh --from` takes and refuses.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::install::place::{
    INSTALLED, Place, assert_succeeded, contents, find, names, script, text,
};

/// All that an installation from a tarball needs; no Rust, no compiler.
const TOOLS: [&str; 18] = [
    "cat",
    "chmod",
    "cp",
    "dirname",
    "find",
    "grep",
    "gzip",
    "id",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
    "sed",
    "sh",
    "sha256sum",
    "tar",
    "tr",
    "uname",
];

#[test]
fn a_tarball_installs_what_a_build_does_and_needs_no_rust() {
    let (place, other) = (Place::new(), Place::new());
    let tarball = package(&place);
    assert_succeeded(&from(&place, &tarball));
    assert_eq!(names(&place.prefix()), INSTALLED);

    let program = other.stand_in("");
    let built = other
        .installer(&program, &["--no-setup"])
        .output()
        .expect("sh runs");
    assert_succeeded(&built);
    assert!(
        contents(&place.prefix()) == contents(&other.prefix()),
        "it installs something else"
    );

    assert_succeeded(&place.install(&["--uninstall", "--no-setup"]));
    assert!(names(&place.prefix()).is_empty());
}

#[test]
fn an_unpacked_tarball_installs_what_lies_in_it_and_takes_it_away() {
    let place = Place::new();
    let (parent, name) = unpack(&place);
    let folder = parent.join(name);
    for file in ["LICENSE", "NOTICES", "README.md", "CHANGELOG.md"] {
        assert!(folder.join(file).is_file(), "{file}");
    }
    for (options, installed) in [(&[][..], &INSTALLED[..]), (&["--uninstall"][..], &[][..])] {
        let mut command = place.command("sh");
        command.arg(folder.join("install.sh")).args(options);
        command
            .arg("--no-setup")
            .arg("--prefix")
            .arg(place.prefix());
        assert_succeeded(&command.output().expect("sh runs"));
        assert_eq!(names(&place.prefix()), installed);
    }
}

#[test]
fn a_tarball_that_is_not_what_its_checksum_says_is_refused() {
    let place = Place::new();
    let tarball = package(&place);
    let checksum = beside(&tarball);
    let right = fs::read_to_string(&checksum).expect("it was just made");

    fs::write(&checksum, right.replace(['a', 'b'], "c")).expect("ours");
    assert_refused(&from(&place, &tarball), "not what its checksum says");
    for nonsense in ["", "\n", "0123abcd  x\n", "<html>404</html>\n"] {
        fs::write(&checksum, nonsense).expect("ours");
        assert_refused(&from(&place, &tarball), "holds no SHA-256 checksum");
    }
    fs::remove_file(&checksum).expect("ours");
    assert_refused(&from(&place, &tarball), "download it too");

    fs::write(&checksum, &right).expect("ours");
    let mut content = fs::read(&tarball).expect("it was just made");
    content.push(0);
    fs::write(&tarball, content).expect("ours");
    assert_refused(&from(&place, &tarball), "not what its checksum says");

    fs::remove_file(&tarball).expect("ours");
    assert_refused(&from(&place, &tarball), "cannot read");
    assert!(names(&place.prefix()).is_empty(), "something was installed");
}

/// With the right checksum, since who makes such a tarball makes that too.
#[test]
fn a_tarball_that_would_write_elsewhere_or_is_not_ours_is_refused() {
    let place = Place::new();
    let (parent, name) = unpack(&place);
    let (folder, name) = (parent.join(&name), &name[..]);
    fs::write(parent.join("outside"), "x").expect("ours");
    symlink("/etc", folder.join("link")).expect("ours");
    let absolute = parent.join("outside");
    let absolute = absolute.to_str().expect("UTF-8");
    let climbing = format!("{name}/../outside");
    for (members, expected) in [
        (&[name, "outside"][..], "outside its folder"),
        (&[name, absolute][..], "outside its folder"),
        (&[absolute][..], "does not hold one folder"),
        (&[name, &climbing][..], "outside its folder"),
        (&["outside"][..], "outside its folder"),
        (&[name][..], "holds links"),
    ] {
        assert_refused(&from(&place, &archive(&place, &parent, members)), expected);
    }
    fs::remove_file(folder.join("link")).expect("ours");
    fs::remove_file(folder.join(INSTALLED[3])).expect("ours");
    let output = from(&place, &archive(&place, &parent, &[name]));
    assert_refused(&output, INSTALLED[3]);

    let nothing = place.folder.path().join("nothing.tar.gz");
    fs::write(&nothing, "nothing").expect("ours");
    sign(&place, &nothing);
    assert_refused(&from(&place, &nothing), "is no tarball");
    assert!(names(&place.prefix()).is_empty(), "something was installed");
}

#[test]
fn a_program_for_another_kind_of_machine_is_not_installed() {
    let place = Place::new();
    let (parent, name) = unpack(&place);
    let program = parent.join(&name).join(INSTALLED[0]);
    fs::write(program, b"\x7fELF of another kind").expect("ours");
    let output = from(&place, &archive(&place, &parent, &[&name]));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("another kind of machine"),
        "{output:?}"
    );
    assert!(names(&place.prefix()).is_empty(), "something was installed");
}

#[test]
fn one_file_has_the_checksums_of_all_packages() {
    let place = Place::new();
    let tarball = package(&place);
    let folder = tarball.parent().expect("it lies in one");
    let sums = folder.join("SHA256SUMS");
    let of_tarball = fs::read_to_string(beside(&tarball)).expect("it was just made");
    assert_eq!(fs::read_to_string(&sums).expect("it too"), of_tarball);

    for name in ["x.deb", "x.cdx.json"] {
        fs::write(folder.join(name), name).expect("ours");
    }
    make(&place);
    let text = fs::read_to_string(&sums).expect("it was just made");
    assert_eq!(text.lines().count(), 3, "{text}");
    let mut check = place.command("sha256sum");
    check
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(folder);
    assert_succeeded(&check.output().expect("it runs"));
}

#[cfg(target_os = "linux")]
#[test]
fn the_same_files_make_the_same_tarball() {
    let place = Place::new();
    let first = fs::read(package(&place)).expect("it was just made");
    let again = fs::read(package(&place)).expect("it was just made");
    assert!(first == again, "it depends on something else");
}

/// Makes the tarball, with a script in place of the program.
fn package(place: &Place) -> PathBuf {
    let folder = make(place);
    let mut files = names(&folder);
    assert_eq!(files.len(), 3, "{files:?}");
    assert_eq!(files.remove(0), "SHA256SUMS");
    folder.join(files.remove(0))
}

fn make(place: &Place) -> PathBuf {
    let folder = place.folder.path().join("made");
    let output = Command::new("sh")
        .arg(script().with_file_name("tests").join("package.sh"))
        .arg("tarball")
        .env("PACKAGE_BINARY", place.stand_in(""))
        .env("PACKAGE_FOLDER", &folder)
        .output()
        .expect("sh runs");
    assert_succeeded(&output);
    folder
}

/// Installs from it, with nothing on PATH that could build.
fn from(place: &Place, tarball: &Path) -> Output {
    let path = place.folder.path().join("tools");
    if !path.exists() {
        fs::create_dir(&path).expect("ours");
        for tool in TOOLS {
            symlink(find(tool), path.join(tool)).expect("ours");
        }
    }
    let mut command = place.command("sh");
    command.arg(script()).arg("--from").arg(tarball);
    command
        .arg("--no-setup")
        .arg("--prefix")
        .arg(place.prefix());
    command.env("PATH", path).output().expect("sh runs")
}

/// Makes the tarball and unpacks it; gives where its one folder lies, and the name of that.
fn unpack(place: &Place) -> (PathBuf, String) {
    let tarball = package(place);
    let parent = place.folder.path().join("unpacked");
    fs::create_dir(&parent).expect("ours");
    let mut command = place.command("tar");
    command.arg("-xzf").arg(tarball).arg("-C").arg(&parent);
    assert_succeeded(&command.output().expect("tar runs"));
    let mut entries = fs::read_dir(&parent).expect("ours").flatten();
    let name = entries.next().expect("one folder").file_name();
    (parent, name.into_string().expect("ASCII"))
}

/// A tarball of these, under just these names, with its checksum.
fn archive(place: &Place, folder: &Path, members: &[&str]) -> PathBuf {
    let tarball = place.folder.path().join("other.tar.gz");
    let mut command = place.command("tar");
    command
        .arg("-czPf")
        .arg(&tarball)
        .arg("-C")
        .arg(folder)
        .args(members);
    assert_succeeded(&command.output().expect("tar runs"));
    sign(place, &tarball);
    tarball
}

fn sign(place: &Place, tarball: &Path) {
    let output = place
        .command("sha256sum")
        .arg(tarball)
        .output()
        .expect("it runs");
    assert_succeeded(&output);
    fs::write(beside(tarball), output.stdout).expect("ours");
}

fn beside(tarball: &Path) -> PathBuf {
    let mut name = tarball.as_os_str().to_owned();
    name.push(".sha256");
    name.into()
}

/// One line, and nothing installed.
fn assert_refused(output: &Output, expected: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let errors = text(&output.stderr);
    assert!(errors.contains(expected), "'{expected}' in: {errors}");
    assert!(
        errors
            .lines()
            .last()
            .is_some_and(|line| line.starts_with("install.sh: ")),
        "{errors}"
    );
}
