//! A handler of requests, or the emulator, on a socket: how it meets clients in any language.

mod body_memory;
mod connections;
mod exchange;
mod faulty;
mod handler;
mod options;
mod patience;

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

/// The largest body of a request that reaches the handler, in bytes: 4 MiB. A larger one gets 413.
///
/// 500 keys of 1,024 characters of four bytes each come to 2 MiB.
pub const MAX_REQUEST_BODY: usize = 4 * 1024 * 1024;

/// An HTTP/1.1 server on a thread of its own, so that it serves blocking and asynchronous clients alike.
///
/// A handler is called for one request at a time. Its answer goes out as it is; only the framing is added, no `date`
/// either. If it panics, the client gets 500 and the next request is served. Heads are limited to 32 KiB, bodies to
/// [`MAX_REQUEST_BODY`]; how long clients may take, and how many they may be, is a matter of [`ServerOptions`].
///
/// Dropping the server stops it at once, in the middle of requests; [`shutdown`](Self::shutdown) lets them end.
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
    #[expect(clippy::disallowed_types, reason = "the server runs on a thread of its own")]
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Binds `addr` and serves `handler` there; port 0 picks a free port, which [`addr`](Self::addr) tells.
    ///
    /// # Errors
    ///
    /// What the operating system says to binding the address, or to starting the thread.
    pub fn start<H>(addr: SocketAddr, handler: H) -> io::Result<Self>
    where
        H: FnMut(Request<Bytes>) -> Response<Bytes> + Send + 'static,
    {
        ServerOptions::new().start(addr, handler)
    }

    /// Serves `emulator` at the times of the machine's clocks; it stays within reach, to be set up and looked into.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use std::sync::{Arc, Mutex};
    /// use oss_delete_vectors::emulator::Emulator;
    /// # use oss_delete_vectors::transports::Server;
    ///
    /// let emulator = Arc::new(Mutex::new(Emulator::new("cn-hangzhou", "1234567890123456")));
    /// let server = Server::start_emulator((Ipv4Addr::LOCALHOST, 0).into(), Arc::clone(&emulator))?;
    /// assert_eq!(emulator.lock().unwrap().requests(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start_emulator(addr: SocketAddr, emulator: Arc<Mutex<Emulator>>) -> io::Result<Self> {
        ServerOptions::new().start_emulator(addr, emulator)
    }

    /// Serves `emulator` behind `network`, whose virtual time is the time since this call: it delays requests and answers, and
    /// does to them what its faults say. Both stay within reach; whoever locks both locks the network first.
    ///
    /// The network is this server's alone, for the server names the requests that it sends. An answer goes to its client,
    /// unless that has gone away or has been answered. A failure cuts the connection without an answer. Where nothing comes,
    /// the connection stays open until the client goes away or the server ends. What is under way by then goes nowhere.
    ///
    /// A real network can say one thing that this one cannot. A refused connection is here one that is closed once the request
    /// is read: a client must take it for a request that may have arrived.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use std::sync::{Arc, Mutex};
    /// use oss_delete_vectors::emulator::{Emulator, Fault, FaultyNetwork};
    /// # use oss_delete_vectors::transports::Server;
    ///
    /// let emulator = Arc::new(Mutex::new(Emulator::new("cn-hangzhou", "1234567890123456")));
    /// let network = Arc::new(Mutex::new(FaultyNetwork::new(7, "lost-answer=0.05,throttle=0.2".parse()?)));
    /// let server = Server::start_faulty((Ipv4Addr::LOCALHOST, 0).into(), emulator, Arc::clone(&network))?;
    /// assert_eq!(network.lock().unwrap().injected(Fault::LostAnswer), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_faulty(
        addr: SocketAddr,
        emulator: Arc<Mutex<Emulator>>,
        network: Arc<Mutex<FaultyNetwork<u64>>>,
    ) -> io::Result<Self> {
        ServerOptions::new().start_faulty(addr, emulator, network)
    }

    /// Serves from a new thread what `answering` makes there: it answers requests, or cuts their connections with `None`.
    #[expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a socket to serve on, and a thread to serve from")]
    fn spawn<A>(addr: SocketAddr, options: &ServerOptions, answering: impl FnOnce() -> A + Send + 'static) -> io::Result<Self>
    where
        A: AsyncFn(Request<Bytes>) -> Option<Response<Bytes>> + 'static,
    {
        let listener = std::net::TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let options = options.clone();
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        // The runtime is made on its thread, because one must not be dropped inside another, which
        // is where an asynchronous caller would drop it when the start fails.
        let thread = std::thread::Builder::new().name(format!("serve {addr}")).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(error))),
            };
            LocalSet::new().block_on(&runtime, async {
                match TcpListener::from_std(listener) {
                    Ok(listener) => {
                        drop(ready.send(Ok(())));
                        connections::serve(listener, options, answering(), stopped).await;
                    }
                    Err(error) => drop(ready.send(Err(error))),
                }
            });
        })?;
        started.recv().map_err(io::Error::other)??;
        Ok(Self { addr, stop: Some(stop), thread: Some(thread) })
    }

    /// The address served, with the port that was picked.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://` and the address: an endpoint for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops accepting, lets requests under way end for up to 5 seconds, and cuts what is left.
    ///
    /// Blocks the thread meanwhile; idle connections are closed without waiting.
    pub fn shutdown(mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that the server has ended already.
            let _ = stop.send(Stop);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the serving thread was printed where it happened; a destructor has no better place for it.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addr", &self.addr).finish_non_exhaustive()
    }
}
