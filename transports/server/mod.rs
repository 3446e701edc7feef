//! Serves a request handler or the emulator on a socket, for clients in any language.

mod body_memory;
mod connections;
mod exchange;
mod faulty;
mod handler;
mod options;
mod write_timeout;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::{fmt, io};

use bytes::Bytes;
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use crate::emulator::{Emulator, FaultyNetwork};
use connections::Stop;

pub use options::ServerOptions;

/// The maximum size of a request body, in bytes: 16 MiB. A larger one gets 413 and does not reach
/// the handler.
///
/// 500 vectors of 1,024 components, written with 17 digits each, have 11 MB.
pub const MAX_REQUEST_BODY: usize = 16 * 1024 * 1024;

/// An HTTP/1.1 server on its own thread, so that it serves blocking and asynchronous clients alike.
///
/// The handler gets one request at a time. Its response is sent unchanged: the server adds the
/// framing, but not even a `date`. If the handler panics, the client gets 500 and the server
/// continues. Request heads are limited to 32 KiB, bodies to [`MAX_REQUEST_BODY`].
/// [`ServerOptions`] limits the number of clients and their timeouts.
///
/// Dropping the server stops it at once, even during requests. [`shutdown`](Self::shutdown) lets
/// them finish.
///
/// ```
/// use std::net::Ipv4Addr;
/// # use oss_delete_vectors::transports::Server;
///
/// let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), |request| {
///     http::Response::new(request.into_body())
/// })?;
/// println!("{}", server.url());
/// server.shutdown();
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Server {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<Stop>>,
    #[expect(clippy::disallowed_types, reason = "the server runs on its own thread")]
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Binds `addr` and serves `handler`. Port 0 picks a free port; see [`addr`](Self::addr).
    ///
    /// # Errors
    ///
    /// The error of the operating system, if the address cannot be bound or the thread not started.
    pub fn start<H>(addr: SocketAddr, handler: H) -> io::Result<Self>
    where
        H: FnMut(Request<Bytes>) -> Response<Bytes> + Send + 'static,
    {
        ServerOptions::new().start(addr, handler)
    }

    /// Serves `emulator` with the system's time. The emulator can be changed and inspected in the
    /// meantime.
    ///
    /// # Errors
    ///
    /// Same as [`start`](Self::start).
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use std::sync::{Arc, Mutex};
    /// use oss_delete_vectors::emulator::Emulator;
    /// # use oss_delete_vectors::transports::Server;
    ///
    /// let emulator = Arc::new(Mutex::new(Emulator::new("cn-hangzhou", "1234567890123456")));
    /// let addr = (Ipv4Addr::LOCALHOST, 0).into();
    /// let server = Server::start_emulator(addr, Arc::clone(&emulator))?;
    /// assert_eq!(emulator.lock().unwrap().requests(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start_emulator(addr: SocketAddr, emulator: Arc<Mutex<Emulator>>) -> io::Result<Self> {
        ServerOptions::new().start_emulator(addr, emulator)
    }

    /// Serves `emulator` behind `network`, which delays requests and responses and injects its
    /// faults. Its virtual time is the time since this call. Both can be changed and inspected in
    /// the meantime. To lock both, lock the network first.
    ///
    /// Do not share the network with another server, because the request ids would clash. A
    /// response goes to its client, unless that has disconnected or already got one. A failure
    /// closes the connection without a response. If there is neither, the connection stays open
    /// until the client disconnects or the server stops. Anything still in transit then is lost.
    ///
    /// One fault differs from a real network. A refused connection is accepted here, and closed
    /// once the request is read, so that a client must assume that the request may have arrived.
    ///
    /// # Errors
    ///
    /// Same as [`start`](Self::start).
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use std::sync::{Arc, Mutex};
    /// use oss_delete_vectors::emulator::{Emulator, Fault, FaultyNetwork};
    /// # use oss_delete_vectors::transports::Server;
    ///
    /// let emulator = Arc::new(Mutex::new(Emulator::new("cn-hangzhou", "1234567890123456")));
    /// let network = FaultyNetwork::new(7, "lost-response=0.05,throttle=0.2".parse()?);
    /// let network = Arc::new(Mutex::new(network));
    /// let addr = (Ipv4Addr::LOCALHOST, 0).into();
    /// let server = Server::start_faulty(addr, emulator, Arc::clone(&network))?;
    /// assert_eq!(network.lock().unwrap().injected(Fault::LostResponse), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_faulty(
        addr: SocketAddr,
        emulator: Arc<Mutex<Emulator>>,
        network: Arc<Mutex<FaultyNetwork<u64>>>,
    ) -> io::Result<Self> {
        ServerOptions::new().start_faulty(addr, emulator, network)
    }

    /// Serves on a new thread. `make_service` runs there and returns the service, which maps
    /// requests to responses. `None` closes the connection.
    #[expect(
        clippy::disallowed_methods,
        clippy::disallowed_types,
        reason = "the server has a socket and a thread"
    )]
    fn spawn<S>(
        addr: SocketAddr,
        options: &ServerOptions,
        make_service: impl FnOnce() -> S + Send + 'static,
    ) -> io::Result<Self>
    where
        S: AsyncFn(Request<Bytes>) -> Option<Response<Bytes>> + 'static,
    {
        let listener = std::net::TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let options = options.clone();
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        // The runtime is created on its thread. If the start fails, an asynchronous caller would
        // drop it inside its own runtime, which panics.
        let thread =
            std::thread::Builder::new().name(format!("serve {addr}")).spawn(move || {
                let runtime =
                    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                        Ok(runtime) => runtime,
                        Err(error) => return drop(ready.send(Err(error))),
                    };
                LocalSet::new().block_on(&runtime, async {
                    match TcpListener::from_std(listener) {
                        Ok(listener) => {
                            drop(ready.send(Ok(())));
                            connections::serve(listener, options, make_service(), stopped).await;
                        }
                        Err(error) => drop(ready.send(Err(error))),
                    }
                });
            })?;
        started.recv().map_err(io::Error::other)??;
        Ok(Self { addr, stop: Some(stop), thread: Some(thread) })
    }

    /// The address, with the actual port.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://` and the address, to use as an endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops accepting connections, waits up to 5 seconds for requests to finish, and closes the
    /// rest.
    ///
    /// Blocks the current thread. Idle connections are closed at once.
    pub fn shutdown(mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that the server has already stopped.
            let _ = stop.send(Stop);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The panic of a thread is printed by the thread itself.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addr", &self.addr).finish_non_exhaustive()
    }
}
