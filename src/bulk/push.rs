use std::fmt;
use std::sync::Arc;

use super::batch::Group;
use super::positions::Places;
use super::{Batch, BulkDelete, Phase};
use crate::keys::{BatchBuilder, Inserted};
use crate::{Key, KeyBatch};

/// The key was not pushed: the run has ended, or [`BulkDelete::can_push`] is `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushError(());

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no key can be pushed now: drain transmits and events, and ask can_push")
    }
}

impl std::error::Error for PushError {}

impl BulkDelete {
    /// Adds a key. It is sent when its batch is full, or after [`flush`](Self::flush) or
    /// [`finish`](Self::finish). A run that was [resumed](Self::resume) skips it if its position is
    /// settled.
    ///
    /// # Errors
    ///
    /// [`PushError`] if [`can_push`](Self::can_push) is `false`. Then the key is not part of the
    /// run.
    pub fn push(&mut self, key: Key<'_>) -> Result<(), PushError> {
        if !self.can_push() {
            return Err(PushError(()));
        }
        self.take(key);
        Ok(())
    }

    /// Counts a key that was read before the run stopped and was not pushed: it is [not
    /// attempted](super::KeyOutcome::NotAttempted). For a loop that reads ahead of
    /// [`can_push`](Self::can_push). Call [`finish`](Self::finish) after the last one, then take
    /// the events. A run that resumes this one sends such keys.
    ///
    /// # Errors
    ///
    /// [`PushError`] while the run has not [`stopped`](Self::stopped): [`push`](Self::push) the
    /// key.
    ///
    /// ```
    /// use oss_delete_vectors::Key;
    /// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
    /// # use oss_delete_vectors::{Credentials, Target};
    /// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
    /// #     .bucket("examplebucket").index_name("vectorindex1").build()?;
    /// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
    ///
    /// let mut bulk = BulkDelete::new(&target, credentials, BulkOptions::new())?;
    /// bulk.push(Key::new("doc-1")?)?;
    /// bulk.stop();
    /// bulk.push_unsent(Key::new("doc-2")?)?;
    /// bulk.finish();
    /// assert_eq!((bulk.report().pushed, bulk.report().not_attempted), (2, 2));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn push_unsent(&mut self, key: Key<'_>) -> Result<(), PushError> {
        if self.stopped().is_none() {
            return Err(PushError(()));
        }
        self.take(key);
        Ok(())
    }

    fn take(&mut self, key: Key<'_>) {
        let position = self.position;
        self.position += 1;
        while self.settled_before.front().is_some_and(|range| range.end <= position) {
            self.settled_before.pop_front();
        }
        if self.settled_before.front().is_some_and(|range| range.start <= position) {
            return;
        }
        if self.filling.has_no_room_at(position) {
            self.close();
        }
        let is_duplicate = self.filling.push(position, key);
        self.report.pushed += 1;
        self.report.duplicates += u64::from(is_duplicate);
        if self.filling.len() == KeyBatch::MAX_KEYS {
            self.close();
        }
    }

    fn enqueue(&mut self, batch: Batch) {
        if self.stopped().is_some() {
            self.settle_failed(batch);
        } else {
            self.ready.push_back(batch);
        }
    }

    /// Sends the keys pushed so far without waiting for a full batch.
    ///
    /// The batch stays open until [`poll_transmit`](Self::poll_transmit) returns it. Keys that are
    /// pushed while it waits for its turn, or for the rate, go with it: flushing after every key
    /// costs no request while there is something to wait for.
    pub fn flush(&mut self) {
        self.filling.flush();
        if self.stopped().is_some() {
            self.close();
        }
    }

    /// Closes the open batch.
    pub(super) fn close(&mut self) {
        if let Some(batch) = self.filling.take(self.ready.len()) {
            self.enqueue(batch);
        }
    }

    /// Declares the end of the input. Keys pushed so far are sent without waiting for a full batch.
    pub fn finish(&mut self) {
        self.flush();
        if matches!(self.phase, Phase::Pushing) {
            self.phase = Phase::Finishing;
            self.report.input_complete = true;
        }
    }
}

/// Groups that batches join in turns while this many wait: batches that are sent side by side are in
/// different groups then, so that no thread waits for another one to build its payload. While fewer
/// wait, batches in a row share a group, or most would be built alone.
const GROUPS: usize = 8;

/// The open batch, which pushed keys go into. It is closed when it is full, and otherwise only when
/// it is sent: keys that are pushed while it waits to be sent join it.
pub(super) struct Filling {
    keys: BatchBuilder,
    places: Places,
    is_flushed: bool,
    /// Those of the next batches.
    groups: [Arc<Group>; GROUPS],
}

impl Filling {
    pub(super) fn new() -> Self {
        Self {
            keys: BatchBuilder::with_capacity(0),
            places: Places::default(),
            is_flushed: false,
            groups: Default::default(),
        }
    }

    /// How many keys it has, without duplicates.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Lets the keys in it be sent although it is not full.
    pub(super) fn flush(&mut self) {
        self.is_flushed = self.len() > 0;
    }

    /// Whether it may be sent although it is not full.
    pub(super) fn is_flushed(&self) -> bool {
        self.is_flushed
    }

    /// Whether the batch has to be closed before the key at `position` is added.
    pub(super) fn has_no_room_at(&self, position: u64) -> bool {
        self.places.is_full_at(position)
    }

    /// Adds the key at `position`. Returns whether it is a duplicate.
    pub(super) fn push(&mut self, position: u64, key: Key<'_>) -> bool {
        let inserted = self.keys.insert(key);
        match inserted {
            Inserted::New => self.places.add(position),
            Inserted::Duplicate(of) => self.places.add_repeat(position, of),
            Inserted::Full => unreachable!("a full batch was closed"),
        }
        inserted != Inserted::New
    }

    /// Takes the batch as it is, if it has a key. So many others are `ready`.
    pub(super) fn take(&mut self, ready: usize) -> Option<Batch> {
        let keys = self.keys.take()?;
        self.is_flushed = false;
        if ready >= GROUPS {
            self.groups.rotate_left(1);
        }
        Some(Batch::new(keys, std::mem::take(&mut self.places), &mut self.groups[0]))
    }
}
