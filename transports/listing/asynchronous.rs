//! Lists keys in one task, on any runtime and over any transport.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream::FuturesUnordered;
use http::{Request, Response};

use crate::transports::client::{Alarm, Listener, Order};
use crate::transports::{AsyncProvider, NoProvider, StopHandle, Timer};
use crate::{KeyLister, ListError, ListEvent, ListTransmitId, TransportError};

/// The number of keys returned before responses are polled again.
const KEYS_IN_A_ROW: u32 = 250;

/// The longest wait, because timers overflow.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Lists the keys of `lister` in the task that polls the stream, over an asynchronous transport.
/// `timer` is a function that sleeps, such as `tokio::time::sleep`, or a [`Timer`].
///
/// The last item is an error if the listing stopped before its end: then keys are missing. A
/// [`Run`](crate::transports::Run) takes keys, not results: use [`Matching`](super::Matching) as
/// its source.
///
/// ```
/// use oss_delete_vectors::bulk::BulkOptions;
/// use oss_delete_vectors::transports::stream_keys;
/// use oss_delete_vectors::{Credentials, KeyLister, Listed, Selection, Target, TransportError, Vector};
/// # use std::{future::poll_fn, pin::Pin};
/// # use futures_core::Stream;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
///     .bucket("examplebucket").index_name("vectorindex1").build()?;
/// let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// let lister = KeyLister::new(&target, credentials, Selection::all(), BulkOptions::new())?;
/// // In place of a client. It has one page.
/// let page = Listed::new("some id", vec![Vector::new("doc-1")?]);
/// let send = |_request| std::future::ready(Ok::<_, TransportError>(page.to_response()));
/// let mut keys = stream_keys(lister, send, tokio::time::sleep);
/// let mut next = async || poll_fn(|context| Pin::new(&mut keys).poll_next(context)).await;
/// assert_eq!((next().await, next().await), (Some(Ok("doc-1".to_owned())), None));
/// # Ok(())
/// # }
/// ```
pub fn stream_keys<F, Fut, T: Timer>(
    lister: KeyLister,
    send: F,
    timer: T,
) -> StreamedKeys<F, Fut, T> {
    StreamedKeys {
        lister,
        send,
        in_flight: FuturesUnordered::new(),
        alarm: Alarm::new(timer),
        provider: NoProvider,
        renewal: None,
        on_event: None,
        stop: None,
        has_ended: false,
        in_a_row: 0,
    }
}

/// See [`stream_keys`].
#[must_use = "a stream does nothing unless it is polled"]
pub struct StreamedKeys<F, Fut, T: Timer, P: AsyncProvider = NoProvider> {
    lister: KeyLister,
    send: F,
    in_flight: FuturesUnordered<Sent<Fut>>,
    alarm: Alarm<T>,
    provider: P,
    renewal: Option<Pin<Box<P::Future>>>,
    on_event: Option<Box<dyn FnMut(ListEvent) + Send>>,
    stop: Option<Listener>,
    has_ended: bool,
    in_a_row: u32,
}

struct Sent<Fut> {
    id: ListTransmitId,
    future: Pin<Box<Fut>>,
}

impl<Fut: Future> Future for Sent<Fut> {
    type Output = (ListTransmitId, Fut::Output);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let id = self.id;
        self.future.as_mut().poll(context).map(|response| (id, response))
    }
}

// No field is pinned in place.
impl<F, Fut, T: Timer, P: AsyncProvider> Unpin for StreamedKeys<F, Fut, T, P> {}

impl<F, Fut, T: Timer, P: AsyncProvider> StreamedKeys<F, Fut, T, P> {
    /// Asks `provider` for credentials at every [`ListEvent::CredentialsNeeded`].
    pub fn credentials_provider<Q: AsyncProvider>(
        mut self,
        provider: Q,
    ) -> StreamedKeys<F, Fut, T, Q> {
        self.lister.enable_renewal();
        let Self { lister, send, in_flight, alarm, on_event, stop, has_ended, in_a_row, .. } = self;
        StreamedKeys {
            lister,
            send,
            in_flight,
            alarm,
            provider,
            renewal: None,
            on_event,
            stop,
            has_ended,
            in_a_row,
        }
    }

    /// Reports each event to `on_event`, from the task that polls the stream.
    pub fn on_event(mut self, on_event: impl FnMut(ListEvent) + Send + 'static) -> Self {
        self.on_event = Some(Box::new(on_event));
        self
    }

    /// Stops the listing from elsewhere, at once, without waiting for responses. Listed keys are
    /// still returned, and then the error with
    /// [`StopReason::Requested`](crate::bulk::StopReason::Requested).
    pub fn stop_handle(mut self, stop: &StopHandle) -> Self {
        self.stop = Some(stop.listen());
        self
    }

    /// The state machine, for its report.
    #[must_use]
    pub fn lister(&self) -> &KeyLister {
        &self.lister
    }

    /// Lists everything again, from the beginning. Call it only after the end.
    pub(super) fn list_again(&mut self) {
        self.lister.list_again();
        self.has_ended = false;
    }
}

impl<F, Fut, X, T, P> StreamedKeys<F, Fut, T, P>
where
    F: Fn(Request<Bytes>) -> Fut,
    Fut: Future<Output = Result<Response<Bytes>, X>>,
    X: Into<TransportError>,
    T: Timer,
    P: AsyncProvider,
{
    /// Sends requests, and reports events. Returns whether anything was sent.
    fn drain(&mut self) -> bool {
        let mut has_sent = false;
        while let Some(transmit) = self.lister.poll_transmit(self.alarm.now()) {
            let future = Box::pin((self.send)(transmit.request));
            self.in_flight.push(Sent { id: transmit.id, future });
            has_sent = true;
        }
        while let Some(event) = self.lister.poll_event() {
            if event == ListEvent::CredentialsNeeded && self.renewal.is_none() {
                self.renewal = Some(Box::pin(self.provider.provide()));
            }
            if let Some(on_event) = &mut self.on_event {
                on_event(event);
            }
        }
        has_sent
    }

    /// Handles responses. Returns whether there were any.
    fn take(&mut self, context: &mut Context<'_>) -> bool {
        let mut has_input = false;
        if self.in_flight.len() > self.lister.in_flight() {
            let all = std::mem::take(&mut self.in_flight);
            let is_awaited = |sent: &Sent<Fut>| self.lister.is_in_flight(sent.id);
            self.in_flight = all.into_iter().filter(is_awaited).collect();
        }
        while let Poll::Ready(Some((id, response))) =
            Pin::new(&mut self.in_flight).poll_next(context)
        {
            has_input = true;
            match response {
                Ok(response) => self.lister.handle_response(self.alarm.now(), id, &response),
                Err(error) => self.lister.handle_failure(self.alarm.now(), id, error.into()),
            }
        }
        if let Some(renewal) = &mut self.renewal
            && let Poll::Ready(credentials) = renewal.as_mut().poll(context)
        {
            self.renewal = None;
            has_input = true;
            if let Ok(credentials) = credentials {
                self.lister.handle_credentials(self.alarm.now(), credentials);
            }
        }
        let now = self.alarm.now().monotonic;
        let due = self.lister.poll_timeout();
        let wait = due.map_or(LONGEST_WAIT, |due| due.saturating_sub(now)).min(LONGEST_WAIT);
        if self.alarm.poll(context, now, wait) {
            has_input = true;
            self.lister.handle_timeout(self.alarm.now());
        }
        has_input
    }
}

impl<F, Fut, X, T, P> Stream for StreamedKeys<F, Fut, T, P>
where
    F: Fn(Request<Bytes>) -> Fut,
    Fut: Future<Output = Result<Response<Bytes>, X>>,
    X: Into<TransportError>,
    T: Timer,
    P: AsyncProvider,
{
    type Item = Result<String, ListError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if this.in_a_row < KEYS_IN_A_ROW
                && let Some(key) = this.lister.poll_key()
            {
                this.in_a_row += 1;
                return Poll::Ready(Some(Ok(key)));
            }
            this.in_a_row = 0;
            if this.has_ended {
                return Poll::Ready(None);
            }
            if let Some(stop) = &this.stop
                && stop.poll(context.waker()) != Order::GoOn
            {
                this.lister.stop();
            }
            this.drain();
            let has_input = this.take(context);
            // New requests must be polled once.
            let has_sent = this.drain();
            if let Some(key) = this.lister.poll_key() {
                return Poll::Ready(Some(Ok(key)));
            }
            if this.lister.is_finished() {
                this.has_ended = true;
                return Poll::Ready(this.lister.stopped().cloned().map(Err));
            }
            if !has_input && !has_sent {
                return Poll::Pending;
            }
        }
    }
}

impl<F, Fut, T: Timer, P: AsyncProvider> fmt::Debug for StreamedKeys<F, Fut, T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamedKeys").field("lister", &self.lister).finish_non_exhaustive()
    }
}
