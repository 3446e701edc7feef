//! One run that lasts for days, in several processes.

mod incidents;

use std::collections::BTreeSet;
use std::mem;
use std::time::{Duration, SystemTime};

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Checkpoint, Event, TransmitId};
use oss_delete_vectors::emulator::{
    Emulator, Fault, Faults, FaultyNetwork, Identity, NetworkEvent,
};
use oss_delete_vectors::{Credentials, Key, Now, Target};

use crate::calls::{ACCOUNT_ID, BUCKET, INDEX, REGION, target, time};
use crate::canary::SECRET;
use crate::random::Random;
use crate::tally::Tally;
use incidents::Incident;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The time for which keys are pushed.
const PUSH_TIME: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// How long the service accepts credentials. The client knows every second expiration.
const CREDENTIALS_LIFETIME: Duration = Duration::from_secs(60 * 60);

pub(crate) struct Days {
    random: Random,
    now: Duration,
    /// The client's clock minus the service's, in seconds.
    skew: i64,
    target: Target,
    emulator: Emulator,
    /// Request ids include the process: responses for a previous process are dropped.
    network: FaultyNetwork<(u32, TransmitId)>,
    bulk: BulkDelete,
    process: u32,
    issued: u32,
    credentials: Credentials,
    /// When the requested credentials arrive; `None` if they never do.
    reply_at: Option<Duration>,
    /// The last checkpoint, as on a disk.
    saved: Checkpoint,
    /// Push positions of failed keys, as in a file. Keys that no checkpoint covers are sent again.
    failed: BTreeSet<u64>,
    next_push: u64,
    /// The number of different keys so far. A resumed process pushes them again.
    keys: u64,
    /// Keys until the next flush.
    batch: usize,
    /// The last key of an open batch, to which no more keys are added until it is sent.
    waiting: Option<u64>,
    /// A key that was pushed since the last flush and is not covered by the checkpoint.
    taken: Option<u64>,
    text: String,
    incidents: [(Incident, Duration); 6],
    first_day: usize,
}

impl Days {
    pub(crate) fn new(seed: u64) -> Self {
        let target = target();
        let mut emulator = Emulator::new(REGION, ACCOUNT_ID);
        emulator.put_vectors(BUCKET, INDEX, [""; 0]).unwrap();
        let credentials = issue(&mut emulator, 0, time());
        let faults = Fault::ALL.iter().copied().filter(|&fault| fault != Fault::Outage);
        // Outages are incidents here, and last for hours.
        let faults =
            faults.fold(Faults::none(), |faults, fault| faults.with(fault, 0.004).unwrap());
        let bulk = BulkDelete::new(&target, credentials.clone(), options(seed)).unwrap();
        let mut random = Random::new(seed ^ 0x50a4);
        let incidents = incidents::schedule(&mut random);
        Self {
            random,
            now: Duration::ZERO,
            skew: 0,
            target,
            emulator,
            network: FaultyNetwork::new(seed, faults)
                .with_latency(Duration::from_millis(20), Duration::from_millis(60)),
            saved: bulk.checkpoint(),
            bulk,
            process: 0,
            issued: 0,
            credentials,
            reply_at: None,
            failed: BTreeSet::new(),
            next_push: 0,
            keys: 0,
            batch: 0,
            waiting: None,
            taken: None,
            text: String::new(),
            incidents,
            first_day: 0,
        }
    }

    /// Runs until all keys are pushed and settled.
    pub(crate) fn run(mut self, tally: &mut Tally) {
        loop {
            self.push();
            self.drain(tally);
            if self.bulk.is_finished() {
                let Some(reason) = self.bulk.stopped().cloned() else { break };
                self.restart(&reason, tally);
            }
            self.wait();
            self.handle_due(tally);
        }
        self.end(tally);
    }

    fn end(mut self, tally: &mut Tally) {
        // Requests in flight still arrive.
        while let Some(at) = self.network.next_event() {
            self.now = self.now.max(at);
            while self
                .network
                .poll(Now::new(self.now, self.service_time()), &mut self.emulator)
                .is_some()
            {}
        }
        let report = self.bulk.report();
        let failed = report.rejected + report.unconfirmed + report.not_attempted;
        assert_eq!(
            (report.pushed, report.deleted + failed, report.pending()),
            (self.keys, self.keys, 0),
            "{report:?}"
        );
        assert_eq!(self.failed.len() as u64, failed, "failed keys that were not reported");
        let left = self.failed.iter().filter(|&&position| self.is_there(position)).count();
        assert_eq!(
            self.emulator.len(BUCKET, INDEX),
            Some(left),
            "vectors are left that were reported deleted"
        );

        for &fault in Fault::ALL {
            tally.add(fault.as_str(), self.network.injected(fault));
        }
        for (name, count) in [
            ("days", self.now.as_secs() / DAY.as_secs()),
            ("requests", report.requests),
            ("throttled requests", report.throttled),
            ("keys", report.pushed),
            ("keys deleted", report.deleted),
            ("keys unconfirmed", report.unconfirmed),
            ("keys rejected", report.rejected),
            ("keys not attempted", report.not_attempted),
        ] {
            tally.add(name, count);
        }
    }

    /// Flushes after up to 10 keys, so that the run has many requests.
    fn push(&mut self) {
        if self.now >= PUSH_TIME && self.next_push == self.keys {
            self.bulk.finish();
        }
        while self.waiting.is_none()
            && self.bulk.can_push()
            && (self.now < PUSH_TIME || self.next_push < self.keys)
        {
            let key = self.key(self.next_push);
            if self.next_push == self.keys {
                self.emulator.put_vectors(BUCKET, INDEX, [&key]).unwrap();
                self.keys += 1;
            }
            let is_settled = self.bulk.settled().contains(self.next_push);
            self.bulk.push(Key::new(&key).unwrap()).unwrap();
            self.text = key;
            if !is_settled {
                self.taken = Some(self.next_push);
            }
            self.next_push += 1;
            if self.batch == 0 {
                self.batch = self.random.size(1..11);
                self.bulk.flush();
                self.waiting = self.taken.take();
            }
            self.batch -= 1;
        }
    }

    fn drain(&mut self, tally: &mut Tally) {
        loop {
            let mut any = false;
            while let Some(transmit) = self.bulk.poll_transmit(self.client_now()) {
                any = true;
                self.waiting.take_if(|position| transmit.positions.contains(*position));
                self.network.send(self.now, (self.process, transmit.id), transmit.to_request());
            }
            while let Some(event) = self.bulk.poll_event() {
                any = true;
                self.handle_event(event, tally);
            }
            if !any {
                break;
            }
        }
    }

    fn handle_event(&mut self, event: Event, tally: &mut Tally) {
        match event {
            Event::Deleted { positions, .. } => {
                // Settled keys that failed before are not included.
                for position in positions.iter().filter(|position| !self.failed.contains(position))
                {
                    assert!(!self.is_there(position), "{position} is reported deleted but exists");
                }
            }
            Event::Failed(failed) => {
                // The checkpoint decides: it does not cover keys that a stop interrupted.
                let position =
                    |key: Key<'_>| key.as_str().trim_start_matches("doc-").parse().unwrap();
                for position in failed.keys.iter().map(position) {
                    assert!(
                        failed.positions.contains(position),
                        "{position} is not in {:?}",
                        failed.positions
                    );
                    self.failed.insert(position);
                }
            }
            Event::CredentialsNeeded if self.reply_at.is_none() => {
                // One time in twelve, credentials arrive only after the provider's timeout.
                let delay = if self.random.chance(0.08) {
                    PUSH_TIME
                } else {
                    self.random.millis(0..60_000)
                };
                self.reply_at = Some(self.now + delay);
            }
            Event::OutageBegan { .. } => tally.add("outages noticed", 1),
            Event::ClockCorrected => tally.add("clocks corrected", 1),
            _ => {}
        }
    }

    fn wait(&mut self) {
        let next = [self.network.next_event(), self.bulk.poll_timeout(), self.reply_at];
        let next = next.into_iter().flatten().chain(self.incidents.map(|(_, at)| at)).min();
        self.now = self.now.max(next.expect("there is always a next event"));
        assert!(self.now < 3 * PUSH_TIME, "the run does not end: {:?}", self.bulk.report());
    }

    fn handle_due(&mut self, tally: &mut Tally) {
        self.cause_incidents(tally);
        while let Some(event) =
            self.network.poll(Now::new(self.now, self.service_time()), &mut self.emulator)
        {
            let NetworkEvent::Delivered { id: (process, id), result, .. } = event else { continue };
            if process == self.process {
                match result {
                    Ok(response) => self.bulk.handle_response(self.client_now(), id, &response),
                    Err(failure) => self.bulk.handle_failure(self.client_now(), id, failure),
                }
            }
        }
        if self.reply_at.take_if(|at| *at <= self.now).is_some() {
            self.credentials = self.issue(tally);
            self.bulk.handle_credentials(self.client_now(), self.credentials.clone());
        }
        self.bulk.handle_timeout(self.client_now());
    }

    fn issue(&mut self, tally: &mut Tally) -> Credentials {
        tally.add("credentials", 1);
        self.emulator.remove_identity(self.credentials.access_key_id());
        self.issued += 1;
        issue(&mut self.emulator, self.issued, time() + self.now)
    }

    fn key(&mut self, position: u64) -> String {
        let mut key = mem::take(&mut self.text);
        key.clear();
        key.push_str("doc-");
        key.push_str(&position.to_string());
        key
    }

    fn is_there(&self, position: u64) -> bool {
        self.emulator.contains(BUCKET, INDEX, &format!("doc-{position}"))
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

fn options(seed: u64) -> BulkOptions {
    BulkOptions::new().credentials_timeout(5 * MINUTE).seed(seed)
}

/// Credentials that the service accepts for an hour from `now` on.
fn issue(emulator: &mut Emulator, number: u32, now: SystemTime) -> Credentials {
    let pair = Credentials::new(format!("STS.{number}"), SECRET).unwrap();
    let pair = pair.with_security_token(format!("token-{number}")).unwrap();
    let expiring = pair.clone().with_expiration(now + CREDENTIALS_LIFETIME);
    emulator.add_identity(Identity::new(expiring.clone()));
    if number.is_multiple_of(2) { expiring } else { pair }
}
