//! When a run may stop before its end, and when it must: what led to it, kept by the simulation
//! itself.

use std::time::{Duration, SystemTime};

use oss_delete_vectors::bulk::{StopReason, TransmitId};

use crate::meaning::Meaning;
use crate::scenario::{Provider, Scenario};

#[derive(Default)]
pub(crate) struct Grounds {
    /// The caller stopped it.
    pub(crate) is_requested: bool,
    had_response: bool,
    had_success: bool,
    last_success: Duration,
    /// Requests sent since something got on, and when that was.
    in_vain: (u64, Duration),
    not_sent: u32,
    rejected_keys: u32,
    /// Before the first success: attempts that failed, and when the first that failed or was
    /// throttled was sent.
    failures: u32,
    first_failure: Option<Duration>,
    /// Batches that failed, or that were rejected, since the last success.
    refused_since: u32,
    fatal: bool,
    is_over: bool,
    clock: Generation,
    hopeless_clock: bool,
    credentials: Generation,
    refused_credentials: u32,
    credentials_refused_since: Option<Duration>,
    /// When others came last.
    credentials_since: Duration,
    hopeless_credentials: bool,
}

/// What is signed alike: with one correction of the clock, or with the same credentials.
#[derive(Default)]
struct Generation {
    number: u32,
    /// The first transmit of it; `None`: the next.
    first: Option<TransmitId>,
    is_proven: bool,
    is_refused: bool,
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

/// Requests that may go out with nothing deleted, split or given up: in the minute until that is an
/// outage, each batch on its own. Afterwards one in so many seconds at most; the mean is ten.
const MOST_IN_VAIN: u64 = 3000;
const MEAN_SECONDS: u64 = 5;

impl Grounds {
    pub(crate) fn sent(&mut self, now: Duration, id: TransmitId) {
        self.clock.sent(id);
        self.credentials.sent(id);
        self.in_vain.0 += 1;
        let (sent, since) = self.in_vain;
        let most = MOST_IN_VAIN + (now - since).as_secs() / MEAN_SECONDS;
        assert!(sent <= most, "{sent} requests in vain in {:?}", now - since);
    }

    /// A batch was deleted, split or given up.
    pub(crate) fn got_on(&mut self, now: Duration) {
        self.in_vain = (0, now);
    }

    pub(crate) fn renewed(&mut self, now: Duration) {
        self.credentials.next();
        self.credentials_since = now;
    }

    /// An attempt with so many keys, sent at `sent_at`, ended before the run was stopped. Whether
    /// the clock is to be corrected.
    pub(crate) fn answered(
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
        if matches!(meaning, Meaning::Deleted | Meaning::Refused) {
            self.got_on(now);
        }
        match meaning {
            Meaning::Deleted => {
                self.refused_since = 0;
                self.had_success = true;
                self.last_success = now;
                self.clock.is_proven |= self.clock.holds(id);
                if self.credentials.holds(id) {
                    self.refused_credentials = 0;
                    self.credentials_refused_since = None;
                }
            }
            Meaning::NotSent if !self.had_response => self.not_sent += 1,
            Meaning::Refused if keys == 1 && !self.had_success => self.rejected_keys += 1,
            Meaning::Refused => self.refused_since += 1,
            Meaning::Skewed { date } if self.clock.holds(id) => return self.skewed(date),
            Meaning::Credentials if self.credentials.holds(id) && !self.credentials.is_refused => {
                self.credentials.is_refused = true;
                self.refused_credentials += 1;
                self.hopeless_credentials = scenario.provider.is_none();
                self.credentials_refused_since.get_or_insert(now);
            }
            Meaning::Foreign if !self.had_success => self.fatal = true,
            Meaning::Fatal => self.fatal = true,
            _ => {}
        }
        false
    }

    fn skewed(&mut self, date: Option<SystemTime>) -> bool {
        let is_learnt = date.is_some() && (self.clock.number == 0 || self.clock.is_proven);
        if is_learnt {
            self.clock.next();
        } else {
            self.hopeless_clock = true;
        }
        is_learnt
    }

    /// Some answer came, whichever.
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
            // What was in flight when the first one failed counts for two; and so may the last one.
            let most = 10 + u32::try_from(scenario.concurrency).unwrap();
            assert!(
                self.had_success || self.failures < most,
                "goes on after {} failures from the start",
                self.failures
            );
            assert!(!self.is_requested, "stopped, and it goes on");
            assert!(!self.fatal, "goes on after a fatal answer");
            assert!(!self.hopeless_clock, "goes on with a clock that cannot be corrected");
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
            StopReason::KeysRejected(_) => self.rejected_keys >= 8 || self.refused_since >= 16,
            StopReason::NoSuccess(_) => {
                let is_late =
                    self.first_failure.is_some_and(|first| now >= first + Duration::from_secs(60));
                !self.had_success && (self.failures >= 10 || is_late)
            }
            StopReason::Clock(_) => self.hopeless_clock,
            StopReason::Credentials(_) => {
                let is_over = |provider: Provider| {
                    self.credentials_refused_since
                        .is_some_and(|since| now - since >= provider.timeout)
                };
                self.hopeless_credentials
                    || (self.refused_credentials >= 2 && scenario.provider.is_some_and(is_over))
            }
            StopReason::CredentialsMissing => scenario
                .provider
                .is_some_and(|provider| now - self.credentials_since >= provider.timeout),
            StopReason::Outage(_) => {
                scenario.outage_timeout.is_some_and(|longest| now - self.last_success >= longest)
            }
            _ => false,
        };
        assert!(is_justified, "nothing led to this: {reason}");
    }
}
