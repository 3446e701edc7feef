//! Many callers, each with a few keys and a result of its own.
//!
//! A client drives [`Calls`], a state machine without IO. It merges the keys of waiting calls into
//! the batches of one [`BulkDelete`], so that all calls share one pace, retries, clock and
//! credentials. Then it gives each call the outcomes of its own keys:
//!
//! ```text
//!  begin            admitted              pushed, batch by batch       poll_finished
//!    |
//!    v    room                 in turns                      outcomes
//! waiting ----> queue of calls --------> segments of positions ----> Ok, or the keys not gone
//!                 ^         |            in the BulkDelete             ^
//!                 |         |                                          |
//!                 +---------+  more keys                               |
//!                 |                                                    |
//!                 +----------------------------------------------------+  timeout, stop, abort
//! ```
//!
//! - **Order.** Calls take turns in the order in which they began. A call with more keys than fit
//!   into one batch goes to the end after each batch, so that a huge call does not delay small
//!   ones.
//! - **As late as possible.** Keys are pushed when no closed batch waits to be sent. Calls that
//!   begin until then share the batch. A call is sent at once if nothing else waits. Up to three
//!   batches are closed together if all may go out at once: they are built in half the time.
//! - **The same key in two calls** has one outcome for both if it is in one batch. In two batches,
//!   each call gets the outcome of its own request.
//! - **A stop** fails the waiting calls. The next call starts again: [`BulkDelete::restart`].

mod call;
mod error;
mod incoming;
mod metrics;
mod outcomes;
mod pending;
mod segments;
mod trace;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::time::Duration;

use http::Response;

use self::pending::{End, Pending};
use self::segments::Segments;
use crate::bulk::{BulkDelete, BulkOptions, Event, Transmit, TransmitId};
use crate::{Credentials, InvalidValue, Now, Target, TransportError};

pub use self::call::Call;
pub use self::error::{DeleteError, DeleteErrorKind, NotDeleted};
pub use self::metrics::Metrics;

/// Deletes the keys of many calls, and gives each call its result: a state machine without IO.
///
/// A loop drives it like a [`BulkDelete`]:
///
/// 1. **begin** calls, and [`abandon`](Self::abandon) those whose caller is gone;
/// 2. **send** what [`poll_transmit`](Self::poll_transmit) returns, until it is `None`;
/// 3. **take** what [`poll_event`](Self::poll_event) and [`poll_finished`](Self::poll_finished)
///    return, until it is `None`;
/// 4. **end** here if [`is_finished`](Self::is_finished);
/// 5. **wait** for a call, for a response, or for [`poll_timeout`](Self::poll_timeout);
/// 6. **pass in** what arrived: [`handle_response`](Self::handle_response),
///    [`handle_failure`](Self::handle_failure), [`handle_credentials`](Self::handle_credentials),
///    [`handle_timeout`](Self::handle_timeout).
///
/// ```
/// # #[cfg(feature = "emulator")] {
/// use std::time::{Duration, UNIX_EPOCH};
/// use oss_delete_vectors::bulk::{BulkOptions, KeyOutcome};
/// use oss_delete_vectors::calls::{Call, Calls};
/// use oss_delete_vectors::emulator::Emulator;
/// # use oss_delete_vectors::{Credentials, Now, Target};
/// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("vectorindex1").build()?;
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// # let now = Now::new(Duration::ZERO, UNIX_EPOCH + Duration::from_secs(1_702_743_657));
///
/// // A service that rejects one key.
/// let mut emulator = Emulator::with_vectors(&target, credentials.clone(), ["a", "b", "bad"])?;
/// emulator.reject_keys(["bad"]);
/// let mut calls = Calls::new(&target, credentials, BulkOptions::new())?;
/// let good = calls.begin(now, Call::new(["a", "b"])?);
/// let bad = calls.begin(now, Call::new(["b", "bad"])?);
///
/// let mut results = Vec::new();
/// while results.len() < 2 {
///     while let Some(transmit) = calls.poll_transmit(now) {
///         calls.handle_response(now, transmit.id, &emulator.handle(now, &transmit.to_request()));
///     }
///     results.extend(std::iter::from_fn(|| calls.poll_finished()));
///     while calls.poll_event().is_some() {}
/// }
/// let result = |call| results.iter().find(|finished| finished.id == call).unwrap().result.clone();
/// assert_eq!(result(good), Ok(()));
/// let error = result(bad).unwrap_err();
/// let not_deleted: Vec<_> = error.not_deleted().map(|key| (key.key, key.outcome)).collect();
/// assert_eq!(not_deleted, [("bad", KeyOutcome::Rejected)]);
/// # }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # What it guarantees
/// Every call that is not abandoned gets exactly one correct result: keys that it does not list are
/// deleted, and a key that this call may have deleted is neither *rejected* nor *not attempted*.
/// Memory is bounded by the keys of calls without a result and the keys without an outcome. The
/// same seed and inputs give the same requests and results.
pub struct Calls {
    bulk: BulkDelete,
    /// The latest time seen.
    now: Duration,
    pending: BTreeMap<CallId, Pending>,
    next_id: u64,
    /// Calls that wait for room.
    waiting: BTreeSet<CallId>,
    /// The room that the other calls take.
    room_taken: usize,
    most_waiting_keys: usize,
    /// Calls with keys to push, by their turn.
    queue: BTreeMap<u64, CallId>,
    next_turn: u64,
    segments: Segments,
    deadlines: BTreeSet<(Duration, CallId)>,
    events: VecDeque<Event>,
    finished: VecDeque<Finished>,
    is_closed: bool,
    is_aborted: bool,
    /// Keys without an outcome.
    waiting_keys: usize,
    failed_calls: u64,
}

/// Identifies a call of one [`Calls`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

/// A call with its result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finished {
    /// The call.
    pub id: CallId,
    /// `Ok` if all its keys are deleted.
    pub result: Result<(), DeleteError>,
}

/// The number of waiting events from which nothing new is sent.
const MOST_EVENTS: usize = 64;

impl Calls {
    /// The default of [`most_waiting_keys`](Self::most_waiting_keys): with this many keys without
    /// an outcome, further calls wait for room.
    pub const DEFAULT_MOST_WAITING_KEYS: usize = 100_000;

    /// The default outage timeout. An outage of this length fails the waiting calls.
    pub const DEFAULT_OUTAGE_TIMEOUT: Duration = Duration::from_secs(60);

    /// Calls that delete from the index of `target`. The default of
    /// [`outage_timeout`](BulkOptions::outage_timeout) is [a minute](Self::DEFAULT_OUTAGE_TIMEOUT)
    /// here, because callers wait for their results.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the option that is out of its range.
    pub fn new(
        target: &Target,
        credentials: Credentials,
        options: BulkOptions,
    ) -> Result<Self, InvalidValue> {
        let options = options.default_outage_timeout(Self::DEFAULT_OUTAGE_TIMEOUT);
        Ok(Self {
            bulk: BulkDelete::new(target, credentials, options)?,
            now: Duration::ZERO,
            pending: BTreeMap::new(),
            next_id: 0,
            waiting: BTreeSet::new(),
            room_taken: 0,
            most_waiting_keys: Self::DEFAULT_MOST_WAITING_KEYS,
            queue: BTreeMap::new(),
            next_turn: 0,
            segments: Segments::default(),
            deadlines: BTreeSet::new(),
            events: VecDeque::new(),
            finished: VecDeque::new(),
            is_closed: false,
            is_aborted: false,
            waiting_keys: 0,
            failed_calls: 0,
        })
    }

    /// Calls wait for room while this many keys of other calls, or more, have no outcome. 0 counts
    /// as 1. Each call counts with at most 500 keys, so that a huge one does not block small ones.
    #[must_use]
    pub fn most_waiting_keys(mut self, keys: usize) -> Self {
        self.most_waiting_keys = keys.max(1);
        self
    }

    /// Declares that [`Event::CredentialsNeeded`] is followed by
    /// [`handle_credentials`](Self::handle_credentials): see [`BulkDelete::enable_renewal`].
    pub fn enable_renewal(&mut self) {
        self.bulk.enable_renewal();
    }

    /// Accepts no more calls. Current calls continue.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// Sends nothing more and waits for no response: every call has its result at once. Keys in
    /// flight are [unconfirmed](crate::bulk::KeyOutcome::Unconfirmed).
    pub fn abort(&mut self) {
        self.is_closed = true;
        self.is_aborted = true;
        self.bulk.abort();
        self.absorb();
        while let Some((&id, _)) = self.pending.first_key_value() {
            self.drop_call(id, End::Closed);
        }
    }

    /// The next request to send, as from [`BulkDelete::poll_transmit`]. `None` if no request
    /// is due.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Now) -> Option<Transmit> {
        self.prepare(now);
        if self.events.len() >= MOST_EVENTS {
            return None;
        }
        let transmit = self.bulk.poll_transmit(now)?;
        if cfg!(feature = "tracing") {
            let calls =
                transmit.positions.ranges().flat_map(|range| self.segments.overlapping(&range));
            for (id, _) in calls {
                if let Some(call) = self.pending.get(&id) {
                    call.span.is_cause_of(&transmit.span);
                }
            }
        }
        Some(transmit)
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) would return a request now: see
    /// [`BulkDelete::wants_transmit`].
    #[must_use]
    pub fn wants_transmit(&mut self, now: Now) -> bool {
        self.prepare(now);
        self.events.len() < MOST_EVENTS && self.bulk.wants_transmit(now)
    }

    /// The next event of the [`BulkDelete`]. `None` if no event waits. Its positions count the keys
    /// of all calls. After [`Event::Stopped`] it restarts.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.absorb();
        self.events.pop_front()
    }

    /// The next call with its result. `None` if none has ended.
    #[must_use]
    pub fn poll_finished(&mut self) -> Option<Finished> {
        self.finished.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest, in monotonic time: see
    /// [`BulkDelete::poll_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let deadline = self.deadlines.first().map(|&(deadline, _)| deadline);
        [deadline, self.bulk.poll_timeout()].into_iter().flatten().min()
    }

    /// Handles everything that is due at `now`. Extra calls are harmless.
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = self.now.max(now.monotonic);
        self.bulk.handle_timeout(now);
        self.absorb();
        while let Some(&(deadline, id)) = self.deadlines.first()
            && deadline <= self.now
        {
            self.drop_call(id, End::TimedOut);
        }
    }

    /// Handles the response to a transmit: see [`BulkDelete::handle_response`].
    pub fn handle_response<B: AsRef<[u8]>>(
        &mut self,
        now: Now,
        id: TransmitId,
        response: &Response<B>,
    ) {
        self.bulk.handle_response(now, id, response);
        self.absorb();
    }

    /// Handles a transmit without a response: see [`BulkDelete::handle_failure`].
    pub fn handle_failure(&mut self, now: Now, id: TransmitId, error: TransportError) {
        self.bulk.handle_failure(now, id, error);
        self.absorb();
    }

    /// Signs with `credentials` from now on: see [`BulkDelete::handle_credentials`].
    pub fn handle_credentials(&mut self, now: Now, credentials: Credentials) {
        self.bulk.handle_credentials(now, credentials);
        self.absorb();
    }

    /// Whether it is [closed](Self::close), every call has its result, and every key has its
    /// outcome, including keys of abandoned and timed-out calls.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.is_closed && self.pending.is_empty() && self.bulk.report().pending() == 0
    }

    /// The number of requests without a response: see [`BulkDelete::in_flight`].
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.bulk.in_flight()
    }

    /// Whether a transmit still waits for its response: see [`BulkDelete::is_in_flight`].
    #[must_use]
    pub fn is_in_flight(&self, id: TransmitId) -> bool {
        self.bulk.is_in_flight(id)
    }

    /// The current state, and counters since the start.
    #[must_use]
    pub fn metrics(&self, now: Now) -> Metrics {
        let report = self.bulk.report();
        let oldest = self.pending.first_key_value().map(|(_, call)| call.begun);
        Metrics {
            calls: self.next_id,
            failed_calls: self.failed_calls,
            keys: report.pushed,
            deleted: report.deleted,
            requests: report.requests,
            throttled: report.throttled,
            retries: report.retries,
            in_flight: self.in_flight(),
            waiting_calls: self.pending.len(),
            waiting_keys: self.waiting_keys,
            oldest_call: oldest.map(|begun| now.monotonic.saturating_sub(begun)),
            pace: self.bulk.pace(),
        }
    }

    /// Pushes the keys that may be sent at `now`.
    fn prepare(&mut self, now: Now) {
        self.now = self.now.max(now.monotonic);
        self.push();
        self.absorb();
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls")
            .field("bulk", &self.bulk)
            .field("pending", &self.pending.len())
            .field("waiting", &self.waiting.len())
            .field("is_closed", &self.is_closed)
            .finish_non_exhaustive()
    }
}
