//! A stand-in for Bitbucket's servers, which real git reaches by `https://bitbucket.org/…`.
//!
//! It is an HTTPS proxy on the loopback interface which ends the TLS of the hosts it plays itself,
//! and refuses every other host. Whatever is not in [`StandIn::requests`] was therefore not
//! contacted.

#![allow(
    dead_code,
    unused_imports,
    clippy::allow_attributes,
    reason = "compiled into several targets, none of which uses all of it, so that no expectation would hold in each"
)]

mod access;
mod certificate;
mod credential;
mod data_center;
mod forward;
mod git;
mod kind;
mod lfs;
mod listener;
mod message;
mod oauth;
mod programs;
mod repository;
mod request;
mod rest;
mod routing;
mod server;
mod tunnel;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use credential::{Credential, Handle};
pub(crate) use data_center::DataCenter;
pub(crate) use oauth::Consumer;
pub(crate) use programs::{found_here, found_on};
pub(crate) use repository::Repository;
pub(crate) use request::{Authorization, Request};
pub(crate) use server::Silence;

/// The running stand-in; dropping it closes every connection and ends its threads.
pub(crate) struct StandIn {
    server: Arc<server::Server>,
    listener: listener::Listener,
    authority_file: PathBuf,
}

impl StandIn {
    /// Starts listening on a free loopback port; repositories and the test authority's certificate
    /// go below `folder`.
    pub(crate) fn start(folder: impl AsRef<Path>) -> io::Result<Self> {
        let folder = folder.as_ref();
        let authority_file = folder.join("ca.pem");
        let server = Arc::new(server::Server::new(folder)?);
        std::fs::write(&authority_file, &certificate::AUTHORITY.certificate)?;
        let listener = listener::Listener::start(&server)?;
        Ok(Self {
            server,
            listener,
            authority_file,
        })
    }

    /// The address for `HTTPS_PROXY`.
    pub(crate) fn proxy(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// The certificate to trust, for `GIT_SSL_CAINFO` and `SSL_CERT_FILE`.
    pub(crate) fn ca_file(&self) -> &Path {
        &self.authority_file
    }

    /// What a program needs in its environment to take the stand-in for Bitbucket.
    ///
    /// git reads no certificates of the machine, which takes it longer than all else: its folder for them is not there.
    /// `NO_PROXY` is empty and plain http goes to the stand-in too (where it is refused), so that
    /// nothing passes it by.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let authority_file = self.authority_file.display().to_string();
        let nowhere = self.authority_file.with_file_name("nowhere");
        vec![
            ("HTTPS_PROXY", self.proxy()),
            ("https_proxy", self.proxy()),
            // libcurl reads only the lower-case name, since a web server would hand the other to
            // its CGI programs.
            ("http_proxy", self.proxy()),
            ("NO_PROXY", String::new()),
            ("no_proxy", String::new()),
            ("GIT_SSL_CAINFO", authority_file.clone()),
            ("GIT_SSL_CAPATH", nowhere.display().to_string()),
            ("SSL_CERT_FILE", authority_file),
        ]
    }

    /// A bare repository on bitbucket.org, such as `acme/app`, with one commit on `main`; private
    /// to begin with.
    pub(crate) fn repository(&self, name: &str) -> Repository {
        let url = format!("https://bitbucket.org/{name}.git");
        Repository::create(&self.server, server::CLOUD, name, url)
    }

    /// Lets bitbucket.org and its REST interface know a credential.
    pub(crate) fn allow(&self, credential: Credential) -> Handle {
        self.server.allow(server::CLOUD, credential)
    }

    /// Registers an OAuth consumer at bitbucket.org.
    pub(crate) fn consumer(&self, id: &str, secret: &str) -> Consumer {
        self.server
            .register(Consumer::new(server::CLOUD, id, secret))
    }

    /// Has a real OAuth server, on this port of the loopback interface, answer what is about OAuth.
    pub(crate) fn forward_oauth(&self, port: u16) {
        self.server.set_oauth_server(server::CLOUD, port);
    }

    /// One more host, a Data Center instance such as `git.corp.example:7990`, at a context path
    /// such as `/bitbucket` or "".
    pub(crate) fn data_center(&self, host: &str, context: &str) -> DataCenter {
        DataCenter::register(&self.server, host, context)
    }

    /// Every request so far, refused connections among them, in the order of their answers.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.server
            .requests
            .lock()
            .expect("no thread panics with the records")
            .clone()
    }

    /// How many of the requests so far are of some sort.
    pub(crate) fn count(&self, wanted: impl Fn(&Request) -> bool) -> usize {
        self.requests()
            .iter()
            .filter(|request| wanted(request))
            .count()
    }

    /// The hosts, with their ports, which somebody tried to reach and which the stand-in does not
    /// play.
    pub(crate) fn refused(&self) -> Vec<String> {
        let refused = self
            .requests()
            .into_iter()
            .filter(|request| request.refused);
        refused.map(|request| request.host).collect()
    }

    /// Forgets the requests so far, so that the next part of a test starts its count anew.
    pub(crate) fn forget_requests(&self) {
        self.server
            .requests
            .lock()
            .expect("no thread panics with the records")
            .clear();
    }

    /// Answers 401 to every `n`-th request that bears a good credential, counted from now; 0 ends
    /// it.
    pub(crate) fn refuse_every(&self, n: u32) {
        self.server.faults().refuse_every(n);
    }

    /// Answers everything with a page of its own, as a company's proxy does before somebody has signed in to it.
    pub(crate) fn show_a_page(&self, shows: bool) {
        self.server.faults().page = shows;
    }

    /// Answers 403 and this text to whoever may use a repository; nothing ends it.
    pub(crate) fn forbid(&self, text: &str) {
        text.clone_into(&mut self.server.faults().forbidden);
    }

    /// Sends who asks for what lies in this workspace to the same below another address.
    pub(crate) fn move_workspace(&self, workspace: &str, address: &str) {
        self.server.faults().moved = Some((workspace.to_owned(), address.to_owned()));
    }

    /// Answers 403 and this text, without a word on the credential, to whoever asks REST.
    pub(crate) fn forbid_rest(&self, text: &str) {
        text.clone_into(&mut self.server.faults().forbidden_to_rest);
    }

    /// Announces with each answer of REST when its addresses end.
    pub(crate) fn announce_sunset(&self, day: &str) {
        day.clone_into(&mut self.server.faults().sunset);
    }

    /// Waits so long before each answer.
    pub(crate) fn delay(&self, delay: Duration) {
        self.server.faults().delay = delay;
    }

    /// Waits so long after the work is done, before each answer is sent.
    pub(crate) fn delay_answers(&self, delay: Duration) {
        self.server.faults().answer_delay = delay;
    }

    /// Accepts connections and never answers them, until told otherwise.
    pub(crate) fn fall_silent(&self, silence: Silence) {
        self.server.faults().silence = silence;
    }
}
