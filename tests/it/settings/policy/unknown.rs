//! A policy that cannot be read or understood allows nothing.

use super::{CLOUD, NOT_KNOWN, assert_refused, change, machine};
use crate::support::harness::{
    ACCESS_TOKEN, API_TOKEN, PROGRAM, TestEnv, another, reply, run, write_private,
};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

/// What can be wrong with the machine's file.
enum Fault {
    Text(&'static [u8]),
    Mode(u32),
    /// It is none, but a folder.
    Folder,
    OpenFolder,
    LinkToNowhere,
    FolderLinksToNowhere,
}

impl Fault {
    fn make(self, env: &TestEnv) {
        let (file, folder) = (env.system_config(), env.system_folder());
        let _ = fs::remove_dir(&file);
        let _ = fs::remove_file(&file);
        let mode = |path: &Path, mode: u32| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        match self {
            Self::Text(text) => fs::write(file, text).unwrap(),
            Self::Mode(bits) => {
                fs::write(&file, "").unwrap();
                mode(&file, bits);
            }
            Self::Folder => fs::create_dir(file).unwrap(),
            Self::OpenFolder => {
                fs::write(file, "").unwrap();
                mode(&folder, 0o777);
            }
            Self::LinkToNowhere => symlink("/nowhere/config.toml", file).unwrap(),
            Self::FolderLinksToNowhere => {
                fs::remove_dir_all(&folder).unwrap();
                symlink("/nowhere", folder).unwrap();
            }
        }
    }
}

/// Each with a part of the line that says so; the last ones cannot be undone.
const FAULTS: [(&str, Fault); 17] = [
    ("line 1: ", Fault::Text(b"[policy\n")),
    (
        "line 3: unknown key",
        Fault::Text(b"[policy]\nhosts = []\nstore = [\"keyring\"]\n"),
    ),
    (
        "line 2: invalid value",
        Fault::Text(b"[policy]\nkinds = [\"quantum-token\"]\n"),
    ),
    (
        "line 2: invalid value",
        Fault::Text(b"[policy]\nstores = [\"canary\"]\n"),
    ),
    (
        "line 2: invalid value",
        Fault::Text(b"[policy]\nstores = \"keyring\"\n"),
    ),
    (
        "line 2: invalid value",
        Fault::Text(b"[policy]\nhosts = [\"https://bitbucket.org\"]\n"),
    ),
    (
        "line 2: invalid value",
        Fault::Text(b"[policy]\nrequire_expiry = \"yes\"\n"),
    ),
    (
        "line 1: invalid value",
        Fault::Text(b"policy = \"strict\"\n"),
    ),
    (
        "line 1: invalid value",
        Fault::Text(b"[[policy]]\nhosts = []\n"),
    ),
    (
        "line 2: ",
        Fault::Text(b"policy = { hosts = [] }\n[policy]\n"),
    ),
    ("it is not UTF-8", Fault::Text(b"[policy]\n# \xff\n")),
    ("can be changed by others (mode 0666)", Fault::Mode(0o666)),
    ("can be changed by others (mode 0664)", Fault::Mode(0o664)),
    ("is not a file", Fault::Folder),
    (
        "the symbolic link '/etc/git-credential-bitbucket/config.toml' leads nowhere",
        Fault::LinkToNowhere,
    ),
    (
        "others can write to the folder '/etc/git-credential-bitbucket' (mode 0777)",
        Fault::OpenFolder,
    ),
    (
        "the symbolic link '/etc/git-credential-bitbucket' leads nowhere",
        Fault::FolderLinksToNowhere,
    ),
];

#[test]
fn without_the_policy_being_known_nothing_is_allowed_and_one_line_says_why() {
    let Some(mut env) = machine("") else { return };
    env.login(API_TOKEN, &["work"]);
    env.set("GIT_TERMINAL_PROMPT", "0");
    let repository = env.home().join("site");
    let path = repository.display().to_string();
    env.git_succeeds(&["init", "-q", &path]);
    let url = format!("https://x-token-auth:{ACCESS_TOKEN}@bitbucket.org/acme/site.git");
    env.git_succeeds(&["-C", &path, "remote", "add", "origin", &url]);
    let plain = format!("https://x-token-auth:{ACCESS_TOKEN}@bitbucket.org\n");
    write_private(&env.home().join(".git-credentials"), &plain);
    let given = format!("{CLOUD}username=ada\npassword=given\n");
    for (why, fault) in FAULTS {
        fault.make(&env);
        for (arguments, input) in [
            (&["get"][..], CLOUD),
            (&["store"], &given),
            (&["token"], ""),
            (&["curl", "https://api.bitbucket.org/2.0/user"], ""),
            (&["login", "new"], ""),
            (
                &["login", "new", "--with-token", "--store", "file"],
                ACCESS_TOKEN,
            ),
            (&["import", "--remove"], ""),
            (&["scrub", &path], ""),
            (&["setup"], ""),
        ] {
            let outcome = env.program(arguments, input);
            assert_refused(&outcome, &format!("error: {NOT_KNOWN}"));
            assert!(outcome.stderr.contains(why), "{why}: {outcome:?}");
        }
        let kept = env.git_succeeds(&["-C", &path, "remote", "get-url", "origin"]);
        assert_eq!(kept.stdout.trim(), url);
        // It can be looked at.
        let status = env.program(&["status"], "");
        assert_eq!(status.status, 1, "{status:?}");
        assert!(status.stderr.contains(why), "{status:?}");
        assert!(status.stdout.contains("work"), "{status:?}");
        let doctor = env.program(&["doctor", "--json"], "");
        let json: serde_json::Value = serde_json::from_str(&doctor.stdout).unwrap();
        let mut checks = json["checks"].as_array().unwrap().iter();
        let check = checks.find(|check| check["id"] == "policy").unwrap();
        assert_eq!(check["outcome"], "fail", "{check}");
        assert!(check["message"].as_str().unwrap().contains(why), "{check}");
        let hint = check["hint"].as_str().unwrap();
        assert!(hint.contains("whoever administers this machine"), "{hint}");
        let account = checks.find(|check| check["id"] == "account.work").unwrap();
        let message = &account["message"];
        assert_eq!(message, "'work' was not checked: see policy", "{account}");
        let outcome = env.program(&["doctor", "https://bitbucket.org/acme/site"], "");
        assert!(
            outcome.status == 1 && !outcome.stdout.contains("answers"),
            "{outcome:?}"
        );
    }
    // Nothing was lost meanwhile.
    fs::remove_file(env.system_folder()).unwrap();
    env.get_cloud("");
}

#[test]
fn without_the_policy_being_known_git_asks_its_next_helper() {
    let Some(env) = machine("[policy]\nstore = []\n") else {
        return;
    };
    change(&env, "");
    env.login(API_TOKEN, &["work"]);
    change(&env, "[policy]\nstore = []\n");
    env.configure_plain();
    let other = "!f() { test \"$1\" = get && printf 'username=next\\npassword=other\\n'; }; f";
    env.git_succeeds(&["config", "--global", "--add", "credential.helper", other]);
    let mut fill = env.command("git");
    fill.args(["credential", "fill"]);
    let outcome = run(fill, CLOUD.as_bytes());
    assert!(
        outcome.stdout.ends_with(&reply("next", "other")),
        "{outcome:?}"
    );
    assert_eq!(outcome.stderr.matches(NOT_KNOWN).count(), 1, "{outcome:?}");
    let (_, hint) = outcome.error_and_hint();
    assert!(hint.contains("whoever administers this machine"), "{hint}");
}

#[test]
fn a_policy_that_the_user_may_not_read_allows_nothing() {
    let Some(env) = machine("[policy]\nhosts = []\n") else {
        return;
    };
    change(&env, "");
    env.login(API_TOKEN, &["work"]);
    for (path, mode) in [(env.system_config(), 0o000), (env.system_folder(), 0o000)] {
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let mut command = env.command("setpriv");
        // Nobody special any more: modes mean something.
        command.args(["--bounding-set=-all", "--inh-caps=-all", PROGRAM, "get"]);
        env.forget_what_was_said();
        let outcome = run(command, CLOUD.as_bytes());
        fs::set_permissions(&path, before).unwrap();
        assert_refused(&outcome, NOT_KNOWN);
        assert!(outcome.stderr.contains("Permission denied"), "{outcome:?}");
    }
}

#[test]
fn a_policy_behind_a_symbolic_link_counts() {
    let Some(env) = machine("") else { return };
    env.login(API_TOKEN, &["work"]);
    let real = env.path().join("managed");
    fs::create_dir(&real).unwrap();
    fs::write(real.join("policy.toml"), "[policy]\nhosts = []\n").unwrap();
    fs::remove_file(env.system_config()).unwrap();
    symlink(real.join("policy.toml"), env.system_config()).unwrap();
    assert_refused(&env.program(&["get"], CLOUD), "the host bitbucket.org");
    // Who can write to where it leads could change it.
    fs::set_permissions(&real, fs::Permissions::from_mode(0o777)).unwrap();
    assert_refused(
        &env.program(&["get"], CLOUD),
        "others can write to the folder",
    );
    fs::set_permissions(&real, fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_dir_all(env.system_folder()).unwrap();
    fs::rename(real.join("policy.toml"), real.join("config.toml")).unwrap();
    symlink(&real, env.system_folder()).unwrap();
    assert_refused(&env.program(&["get"], CLOUD), "the host bitbucket.org");
}

#[test]
fn no_variable_and_no_settings_of_the_user_get_past_it() {
    let Some(env) = machine("") else { return };
    env.login(API_TOKEN, &["work"]);
    change(&env, "[policy]\nhosts = [\"git.corp.example\"]\n");
    let own = "[policy]\nhosts = [\"bitbucket.org\"]\nstores = [\"file\"]\n";
    write_private(&env.data().join("config.toml"), own);
    assert_refused(&env.program(&["get"], CLOUD), "the host bitbucket.org");
    let status = env.program(&["status"], "");
    let line = format!(
        "warning: 'policy' in {}:1 has no effect: only the machine's own settings have one\n",
        env.data().join("config.toml").display()
    );
    assert!(status.stderr.contains(&line), "{status:?}");
    let doctor = env.program(&["doctor", "--json"], "");
    assert!(
        doctor
            .stdout
            .contains("has no effect: only the machine's own settings have one"),
        "{doctor:?}"
    );

    let folder = env.path().join("own");
    let config = folder.join("git-credential-bitbucket");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("config.toml"), "").unwrap();
    for (name, value) in [
        ("HOME", folder.as_path()),
        ("XDG_CONFIG_HOME", &folder),
        ("XDG_DATA_HOME", &folder),
        ("XDG_CONFIG_DIRS", &folder),
        ("XDG_RUNTIME_DIR", &folder),
        ("ProgramData", &folder),
        ("GIT_CREDENTIAL_BITBUCKET_HOME", &env.data()),
        (
            "GIT_CREDENTIAL_BITBUCKET_HOME",
            Path::new("/etc/git-credential-bitbucket"),
        ),
    ] {
        let mut command = env.command(PROGRAM);
        command
            .args(["login", "--with-token", "--no-verify"])
            .env(name, value);
        let outcome = run(command, API_TOKEN.as_bytes());
        assert_refused(&outcome, "the host bitbucket.org");
    }
    // Without a home folder there is still the machine.
    let mut command = env.command(PROGRAM);
    command
        .arg("get")
        .env_remove("HOME")
        // The home is then the one that the system knows, in which no test writes.
        .env("XDG_DATA_HOME", env.path())
        .env_remove("GIT_CREDENTIAL_BITBUCKET_HOME")
        .env("BITBUCKET_TOKEN", API_TOKEN);
    let outcome = run(command, CLOUD.as_bytes());
    assert!(
        outcome.stdout.is_empty() && outcome.status == 1,
        "{outcome:?}"
    );
}

#[test]
fn of_the_other_settings_the_user_s_come_before_the_machine_s_key_by_key() {
    let Some(env) = machine("") else { return };
    let (ours, theirs) = (env.path().join("ours"), env.path().join("theirs"));
    for (folder, token) in [(&ours, ACCESS_TOKEN), (&theirs, API_TOKEN)] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("_default"), token).unwrap();
    }
    fs::create_dir_all(env.data()).unwrap();
    fs::set_permissions(env.data(), fs::Permissions::from_mode(0o700)).unwrap();
    let machine = format!(
        "hosts = [\"git.corp.example\"]\nlookup = [\"folder\"]\n[store]\ndefault = \"file\"\n[store.folder]\npath = \"{}\"\n\
         [store.file]\npath = \"{}\"\n",
        theirs.display(),
        env.path().join("data/machine.secrets").display(),
    );
    change(&env, &machine);
    let user = |text: &str| write_private(&env.data().join("config.toml"), text);
    let get = || env.program(&["get"], CLOUD).stdout;
    let doctor = || env.program(&["doctor"], "").stdout;
    // The machine's alone.
    assert!(get().contains(API_TOKEN));
    assert!(doctor().contains("chain.git.corp.example"));
    // One key of a table; the others stay the machine's.
    user(&format!("[store.folder]\npath = \"{}\"\n", ours.display()));
    assert!(get().contains(ACCESS_TOKEN));
    assert!(doctor().contains("chain.git.corp.example"));
    // A list is taken as a whole.
    user("lookup = []\nhosts = [\"git.own.example\"]\n");
    assert_eq!(get(), "");
    let told = doctor();
    assert!(
        told.contains("chain.git.own.example") && !told.contains("chain.git.corp.example"),
        "{told}"
    );
    // Where secrets go.
    let login = |name: &str| {
        env.program(
            &["login", name, "--with-token", "--no-verify"],
            another(ACCESS_TOKEN, env.accounts().len()),
        )
    };
    user("lookup = []\n");
    assert_eq!(login("one").status, 0);
    assert!(env.data().join("machine.secrets").exists());
    user(&format!(
        "lookup = []\n[store.file]\npath = \"{}\"\n",
        env.data().join("own.secrets").display()
    ));
    assert_eq!(login("two").status, 0);
    assert!(env.data().join("own.secrets").exists());
    user("[store]\ndefault = \"keyring\"\n");
    let outcome = login("three");
    assert!(
        outcome.status == 1 && outcome.stderr.contains("keyring"),
        "{outcome:?}"
    );
    // But never past the policy.
    change(
        &env,
        &format!("{machine}[policy]\nstores = [\"folder\", \"file\"]\n"),
    );
    assert_refused(&login("three"), "does not allow the store 'keyring'");
}
