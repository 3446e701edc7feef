//! Many callers, each with a few keys, and one result for each of them.
//!
//! A client drives [`Calls`], a state machine without IO. It merges the keys of the calls that wait
//! into the batches of one [`BulkDelete`], so that all of them share one pace, one set of retries,
//! one clock and one set of credentials. Then it gives each call the outcomes of its own keys:
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
//! - **Order.** Calls have their turn in the order in which they came. A call that has more keys
//!   than fit into one batch goes behind the others after each batch, so that a huge call does not
//!   keep small ones waiting.
//! - **As late as possible.** Keys are pushed when no closed batch waits to be sent. Calls that
//!   come until then share the batch. A call is sent at once if nothing else waits.
//! - **A key of two calls** that is in one batch has one outcome, and both calls get it. In two
//!   batches each call gets the outcome of its own request.
//! - **A stop** fails the calls that wait. The next call begins anew: [`BulkDelete::restart`].

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
/// A loop drives it as it drives a [`BulkDelete`]:
///
/// 1. **begin** calls, and [`abandon`](Self::abandon) those whose caller is gone;
/// 2. **send** what [`poll_transmit`](Self::poll_transmit) returns, until there is none;
/// 3. **take** what [`poll_event`](Self::poll_event) and [`poll_finished`](Self::poll_finished)
///    return, until there is none;
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
///
/// Every call that is not abandoned gets exactly one result, and the result is true: keys that it
/// does not name are gone, and a key that this call may have deleted is neither *rejected* nor *not
/// attempted*. Memory is bounded by the keys of the calls that have no result, and the keys that
/// have no outcome. The same seed and the same inputs give the same requests and results.
pub struct Calls {
    bulk: BulkDelete,
    /// The latest moment seen.
    now: Duration,
    pending: BTreeMap<CallId, Pending>,
    next_id: u64,
    /// Calls that wait for room.
    waiting: BTreeSet<CallId>,
    /// Room that the others take.
    room_taken: usize,
    most_waiting_keys: usize,
    /// Calls that have keys to push, by their turn.
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

/// A call that has its result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finished {
    /// Which call.
    pub id: CallId,
    /// `Ok` if all its keys are gone.
    pub result: Result<(), DeleteError>,
}

/// Events that wait before nothing new is sent.
const MOST_EVENTS: usize = 64;

impl Calls {
    /// The number of keys without an outcome from which further calls wait for room, if
    /// [`most_waiting_keys`](Self::most_waiting_keys) is not set.
    pub const DEFAULT_MOST_WAITING_KEYS: usize = 100_000;

    /// An outage of this length fails the calls that wait, unless the options set another one.
    pub const DEFAULT_OUTAGE_TIMEOUT: Duration = Duration::from_secs(60);

    /// Calls that delete from the index of `target`. If `options` have no
    /// [`outage_timeout`](BulkOptions::outage_timeout), it is
    /// [a minute](Self::DEFAULT_OUTAGE_TIMEOUT): a caller waits for the result.
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

    /// Calls wait for room while this many keys of other calls, or more, have no outcome. 0 is
    /// taken as 1. Each call counts with at most 500 keys, so that a huge one does not keep small
    /// ones out.
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

    /// Takes no more calls. Those that were begun go on.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// Sends nothing more and waits for nothing: every call has its result at once. Keys that are
    /// in flight are [unconfirmed](crate::bulk::KeyOutcome::Unconfirmed).
    pub fn abort(&mut self) {
        self.is_closed = true;
        self.is_aborted = true;
        self.bulk.abort();
        self.absorb();
        while let Some((&id, _)) = self.pending.first_key_value() {
            self.drop_call(id, End::Closed);
        }
    }

    /// The next request to send, as from [`BulkDelete::poll_transmit`]; `None` if there is none
    /// now.
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

    /// Whether [`poll_transmit`](Self::poll_transmit) would hand out a request now: see
    /// [`BulkDelete::wants_transmit`].
    #[must_use]
    pub fn wants_transmit(&mut self, now: Now) -> bool {
        self.prepare(now);
        self.events.len() < MOST_EVENTS && self.bulk.wants_transmit(now)
    }

    /// The next event of the [`BulkDelete`]; `None` if there is none. Positions in it count the
    /// keys of all calls. [`Event::Stopped`] is followed by a restart.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.absorb();
        self.events.pop_front()
    }

    /// The next call that has its result; `None` if there is none.
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

    /// Does what is due at `now`. Calling it too often does no harm.
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

    /// Takes the response to a transmit: see [`BulkDelete::handle_response`].
    pub fn handle_response<B: AsRef<[u8]>>(
        &mut self,
        now: Now,
        id: TransmitId,
        response: &Response<B>,
    ) {
        self.bulk.handle_response(now, id, response);
        self.absorb();
    }

    /// Takes note that a transmit has no response: see [`BulkDelete::handle_failure`].
    pub fn handle_failure(&mut self, now: Now, id: TransmitId, error: TransportError) {
        self.bulk.handle_failure(now, id, error);
        self.absorb();
    }

    /// Signs as `credentials` from now on: see [`BulkDelete::handle_credentials`].
    pub fn handle_credentials(&mut self, now: Now, credentials: Credentials) {
        self.bulk.handle_credentials(now, credentials);
        self.absorb();
    }

    /// Whether this is [closed](Self::close), every call has its result, and every key has its
    /// outcome, those of calls that were abandoned or timed out included.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.is_closed && self.pending.is_empty() && self.bulk.report().pending() == 0
    }

    /// Requests that have no response yet: see [`BulkDelete::in_flight`].
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.bulk.in_flight()
    }

    /// Whether a transmit still waits for its response: see [`BulkDelete::is_in_flight`].
    #[must_use]
    pub fn is_in_flight(&self, id: TransmitId) -> bool {
        self.bulk.is_in_flight(id)
    }

    /// The current state, and counters since the beginning.
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

    /// Pushes what may leave at `now`.
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
