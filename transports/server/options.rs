//! Limits of a server.

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

/// Limits of a [`Server`]: the number of clients, their timeouts, and their memory.
///
/// ```
/// use std::net::Ipv4Addr;
/// use std::time::Duration;
/// # use oss_delete_vectors::transports::ServerOptions;
///
/// let options = ServerOptions::new().client_timeout(Duration::from_secs(2)).max_connections(100);
/// let server = options.start((Ipv4Addr::LOCALHOST, 0).into(), |request| {
///     http::Response::new(request.into_body())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ServerOptions {
    pub(super) client_timeout: Duration,
    pub(super) max_connections: usize,
    pub(super) max_body_memory: usize,
}

impl ServerOptions {
    /// The default limits; see each setting.
    #[must_use]
    pub fn new() -> Self {
        Self {
            client_timeout: Duration::from_secs(30),
            max_connections: 10_240,
            max_body_memory: 256 * 1024 * 1024,
        }
    }

    /// The maximum time to receive the head of a request, to receive its body, and to send any part
    /// of a response. Each has this limit; then the connection is closed. It also limits how long a
    /// connection may be idle, so set it longer than clients keep idle connections. Default: 30
    /// seconds. At most one day.
    #[must_use]
    pub fn client_timeout(self, limit: Duration) -> Self {
        Self { client_timeout: limit.min(MAX_TIMEOUT), ..self }
    }

    /// The maximum number of open connections. Further clients wait until one is closed. Each
    /// connection buffers up to 64 KiB, in addition to the body of its request. Default: 10,240. At
    /// least 1.
    #[must_use]
    pub fn max_connections(self, limit: usize) -> Self {
        Self { max_connections: limit.max(1), ..self }
    }

    /// The maximum size of the bodies of all open requests together, in bytes. A request that would
    /// exceed it gets 503. Default: 256 MiB.
    #[must_use]
    pub fn max_body_memory(self, limit: usize) -> Self {
        Self { max_body_memory: limit, ..self }
    }

    /// Same as [`Server::start`], with these limits.
    ///
    /// # Errors
    ///
    /// Same as [`Server::start`].
    pub fn start<H>(&self, addr: SocketAddr, handler: H) -> io::Result<Server>
    where
        H: FnMut(Request<Bytes>) -> Response<Bytes> + Send + 'static,
    {
        Server::spawn(addr, self, || handler::service(handler))
    }

    /// Same as [`Server::start_emulator`], with these limits.
    ///
    /// # Errors
    ///
    /// Same as [`Server::start`].
    pub fn start_emulator(
        &self,
        addr: SocketAddr,
        emulator: Arc<Mutex<Emulator>>,
    ) -> io::Result<Server> {
        let clock = Clock::start();
        self.start(addr, move |request| {
            // A poisoned lock is harmless: the emulator makes all checks before it changes
            // anything.
            emulator.lock().unwrap_or_else(PoisonError::into_inner).handle(clock.now(), &request)
        })
    }

    /// Same as [`Server::start_faulty`], with these limits.
    ///
    /// # Errors
    ///
    /// Same as [`Server::start`].
    pub fn start_faulty(
        &self,
        addr: SocketAddr,
        emulator: Arc<Mutex<Emulator>>,
        network: Arc<Mutex<FaultyNetwork<u64>>>,
    ) -> io::Result<Server> {
        let clock = Clock::start();
        Server::spawn(addr, self, move || faulty::service(clock, emulator, network))
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self::new()
    }
}
