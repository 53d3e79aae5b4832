//! `store`: what is kept of what worked, and what is no news.

use crate::support::harness::{
    ACCESS_TOKEN, API_TOKEN, PROGRAM, STATIC, TestEnv, ephemeral, has, reply, run, write_private,
};
use std::fs;

const CONTEXT: &str = "protocol=https\nhost=bitbucket.org\n";

#[test]
fn a_token_that_was_typed_once_serves_its_workspace() {
    let env = TestEnv::new();
    let given = format!(
        "protocol=https\nhost=bitbucket.org\npath=acme/app.git\nusername=ada\npassword={API_TOKEN}\n"
    );
    assert_eq!(env.program(&["store"], given).status, 0);
    assert_eq!(
        env.get_cloud("path=acme/site.git\n"),
        reply(STATIC, API_TOKEN)
    );
    assert_eq!(
        env.get_cloud("path=acme/site.git\nusername=someone\n"),
        reply(STATIC, API_TOKEN)
    );
    assert_eq!(env.get_cloud("path=other/site.git\n"), "");
    let accounts = env.accounts();
    assert_eq!(
        (accounts[0]["kind"].as_str(), accounts[0]["origin"].as_str()),
        (Some("api-token"), Some("git"))
    );
    assert_eq!(accounts[0]["username"].as_str(), Some("ada"));

    let env = TestEnv::new();
    let given = format!(
        "protocol=https\nhost=bitbucket.org\npath=acme/app.git\nusername=x-token-auth\npassword={ACCESS_TOKEN}\n"
    );
    assert_eq!(env.program(&["store"], given).status, 0);
    assert_eq!(
        env.get_cloud("path=acme/app.git/info/lfs\n"),
        reply("x-token-auth", ACCESS_TOKEN)
    );
    assert_eq!(
        env.get_cloud("path=acme/site.git\n"),
        "",
        "its scope is the repository it was typed for"
    );
}

#[test]
fn our_own_reply_is_not_kept_a_second_time() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    env.has_worked("");
    let before = fs::read(env.data().join("accounts.toml")).unwrap();
    for username in [STATIC, "ada", "old-name"] {
        let ours = format!(
            "protocol=https\nhost=bitbucket.org\npath=acme/app.git\nusername={username}\npassword={API_TOKEN}\n"
        );
        assert_eq!(env.program(&["store"], ours).status, 0);
    }
    assert_eq!(fs::read(env.data().join("accounts.toml")).unwrap(), before);
}

#[test]
fn what_is_ephemeral_or_incomplete_is_not_kept() {
    let env = TestEnv::new();
    for rest in [
        "username=ada\npassword=x\nephemeral=1\n",
        "username=ada\npassword=x\nephemeral=true\n",
        "username=ada\n",
        "password=x\n",
        "username=\npassword=\n",
        "username=ada\npassword=\n",
        "credential=x\n",
        "authtype=Bearer\ncredential=\n",
        "",
    ] {
        let outcome = env.program(
            &["store"],
            format!("protocol=https\nhost=bitbucket.org\n{rest}"),
        );
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{rest}");
    }
    assert!(!env.data().exists(), "not even a folder was made");
    // One of ours is unchecked, and the success of such a one is news.
    env.login(API_TOKEN, &["--for", "acme"]);
    for path in ["", "path=other/app.git\n"] {
        let given = format!("{CONTEXT}{path}username=ada\npassword=x\nephemeral=1\n");
        assert_eq!(env.program(&["store"], given).status, 0);
        assert_eq!(env.accounts().len(), 1, "{path}");
    }
}

#[test]
fn that_our_own_reply_worked_is_no_news_and_opens_the_accounts_alone() {
    if !has(&["strace"]) {
        return;
    }
    let env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    let context = "protocol=https\nhost=bitbucket.org\n";
    env.has_worked("");
    let answer = env.get(&format!("{context}capability[]=authtype\n"));
    assert!(answer.contains("ephemeral=1\n"), "{answer}");
    let opened = env.path().join("opened");
    let mut command = env.command("strace");
    command.args(["-f", "-e", "trace=%file", "-o"]).arg(&opened);
    command.args([PROGRAM, "store"]);
    let outcome = run(command, format!("{context}{answer}").as_bytes());
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let opened = fs::read_to_string(opened).unwrap();
    let home = env.path().to_str().unwrap();
    assert!(opened.contains("execve"), "{opened}");
    let of_ours = opened
        .lines()
        .filter(|line| line.contains(home) && line.contains("openat("));
    let others = of_ours.filter(|line| !line.contains("accounts.toml\", O_RDONLY"));
    assert_eq!(others.count(), 0, "{opened}");
}

#[test]
fn the_first_success_of_an_unchecked_secret_is_news_once() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    let context = "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n";
    let state = || env.accounts()[0]["state"].as_str().unwrap().to_owned();
    assert_eq!(state(), "unchecked");
    let other = reply(STATIC, &API_TOKEN.replace("canary", "others"));
    let answer = env.get(&format!("{context}capability[]=authtype\n"));
    assert_eq!(answer, ephemeral(&reply(STATIC, API_TOKEN)));
    for (answer, after) in [
        (ephemeral(&other), "unchecked"),
        (other, "unchecked"),
        (answer.clone(), "ok"),
    ] {
        let outcome = env.program(&["store"], format!("{context}{answer}"));
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
        assert_eq!(state(), after);
    }
    assert_eq!(env.accounts().len(), 1);
    let accounts = env.data().join("accounts.toml");
    let written = || fs::metadata(&accounts).unwrap().modified().unwrap();
    let before = written();
    env.program(&["store"], format!("{context}{answer}"));
    assert_eq!(written(), before, "nothing is written");
    assert!(!fs::read_to_string(&accounts).unwrap().contains("unchecked"));
}

#[test]
fn that_a_secret_worked_which_was_refused_once_is_news() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    let context = "protocol=https\nhost=bitbucket.org\n";
    let ours = reply(STATIC, API_TOKEN);
    assert_eq!(
        env.program(&["erase"], format!("{context}{ours}")).status,
        0
    );
    let accounts = env.data().join("accounts.toml");
    let text = fs::read_to_string(&accounts).unwrap();
    let at = text.lines().find(|line| line.starts_with("at = ")).unwrap();
    let long_ago = "at = \"2026-01-01T00:00:00Z\"";
    write_private(&accounts, &text.replace(at, long_ago));

    let answer = env.get(&format!("{context}capability[]=authtype\n"));
    assert_eq!(answer, ours, "it has its one more chance");
    assert_eq!(
        env.program(&["store"], format!("{context}{answer}")).status,
        0
    );
    assert_eq!(env.accounts()[0]["state"], "ok");
    let answer = env.get(&format!("{context}capability[]=authtype\n"));
    assert_eq!(answer, ephemeral(&ours));
}

#[test]
fn the_header_form_comes_back_only_to_whoever_understands_it() {
    let env = TestEnv::new();
    let given = "protocol=https\nhost=bitbucket.org\nauthtype=Bearer\ncredential=random\n";
    assert_eq!(env.program(&["store"], given).status, 0);
    assert_eq!(env.get_cloud(""), "");
    let header = "capability[]=authtype\nauthtype=Bearer\ncredential=random\n";
    assert_eq!(env.get_cloud("capability[]=authtype\n"), header);
}

#[test]
fn what_comes_out_of_a_url_displaces_no_account_of_ours() {
    // Of `https://USER:TOKEN@bitbucket.org/evil/public.git` git stores the token although no server ever saw it.
    let planted = API_TOKEN.replace("canary", "planted");
    for username in [STATIC, "evil", "ada"] {
        let env = TestEnv::new();
        env.login(API_TOKEN, &["work"]);
        for path in ["", "path=evil/public.git\n"] {
            let store = format!(
                "protocol=https\nhost=bitbucket.org\n{path}username={username}\npassword={planted}\n"
            );
            assert_eq!(env.program(&["store"], store).status, 0);
        }
        for asked in [
            "",
            "username=ada\n",
            "username=evil\n",
            "path=evil/public.git\n",
        ] {
            assert_eq!(
                env.get_cloud(asked),
                reply(STATIC, API_TOKEN),
                "{username} {asked}"
            );
        }
    }
}

#[test]
fn what_git_gives_cannot_fill_the_accounts_until_nothing_works() {
    let env = TestEnv::new();
    let store = |username: &str, path: &str| {
        let given = format!("{CONTEXT}path={path}\nusername={username}\npassword=planted\n");
        assert_eq!(env.program(&["store"], given).status, 0);
    };
    // Submodules' URLs may hold anything.
    store(&"u".repeat(40_000), "evil/a");
    store("u", &"p".repeat(40_000));
    assert!(env.accounts().is_empty());
    // As many as git has ever given to anybody, and no more.
    env.login(API_TOKEN, &["first"]);
    env.program(&["logout", "first"], "");
    let path = env.data().join("accounts.toml");
    let row = |number: usize| {
        format!(
            "\n[[account]]\nname = \"u{number}\"\nhost = \"bitbucket.org\"\nusername = \"u{number}\"\nstore = \"file\"\n\
             entry = \"u{number}@bitbucket.org#0\"\norigin = \"git\"\n"
        )
    };
    let rows: String = (0..511).map(row).collect();
    write_private(&path, &rows);
    store("last", "evil/last");
    assert_eq!(env.accounts().len(), 512);
    store("more", "evil/more");
    assert_eq!(env.accounts().len(), 512);
    // A full list stops nobody from signing in.
    env.login(API_TOKEN, &["mine"]);
    assert_eq!(
        env.get_cloud("path=acme/app.git\n"),
        reply(STATIC, API_TOKEN)
    );
}

#[test]
fn what_git_gives_is_never_broader_than_the_place_it_came_from() {
    let rest = |env: &TestEnv| {
        env.get("protocol=https\nhost=api.bitbucket.org\npath=2.0/user\nusername=evil\ncapability[]=authtype\n")
    };
    for (token, name) in [(API_TOKEN, STATIC), (ACCESS_TOKEN, "x-token-auth")] {
        let planted = reply(name, token);
        let is_access = token == ACCESS_TOKEN;
        let env = TestEnv::new();
        let store = format!("{CONTEXT}path=evil/public.git\nusername=evil\npassword={token}\n");
        assert_eq!(env.program(&["store"], store).status, 0);
        assert_eq!(env.get_cloud("path=evil/public.git\n"), planted);
        let others = if is_access { "" } else { planted.as_str() };
        assert_eq!(env.get_cloud("path=evil/other.git\n"), others);
        for elsewhere in [
            "path=acme/app.git\n",
            "",
            "username=ada\n",
            "path=evil-too/x\n",
        ] {
            assert_eq!(env.get_cloud(elsewhere), "", "{elsewhere}");
        }
        assert_eq!(rest(&env), "");
        // Without a path only for the user name it came with.
        let env = TestEnv::new();
        let store = format!("{CONTEXT}username=evil\npassword={token}\n");
        assert_eq!(env.program(&["store"], store).status, 0);
        assert_eq!(env.get_cloud("username=evil\n"), planted);
        assert_eq!(env.get_cloud("username=evil\npath=acme/app.git\n"), planted);
        for other in ["", "path=acme/app.git\n", "username=ada\n"] {
            assert_eq!(env.get_cloud(other), "", "{other}");
        }
        assert_eq!(rest(&env), "");
        // And never before an account from `login`.
        env.login(&API_TOKEN.replace("canary", "mine"), &["mine"]);
        assert!(env.get_cloud("username=evil\n").contains("mine"));
    }
}

#[test]
fn what_git_gives_takes_the_place_of_the_same_path_and_user_name_alone() {
    let env = TestEnv::new();
    fs::create_dir(env.data()).unwrap();
    write_private(
        &env.data().join("config.toml"),
        "hosts = ['git.corp.example']\n",
    );
    let places = [
        ("bitbucket.org", "acme/app.git", "ada"),
        ("bitbucket.org", "acme/app.git", "bob"),
        ("bitbucket.org", "acme/site.git", "ada"),
        ("git.corp.example", "acme/app.git", "ada"),
    ];
    let context = |place: usize| {
        let (host, path, username) = places[place];
        format!("protocol=https\nhost={host}\npath={path}\nusername={username}\n")
    };
    let tell = |operation: &str, place: usize, password: &str| {
        let given = format!("{}password={password}\n", context(place));
        assert_eq!(env.program(&[operation], given).status, 0);
    };
    let answers = || {
        [0, 1, 2, 3].map(|place| {
            let answer = env.get(&context(place));
            let mut lines = answer.lines();
            let password = lines.find_map(|line| line.strip_prefix("password="));
            password.unwrap_or_default().to_owned()
        })
    };
    for (place, password) in ["one", "two", "three", "four"].into_iter().enumerate() {
        tell("store", place, password);
    }
    assert_eq!(answers(), ["one", "two", "three", "four"]);
    tell("store", 0, "five");
    assert_eq!(answers(), ["five", "two", "three", "four"]);
    assert_eq!(env.accounts().len(), 4);
    tell("erase", 1, "two");
    assert_eq!(answers(), ["five", "", "three", "four"]);
    // What is not the secret there removes nothing.
    tell("erase", 0, "one");
    assert_eq!(answers(), ["five", "", "three", "four"]);
}
