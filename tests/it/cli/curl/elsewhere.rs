//! The secret goes to the host it is for, and nowhere else.

use super::{USER, curl, http_status, refused, signed_in};
use crate::support::harness::{API_TOKEN, TestEnv, has, run};
use std::fs;
#[cfg(target_os = "linux")]
use {
    super::REPOSITORY,
    crate::support::canary::leaks,
    crate::support::harness::{ACCESS_TOKEN, PROGRAM},
    std::process::{Command, Stdio},
    std::thread,
    std::time::{Duration, Instant},
};

#[test]
fn anything_but_one_https_url_of_ours_is_refused_and_nothing_is_sent() {
    let (env, stand_in) = signed_in();
    stand_in.data_center("evil.example", "");
    for arguments in [
        &[][..],
        &["-d", USER],
        &[USER, "https://evil.example/"],
        &[USER, "--url", USER],
        &["--", USER, "-d"],
        &["https://evil.example/"],
        &["https://bitbucket.org.evil.example/"],
        &["https://api.bitbucket.org:8443/2.0/user"],
        &["http://api.bitbucket.org/2.0/user"],
        &["api.bitbucket.org/2.0/user"],
        &["--url=https://api.bitbucket.org/2.0/user"],
        &["https://{api.bitbucket.org,evil.example}/"],
        &["https://api.bitbucket.org/2.0/{user,workspaces}"],
        &["https://ada:canary@api.bitbucket.org/2.0/user"],
        &["https://api.bitbucket.org@evil.example/"],
        &["https://evil.example\\@api.bitbucket.org/"],
        &["--expand-url", "https://api.bitbucket.org/{{canary}}", USER],
        &["--unheard-of", USER],
        &["-Wcanary", USER],
    ] {
        refused(&env, &stand_in, arguments);
    }
}

#[test]
fn who_writes_a_value_behind_an_equals_sign_is_told_where_to_put_it() {
    let (env, _stand_in) = signed_in();
    let outcome = env.program(&["curl", "--request=canary", USER], "");
    assert_eq!(outcome.status, 2, "{outcome:?}");
    let (error, hint) = outcome.error_and_hint();
    assert!(
        error.ends_with("curl's '--request' takes no equals sign here"),
        "{error}"
    );
    assert_eq!(hint, "write the value as an argument of its own");
}

#[test]
fn each_option_that_takes_the_secret_elsewhere_is_refused() {
    let (env, stand_in) = signed_in();
    let config = env.home().join("config");
    fs::write(&config, "url = https://evil.example/\n").unwrap();
    for option in [
        &["-K", "config"][..],
        &["-sKconfig"],
        &["--config", "config"],
        &["--next"],
        &["-:"],
        &["--location-trusted"],
        &["--libcurl", "code.c"],
        &["--connect-to", "::evil.example:443"],
        &["--resolve", "api.bitbucket.org:443:127.0.0.1"],
        &["--unix-socket", "socket"],
        &["--abstract-unix-socket", "socket"],
        &["--metalink"],
        &["--variable", "canary=x"],
    ] {
        let before = [option, &[USER]].concat();
        let after = [&[USER], option].concat();
        for arguments in [before, after] {
            let words = refused(&env, &stand_in, &arguments);
            assert!(words.contains("is refused: "), "{arguments:?}: {words}");
        }
    }
    assert!(!env.home().join("code.c").exists());
}

#[test]
fn each_option_of_the_installed_curl_takes_a_value_here_when_it_does_there() {
    if !has(&["curl"]) {
        return;
    }
    let env = TestEnv::new();
    let mut command = env.command("curl");
    command.args(["--help", "all"]);
    let list = run(command, b"").stdout;
    let mut checked = 0;
    for line in list.lines().filter(|line| line.starts_with(' ')) {
        let (option, value) = line.split_once(" --").unwrap().1.split_once(' ').unwrap();
        if ["help", "manual", "version"].contains(&option) {
            continue;
        }
        let takes_value = value.starts_with(['<', '[']);
        // Whatever is no value is a URL.
        let outcome = curl(&env, &[&format!("--{option}"), USER], "");
        let is_alone = outcome.stderr.contains("there is no URL") || option == "url";
        let is_refused = outcome.stderr.contains(" is refused: ");
        let is_unknown = outcome.stderr.contains("known here");
        assert!(
            is_refused || is_unknown || is_alone == takes_value,
            "{option}: {outcome:?}"
        );
        checked += usize::from(!is_unknown);
    }
    assert!(checked > 200, "{checked} of {list}");
}

#[test]
fn what_shows_the_secret_is_warned_of() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in) = signed_in();
    for (option, shows) in [("-v", true), ("--trace-ascii=-", true), ("-k", false)] {
        let arguments: Vec<&str> = ["curl", "-s", USER]
            .into_iter()
            .chain(option.split('='))
            .collect();
        let outcome = env.program(&arguments, "");
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let warning = "git-credential-bitbucket: warning: '--";
        assert!(outcome.stderr.starts_with(warning), "{outcome:?}");
        let all = outcome.stdout + &outcome.stderr;
        assert_eq!(
            all.contains("Authorization: Basic "),
            shows,
            "{option}: {all}"
        );
    }
    assert_eq!(stand_in.requests().len(), 3);
}

#[test]
fn a_curlrc_of_the_users_is_not_read() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in) = signed_in();
    fs::write(
        env.home().join(".curlrc"),
        "url = https://evil.example/\nlocation-trusted\n",
    )
    .unwrap();
    assert_eq!(http_status(&env, &[USER]), "200");
    assert_eq!(stand_in.requests().len(), 1);
}

#[test]
fn a_redirect_to_another_host_port_or_protocol_carries_nothing() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in) = signed_in();
    stand_in.data_center("evil.example", "");
    stand_in.data_center("api.bitbucket.org:8443", "");
    let follow = |to: &str, more: &[&str]| {
        stand_in.forget_requests();
        let url = format!("https://api.bitbucket.org/redirect?{to}");
        let outcome = curl(&env, &[&["-sL", &url], more].concat(), "");
        let requests = stand_in.requests();
        let (first, rest) = requests.split_first().expect("a request");
        assert_eq!(first.secret(), Some(API_TOKEN), "{to}");
        assert!(
            rest.iter().all(|request| request.authorization.is_none()),
            "{to}: {rest:?}"
        );
        (outcome.status, rest.len())
    };
    assert_eq!(follow("https://evil.example/", &[]), (0, 1));
    assert_eq!(follow("https://api.bitbucket.org:8443/", &[]), (0, 1));
    let unprotected = "http://api.bitbucket.org/2.0/user";
    assert_eq!(
        follow(unprotected, &[]),
        (1, 0),
        "it is not followed at all"
    );
    assert_eq!(follow(unprotected, &["--proto", "=http,https"]), (0, 1));

    stand_in.forget_requests();
    let url = format!("https://api.bitbucket.org/redirect?{USER}");
    assert_eq!(
        http_status(&env, &["-L", &url]),
        "200",
        "the same host gets it"
    );
}

#[test]
fn a_proxy_sees_the_tunnel_and_nothing_in_it() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in) = signed_in();
    // The stand-in does not play this one, and records what the proxy was asked.
    env.login(
        "BBDC-canary",
        &[
            "dc",
            "--host",
            "git.other.example",
            "--kind",
            "http-access-token",
            "--username",
            "x",
        ],
    );
    stand_in.forget_requests();
    let outcome = curl(
        &env,
        &["-s", "https://git.other.example/rest/api/1.0/projects"],
        "",
    );
    assert_eq!(outcome.status, 56, "{outcome:?}");
    let requests = stand_in.requests();
    assert_eq!(
        (requests.len(), requests[0].method.as_str()),
        (1, "CONNECT")
    );
    assert_eq!(requests[0].authorization, None);
}

#[cfg(target_os = "linux")]
#[test]
fn while_curl_runs_the_secret_is_in_no_argument_environment_or_file() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in) = signed_in();
    stand_in.delay(Duration::from_secs(3));
    // The variable comes first where nothing is to be opened; in a repository, who can open it would.
    for (variable, url) in [(None, REPOSITORY), (Some("BITBUCKET_TOKEN"), USER)] {
        if let Some(variable) = variable {
            env.set(variable, ACCESS_TOKEN);
        }
        let mut command: Command = env.command(PROGRAM);
        command.args(["curl", "-s", url]);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let process = format!("/proc/{}", child.id());
        let start = Instant::now();
        // The process becomes curl.
        while fs::read_to_string(format!("{process}/comm")).unwrap() != "curl\n" {
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "curl does not start"
            );
            thread::sleep(Duration::from_millis(10));
        }
        thread::sleep(Duration::from_millis(500));
        for name in ["cmdline", "environ"] {
            let content = fs::read(format!("{process}/{name}")).unwrap();
            assert!(!content.is_empty());
            assert!(
                !leaks(&content),
                "{name}: {}",
                String::from_utf8_lossy(&content)
            );
        }
        for entry in fs::read_dir(format!("{process}/fd")).unwrap() {
            let target = fs::read_link(entry.unwrap().path()).unwrap();
            assert!(
                !target.starts_with(env.path()),
                "{} is open",
                target.display()
            );
        }
        assert!(child.wait().unwrap().success());
    }
    let requests = stand_in.requests();
    let sent: Vec<_> = requests.iter().filter_map(|it| it.secret()).collect();
    assert_eq!(sent, [API_TOKEN, ACCESS_TOKEN]);
}

#[cfg(target_os = "linux")]
#[test]
fn no_process_is_started_with_the_secret() {
    if !has(&["strace"]) {
        return;
    }
    let (env, stand_in) = signed_in();
    let trace = env.path().join("trace");
    let mut command = env.command("strace");
    command
        .args(["-f", "-v", "-s", "100000", "-e", "trace=execve", "-o"])
        .arg(&trace)
        .args([PROGRAM, "curl", "-s", USER]);
    assert_eq!(run(command, b"").status, 0);
    let text = fs::read(&trace).unwrap();
    assert!(!leaks(&text), "{}", String::from_utf8_lossy(&text));
    assert!(String::from_utf8_lossy(&text).contains("\"curl\", \"-q\", \"--config\", \"/dev/fd/"));
    assert_eq!(stand_in.requests()[0].secret(), Some(API_TOKEN));
}
