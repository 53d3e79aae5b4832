//! A real browser without a window, driven as the W3C's `WebDriver` has it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The key under which `WebDriver` names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Longer than any page takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Chromium with a profile of its own; gone when dropped.
pub(super) struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
}

impl Browser {
    /// Starts one that reaches the web through a proxy, and believes its certificates.
    pub(super) fn start(proxy: &str, profile: &Path) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            // Chromium keeps more than its profile.
            .env("HOME", profile)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let ready = lines.find(|line| line.contains("started successfully on port"));
        let port: u16 = ready
            .and_then(|line| line.trim_end_matches('.').rsplit(' ').next()?.parse().ok())
            .expect("chromedriver says its port");
        let config = ureq::Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        let mut browser = Self {
            driver,
            agent: config.into(),
            session: format!("http://127.0.0.1:{port}/session"),
        };
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            // What it does on the side, with nobody at it.
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-extensions".to_owned(),
            "--disable-software-rasterizer".to_owned(),
            "--disable-sync".to_owned(),
            format!("--proxy-server={proxy}"),
            format!("--user-data-dir={}", profile.display()),
        ];
        let started = browser.post(
            "",
            &json!({"capabilities": {"alwaysMatch": {
                "acceptInsecureCerts": true,
                "goog:chromeOptions": {"args": arguments},
            }}}),
        );
        let id = started["sessionId"].as_str().expect("a session").to_owned();
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    pub(super) fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    pub(super) fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.post(
            &format!("/element/{element}/value"),
            &json!({ "text": text }),
        );
    }

    pub(super) fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/click"), &json!({}));
    }

    /// Waits until the page has this in its address, and gives the page's text.
    pub(super) fn text_at(&self, part: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let url = self.get("/url");
            let url = url.as_str().unwrap_or_default();
            if url.contains(part) {
                let body = self.element("body");
                let text = self.get(&format!("/element/{body}/text"));
                return text.as_str().unwrap_or_default().to_owned();
            }
            assert!(Instant::now() < end, "no '{part}', but {url}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The first element a CSS selector means, once it is there.
    fn element(&self, selector: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let asked = json!({"using": "css selector", "value": selector});
            if let Some(element) = self.post("/element", &asked)[ELEMENT].as_str() {
                return element.to_owned();
            }
            assert!(
                Instant::now() < end,
                "no '{selector}': {}",
                self.get("/source")
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let mut answer = self
            .agent
            .post(format!("{}{path}", self.session))
            .header("Content-Type", "application/json")
            .send(body.to_string())
            .unwrap();
        value(&answer.body_mut().read_to_string().unwrap())
    }

    fn get(&self, path: &str) -> Value {
        let mut answer = self
            .agent
            .get(format!("{}{path}", self.session))
            .call()
            .unwrap();
        value(&answer.body_mut().read_to_string().unwrap())
    }
}

fn value(text: &str) -> Value {
    let answer: Value = serde_json::from_str(text).unwrap();
    answer["value"].clone()
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver takes the browser with it.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
