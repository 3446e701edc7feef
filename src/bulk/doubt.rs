use super::Batch;

/// Notices when so many keys are rejected that the keys may not be the reason.
///
/// After several single keys that were rejected in a row, whole batches from elsewhere in the input
/// go out as probes, one at a time. If a probe is deleted, the service is well: eight times as many
/// keys may be rejected before the next probe, so that a long range of bad keys costs few probes.
/// If the probes are rejected too, the keys are not the reason.
#[derive(Debug)]
pub(super) struct Doubt {
    /// Single keys rejected since the last deletion, and how many may be before a probe.
    keys: u32,
    most_keys: u32,
    /// Whole batches rejected since the last deletion, and the probes among them.
    batches: u32,
    probes: u32,
    probe: Option<u64>,
}

/// Single keys in a row that raise a doubt. Before the first deletion they stop the run.
pub(super) const KEYS: u32 = 8;
/// The factor by which a deleted probe raises that number, and its maximum.
const GROWTH: u32 = 8;
const MOST_KEYS: u32 = 4096;
/// Rejected batches, and probes among them, that stop the run without a deletion between them.
const BATCHES: u32 = 8;
const PROBES: u32 = 3;

impl Default for Doubt {
    fn default() -> Self {
        Self { keys: 0, most_keys: KEYS, batches: 0, probes: 0, probe: None }
    }
}

impl Doubt {
    /// Whether a probe goes out before anything else.
    pub(super) fn is_open(&self) -> bool {
        self.keys >= self.most_keys
    }

    /// `batch` goes out as a probe.
    pub(super) fn probe(&mut self, batch: &Batch) {
        self.probe = Some(batch.origin);
    }

    pub(super) fn deleted(&mut self) {
        let most_keys =
            if self.is_open() { (GROWTH * self.most_keys).min(MOST_KEYS) } else { self.most_keys };
        *self = Self { most_keys, ..Self::default() };
    }

    /// A batch, or a part of one, was rejected for its keys. `has_untried`: a batch is left to
    /// probe with. Returns whether the keys are not the reason.
    pub(super) fn rejected(&mut self, batch: &Batch, has_untried: bool) -> bool {
        let is_probe = self.probe.take_if(|probe| *probe == batch.origin).is_some();
        self.probes += u32::from(is_probe);
        self.batches += u32::from(batch.is_whole);
        self.keys = self.keys.saturating_add(u32::from(batch.keys().len() == 1));
        self.is_open() && self.batches >= BATCHES && (self.probes >= PROBES || !has_untried)
    }
}
