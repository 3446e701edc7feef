//! Deletes the keys of a listing, and lists again until a pass finds nothing.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
#[cfg(feature = "async")]
use std::time::Duration;

#[cfg(feature = "async")]
use std::pin::Pin;
#[cfg(feature = "async")]
use std::task::{Context, Poll};

use bytes::Bytes;
#[cfg(feature = "async")]
use futures_core::Stream;
use http::{Request, Response};

use super::ListedKeys;
#[cfg(feature = "async")]
use super::StreamedKeys;
use crate::bulk::{BulkDelete, Event, Report};
#[cfg(feature = "async")]
use crate::transports::{AsyncProvider, Timer};
use crate::transports::{BlockingProvider, Observer, RunError, RunErrorKind, StopHandle};
use crate::{ListError, NextPass, Passes, TransportError};

/// Makes a listing the source of a [`Run`](crate::transports::Run): keys are deleted while they are
/// listed, then the index is listed again, until a [pass](Passes) finds nothing.
///
/// Three parts share its state. The [`keys`](Self::keys) (or the `stream`) are the source. The
/// run's [`observer`](Self::observer) learns when all keys of a pass have an outcome. The run's
/// [`StopHandle`] stops the run if the listing fails. Create a new one for each run. The
/// `delete_matching` methods of the transports do all that.
///
/// ```
/// # #[cfg(feature = "emulator")] {
/// use std::sync::{Arc, Mutex};
/// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
/// use oss_delete_vectors::emulator::Emulator;
/// use oss_delete_vectors::transports::{Matching, Run, StopHandle, list_keys};
/// use oss_delete_vectors::{Credentials, KeyLister, Now, Selection, Target, TransportError};
/// # use std::time::{Duration, SystemTime};
///
/// let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
///     .bucket("examplebucket").index_name("vectorindex1").build()?;
/// let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// let keys = (0..3000).map(|number| format!("doc-{}#{}", number / 10, number % 10));
/// let emulator = Emulator::with_vectors(&target, credentials.clone(), keys)?;
/// let emulator = Arc::new(Mutex::new(emulator));
/// // In place of a client.
/// let service = Arc::clone(&emulator);
/// let send = move |request| {
///     let now = Now::new(Duration::ZERO, SystemTime::now());
///     Ok::<_, TransportError>(service.lock().unwrap().handle(now, &request))
/// };
///
/// let chunks = Selection::all().prefix("doc-42#")?;
/// let lister = KeyLister::new(&target, credentials.clone(), chunks, BulkOptions::new())?;
/// let mut bulk = BulkDelete::new(&target, credentials, BulkOptions::new())?;
/// let stop = StopHandle::new();
/// let matching = Matching::new(&stop);
/// let keys = matching.keys(list_keys(lister, send.clone()));
/// let outcome = Run::new(&mut bulk).observer(matching.observer(())).stop_handle(&stop).run_blocking(keys, send);
/// let cleared = matching.report(outcome)?;
/// assert_eq!((cleared.report.deleted, cleared.passes, cleared.is_clear), (10, 2, true));
/// assert_eq!(emulator.lock().unwrap().len("examplebucket", "vectorindex1"), Some(2990));
/// # }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Matching {
    shared: Arc<Shared>,
    stop: StopHandle,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    passes: Passes,
    error: Option<ListError>,
    /// The run has ended.
    is_closed: bool,
    /// The waker of a stream that waits for outcomes.
    waker: Option<Waker>,
}

/// The result of [`Matching`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "vectors may be left: see `is_clear`"]
#[non_exhaustive]
pub struct MatchingReport {
    /// The report of the run. A key that several passes listed counts in each.
    pub report: Report,
    /// The number of times the index was listed, including the last pass.
    pub passes: u32,
    /// Whether the last pass found nothing. If `false`, keys could not be deleted, new ones were
    /// added all the time, or listings are very stale.
    pub is_clear: bool,
}

impl Matching {
    /// For a run with this handle, with at most 10 passes.
    #[must_use]
    pub fn new(stop: &StopHandle) -> Self {
        Self::with_passes(stop, Passes::new(10))
    }

    /// The same with other passes.
    #[must_use]
    pub fn with_passes(stop: &StopHandle, passes: Passes) -> Self {
        let state = State { passes, error: None, is_closed: false, waker: None };
        let shared = Shared { state: Mutex::new(state), changed: Condvar::new() };
        Self { shared: Arc::new(shared), stop: stop.clone() }
    }

    /// The source of a blocking run.
    pub fn keys<F, P>(&self, listed: ListedKeys<F, P>) -> MatchingKeys<F, P> {
        MatchingKeys { matching: self.clone(), listed: Some(listed) }
    }

    /// The source of an asynchronous run. Pass the timer of the run.
    #[cfg(feature = "async")]
    pub fn stream<F, Fut, T: Timer, P: AsyncProvider, W: Timer>(
        &self,
        listed: StreamedKeys<F, Fut, T, P>,
        timer: W,
    ) -> MatchingStream<F, Fut, T, P, W> {
        MatchingStream { matching: self.clone(), listed, timer, pause: None, has_ended: false }
    }

    /// The observer of the run. Passes all events and progress to `observer`.
    pub fn observer<O: Observer>(&self, observer: O) -> MatchingObserver<O> {
        MatchingObserver { shared: Arc::clone(&self.shared), observer }
    }

    /// The result of the run and of the listing.
    ///
    /// # Errors
    ///
    /// [`RunError`]: with [`RunErrorKind::Listing`] if the listing stopped, otherwise that of the
    /// run.
    pub fn report(&self, outcome: Result<Report, RunError>) -> Result<MatchingReport, RunError> {
        let state = self.shared.lock();
        let report = match &outcome {
            Ok(report) => *report,
            Err(error) => error.report(),
        };
        if let Some(error) = &state.error {
            return Err(RunError::new(RunErrorKind::Listing(error.clone()), report, None));
        }
        let (passes, is_clear) = (state.passes.pass(), state.passes.is_clear());
        outcome.map(|report| MatchingReport { report, passes, is_clear })
    }

    /// The current pass, counted from 1.
    #[must_use]
    pub fn pass(&self) -> u32 {
        self.shared.lock().passes.pass()
    }

    /// Whether the last pass found no key.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.shared.lock().passes.is_clear()
    }

    /// The error that stopped the listing; `None` if it did not stop.
    #[must_use]
    pub fn error(&self) -> Option<ListError> {
        self.shared.lock().error.clone()
    }

    /// Stops the run before the source ends, so that the run is not reported as complete.
    fn fail(&self, error: ListError) {
        self.shared.lock().error = Some(error);
        self.stop.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the outcomes of a pass, and until the next one starts. Returns whether there is
    /// one.
    fn wait_for_pass(&self) -> bool {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return false;
            }
            match state.passes.next_pass() {
                NextPass::Wait => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                NextPass::End => return false,
                NextPass::Again(pause) => {
                    let is_open = |state: &mut State| !state.is_closed;
                    let waited = self.changed.wait_timeout_while(state, pause, is_open);
                    return !waited.unwrap_or_else(PoisonError::into_inner).0.is_closed;
                }
            }
        }
    }
}

impl State {
    fn wake(&mut self) -> Option<Waker> {
        self.waker.take()
    }
}

impl fmt::Debug for Matching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matching")
            .field("passes", &self.shared.lock().passes)
            .finish_non_exhaustive()
    }
}

/// See [`Matching::observer`].
pub struct MatchingObserver<O> {
    shared: Arc<Shared>,
    observer: O,
}

impl<O: Observer> Observer for MatchingObserver<O> {
    fn event(&mut self, event: Event) {
        let settled = match &event {
            Event::Deleted { keys, positions, .. } => Some((positions.len(), *keys as u64)),
            Event::Failed(failed) => Some((failed.positions.len(), 0)),
            _ => None,
        };
        if let Some((keys, deleted)) = settled {
            let mut state = self.shared.lock();
            state.passes.settled(keys, deleted);
            let waker = state.wake();
            drop(state);
            self.shared.changed.notify_one();
            waker.into_iter().for_each(Waker::wake);
        }
        self.observer.event(event);
    }

    fn progress(&mut self, bulk: &BulkDelete) {
        self.observer.progress(bulk);
    }
}

/// The run has ended: a source that waits for outcomes ends.
impl<O> Drop for MatchingObserver<O> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        let waker = state.wake();
        drop(state);
        self.shared.changed.notify_one();
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<O> fmt::Debug for MatchingObserver<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatchingObserver").finish_non_exhaustive()
    }
}

/// See [`Matching::keys`].
#[must_use = "an iterator does nothing unless it is asked"]
#[derive(Debug)]
pub struct MatchingKeys<F, P> {
    matching: Matching,
    /// `None` after the end.
    listed: Option<ListedKeys<F, P>>,
}

impl<F, P, X> Iterator for MatchingKeys<F, P>
where
    F: Fn(Request<Bytes>) -> Result<Response<Bytes>, X> + Send + Sync + 'static,
    X: Into<TransportError>,
    P: BlockingProvider,
{
    type Item = String;

    fn next(&mut self) -> Option<String> {
        loop {
            let listed = self.listed.as_mut()?;
            match listed.next() {
                Some(Ok(key)) => {
                    self.matching.shared.lock().passes.listed(1);
                    return Some(key);
                }
                Some(Err(error)) => {
                    self.matching.fail(error);
                    self.listed = None;
                }
                None if self.matching.shared.wait_for_pass() => listed.list_again(),
                None => self.listed = None,
            }
        }
    }
}

/// See [`Matching::stream`].
#[cfg(feature = "async")]
#[must_use = "a stream does nothing unless it is polled"]
pub struct MatchingStream<F, Fut, T: Timer, P: AsyncProvider, W: Timer> {
    matching: Matching,
    listed: StreamedKeys<F, Fut, T, P>,
    timer: W,
    /// Waits between two passes.
    pause: Option<Pin<Box<W::Sleep>>>,
    has_ended: bool,
}

// No field is pinned in place.
#[cfg(feature = "async")]
impl<F, Fut, T: Timer, P: AsyncProvider, W: Timer> Unpin for MatchingStream<F, Fut, T, P, W> {}

#[cfg(feature = "async")]
impl<F, Fut, X, T, P, W> Stream for MatchingStream<F, Fut, T, P, W>
where
    F: Fn(Request<Bytes>) -> Fut,
    Fut: Future<Output = Result<Response<Bytes>, X>>,
    X: Into<TransportError>,
    T: Timer,
    P: AsyncProvider,
    W: Timer,
{
    type Item = String;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<String>> {
        let this = &mut *self;
        loop {
            if this.has_ended {
                return Poll::Ready(None);
            }
            if let Some(pause) = &mut this.pause {
                if pause.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                this.pause = None;
            }
            match Pin::new(&mut this.listed).poll_next(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(key))) => {
                    this.matching.shared.lock().passes.listed(1);
                    return Poll::Ready(Some(key));
                }
                Poll::Ready(Some(Err(error))) => {
                    this.matching.fail(error);
                    this.has_ended = true;
                }
                Poll::Ready(None) => {
                    let mut state = this.matching.shared.lock();
                    match state.passes.next_pass() {
                        NextPass::Wait => {
                            state.waker = Some(context.waker().clone());
                            return Poll::Pending;
                        }
                        NextPass::End => this.has_ended = true,
                        NextPass::Again(pause) => {
                            drop(state);
                            this.listed.list_again();
                            let is_due = pause == Duration::ZERO;
                            this.pause = (!is_due).then(|| Box::pin(this.timer.sleep(pause)));
                        }
                    }
                }
            }
        }
    }
}

#[cfg(feature = "async")]
impl<F, Fut, T: Timer, P: AsyncProvider, W: Timer> fmt::Debug for MatchingStream<F, Fut, T, P, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatchingStream").field("listed", &self.listed).finish_non_exhaustive()
    }
}
