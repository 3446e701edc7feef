//! Interventions: stops, changes of the service or the clock, and unexpected responses.

use oss_delete_vectors::emulator::RateLimit;
use oss_delete_vectors::{Deleted, ServiceError, TransportError, code};

use super::World;
use crate::calls::{BUCKET, INDEX};
use crate::provider::Reply;
use crate::scenario::{Action, Trigger};

impl World<'_> {
    pub(super) fn run_script(&mut self) {
        let (now, transmits) = (self.now, self.model.transmits() as u64);
        while let Some(due) = self.script.iter().position(|&(trigger, _)| match trigger {
            Trigger::Transmits(count) => transmits >= count,
            Trigger::Time(at) => now >= at,
        }) {
            let (_, action) = self.script.remove(due);
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        self.trace.note(self.now, || format!("{action:?}"));
        let name = match action {
            Action::Stop => {
                self.stop(false);
                "stop"
            }
            Action::Abort => {
                self.stop(true);
                "abort"
            }
            Action::Limit(limit) => {
                self.emulator.set_rate_limit(
                    limit.map(|(per_second, depth)| RateLimit::new(per_second, depth).unwrap()),
                );
                "limit changed"
            }
            Action::RemoveIndex => {
                self.emulator.remove_index(BUCKET, INDEX);
                "index removed"
            }
            Action::Deny => {
                self.identities.deny(&mut self.emulator);
                "denied"
            }
            Action::Disable => {
                self.identities.disable(&mut self.emulator);
                "disabled"
            }
            Action::Revoke => {
                self.identities.revoke(&mut self.emulator);
                "revoked"
            }
            Action::Jump(seconds) => {
                self.skew += seconds;
                "clock jump"
            }
            Action::Outage(outage, length) => {
                self.network.begin_outage(outage, self.now + length);
                "outage"
            }
            Action::Rotate => {
                self.reply(&Reply::Right);
                "rotated"
            }
        };
        self.tally.script(name);
    }

    fn stop(&mut self, at_once: bool) {
        self.stop_causes.is_requested = true;
        self.model.pushed.end_batch();
        if at_once {
            self.bulk.abort();
            self.model.aborted();
            assert!(
                self.bulk.is_finished() && self.bulk.report().pending() == 0,
                "requests are in flight after abort"
            );
        } else {
            self.bulk.stop();
        }
        assert!(self.bulk.stopped().is_some());
    }

    /// Delivers a response to an id that already had one, or is unknown. It must have no effect.
    pub(super) fn deliver_unexpected(&mut self) {
        self.drain();
        let known = self.model.transmits();
        let id = if known > 0 && self.random.chance(0.7) {
            let number = self.random.size(0..known);
            self.model.transmit(number).unwrap()
        } else {
            self.random.pick(self.foreign_ids)
        };
        if self.model.in_flight.contains_key(&id) {
            return;
        }
        assert!(self.foreign_ids.contains(&id) || self.model.knows(id));
        let before =
            (self.bulk.report(), self.bulk.settled().clone(), self.bulk.stopped().is_some());
        let now = self.client_now();
        match self.random.size(0..4) {
            0 => self.bulk.handle_response(now, id, &Deleted::new("late").to_response()),
            1 => {
                let error =
                    ServiceError::new(http::StatusCode::FORBIDDEN, code::ACCESS_DENIED, "late");
                self.bulk.handle_response(now, id, &error.to_response());
            }
            2 => self.bulk.handle_failure(now, id, TransportError::may_have_arrived("late")),
            _ => self.bulk.handle_failure(now, id, TransportError::surely_not_sent("late")),
        }
        assert_eq!(
            (self.bulk.report(), self.bulk.settled().clone(), self.bulk.stopped().is_some()),
            before,
            "a response to an unknown id was counted"
        );
    }
}
