//! Calls on their way in: they wait for room, then for their turn, until their keys are pushed.

use super::pending::{End, Pending};
use super::{Call, CallId, Calls};
use crate::{KeyBatch, Now};

impl Calls {
    /// Takes a call. Its result comes from [`poll_finished`](Self::poll_finished): at once if it
    /// has no keys, or if this is [closed](Self::close).
    pub fn begin(&mut self, now: Now, call: Call) -> CallId {
        self.now = self.now.max(now.monotonic);
        let id = CallId(self.next_id);
        self.next_id += 1;
        let call = Pending::new(call, self.now);
        self.waiting_keys += call.unsettled;
        self.deadlines.extend(call.deadline().map(|deadline| (deadline, id)));
        let has_keys = call.unsettled > 0;
        self.pending.insert(id, call);
        self.waiting.insert(id);
        if self.is_closed {
            self.drop_call(id, End::Closed);
        } else if !has_keys {
            self.finish(id, End::Settled);
        } else {
            self.admit();
        }
        id
    }

    /// Drops the result of a call, because its caller no longer waits. Its keys are still deleted,
    /// even after its timeout, unless the call still waits for room: then nothing of it is sent.
    pub fn abandon(&mut self, id: CallId) {
        let Some(call) = self.pending.get_mut(&id) else { return };
        call.is_abandoned = true;
        if let Some(deadline) = call.forget_timeout() {
            self.deadlines.remove(&(deadline, id));
        }
        if self.waiting.contains(&id) {
            self.drop_call(id, End::Closed);
        }
    }

    /// Lets calls in as long as there is room, in the order in which they came.
    pub(super) fn admit(&mut self) {
        while self.room_taken < self.most_waiting_keys
            && let Some(id) = self.waiting.pop_first()
        {
            let call = self.pending.get_mut(&id).expect("it is pending");
            self.room_taken += call.take_room();
            self.enqueue(id);
        }
    }

    /// Puts a call behind the others.
    fn enqueue(&mut self, id: CallId) {
        let turn = self.next_turn;
        self.next_turn += 1;
        self.queue.insert(turn, id);
        self.pending.get_mut(&id).expect("it is pending").turn = Some(turn);
    }

    /// Pushes keys of the calls in turn, for as long as no closed batch waits to be sent.
    pub(super) fn push(&mut self) {
        while !self.bulk.has_unsent()
            && self.bulk.can_push()
            && let Some((_, id)) = self.queue.pop_first()
        {
            let call = self.pending.get_mut(&id).expect("it is pending");
            call.turn = None;
            let end = call.keys.len().min(call.pushed + KeyBatch::MAX_KEYS);
            while call.pushed < end && !self.bulk.has_unsent() {
                let (key, position) = (call.pushed, self.bulk.position());
                self.bulk.push(call.keys.key(key)).expect("can_push was asked before");
                self.segments.add(position, id, key);
                call.was_pushed(position);
            }
            if call.pushed < call.keys.len() {
                self.enqueue(id);
            }
        }
        if self.bulk.wants_flush() {
            self.bulk.flush();
        }
        if self.is_closed && self.queue.is_empty() && self.waiting.is_empty() {
            // No keys can come any more, so that those that are left spend their attempts.
            self.bulk.finish();
        }
    }
}
