//! The thread that listens, and the connections it has started.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::server::Server;
use super::tunnel;

/// The listening thread, and the connections it has started.
pub(super) struct Listener {
    server: Arc<Server>,
    address: SocketAddr,
    thread: Option<JoinHandle<Vec<Connection>>>,
}

struct Connection {
    stream: TcpStream,
    thread: JoinHandle<()>,
}

impl Listener {
    pub(super) fn start(server: &Arc<Server>) -> io::Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = socket.local_addr()?;
        let shared = Arc::clone(server);
        Ok(Self {
            server: Arc::clone(server),
            address,
            thread: Some(thread::spawn(move || accept_all(&socket, &shared))),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.server.stop();
        // Wakes the listening thread, which then sees that it must stop. If it cannot be woken, it
        // is not waited for.
        if TcpStream::connect(self.address).is_err() {
            return;
        }
        let connections = self
            .thread
            .take()
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default();
        for connection in &connections {
            // An error only means that the other side was quicker.
            connection.stream.shutdown(Shutdown::Both).ok();
        }
        let start = Instant::now();
        let running = || {
            connections
                .iter()
                .any(|connection| !connection.thread.is_finished())
        };
        while running() && start.elapsed() < Duration::from_secs(2) {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn accept_all(socket: &TcpListener, server: &Arc<Server>) -> Vec<Connection> {
    let mut connections: Vec<Connection> = Vec::new();
    for stream in socket.incoming() {
        if server.is_stopping() {
            break;
        }
        connections.retain(|connection| !connection.thread.is_finished());
        let Ok(stream) = stream else { continue };
        let Ok(for_closing) = stream.try_clone() else {
            continue;
        };
        let shared = Arc::clone(server);
        connections.push(Connection {
            stream: for_closing,
            // An error means that the other side broke off, or does not trust the test authority;
            // the test sees it there.
            thread: thread::spawn(move || drop(tunnel::serve(&shared, stream))),
        });
    }
    connections
}
