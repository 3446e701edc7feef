use super::{Batch, BulkDelete, Event, StopReason};
use crate::AttemptError;

/// The one batch that is split before the first success.
///
/// Before anything was deleted, a rejected batch may mean that everything will be rejected. So one
/// batch alone is split to find out, and other rejected batches are parked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Splitting {
    /// The [origin](Batch::origin) of the batch.
    pub(super) group: u64,
    /// Parts that have no outcome yet.
    parts: usize,
}

impl BulkDelete {
    /// The service rejected a batch for what is in it.
    pub(super) fn reject(&mut self, batch: Batch) {
        if self.has_its_turn(&batch) {
            self.split_or_settle(batch);
        } else {
            self.parked.push_back(batch);
        }
    }

    /// Whether this batch may be sent and split now, as far as another one is not being split.
    pub(super) fn has_its_turn(&self, batch: &Batch) -> bool {
        self.splitting.is_none_or(|splitting| splitting.group == batch.origin)
    }

    /// Splits parked batches, if none is being split. Several in turn: those of one key end here.
    pub(super) fn split_parked(&mut self) {
        while self.splitting.is_none()
            && let Some(batch) = self.parked.pop_front()
        {
            self.split_or_settle(batch);
        }
    }

    fn split_or_settle(&mut self, batch: Batch) {
        let error = batch.last_error.clone().expect("it was rejected");
        let is_single = batch.keys().len() == 1;
        if self.is_not_the_keys(&batch) {
            return self.stop_over(batch, StopReason::KeysRejected(error));
        }
        if is_single {
            return self.settle_part(batch);
        }
        self.events.push_back(Event::Split { keys: batch.keys().len(), error });
        if !self.history.had_success && self.splitting.is_none() {
            self.splitting = Some(Splitting { group: batch.origin, parts: 1 });
        }
        let (first, second) = self.split(batch);
        self.ready.push_front(second);
        self.ready.push_front(first);
    }

    /// Whether so much was rejected that the keys cannot be the reason.
    fn is_not_the_keys(&mut self, rejected: &Batch) -> bool {
        if self.history.had_success {
            self.doubt.rejected(rejected)
        } else {
            self.rejected_keys += u32::from(rejected.keys().len() == 1);
            self.rejected_keys >= KEYS
        }
    }

    /// Splits a batch whose error may not be about its keys. The back-off grows from part to part.
    pub(super) fn split_later(&mut self, mut batch: Batch, error: AttemptError) {
        self.events.push_back(Event::Split { keys: batch.keys().len(), error });
        batch.splits += 1;
        // To the outage each part is a new batch. Else an unknown error that hits everything would
        // split everything into single keys.
        batch.failed_under = None;
        let splits = batch.splits;
        let (first, second) = self.split(batch);
        for part in [second, first] {
            if self.outage.is_open() {
                self.ready.push_front(part);
            } else {
                let delay = self.back_off.after(splits + 1);
                self.delay(part, delay);
            }
        }
    }

    fn split(&mut self, batch: Batch) -> (Batch, Batch) {
        if let Some(splitting) = self.splitting_of(batch.origin) {
            splitting.parts += 1;
        }
        batch.split()
    }

    /// Settles a batch that failed for good. If it was the last part of the batch that is being
    /// split, another one may be split.
    pub(super) fn settle_part(&mut self, batch: Batch) {
        if let Some(splitting) = self.splitting_of(batch.origin) {
            splitting.parts -= 1;
            if splitting.parts == 0 {
                self.splitting = None;
            }
        }
        self.settle_failed(batch);
    }

    fn splitting_of(&mut self, origin: u64) -> Option<&mut Splitting> {
        self.splitting.as_mut().filter(|splitting| splitting.group == origin)
    }
}

/// Notices when so many keys are rejected that the keys may not be the reason.
///
/// After several keys that were rejected in a row, keys from elsewhere in the input go out as
/// probes, one at a time, each alone. If one is deleted, the service is well: eight times as many
/// keys may be rejected before the next probe, so that a long range of bad keys costs few probes.
/// If eight in a row are rejected, the keys are not the reason. Were one key in ten bad, eight keys
/// of different batches would all be bad once in 100 million times. A whole batch would be rejected
/// for a single bad key, so it proves nothing.
#[derive(Debug)]
pub(super) struct Doubt {
    /// Single keys rejected since the last deletion, and how many may be before a probe.
    keys: u32,
    most_keys: u32,
    /// Probes rejected since the last deletion, and the position of the one in flight.
    probes: u32,
    probe: Option<u64>,
}

/// Single keys in a row that raise a doubt. Before the first deletion they stop the run.
const KEYS: u32 = 8;
/// The factor by which a deleted probe raises that number, and its maximum.
const GROWTH: u32 = 8;
const MOST_KEYS: u32 = 4096;
/// Rejected probes that stop the run without a deletion between them.
const PROBES: u32 = 8;

impl Default for Doubt {
    fn default() -> Self {
        Self { keys: 0, most_keys: KEYS, probes: 0, probe: None }
    }
}

impl Doubt {
    /// Whether a probe goes out before anything else.
    pub(super) fn is_open(&self) -> bool {
        self.keys >= self.most_keys
    }

    /// `batch`, of one key, goes out as a probe.
    pub(super) fn probe(&mut self, batch: &Batch) {
        self.probe = Some(batch.start());
    }

    pub(super) fn deleted(&mut self) {
        let most_keys =
            if self.is_open() { (GROWTH * self.most_keys).min(MOST_KEYS) } else { self.most_keys };
        *self = Self { most_keys, ..Self::default() };
    }

    /// A batch, or a part of one, was rejected for its keys. Returns whether the keys are not the
    /// reason.
    pub(super) fn rejected(&mut self, batch: &Batch) -> bool {
        let is_probe = self.probe.take_if(|probe| *probe == batch.start()).is_some();
        self.probes += u32::from(is_probe);
        self.keys = self.keys.saturating_add(u32::from(batch.keys().len() == 1));
        self.probes >= PROBES
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::positions::Places;
    use super::*;
    use crate::KeyBatch;

    /// A batch of `keys` keys, the first of them at `start`.
    fn batch(start: u64, keys: usize) -> Batch {
        let mut places = Places::default();
        (start..).take(keys).for_each(|position| places.add(position));
        let keys = (0..keys).map(|number| number.to_string());
        Batch::new(KeyBatch::new(keys).unwrap(), places, &mut Arc::default())
    }

    #[test]
    fn keys_in_a_row_raise_a_doubt_until_a_deletion() {
        let mut doubt = Doubt::default();
        let reject = |doubt: &mut Doubt, keys| assert!(!doubt.rejected(&batch(0, keys)));
        for most in [8, 64, 512, 4096, 4096] {
            // A deletion before that begins the row again, and changes nothing else.
            (1..most).for_each(|_| reject(&mut doubt, 1));
            reject(&mut doubt, 2);
            assert!(!doubt.is_open(), "two keys are no single key");
            doubt.deleted();
            (0..most).for_each(|_| reject(&mut doubt, 1));
            assert!(doubt.is_open(), "{most}");
            doubt.deleted();
        }
    }

    #[test]
    fn eight_rejected_probes_clear_the_keys() {
        for deleted_after in 0..8 {
            let mut doubt = Doubt::default();
            (0..KEYS).for_each(|_| assert!(!doubt.rejected(&batch(0, 1))));
            for start in 0..deleted_after {
                doubt.probe(&batch(1000 * start, 1));
                assert!(!doubt.rejected(&batch(1, 1)), "another key is no probe");
                assert!(!doubt.rejected(&batch(1000 * start, 1)));
            }
            doubt.deleted();
            assert!(!doubt.is_open());
        }
        let mut doubt = Doubt::default();
        let rejected = (0..8).map(|start| {
            doubt.probe(&batch(1000 * start, 1));
            doubt.rejected(&batch(1000 * start, 1))
        });
        assert_eq!(rejected.collect::<Vec<_>>(), [[false; 7].as_slice(), &[true]].concat());
    }
}
