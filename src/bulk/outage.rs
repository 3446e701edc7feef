use std::time::Duration;

use super::Batch;
use crate::AttemptError;

/// Notices when there is no progress: no deletion, and no rejection of keys by the service.
///
/// After eight batches that failed without progress between them, a circuit opens. Then one probe
/// goes out at a time, with growing pauses, and attempts do not count, because no batch is the
/// reason. A few batches that OSS always fails, or that failed while others made progress, do not
/// open it. If only other batches are left, eight failures open it, however few batches there are.
///
/// A minute without progress is reported as an outage in any case, even if all attempts were
/// throttled. Throttling alone opens the circuit then as well.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// How often there was progress. A batch stores the number under which it failed.
    progress: u64,
    /// Batches that failed under this number.
    batches: u32,
    /// Failures under it that say nothing about their batch.
    blameless: u32,
    /// The first attempt that failed or was throttled under it, and the last error.
    since: Option<Duration>,
    error: Option<AttemptError>,
    is_reported: bool,
    circuit: Option<Circuit>,
}

#[derive(Debug, Clone, Copy)]
struct Circuit {
    opened_at: Duration,
    probes: u32,
    next_probe: Duration,
}

/// The circumstances of a failed attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    /// Nothing was deleted yet. Then a single failure opens the circuit.
    pub(super) is_starting: bool,
    /// The batch itself may be the reason.
    pub(super) is_suspect: bool,
    /// A batch is left that has not failed since the last progress.
    pub(super) has_fresh: bool,
}

/// Failed batches that make an outage. If fewer are left, failures that say nothing about a batch.
const FAILURES: u32 = 8;
/// The time without progress that is an outage in any case.
const TIME: Duration = Duration::from_secs(60);

impl Outage {
    /// Whether only probes may go out.
    pub(super) fn is_open(&self) -> bool {
        self.circuit.is_some()
    }

    /// When the next probe may go out, if only probes may.
    pub(super) fn next_probe(&self) -> Option<Duration> {
        self.circuit.map(|circuit| circuit.next_probe)
    }

    /// When the outage began, if it has been reported.
    pub(super) fn since(&self) -> Option<Duration> {
        self.since.filter(|_| self.is_reported)
    }

    /// The last error of the outage, if it has been reported.
    pub(super) fn error(&self) -> Option<&AttemptError> {
        self.error.as_ref().filter(|_| self.is_reported)
    }

    /// When to report it at the latest, if it has not been reported.
    pub(super) fn report_at(&self) -> Option<Duration> {
        self.since.filter(|_| !self.is_reported).map(|since| since.saturating_add(TIME))
    }

    /// Whether this batch has not failed since the last progress.
    pub(super) fn is_fresh(&self, batch: &Batch) -> bool {
        batch.failed_under != Some(self.progress)
    }

    /// An attempt of `batch`, sent at `sent_at`, failed. `delay` returns the back-off after a
    /// number of failures. Returns whether this opens the circuit.
    pub(super) fn failed(
        &mut self,
        now: Duration,
        sent_at: Duration,
        batch: &mut Batch,
        under: Circumstances,
        mut delay: impl FnMut(u32) -> Duration,
    ) -> bool {
        if self.is_fresh(batch) {
            batch.failed_under = Some(self.progress);
            batch.spent = 0;
            self.batches += 1;
        }
        self.blameless = self.blameless.saturating_add(u32::from(!under.is_suspect));
        if self.circuit.is_some() {
            self.probed(now, sent_at, delay);
            return false;
        }
        let is_open = under.is_starting
            || self.batches >= FAILURES
            || (!under.has_fresh && self.blameless >= FAILURES);
        if is_open {
            self.open(now, delay(1));
        }
        is_open
    }

    /// An attempt that was sent at `sent_at` was throttled. If the outage has been reported, this
    /// opens the circuit, at every rate. With a rate that does not adapt, each throttled batch
    /// waits on its own; and an adaptive rate whose upper bound is low may not find that the limit
    /// fell.
    pub(super) fn throttled(
        &mut self,
        now: Duration,
        sent_at: Duration,
        mut delay: impl FnMut(u32) -> Duration,
    ) {
        if self.is_open() {
            self.probed(now, sent_at, delay);
        } else if self.is_reported {
            self.open(now, delay(1));
        }
    }

    fn open(&mut self, now: Duration, delay: Duration) {
        let next_probe = now.saturating_add(delay);
        self.circuit = Some(Circuit { opened_at: now, probes: 1, next_probe });
    }

    /// An attempt that was sent at `sent_at` brought no progress. If it was in flight when the
    /// circuit opened, it is not a probe.
    fn probed(&mut self, now: Duration, sent_at: Duration, mut delay: impl FnMut(u32) -> Duration) {
        if let Some(circuit) = self.circuit.as_mut().filter(|circuit| sent_at >= circuit.opened_at)
        {
            circuit.probes = circuit.probes.saturating_add(1);
            circuit.next_probe = now.saturating_add(delay(circuit.probes));
        }
    }

    /// An attempt failed or was throttled.
    pub(super) fn remember(&mut self, now: Duration, error: &AttemptError) {
        self.since.get_or_insert(now);
        self.error = Some(error.clone());
    }

    /// Returns the error and the duration of an outage that has not been reported. From then on it
    /// counts as reported.
    pub(super) fn report(
        &mut self,
        now: Duration,
        is_starting: bool,
    ) -> Option<(AttemptError, Duration)> {
        let is_outage =
            (self.is_open() && !is_starting) || self.report_at().is_some_and(|at| at <= now);
        if !is_outage || self.is_reported {
            return None;
        }
        self.is_reported = true;
        Some((self.error.clone()?, now.saturating_sub(self.since?)))
    }

    /// For so long nothing was there to send.
    pub(super) fn skip(&mut self, idle: Duration) {
        self.since = self.since.map(|since| since.saturating_add(idle));
    }

    /// Forgets what failed so far.
    pub(super) fn restart(&mut self) {
        *self = Self { progress: self.progress + 1, ..Self::default() };
    }

    /// There was progress. Returns how long the outage lasted that this ends, if it was reported.
    pub(super) fn progressed(&mut self, now: Duration) -> Option<Duration> {
        let lasted = self.since().map(|since| now.saturating_sub(since));
        self.restart();
        lasted
    }
}
