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

#[cfg(test)]
mod tests {
    use super::super::batch::Places;
    use super::*;
    use crate::KeyBatch;

    /// A batch of `keys` keys, the first of them at `start`.
    fn batch(start: u64, keys: usize) -> Batch {
        let mut places = Places::default();
        (start..).take(keys).for_each(|position| places.add(position));
        let keys = (0..keys).map(|number| number.to_string());
        Batch::new(KeyBatch::new(keys).unwrap(), places)
    }

    fn single() -> Batch {
        let mut single = batch(0, 1);
        single.is_whole = false;
        single
    }

    #[test]
    fn keys_in_a_row_raise_a_doubt_until_a_deletion() {
        let mut doubt = Doubt::default();
        for most in [8, 64, 512, 4096, 4096] {
            // A deletion before that begins the row again, and changes nothing else.
            (1..most).for_each(|_| assert!(!doubt.rejected(&single(), true) && !doubt.is_open()));
            doubt.deleted();
            (1..most).for_each(|_| assert!(!doubt.rejected(&single(), true) && !doubt.is_open()));
            assert!(!doubt.rejected(&batch(0, 2), true) && !doubt.is_open(), "not a single key");
            assert!(!doubt.rejected(&single(), true) && doubt.is_open(), "{most}");
            doubt.deleted();
        }
    }

    #[test]
    fn rejected_probes_clear_the_keys() {
        // Batches rejected before the doubt, those after it that are no probes, and the probes.
        for (before, others, probes, has_untried, expected) in [
            (0, 0, 7, true, false),
            (0, 0, 8, true, true),
            (5, 0, 2, true, false),
            (5, 0, 3, true, true),
            (5, 1, 2, true, false),
            (6, 0, 1, false, false),
            (7, 0, 1, false, true),
            (8, 9, 0, true, false),
            (8, 0, 0, false, true),
        ] {
            let mut doubt = Doubt::default();
            let mut is_clear = false;
            (0..before).for_each(|_| assert!(!doubt.rejected(&batch(0, 500), false)));
            for number in 1..=KEYS {
                is_clear = doubt.rejected(&single(), has_untried);
                assert!(number == KEYS || !is_clear);
            }
            (0..others).for_each(|_| is_clear = doubt.rejected(&batch(7, 500), has_untried));
            for start in 0..probes {
                assert!(!is_clear);
                doubt.probe(&batch(1000 * start, 500));
                is_clear = doubt.rejected(&batch(1000 * start, 500), has_untried);
            }
            let case = (before, others, probes, has_untried);
            assert_eq!(is_clear, expected, "{case:?}");
            doubt.deleted();
            assert!(!doubt.is_open());
        }
    }
}
