use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Response};

use super::ClientBuilder;
use super::driver::Driver;
use super::reading::Reading;
use super::shared::{Handle, Slot};
use crate::bulk::Transmit;
use crate::calls::{Call, DeleteError, Metrics};
use crate::transports::client::asynchronous::Timer;
use crate::transports::client::credentials::AsyncProvider;
use crate::{Credentials, InvalidValue, Target, TransportError};

/// Deletes vectors from one index, for any number of tasks at once.
///
/// Make one per index, keep it, and clone it: clones share everything. Calls that wait are merged
/// into requests of up to 500 keys, and each call gets its own result. All calls share one pace,
/// one set of retries, one clock and one set of credentials. A call is sent at once if nothing else
/// waits.
///
/// ```
/// use oss_delete_vectors::{Client, Credentials, Target};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # #[cfg(all(feature = "hyper", feature = "serve"))] {
/// # use std::net::Ipv4Addr;
/// # use std::sync::{Arc, Mutex};
/// # use oss_delete_vectors::emulator::Emulator;
/// # use oss_delete_vectors::transports::Server;
/// # let index = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("vectorindex1");
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// # let emulator = Emulator::with_vectors(&index.clone().build()?, credentials.clone(), ["doc-1#0", "doc-1#1"])?;
/// # let server = Server::start_emulator((Ipv4Addr::LOCALHOST, 0).into(), Arc::new(Mutex::new(emulator)))?;
/// # let target = index.endpoint(server.url().parse()?).build()?;
///
/// let client = Client::new(&target, credentials)?;
/// match client.delete(["doc-1#0", "doc-1#1"]).await {
///     Ok(()) => println!("all of them are gone"),
///     Err(error) => {
///         for key in error.not_deleted() {
///             println!("{}: {}", key.key, key.outcome);
///         }
///     }
/// }
/// client.close().await;
/// # }
/// # Ok(())
/// # }
/// ```
///
/// # Cancelling a call
///
/// What happens if you drop the future of a call:
///
/// - before its first poll: nothing is sent;
/// - while it waits for room, because too many keys wait already
///   ([`most_waiting_keys`](ClientBuilder::most_waiting_keys)): nothing is sent;
/// - later: **its keys are still deleted**, and only the result is lost. A document whose user
///   closes the page is not left half deleted.
///
/// To learn which keys are gone after some time, use [`delete_within`](Self::delete_within) instead
/// of a timeout of the runtime.
///
/// # Stops
///
/// No permission, no such index, rejected credentials or an outage of a minute stop deleting. A
/// stop fails the calls that wait, with the reason, but not the client. The next call tries again,
/// at the pace that was found before.
///
/// # The end
///
/// [`close`](Self::close) takes no more calls and waits for those that were begun. Dropping the
/// last handle does the same without waiting. If the runtime shuts down or the driver is dropped,
/// the calls that wait end with [`Closed`](crate::calls::DeleteErrorKind::Closed), and so does
/// every call in a fork of the process. A panic of the transport is a failure of its request, which
/// is sent again.
#[derive(Clone)]
pub struct Client {
    handle: Handle,
    timeout: Option<Duration>,
}

impl Client {
    /// A client over its own [`HyperTransport`](crate::transports::HyperTransport), with the
    /// default options. Call it inside a tokio runtime, which runs the driver of the client as a
    /// task.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with the field `runtime` outside of a tokio runtime.
    #[cfg(feature = "hyper")]
    pub fn new(target: &Target, credentials: Credentials) -> Result<Self, InvalidValue> {
        Self::builder(target, credentials).build()
    }

    /// For other options, a credentials provider, another transport or another runtime.
    pub fn builder(target: &Target, credentials: Credentials) -> ClientBuilder<Self> {
        ClientBuilder::new(target, credentials)
    }

    /// Deletes `keys`, any number of them. They are copied at once; the call begins at the first
    /// poll. See [cancelling a call](#cancelling-a-call) for a future that is dropped.
    ///
    /// `Ok`: all of them are gone.
    ///
    /// # Errors
    ///
    /// [`DeleteError`]: the keys that are not gone, and why. If a key is invalid, nothing is sent.
    pub fn delete<I>(&self, keys: I) -> Deleting
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.begin(Call::new(keys))
    }

    /// The same as [`delete`](Self::delete), with a timeout for this call. The error then has the
    /// keys without an outcome: those *not attempted* will not be sent, those *unconfirmed* may be
    /// gone, or may still be deleted.
    ///
    /// # Errors
    ///
    /// As [`delete`](Self::delete).
    pub fn delete_within<I>(&self, timeout: Duration, keys: I) -> Deleting
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.begin(Call::new(keys).map(|call| call.timeout(timeout)))
    }

    /// Deletes the keys of a stream, and returns how many there were. At most 16,000 keys are taken
    /// ahead of their outcomes.
    ///
    /// Keys that fail do not end it, unless they are 10,000 or more. An invalid key ends it, and a
    /// stop, a timeout or the end of the client: then no more keys are taken from the stream, and
    /// those that were taken have their outcome.
    ///
    /// If its future is dropped, no more keys are taken; those that were taken are still deleted.
    ///
    /// # Errors
    ///
    /// [`DeleteError`]: as [`delete`](Self::delete); [`total`](DeleteError::total) is the number of
    /// keys that were taken.
    pub async fn delete_stream<S>(&self, keys: S) -> Result<u64, DeleteError>
    where
        S: Stream<Item: AsRef<str>>,
    {
        let mut keys = std::pin::pin!(keys);
        let mut reading = Reading::new(self);
        poll_fn(|context| reading.poll(keys.as_mut(), context)).await
    }

    pub(super) fn begin(&self, call: Result<Call, InvalidValue>) -> Deleting {
        let step = match call {
            Ok(call) => Step::New(call.default_timeout(self.timeout)),
            Err(invalid) => Step::Failed(invalid.into()),
        };
        Deleting { handle: self.handle.clone(), step }
    }

    /// The current state, and counters since the client was made. Cheap: call it at any interval.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.handle.metrics()
    }

    /// Takes no more calls, of any clone, and waits for the results of those that were begun. If
    /// its future is dropped after its first poll, such as by a timeout, the client stays closed.
    pub async fn close(&self) {
        self.handle.close();
        poll_fn(|context| self.handle.poll_end(context.waker())).await;
    }

    /// As in the child of a fork.
    #[cfg(test)]
    fn fork(&self) {
        self.handle.fork();
    }
}

impl<P> ClientBuilder<Client, P> {
    /// A client over its own transport, on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the option that is out of its range, or the field `runtime` outside
    /// of a tokio runtime.
    #[cfg(feature = "hyper")]
    pub fn build(self) -> Result<Client, InvalidValue>
    where
        P: AsyncProvider<Future: Send> + Send + 'static,
    {
        use crate::transports::{HyperTransport, TransportOptions};
        self.build_over(HyperTransport::new(&TransportOptions::new()))
    }

    /// The same as [`build`](Self::build), over a transport with other timeouts, roots or a proxy.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    #[cfg(feature = "hyper")]
    pub fn build_over(
        self,
        transport: crate::transports::HyperTransport,
    ) -> Result<Client, InvalidValue>
    where
        P: AsyncProvider<Future: Send> + Send + 'static,
    {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| {
            InvalidValue::without_value("runtime", "must be a tokio runtime that this is called in")
        })?;
        let send = move |transmit| transport.send_transmit(transmit);
        let (client, driver) = self.with_transmits(send, tokio::time::sleep)?;
        runtime.spawn(driver);
        Ok(client)
    }

    /// A client over any transport, on any runtime, and its driver: a future to spawn, or to await
    /// beside the calls. It sends the requests, waits for the responses, and gives every call its
    /// result. It is `Send` if the transport, the timer and the provider are.
    ///
    /// The driver ends when the client is closed, or its last handle is dropped, and all calls that
    /// were begun have their results. If the driver is dropped before, the requests in flight are
    /// dropped, and the calls that wait end with [`Closed`](crate::calls::DeleteErrorKind::Closed).
    ///
    /// `send` carries a request and returns its response, as in
    /// [`Run::run_async`](crate::transports::Run#method.run_async); `timer` is a function that
    /// sleeps, or a [`Timer`].
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the option that is out of its range.
    ///
    /// ```
    /// use oss_delete_vectors::{Client, Credentials, Deleted, Target, TransportError};
    ///
    /// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("vectorindex1").build()?;
    /// // In place of a transport. It reports every key as deleted.
    /// let send = async |_request| Ok::<_, TransportError>(Deleted::new("some id").to_response());
    /// let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
    /// let (client, driver) =
    ///     Client::builder(&target, credentials).with_transport(send, async_io::Timer::after)?;
    /// let app = async move { client.delete(["doc-1", "doc-2"]).await };
    /// let ((), result) = async_io::block_on(futures_lite::future::zip(driver, app));
    /// assert_eq!(result, Ok(()));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_transport<F, Fut, X, T>(
        self,
        send: F,
        timer: T,
    ) -> Result<(Client, impl Future<Output = ()> + Unpin), InvalidValue>
    where
        P: AsyncProvider,
        F: Fn(Request<Bytes>) -> Fut,
        Fut: Future<Output = Result<Response<Bytes>, X>>,
        X: Into<TransportError>,
        T: Timer,
    {
        self.with_transmits(move |transmit: Transmit| send(transmit.to_request()), timer)
    }

    /// Over a `send` that builds the request itself.
    fn with_transmits<F, Fut, X, T>(
        self,
        send: F,
        timer: T,
    ) -> Result<(Client, impl Future<Output = ()> + Unpin), InvalidValue>
    where
        P: AsyncProvider,
        F: Fn(Transmit) -> Fut,
        Fut: Future<Output = Result<Response<Bytes>, X>>,
        X: Into<TransportError>,
        T: Timer,
    {
        let timeout = self.timeout;
        let (handle, steps, provider) = self.start()?;
        Ok((Client { handle, timeout }, Driver::new(steps, provider, send, timer)))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// A call of a [`Client`]: a future of its result. It borrows nothing, so that it can be spawned.
#[must_use = "nothing is deleted until it is awaited"]
pub struct Deleting {
    handle: Handle,
    step: Step,
}

enum Step {
    New(Call),
    Failed(DeleteError),
    Waiting(Arc<Slot>),
    Ended,
}

impl Future for Deleting {
    type Output = Result<(), DeleteError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let slot = match std::mem::replace(&mut self.step, Step::Ended) {
            Step::New(call) => match self.handle.begin(call) {
                Ok(slot) => slot,
                Err(closed) => return Poll::Ready(Err(closed)),
            },
            Step::Waiting(slot) => slot,
            Step::Failed(error) => return Poll::Ready(Err(error)),
            Step::Ended => panic!("polled after its end"),
        };
        let result = slot.poll(context.waker());
        if result.is_pending() {
            self.step = Step::Waiting(slot);
        }
        result
    }
}

impl Drop for Deleting {
    fn drop(&mut self) {
        if let Step::Waiting(slot) = std::mem::replace(&mut self.step, Step::Ended) {
            self.handle.abandon(slot);
        }
    }
}

impl fmt::Debug for Deleting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deleting").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Waker;

    use super::*;
    use crate::Deleted;
    use crate::calls::DeleteErrorKind;

    #[test]
    fn a_fork_has_no_driver() {
        let target = Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name("i");
        let credentials = Credentials::new("id", "yourAccessKeySecretForTests0001").unwrap();
        let send = async |_request| Ok::<_, TransportError>(Deleted::new("some id").to_response());
        let builder = Client::builder(&target.build().unwrap(), credentials);
        let (client, _driver) = builder.with_transport(send, async_io::Timer::after).unwrap();
        client.fork();
        let context = &mut Context::from_waker(Waker::noop());
        let Poll::Ready(Err(error)) = pin!(client.delete(["doc-1"])).poll(context) else {
            panic!("it waits for a driver that is not there")
        };
        assert_eq!(*error.kind(), DeleteErrorKind::Closed);
        assert_eq!(
            error.to_string(),
            "the client is closed (1 of 1 keys not deleted: 1 not attempted)"
        );
        assert!(pin!(client.close()).poll(context).is_ready());
        assert_eq!(client.clone().metrics(), Metrics::default());
    }
}
