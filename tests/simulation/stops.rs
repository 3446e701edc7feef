//! When a run may stop before its end, and when it must. The simulation keeps its own record of the
//! causes.

use std::time::{Duration, SystemTime};

use oss_delete_vectors::bulk::{StopReason, TransmitId};

use crate::meaning::Meaning;
use crate::scenario::{Provider, Scenario};

#[derive(Default)]
pub(crate) struct StopCauses {
    /// The caller stopped the run.
    pub(crate) is_requested: bool,
    had_response: bool,
    had_success: bool,
    last_success: Duration,
    /// Requests since the last progress, and when that was.
    without_progress: (u64, Duration),
    not_sent: u32,
    rejected_keys: u32,
    /// Before the first success: the number of failed attempts, and when the first attempt that
    /// failed or was throttled was sent.
    failures: u32,
    first_failure: Option<Duration>,
    /// Batches that failed or were rejected since the last success.
    rejected_batches: u32,
    fatal: bool,
    is_over: bool,
    clock: Generation,
    hopeless_clock: bool,
    credentials: Generation,
    rejected_credentials: u32,
    credentials_rejected_since: Option<Duration>,
    /// When the credentials were last replaced.
    credentials_since: Duration,
    hopeless_credentials: bool,
}

/// Requests with the same clock correction, or with the same credentials.
#[derive(Default)]
struct Generation {
    number: u32,
    /// The first transmit of this generation. `None`: the next one.
    first: Option<TransmitId>,
    is_proven: bool,
    is_rejected: bool,
}

impl Generation {
    fn sent(&mut self, id: TransmitId) {
        self.first.get_or_insert(id);
    }

    fn holds(&self, id: TransmitId) -> bool {
        self.first.is_some_and(|first| first <= id)
    }

    fn next(&mut self) {
        *self = Self { number: self.number + 1, ..Self::default() };
    }
}

/// The maximum number of requests without progress: those of all batches in the first minute,
/// before it counts as an outage. After that, one request per `MEAN_SECONDS`; the mean is one in
/// ten seconds.
const MAX_WITHOUT_PROGRESS: u64 = 3000;
const MEAN_SECONDS: u64 = 5;

impl StopCauses {
    pub(crate) fn sent(&mut self, now: Duration, id: TransmitId) {
        self.clock.sent(id);
        self.credentials.sent(id);
        self.without_progress.0 += 1;
        let (sent, since) = self.without_progress;
        let most = MAX_WITHOUT_PROGRESS + (now - since).as_secs() / MEAN_SECONDS;
        assert!(sent <= most, "{sent} requests without progress in {:?}", now - since);
    }

    /// A batch was deleted, split or given up.
    pub(crate) fn progressed(&mut self, now: Duration) {
        self.without_progress = (0, now);
    }

    pub(crate) fn renewed(&mut self, now: Duration) {
        self.credentials.next();
        self.credentials_since = now;
    }

    /// An attempt ended before the run was stopped. Returns whether the clock must be corrected.
    pub(crate) fn handle_meaning(
        &mut self,
        now: Duration,
        sent_at: Duration,
        id: TransmitId,
        meaning: Meaning,
        keys: usize,
        scenario: &Scenario,
    ) -> bool {
        if !self.had_success
            && matches!(meaning, Meaning::Failed | Meaning::NotSent | Meaning::Throttled)
        {
            self.failures += u32::from(meaning != Meaning::Throttled);
            self.first_failure.get_or_insert(sent_at);
        }
        if matches!(meaning, Meaning::Deleted | Meaning::Rejected) {
            self.progressed(now);
        }
        match meaning {
            Meaning::Deleted => {
                self.rejected_batches = 0;
                self.had_success = true;
                self.last_success = now;
                self.clock.is_proven |= self.clock.holds(id);
                if self.credentials.holds(id) {
                    self.rejected_credentials = 0;
                    self.credentials_rejected_since = None;
                }
            }
            Meaning::NotSent if !self.had_response => self.not_sent += 1,
            Meaning::Rejected if keys == 1 && !self.had_success => self.rejected_keys += 1,
            Meaning::Rejected => self.rejected_batches += 1,
            Meaning::Skewed { date } if self.clock.holds(id) => return self.skewed(date),
            Meaning::Credentials if self.credentials.holds(id) && !self.credentials.is_rejected => {
                self.credentials.is_rejected = true;
                self.rejected_credentials += 1;
                self.hopeless_credentials = scenario.provider.is_none();
                self.credentials_rejected_since.get_or_insert(now);
            }
            Meaning::NotFromOss if !self.had_success => self.fatal = true,
            Meaning::Fatal => self.fatal = true,
            _ => {}
        }
        false
    }

    fn skewed(&mut self, date: Option<SystemTime>) -> bool {
        let is_corrected = date.is_some() && (self.clock.number == 0 || self.clock.is_proven);
        if is_corrected {
            self.clock.next();
        } else {
            self.hopeless_clock = true;
        }
        is_corrected
    }

    /// Any response arrived.
    pub(crate) fn had_response(&mut self) {
        self.had_response = true;
    }

    pub(crate) fn check(
        &mut self,
        now: Duration,
        stopped: Option<&StopReason>,
        scenario: &Scenario,
    ) {
        let Some(reason) = stopped else {
            // Those in flight at the first failure count as two, so that there may be more
            // failures.
            let most = 10 + u32::try_from(scenario.concurrency).unwrap();
            assert!(
                self.had_success || self.failures < most,
                "the run continues after {} failures without a success",
                self.failures
            );
            assert!(!self.is_requested, "the run continues after stop()");
            assert!(!self.fatal, "the run continues after a fatal response");
            assert!(
                !self.hopeless_clock,
                "the run continues with a clock that cannot be corrected"
            );
            return;
        };
        if self.is_over {
            return;
        }
        self.is_over = true;
        let is_justified = match reason {
            StopReason::Requested => self.is_requested,
            StopReason::Rejected(_) => self.fatal,
            StopReason::Unreachable(_) => self.not_sent >= 3,
            StopReason::KeysRejected(_) => self.rejected_keys >= 8 || self.rejected_batches >= 16,
            StopReason::NoSuccess(_) => {
                let is_late =
                    self.first_failure.is_some_and(|first| now >= first + Duration::from_secs(60));
                !self.had_success && (self.failures >= 10 || is_late)
            }
            StopReason::Clock(_) => self.hopeless_clock,
            StopReason::Credentials(_) => {
                let is_over = |provider: Provider| {
                    self.credentials_rejected_since
                        .is_some_and(|since| now - since >= provider.timeout)
                };
                self.hopeless_credentials
                    || (self.rejected_credentials >= 2 && scenario.provider.is_some_and(is_over))
            }
            StopReason::CredentialsMissing => scenario
                .provider
                .is_some_and(|provider| now - self.credentials_since >= provider.timeout),
            StopReason::Outage(_) => {
                scenario.outage_timeout.is_some_and(|longest| now - self.last_success >= longest)
            }
            _ => false,
        };
        assert!(is_justified, "no cause for this stop: {reason}");
    }
}
