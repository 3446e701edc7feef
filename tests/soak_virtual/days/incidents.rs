//! The incidents of a run: rate limits and clocks change, the service fails, and processes are
//! killed or stopped.

use std::time::Duration;

use oss_delete_vectors::Now;
use oss_delete_vectors::bulk::{BulkDelete, StopReason};
use oss_delete_vectors::emulator::{Outage, RateLimit};

use super::{DAY, Days, MINUTE, options};
use crate::ALLOCATOR;
use crate::random::Random;
use crate::tally::Tally;

const HOUR: Duration = Duration::from_secs(60 * 60);
/// The interval between checkpoints.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(30);
/// How much the heap may exceed the maximum of the first day, in bytes. A leak per key or request
/// would exceed it: there are millions.
const MAX_GROWTH: usize = 512 * 1024;

/// Incidents. Each one recurs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Incident {
    Limit,
    Outage,
    Clock,
    Kill,
    Stop,
    Checkpoint,
}

/// The first time of each incident.
pub(super) fn schedule(random: &mut Random) -> [(Incident, Duration); 6] {
    [
        (Incident::Limit, Duration::ZERO),
        (Incident::Outage, random.millis(3_600_000..20_000_000)),
        (Incident::Clock, random.millis(3_600_000..20_000_000)),
        (Incident::Kill, random.millis(3_600_000..40_000_000)),
        (Incident::Stop, random.millis(3_600_000..40_000_000)),
        (Incident::Checkpoint, CHECKPOINT_INTERVAL),
    ]
}

impl Days {
    /// Causes all incidents that are due.
    pub(super) fn cause_incidents(&mut self, tally: &mut Tally) {
        for index in 0..self.incidents.len() {
            let (incident, at) = self.incidents[index];
            if at <= self.now {
                let pause = self.inject(incident, tally);
                self.incidents[index].1 = self.now + pause;
            }
        }
    }

    /// Causes the incident, and returns the time until the next one of this kind.
    fn inject(&mut self, incident: Incident, tally: &mut Tally) -> Duration {
        match incident {
            Incident::Limit => {
                tally.add("limits moved", 1);
                let per_second = self.random.log(0.5, 20.0);
                self.emulator.set_rate_limit(Some(
                    RateLimit::new(per_second, 1 + per_second as u32).unwrap(),
                ));
                self.random.millis(600_000..10_000_000)
            }
            Incident::Outage => {
                let length = self.random.millis(600_000..4 * 3_600_000);
                tally.add("outages", 1);
                tally.add("hours of outages", length.as_secs() / HOUR.as_secs());
                let outage =
                    self.random.pick(&[Outage::Refused, Outage::Unavailable, Outage::Silent]);
                self.network.begin_outage(outage, self.now + length);
                length + self.random.millis(3_600_000..20_000_000)
            }
            Incident::Clock => {
                tally.add("clocks set", 1);
                self.skew =
                    self.random.pick(&[0, 0, -120, 120, -7200, 7200, -86_400, 365 * 86_400]);
                self.random.millis(3_600_000..20_000_000)
            }
            Incident::Kill => {
                tally.add("kills", 1);
                self.start(tally);
                self.random.millis(3_600_000..60_000_000)
            }
            Incident::Stop => {
                self.bulk.stop();
                self.random.millis(3_600_000..60_000_000)
            }
            Incident::Checkpoint => {
                self.save();
                self.check_heap(tally);
                CHECKPOINT_INTERVAL
            }
        }
    }

    /// Does what an operator would do after this stop, and starts another process.
    pub(super) fn restart(&mut self, reason: &StopReason, tally: &mut Tally) {
        self.save();
        match reason {
            StopReason::Requested => tally.add("stops", 1),
            StopReason::CredentialsMissing => {
                tally.add("missing credentials", 1);
                self.pass(10 * MINUTE);
                self.credentials = self.issue(tally);
            }
            // Only a process that starts in an outage stops for it.
            StopReason::Unreachable(_) | StopReason::NoSuccess(_) => {
                tally.add("starts in an outage", 1);
                self.pass(10 * MINUTE);
            }
            reason => panic!("the run stopped after {:?}: {reason}", self.now),
        }
        self.start(tally);
    }

    /// Lets time pass while no process runs. The network continues.
    fn pass(&mut self, time: Duration) {
        self.now += time;
        while self
            .network
            .poll(Now::new(self.now, self.service_time()), &mut self.emulator)
            .is_some()
        {}
    }

    /// Saves the checkpoint as text.
    fn save(&mut self) {
        self.saved = self.bulk.checkpoint().to_string().parse().unwrap();
    }

    /// Starts another process from the saved checkpoint.
    fn start(&mut self, tally: &mut Tally) {
        tally.add("processes", 1);
        self.process += 1;
        self.next_push = 0;
        (self.waiting, self.taken) = (None, None);
        self.reply_at = None;
        let settled = self.saved.settled();
        self.failed.retain(|&position| settled.contains(position));
        let seed = u64::from(self.process);
        self.bulk =
            BulkDelete::resume(&self.target, self.credentials.clone(), options(seed), &self.saved)
                .unwrap();
    }

    /// Checks that the heap does not grow after the first day.
    fn check_heap(&mut self, tally: &mut Tally) {
        let heap = ALLOCATOR.allocated();
        tally.most("maximum bytes on the heap", heap as u64);
        if self.now < DAY {
            self.first_day = heap.max(self.first_day);
        }
        assert!(
            heap < self.first_day + MAX_GROWTH,
            "{heap} bytes after {:?}, but {} on the first day",
            self.now,
            self.first_day
        );
    }
}
