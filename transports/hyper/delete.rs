use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::future::Either;
use http::Response;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::JoinHandle;

use super::HyperTransport;
use crate::bulk::{BulkOptions, Report, Transmit};
use crate::transports::client::{InSpan, new_bulk};
use crate::transports::{Run, RunError, stream_iter};
use crate::{Credentials, Target, TransportError};

impl HyperTransport {
    /// Deletes any number of keys. On a runtime with several threads each request has a task of its
    /// own, so that all threads are used. Dropped in the middle it begins no request, and drops
    /// those in flight.
    ///
    #[doc = include_str!("../delete.md")]
    ///
    /// For keys that come as a stream, see [`delete_stream`](Self::delete_stream).
    ///
    /// # Errors
    ///
    /// [`RunError`]: why the run stopped before its end, with its report.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send), and with the panic of the iterator.
    ///
    /// ```
    /// use oss_delete_vectors::bulk::BulkOptions;
    /// use oss_delete_vectors::transports::{HyperTransport, TransportOptions};
    /// # use oss_delete_vectors::{Credentials, Target};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # #[cfg(feature = "serve")] {
    /// # use std::net::Ipv4Addr;
    /// # use std::sync::{Arc, Mutex};
    /// # use oss_delete_vectors::emulator::Emulator;
    /// # use oss_delete_vectors::transports::Server;
    /// # let index = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
    /// #     .bucket("examplebucket").index_name("vectorindex1");
    /// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
    /// # let target = index.clone().build()?;
    /// # let emulator = Emulator::with_vectors(&target, credentials.clone(), ["doc-1"])?;
    /// # let emulator = Arc::new(Mutex::new(emulator));
    /// # let server = Server::start_emulator((Ipv4Addr::LOCALHOST, 0).into(), emulator)?;
    /// # let target = index.endpoint(server.url().parse()?).build()?;
    ///
    /// let keys = (0..1234).map(|number| format!("doc-{number}"));
    /// let transport = HyperTransport::new(&TransportOptions::new());
    /// let report = transport.delete(&target, credentials, keys, BulkOptions::new()).await?;
    /// assert!(report.is_all_deleted());
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn delete<K>(
        &self,
        target: &Target,
        credentials: Credentials,
        keys: K,
        options: BulkOptions,
    ) -> Result<Report, RunError>
    where
        K: IntoIterator<Item: AsRef<str>>,
    {
        self.delete_stream(target, credentials, stream_iter(keys), options).await
    }

    /// Deletes the keys of a stream, which may pause. Otherwise the same as
    /// [`delete`](Self::delete).
    ///
    /// # Errors
    ///
    /// As [`delete`](Self::delete).
    ///
    /// # Panics
    ///
    /// As [`delete`](Self::delete).
    pub async fn delete_stream<S>(
        &self,
        target: &Target,
        credentials: Credentials,
        keys: S,
        options: BulkOptions,
    ) -> Result<Report, RunError>
    where
        S: Stream<Item: AsRef<str>>,
    {
        let mut bulk = new_bulk(target, credentials, options)?;
        let send = |transmit| self.send_transmit(transmit);
        Run::new(&mut bulk).run_transmits(keys, send, tokio::time::sleep).await
    }
}

impl HyperTransport {
    /// Builds and sends a request. On a runtime with several threads it has a task of its own, so
    /// that all threads hash and sign. On one thread that would only be a detour.
    pub(in crate::transports) fn send_transmit(
        &self,
        transmit: Transmit,
    ) -> impl Future<Output = Result<Response<Bytes>, TransportError>> + use<> {
        let (span, transport) = (transmit.span.clone(), self.clone());
        let send = async move { transport.send(transmit.to_request()).await };
        match Handle::current().runtime_flavor() {
            RuntimeFlavor::CurrentThread => Either::Left(send),
            _ => Either::Right(Spawned::new(InSpan::new(span, send))),
        }
    }
}

/// A request in a task of its own. Dropped with the run.
struct Spawned(JoinHandle<Result<Response<Bytes>, TransportError>>);

impl Spawned {
    fn new<F>(response: F) -> Self
    where
        F: Future<Output = Result<Response<Bytes>, TransportError>> + Send + 'static,
    {
        Self(tokio::spawn(response))
    }
}

impl Future for Spawned {
    type Output = Result<Response<Bytes>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|ended| match ended {
            Ok(response) => response,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Err(TransportError::may_have_arrived("the runtime shut down")),
            },
        })
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        self.0.abort();
    }
}
