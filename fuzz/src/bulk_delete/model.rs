//! A model of the outcome of each position, built only from the events of `BulkDelete`.

use std::collections::HashSet;

use oss_delete_vectors::bulk::{
    BulkDelete, Checkpoint, Event, FailedKeys, KeyOutcome, Positions, Report,
};
use oss_delete_vectors::{Key, KeyBatch};

#[derive(Default)]
pub(super) struct Model {
    /// The number of each key, by position. A resumed run pushes the same keys again.
    input: Vec<u16>,
    positions: Vec<Position>,
    /// The number of keys pushed in this run.
    pub(super) pushed: usize,
    /// The keys of the open batch, and the position where it begins.
    filling: HashSet<u16>,
    closed: usize,
    /// Responses of this run that confirmed a deletion, by the positions of their keys.
    confirmed: HashSet<Positions>,
    /// The counts of this run, without those of earlier runs.
    report: Report,
    /// The counts of keys that an earlier run settled.
    resumed: Report,
    /// The counts of reported keys that are settled.
    settled: Report,
    /// Rejected before the first deletion, which settles them.
    unproven: Vec<Positions>,
    is_stopped: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Position {
    /// Settled by an earlier run.
    is_skipped: bool,
    /// The first occurrence of its key in its batch.
    is_original: bool,
    /// A request of this run may have deleted it.
    may_be_gone: bool,
    is_reported: bool,
    is_settled: bool,
}

pub(super) fn text(number: u16) -> String {
    match number % 8 {
        7 => format!("\"键{number}\\\n"),
        _ => format!("k{number}"),
    }
}

impl Model {
    /// The next key to push: from the input, or a new one.
    pub(super) fn next_key(&mut self, new: u16) -> u16 {
        if self.pushed == self.input.len() {
            self.input.push(new);
            self.positions.push(Position::default());
        }
        self.input[self.pushed]
    }

    /// Whether a resumed run is still reading what an earlier run read.
    pub(super) fn is_behind(&self) -> bool {
        self.pushed < self.input.len()
    }

    pub(super) fn push(&mut self) {
        let position = &mut self.positions[self.pushed];
        if !position.is_skipped {
            position.is_original = self.filling.insert(self.input[self.pushed]);
            self.report.pushed += 1;
            self.report.duplicates += u64::from(!position.is_original);
        }
        self.pushed += 1;
        if self.filling.len() == KeyBatch::MAX_KEYS {
            self.close();
        }
    }

    /// Closes the open batch.
    pub(super) fn close(&mut self) {
        self.filling.clear();
        self.closed = self.pushed;
    }

    /// The unique keys of a batch at `range`.
    pub(super) fn keys(&self, range: &Positions) -> Vec<String> {
        indexes(range)
            .filter(|&at| self.positions[at].is_original)
            .map(|at| text(self.input[at]))
            .collect()
    }

    /// A request for the keys at `range` is sent.
    pub(super) fn send(&mut self, range: &Positions) {
        assert!(range.iter().all(|position| position < self.pushed as u64));
        self.report.requests += 1;
        if indexes(range).any(|at| at >= self.closed) {
            self.close();
        }
        for at in indexes(range) {
            assert!(!self.positions[at].is_reported, "position {at} already had an outcome");
        }
    }

    /// The keys at `range` may be deleted from here on.
    pub(super) fn execute(&mut self, range: &Positions) {
        indexes(range).for_each(|at| self.positions[at].may_be_gone = true);
    }

    pub(super) fn confirm(&mut self, range: &Positions) {
        self.confirmed.insert(range.clone());
    }

    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Deleted { keys, positions, .. } => {
                assert!(self.confirmed.contains(&positions), "no response confirmed {positions:?}");
                assert_eq!(keys, self.keys(&positions).len());
                self.report.deleted += keys as u64;
                self.settled.deleted += keys as u64;
                self.report_once(&positions, true);
                if !self.is_stopped {
                    for positions in std::mem::take(&mut self.unproven) {
                        self.settled.rejected += self.keys(&positions).len() as u64;
                        indexes(&positions).for_each(|at| self.positions[at].is_settled = true);
                    }
                }
            }
            Event::Failed(failed) => self.fail(&failed),
            Event::Throttled { .. } => self.report.throttled += 1,
            Event::Retrying { .. } => self.report.retries += 1,
            Event::Stopped(_) => self.is_stopped = true,
            _ => {}
        }
    }

    fn fail(&mut self, failed: &FailedKeys) {
        let FailedKeys { keys, positions, outcome, error, requests, .. } = failed;
        assert!(
            keys.iter().map(Key::as_str).eq(self.keys(positions)),
            "other keys than those at {positions:?}"
        );
        let may_be_gone = indexes(positions)
            .any(|at| self.positions[at].is_original && self.positions[at].may_be_gone);
        assert!(
            !may_be_gone || *outcome == KeyOutcome::Unconfirmed,
            "{positions:?} may be deleted, but are reported {outcome}"
        );
        assert!(*requests > 0 || (*outcome == KeyOutcome::NotAttempted && error.is_none()));
        // Before the first deletion, a rejection says nothing about the keys: a resumed run sends
        // them again.
        let is_unproven = *outcome == KeyOutcome::Rejected && self.settled.deleted == 0;
        let is_settled = !self.is_stopped && !is_unproven;
        if is_unproven && !self.is_stopped {
            self.unproven.push(positions.clone());
        }
        for report in
            [Some(&mut self.report), is_settled.then_some(&mut self.settled)].into_iter().flatten()
        {
            let count = match outcome {
                KeyOutcome::Rejected => &mut report.rejected,
                KeyOutcome::Unconfirmed => &mut report.unconfirmed,
                KeyOutcome::NotAttempted => &mut report.not_attempted,
            };
            *count += keys.len() as u64;
        }
        self.report_once(positions, is_settled);
    }

    fn report_once(&mut self, range: &Positions, is_settled: bool) {
        for at in indexes(range) {
            let position = &mut self.positions[at];
            assert!(!position.is_reported, "{range:?} was reported twice");
            position.is_reported = true;
            position.is_settled |= is_settled;
        }
    }

    /// Compares the report and the settled positions with the events, which must all have been
    /// taken.
    pub(super) fn check(&self, bulk: &BulkDelete) {
        let (report, counted, before) = (bulk.report(), self.report, self.resumed);
        let sums = |report: Report| {
            let Report { deleted, rejected, unconfirmed, not_attempted, .. } = report;
            [
                deleted,
                rejected,
                unconfirmed,
                not_attempted,
                report.pushed,
                report.duplicates,
                report.requests,
            ]
        };
        let expected: Vec<u64> = sums(counted)
            .iter()
            .zip(sums(before))
            .map(|(counted, before)| counted + before)
            .collect();
        assert_eq!(sums(report).to_vec(), expected);
        assert_eq!(report.retries, counted.retries + before.retries);
        assert_eq!(bulk.position(), self.pushed as u64);
        let pending = (0..self.pushed)
            .filter(|&at| self.positions[at].is_original && !self.positions[at].is_reported)
            .count();
        assert_eq!(report.pending(), pending as u64);
        for (at, position) in self.positions.iter().enumerate() {
            assert_eq!(bulk.settled().contains(at as u64), position.is_settled, "position {at}");
        }
    }

    /// At the end every pushed key has an outcome.
    pub(super) fn check_end(&self, bulk: &BulkDelete) {
        self.check(bulk);
        assert_eq!(bulk.report().pending(), 0);
        for (at, position) in self.positions[..self.pushed].iter().enumerate() {
            assert!(
                position.is_reported || position.is_skipped || !position.is_original,
                "position {at} was lost"
            );
        }
    }

    /// The run is lost, and another one resumes from its checkpoint. The state of other keys is
    /// unknown.
    pub(super) fn resume(&mut self, checkpoint: &Checkpoint) {
        let report = checkpoint.report();
        let settled = [
            self.settled.deleted,
            self.settled.rejected,
            self.settled.unconfirmed,
            self.settled.not_attempted,
        ];
        assert_eq!(
            [report.deleted, report.rejected, report.unconfirmed, report.not_attempted],
            settled
        );
        for position in &mut self.positions {
            let is_settled = position.is_settled;
            *position = Position { is_skipped: is_settled, is_settled, ..Position::default() };
        }
        (self.resumed, self.report) = (report, Report::default());
        (self.pushed, self.closed, self.is_stopped) = (0, 0, false);
        self.filling.clear();
        self.confirmed.clear();
        self.unproven.clear();
    }
}

fn indexes(positions: &Positions) -> impl Iterator<Item = usize> + '_ {
    positions.iter().map(|position| usize::try_from(position).expect("a position"))
}
