//! What git demands of a helper, asked through git itself: of this program and, to prove the cases right, of git's
//! own `store`.

use std::fs;

use crate::support::harness::{TestEnv, run};

/// A helper under test, in an environment of its own.
struct Subject {
    env: TestEnv,
    helper: String,
    /// `git-credential-store` of git 2.47 keeps neither expiry nor refresh token nor the header form.
    keeps_all_attributes: bool,
}

impl Subject {
    fn ours() -> Self {
        let env = TestEnv::new();
        fs::create_dir_all(env.data()).unwrap();
        let hosts = "hosts = ['example.com', 'other.tld']\n[store]\ndefault = 'file'\n";
        fs::write(env.data().join("config.toml"), hosts).unwrap();
        Self {
            env,
            helper: "bitbucket".to_owned(),
            keeps_all_attributes: true,
        }
    }

    fn gits_own() -> Self {
        let env = TestEnv::new();
        let file = env.path().join("credentials");
        Self {
            helper: format!("store --file '{}'", file.display()),
            env,
            keeps_all_attributes: false,
        }
    }

    fn credential(&self, operation: &str, attributes: &str) -> String {
        let mut command = self.env.command("git");
        command.args([
            "-c",
            &format!("credential.helper={}", self.helper),
            "credential",
            operation,
        ]);
        let outcome = run(command, attributes.as_bytes());
        if operation != "fill" {
            assert_eq!(
                (outcome.status, outcome.stderr.as_str()),
                (0, ""),
                "{operation} {attributes}"
            );
        }
        outcome.stdout
    }

    fn approve(&self, attributes: &str) {
        self.credential("approve", attributes);
    }

    fn reject(&self, attributes: &str) {
        self.credential("reject", attributes);
    }

    /// The password and whatever else is asked for, as `key=value` lines joined by blanks; empty when git would prompt.
    fn fill(&self, attributes: &str) -> String {
        let asked = [
            "username=",
            "password=",
            "authtype=",
            "credential=",
            "oauth_refresh_token=",
            "password_expiry_utc=",
        ];
        let answer = self.credential("fill", attributes);
        let lines: Vec<&str> = answer
            .lines()
            .filter(|line| asked.iter().any(|key| line.starts_with(key)))
            .collect();
        lines.join(" ")
    }
}

const HOST: &str = "protocol=https\nhost=example.com\n";

fn user(name: &str) -> String {
    format!("{HOST}username={name}\n")
}

fn pair(name: &str, password: &str) -> String {
    format!("{HOST}username={name}\npassword={password}\n")
}

fn for_each_subject(check: impl Fn(&Subject)) {
    check(&Subject::gits_own());
    check(&Subject::ours());
}

#[test]
fn a_stored_password_comes_back_for_its_host_protocol_and_user_only() {
    for_each_subject(|subject| {
        assert_eq!(subject.fill(HOST), "");
        subject.approve(&pair("ada", "pass"));
        assert_eq!(subject.fill(HOST), "username=ada password=pass");
        assert_eq!(subject.fill(&user("ada")), "username=ada password=pass");
        assert_eq!(subject.fill(&user("eve")), "");
        assert_eq!(subject.fill("protocol=http\nhost=example.com\n"), "");
        assert_eq!(subject.fill("protocol=https\nhost=other.tld\n"), "");
    });
}

#[test]
fn a_path_matches_only_itself() {
    for_each_subject(|subject| {
        subject
            .env
            .git_succeeds(&["config", "--global", "credential.useHttpPath", "true"]);
        subject.approve(&format!("{}path=foo.git\n", pair("ada", "pass")));
        assert_eq!(subject.fill(&format!("{HOST}path=bar.git\n")), "");
        assert_eq!(
            subject.fill(&format!("{HOST}path=foo.git\n")),
            "username=ada password=pass"
        );
        assert_eq!(subject.fill(HOST), "username=ada password=pass");
    });
}

#[test]
fn storing_again_overwrites() {
    for_each_subject(|subject| {
        subject.approve(&pair("ada", "old"));
        subject.approve(&pair("ada", "new"));
        assert_eq!(subject.fill(&user("ada")), "username=ada password=new");
        subject.reject(&pair("ada", "new"));
        assert_eq!(
            subject.fill(&user("ada")),
            "",
            "no older one comes to light"
        );
    });
}

#[test]
fn several_users_of_a_host_are_kept_apart() {
    for_each_subject(|subject| {
        subject.approve(&pair("ada", "one"));
        subject.approve(&pair("bob", "two"));
        assert_eq!(subject.fill(&user("ada")), "username=ada password=one");
        assert_eq!(subject.fill(&user("bob")), "username=bob password=two");
        assert_eq!(
            subject.fill(HOST),
            "username=bob password=two",
            "the newest"
        );
        subject.reject(&user("ada"));
        assert_eq!(subject.fill(&user("ada")), "");
        assert_eq!(subject.fill(&user("bob")), "username=bob password=two");
    });
}

#[test]
fn erase_keeps_a_password_distinct_from_the_request() {
    for_each_subject(|subject| {
        subject.approve(&pair("ada", "right"));
        subject.reject(&pair("ada", "wrong"));
        assert_eq!(subject.fill(&user("ada")), "username=ada password=right");
    });
}

#[test]
fn erase_without_a_password_forgets_all_that_match() {
    for_each_subject(|subject| {
        subject.approve(&pair("ada", "one"));
        subject.approve(&pair("bob", "two"));
        subject.reject(HOST);
        assert_eq!(subject.fill(&user("ada")), "");
        assert_eq!(subject.fill(&user("bob")), "");
    });
}

#[test]
fn a_long_header_is_not_taken_for_another_attribute() {
    for_each_subject(|subject| {
        subject.approve(&pair("ada", "pass"));
        let header = format!("{}host=other.tld", "x".repeat(1014));
        assert_eq!(
            subject.fill(&format!("{HOST}wwwauth[]={header}\n")),
            "username=ada password=pass"
        );
    });
}

#[test]
fn expiry_and_refresh_token_come_back_as_they_came() {
    let subject = Subject::ours();
    assert!(subject.keeps_all_attributes && !Subject::gits_own().keeps_all_attributes);
    for expiry in ["9999999999", "9999999998"] {
        subject.approve(&format!(
            "{}password_expiry_utc={expiry}\n",
            pair("ada", "pass")
        ));
        assert_eq!(
            subject.fill(HOST),
            format!("username=ada password=pass password_expiry_utc={expiry}")
        );
    }
    subject.approve(&format!(
        "{}oauth_refresh_token=refresh\n",
        pair("bob", "pass")
    ));
    assert_eq!(
        subject.fill(&user("bob")),
        "username=bob password=pass oauth_refresh_token=refresh"
    );
}

#[test]
fn the_header_form_comes_back_with_and_without_a_user_name() {
    let subject = Subject::ours();
    let header = "capability[]=authtype\nauthtype=Bearer\ncredential=random\n";
    subject.approve(&format!("{header}{HOST}"));
    let asked = format!("capability[]=authtype\n{HOST}");
    assert_eq!(subject.fill(&asked), "authtype=Bearer credential=random");
    assert_eq!(subject.fill(HOST), "", "to nobody who did not ask for it");

    let header = "capability[]=authtype\nauthtype=Bearer\ncredential=other\n";
    subject.approve(&format!("{header}{HOST}username=ada\n"));
    assert_eq!(
        subject.fill(&format!("{asked}username=ada\n")),
        "authtype=Bearer credential=other username=ada"
    );
    assert_eq!(subject.fill(&format!("{asked}username=eve\n")), "");

    subject.approve(&format!(
        "capability[]=authtype\nephemeral=1\nauthtype=Bearer\ncredential=gone\n{HOST}username=eve\n"
    ));
    assert_eq!(subject.fill(&format!("{asked}username=eve\n")), "");
}
