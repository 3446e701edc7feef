//! A run in which anything happens in any order. Every key is accounted for once, with the correct
//! outcome.

mod model;
mod script;
mod service;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oss_delete_vectors::bulk::{
    Adaptive, BulkDelete, BulkOptions, Checkpoint, Event, Positions, Rate, TransmitId,
};
use oss_delete_vectors::{Credentials, DeleteVectors, Key, KeyBatch, Now};

use self::model::{Model, text};
use self::script::Script;
use self::service::Reply;
use crate::example::{credentials, target, time};

/// The input is the options, and then one step per byte, with its arguments in the bytes that
/// follow.
pub fn bulk_delete(data: &[u8]) {
    let mut run = Run::new(Script::new(data));
    while !run.script.is_over() {
        run.step();
    }
    run.end();
}

struct Run<'a> {
    script: Script<'a>,
    options: BulkOptions,
    bulk: BulkDelete,
    model: Model,
    now: Now,
    /// Requests without a response, including those that the state machine no longer waits for.
    sent: Vec<Sent>,
    resumes: u32,
}

struct Sent {
    id: TransmitId,
    positions: Positions,
    is_executed: bool,
}

/// The maximum number of pushed keys, over all runs of a script. It bounds the time.
const MAX_KEYS: usize = 3000;
const MAX_RESUMES: u32 = 8;

impl<'a> Run<'a> {
    fn new(mut script: Script<'a>) -> Self {
        let options = options(&mut script);
        let credentials = with_expiration(credentials(), &mut script);
        let bulk = BulkDelete::new(&target(), credentials, options.clone()).expect("valid options");
        let now = Now::new(Duration::ZERO, time());
        Self { script, options, bulk, model: Model::default(), now, sent: Vec::new(), resumes: 0 }
    }

    fn step(&mut self) {
        match self.script.byte() & 15 {
            0 => self.push_many(),
            1 => self.push_some(),
            2 => self.bulk.flush(),
            3 => self.finish(),
            4 => self.transmit_all(),
            5 => _ = self.transmit(),
            6..=8 => self.respond(),
            9 => self.wait(),
            10 => self.wait_until_due(),
            11 => self.bulk.handle_timeout(self.now),
            12 => self.renew(),
            13 => self.take_events(),
            14 => self.resume(),
            _ => self.stop(),
        }
    }

    /// Up to two batches.
    fn push_many(&mut self) {
        let (count, first) = (4 * u16::from(self.script.byte()), 4 * u16::from(self.script.byte()));
        (first..first + count).for_each(|number| self.push(number));
    }

    fn push_some(&mut self) {
        for _ in 0..self.script.below(8) {
            let number = u16::from(self.script.byte());
            self.push(number);
        }
    }

    fn push(&mut self, number: u16) {
        if self.model.pushed >= MAX_KEYS {
            return;
        }
        let could = self.bulk.can_push();
        let text = text(self.model.next_key(number));
        let pushed = self.bulk.push(Key::new(&text).expect("a key"));
        assert_eq!(pushed.is_ok(), could);
        if could {
            self.model.push();
        }
    }

    /// Ends the input. A resumed run first reads the whole input again.
    fn finish(&mut self) {
        if self.model.is_behind() {
            return self.push_many();
        }
        self.bulk.finish();
    }

    fn transmit_all(&mut self) {
        while self.transmit() {}
    }

    fn transmit(&mut self) -> bool {
        let Some(transmit) = self.bulk.poll_transmit(self.now) else { return false };
        let call = DeleteVectors::parse_request(&target(), &transmit.to_request()).expect("a call");
        assert!((1..=KeyBatch::MAX_KEYS).contains(&transmit.keys));
        assert_eq!(transmit.keys, call.keys().len());
        assert!(call.keys().iter().map(Key::as_str).eq(self.model.keys(&transmit.positions)));
        self.model.send(&transmit.positions);
        let is_executed = self.script.flag();
        if is_executed {
            self.model.execute(&transmit.positions);
        }
        self.sent.push(Sent { id: transmit.id, positions: transmit.positions, is_executed });
        true
    }

    fn respond(&mut self) {
        if self.sent.is_empty() {
            return;
        }
        let number = self.script.below(self.sent.len());
        let Sent { id, positions, is_executed } = self.sent.swap_remove(number);
        let reply = if is_executed {
            Reply::to_executed(&mut self.script)
        } else {
            Reply::to_ignored(&mut self.script)
        };
        self.deliver(id, &positions, reply);
    }

    /// Delivers the response twice. The second time must have no effect.
    fn deliver(&mut self, id: TransmitId, positions: &Positions, reply: Reply) {
        match reply {
            Reply::Deletion(response) => {
                self.model.confirm(positions);
                self.bulk.handle_response(self.now, id, &response);
            }
            Reply::Other(response) => self.bulk.handle_response(self.now, id, &response),
            Reply::TransportError(failure) => self.bulk.handle_failure(self.now, id, failure),
        }
        let report = self.bulk.report();
        self.bulk.handle_response(self.now, id, &http::Response::new(""));
        assert_eq!(self.bulk.report(), report);
    }

    /// The time of day may jump, but monotonic time does not.
    fn wait(&mut self) {
        let (passed, jump) = (self.script.duration(), self.script.byte());
        self.now.monotonic = self.now.monotonic.saturating_add(passed);
        self.now.wall = match jump % 8 {
            0 => UNIX_EPOCH,
            1 => self.now.wall.checked_sub(Duration::from_secs(3600)).unwrap_or(UNIX_EPOCH),
            2 => self.now.wall.checked_add(Duration::from_secs(1 << 40)).unwrap_or(UNIX_EPOCH),
            _ => self.now.wall.checked_add(passed).unwrap_or(self.now.wall),
        };
    }

    fn wait_until_due(&mut self) {
        let Some(due) = self.bulk.poll_timeout() else { return };
        let passed = due.saturating_sub(self.now.monotonic);
        self.now.monotonic = due.max(self.now.monotonic);
        self.now.wall = self.now.wall.checked_add(passed).unwrap_or(self.now.wall);
        self.bulk.handle_timeout(self.now);
    }

    fn renew(&mut self) {
        let credentials = with_expiration(credentials(), &mut self.script);
        self.bulk.handle_credentials(self.now, credentials);
    }

    fn take_events(&mut self) {
        while let Some(event) = self.bulk.poll_event() {
            self.model.take(event);
        }
        self.model.check(&self.bulk);
    }

    /// Simulates a crash: keys without an outcome are never reported.
    fn resume(&mut self) {
        if self.resumes == MAX_RESUMES {
            return;
        }
        self.resumes += 1;
        self.take_events();
        let checkpoint = self.bulk.checkpoint();
        assert_eq!(checkpoint.to_string().parse::<Checkpoint>().as_ref(), Ok(&checkpoint));
        self.bulk = BulkDelete::resume(&target(), credentials(), self.options.clone(), &checkpoint)
            .expect("the same target");
        self.model.resume(&checkpoint);
        self.sent.clear();
        self.now.monotonic = Duration::ZERO;
    }

    /// Rarely stops, because that ends the run.
    fn stop(&mut self) {
        match self.script.byte() {
            0 => self.bulk.stop(),
            1 => self.bulk.abort(),
            _ => return,
        }
        self.model.close();
    }

    /// From here on everything succeeds, so the run must end.
    fn end(mut self) {
        if self.now.monotonic > Duration::MAX / 4 {
            // The clock may end before the next timeout.
            self.bulk.abort();
        }
        self.bulk.finish();
        for step in 0.. {
            assert!(step < 100_000, "the run hangs: {:?}", self.bulk);
            while let Some(Sent { id, positions, is_executed }) = self.sent.pop() {
                let reply = if is_executed {
                    Reply::deletion()
                } else {
                    Reply::to_ignored(&mut Script::new(&[9, 0]))
                };
                self.deliver(id, &positions, reply);
            }
            while self.transmit() {
                let sent = self.sent.last_mut().expect("a request was just sent");
                sent.is_executed = true;
                self.model.execute(&sent.positions);
            }
            while let Some(event) = self.bulk.poll_event() {
                if matches!(event, Event::CredentialsNeeded) {
                    self.bulk.handle_credentials(self.now, credentials());
                }
                self.model.take(event);
            }
            if self.bulk.is_finished() {
                break;
            }
            if self.sent.is_empty() {
                assert!(
                    self.bulk.poll_timeout().is_some(),
                    "the run waits for nothing: {:?}",
                    self.bulk
                );
                self.wait_until_due();
            }
        }
        self.take_events();
        self.model.check_end(&self.bulk);
    }
}

fn options(script: &mut Script<'_>) -> BulkOptions {
    let base = script.duration().max(Duration::from_millis(10));
    let mut options = BulkOptions::new()
        .concurrency(script.pick(&[1, 2, 3, 8, 16, 100, 10_000]))
        .max_attempts(script.pick(&[1, 2, 3, 10, u32::MAX]))
        .back_off(base, script.duration().max(base))
        .response_timeout(script.duration().max(Duration::from_nanos(1)))
        .seed(u64::from(script.byte()))
        .rate(script.pick(&[
            Rate::Unlimited,
            Rate::default(),
            Adaptive::new().max_requests_per_second(5.0).into(),
            Adaptive::new().max_keys_per_second(0.001).into(),
            Rate::Fixed(0.001),
            Rate::Fixed(100.0),
            Rate::Fixed(1e6),
        ]));
    if script.flag() {
        options = options.credentials_timeout(script.duration());
    }
    if script.flag() {
        options = options.outage_timeout(script.duration());
    }
    options
}

fn with_expiration(credentials: Credentials, script: &mut Script<'_>) -> Credentials {
    let times: [Option<SystemTime>; 6] = [
        None,
        Some(UNIX_EPOCH),
        Some(time()),
        Some(time() + Duration::from_secs(60)),
        Some(time() + Duration::from_secs(3600)),
        UNIX_EPOCH.checked_sub(Duration::from_secs(1 << 40)),
    ];
    script.pick(&times).map_or(credentials.clone(), |time| credentials.with_expiration(time))
}
