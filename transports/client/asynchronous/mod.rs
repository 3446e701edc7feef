//! Runs a `BulkDelete` in one task, on any runtime and over any transport.

mod in_flight;
mod stream_iter;
mod timer;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Response};

pub(super) use self::in_flight::InFlight;
#[cfg(feature = "hyper")]
pub(in crate::transports) use self::in_flight::InSpan;
pub use self::stream_iter::{StreamIter, stream_iter};
pub(in crate::transports) use self::timer::Alarm;
pub use self::timer::Timer;
use super::steps::{Sender, handle_response};
use super::{AsyncProvider, Observer, Run, RunError, Steps};
use crate::bulk::{BulkDelete, Report, Transmit};
use crate::{KeyBatch, TransportError};

/// Keys that are taken from the source before requests have their turn: one batch.
const KEYS_IN_A_ROW: usize = KeyBatch::MAX_KEYS;

/// Rounds before other tasks of the runtime have their turn.
const ROUNDS_IN_A_ROW: usize = 32;

impl<O: Observer, P: AsyncProvider> Run<'_, O, P> {
    /// Deletes the keys of a stream until it ends. Spawns nothing: everything happens while the
    /// future is polled.
    ///
    /// `send` carries a request and returns its response, or an error that is a [`TransportError`]
    /// or converts to one, as [`TransportError`](crate::TransportError) does. It should end well
    /// before the [`response_timeout`](crate::bulk::BulkOptions::response_timeout). `timer` is a
    /// function that sleeps, such as `tokio::time::sleep`, or a [`Timer`]. For keys that are at
    /// hand there is [`stream_iter`].
    ///
    /// A request that got no response within the `response_timeout` is dropped, so that a `send`
    /// that hangs costs no memory.
    ///
    /// The future is `Send` if everything it is given is. It is **cancel-safe**: dropped in the
    /// middle it drops the requests in flight, and
    /// [`BulkDelete::abort`](crate::bulk::BulkDelete::abort) makes the report exact. Every key that
    /// was taken from the stream was pushed.
    ///
    /// # Errors
    ///
    /// [`RunError`]: why the run stopped before its end, with its report.
    ///
    /// ```
    /// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
    /// use oss_delete_vectors::transports::{Run, stream_iter};
    /// use oss_delete_vectors::{Credentials, Deleted, Target, TransportError};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
    ///     .bucket("examplebucket").index_name("vectorindex1").build()?;
    /// let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
    /// let mut bulk = BulkDelete::new(&target, credentials, BulkOptions::new())?;
    ///
    /// // A transport, such as `|request| transport.send(request)`; this one deletes everything.
    /// let send = async |_request| Ok::<_, TransportError>(Deleted::new("some id").to_response());
    /// let keys = stream_iter((0..1234).map(|number| format!("doc-{number}")));
    /// let report = Run::new(&mut bulk).run_async(keys, send, tokio::time::sleep).await?;
    /// assert_eq!((report.deleted, report.requests), (1234, 3));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run_async<S, F, Fut, X, T>(
        self,
        keys: S,
        send: F,
        timer: T,
    ) -> Result<Report, RunError>
    where
        S: Stream<Item: AsRef<str>>,
        F: Fn(Request<Bytes>) -> Fut,
        Fut: Future<Output = Result<Response<Bytes>, X>>,
        X: Into<TransportError>,
        T: Timer,
    {
        self.run_transmits(keys, |transmit| send(transmit.to_request()), timer).await
    }

    /// The same with a `send` that builds the request itself, in a task of its own for instance.
    pub(in crate::transports) async fn run_transmits<S, F, Fut, X, T>(
        self,
        keys: S,
        send: F,
        timer: T,
    ) -> Result<Report, RunError>
    where
        S: Stream<Item: AsRef<str>>,
        F: Fn(Transmit) -> Fut,
        Fut: Future<Output = Result<Response<Bytes>, X>>,
        X: Into<TransportError>,
        T: Timer,
    {
        let (steps, bulk, provider) = Steps::new(self);
        let mut keys = pin!(keys);
        let mut task = Task {
            steps,
            bulk,
            has_more_keys: true,
            requests: Requests { send, in_flight: InFlight::new() },
            alarm: Alarm::new(timer),
            provider,
            renewal: None,
        };
        poll_fn(|context| task.poll(keys.as_mut(), context)).await;
        task.steps.end(task.bulk)
    }
}

/// Everything but the source of keys, which is the only part that has to stay in place.
struct Task<'a, O, P: AsyncProvider, F, Fut, T: Timer> {
    steps: Steps<O>,
    bulk: &'a mut BulkDelete,
    has_more_keys: bool,
    requests: Requests<F, Fut>,
    alarm: Alarm<T>,
    provider: P,
    renewal: Option<Pin<Box<P::Future>>>,
}

/// What sends, and its requests in flight.
struct Requests<F, Fut> {
    send: F,
    in_flight: InFlight<Fut>,
}

impl<F: Fn(Transmit) -> Fut, Fut: Future> Sender for Requests<F, Fut> {
    fn is_ready(&mut self, _: usize) -> bool {
        true
    }

    fn send(&mut self, transmit: Transmit) {
        let (id, span) = (transmit.id, transmit.span.clone());
        let future = span.in_scope(|| (self.send)(transmit));
        self.in_flight.insert(id, span, future);
    }
}

impl<O, P, F, Fut, X, T> Task<'_, O, P, F, Fut, T>
where
    O: Observer,
    P: AsyncProvider,
    F: Fn(Transmit) -> Fut,
    Fut: Future<Output = Result<Response<Bytes>, X>>,
    X: Into<TransportError>,
    T: Timer,
{
    fn poll<S: Stream<Item: AsRef<str>>>(
        &mut self,
        mut keys: Pin<&mut S>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        for _ in 0..ROUNDS_IN_A_ROW {
            self.steps.obey(self.bulk, context.waker());
            let source_is_dry = self.take_keys(keys.as_mut(), context);
            self.drain();
            if self.bulk.is_finished() {
                return Poll::Ready(());
            }
            let now = self.alarm.now().monotonic;
            let has_input = self.steps.flush_in_pause(self.bulk, now, source_is_dry)
                | self.take_responses(context)
                | self.take_credentials(context)
                | self.take_time(context);
            if !has_input && (source_is_dry || !self.wants_keys()) {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn wants_keys(&self) -> bool {
        self.has_more_keys && self.bulk.can_push()
    }

    /// Pushes what the source has, up to a batch. Returns whether the source has nothing now, and
    /// may have later.
    fn take_keys<S: Stream<Item: AsRef<str>>>(
        &mut self,
        mut keys: Pin<&mut S>,
        context: &mut Context<'_>,
    ) -> bool {
        for _ in 0..KEYS_IN_A_ROW {
            if !self.wants_keys() {
                return false;
            }
            match keys.as_mut().poll_next(context) {
                Poll::Ready(Some(key)) => self.steps.push(self.bulk, key.as_ref()),
                Poll::Ready(None) => {
                    self.has_more_keys = false;
                    // A source that cannot go on stops the run before it ends. Then keys that wait
                    // are not sent.
                    self.steps.obey(self.bulk, context.waker());
                    self.bulk.finish();
                }
                Poll::Pending => return true,
            }
        }
        false
    }

    fn drain(&mut self) {
        let needs_credentials =
            self.steps.drain(self.bulk, || self.alarm.now(), &mut self.requests);
        if needs_credentials && self.renewal.is_none() {
            self.renewal = Some(Box::pin(self.provider.provide()));
        }
    }

    /// Takes responses, and drops requests that are no longer awaited: one whose `send` hangs would
    /// otherwise be held to the end of the run.
    fn take_responses(&mut self, context: &mut Context<'_>) -> bool {
        let Self { bulk, requests: Requests { in_flight, .. }, alarm, .. } = self;
        // Before the poll: the requests that are kept have to be polled again to register the
        // waker.
        if in_flight.len() > bulk.in_flight() {
            in_flight.retain(|id| bulk.is_in_flight(id));
        }
        let mut has_response = false;
        while let Poll::Ready(Some((id, response))) = in_flight.poll_next(context) {
            handle_response(bulk, alarm.now(), id, response.map_err(Into::into));
            has_response = true;
        }
        has_response
    }

    fn take_credentials(&mut self, context: &mut Context<'_>) -> bool {
        let Some(renewal) = &mut self.renewal else { return false };
        let Poll::Ready(credentials) = renewal.as_mut().poll(context) else { return false };
        self.renewal = None;
        let credentials = credentials.map_err(Into::into);
        self.steps.handle_credentials(self.bulk, self.alarm.now(), credentials);
        true
    }

    fn take_time(&mut self, context: &mut Context<'_>) -> bool {
        let now = self.alarm.now().monotonic;
        let is_due = self.alarm.poll(context, now, self.steps.longest_wait(self.bulk, now));
        if is_due {
            self.bulk.handle_timeout(self.alarm.now());
        }
        is_due
    }
}
