//! Runs a `BulkDelete` in one task, on any runtime and over any transport.

mod in_flight;
mod stream_iter;
mod timer;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Response};

use self::in_flight::InFlight;
pub use self::stream_iter::{StreamIter, stream_iter};
use self::timer::Timer;
use super::steps::Sender;
use super::{AsyncProvider, Run, RunError, Steps};
use crate::bulk::{BulkDelete, Event, Failure, Report, Transmit};
use crate::{KeyBatch, Now};

/// Keys that are taken from the source before requests have their turn: those of one batch.
const KEYS_IN_A_ROW: usize = KeyBatch::MAX_KEYS;

/// Rounds before other tasks of the runtime have their turn.
const ROUNDS_IN_A_ROW: usize = 32;

impl<E, P, C, M> Run<'_, E, P, C, M>
where
    E: FnMut(Event),
    P: AsyncProvider,
    C: Fn() -> Now,
    M: FnMut(&BulkDelete),
{
    /// Deletes the keys of a stream, to its end. Spawns nothing: whatever happens, happens as the future is polled.
    ///
    /// `send` carries a request and gives its answer, or an error that is a [`Failure`] or can be made one, as
    /// [`TransportError`](crate::transports::TransportError) can; make it end well before the
    /// [`answer_timeout`](crate::bulk::BulkOptions::answer_timeout). `sleep` comes to its end after the time it is given, as
    /// `tokio::time::sleep` does. For keys that are at hand there is [`stream_iter`].
    ///
    /// A request that got no response within the `answer_timeout` is dropped, so that a `send` that
    /// hangs costs no memory.
    ///
    /// The future is `Send` where all that it is given is. It is **cancel-safe**: dropped in the middle it drops the requests in
    /// flight, and [`BulkDelete::abort`](crate::bulk::BulkDelete::abort) makes the report exact. No key is taken from the stream
    /// that is not pushed.
    ///
    /// # Errors
    ///
    /// [`RunError`]: why the run stopped before its end, with its report.
    ///
    /// ```
    /// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Failure};
    /// use oss_delete_vectors::transports::{Run, stream_iter};
    /// use oss_delete_vectors::{Credentials, Deleted, Target};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("vectorindex1").build()?;
    /// let mut bulk = BulkDelete::new(&target, Credentials::new("LTAI5tExample", "my-secret")?, BulkOptions::new())?;
    ///
    /// // A transport, such as `|request| transport.send(request)`; this one answers that all is well.
    /// let send = async |_request| Ok::<_, Failure>(Deleted::new("some id").to_response());
    /// let keys = stream_iter((0..1234).map(|number| format!("doc-{number}")));
    /// let report = Run::new(&mut bulk).run_async(keys, send, tokio::time::sleep).await?;
    /// assert_eq!((report.deleted, report.requests), (1234, 3));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run_async<S, F, Answer, X, Z, Sleep>(self, keys: S, send: F, sleep: Z) -> Result<Report, RunError>
    where
        S: Stream<Item: AsRef<str>>,
        F: Fn(Request<Bytes>) -> Answer,
        Answer: Future<Output = Result<Response<Bytes>, X>>,
        X: Into<Failure>,
        Z: Fn(Duration) -> Sleep,
        Sleep: Future,
    {
        let (steps, provider) = Steps::new(self);
        let mut keys = pin!(keys);
        let mut task = Task {
            steps,
            has_more_keys: true,
            requests: Requests { send, in_flight: InFlight::new() },
            timer: Timer::new(sleep),
            provider,
            renewal: None,
        };
        poll_fn(|context| task.poll(keys.as_mut(), context)).await;
        task.steps.end()
    }
}

/// Everything but the source of keys, which alone needs to stay where it is.
struct Task<'a, E, C, M, P: AsyncProvider, F, Answer, Z, Sleep> {
    steps: Steps<'a, E, C, M>,
    has_more_keys: bool,
    requests: Requests<F, Answer>,
    timer: Timer<Z, Sleep>,
    provider: P,
    renewal: Option<Pin<Box<P::Future>>>,
}

/// What sends, and what it has under way.
struct Requests<F, Answer> {
    send: F,
    in_flight: InFlight<Answer>,
}

impl<F: Fn(Request<Bytes>) -> Answer, Answer: Future> Sender for Requests<F, Answer> {
    fn is_ready(&mut self, _: usize) -> bool {
        true
    }

    fn send(&mut self, Transmit { id, request, span, .. }: Transmit) {
        let future = span.in_scope(|| (self.send)(request));
        self.in_flight.insert(id, span, future);
    }
}

impl<E, C, M, P, F, Answer, X, Z, Sleep> Task<'_, E, C, M, P, F, Answer, Z, Sleep>
where
    E: FnMut(Event),
    C: Fn() -> Now,
    M: FnMut(&BulkDelete),
    P: AsyncProvider,
    F: Fn(Request<Bytes>) -> Answer,
    Answer: Future<Output = Result<Response<Bytes>, X>>,
    X: Into<Failure>,
    Z: Fn(Duration) -> Sleep,
    Sleep: Future,
{
    fn poll<S: Stream<Item: AsRef<str>>>(&mut self, mut keys: Pin<&mut S>, context: &mut Context<'_>) -> Poll<()> {
        for _ in 0..ROUNDS_IN_A_ROW {
            self.steps.obey(context.waker());
            let source_is_dry = self.take_keys(keys.as_mut(), context);
            self.drain();
            if self.steps.is_finished() {
                return Poll::Ready(());
            }
            let has_input = self.steps.flush_in_pause(source_is_dry)
                | self.take_answers(context)
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
        self.has_more_keys && self.steps.can_push()
    }

    /// Pushes what the source has, up to a batch. Whether the source has nothing now, and may have later.
    fn take_keys<S: Stream<Item: AsRef<str>>>(&mut self, mut keys: Pin<&mut S>, context: &mut Context<'_>) -> bool {
        for _ in 0..KEYS_IN_A_ROW {
            if !self.wants_keys() {
                return false;
            }
            match keys.as_mut().poll_next(context) {
                Poll::Ready(Some(key)) => self.steps.push(key.as_ref()),
                Poll::Ready(None) => {
                    self.has_more_keys = false;
                    // A source that cannot go on says stop before it ends: then what waits is not to be sent.
                    self.steps.obey(context.waker());
                    self.steps.finish();
                }
                Poll::Pending => return true,
            }
        }
        false
    }

    fn drain(&mut self) {
        let needs_credentials = self.steps.drain(&mut self.requests);
        if needs_credentials && self.renewal.is_none() {
            self.renewal = Some(Box::pin(self.provider.provide()));
        }
    }

    /// Takes responses, and drops requests that are no longer awaited: one whose `send` hangs would
    /// otherwise be held to the end of the run.
    fn take_answers(&mut self, context: &mut Context<'_>) -> bool {
        let Self { steps, requests: Requests { in_flight, .. }, .. } = self;
        // Before the poll: it registers the task's waker, of which the rest needs one anew.
        if in_flight.len() > steps.in_flight() {
            in_flight.retain(|id| steps.is_in_flight(id));
        }
        let mut has_answer = false;
        while let Poll::Ready(Some((id, answer))) = in_flight.poll_next(context) {
            steps.handle_answer(id, answer.map_err(Into::into));
            has_answer = true;
        }
        has_answer
    }

    fn take_credentials(&mut self, context: &mut Context<'_>) -> bool {
        let Some(renewal) = &mut self.renewal else { return false };
        let Poll::Ready(credentials) = renewal.as_mut().poll(context) else { return false };
        self.renewal = None;
        self.steps.handle_credentials(credentials.map_err(Into::into));
        true
    }

    fn take_time(&mut self, context: &mut Context<'_>) -> bool {
        let is_due = self.timer.poll(context, self.steps.now(), self.steps.longest_wait());
        if is_due {
            self.steps.handle_timeout();
        }
        is_due
    }
}
