//! Runs a `BulkDelete` to its end: what the two loops have in common.

#[cfg(feature = "async")]
mod asynchronous;
mod blocking;
mod credentials;
mod error;
mod progress;
mod steps;
mod stop;

use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use super::clock::Clock;
use crate::bulk::{BulkDelete, BulkOptions, Event, Report};
use crate::{Credentials, Now, Target};

#[cfg(feature = "async")]
pub use self::asynchronous::{StreamIter, stream_iter};
#[cfg(feature = "async")]
pub use self::credentials::AsyncProvider;
pub use self::credentials::{BlockingProvider, NoProvider};
pub use self::error::{RunError, RunErrorKind};
use self::progress::Progress;
use self::steps::Steps;
pub use self::stop::StopHandle;

/// A run of a [`BulkDelete`] to its end: [`run_blocking`](Self::run_blocking) with threads, or
/// [`run_async`](Self#method.run_async) (feature `async`) on any runtime. The rest is optional.
///
/// ```
/// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event, Failure};
/// use oss_delete_vectors::transports::Run;
/// use oss_delete_vectors::{Credentials, Deleted, Target};
///
/// let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("vectorindex1").build()?;
/// let mut bulk = BulkDelete::new(&target, Credentials::new("LTAI5tExample", "my-secret")?, BulkOptions::new())?;
///
/// // A transport, such as `move |request| transport.send(request)`; this one answers that all is well.
/// let send = |_request| Ok::<_, Failure>(Deleted::new("some id").to_response());
/// let keys = (0..1234).map(|number| format!("doc-{number}"));
/// let report = Run::new(&mut bulk)
///     .on_event(|event| if let Event::Failed(failed) = event { eprintln!("{}: {:?}", failed.outcome, failed.keys) })
///     .run_blocking(keys, send)?;
/// assert_eq!((report.deleted, report.requests), (1234, 3));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Keys
///
/// Anything that is `AsRef<str>`. A key that is none (see [`Key::new`](crate::Key::new)) stops the run and is told, with its
/// position, by the [`RunError`]; what came before it and was sent has its outcome.
///
/// Keys are gathered into batches of 500. A source that pauses for 10 ms has what it gave sent in a smaller one, as soon as
/// there is nothing else to send; at its end what is left goes out at once.
///
/// # How it ends
///
/// With `Ok`, once every key of the source has an outcome. That need not be *deleted*: a key may be rejected, or be left
/// unconfirmed after [`max_attempts`](crate::bulk::BulkOptions::max_attempts). The [`Report`](crate::bulk::Report) counts them;
/// [`Event::Failed`] tells which.
///
/// With [`RunError`], where it stopped before that: because of the service, of the credentials, of a bad key, or because it was
/// told to. Its report is as exact.
///
/// With a panic, where the source, the transport, the provider, the clock or the event closure panics: it comes out as it is.
/// The `BulkDelete` is as usable then as after [leaving](#leaving-a-run-in-the-middle) the run.
///
/// # Leaving a run in the middle
///
/// [`StopHandle::stop`] sends nothing more and awaits what is in flight; [`StopHandle::abort`] waits for nothing. Where a run is
/// left in another way, by dropping the future of `run_async` or by a panic, call [`BulkDelete::abort`]: then its report is exact,
/// with what was in flight *unconfirmed*. Or begin another run over the same `BulkDelete`, with the keys that are left: those in
/// flight then count as lost after [`answer_timeout`](crate::bulk::BulkOptions::answer_timeout), and are sent again.
#[must_use = "nothing is sent until `run_blocking` or `run_async`"]
pub struct Run<'a, E = fn(Event), P = NoProvider, C = fn() -> Now, M = fn(&BulkDelete)> {
    bulk: &'a mut BulkDelete,
    on_event: E,
    provider: P,
    clock: C,
    stop: StopHandle,
    progress: Option<Progress<M>>,
}

impl<'a> Run<'a> {
    /// A run of `bulk` that tells nothing, renews no credentials and takes the machine's clocks.
    pub fn new(bulk: &'a mut BulkDelete) -> Self {
        Self { bulk, on_event: drop, provider: NoProvider, clock: machine_time, stop: StopHandle::new(), progress: None }
    }
}

impl<'a, E, P, C, M> Run<'a, E, P, C, M> {
    /// Tells `on_event` what happens, on the thread or in the task of the run. Keep it short: the run waits for it.
    pub fn on_event<F: FnMut(Event)>(self, on_event: F) -> Run<'a, F, P, C, M> {
        let Self { bulk, provider, clock, stop, progress, .. } = self;
        Run { bulk, on_event, provider, clock, stop, progress }
    }

    /// Asks `provider` for credentials, a [`BlockingProvider`] or an `AsyncProvider`, at every [`Event::CredentialsNeeded`]: 5
    /// minutes before they expire where that is known, and when the service no longer takes them.
    ///
    /// It is asked by one call at a time, again every 10 seconds while it fails, and meanwhile nothing else stands still. Where
    /// the credentials can no longer be used and no others come within the time of
    /// [`renews_credentials`](crate::bulk::BulkOptions::renews_credentials), 300 seconds if not set, the run stops.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use oss_delete_vectors::Credentials;
    /// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Failure};
    /// use oss_delete_vectors::transports::Run;
    /// # use oss_delete_vectors::{Deleted, Invalid, Target};
    /// # let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("vectorindex1").build()?;
    /// # let send = |_request| Ok::<_, Failure>(Deleted::new("some id").to_response());
    ///
    /// // Asks STS, or a program, each time; a thread of its own waits for it.
    /// let sts = || Ok::<_, Invalid>(
    ///     Credentials::new("STS.Example", "my-secret")?
    ///         .with_security_token("CAIS...")?
    ///         .with_expiration(SystemTime::now() + Duration::from_secs(3600)),
    /// );
    /// let mut bulk = BulkDelete::new(&target, sts()?, BulkOptions::new())?;
    /// let report = Run::new(&mut bulk).credentials(sts).run_blocking(["doc-001"], send)?;
    /// assert_eq!(report.deleted, 1);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn credentials<Q>(self, provider: Q) -> Run<'a, E, Q, C, M> {
        let Self { bulk, on_event, clock, stop, progress, .. } = self;
        bulk.renew_credentials();
        Run { bulk, on_event, provider, clock, stop, progress }
    }

    /// Shows `on_progress` the machine every so often, and at the end: to tell how far the run is, and to save its
    /// [`checkpoint`](BulkDelete::checkpoint). All events were told when it is called. Keep it short: the run waits for it.
    /// Less than a millisecond is taken as one.
    pub fn on_progress<N: FnMut(&BulkDelete)>(self, every: Duration, on_progress: N) -> Run<'a, E, P, C, N> {
        let Self { bulk, on_event, provider, clock, stop, .. } = self;
        Run { bulk, on_event, provider, clock, stop, progress: Some(Progress::new(every, on_progress)) }
    }

    /// Stops when `handle` says so. One handle may stop any number of runs.
    pub fn stop_handle(self, handle: &StopHandle) -> Self {
        Self { stop: handle.clone(), ..self }
    }

    /// Takes the time from `clock` instead of the machine's clocks: for tests in virtual time, and for a time of day that is known
    /// better than the machine's. Monotonic time must go on from one run of a `BulkDelete` to its next.
    ///
    /// It is what `run_async` counts in, together with its `sleep`; `run_blocking` waits in real time. Where `sleep` does not take
    /// real time, as tokio's in a test whose time is paused, the clock has to go with it, or the run spins:
    ///
    /// ```
    /// # #[cfg(feature = "async")] {
    /// use std::time::{Duration, SystemTime};
    /// use oss_delete_vectors::transports::{Run, stream_iter};
    /// use oss_delete_vectors::{Credentials, Deleted, Now, ServiceError, Target, code};
    /// # use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Failure};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("vectorindex1").build()?;
    /// # let mut bulk = BulkDelete::new(&target, Credentials::new("LTAI5tExample", "my-secret")?, BulkOptions::new())?;
    /// let start = tokio::time::Instant::now();
    /// let send = async |_request| {
    ///     // For a minute every request is too fast.
    ///     let too_fast = ServiceError::new(http::StatusCode::SERVICE_UNAVAILABLE, code::SLOW_DOWN, "too fast");
    ///     let is_early = start.elapsed() < Duration::from_secs(60);
    ///     Ok::<_, Failure>(if is_early { too_fast.to_response() } else { Deleted::new("some id").to_response() })
    /// };
    /// let report = Run::new(&mut bulk)
    ///     .clock(|| Now::new(start.elapsed(), SystemTime::now()))
    ///     .run_async(stream_iter(["doc-001"]), send, tokio::time::sleep)
    ///     .await?;
    /// assert!(report.is_all_deleted() && start.elapsed() >= Duration::from_secs(60));
    /// # Ok(())
    /// # }
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn clock<D: Fn() -> Now>(self, clock: D) -> Run<'a, E, P, D, M> {
        let Self { bulk, on_event, provider, stop, progress, .. } = self;
        Run { bulk, on_event, provider, clock, stop, progress }
    }
}

impl<E, P, C, M> fmt::Debug for Run<'_, E, P, C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("bulk", &self.bulk).field("stop", &self.stop).finish_non_exhaustive()
    }
}

/// The machine of a `delete_all`.
#[allow(dead_code, reason = "each transport's `delete_all` begins with it, and there may be none")]
pub(super) fn new_bulk(target: &Target, credentials: Credentials, options: BulkOptions) -> Result<BulkDelete, RunError> {
    let nanos = machine_time().wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are those that differ")]
    let options = options.seed_if_none(nanos as u64);
    BulkDelete::new(target, credentials, options)
        .map_err(|invalid| RunError::new(RunErrorKind::Options(invalid), Report::default(), None))
}

/// The machine's clocks. Monotonic time counts from the first reading in the process, so that it goes on from run to run.
fn machine_time() -> Now {
    static CLOCK: OnceLock<Clock> = OnceLock::new();
    CLOCK.get_or_init(Clock::start).now()
}
