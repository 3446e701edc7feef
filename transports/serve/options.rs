//! What a server allows its clients.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use super::super::MAX_TIMEOUT;
use super::super::clock::Clock;
use super::{Server, faulty, handler};
use crate::emulator::{Emulator, FaultyNetwork};

/// What a [`Server`] allows its clients: how long they may take, how many they may be, and what they may have it hold.
///
/// ```
/// use std::net::Ipv4Addr;
/// use std::time::Duration;
/// # use oss_delete_vectors::transports::ServerOptions;
///
/// let options = ServerOptions::new().client_timeout(Duration::from_secs(2)).max_connections(100);
/// let server = options.start((Ipv4Addr::LOCALHOST, 0).into(), |request| http::Response::new(request.into_body()))?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ServerOptions {
    pub(super) client_timeout: Duration,
    pub(super) max_connections: usize,
    pub(super) max_body_memory: usize,
}

impl ServerOptions {
    /// The defaults, as told with each setting.
    #[must_use]
    pub fn new() -> Self {
        Self { client_timeout: Duration::from_secs(30), max_connections: 10_240, max_body_memory: 256 * 1024 * 1024 }
    }

    /// How long a client may take to send the head of a request, to send its body, and to take any of an answer, each; then its
    /// connection ends. It also bounds how long a connection may idle, so make it longer than clients keep idle connections. 30
    /// seconds if not set. Over a day is taken as a day.
    #[must_use]
    pub fn client_timeout(self, limit: Duration) -> Self {
        Self { client_timeout: limit.min(MAX_TIMEOUT), ..self }
    }

    /// Connections at once; 10,240 if not set, and 1 at least. Whoever comes on top of them waits until one ends. Each has up to
    /// 64 KiB of a request read, besides its body.
    #[must_use]
    pub fn max_connections(self, limit: usize) -> Self {
        Self { max_connections: limit.max(1), ..self }
    }

    /// What all requests that are not answered yet may have in their bodies together, in bytes; 256 MiB if not set. A request
    /// that would exceed it gets 503.
    #[must_use]
    pub fn max_body_memory(self, limit: usize) -> Self {
        Self { max_body_memory: limit, ..self }
    }

    /// As [`Server::start`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn start<H>(&self, addr: SocketAddr, handler: H) -> io::Result<Server>
    where
        H: FnMut(Request<Bytes>) -> Response<Bytes> + Send + 'static,
    {
        Server::spawn(addr, self, || handler::answering(handler))
    }

    /// As [`Server::start_emulator`].
    ///
    /// # Errors
    ///
    /// As [`Server::start`].
    pub fn start_emulator(&self, addr: SocketAddr, emulator: Arc<Mutex<Emulator>>) -> io::Result<Server> {
        let clock = Clock::start();
        self.start(addr, move |request| {
            // A panic while it was held left it between two requests at worst: it checks before it changes anything.
            emulator.lock().unwrap_or_else(PoisonError::into_inner).handle(clock.now(), &request)
        })
    }

    /// As [`Server::start_faulty`].
    ///
    /// # Errors
    ///
    /// As [`Server::start`].
    pub fn start_faulty(
        &self,
        addr: SocketAddr,
        emulator: Arc<Mutex<Emulator>>,
        network: Arc<Mutex<FaultyNetwork<u64>>>,
    ) -> io::Result<Server> {
        let clock = Clock::start();
        Server::spawn(addr, self, move || faulty::answering(clock, emulator, network))
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self::new()
    }
}
