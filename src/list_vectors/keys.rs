//! All keys of an index, page by page.

mod attempts;
mod report;
mod segment;
mod trace;
mod transmit;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use self::attempts::Failures;
pub use self::report::{ListEvent, ListReport};
use self::segment::Segment;
pub use self::transmit::{ListTransmit, ListTransmitId};
use super::{Filter, ListError, ListVectors, Selection};
use crate::bulk::{BulkOptions, StopReason};
use crate::retry::{Authority, BackOff, Clock, History, Startup};
use crate::{Credentials, GetVectors, InvalidValue, Key, KeyBatch, Now, Target};

/// Lists the keys of an index: a state machine over segments and pages, without IO.
///
/// Each selected key that is in the index all the time is yielded at least once. It may be yielded
/// again: a lost page is requested again, and a segment whose token the service no longer accepts
/// is listed from its beginning. Keys that are put or deleted in the meantime may or may not be
/// yielded.
///
/// Failures are handled as in a [`BulkDelete`](crate::bulk::BulkDelete), following the table [on
/// the crate page](crate#what-to-do-about-an-error): a failed or throttled request is sent again
/// after a back-off, the clock is corrected, and credentials are renewed. No page is ever skipped.
/// A rejection stops the listing, and so does any failure within the first ten attempts or the
/// first minute. Later the listing waits for the end of an outage, up to
/// [`outage_timeout`](BulkOptions::outage_timeout).
///
/// The loop is that of a `BulkDelete`: send what [`poll_transmit`](Self::poll_transmit) returns,
/// take [`poll_event`](Self::poll_event) and [`poll_key`](Self::poll_key), end if
/// [`is_finished`](Self::is_finished), wait until [`poll_timeout`](Self::poll_timeout), and pass in
/// what arrived. The adapters are [`list_keys`](crate::transports::list_keys) and `stream_keys`.
///
/// If the selection has a filter, the first request asks for one vector with a filter that no
/// vector matches. An endpoint that ignores filters returns one, and the listing stops with
/// [`StopReason::FilterIgnored`]: otherwise a delete by filter would delete every vector.
///
/// Memory is bounded: no page is requested while as many pages wait as there are segments, and at
/// least two.
///
/// ```
/// # #[cfg(feature = "emulator")] {
/// use std::time::{Duration, UNIX_EPOCH};
/// use oss_delete_vectors::bulk::BulkOptions;
/// use oss_delete_vectors::emulator::Emulator;
/// use oss_delete_vectors::{Credentials, KeyLister, Now, Selection, Target};
///
/// let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
///     .bucket("examplebucket").index_name("vectorindex1").build()?;
/// let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// let keys = (0..3000).map(|number| format!("doc-{}#{}", number / 10, number % 10));
/// let mut emulator = Emulator::with_vectors(&target, credentials.clone(), keys)?;
///
/// let now = Now::new(Duration::ZERO, UNIX_EPOCH + Duration::from_secs(1_702_743_657));
/// let chunks = Selection::all().prefix("doc-42#")?;
/// let mut lister = KeyLister::new(&target, credentials, chunks, BulkOptions::new())?;
/// let mut keys = Vec::new();
/// while !lister.is_finished() {
///     while let Some(transmit) = lister.poll_transmit(now) {
///         lister.handle_response(now, transmit.id, &emulator.handle(now, &transmit.request));
///     }
///     while let Some(key) = lister.poll_key() {
///         keys.push(key);
///     }
/// }
/// assert_eq!((keys.len(), keys[0].as_str()), (10, "doc-42#0"));
/// # }
/// # Ok::<_, oss_delete_vectors::InvalidValue>(())
/// ```
pub struct KeyLister {
    target: Target,
    work: Work,
    /// A filter that no vector matches, until the endpoint has applied it. Nothing is listed before
    /// that.
    unproven: Option<Filter>,
    options: BulkOptions,
    /// The latest time seen.
    now: Now,
    segments: Vec<Segment>,
    in_flight: BTreeMap<ListTransmitId, InFlight>,
    next_id: u64,
    keys: VecDeque<String>,
    events: VecDeque<ListEvent>,
    stopped: Option<ListError>,
    history: History,
    startup: Startup,
    authority: Authority,
    clock: Clock,
    back_off: BackOff,
    trouble: Failures,
    /// The time until which the service asked not to send requests.
    held_until: Duration,
    /// The minimum time between two requests, and the time of the next one.
    spacing: Duration,
    spaced_until: Duration,
    report: ListReport,
}

/// The kind of requests.
enum Work {
    Listing(Selection),
    /// Keys to look up, at most 100 per batch.
    Lookup(Box<dyn Iterator<Item = KeyBatch> + Send>),
}

/// An attempt without a response.
struct InFlight {
    segment: usize,
    sent_at: Duration,
    clock_generation: u32,
    credentials_generation: u32,
    credentials: Credentials,
}

impl KeyLister {
    /// A listing of the index of `target`.
    ///
    /// Uses the back-off, the attempts, the timeouts and the seed of `options`. Rate and
    /// concurrency have no effect: one request per segment is in flight, and
    /// [`max_requests_per_second`](Self::max_requests_per_second) limits their rate.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the option that is out of its range, or `index name` if `target` has
    /// none.
    pub fn new(
        target: &Target,
        credentials: Credentials,
        selection: Selection,
        options: BulkOptions,
    ) -> Result<Self, InvalidValue> {
        let segments = selection.segments;
        Self::of(target, credentials, Work::Listing(selection), segments, options)
    }

    /// Looks up keys with `GetVectors`, and yields those that have a vector, to verify that the
    /// keys of a run are deleted. `requests`, 1 to 16, are in flight at the same time.
    ///
    /// Keys are taken from `keys` when there is room for a request. Duplicates are dropped.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the option that is out of its range.
    ///
    /// ```
    /// # #[cfg(feature = "emulator")] {
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use oss_delete_vectors::bulk::BulkOptions;
    /// use oss_delete_vectors::emulator::Emulator;
    /// # use oss_delete_vectors::{Credentials, KeyLister, Now, Target};
    /// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
    /// #     .bucket("examplebucket").index_name("vectorindex1").build()?;
    /// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
    /// # let now = Now::new(Duration::ZERO, UNIX_EPOCH + Duration::from_secs(1_702_743_657));
    ///
    /// let mut emulator = Emulator::with_vectors(&target, credentials.clone(), ["doc-7"])?;
    /// let keys = (0..1234).map(|number| format!("doc-{number}"));
    /// let mut lookup = KeyLister::lookup(&target, credentials, keys, 4, BulkOptions::new())?;
    /// let mut present = Vec::new();
    /// while !lookup.is_finished() {
    ///     while let Some(transmit) = lookup.poll_transmit(now) {
    ///         lookup.handle_response(now, transmit.id, &emulator.handle(now, &transmit.request));
    ///     }
    ///     present.extend(lookup.poll_key());
    /// }
    /// assert_eq!((present, lookup.report().requests), (vec!["doc-7".to_owned()], 13));
    /// # }
    /// # Ok::<_, oss_delete_vectors::InvalidValue>(())
    /// ```
    pub fn lookup<K>(
        target: &Target,
        credentials: Credentials,
        keys: K,
        requests: u8,
        options: BulkOptions,
    ) -> Result<Self, InvalidValue>
    where
        K: IntoIterator<Item: AsRef<str>, IntoIter: Send + 'static>,
    {
        if !(1..=ListVectors::MAX_SEGMENTS).contains(&requests) {
            return Err(InvalidValue::new("requests", "must be 1 to 16", &requests.to_string()));
        }
        let mut keys = keys.into_iter();
        let batches = std::iter::from_fn(move || {
            // Invalid keys have no vector.
            let valid = keys.by_ref().filter(|key| Key::new(key.as_ref()).is_ok());
            let taken: Vec<_> = valid.take(GetVectors::MAX_KEYS).collect();
            KeyBatch::new(taken).ok()
        });
        Self::of(target, credentials, Work::Lookup(Box::new(batches)), requests, options)
    }

    fn of(
        target: &Target,
        credentials: Credentials,
        work: Work,
        segments: u8,
        options: BulkOptions,
    ) -> Result<Self, InvalidValue> {
        options.check()?;
        target.check_index_name()?;
        let unproven = match &work {
            Work::Listing(selection) => selection.filter.as_ref().map(Filter::contradiction),
            Work::Lookup(_) => None,
        };
        Ok(Self {
            target: target.clone(),
            work,
            unproven,
            now: Now::new(Duration::ZERO, UNIX_EPOCH),
            segments: (0..segments).map(|_| Segment::default()).collect(),
            in_flight: BTreeMap::new(),
            next_id: 0,
            keys: VecDeque::new(),
            events: VecDeque::new(),
            stopped: None,
            history: History::default(),
            startup: Startup::default(),
            authority: Authority::new(target, credentials, options.credentials_timeout),
            clock: Clock::default(),
            back_off: BackOff::new(options.back_off, options.seed.unwrap_or_default()),
            trouble: Failures::default(),
            held_until: Duration::ZERO,
            spacing: Duration::ZERO,
            spaced_until: Duration::ZERO,
            report: ListReport::default(),
            options,
        })
    }

    /// Sends at most this many requests per second, 0.001 to 1,000,000, evenly spaced: first ones
    /// and repeated ones alike. Deletes that run at the same time are not counted: they have a
    /// [maximum](crate::bulk::Adaptive::max_requests_per_second) of their own.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if it is out of its range.
    pub fn max_requests_per_second(mut self, requests: f64) -> Result<Self, InvalidValue> {
        if !(0.001..=1e6).contains(&requests) {
            let rule = "must be 0.001 to 1000000";
            let value = requests.to_string();
            return Err(InvalidValue::new("maximum of requests per second", rule, &value));
        }
        self.spacing = Duration::from_secs_f64(requests.recip());
        Ok(self)
    }

    /// Declares that [`ListEvent::CredentialsNeeded`] is followed by
    /// [`handle_credentials`](Self::handle_credentials). Same as
    /// [`BulkOptions::credentials_timeout`] with 300 seconds.
    pub fn enable_renewal(&mut self) {
        self.authority.can_renew = true;
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest, in monotonic time.
    /// `None` if only a response or a taken key can continue the listing.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        if self.stopped.is_some() || self.has_ended() {
            return None;
        }
        let service_time = self.clock.service_time(self.now.wall);
        let response = self.in_flight.values().next();
        let deadlines = [
            response.map(|attempt| attempt.sent_at.saturating_add(self.options.response_timeout)),
            self.next_due(),
            self.authority.next_poll(self.now.monotonic, service_time),
            self.startup_deadline(),
            self.trouble.report_at(),
            self.outage_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// The next event, if there is one.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<ListEvent> {
        let event = self.events.pop_front()?;
        trace::event(&event);
        Some(event)
    }

    /// The next selected key. `None` if no key is ready.
    #[must_use]
    pub fn poll_key(&mut self) -> Option<String> {
        self.keys.pop_front()
    }

    /// Whether all keys were listed and taken, or the listing [stopped](Self::stopped) and its keys
    /// were taken.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.keys.is_empty() && (self.stopped.is_some() || self.has_ended())
    }

    /// The reason why the listing stopped before its end. `None` if it did not.
    #[must_use]
    pub fn stopped(&self) -> Option<&ListError> {
        self.stopped.as_ref()
    }

    /// The counts so far.
    #[must_use]
    pub fn report(&self) -> ListReport {
        self.report
    }

    /// The number of requests without a response.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Sends nothing more. Listed keys can still be taken.
    pub fn stop(&mut self) {
        if !self.has_ended() {
            self.stop_because(StopReason::Requested);
        }
    }

    /// Whether a transmit still waits for its response.
    #[must_use]
    pub fn is_in_flight(&self, id: ListTransmitId) -> bool {
        self.in_flight.contains_key(&id)
    }

    /// Lists everything again, with the current clock, credentials and report. Keys that were not
    /// taken are dropped. A stopped listing stays stopped, and a lookup has no more keys.
    pub fn list_again(&mut self) {
        self.segments.iter_mut().for_each(|segment| *segment = Segment::default());
        self.keys.clear();
        self.in_flight.clear();
        self.trouble = Failures::default();
    }

    fn has_ended(&self) -> bool {
        self.segments.iter().all(Segment::has_ended)
    }

    fn stop_because(&mut self, reason: StopReason) {
        if self.stopped.is_none() {
            let error = ListError::new(reason);
            self.events.push_back(ListEvent::Stopped(error.clone()));
            self.stopped = Some(error);
            self.in_flight.clear();
        }
    }
}

impl fmt::Debug for KeyLister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLister")
            .field("target", &self.target)
            .field("report", &self.report)
            .field("in_flight", &self.in_flight.len())
            .finish_non_exhaustive()
    }
}
