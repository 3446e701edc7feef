//! Runs a [`BulkDelete`](crate::bulk::BulkDelete) to its end: [`Run`], with two loops.
//!
//! - `steps.rs` has what both loops do in each round;
//! - `blocking/` waits on threads, `asynchronous/` in one task.

#[cfg(feature = "async")]
mod asynchronous;
mod blocking;
mod credentials;
mod error;
mod many;
mod observer;
mod source;
mod steps;
mod stop;

use std::fmt;
use std::time::Duration;
use std::time::UNIX_EPOCH;

use crate::bulk::{BulkDelete, BulkOptions, Event};
#[cfg(any(feature = "hyper", feature = "ureq"))]
use crate::{Credentials, Target, bulk::Report};

#[cfg(feature = "async")]
pub(super) use self::asynchronous::Alarm;
#[cfg(feature = "hyper")]
pub(super) use self::asynchronous::InSpan;
#[cfg(feature = "async")]
pub use self::asynchronous::{StreamIter, Timer, stream_iter};
#[cfg(feature = "async")]
pub use self::credentials::AsyncProvider;
pub use self::credentials::{BlockingProvider, NoProvider};
pub use self::error::{RunError, RunErrorKind};
pub use self::many::ClientBuilder;
pub use self::many::blocking::Client as BlockingClient;
#[cfg(feature = "async")]
pub use self::many::{Client, Deleting};
pub use self::observer::{Observer, OnEvent};
pub use self::source::SourceProvider;
use self::steps::Steps;
pub use self::stop::StopHandle;
pub(super) use self::stop::{Listener, Order};

/// A run of a [`BulkDelete`] to its end: [`run_blocking`](Self::run_blocking) with threads, or
/// [`run_async`](Self#method.run_async) (feature `async`) on any runtime. Everything else is
/// optional.
///
/// ```
/// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event};
/// use oss_delete_vectors::transports::Run;
/// use oss_delete_vectors::{Credentials, Deleted, Target, TransportError};
///
/// let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
///     .bucket("examplebucket").index_name("vectorindex1").build()?;
/// let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// let mut bulk = BulkDelete::new(&target, credentials, BulkOptions::new())?;
///
/// // A transport, such as `move |request| transport.send(request)`; this one deletes everything.
/// let send = |_request| Ok::<_, TransportError>(Deleted::new("some id").to_response());
/// let keys = (0..1234).map(|number| format!("doc-{number}"));
/// let report = Run::new(&mut bulk)
///     .on_event(|event| {
///         if let Event::Failed(failed) = event {
///             eprintln!("{}: {:?}", failed.outcome, failed.keys);
///         }
///     })
///     .run_blocking(keys, send)?;
/// assert_eq!((report.deleted, report.requests), (1234, 3));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Keys
///
/// Anything that is `AsRef<str>`. An invalid key (see [`Key::new`](crate::Key::new)) stops the run,
/// and the [`RunError`] has its position. Keys before it that were sent have their outcome.
///
/// Keys are collected in batches of 500. If the source pauses for 10 ms, its keys are sent in a
/// smaller batch, as soon as nothing else waits to be sent. The last batch is sent when the source
/// ends.
///
/// # How it ends
///
/// With `Ok`, once every key of the source has an outcome. The outcome need not be *deleted*: a key
/// may be rejected, or unconfirmed after
/// [`max_attempts`](crate::bulk::BulkOptions::max_attempts). The [`Report`](crate::bulk::Report)
/// counts them; [`Event::Failed`] has the keys.
///
/// With [`RunError`], if it stopped before that: because of the service, the credentials, an
/// invalid key, or a [`StopHandle`]. Its report is just as exact.
///
/// With a panic, if the source, the transport, the provider, the timer or the observer panics: the
/// panic continues in the caller. The `BulkDelete` can be used as after
/// [leaving](#leaving-a-run-in-the-middle) the run.
///
/// # Leaving a run in the middle
///
/// [`StopHandle::stop`] sends nothing more and waits for the requests in flight;
/// [`StopHandle::abort`] waits for nothing. If a run is left in another way, because the future of
/// `run_async` was dropped or by a panic, call [`BulkDelete::abort`]: then its report is exact,
/// with the keys in flight *unconfirmed*. Or begin another run of the same `BulkDelete`, with the
/// keys that are left: those in flight then count as lost after
/// [`response_timeout`](crate::bulk::BulkOptions::response_timeout), and are sent again.
///
/// # A loop of your own
///
/// A loop around a [`BulkDelete`] can do all that a `Run` does, with public methods. See the
/// example `own_loop`.
#[must_use = "nothing is sent until `run_blocking` or `run_async`"]
pub struct Run<'a, O = (), P = NoProvider> {
    bulk: &'a mut BulkDelete,
    observer: O,
    provider: P,
    listener: Option<Listener>,
    progress_every: Option<Duration>,
}

impl<'a> Run<'a> {
    /// A run of `bulk` that reports nothing and renews no credentials.
    pub fn new(bulk: &'a mut BulkDelete) -> Self {
        Self { bulk, observer: (), provider: NoProvider, listener: None, progress_every: None }
    }
}

impl<'a, O, P> Run<'a, O, P> {
    /// Reports each event to `on_event`, on the thread or in the task of the run. Keep it short:
    /// the run waits for it. The short form of [`observer`](Self::observer), whose place it takes.
    pub fn on_event<F: FnMut(Event)>(self, on_event: F) -> Run<'a, OnEvent<F>, P> {
        self.observer(OnEvent(on_event))
    }

    /// Reports events and progress to `observer`: a value, or a `&mut` to one that is used after
    /// the run. The last one that is set counts.
    pub fn observer<N: Observer>(self, observer: N) -> Run<'a, N, P> {
        let Self { bulk, provider, listener, progress_every, .. } = self;
        Run { bulk, observer, provider, listener, progress_every }
    }

    /// Calls [`Observer::progress`] in this interval, and not only at the end. Less than a
    /// millisecond is taken as one.
    pub fn progress_every(mut self, interval: Duration) -> Self {
        // Below a millisecond the run would do nothing else.
        self.progress_every = Some(interval.max(Duration::from_millis(1)));
        self
    }

    /// Asks `provider` for credentials, a [`BlockingProvider`] or an `AsyncProvider`, at every
    /// [`Event::CredentialsNeeded`]: 5 minutes before they expire, if their expiration is known,
    /// and when the service rejects them.
    ///
    /// It is asked by one call at a time, again every 10 seconds while it fails, and the run goes
    /// on meanwhile. If the credentials can no longer be used and no others come within the time of
    /// [`credentials_timeout`](crate::bulk::BulkOptions::credentials_timeout), 300 seconds if not
    /// set, the run stops.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
    /// use oss_delete_vectors::{Credentials, TransportError};
    /// use oss_delete_vectors::transports::Run;
    /// # use oss_delete_vectors::{Deleted, InvalidValue, Target};
    /// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
    /// #     .bucket("examplebucket").index_name("vectorindex1").build()?;
    /// # let send = |_request| Ok::<_, TransportError>(Deleted::new("some id").to_response());
    ///
    /// // Asks STS, or a program, each time, on a thread of its own.
    /// let sts = || Ok::<_, InvalidValue>(
    ///     Credentials::new("STS.Example", "my-secret")?
    ///         .with_security_token("CAIS...")?
    ///         .with_expiration(SystemTime::now() + Duration::from_secs(3600)),
    /// );
    /// let mut bulk = BulkDelete::new(&target, sts()?, BulkOptions::new())?;
    /// let report = Run::new(&mut bulk).credentials_provider(sts).run_blocking(["doc-001"], send)?;
    /// assert_eq!(report.deleted, 1);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn credentials_provider<Q>(self, provider: Q) -> Run<'a, O, Q> {
        let Self { bulk, observer, listener, progress_every, .. } = self;
        bulk.enable_renewal();
        Run { bulk, observer, provider, listener, progress_every }
    }

    /// Stops the run when `handle` is stopped or aborted from now on. Earlier stops of the handle
    /// have no effect. One handle may stop any number of runs.
    pub fn stop_handle(mut self, handle: &StopHandle) -> Self {
        self.listener = Some(handle.listen());
        self
    }
}

impl<O, P> fmt::Debug for Run<'_, O, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("bulk", &self.bulk)
            .field("progress_every", &self.progress_every)
            .finish_non_exhaustive()
    }
}

/// The `BulkDelete` of a transport's `delete`.
#[cfg(any(feature = "hyper", feature = "ureq"))]
pub(super) fn new_bulk(
    target: &Target,
    credentials: Credentials,
    options: BulkOptions,
) -> Result<BulkDelete, RunError> {
    BulkDelete::new(target, credentials, with_seed(options))
        .map_err(|invalid| RunError::new(RunErrorKind::Options(invalid), Report::default(), None))
}

/// If the options have no seed it is the time of day, so that two programs do not keep step.
fn with_seed(options: BulkOptions) -> BulkOptions {
    let nanos =
        super::clock::system_now().wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are those that differ")]
    options.default_seed(nanos as u64)
}
