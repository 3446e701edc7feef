//! The simulation's own record of a run: the state of every pushed position, and the invariants.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use oss_delete_vectors::Key;
use oss_delete_vectors::bulk::{
    BulkDelete, Event, FailedKeys, KeyOutcome, Positions, Transmit, TransmitId,
};
use oss_delete_vectors::emulator::Emulator;

use crate::keys::{Pushed, indexes};
use crate::meaning::Meaning;
use crate::scenario::Scenario;

pub(crate) struct Model {
    pub(crate) pushed: Pushed,
    places: Vec<State>,
    /// All transmits so far.
    transmits: BTreeMap<TransmitId, Positions>,
    /// Transmits without a response, and when they were sent.
    pub(crate) in_flight: BTreeMap<TransmitId, Duration>,
    /// First positions of batches with a successful response whose event has not been taken.
    deleted: BTreeSet<u64>,
    /// Settled ranges according to events: start to end.
    settled: BTreeMap<u64, u64>,
    /// Rejected before the first deletion, which settles them.
    unproven: Vec<Positions>,
    /// The run reported that it stopped. Keys that fail from now on are interrupted, and not
    /// settled.
    has_stopped: bool,
    counts: Counts,
    pub(crate) throttled: u64,
    retries: u64,
}

/// The state of one position.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    requests: u32,
    is_in_flight: bool,
    met_error: bool,
    was_rejected: bool,
    may_be_gone: bool,
    /// Deleted by the emulator, in this run.
    executed: bool,
    outcome: Option<Outcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Deleted,
    Failed(KeyOutcome),
}

/// Keys by outcome, according to events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) deleted: u64,
    pub(crate) rejected: u64,
    pub(crate) unconfirmed: u64,
    pub(crate) not_attempted: u64,
}

impl Model {
    pub(crate) fn new(keys: usize) -> Self {
        Self {
            pushed: Pushed::new(keys),
            places: Vec::new(),
            transmits: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            deleted: BTreeSet::new(),
            settled: BTreeMap::new(),
            unproven: Vec::new(),
            has_stopped: false,
            counts: Counts::default(),
            throttled: 0,
            retries: 0,
        }
    }

    pub(crate) fn push(&mut self, key: usize) {
        self.pushed.push(key);
        self.places.push(State::default());
    }

    pub(crate) fn transmits(&self) -> usize {
        self.transmits.len()
    }

    /// The `number`th transmit.
    pub(crate) fn transmit(&self, number: usize) -> Option<TransmitId> {
        self.transmits.keys().nth(number).copied()
    }

    pub(crate) fn knows(&self, id: TransmitId) -> bool {
        self.transmits.contains_key(&id)
    }

    pub(crate) fn keys_of(&self, id: TransmitId) -> usize {
        self.pushed.originals(&self.transmits[&id]).count()
    }

    pub(crate) fn sent(&mut self, now: Duration, transmit: &Transmit) {
        let range = &transmit.positions;
        let places = indexes(range);
        assert!(
            *places.last().expect("at least one position") < self.places.len(),
            "{range:?} was not pushed"
        );
        assert!((1..=500).contains(&transmit.keys), "{} keys in a batch", transmit.keys);
        self.pushed.sent(range);
        assert_eq!(transmit.keys, self.pushed.originals(range).count());
        assert_eq!(
            transmit.to_request().body(),
            self.pushed.body(range).as_bytes(),
            "the body has other keys"
        );
        assert!(
            places.iter().all(|&place| self.pushed.batch[place] == self.pushed.batch[places[0]]),
            "{range:?} spans two batches"
        );
        assert!(
            self.transmits.last_key_value().is_none_or(|(&last, _)| last < transmit.id),
            "ids must increase"
        );
        // Duplicates are in the same batch as their key.
        let keys: BTreeSet<usize> =
            self.pushed.originals(range).map(|place| self.pushed.keys[place]).collect();
        assert!(
            places.iter().all(|&place| keys.contains(&self.pushed.keys[place])),
            "{range:?} has a duplicate of a key in another batch"
        );
        for place in places {
            let place = &mut self.places[place];
            assert!(!place.is_in_flight, "{range:?} is in flight twice");
            assert_eq!(place.outcome, None, "{range:?} was sent after its outcome");
            place.requests += 1;
            place.is_in_flight = true;
        }
        self.transmits.insert(transmit.id, range.clone());
        self.in_flight.insert(transmit.id, now);
    }

    pub(crate) fn arrived(&mut self, id: TransmitId, executed: usize) {
        let range = self.transmits[&id].clone();
        let gone: Vec<usize> = self.pushed.originals(&range).take(executed).collect();
        gone.into_iter().for_each(|position| self.places[position].executed = true);
    }

    /// An attempt ended. Returns `false` if it had ended before.
    pub(crate) fn attempt_ended(
        &mut self,
        id: TransmitId,
        meaning: Meaning,
        may_be_gone: bool,
    ) -> bool {
        if self.in_flight.remove(&id).is_none() {
            return false;
        }
        let range = self.transmits[&id].clone();
        let was_rejected = !matches!(meaning, Meaning::Deleted | Meaning::NotSent);
        for place in indexes(&range) {
            let place = &mut self.places[place];
            place.is_in_flight = false;
            place.may_be_gone |= may_be_gone;
            place.was_rejected |= was_rejected;
            place.met_error = true;
        }
        if meaning == Meaning::Deleted {
            self.deleted.insert(range.first());
        }
        true
    }

    /// The run no longer waits for responses.
    pub(crate) fn aborted(&mut self) {
        for id in std::mem::take(&mut self.in_flight).into_keys() {
            for place in indexes(&self.transmits[&id]) {
                self.places[place].may_be_gone = true;
                self.places[place].is_in_flight = false;
            }
        }
    }

    /// Handles an event. `is_stopping`: the run was stopped before.
    pub(crate) fn handle_event(&mut self, event: &Event, scenario: &Scenario, is_stopping: bool) {
        match event {
            Event::Deleted { keys, positions: range, .. } => {
                assert!(
                    self.deleted.remove(&range.first()),
                    "{range:?} is reported deleted without a successful response"
                );
                assert_eq!(*keys, self.pushed.originals(range).count());
                self.counts.deleted += *keys as u64;
                self.settle(range, Outcome::Deleted);
            }
            Event::Retrying { .. } => self.retries += 1,
            Event::Stopped(_) => self.has_stopped = true,
            Event::Failed(failed) => self.failed(failed, scenario, is_stopping),
            _ => {}
        }
    }

    fn failed(&mut self, failed: &FailedKeys, scenario: &Scenario, is_stopping: bool) {
        let FailedKeys { keys, positions: range, outcome, error, requests, .. } = failed;
        let texts = self
            .pushed
            .originals(range)
            .map(|position| self.pushed.text(self.pushed.keys[position]));
        assert!(
            texts.eq(keys.iter().map(Key::as_str)),
            "{range:?} failed with keys that were not pushed"
        );
        assert!(
            !self.deleted.contains(&range.first()),
            "{range:?} was deleted but is reported {outcome}"
        );
        for place in indexes(range) {
            let place = &self.places[place];
            assert!(!place.is_in_flight, "{range:?} has an outcome but is in flight");
            let expected = match place {
                State { may_be_gone: true, .. } => KeyOutcome::Unconfirmed,
                State { was_rejected: true, .. } => KeyOutcome::Rejected,
                _ => KeyOutcome::NotAttempted,
            };
            assert_eq!(*outcome, expected, "{range:?}: {place:?} {error:?}");
            assert_eq!(*requests, place.requests, "{range:?}");
            assert_eq!(error.is_some(), place.met_error, "{range:?}");
        }
        if !is_stopping && *requests < scenario.max_attempts {
            // Before all attempts are used, a batch ends only if its single key is rejected.
            let position = self.pushed.originals(range).next().unwrap();
            let is_alone = keys.len() == 1 && scenario.poison.contains(&self.pushed.keys[position]);
            assert!(is_alone, "{range:?} is {outcome} after {requests} requests: {error:?}");
        }
        *match outcome {
            KeyOutcome::Rejected => &mut self.counts.rejected,
            KeyOutcome::Unconfirmed => &mut self.counts.unconfirmed,
            KeyOutcome::NotAttempted => &mut self.counts.not_attempted,
        } += keys.len() as u64;
        self.settle(range, Outcome::Failed(*outcome));
    }

    fn settle(&mut self, range: &Positions, outcome: Outcome) {
        for place in indexes(range) {
            let place = &mut self.places[place];
            assert_eq!(place.outcome, None, "{range:?} has a second outcome: {outcome:?}");
            place.outcome = Some(outcome);
        }
        match outcome {
            Outcome::Deleted if self.has_stopped => {}
            Outcome::Deleted => {
                std::mem::take(&mut self.unproven).iter().for_each(|range| self.cover(range));
            }
            Outcome::Failed(_) if self.has_stopped => return,
            Outcome::Failed(KeyOutcome::Rejected) if self.counts.deleted == 0 => {
                return self.unproven.push(range.clone());
            }
            Outcome::Failed(_) => {}
        }
        self.cover(range);
    }

    fn cover(&mut self, positions: &Positions) {
        for range in positions.ranges() {
            let end = self.settled.remove(&range.end).unwrap_or(range.end);
            let before = self
                .settled
                .range_mut(..range.start)
                .next_back()
                .filter(|(_, its_end)| **its_end == range.start);
            match before {
                Some((_, its_end)) => *its_end = end,
                None => assert_eq!(self.settled.insert(range.start, end), None),
            }
        }
    }

    /// Compares the report of the run with this model. All events must have been taken.
    pub(crate) fn check(&self, bulk: &BulkDelete, scenario: &Scenario) {
        let report = bulk.report();
        let reported = Counts {
            deleted: report.deleted,
            rejected: report.rejected,
            unconfirmed: report.unconfirmed,
            not_attempted: report.not_attempted,
        };
        assert_eq!(reported, self.counts, "the report differs from the events");
        assert_eq!(report.pushed, self.places.len() as u64);
        assert_eq!(report.duplicates, self.pushed.duplicates);
        assert_eq!(report.requests, self.transmits.len() as u64);
        assert_eq!((report.throttled, report.retries), (self.throttled, self.retries));
        let Counts { deleted, rejected, unconfirmed, not_attempted } = self.counts;
        let outcomes = deleted + rejected + unconfirmed + not_attempted;
        assert_eq!(
            outcomes + report.duplicates + report.pending(),
            report.pushed,
            "the outcomes do not add up"
        );
        assert!(self.deleted.is_empty(), "deleted but not reported: {:?}", self.deleted);
        assert_eq!(bulk.in_flight(), self.in_flight.len());
        assert!(bulk.in_flight() <= scenario.concurrency, "{} in flight", bulk.in_flight());

        let (prefix, rest) = match self.settled.first_key_value() {
            Some((0, &end)) => (end, 1),
            _ => (0, 0),
        };
        assert_eq!(bulk.settled().prefix(), prefix);
        let ranges = self.settled.iter().skip(rest).map(|(&start, &end)| start..end);
        assert!(
            bulk.settled().ranges().eq(ranges),
            "settled is {:?}, expected {:?}",
            bulk.settled(),
            self.settled
        );
        self.check_memory(scenario);
    }

    fn check_memory(&self, scenario: &Scenario) {
        let prefix = self
            .settled
            .first_key_value()
            .filter(|&(&start, _)| start == 0)
            .map_or(0, |(_, &end)| end);
        let unsettled = (usize::try_from(prefix).unwrap()..self.places.len())
            .filter(|&position| self.places[position].outcome.is_none());
        // One more than `can_push` allows, because a flush adds the open batch.
        let most = 2 * scenario.concurrency + 16 + 1;
        let batches = self.pushed.closed_batches(unsettled);
        assert!(batches <= most, "{batches} batches are unsettled");
    }

    /// Compares the emulator with the reported outcomes, after the run and all traffic have ended.
    pub(crate) fn check_emulator(&self, emulator: &Emulator) {
        let mut executed = vec![false; self.pushed.texts().count()];
        for (position, place) in self.places.iter().enumerate() {
            let key = self.pushed.keys[position];
            executed[key] |= place.executed;
            let outcome = place.outcome.unwrap_or_else(|| panic!("position {position} is lost"));
            if !self.pushed.is_original[position] {
                // A duplicate has the outcome of its key, which is in the same batch.
                let is_original = |&before: &usize| {
                    self.pushed.keys[before] == key && self.pushed.is_original[before]
                };
                let original =
                    (0..position).rev().find(is_original).expect("an earlier occurrence");
                assert_eq!(self.pushed.batch[original], self.pushed.batch[position]);
                assert_eq!(
                    self.places[original].outcome,
                    Some(outcome),
                    "the duplicate at {position} of {original}"
                );
                continue;
            }
            let text = self.pushed.text(key);
            match outcome {
                Outcome::Deleted => assert!(
                    place.executed,
                    "{text} at {position} is reported deleted but was not deleted"
                ),
                Outcome::Failed(outcome @ (KeyOutcome::Rejected | KeyOutcome::NotAttempted)) => {
                    assert!(
                        !place.executed,
                        "{text} at {position} is reported {outcome} but was deleted by this run"
                    );
                }
                Outcome::Failed(KeyOutcome::Unconfirmed) => {}
            }
        }
        if emulator.len("examplebucket", "vectorindex1").is_some() {
            for (text, executed) in self.pushed.texts().zip(executed) {
                let is_there = emulator.contains("examplebucket", "vectorindex1", text);
                assert_eq!(is_there, !executed, "{text}: the model is wrong");
            }
        }
    }
}
