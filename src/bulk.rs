//! Any number of keys, every one accounted for.
//!
//! [`BulkDelete`] gathers keys into batches of 500 and takes each of them to its outcome:
//!
//! ```text
//!  push
//!    |
//!    v     full, flush, finish          poll_transmit
//! filling ---------------------> ready ---------------> in flight
//!                                  ^                        |  handle_response, handle_failure,
//!                                  |                        |  or no answer in time
//!                                  |                        v
//!                                  |<-----------------------+  throttled, or to be signed anew: the next to go
//!                                  |                        |
//!                                  |<----- delayed <--------+  failed, with attempts left: after a back-off
//!                                  |                        |
//!                                  |<----- two halves <-----+  rejected for what is in it
//!                                  |           ^            |
//!                                  |           +-- parked <-+  the same, while another one is halved
//!                                                           |
//!                                                           v
//!                             settled: deleted, rejected, unconfirmed, not attempted
//! ```
//!
//! - **Settled** is a batch that was deleted, has no attempts left, is refused and cannot be halved, or whose run has stopped:
//!   [`BulkDelete::stop`] settles at once what is not in flight, [`BulkDelete::abort`] that too. [`KeyOutcome`] says what it may
//!   have suffered on its way, from all its attempts together.
//! - **Parked** are batches only before the first success. Then a rejected batch may mean that everything will be rejected, and one
//!   batch alone is split to find out.
//! - **In an outage**, eight batches that fail with no deletion between, or eight failures that are not from OSS if fewer are left,
//!   one request goes out at a time, ever more rarely. No attempt counts, and the batch that failed goes behind the others. Before the first success a single failure has the same effect, and a
//!   minute or ten attempts end the run.
//! - **In doubt**, after eight single keys that were rejected one after another, batches from elsewhere in the input go out as
//!   probes, one at a time. If they are rejected too, it is not the keys, and the run stops.
//! - **Under a rate that does not adapt**, [`Rate::Fixed`] or [`Rate::Unlimited`], a throttled batch is delayed.
//!
//! What each response leads to is [on the crate page](crate#what-to-do-about-an-error), and how fast batches leave,
//! [too](crate#pacing).

mod answers;
mod authority;
mod back_off;
mod batch;
mod checkpoint;
mod clock;
mod decide;
mod doubt;
mod event;
mod options;
mod outage;
mod pacer;
mod positions;
mod push;
mod report;
mod restart;
mod settle;
mod settled;
mod startup;
mod trace;
mod transmits;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

use self::authority::Authority;
use self::back_off::BackOff;
use self::batch::{Batch, Filling};
use self::clock::Clock;
use self::decide::History;
use self::doubt::Doubt;
use self::outage::Outage;
use self::pacer::Pacer;
use self::startup::Startup;
use crate::{Credentials, InvalidValue, Now, Target};

pub use self::checkpoint::Checkpoint;
pub use self::event::{Event, FailedKeys, KeyOutcome, StopReason};
pub use self::options::{Adaptive, BulkOptions, Pace, Rate};
pub use self::positions::Positions;
pub use self::push::PushError;
pub use self::report::Report;
pub use self::settled::Settled;
pub use self::trace::Span;
pub use self::transmits::{Transmit, TransmitId};

/// Deletes any number of keys: a state machine that batches, paces, retries and accounts for every key, and does no IO.
///
/// It is driven by a loop that owns transport and clock. [`Run`](crate::transports::Run) has two,
/// [`run_blocking`](crate::transports::Run#method.run_blocking) and
/// [`run_async`](crate::transports::Run#method.run_async). They use public methods only. A loop of
/// your own does this, over and over:
///
/// 1. **push** keys while [`can_push`](Self::can_push); [`flush`](Self::flush) when the source pauses and
///    [`wants_flush`](Self::wants_flush), [`finish`](Self::finish) at its end;
/// 2. **send** what [`poll_transmit`](Self::poll_transmit) returns, until there is none, each in
///    its [`span`](Transmit::span);
/// 3. **take** what [`poll_event`](Self::poll_event) returns, until there is none; then go on with
///    2 if there was any;
/// 4. **end** here if [`is_finished`](Self::is_finished);
/// 5. **wait** for a response, for a key if they can be pushed, or for
///    [`poll_timeout`](Self::poll_timeout);
/// 6. **hand in** what came: [`handle_response`](Self::handle_response), [`handle_failure`](Self::handle_failure),
///    [`handle_credentials`](Self::handle_credentials), [`handle_timeout`](Self::handle_timeout).
///
/// Read `now` afresh for every call. A transmit's id stands for one attempt. Extra timeouts, late
/// responses and ids that are unknown or have their response already do no harm. A response that
/// never comes is given up after [`response_timeout`](BulkOptions::response_timeout). Secrets that the
/// service repeats are taken out of what you get.
///
/// Some loops need more:
///
/// - [`enable_renewal`](Self::enable_renewal), if it answers [`Event::CredentialsNeeded`];
/// - [`BulkOptions::default_seed`], so that two runs do not keep step;
/// - [`wants_transmit`](Self::wants_transmit), if it has to get a thread before it takes a request;
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
/// let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("vectorindex1").build()?;
/// let mut bulk = BulkDelete::new(&target, Credentials::new("LTAI5tExample", "my-secret")?, BulkOptions::new())?;
/// let mut keys = (0..1234).map(|number| format!("doc-{number}"));
///
/// // Stands for a transport: a response takes 20 ms, and the first request is throttled.
/// let too_fast = ServiceError::new(StatusCode::SERVICE_UNAVAILABLE, code::SLOW_DOWN, "too fast").to_response();
/// let mut responses = std::iter::once(too_fast).chain(std::iter::repeat_with(|| Deleted::new("some id").to_response()));
/// let mut under_way = VecDeque::new();
/// // Stands for the clocks.
/// let at = |time: Duration| Now::new(time, UNIX_EPOCH + Duration::from_secs(1_702_743_657) + time);
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
///         under_way.push_back((now.monotonic + Duration::from_millis(20), transmit.id, responses.next().unwrap()));
///     }
///     if let Some(event) = bulk.poll_event() { // 3. take
///         println!("{event:?}");
///         continue;
///     }
///     if bulk.is_finished() { // 4. end
///         break;
///     }
///     let response = under_way.front().map(|&(due, ..)| due); // 5. wait
///     now = at([response, bulk.poll_timeout()].into_iter().flatten().min().expect("something is under way"));
///     while under_way.front().is_some_and(|&(due, ..)| due <= now.monotonic) { // 6. hand in
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
/// Whatever comes in, in any order, late, twice or never: no key is lost (see [`Report`]), none is reported deleted that the
/// service did not confirm, and none is reported [rejected](KeyOutcome::Rejected) or
/// [not attempted](KeyOutcome::NotAttempted) that may be gone. Memory is bounded by what is unsettled, not by the number of
/// keys. The same seed and the same inputs give the same transmits, byte for byte.
///
/// A retry after a lost response can delete a vector that someone put back under the same key in
/// between: the service has no condition to prevent it. Do not write to the index during a run, or
/// accept that.
pub struct BulkDelete {
    target: Target,
    options: BulkOptions,
    /// The latest moment seen.
    now: Now,
    phase: Phase,
    /// That of the next push.
    position: u64,
    /// Settled by an earlier run, from the next position on.
    settled_before: VecDeque<Range<u64>>,
    filling: Filling,
    ready: VecDeque<Batch>,
    /// Batches in back-off, by when it ends; the number keeps those of one moment apart.
    delayed: BTreeMap<(Duration, u64), Batch>,
    /// Refused batches that wait for another one to be halved.
    parked: VecDeque<Batch>,
    in_flight: BTreeMap<TransmitId, InFlight>,
    next_id: u64,
    /// The first attempt that may not be overdue yet.
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
    pacer: Pacer,
    events: VecDeque<Event>,
    report: Report,
    /// Keys that are settled and were not deleted: rejected, unconfirmed and not attempted.
    failed_for_good: [u64; 3],
    settled: Settled,
    /// Rejected before the first success, positions and keys: not settled until a success shows that it was the keys.
    unproven: (Settled, u64),
    /// Interrupted by a stop, positions and keys as in `failed_for_good`: not settled until a restart.
    interrupted: (Settled, [u64; 3]),
    /// How often it was restarted.
    epoch: u32,
}

/// How far the run is.
#[derive(Debug)]
enum Phase {
    Pushing,
    Finishing,
    Stopped(StopReason),
}

/// One attempt that has no answer yet.
#[derive(Debug)]
struct InFlight {
    batch: Batch,
    span: Span,
    sent_at: Duration,
    /// That of the run when it was sent.
    epoch: u32,
    /// No longer counted by the pacer.
    is_overdue: bool,
    clock_generation: u32,
    credentials_generation: u32,
    /// Those that signed it; others may have come since.
    credentials: Credentials,
}

/// The one batch that is halved before the first success.
#[derive(Debug, Clone, Copy)]
struct Splitting {
    group: u64,
    /// Pieces that have no outcome yet.
    parts: usize,
}

/// Events that wait before nothing new is begun.
const MOST_EVENTS: usize = 64;

impl BulkDelete {
    /// A run that deletes from the index of `target`.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the option that is out of its range.
    pub fn new(
        target: &Target,
        credentials: Credentials,
        options: BulkOptions,
    ) -> Result<Self, InvalidValue> {
        options.check()?;
        Ok(Self {
            target: target.clone(),
            now: Now::new(Duration::ZERO, UNIX_EPOCH),
            phase: Phase::Pushing,
            position: 0,
            settled_before: VecDeque::new(),
            filling: Filling::new(),
            ready: VecDeque::new(),
            delayed: BTreeMap::new(),
            parked: VecDeque::new(),
            in_flight: BTreeMap::new(),
            next_id: 0,
            overdue_until: TransmitId::FIRST,
            splitting: None,
            rejected_keys: 0,
            doubt: Doubt::default(),
            startup: Startup::default(),
            history: History::default(),
            authority: Authority::new(target, credentials, &options),
            back_off: BackOff::new(options.back_off, options.seed.unwrap_or_default()),
            clock: Clock::default(),
            outage: Outage::default(),
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

    /// Sends nothing more. What was not sent has its outcome at once; what is in flight is awaited.
    ///
    /// A run that is finished stays as it ended.
    #[doc(alias = "cancel")]
    pub fn stop(&mut self) {
        if !self.is_finished() {
            self.stop_because(StopReason::Requested);
        }
    }

    /// Sends nothing more and waits for nothing: keys in flight become [unconfirmed](KeyOutcome::Unconfirmed). The report is
    /// exact at once. For a loop that is dropped, or cannot wait.
    pub fn abort(&mut self) {
        self.stop();
        while let Some((_, mut attempt)) = self.in_flight.pop_first() {
            attempt.batch.may_have_deleted = true;
            self.settle_failed(attempt.batch);
        }
    }

    /// Says that from now on [`Event::CredentialsNeeded`] is followed by
    /// [`handle_credentials`](Self::handle_credentials), within the time of the options, 300
    /// seconds if not set. The same as [`BulkOptions::credentials_timeout`], for a loop that is
    /// given the `BulkDelete`.
    pub fn enable_renewal(&mut self) {
        self.authority.can_renew = true;
    }

    /// The next event; `None` if there is none.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        trace::tell(&event);
        Some(event)
    }

    /// Whether a key may be pushed. `false` before the end of the run means: not now, there is enough to do.
    #[must_use]
    pub fn can_push(&self) -> bool {
        let unsettled =
            self.ready.len() + self.delayed.len() + self.parked.len() + self.in_flight.len();
        matches!(self.phase, Phase::Pushing)
            && self.events.len() < MOST_EVENTS
            && unsettled < 2 * self.options.concurrency + 16
    }

    /// Whether keys wait for their batch to fill while nothing else waits to be sent: [`flush`](Self::flush) them if the source
    /// pauses. Where something else waits, theirs had better fill.
    #[must_use]
    pub fn wants_flush(&self) -> bool {
        self.filling.len() > 0 && self.ready.is_empty()
    }

    /// Whether a batch that takes no more keys waits to be sent. For a loop that decides as late as it
    /// can whose keys go next: it pushes while there is none.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether every pushed key has its outcome and no more can come.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        !matches!(self.phase, Phase::Pushing)
            && self.filling.len() == 0
            && self.ready.is_empty()
            && self.delayed.is_empty()
            && self.parked.is_empty()
            && self.in_flight.is_empty()
    }

    /// Why the run stopped before its end; `None` where it did not.
    #[must_use]
    pub fn stopped(&self) -> Option<&StopReason> {
        match &self.phase {
            Phase::Stopped(reason) => Some(reason),
            Phase::Pushing | Phase::Finishing => None,
        }
    }

    /// Where every key is.
    pub fn report(&self) -> Report {
        self.report
    }

    /// Which positions of push are settled.
    #[must_use]
    pub fn settled(&self) -> &Settled {
        &self.settled
    }

    /// How many keys were pushed: the position of the next one. In a resumed run the skipped ones
    /// count.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How fast requests go out at present, in requests and in keys per second.
    #[must_use]
    pub fn pace(&self) -> Pace {
        self.pacer.pace()
    }

    /// Requests that have no response yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether a transmit still waits for its response. `false` once it has its response, timed out
    /// or aborted: then nothing waits for it any more, and the loop can drop its request.
    /// [`in_flight`](Self::in_flight) says how many there are: a loop that holds more has some to
    /// drop.
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
