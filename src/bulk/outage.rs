use std::time::Duration;

use super::Batch;
use crate::AttemptError;

/// Notices when nothing gets on any more: no deletion, and no verdict of the service about keys.
///
/// Once eight batches have failed since then, a circuit opens: one probe goes out at a time, ever more rarely, and attempts do not
/// count, since no batch can be blamed. A few batches that OSS always fails, or that failed while others got on, do not open it. If
/// only others are left, eight failures open it, however few batches there are.
///
/// A minute in which nothing gets on is reported as an outage in any case, a limit that lets nothing through among them.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// How often something got on. A batch remembers under which number it failed.
    progress: u64,
    /// Batches that failed under it.
    batches: u32,
    /// Failures under it that no batch can be blamed for.
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

/// What an attempt failed under.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    /// Nothing was deleted yet: a single failure is reason enough to go one at a time.
    pub(super) is_starting: bool,
    /// The batch itself may be to blame.
    pub(super) is_suspect: bool,
    /// Another batch is left that has not failed since something got on.
    pub(super) has_fresh: bool,
}

/// Batches that fail one after another and make an outage. If fewer are left, failures that none of them can be blamed for.
const FAILURES: u32 = 8;
/// Time without a deletion that is an outage in any case.
const TIME: Duration = Duration::from_secs(60);

impl Outage {
    /// Whether only probes may go out.
    pub(super) fn is_open(&self) -> bool {
        self.circuit.is_some()
    }

    /// When the next probe may go out, where only probes may.
    pub(super) fn next_probe(&self) -> Option<Duration> {
        self.circuit.map(|circuit| circuit.next_probe)
    }

    /// Since when nothing gets on, once the outage has been reported.
    pub(super) fn since(&self) -> Option<Duration> {
        self.since.filter(|_| self.is_reported)
    }

    /// The last error of the outage that has been reported.
    pub(super) fn error(&self) -> Option<&AttemptError> {
        self.error.as_ref().filter(|_| self.is_reported)
    }

    /// When it is to be reported at the latest, if it has not been.
    pub(super) fn report_at(&self) -> Option<Duration> {
        self.since.filter(|_| !self.is_reported).map(|since| since.saturating_add(TIME))
    }

    /// Whether this batch has not failed since something got on last.
    pub(super) fn is_fresh(&self, batch: &Batch) -> bool {
        batch.failed_under != Some(self.progress)
    }

    /// An attempt of `batch`, sent at `sent_at`, failed. `delay` gives the back-off after so many failures. Whether this opens the
    /// circuit.
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
            self.circuit = Some(Circuit {
                opened_at: now,
                probes: 1,
                next_probe: now.saturating_add(delay(1)),
            });
        }
        is_open
    }

    /// An attempt that was sent at `sent_at` did not get on. What was in flight when the circuit opened is no probe, and says nothing
    /// new.
    pub(super) fn probed(
        &mut self,
        now: Duration,
        sent_at: Duration,
        mut delay: impl FnMut(u32) -> Duration,
    ) {
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

    /// Where this is an outage that has not been reported, its error and how long it has lasted; it now is reported.
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

    /// Forgets what failed so far.
    pub(super) fn restart(&mut self) {
        *self = Self { progress: self.progress + 1, ..Self::default() };
    }

    /// Something got on. How long the outage lasted that this ends, if it was reported.
    pub(super) fn progressed(&mut self, now: Duration) -> Option<Duration> {
        let lasted = self.since().map(|since| now.saturating_sub(since));
        self.restart();
        lasted
    }
}
