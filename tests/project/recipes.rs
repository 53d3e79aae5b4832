//! The lines to paste of `docs/ci`, taken out of their pages and run, as far as that can be done here.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64ct::{Base64, Encoding as _};
use serde_json::Value;

use crate::support::canary::leaks;
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, Outcome, TestEnv, has, run, write_private};
use crate::support::mounted::{configure, mounted, put};
use crate::support::needs::{has_installed, skip};
use crate::support::stand_in::{Credential, StandIn};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The blocks of a language in a page, in their order.
pub(crate) fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/ci").join(page)).unwrap();
    let start = format!("\n```{language}\n");
    let found = text
        .split(&start)
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap().to_owned() + "\n");
    let found: Vec<String> = found.collect();
    assert!(!found.is_empty(), "{page} has no {language}");
    found
}

/// A tool that reads YAML; nothing when `tests/run.sh --all` has not installed them.
fn checker(env: &TestEnv, name: &str) -> Option<std::process::Command> {
    let path = root().join("target/recipes/bin").join(name);
    has_installed(&path).then(|| env.command(path))
}

pub(crate) fn yaml(env: &TestEnv, text: &str) -> Option<Vec<Value>> {
    let mut command = checker(env, "python")?;
    let script =
        "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)";
    command.args(["-c", script]);
    let outcome = run(command, text.as_bytes());
    assert_eq!(outcome.status, 0, "{outcome:?}");
    Some(serde_json::from_str(&outcome.stdout).unwrap())
}

/// Holds a file of a CI's against the schema that its makers publish.
pub(crate) fn assert_schema(env: &TestEnv, schema: &str, text: &str) {
    let Some(mut command) = checker(env, "check-jsonschema") else {
        return;
    };
    let path = env.path().join("recipe.yml");
    fs::write(&path, text).unwrap();
    command.args(["--builtin-schema", schema]).arg(&path);
    let outcome = run(command, b"");
    assert_eq!(outcome.status, 0, "{outcome:?}");
}

/// Runs the lines of a page in a folder below the home folder.
fn shell(env: &TestEnv, folder: &str, script: &str) -> Outcome {
    let mut command = env.command("sh");
    command.args(["-euc", script]);
    command.current_dir(env.home().join(folder));
    run(command, b"")
}

fn assert_works(outcome: &Outcome) {
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!leaks(said.as_bytes()), "{said}");
}

/// Private repositories, which only this credential sees; no account, nothing set up.
fn world(credential: Credential) -> (TestEnv, StandIn) {
    let (env, stand_in) = TestEnv::with_stand_in();
    for name in ["acme/site", "acme/tools"] {
        stand_in.repository(name);
    }
    let library = stand_in.repository("acme/library");
    let with_it = stand_in.repository("acme/super");
    with_it.with_submodule("library", &library);
    stand_in.allow(credential);
    (env, stand_in)
}

/// A clone of the repository with the submodule, which is not there yet.
fn cloned(env: &mut TestEnv) {
    let url = "https://bitbucket.org/acme/super.git";
    let mut clone = env.command("git");
    clone
        .args(["-c", "credential.helper=bitbucket", "clone", "--quiet", url])
        .env("BITBUCKET_ACCESS_TOKEN", ACCESS_TOKEN);
    let outcome = run(clone, b"");
    assert_eq!(outcome.status, 0, "{outcome:?}");
}

#[test]
fn bitbucket_pipelines_gets_a_submodule_another_repository_and_rest() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in) = world(Credential::access_token(ACCESS_TOKEN));
    let page = &blocks("bitbucket-pipelines.md", "yaml")[0];
    assert_schema(&env, "vendor.bitbucket-pipelines", page);
    let Some(recipe) = yaml(&env, page) else {
        return;
    };
    let lines = recipe[0]["pipelines"]["default"][0]["step"]["script"].as_array();
    let lines: Vec<&str> = lines.unwrap().iter().filter_map(Value::as_str).collect();
    cloned(&mut env);
    // As Pipelines leaves it; the submodule lies beside the origin.
    let origin = "http://bitbucket.org/acme/super.git";
    env.git_succeeds(&["-C", "super", "remote", "set-url", "origin", origin]);
    let relative = ["submodule.library.url", "../library.git"];
    env.git_succeeds(
        &[
            &["-C", "super", "config", "-f", ".gitmodules"],
            &relative[..],
        ]
        .concat(),
    );
    env.set("BITBUCKET_ACCESS_TOKEN", ACCESS_TOKEN);
    assert_works(&shell(&env, "super", &lines.join("\n")));
    assert!(env.home().join("super/library/.git").exists());
    assert!(env.home().join("super/tools/.git").exists());
    let kept = env.git_succeeds(&["-C", "super", "remote", "get-url", "origin"]);
    assert_eq!(kept.stdout, format!("{origin}\n"));
    assert!(stand_in.refused().is_empty(), "{:?}", stand_in.refused());
}

/// A proxy that refuses everything, as Pipelines' own does to whoever presents a credential it does not know; what it
/// was asked is remembered.
fn refusing_proxy() -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
            log.lock().unwrap().push_str(&head.join("\n"));
            let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\
                          Content-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = (&stream).write_all(answer.as_bytes());
        }
    });
    (port, asked)
}

#[test]
fn the_http_origin_of_pipelines_is_never_answered_whatever_there_is() {
    let mut env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    env.configure_plain();
    put(&mounted(&env), &[("_default", "canary")]);
    configure(&env, &format!("path = '{}'", mounted(&env).display()));
    for variable in ["", "BITBUCKET_ACCESS_TOKEN", "BITBUCKET_API_TOKEN"] {
        if !variable.is_empty() {
            env.set(variable, ACCESS_TOKEN);
        }
        for user in ["", "username=x-token-auth\n"] {
            let request = format!("protocol=http\nhost=bitbucket.org\npath=acme/app.git\n{user}");
            assert_eq!(env.get(&request), "");
        }
        let (port, asked) = refusing_proxy();
        let proxy = format!("http.http://bitbucket.org/acme/app.proxy=http://localhost:{port}/");
        let url = "http://bitbucket.org/acme/app";
        assert_ne!(env.git(&["-c", &proxy, "ls-remote", url]).status, 0);
        let asked = asked.lock().unwrap().to_ascii_lowercase();
        assert!(
            asked.contains("get http://bitbucket.org/acme/app") && !asked.contains("authorization"),
            "{asked}"
        );
    }
}

#[test]
fn jenkins_clones_with_submodules() {
    let (mut env, stand_in) = world(Credential::api_token(API_TOKEN));
    let page = &blocks("jenkins.md", "groovy")[0];
    let script = page.split("sh '''").nth(1).unwrap();
    let script = script.split("'''").next().unwrap();
    assert!(page.contains("variable: 'BITBUCKET_API_TOKEN'"));
    env.set("BITBUCKET_API_TOKEN", API_TOKEN);
    // What somebody has configured on the agent.
    env.git_succeeds(&["config", "--global", "credential.helper", "store"]);
    let script = script
        .replace("acme/site", "acme/super")
        .replace("\\\\", "\\");
    assert_works(&shell(&env, "", &script));
    assert!(env.home().join("super/library/.git").exists());
    assert!(!env.home().join(".git-credentials").exists());
    assert!(stand_in.refused().is_empty());
}

#[test]
fn github_actions_gets_a_submodule_and_another_repository() {
    let (mut env, _stand_in) = world(Credential::access_token(ACCESS_TOKEN));
    let page = &blocks("github-actions.md", "yaml")[0];
    assert_schema(&env, "vendor.github-workflows", page);
    let Some(recipe) = yaml(&env, page) else {
        return;
    };
    let step = &recipe[0]["jobs"]["build"]["steps"][1];
    assert_eq!(
        step["env"]["BITBUCKET_ACCESS_TOKEN"],
        "${{ secrets.BITBUCKET_ACCESS_TOKEN }}"
    );
    cloned(&mut env);
    env.set("BITBUCKET_ACCESS_TOKEN", ACCESS_TOKEN);
    let script = step["run"].as_str().unwrap();
    if rustix::process::geteuid().is_root() {
        // As in a container: the files belong to the runner's user, and git trusts them only where it is told to.
        let mut command = env.command("chown");
        command.args(["-R", "1001"]).arg(env.home().join("super"));
        assert_works(&run(command, b""));
        assert_ne!(shell(&env, "super", "git status").status, 0);
    }
    assert_works(&shell(&env, "super", script));
    let kept = env.git(&["config", "--global", "--get-all", "safe.directory"]);
    assert_eq!(kept.stdout, "", "trust ends with the command");
    assert!(env.home().join("super/library/.git").exists());
    assert!(env.home().join("super/tools/.git").exists());
}

#[test]
fn a_job_in_kubernetes_clones_with_what_is_mounted() {
    let (env, stand_in) = TestEnv::with_stand_in();
    for (name, credential) in [
        ("acme/site", Credential::access_token(ACCESS_TOKEN)),
        ("acme/tools", Credential::api_token(API_TOKEN)),
    ] {
        stand_in.repository(name);
        stand_in.allow(credential.sees(name));
    }
    let page = &blocks("kubernetes.md", "yaml")[0];
    if let Some(mut command) = checker(&env, "kubernetes-validate") {
        let path = env.path().join("job.yaml");
        fs::write(&path, page).unwrap();
        command.arg("--strict").arg(&path);
        let outcome = run(command, b"");
        assert_eq!(outcome.status, 0, "{outcome:?}");
    }
    let Some(recipe) = yaml(&env, page) else {
        return;
    };
    let pod = &recipe[1]["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let mount = container["volumeMounts"][0]["mountPath"].as_str().unwrap();
    // As kubelet lays it out.
    let folder = mounted(&env);
    for item in pod["volumes"][0]["secret"]["items"].as_array().unwrap() {
        let path = item["path"].as_str().unwrap();
        let value = match item["key"].as_str().unwrap() {
            "site" => ACCESS_TOKEN,
            "password" => API_TOKEN,
            key => recipe[0]["stringData"][key].as_str().unwrap(),
        };
        put(&folder.join("..2026_11_25"), &[(path, value)]);
        let first = path.split('/').next().unwrap();
        let _ = symlink(format!("..data/{first}"), folder.join(first));
    }
    symlink("..2026_11_25", folder.join("..data")).unwrap();
    let settings = &blocks("kubernetes.md", "toml")[0];
    assert!(settings.contains(mount));
    fs::create_dir(env.data()).unwrap();
    write_private(
        &env.data().join("config.toml"),
        &settings.replace(mount, folder.to_str().unwrap()),
    );
    shell(&env, "", &configuration("docker-build.md"));
    let script = container["args"][0].as_str().unwrap();
    let work = env.home().display().to_string();
    assert_works(&shell(&env, "", &script.replace("/work", &work)));
    assert!(env.home().join("site/.git").exists() && env.home().join("tools/.git").exists());
    assert!(env.accounts().is_empty());
}

/// The lines of a page that configure git for the whole machine, for this environment alone.
fn configuration(page: &str) -> String {
    let text = fs::read_to_string(root().join("docs/ci").join(page)).unwrap();
    let lines = text
        .lines()
        .filter_map(|line| line.find("git config --system").map(|start| &line[start..]))
        .map(|line| {
            line.trim_end_matches("&& \\")
                .replace("--system", "--global")
        });
    let lines: Vec<String> = lines.collect();
    assert_eq!(lines.len(), 2, "{page}");
    lines.join("\n")
}

#[test]
fn a_service_of_systemd_fetches_with_its_credential() {
    let (mut env, _stand_in) = world(Credential::access_token(ACCESS_TOKEN));
    let unit = &blocks("systemd.md", "ini")[0];
    if has(&["systemd-analyze"]) {
        let path = env.path().join("fetch-site.service");
        fs::write(&path, unit).unwrap();
        let mut command = env.command("systemd-analyze");
        command.args(["verify", "--man=no"]).arg(&path);
        let outcome = run(command, b"");
        assert_eq!((outcome.status, &outcome.stderr[..]), (0, ""), "{unit}");
    }
    cloned(&mut env);
    fs::create_dir_all(env.data()).unwrap();
    let settings = &blocks("systemd.md", "toml")[0];
    write_private(&env.data().join("config.toml"), settings);
    assert_works(&shell(&env, "", &configuration("systemd.md")));
    let value = |key: &str| {
        unit.lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap()
    };
    let command = format!("{} {}", value("Environment="), value("ExecStart="));
    assert_ne!(
        shell(&env, "super", &command).status,
        0,
        "outside of the service there is none"
    );
    let credential = value("LoadCredentialEncrypted=").split(':').next().unwrap();
    let folder = mounted(&env);
    put(&folder, &[(credential, ACCESS_TOKEN)]);
    env.set("CREDENTIALS_DIRECTORY", folder.to_str().unwrap());
    assert_works(&shell(&env, "super", &command));
}

/// An image's content with git, a shell and the program of this machine, and the stand-in's certificate.
const IMAGE: &str = r#"
    copy() {
        for file; do
            mkdir -p "image$(dirname "$file")" && cp -L "$file" "image$file"
            ldd "$file" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
                mkdir -p "image$(dirname "$library")" && cp -Ln "$library" "image$library"
            done
        done
    }
    core=$(git --exec-path)
    copy /bin/sh /bin/mkdir "$(command -v git)" "$core/git" "$core/git-remote-https"
    mkdir -p image/tmp image/root image/etc/ssl/certs image/usr/local/etc image/usr/local/bin
    echo 'root:x:0:0:root:/root:/bin/sh' >image/etc/passwd
    cp "$GIT_SSL_CAINFO" image/etc/ssl/certs/ca-certificates.crt
    cp "$1" git-credential-bitbucket
    ldd "$1" | grep -o '/[^ ]*' | while read -r library; do
        mkdir -p "image$(dirname "$library")" && cp -Ln "$library" "image$library"
    done"#;

#[test]
fn a_build_clones_with_its_secret_and_no_layer_has_it() {
    if !has(&["buildah", "ldd"]) {
        return;
    }
    let (env, _stand_in) = world(Credential::access_token(ACCESS_TOKEN));
    if !rustix::process::geteuid().is_root() {
        let mut probe = env.command("buildah");
        probe.args(["unshare", "true"]);
        let outcome = run(probe, b"");
        if outcome.status != 0 {
            eprintln!("no user names of one's own: {}", outcome.stderr);
            skip(&["user namespaces"]);
            return;
        }
    }
    let mut make = env.command("sh");
    make.args(["-euc", IMAGE, "sh", crate::support::harness::PROGRAM]);
    let outcome = run(make, b"");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    fs::write(env.home().join("token.txt"), format!("{ACCESS_TOKEN}\n")).unwrap();
    let layers = env.path().join("layers");
    let build = |name: &str, content: &str, arguments: &[&str]| {
        fs::write(env.home().join(name), content).unwrap();
        let mut command = env.command("buildah");
        command
            .arg("--root")
            .arg(&layers)
            .arg("--runroot")
            .arg(env.path().join("running"))
            .args(["--storage-driver", "vfs", "bud", "--isolation", "chroot"])
            .args(["--layers", "--pull-never", "--file", name])
            .args(arguments)
            .arg(".");
        let outcome = run(command, b"");
        assert_works(&outcome);
    };
    let base = "FROM scratch\nCOPY image /\n";
    build("Base", base, &["--tag", "localhost/base"]);
    let recipes = blocks("docker-build.md", "dockerfile");
    let rest = recipes[0].lines().skip(3).collect::<Vec<_>>().join("\n");
    assert!(rest.starts_with("COPY git-credential-bitbucket"), "{rest}");
    let tools = format!("FROM localhost/base\n{rest}\n");
    build("Tools", &tools, &["--tag", "localhost/git-with-bitbucket"]);
    let secret = ["--secret", "id=bitbucket,src=token.txt"];
    build("Dockerfile", &recipes[1], &secret);
    let found = |pattern: &str| {
        let mut grep = env.command("grep");
        grep.args(["-rlaF", pattern]).arg(&layers);
        run(grep, b"").stdout
    };
    assert!(
        found("https://bitbucket.org/acme/site.git").contains("/site/.git/config"),
        "it was cloned, and the layers are looked through"
    );
    assert_eq!(found(&ACCESS_TOKEN[..20]), "");
    let base64 = Base64::encode_string(format!("x-token-auth:{ACCESS_TOKEN}").as_bytes());
    assert_eq!(found(&base64[..40]), "");
}
