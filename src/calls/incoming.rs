//! Incoming calls. They wait for room, and then for their turn, until their keys are pushed.

use super::pending::{End, Pending};
use super::{Call, CallId, Calls};
use crate::{KeyBatch, Now};

impl Calls {
    /// Begins a call. [`poll_finished`](Self::poll_finished) returns its result: at once if it has
    /// no keys, or if this is [closed](Self::close).
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
    /// even after its timeout. If the call still waits for room, nothing is sent.
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

    /// Admits calls while there is room, in the order in which they began.
    pub(super) fn admit(&mut self) {
        while self.room_taken < self.most_waiting_keys
            && let Some(id) = self.waiting.pop_first()
        {
            let call = self.pending.get_mut(&id).expect("a pending call");
            self.room_taken += call.take_room();
            self.enqueue(id);
        }
    }

    /// Moves a call to the end of the queue.
    fn enqueue(&mut self, id: CallId) {
        let turn = self.next_turn;
        self.next_turn += 1;
        self.queue.insert(turn, id);
        self.pending.get_mut(&id).expect("a pending call").turn = Some(turn);
    }

    /// Pushes keys of the calls in turn, as late as possible.
    pub(super) fn push(&mut self) {
        while self.bulk.wants_keys()
            && let Some((_, id)) = self.queue.pop_first()
        {
            let call = self.pending.get_mut(&id).expect("a pending call");
            call.turn = None;
            let end = call.keys.len().min(call.pushed + KeyBatch::MAX_KEYS);
            while call.pushed < end && self.bulk.wants_keys() {
                let (key, position) = (call.pushed, self.bulk.position());
                self.bulk.push(call.keys.key(key)).expect("checked with wants_keys");
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
            // No more keys can follow, so that failing keys use up their attempts.
            self.bulk.finish();
        }
    }
}
