use std::time::Duration;

use super::{AttemptError, Batch};

/// Notices when nothing gets on any more: no deletion, and no verdict of the service about keys.
///
/// Once eight batches have failed since then, a circuit opens: one probe goes out at a time, ever more rarely, and attempts do not
/// count, since no batch can be blamed. It takes as many batches as failures: a few that always fail are no outage. A limit that
/// lets nothing through for a minute is an outage as well, but the pacer decides then when the next request leaves.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// How often something got on. A batch remembers under which number it failed.
    progress: u64,
    /// Batches that failed under it.
    batches: usize,
    /// The first failure, and the first throttled response, under it.
    failing_since: Option<Duration>,
    throttled_since: Option<Duration>,
    circuit: Option<Circuit>,
    /// The last error, once the outage has been reported.
    reported: Option<AttemptError>,
}

#[derive(Debug, Clone, Copy)]
struct Circuit {
    opened_at: Duration,
    probes: u32,
    next_probe: Duration,
}

/// Batches that fail one after another and make an outage.
pub(super) const BATCHES: usize = 8;
/// Time without a deletion that makes an outage of a limit.
const THROTTLED: Duration = Duration::from_secs(60);

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
        self.reported.as_ref().and(self.first())
    }

    /// The last error of the outage that has been reported.
    pub(super) fn error(&self) -> Option<&AttemptError> {
        self.reported.as_ref()
    }

    /// Whether this batch has not failed since something got on last.
    pub(super) fn is_fresh(&self, batch: &Batch) -> bool {
        batch.failed_under != Some(self.progress)
    }

    /// An attempt of `batch`, sent at `sent_at`, failed. The circuit opens after `most` batches. `delay` gives the back-off after so
    /// many failures.
    pub(super) fn failed(
        &mut self,
        now: Duration,
        sent_at: Duration,
        batch: &mut Batch,
        most: usize,
        mut delay: impl FnMut(u32) -> Duration,
    ) {
        self.failing_since.get_or_insert(now);
        if self.is_fresh(batch) {
            batch.failed_under = Some(self.progress);
            self.batches += 1;
        }
        if self.circuit.is_some() {
            self.probed(now, sent_at, delay);
        } else if self.batches >= most {
            self.circuit = Some(Circuit { opened_at: now, probes: 1, next_probe: now.saturating_add(delay(1)) });
        }
    }

    /// An attempt that was sent at `sent_at` did not get on. What was in flight when the circuit opened is no probe, and says nothing
    /// new.
    pub(super) fn probed(&mut self, now: Duration, sent_at: Duration, mut delay: impl FnMut(u32) -> Duration) {
        if let Some(circuit) = self.circuit.as_mut().filter(|circuit| sent_at >= circuit.opened_at) {
            circuit.probes = circuit.probes.saturating_add(1);
            circuit.next_probe = now.saturating_add(delay(circuit.probes));
        }
    }

    /// An attempt was throttled.
    pub(super) fn throttled(&mut self, now: Duration) {
        self.throttled_since.get_or_insert(now);
    }

    /// Where this is an outage that has not been reported, how long it has lasted; it now is.
    pub(super) fn report(&mut self, now: Duration, error: &AttemptError) -> Option<Duration> {
        let is_new = self.reported.is_none();
        let is_limit = self.throttled_since.is_some_and(|since| now.saturating_sub(since) >= THROTTLED);
        if !is_new || is_limit || self.is_open() {
            self.reported = Some(error.clone());
        }
        self.since().filter(|_| is_new).map(|since| now.saturating_sub(since))
    }

    /// Something got on. How long the outage lasted that this ends, if it was reported.
    pub(super) fn progressed(&mut self, now: Duration) -> Option<Duration> {
        let lasted = self.since().map(|since| now.saturating_sub(since));
        *self = Self { progress: self.progress + 1, ..Self::default() };
        lasted
    }

    fn first(&self) -> Option<Duration> {
        [self.failing_since, self.throttled_since].into_iter().flatten().min()
    }
}
