//! A handler of requests, served on a socket: how the emulator meets clients in any language.

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use std::{fmt, future, io, task};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

use crate::Now;
use crate::emulator::Emulator;

/// The largest body of a request that reaches the handler, in bytes: 4 MiB. A larger one gets 413.
///
/// 500 keys of 1,024 characters of four bytes each come to 2 MiB.
pub const MAX_REQUEST_BODY: usize = 4 * 1024 * 1024;

/// The head of a request: a presigned URI with a long security token takes a few KiB.
const MAX_HEAD: usize = 32 * 1024;

/// For a request to arrive, its head and its body each. Also bounds how long a connection may idle, so it is longer
/// than clients keep idle connections.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How long `shutdown` waits for requests under way.
const GRACE: Duration = Duration::from_secs(5);

/// An HTTP/1.1 server on a thread of its own, so that it serves blocking and asynchronous clients alike.
///
/// The handler is called for one request at a time. Its answer goes out as it is; only the framing is added, no `date`
/// either. If it panics, the client gets 500 and the next request is served. Heads are limited to 32 KiB, bodies to
/// [`MAX_REQUEST_BODY`]; a request that takes over 30 seconds to arrive is dropped.
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

/// How the server is to end. A sender dropped without a word means at once.
struct Stop;

impl Server {
    /// Binds `addr` and serves `handler` there; port 0 picks a free port, which [`addr`](Self::addr) tells.
    ///
    /// # Errors
    ///
    /// What the operating system says to binding the address, or to starting the thread.
    #[expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a socket to serve on, and a thread to serve from")]
    pub fn start<H>(addr: SocketAddr, handler: H) -> io::Result<Self>
    where
        H: FnMut(Request<Bytes>) -> Response<Bytes> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
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
                        serve(listener, Rc::new(RefCell::new(handler)), stopped).await;
                    }
                    Err(error) => drop(ready.send(Err(error))),
                }
            });
        })?;
        started.recv().map_err(io::Error::other)??;
        Ok(Self { addr, stop: Some(stop), thread: Some(thread) })
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
    #[expect(clippy::disallowed_methods, reason = "an adapter reads the clocks, so that the emulator need not")]
    pub fn start_emulator(addr: SocketAddr, emulator: Arc<Mutex<Emulator>>) -> io::Result<Self> {
        let start = Instant::now();
        Self::start(addr, move |request| {
            let now = Now::new(start.elapsed(), SystemTime::now());
            // A panic while it was held left it between two requests at worst: it checks before it changes anything.
            emulator.lock().unwrap_or_else(PoisonError::into_inner).handle(now, &request)
        })
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

/// Accepts until told to stop. Connections are tasks of the surrounding `LocalSet` and end with it.
async fn serve<H>(listener: TcpListener, handler: Rc<RefCell<H>>, stopped: oneshot::Receiver<Stop>)
where
    H: FnMut(Request<Bytes>) -> Response<Bytes> + 'static,
{
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(READ_TIMEOUT).max_header_size(MAX_HEAD).auto_date_header(false);
    let connections = GracefulShutdown::new();

    let accepting = async {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors, most likely: wait for some connection to end rather than spin.
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            // Answers are small and written whole; without it they may wait for an acknowledgement.
            let _ = stream.set_nodelay(true);
            let handler = Rc::clone(&handler);
            let service = service_fn(move |request| answer(request, Rc::clone(&handler)));
            let connection = connections.watch(builder.serve_connection(TokioIo::new(stream), service));
            // An error here is the client's: what it sent is no HTTP, or it went away.
            tokio::task::spawn_local(async { drop(connection.await) });
        }
    };

    if let Some(Ok(Stop)) = until(accepting, stopped).await {
        drop(listener);
        let _ = timeout(GRACE, connections.shutdown()).await;
    }
}

/// Runs `work`, which has no end of its own, until `signal` comes.
async fn until<T>(work: impl Future<Output = ()>, signal: impl Future<Output = T>) -> Option<T> {
    let (mut work, mut signal) = (pin!(work), pin!(signal));
    future::poll_fn(|context| {
        if let task::Poll::Ready(outcome) = signal.as_mut().poll(context) {
            return task::Poll::Ready(Some(outcome));
        }
        work.as_mut().poll(context).map(|()| None)
    })
    .await
}

async fn answer<H>(request: Request<Incoming>, handler: Rc<RefCell<H>>) -> Result<Response<Full<Bytes>>, Infallible>
where
    H: FnMut(Request<Bytes>) -> Response<Bytes>,
{
    let (head, body) = request.into_parts();
    let announced = body.size_hint().lower();
    let body = if announced > MAX_REQUEST_BODY as u64 {
        Err(StatusCode::PAYLOAD_TOO_LARGE)
    } else {
        match timeout(READ_TIMEOUT, Limited::new(body, MAX_REQUEST_BODY).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
            Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
            Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        }
    };
    Ok(match body {
        // No `await` while the handler is borrowed, and the thread is the only one: it is never borrowed twice.
        Ok(body) => catch_unwind(AssertUnwindSafe(|| (handler.borrow_mut())(Request::from_parts(head, body))))
            .map_or_else(|_| bare(StatusCode::INTERNAL_SERVER_ERROR), |response| response.map(Full::new)),
        Err(status) => bare(status),
    })
}

/// An answer of the server's own. The connection ends with it, as part of the request may still be on the way.
fn bare(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
