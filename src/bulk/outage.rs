use std::time::Duration;

/// The circuit that an outage opens: many failures, of more than one batch, with no success between.
///
/// While it is open one probe goes out at a time, ever more rarely, and attempts do not count: a batch cannot be blamed for it.
#[derive(Debug, Default)]
pub(super) struct Outage {
    failures: u32,
    first_batch: Option<u64>,
    has_many_batches: bool,
    since: Duration,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    probes: u32,
    next_probe: Duration,
}

/// Failures in a row that make an outage.
const FAILURES: u32 = 8;

impl Outage {
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// When the next probe may go out, where only probes may.
    pub(super) fn next_probe(&self) -> Option<Duration> {
        self.open.map(|open| open.next_probe)
    }

    /// Since when nothing succeeds, while the circuit is open.
    pub(super) fn since(&self) -> Option<Duration> {
        self.open.map(|_| self.since)
    }

    /// An attempt of the batch that begins at position `batch` failed. Whether that opened the circuit. `delay` gives the
    /// back-off after so many failures.
    pub(super) fn failed(&mut self, now: Duration, batch: u64, mut delay: impl FnMut(u32) -> Duration) -> bool {
        if self.failures == 0 {
            self.since = now;
        }
        self.failures = self.failures.saturating_add(1);
        self.has_many_batches |= *self.first_batch.get_or_insert(batch) != batch;
        if let Some(open) = &mut self.open {
            open.probes = open.probes.saturating_add(1);
            open.next_probe = now.saturating_add(delay(open.probes));
            return false;
        }
        let opens = self.failures >= FAILURES && self.has_many_batches;
        if opens {
            self.open = Some(Open { probes: 1, next_probe: now.saturating_add(delay(1)) });
        }
        opens
    }

    /// Something succeeded. Whether that closed the circuit.
    pub(super) fn succeeded(&mut self) -> bool {
        std::mem::take(self).open.is_some()
    }
}
