//! Connections: accepted, served, and ended.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use std::{future, task};

use bytes::Bytes;
use http::{Request, Response};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

use super::ServerOptions;
use super::body_memory::BodyMemory;
use super::exchange::exchange;
use super::patience::Patience;

/// The head of a request: a presigned URI with a long security token takes a few KiB.
const MAX_HEAD: usize = 32 * 1024;

/// What is read of a request at once, and answers that are not taken: more than a head, and no more than there is a use for.
const MAX_BUFFER: usize = 64 * 1024;

/// How long requests under way may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// How the server is to end. A sender dropped without a word means at once.
pub(super) struct Stop;

/// Accepts until told to stop. Connections are tasks of the surrounding `LocalSet` and end with it.
pub(super) async fn serve<A>(listener: TcpListener, options: ServerOptions, answering: A, stopped: oneshot::Receiver<Stop>)
where
    A: AsyncFn(Request<Bytes>) -> Option<Response<Bytes>> + 'static,
{
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(options.client_timeout).auto_date_header(false);
    builder.max_header_size(MAX_HEAD).max_buf_size(MAX_BUFFER);
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(options.max_connections.min(Semaphore::MAX_PERMITS)));
    let time = options.client_timeout;
    let shared = Rc::new((answering, BodyMemory::new(options.max_body_memory)));

    let accepting = async {
        loop {
            let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes it");
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors, most likely: wait for some connection to end rather than spin.
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            // Answers are small and written whole; without it they may wait for an acknowledgement.
            let _ = stream.set_nodelay(true);
            let shared = Rc::clone(&shared);
            let service = service_fn(move |request| {
                let shared = Rc::clone(&shared);
                async move { exchange(request, &shared.0, time, &shared.1).await }
            });
            let stream = TokioIo::new(Patience::new(stream, time));
            let connection = connections.watch(builder.serve_connection(stream, service));
            // An error here is the client's, what it sent is no HTTP, or it went away; or a cut that was asked for.
            tokio::task::spawn_local(async {
                let _ = connection.await;
                drop(place);
            });
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
