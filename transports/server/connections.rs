//! Accepts, serves and closes connections.

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
use super::write_timeout::WriteTimeout;

/// The maximum head of a request. A presigned URI with a long security token takes a few KiB.
const MAX_HEAD: usize = 32 * 1024;

/// The maximum buffer of a connection, each for reading and for unsent responses. Must hold a head.
const MAX_BUFFER: usize = 64 * 1024;

/// How long a shutdown waits for requests to finish.
const GRACE: Duration = Duration::from_secs(5);

/// Asks for a graceful shutdown. Dropping the sender instead stops the server at once.
pub(super) struct Stop;

/// Serves until `stopped` resolves. Connections are tasks of the surrounding `LocalSet`, and end
/// with it.
pub(super) async fn serve<S>(
    listener: TcpListener,
    options: ServerOptions,
    service: S,
    stopped: oneshot::Receiver<Stop>,
) where
    S: AsyncFn(Request<Bytes>) -> Option<Response<Bytes>> + 'static,
{
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(options.client_timeout)
        .auto_date_header(false);
    builder.max_header_size(MAX_HEAD).max_buf_size(MAX_BUFFER);
    let connections = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(options.max_connections.min(Semaphore::MAX_PERMITS)));
    let time_limit = options.client_timeout;
    let shared = Rc::new((service, BodyMemory::new(options.max_body_memory)));

    let accepting = async {
        loop {
            let permit =
                Arc::clone(&permits).acquire_owned().await.expect("the semaphore stays open");
            let Ok((stream, _)) = listener.accept().await else {
                // Most likely out of file descriptors: wait for a connection to end instead of
                // spinning.
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            // Responses are small and written at once. With Nagle's algorithm they could be
            // delayed.
            let _ = stream.set_nodelay(true);
            let shared = Rc::clone(&shared);
            let service = service_fn(move |request| {
                let shared = Rc::clone(&shared);
                async move { exchange(request, &shared.0, time_limit, &shared.1).await }
            });
            let stream = TokioIo::new(WriteTimeout::new(stream, time_limit));
            let connection = connections.watch(builder.serve_connection(stream, service));
            // Errors are expected: malformed HTTP, a disconnected client, or a connection that we
            // close.
            tokio::task::spawn_local(async {
                let _ = connection.await;
                drop(permit);
            });
        }
    };

    if let Some(Ok(Stop)) = until(accepting, stopped).await {
        drop(listener);
        let _ = timeout(GRACE, connections.shutdown()).await;
    }
}

/// Runs `work` until `signal` resolves.
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
