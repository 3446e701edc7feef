use std::collections::BTreeSet;
use std::time::Duration;

/// The circuit that an outage opens: failures of many batches, and no answer of the service between them.
///
/// While it is open one probe goes out at a time, ever more rarely, and attempts do not count: no batch can be blamed for it. That
/// takes as many batches as failures: a few that fail for ever are no outage, even where they are the last that are left.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// The batches that failed since the last answer, by where they begin; no more than make an outage.
    failed: BTreeSet<u64>,
    since: Duration,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    at: Duration,
    probes: u32,
    next_probe: Duration,
}

/// Batches that fail in a row and make an outage.
const BATCHES: usize = 8;

impl Outage {
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// When the next probe may go out, where only probes may.
    pub(super) fn next_probe(&self) -> Option<Duration> {
        self.open.map(|open| open.next_probe)
    }

    /// Since when nothing is answered, while the circuit is open.
    pub(super) fn since(&self) -> Option<Duration> {
        self.open.map(|_| self.since)
    }

    /// An attempt of the batch that begins at position `batch`, sent at `sent_at`, failed. Whether that opened the circuit.
    /// `delay` gives the back-off after so many failures.
    pub(super) fn failed(
        &mut self,
        now: Duration,
        sent_at: Duration,
        batch: u64,
        mut delay: impl FnMut(u32) -> Duration,
    ) -> bool {
        if let Some(open) = &mut self.open {
            // What was under way when the circuit opened is no probe, and says nothing new.
            if sent_at >= open.at {
                open.probes = open.probes.saturating_add(1);
                open.next_probe = now.saturating_add(delay(open.probes));
            }
            return false;
        }
        if self.failed.is_empty() {
            self.since = now;
        }
        self.failed.insert(batch);
        let opens = self.failed.len() >= BATCHES;
        if opens {
            self.open = Some(Open { at: now, probes: 1, next_probe: now.saturating_add(delay(1)) });
        }
        opens
    }

    /// The service answered, whatever it said. Whether that closed the circuit.
    pub(super) fn answered(&mut self) -> bool {
        std::mem::take(self).open.is_some()
    }
}
