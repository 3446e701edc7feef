//! Ties a checkpoint to its keys: a running hash over the keys in the order of their positions.
//!
//! It changes with everything that decides the key of a position: the inputs, their order, their
//! format, and the skipped lines.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use oss_delete_vectors::bulk::Settled;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The number of keys between two marks.
const STEP: u64 = 64;

/// A position, and the hash of all keys before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) position: u64,
    sha256: [u8; 32],
}

impl Mark {
    pub(crate) fn to_json(&self) -> Value {
        let sha256: String = self.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({ "position": self.position, "sha256": sha256 })
    }

    /// Returns `None` unless `to_json` could have written `value`.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let text = value.get("sha256")?.as_str()?;
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut sha256 = [0; 32];
        for (index, byte) in sha256.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
        }
        Some(Self { position: value.get("position")?.as_u64()?, sha256 })
    }
}

/// The hash of the keys read so far, with marks. It is shared: one thread reads keys, another one
/// saves marks.
///
/// Marks before the settled positions are dropped. So the number of marks is bounded, because the
/// number of unsettled keys is.
#[derive(Default)]
pub(crate) struct Fingerprint(Mutex<Option<Running>>);

struct Running {
    position: u64,
    hash: Sha256,
    marks: VecDeque<Mark>,
    /// The end of the last settled range at the last call of `mark`.
    settled: u64,
}

impl Running {
    fn mark(&self) -> Mark {
        Mark { position: self.position, sha256: self.hash.clone().finalize().into() }
    }
}

impl Fingerprint {
    /// Starts hashing. Only runs with a checkpoint do.
    pub(crate) fn start(&self) {
        let mut running =
            Running { position: 0, hash: Sha256::new(), marks: VecDeque::new(), settled: 0 };
        running.marks.push_back(running.mark());
        *self.lock() = Some(running);
    }

    pub(crate) fn add(&self, key: &str) {
        let mut running = self.lock();
        let Some(running) = &mut *running else { return };
        running.hash.update((key.len() as u64).to_le_bytes());
        running.hash.update(key);
        running.position += 1;
        if running.position.is_multiple_of(STEP) && running.position >= running.settled {
            running.marks.push_back(running.mark());
        }
    }

    /// The first mark at or after `settled`, the end of the last settled range. Later calls must
    /// not pass a smaller one.
    pub(crate) fn mark(&self, settled: u64) -> Mark {
        let mut running = self.lock();
        let running = running.as_mut().expect("a run with a checkpoint started it");
        running.settled = settled;
        while running.marks.front().is_some_and(|mark| mark.position < settled) {
            running.marks.pop_front();
        }
        // A key is read before it is settled.
        running.marks.front().cloned().unwrap_or_else(|| running.mark())
    }

    /// Whether the keys read so far are those before `mark`.
    pub(crate) fn is_at(&self, mark: &Mark) -> bool {
        self.lock().as_ref().is_some_and(|running| running.mark() == *mark)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of the last settled range.
pub(crate) fn end_of(settled: &Settled) -> u64 {
    settled.ranges().last().map_or(settled.prefix(), |range| range.end)
}

/// Keys that were read ahead to compare them, for the run to take.
///
/// Only unsettled keys are kept; their number is bounded by the run. The run skips settled
/// positions with any key, so one settled key stands for all of them. If it were sent, it would
/// only be deleted once more.
#[derive(Default)]
pub(crate) struct ReadAhead {
    settled: Settled,
    settled_key: Option<String>,
    unsettled: VecDeque<String>,
    /// The positions that the run has not taken yet.
    position: u64,
    end: u64,
}

impl ReadAhead {
    pub(crate) fn new(settled: Settled) -> Self {
        Self { settled, ..Self::default() }
    }

    /// The number of added keys, including those already taken.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn push(&mut self, key: String) {
        if self.settled.contains(self.end) {
            self.settled_key.get_or_insert(key);
        } else {
            self.unsettled.push_back(key);
        }
        self.end += 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.position == self.end
    }

    pub(crate) fn pop(&mut self) -> Option<String> {
        if self.is_empty() {
            // Frees the ranges, which can be many after a long run.
            mem::take(&mut self.settled);
            return None;
        }
        let position = self.position;
        self.position += 1;
        if self.settled.contains(position) {
            self.settled_key.clone()
        } else {
            self.unsettled.pop_front()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keys: &[&str]) -> Mark {
        let fingerprint = Fingerprint::default();
        fingerprint.start();
        keys.iter().for_each(|key| fingerprint.add(key));
        let running = fingerprint.lock();
        running.as_ref().unwrap().mark()
    }

    #[test]
    fn every_change_of_keys_or_order_is_detected() {
        let keys = of(&["ab", "c", "d"]);
        assert_eq!(keys, of(&["ab", "c", "d"]));
        for others in [
            &["a", "bc", "d"][..],
            &["c", "ab", "d"],
            &["ab", "c"],
            &["ab", "c", "d", ""],
            &["ab", "c", "e"],
        ] {
            assert_ne!(keys, of(others), "{others:?}");
        }
        assert_eq!(Mark::from_json(&keys.to_json()), Some(keys));
    }

    #[test]
    fn a_mark_is_at_or_after_the_settled_positions() {
        let fingerprint = Fingerprint::default();
        fingerprint.start();
        let keys: Vec<String> = (0..1000).map(|number| format!("doc-{number}")).collect();
        keys.iter().for_each(|key| fingerprint.add(key));
        for (settled, position) in
            [(0, 0), (1, 64), (64, 64), (65, 128), (959, 960), (961, 1000), (1000, 1000)]
        {
            let mark = fingerprint.mark(settled);
            let before: Vec<&str> = keys[..position].iter().map(String::as_str).collect();
            assert_eq!(mark, of(&before), "{settled}");
        }
    }

    #[test]
    fn marks_stay_few_in_a_long_run() {
        let fingerprint = Fingerprint::default();
        fingerprint.start();
        for number in 0..100_000_u64 {
            fingerprint.add("doc");
            if number % 500 == 0 {
                fingerprint.mark(number.saturating_sub(10_000));
            }
        }
        assert!(fingerprint.lock().as_ref().unwrap().marks.len() <= 10_600 / 64);
    }
}
