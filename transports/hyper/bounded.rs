//! Connections that do not read for longer than a call can wait.
//!
//! hyper reads on when a call has timed out, as long as the server sends a head or a chunk size
//! that does not end.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::time::Instant;
use tower_service::Service;

use crate::transports::options::timed_out;

/// Bounds the connections of `C`.
#[derive(Clone)]
pub(super) struct Bounded<C> {
    pub(super) connector: C,
    /// From the last byte of a request to the last one of its response. A call starts earlier, so
    /// none that still waits is cut off if this is its timeout.
    pub(super) limit: Duration,
}

impl<C> Service<Uri> for Bounded<C>
where
    C: Service<Uri, Future: Send + 'static>,
{
    type Response = BoundedStream<C::Response>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let limit = self.limit;
        let connecting = self.connector.call(destination);
        Box::pin(async move {
            let stream = connecting.await?;
            Ok(BoundedStream { stream, limit, written_at: Instant::now() })
        })
    }
}

pub(super) struct BoundedStream<S> {
    stream: S,
    limit: Duration,
    written_at: Instant,
}

impl<S: Connection> Connection for BoundedStream<S> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl<S: Read + Unpin> Read for BoundedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.written_at.elapsed() <= self.limit {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        // An idle connection may wait for longer, and then end: only bytes are an error.
        let mut byte = [0];
        let mut read = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut self.stream).poll_read(context, read.unfilled()))?;
        Poll::Ready(if read.filled().is_empty() { Ok(()) } else { Err(timed_out(self.limit)) })
    }
}

impl<S: Write + Unpin> Write for BoundedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written_at = Instant::now();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.written_at = Instant::now();
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::advance;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn connection() -> (BoundedStream<TokioIo<DuplexStream>>, DuplexStream) {
        let (client, server) = duplex(64);
        let written_at = Instant::now();
        (BoundedStream { stream: TokioIo::new(client), limit: LIMIT, written_at }, server)
    }

    async fn read(connection: &mut BoundedStream<TokioIo<DuplexStream>>) -> io::Result<Vec<u8>> {
        let mut bytes = [0; 8];
        let mut buffer = ReadBuf::new(&mut bytes);
        poll_fn(|context| Pin::new(&mut *connection).poll_read(context, buffer.unfilled())).await?;
        Ok(buffer.filled().to_vec())
    }

    #[tokio::test(start_paused = true)]
    async fn reading_ends_at_the_limit_after_the_last_write() {
        let (mut connection, mut server) = connection();
        advance(LIMIT).await;
        server.write_all(b"in time").await.unwrap();
        assert_eq!(read(&mut connection).await.unwrap(), b"in time");
        advance(Duration::from_millis(1)).await;
        server.write_all(b"late").await.unwrap();
        let error = read(&mut connection).await.unwrap_err();
        assert_eq!(
            (error.kind(), &*error.to_string()),
            (io::ErrorKind::TimedOut, "timed out after 60s")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn idle_connections_may_be_older_than_the_limit() {
        let (mut connection, mut server) = connection();
        advance(2 * LIMIT).await;
        let waiting = poll_fn(|context| {
            let mut byte = [0];
            let mut buffer = ReadBuf::new(&mut byte);
            Poll::Ready(
                Pin::new(&mut connection).poll_read(context, buffer.unfilled()).is_pending(),
            )
        });
        assert!(waiting.await);
        poll_fn(|context| Pin::new(&mut connection).poll_write(context, b"request")).await.unwrap();
        server.read_exact(&mut [0; 7]).await.unwrap();
        server.write_all(b"reply").await.unwrap();
        assert_eq!(read(&mut connection).await.unwrap(), b"reply");
        advance(2 * LIMIT).await;
        drop(server);
        assert_eq!(read(&mut connection).await.unwrap(), b"");
    }
}
