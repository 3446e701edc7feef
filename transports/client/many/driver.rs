use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;

use super::panicked;
use super::steps::Steps;
use crate::TransportError;
use crate::bulk::Transmit;
use crate::transports::client::asynchronous::{Alarm, InFlight, Timer};
use crate::transports::client::blocking::Machine;
use crate::transports::client::credentials::AsyncProvider;
use crate::transports::client::steps::Sender;

/// Rounds before other tasks of the runtime have their turn.
const ROUNDS_IN_A_ROW: usize = 32;

/// Does the work of a `Client`: see [`ClientBuilder::with_transport`](super::ClientBuilder).
#[must_use = "no request is sent unless it is spawned or awaited"]
pub(super) struct Driver<P: AsyncProvider, F, Fut, T: Timer> {
    steps: Steps,
    requests: Requests<F, Fut>,
    alarm: Alarm<T>,
    provider: P,
    renewal: Option<Pin<Box<P::Future>>>,
}

/// What sends, and its requests in flight.
struct Requests<F, Fut> {
    send: F,
    in_flight: InFlight<Carried<Fut>>,
}

/// A request on its way. A panic of the transport is a failure of this request, and of no other.
struct Carried<Fut>(Result<Pin<Box<Fut>>, Option<TransportError>>);

impl<F, Fut, X> Sender for Requests<F, Fut>
where
    F: Fn(Transmit) -> Fut,
    Fut: Future<Output = Result<Response<Bytes>, X>>,
    X: Into<TransportError>,
{
    fn is_ready(&mut self, _: usize) -> bool {
        true
    }

    fn send(&mut self, transmit: Transmit) {
        let (id, span) = (transmit.id, transmit.span.clone());
        let begin = || catch_unwind(AssertUnwindSafe(|| (self.send)(transmit)));
        let carried = match span.in_scope(begin) {
            Ok(future) => Ok(Box::pin(future)),
            Err(payload) => Err(Some(panicked(&*payload))),
        };
        self.in_flight.insert(id, span, Carried(carried));
    }
}

impl<Fut, X> Future for Carried<Fut>
where
    Fut: Future<Output = Result<Response<Bytes>, X>>,
    X: Into<TransportError>,
{
    type Output = Result<Response<Bytes>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Ok(future) => catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)))
                .map_or_else(
                    |payload| Poll::Ready(Err(panicked(&*payload))),
                    |poll| poll.map_err(Into::into),
                ),
            Err(panicked) => Poll::Ready(Err(panicked.take().expect("it is polled once"))),
        }
    }
}

impl<P, F, Fut, X, T> Driver<P, F, Fut, T>
where
    P: AsyncProvider,
    F: Fn(Transmit) -> Fut,
    Fut: Future<Output = Result<Response<Bytes>, X>>,
    X: Into<TransportError>,
    T: Timer,
{
    pub(super) fn new(steps: Steps, provider: P, send: F, timer: T) -> Self {
        let requests = Requests { send, in_flight: InFlight::new() };
        Self { steps, requests, alarm: Alarm::new(timer), provider, renewal: None }
    }

    fn drain(&mut self) {
        let needs_credentials = self.steps.drain(|| self.alarm.now(), &mut self.requests);
        if needs_credentials && self.renewal.is_none() {
            self.renewal = Some(Box::pin(self.provider.provide()));
        }
    }

    fn take_responses(&mut self, context: &mut Context<'_>) -> bool {
        let Self { steps, requests: Requests { in_flight, .. }, alarm, .. } = self;
        // Before the poll: the requests that are kept have to be polled again to register the
        // waker.
        if in_flight.len() > steps.in_flight() {
            in_flight.retain(|id| steps.is_in_flight(id));
        }
        let mut has_response = false;
        while let Poll::Ready(Some((id, response))) = in_flight.poll_next(context) {
            steps.handle_response(alarm.now(), id, response);
            has_response = true;
        }
        has_response
    }

    fn take_credentials(&mut self, context: &mut Context<'_>) -> bool {
        let Some(renewal) = &mut self.renewal else { return false };
        let Poll::Ready(credentials) = renewal.as_mut().poll(context) else { return false };
        self.renewal = None;
        self.steps.handle_credentials(self.alarm.now(), credentials.map_err(Into::into));
        true
    }

    fn take_time(&mut self, context: &mut Context<'_>) -> bool {
        let now = self.alarm.now().monotonic;
        let is_due = self.alarm.poll(context, now, self.steps.longest_wait(now));
        if is_due {
            self.steps.handle_timeout(self.alarm.now());
        }
        is_due
    }
}

// Futures are boxed, and nothing else is ever pinned.
impl<P: AsyncProvider, F, Fut, T: Timer> Unpin for Driver<P, F, Fut, T> {}

impl<P, F, Fut, X, T> Future for Driver<P, F, Fut, T>
where
    P: AsyncProvider,
    F: Fn(Transmit) -> Fut,
    Fut: Future<Output = Result<Response<Bytes>, X>>,
    X: Into<TransportError>,
    T: Timer,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        for _ in 0..ROUNDS_IN_A_ROW {
            let now = self.alarm.now();
            self.steps.take_orders(now, context.waker());
            self.drain();
            if self.steps.is_finished() {
                return Poll::Ready(());
            }
            let has_input = self.take_responses(context)
                | self.take_credentials(context)
                | self.take_time(context);
            if !has_input {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
