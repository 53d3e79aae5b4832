//! What the connections share: the hosts, credentials, repositories, records and faults.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use super::certificate::AUTHORITY;
use super::credential::{Credential, Handle};
use super::data_center;
use super::oauth::Consumer;
use super::request::Request;

/// Where the credentials and repositories of Bitbucket Cloud belong; those of a Data Center belong
/// to its host and port.
pub(super) const CLOUD: &str = "bitbucket.org:443";

/// Everything the stand-in knows.
pub(super) struct Server {
    folder: PathBuf,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
    credentials: Mutex<Vec<(String, Handle)>>,
    repositories: Mutex<HashMap<(String, String), Shelved>>,
    consumers: Mutex<Vec<Consumer>>,
    oauth_elsewhere: Mutex<HashMap<String, u16>>,
    pub(super) requests: Mutex<Vec<Request>>,
    faults: Mutex<Faults>,
    stopping: AtomicBool,
}

impl Server {
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        let server = Self {
            folder: folder.to_owned(),
            hosts: Mutex::default(),
            credentials: Mutex::default(),
            repositories: Mutex::default(),
            consumers: Mutex::default(),
            oauth_elsewhere: Mutex::default(),
            requests: Mutex::default(),
            faults: Mutex::default(),
            stopping: AtomicBool::new(false),
        };
        std::fs::create_dir_all(server.home())?;
        std::fs::create_dir_all(folder.join("repositories"))?;
        std::fs::create_dir_all(folder.join("objects"))?;
        // git-config(1): receiving over HTTP is off unless http.receivepack says so.
        let settings = "[http]\n\treceivepack = true\n[uploadpack]\n\tallowFilter = true\n\
                        [init]\n\ttemplateDir =\n[receive]\n\tautogc = false\n[core]\n\tcompression = 0\n";
        std::fs::write(server.home().join(".gitconfig"), settings)?;
        server.add_host(CLOUD, Site::Cloud);
        server.add_host("www.bitbucket.org:443", Site::Cloud);
        server.add_host("api.bitbucket.org:443", Site::CloudRest);
        Ok(server)
    }

    /// Plays one more host, given with its port.
    pub(super) fn add_host(&self, authority: &str, site: Site) {
        let name = authority
            .rsplit_once(':')
            .map_or(authority, |(name, _)| name);
        let host = Host {
            authority: authority.to_owned(),
            site,
            tls: AUTHORITY.settings_for(name),
        };
        lock(&self.hosts).insert(authority.to_owned(), Arc::new(host));
    }

    /// The host of this name and port, if the stand-in plays it.
    pub(super) fn host(&self, authority: &str) -> Option<Arc<Host>> {
        lock(&self.hosts)
            .get(&authority.to_ascii_lowercase())
            .cloned()
    }

    pub(super) fn allow(&self, place: &str, credential: Credential) -> Handle {
        let of_data_center = credential.is_of_data_center();
        assert_eq!(
            of_data_center,
            place != CLOUD,
            "{place} has no such credentials"
        );
        let handle = Handle::new(credential);
        lock(&self.credentials).push((place.to_owned(), handle.clone()));
        handle
    }

    pub(super) fn register(&self, consumer: Consumer) -> Consumer {
        lock(&self.consumers).push(consumer.clone());
        consumer
    }

    /// Has another server on the loopback interface answer what is about OAuth.
    pub(super) fn set_oauth_server(&self, place: &str, port: u16) {
        lock(&self.oauth_elsewhere).insert(place.to_owned(), port);
    }

    pub(super) fn oauth_server(&self, place: &str) -> Option<u16> {
        lock(&self.oauth_elsewhere).get(place).copied()
    }

    /// The OAuth consumer of this key.
    pub(super) fn consumer(&self, place: &str, id: &str) -> Option<Consumer> {
        let consumers = lock(&self.consumers);
        consumers
            .iter()
            .find(|consumer| consumer.is_called(place, id))
            .cloned()
    }

    /// The credentials known at a place, as they are at this moment.
    pub(super) fn credentials(&self, place: &str) -> Vec<Credential> {
        let credentials = lock(&self.credentials);
        let here = credentials
            .iter()
            .filter(|(where_known, _)| where_known == place);
        here.map(|(_, handle)| handle.current()).collect()
    }

    pub(super) fn shelve(&self, place: &str, name: &str, shelved: Shelved) {
        lock(&self.repositories).insert((place.to_owned(), name.to_owned()), shelved);
    }

    pub(super) fn repository(&self, place: &str, name: &str) -> Option<Shelved> {
        lock(&self.repositories)
            .get(&(place.to_owned(), name.to_owned()))
            .cloned()
    }

    /// Whether any repository belongs to this workspace.
    pub(super) fn has_workspace(&self, place: &str, workspace: &str) -> bool {
        let within = |name: &str| name.split('/').next() == Some(workspace);
        lock(&self.repositories)
            .keys()
            .any(|(where_kept, name)| where_kept == place && within(name))
    }

    /// The folder for a place's repositories.
    pub(super) fn shelf(&self, place: &str) -> PathBuf {
        self.folder
            .join("repositories")
            .join(place.replace(':', "_"))
    }

    /// The folder for LFS objects, which are known by their hash, so that one is enough.
    pub(super) fn objects(&self) -> PathBuf {
        self.folder.join("objects")
    }

    /// A home for the server's own git, lest the settings of the machine's user matter.
    pub(super) fn home(&self) -> PathBuf {
        self.folder.join("server-home")
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(super) fn record(&self, request: Request) {
        lock(&self.requests).push(request);
    }

    /// Lets every connection come to its end.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Sleeps, but no longer than the stand-in runs.
    pub(super) fn sleep(&self, time: Duration) {
        let start = Instant::now();
        while !self.is_stopping() && start.elapsed() < time {
            thread::sleep(Duration::from_millis(10).min(time));
        }
    }
}

/// A host the stand-in plays.
pub(super) struct Host {
    /// The name and port, as in `CONNECT`.
    pub(super) authority: String,
    pub(super) site: Site,
    pub(super) tls: Arc<ServerConfig>,
}

impl Host {
    /// Where its credentials and repositories belong: the REST host of Bitbucket Cloud has those of
    /// bitbucket.org.
    pub(super) fn place(&self) -> &str {
        match self.site {
            Site::Cloud | Site::CloudRest => CLOUD,
            Site::DataCenter(_) => &self.authority,
        }
    }

    /// The start of its addresses.
    pub(super) fn origin(&self) -> String {
        format!("https://{}", self.authority.trim_end_matches(":443"))
    }
}

/// What a host serves.
pub(super) enum Site {
    Cloud,
    CloudRest,
    DataCenter(Arc<data_center::Instance>),
}

/// A repository the stand-in serves.
#[derive(Clone)]
pub(super) struct Shelved {
    pub(super) folder: PathBuf,
    pub(super) public: bool,
}

/// Where the stand-in stops answering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Silence {
    /// It answers.
    #[default]
    Off,
    /// It accepts the connection, and that is all: not even a tunnel comes about.
    Connection,
    /// It takes whole requests through the tunnel, and answers none.
    Request,
}

/// What goes wrong although nobody did anything wrong.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) delay: Duration,
    pub(super) answer_delay: Duration,
    pub(super) silence: Silence,
    /// Somebody in between answers everything with a page of its own, and says that all is well.
    pub(super) page: bool,
    /// Why git may not use a repository, although its credential is good.
    pub(super) forbidden: String,
    /// The old name of a workspace of bitbucket.org, and where its addresses lead.
    pub(super) moved: Option<(String, String)>,
    /// What REST answers with 403, whatever is asked.
    pub(super) forbidden_to_rest: String,
    /// When REST's addresses end.
    pub(super) sunset: String,
    refuse_every: u32,
    counted: u32,
}

impl Faults {
    pub(super) fn refuse_every(&mut self, n: u32) {
        self.refuse_every = n;
        self.counted = 0;
    }

    /// Counts a request with a good credential, and says whether it must be refused all the same.
    pub(super) fn refuses(&mut self) -> bool {
        self.counted += 1;
        self.refuse_every != 0 && self.counted.is_multiple_of(self.refuse_every)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("no thread panics with what the stand-in shares")
}
