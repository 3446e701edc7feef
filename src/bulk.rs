//! Deletes any number of keys, and accounts for every one.
//!
//! [`BulkDelete`] collects keys in batches of 500 and moves each batch to its outcome:
//!
//! ```text
//!  push
//!    |
//!    v  full; flushed, when sent      poll_transmit
//! filling ---------------------> ready -----------> in flight
//!                                  ^                    |  handle_response, handle_failure,
//!                                  |                    |  or no response in time
//!                                  |                    v
//!                                  |<-------------------+  throttled, or to be signed again
//!                                  |                    |
//!                                  |<--- delayed <------+  failed, with attempts left
//!                                  |                    |
//!                                  |<--- two halves <---+  rejected for its keys
//!                                  |         ^          |
//!                                  |         +- parked <+  the same, while another one is split
//!                                                       |
//!                                                       v
//!                           settled: deleted, rejected, unconfirmed, not attempted
//! ```
//!
//! - **Filling** is the open batch. It is closed when it is full, or if duplicates make it too
//!   long. After [`flush`](BulkDelete::flush) and [`finish`](BulkDelete::finish) it is also sent
//!   when no batch is ready and the rate allows it, and is closed at that moment.
//! - **Settled**: the batch was deleted, has no attempts left, was rejected and cannot be split, or
//!   its run has stopped. [`BulkDelete::stop`] and [`BulkDelete::abort`] settle everything that is
//!   not in flight at once. The outcome covers all attempts: see [`KeyOutcome`].
//! - **Parked**: before the first success, a rejected batch may mean that everything will be
//!   rejected. Only one batch is split to find out, and other rejected batches wait.
//! - **In an outage**, one request is sent at a time, with growing pauses. An outage is eight
//!   batches that fail without a deletion between them, or eight failures that are not from OSS if
//!   fewer batches are left, or a minute in which all are throttled. No attempt counts, and a
//!   failed batch is sent after the others. Before the first success a single failure has the same
//!   effect, and a minute or ten attempts end the run.
//! - **In doubt**: after eight single keys that were rejected in a row, single keys from elsewhere
//!   in the input are sent as probes, one at a time. If eight of them are rejected too, the keys
//!   are not the reason, and the run stops.
//! - **With a rate that does not adapt**, [`Rate::Fixed`] or [`Rate::Unlimited`], a throttled batch
//!   is delayed.
//! - **Throttled four times in a row**: the batch is sent after the others.
//!
//! The crate page says [what each response leads to](crate#what-to-do-about-an-error), and
//! [how fast batches leave](crate#pacing).

mod batch;
mod checkpoint;
mod event;
mod options;
mod outage;
mod pacer;
mod positions;
mod push;
mod report;
mod response;
mod split;
mod stop;
mod trace;
mod transmit;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use self::batch::{Batch, Group};
use self::outage::Outage;
use self::pacer::Pacer;
use self::push::Filling;
use self::split::{Doubt, Splitting};
use crate::retry::{Authority, BackOff, Clock, History, Startup};
use crate::signing::Signer;
use crate::{Credentials, InvalidValue, Now, Target};

pub use self::checkpoint::Checkpoint;
pub use self::event::{Event, FailedKeys, KeyOutcome, StopReason};
pub use self::options::{Adaptive, BulkOptions, Pace, Rate};
pub use self::positions::Positions;
pub use self::push::PushError;
pub use self::report::{Report, Settled};
pub use self::trace::Span;
pub use self::transmit::{Transmit, TransmitId};

/// Deletes any number of keys: a state machine that batches, paces, retries and accounts for every
/// key. It does no IO.
///
/// A loop that owns the transport and the clock drives it. [`Run`](crate::transports::Run) has two,
/// [`run_blocking`](crate::transports::Run#method.run_blocking) and
/// [`run_async`](crate::transports::Run#method.run_async). They use only public methods. A loop of
/// your own repeats these steps:
///
/// 1. **push** keys while [`can_push`](Self::can_push); [`flush`](Self::flush) when the source
///    pauses and [`wants_flush`](Self::wants_flush), [`finish`](Self::finish) at its end;
/// 2. **send** what [`poll_transmit`](Self::poll_transmit) returns, until that is `None`, each in
///    its [`span`](Transmit::span);
/// 3. **take** what [`poll_event`](Self::poll_event) returns, until that is `None`; then continue
///    with 2 if there was any;
/// 4. **end** here if [`is_finished`](Self::is_finished);
/// 5. **wait** for a response, for a key if they can be pushed, or for
///    [`poll_timeout`](Self::poll_timeout);
/// 6. **pass in** what arrived: [`handle_response`](Self::handle_response),
///    [`handle_failure`](Self::handle_failure), [`handle_credentials`](Self::handle_credentials),
///    [`handle_timeout`](Self::handle_timeout).
///
/// Read the clock for every call. A transmit's id identifies one attempt. Extra timeouts, late or
/// repeated responses and unknown ids are harmless. An attempt without a response times out after
/// [`response_timeout`](BulkOptions::response_timeout). Secrets that the service repeats are
/// removed from responses and errors.
///
/// Some loops also need:
///
/// - [`enable_renewal`](Self::enable_renewal), if it handles [`Event::CredentialsNeeded`];
/// - [`BulkOptions::default_seed`], so that two runs do not retry at the same moments;
/// - [`wants_transmit`](Self::wants_transmit), if it needs a thread before it takes a request;
/// - [`is_in_flight`](Self::is_in_flight), to drop requests that timed out;
/// - [`push_unsent`](Self::push_unsent), for keys that were read before a stop.
///
/// The example `own_loop` has all of them.
///
/// ```
/// use std::collections::VecDeque;
/// use std::time::{Duration, UNIX_EPOCH};
/// use http::StatusCode;
/// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
/// use oss_delete_vectors::{Credentials, Deleted, Key, Now, ServiceError, Target, code};
///
/// let target = Target::builder()
///     .region("cn-hangzhou")
///     .account_id("1234567890123456")
///     .bucket("examplebucket")
///     .index_name("vectorindex1")
///     .build()?;
/// let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// let mut bulk = BulkDelete::new(&target, credentials, BulkOptions::new())?;
/// let mut keys = (0..1234).map(|number| format!("doc-{number}"));
///
/// // Stands for a transport: a response takes 20 ms, and the first request is throttled.
/// let latency = Duration::from_millis(20);
/// let status = StatusCode::SERVICE_UNAVAILABLE;
/// let throttled = ServiceError::new(status, code::SLOW_DOWN, "too fast").to_response();
/// let deleted = || Deleted::new("some id").to_response();
/// let mut responses = std::iter::once(throttled).chain(std::iter::repeat_with(deleted));
/// let mut under_way = VecDeque::new();
/// // Stands for the clocks.
/// let start = UNIX_EPOCH + Duration::from_secs(1_702_743_657);
/// let at = |time: Duration| Now::new(time, start + time);
/// let mut now = at(Duration::ZERO);
///
/// loop {
///     while bulk.can_push() { // 1. push
///         match keys.next() {
///             Some(key) => bulk.push(Key::new(&key)?)?,
///             None => bulk.finish(),
///         }
///     }
///     while let Some(transmit) = bulk.poll_transmit(now) { // 2. send
///         under_way.push_back((now.monotonic + latency, transmit.id, responses.next().unwrap()));
///     }
///     if let Some(event) = bulk.poll_event() { // 3. take
///         println!("{event:?}");
///         continue;
///     }
///     if bulk.is_finished() { // 4. end
///         break;
///     }
///     let response = under_way.front().map(|&(due, ..)| due); // 5. wait
///     let next = [response, bulk.poll_timeout()].into_iter().flatten().min();
///     now = at(next.expect("something is under way"));
///     while under_way.front().is_some_and(|&(due, ..)| due <= now.monotonic) { // 6. pass in
///         let (_, id, response) = under_way.pop_front().unwrap();
///         bulk.handle_response(now, id, &response);
///     }
///     bulk.handle_timeout(now);
/// }
/// let report = bulk.report();
/// assert_eq!((report.deleted, report.requests, report.throttled), (1234, 4, 1));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # What it guarantees
///
/// Responses may arrive in any order, late, twice or never. Even so, no key is lost (see
/// [`Report`]). A key is reported deleted only if the service confirmed it. A key that may be
/// deleted is never reported [rejected](KeyOutcome::Rejected) or [not
/// attempted](KeyOutcome::NotAttempted). Memory is bounded by the unsettled keys, not by the number
/// of keys. The same seed and the same inputs give the same transmits, byte for byte.
///
/// A retry after a lost response can delete a vector that was put under the same key in the
/// meantime: the service has no condition to prevent it. Do not write to the index during a run, or
/// accept that.
pub struct BulkDelete {
    target: Arc<Target>,
    options: BulkOptions,
    /// The latest time seen.
    now: Now,
    phase: Phase,
    /// The position of the next push.
    position: u64,
    /// Positions that an earlier run settled, from the next push on.
    settled_before: VecDeque<Range<u64>>,
    filling: Filling,
    ready: VecDeque<Batch>,
    /// Batches in back-off, by its end and their first position.
    delayed: BTreeMap<(Duration, u64), Batch>,
    /// Rejected batches that wait while another one is split.
    parked: VecDeque<Batch>,
    in_flight: BTreeMap<TransmitId, InFlight>,
    /// How many times in a row the open batch was sent before a ready one.
    passed: u32,
    next_id: u64,
    /// Attempts sent before this one are overdue.
    overdue_until: TransmitId,
    splitting: Option<Splitting>,
    /// Single keys rejected before the first success.
    rejected_keys: u32,
    doubt: Doubt,
    startup: Startup,
    history: History,
    authority: Authority,
    back_off: BackOff,
    clock: Clock,
    outage: Outage,
    /// The time since which there is nothing to send and no response to wait for.
    idle_since: Option<Duration>,
    pacer: Pacer,
    events: VecDeque<Event>,
    report: Report,
    /// Settled keys that were not deleted: rejected, unconfirmed and not attempted.
    failed_for_good: [u64; 3],
    settled: Settled,
    /// Rejected before the first success: positions, and the number of keys. They are settled once
    /// a success shows that the keys were the reason.
    unproven: (Settled, u64),
    /// Interrupted by a stop, positions and keys as in `failed_for_good`: not settled until a
    /// restart.
    interrupted: (Settled, [u64; 3]),
    /// How many times it was restarted.
    epoch: u32,
}

/// The phase of a run.
#[derive(Debug)]
enum Phase {
    Pushing,
    Finishing,
    Stopped(StopReason),
}

/// An attempt without a response.
#[derive(Debug)]
struct InFlight {
    batch: Batch,
    span: Span,
    sent_at: Duration,
    ticket: pacer::Ticket,
    /// The generation of the run when it was sent.
    epoch: u32,
    /// Whether the pacer no longer counts it.
    is_overdue: bool,
    clock_generation: u32,
    credentials_generation: u32,
    /// What it was signed with. There may be newer credentials.
    signer: Arc<Signer>,
}

/// With this many pending events, no key is accepted and no request returned.
const MOST_EVENTS: usize = 64;

impl BulkDelete {
    /// Creates a run that deletes from the index of `target`.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the option that is out of its range, or `index name` if `target` has
    /// none.
    pub fn new(
        target: &Target,
        credentials: Credentials,
        options: BulkOptions,
    ) -> Result<Self, InvalidValue> {
        options.check()?;
        target.check_index_name()?;
        Ok(Self {
            target: Arc::new(target.clone()),
            now: Now::new(Duration::ZERO, UNIX_EPOCH),
            phase: Phase::Pushing,
            position: 0,
            settled_before: VecDeque::new(),
            filling: Filling::new(),
            ready: VecDeque::new(),
            delayed: BTreeMap::new(),
            parked: VecDeque::new(),
            in_flight: BTreeMap::new(),
            passed: 0,
            next_id: 0,
            overdue_until: TransmitId::FIRST,
            splitting: None,
            rejected_keys: 0,
            doubt: Doubt::default(),
            startup: Startup::default(),
            history: History::default(),
            authority: Authority::new(target, credentials, options.credentials_timeout),
            back_off: BackOff::new(options.back_off, options.seed.unwrap_or_default()),
            clock: Clock::default(),
            outage: Outage::default(),
            idle_since: None,
            pacer: Pacer::new(options.rate, options.concurrency),
            events: VecDeque::new(),
            report: Report::default(),
            failed_for_good: [0; 3],
            settled: Settled::default(),
            unproven: Default::default(),
            interrupted: Default::default(),
            epoch: 0,
            options,
        })
    }

    /// Moves the run out, for threads that share it. Leaves one without keys.
    pub(crate) fn take_out(&mut self) -> Self {
        let credentials = self.authority.signer().credentials().clone();
        let empty = Self::new(&self.target, credentials, self.options.clone());
        std::mem::replace(self, empty.expect("the options were checked"))
    }

    /// Declares that the loop handles [`Event::CredentialsNeeded`] with
    /// [`handle_credentials`](Self::handle_credentials), within
    /// [`credentials_timeout`](BulkOptions::credentials_timeout), 300 seconds by default. For a
    /// loop that did not create the `BulkDelete`; the option has the same effect.
    pub fn enable_renewal(&mut self) {
        self.authority.can_renew = true;
    }

    /// The next event, if there is one.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        trace::report(&event);
        Some(event)
    }

    /// Whether a key may be pushed. `false` while enough keys wait to be sent, and after the end of
    /// the input or of the run.
    #[must_use]
    pub fn can_push(&self) -> bool {
        let unsettled =
            self.ready.len() + self.delayed.len() + self.parked.len() + self.in_flight.len();
        matches!(self.phase, Phase::Pushing)
            && self.events.len() < MOST_EVENTS
            && unsettled < 2 * self.options.concurrency + 16
    }

    /// Whether keys wait for their batch to fill while nothing else waits to be sent.
    /// [`flush`](Self::flush) them if the source pauses. `false` once they are flushed, and while
    /// another batch waits, because filling theirs saves a request.
    #[must_use]
    pub fn wants_flush(&self) -> bool {
        self.filling.len() > 0 && !self.filling.is_flushed() && self.ready.is_empty()
    }

    /// Whether keys are wanted now. For a loop that decides as late as possible which keys are
    /// next: it pushes while this is `true`. That is while [`can_push`](Self::can_push), and no
    /// closed batch waits to be sent, or fewer than three, which may all go out at once: they are
    /// built together.
    #[must_use]
    pub fn wants_keys(&self) -> bool {
        let batches = self.ready.len() + 1;
        let may_go_at_once = || {
            self.in_flight.len() + batches <= self.options.concurrency
                && self.pacer.has_room_for(batches)
        };
        self.can_push() && (batches == 1 || (batches <= Group::SIZE && may_go_at_once()))
    }

    /// Whether every pushed key has an outcome and no more can be pushed.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        !matches!(self.phase, Phase::Pushing)
            && self.filling.len() == 0
            && self.ready.is_empty()
            && self.delayed.is_empty()
            && self.parked.is_empty()
            && self.in_flight.is_empty()
    }

    /// The reason why the run stopped before its end. `None` if it did not.
    #[must_use]
    pub fn stopped(&self) -> Option<&StopReason> {
        match &self.phase {
            Phase::Stopped(reason) => Some(reason),
            Phase::Pushing | Phase::Finishing => None,
        }
    }

    /// The numbers of keys by outcome so far.
    pub fn report(&self) -> Report {
        self.report
    }

    /// The positions whose keys are settled.
    #[must_use]
    pub fn settled(&self) -> &Settled {
        &self.settled
    }

    /// The position of the next push: the number of keys pushed so far, including those that a
    /// resumed run skipped.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The current pace, in requests and in keys per second.
    #[must_use]
    pub fn pace(&self) -> Pace {
        self.pacer.pace()
    }

    /// The number of requests without a response.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether a transmit still waits for its response. `false` after the response, a timeout or an
    /// abort: then the loop can drop the request. A loop that holds more requests than
    /// [`in_flight`](Self::in_flight) can drop some.
    #[must_use]
    pub fn is_in_flight(&self, id: TransmitId) -> bool {
        self.in_flight.contains_key(&id)
    }
}

impl fmt::Debug for BulkDelete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkDelete")
            .field("target", &self.target)
            .field("phase", &self.phase)
            .field("report", &self.report)
            .field("in_flight", &self.in_flight.len())
            .finish_non_exhaustive()
    }
}
