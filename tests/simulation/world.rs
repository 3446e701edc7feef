//! One run in virtual time: the state machine, the network, the service, the credentials provider,
//! and the loop that drives them.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Response;
use oss_delete_vectors::bulk::{BulkDelete, Event, TransmitId};
use oss_delete_vectors::emulator::{Emulator, Fault, FaultyNetwork, NetworkEvent, RateLimit};
use oss_delete_vectors::{Credentials, Key, Now, TransportError};

use crate::calls::{BUCKET, INDEX, target, time};
use crate::canary::WRONG_SECRET;
use crate::meaning::{Meaning, meaning};
use crate::model::Model;
use crate::provider::{Identities, Reply};
use crate::random::Random;
use crate::scenario::{Action, Scenario, Trigger};
use crate::stops::StopCauses;
use crate::tally::Tally;
use crate::trace::Trace;

mod script;

/// More steps than any run takes.
const MAX_STEPS: u64 = 2_000_000;
/// Longer than any run takes, with three outages of three days, one key in five seconds, and one
/// request in ten.
const MAX_TIME: Duration = Duration::from_secs(12 * 86_400);
/// More steps than occur at one moment.
const MAX_STEPS_AT_ONCE: u64 = 20_000;

pub(crate) struct World<'a> {
    pub(crate) scenario: &'a Scenario,
    bulk: BulkDelete,
    network: FaultyNetwork<TransmitId>,
    pub(crate) emulator: Emulator,
    model: Model,
    stop_causes: StopCauses,
    identities: Identities,
    random: Random,
    pub(crate) now: Duration,
    /// The client's clock minus the service's, in seconds.
    skew: i64,
    next_push: usize,
    next_chunk: Duration,
    script: Vec<(Trigger, Action)>,
    /// Ids that this run hands out later or never.
    foreign_ids: &'a [TransmitId],
    has_undrained: bool,
    pub(crate) tally: Tally,
    pub(crate) trace: Trace,
}

impl<'a> World<'a> {
    pub(crate) fn new(
        seed: u64,
        scenario: &'a Scenario,
        foreign_ids: &'a [TransmitId],
        trace: Trace,
    ) -> Self {
        let keys = scenario.pushes.iter().max().map_or(0, |last| last + 1);
        let model = Model::new(keys);
        let mut emulator = Emulator::new("cn-hangzhou", "1234567890123456");
        emulator.put_vectors(BUCKET, INDEX, model.pushed.texts()).unwrap();
        emulator.fail_keys(scenario.failing.iter().map(|&key| model.pushed.text(key)));
        emulator.reject_keys(scenario.poison.iter().map(|&key| model.pushed.text(key)));
        emulator.set_rate_limit(
            scenario.limit.map(|(per_second, depth)| RateLimit::new(per_second, depth).unwrap()),
        );
        let mut identities = Identities::new(scenario);
        let credentials = identities.issue(time(), &mut emulator);
        let (least, jitter) = scenario.latency;
        Self {
            bulk: BulkDelete::new(&target(), credentials, scenario.options(seed)).unwrap(),
            network: FaultyNetwork::new(seed, scenario.faults.clone()).with_latency(least, jitter),
            emulator,
            model,
            stop_causes: StopCauses::default(),
            identities,
            random: Random::new(seed ^ 0x5eed),
            now: Duration::ZERO,
            skew: scenario.skew,
            next_push: 0,
            next_chunk: Duration::ZERO,
            script: scenario.script.clone(),
            foreign_ids,
            has_undrained: false,
            tally: Tally::default(),
            trace,
            scenario,
        }
    }

    /// Runs to the end, and compares the report with the emulator.
    pub(crate) fn run(&mut self) {
        self.trace.note(self.now, || format!("{:?}", self.scenario));
        let (mut steps, mut steps_at_once) = (0, 0);
        loop {
            steps += 1;
            assert!(steps < MAX_STEPS, "the run does not end after {steps} steps: {:?}", self.bulk);
            assert!(
                self.now < MAX_TIME,
                "the run does not end after {:?}: {:?}",
                self.now,
                self.bulk
            );
            self.push();
            self.drain();
            if self.bulk.is_finished() {
                break;
            }
            let before = self.now;
            self.wait();
            steps_at_once = if self.now == before { steps_at_once + 1 } else { 0 };
            assert!(steps_at_once < MAX_STEPS_AT_ONCE, "time does not advance: {:?}", self.bulk);
            self.handle_due();
        }
        self.drain_events(true);
        let report = self.bulk.report();
        self.end_network();
        assert_eq!(self.bulk.report(), report, "the report changes after the end");
        self.model.check(&self.bulk, self.scenario);
        self.model.check_emulator(&self.emulator);
        assert_eq!(report.pending(), 0);
        for &fault in Fault::ALL {
            self.tally.fault(fault, self.network.injected(fault));
        }
        self.tally.end(report, self.bulk.stopped());
        self.tally.total("steps", steps);
        self.tally.total("virtual seconds", self.now.as_secs());
        self.tally.total("seeds", 1);
        self.trace.note(self.now, || format!("{report:?} {:?}", self.bulk.stopped()));
    }

    fn push(&mut self) {
        if self.now < self.next_chunk || self.next_push > self.scenario.pushes.len() {
            return;
        }
        let source = &self.scenario.source;
        for _ in 0..source.chunk {
            let Some(&key) = self.scenario.pushes.get(self.next_push) else {
                self.bulk.finish();
                self.model.pushed.flush();
                // Past the end, so that `finish` is called once.
                self.next_push += 1;
                return;
            };
            let text = self.model.pushed.text(key).to_owned();
            let can_push = self.bulk.can_push();
            assert_eq!(self.bulk.push(Key::new(&text).unwrap()).is_ok(), can_push);
            if !can_push {
                return;
            }
            self.model.push(key);
            self.next_push += 1;
            if self.random.chance(source.flush) {
                self.bulk.flush();
                self.model.pushed.flush();
            }
        }
        self.next_chunk = self.now + source.pause;
    }

    /// Takes all transmits and events.
    fn drain(&mut self) {
        loop {
            while let Some(transmit) = self.bulk.poll_transmit(self.client_now()) {
                assert!(self.bulk.stopped().is_none(), "a transmit after the stop");
                self.trace.step(
                    self.now,
                    || {
                        format!(
                            "{:?} with {} keys, {:?}",
                            transmit.id, transmit.keys, transmit.positions
                        )
                    },
                    || {
                        format!(
                            "{:?} {:?}",
                            transmit.to_request().headers()["authorization"].to_str(),
                            transmit.to_request().body()
                        )
                    },
                );
                self.model.sent(self.now, &transmit);
                self.stop_causes.sent(self.now, transmit.id);
                self.network.send(self.now, transmit.id, transmit.to_request());
                self.run_script();
            }
            let is_lazy = self.random.chance(self.scenario.skip_events);
            if !self.drain_events(!is_lazy) {
                break;
            }
        }
    }

    /// Returns whether there were any.
    fn drain_events(&mut self, all: bool) -> bool {
        let mut any = false;
        self.has_undrained = true;
        while all || self.random.chance(0.5) {
            let Some(event) = self.bulk.poll_event() else {
                self.has_undrained = false;
                break;
            };
            any = true;
            self.trace.note(self.now, || format!("{event:?}"));
            self.tally.event(&event);
            self.model.handle_event(&event, self.scenario, self.bulk.stopped().is_some());
            match event {
                Event::CredentialsNeeded => self.identities.asked(self.now),
                Event::Failed(_) | Event::Split { .. } => self.stop_causes.progressed(self.now),
                _ => {}
            }
        }
        if !self.has_undrained {
            self.model.check(&self.bulk, self.scenario);
        }
        self.stop_causes.check(self.now, self.bulk.stopped(), self.scenario);
        any
    }

    /// Advances the time to the next event.
    fn wait(&mut self) {
        let chunk = (self.bulk.can_push() && self.next_push <= self.scenario.pushes.len())
            .then_some(self.next_chunk);
        let script = self.script.iter().filter_map(|&(trigger, _)| match trigger {
            Trigger::Time(at) => Some(at),
            Trigger::Transmits(_) => None,
        });
        let next =
            [self.network.next_event(), self.bulk.poll_timeout(), chunk, self.identities.next()];
        let Some(next) = next.into_iter().flatten().chain(script).min() else {
            assert!(
                self.has_undrained,
                "nothing is in flight, and the run does not end: {:?}",
                self.bulk
            );
            self.drain_events(true);
            return;
        };
        let late = self.scenario.lateness.mul_f64(self.random.fraction());
        self.now = self.now.max(next + if self.random.chance(0.2) { late } else { Duration::ZERO });
    }

    fn handle_due(&mut self) {
        self.run_script();
        while let Some(event) =
            self.network.poll(Now::new(self.now, self.service_time()), &mut self.emulator)
        {
            self.network_event(event);
            // A driver takes one response at a time, or several.
            if self.random.chance(0.5) {
                break;
            }
        }
        if let Some(reply) = self.identities.due(self.now) {
            self.reply(&reply);
        }
        if self.random.chance(0.02) {
            self.deliver_unexpected();
        }
        if self.bulk.poll_timeout().is_some_and(|at| at <= self.now) || self.random.chance(0.05) {
            self.handle_timeout();
        }
    }

    fn network_event(&mut self, event: NetworkEvent<TransmitId>) {
        match event {
            NetworkEvent::Arrived { id, executed, status, .. } => {
                self.trace.note(self.now, || {
                    format!("{id:?} arrived: {status}, {executed} keys deleted")
                });
                self.model.arrived(id, executed);
            }
            NetworkEvent::Delivered { id, result, .. } => self.deliver(id, &result),
            _ => unreachable!("there are no other events"),
        }
    }

    fn deliver(&mut self, id: TransmitId, result: &Result<Response<Bytes>, TransportError>) {
        self.trace.note(self.now, || format!("{id:?} delivered: {result:?}"));
        let (meaning, may_be_gone) = meaning(result);
        let before = (self.bulk.report(), self.bulk.stopped().is_some());
        let sent_at = self.model.in_flight.get(&id).copied();
        let is_live = self.model.attempt_ended(id, meaning, may_be_gone);
        match result {
            Ok(response) => self.bulk.handle_response(self.client_now(), id, response),
            Err(failure) => self.bulk.handle_failure(self.client_now(), id, failure.clone()),
        }
        if !is_live {
            assert_eq!(
                (self.bulk.report(), self.bulk.stopped().is_some()),
                before,
                "a late response was counted"
            );
            return;
        }
        self.model.throttled += u64::from(meaning == Meaning::Throttled);
        if result.is_ok() {
            self.stop_causes.had_response();
        }
        if !before.1 {
            let sent_at = sent_at.expect("a transmit in flight");
            self.stop_causes.handle_meaning(
                self.now,
                sent_at,
                id,
                meaning,
                self.model.keys_of(id),
                self.scenario,
            );
        }
    }

    fn handle_timeout(&mut self) {
        let was_stopped = self.bulk.stopped().is_some();
        let skew = self.skew;
        let report = self.bulk.report();
        let failed = report.rejected + report.unconfirmed + report.not_attempted;
        let settled = report.deleted + failed + report.duplicates;
        let in_flight: usize = self.model.in_flight.keys().map(|&id| self.model.keys_of(id)).sum();
        let is_at_the_end = report.pushed - settled == in_flight as u64;
        self.bulk.handle_timeout(self.client_now());
        // The response timeout adapts to the latency, within bounds. It is shorter if nothing but
        // the requests in flight is left.
        let most = self.scenario.response_timeout;
        let least = most.min(Duration::from_millis(if is_at_the_end { 500 } else { 3000 }));
        for (id, sent_at) in self.model.in_flight.clone() {
            let waited = self.now.saturating_sub(sent_at);
            if self.bulk.is_in_flight(id) {
                assert!(waited < most, "{id:?} is in flight after {waited:?}");
                continue;
            }
            assert!(waited >= least, "{id:?} timed out after {waited:?}");
            self.model.attempt_ended(id, Meaning::Failed, true);
            if !was_stopped {
                self.stop_causes.handle_meaning(
                    self.now,
                    sent_at,
                    id,
                    Meaning::Failed,
                    self.model.keys_of(id),
                    self.scenario,
                );
            }
        }
        self.drain();
        // Skipped if the clock jumped, because a jump moves the date.
        if !self.has_undrained && !self.bulk.is_finished() && self.skew == skew {
            let next = self.bulk.poll_timeout();
            assert!(
                next.is_none_or(|at| at > self.now),
                "the next timeout does not advance: {next:?} at {:?}",
                self.now
            );
        }
    }

    fn reply(&mut self, reply: &Reply) {
        let credentials = match reply {
            Reply::Wrong => Credentials::new("nobody", WRONG_SECRET).unwrap(),
            Reply::Right => self.identities.issue(self.service_time(), &mut self.emulator),
        };
        self.trace.note(self.now, || format!("handed in: {credentials:?}"));
        self.stop_causes.renewed(self.now);
        self.bulk.handle_credentials(self.client_now(), credentials);
    }

    /// Requests in flight still arrive, and their responses are too late.
    fn end_network(&mut self) {
        while let Some(at) = self.network.next_event() {
            self.now = self.now.max(at);
            while let Some(event) =
                self.network.poll(Now::new(self.now, self.service_time()), &mut self.emulator)
            {
                self.network_event(event);
            }
        }
        assert!(self.bulk.poll_event().is_none(), "an event after the end");
        assert!(self.bulk.poll_transmit(self.client_now()).is_none(), "a transmit after the end");
    }

    fn service_time(&self) -> SystemTime {
        time() + self.now
    }

    fn client_now(&self) -> Now {
        let skew = Duration::from_secs(self.skew.unsigned_abs());
        let wall =
            if self.skew < 0 { self.service_time() - skew } else { self.service_time() + skew };
        Now::new(self.now, wall)
    }
}
