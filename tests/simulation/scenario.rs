//! One run, determined by its seed: its options, its keys, and all its faults.

use std::collections::BTreeSet;
use std::time::Duration;

use http::StatusCode;
use oss_delete_vectors::bulk::{Adaptive, BulkOptions, Rate};
use oss_delete_vectors::code;
use oss_delete_vectors::emulator::{Fault, Faults, Outage};

use crate::random::Random;

#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) concurrency: usize,
    pub(crate) rate: Rate,
    pub(crate) max_attempts: u32,
    pub(crate) response_timeout: Duration,
    pub(crate) outage_timeout: Option<Duration>,
    /// The key of each push, by its number.
    pub(crate) pushes: Vec<usize>,
    /// Keys whose requests are all rejected.
    pub(crate) poison: BTreeSet<usize>,
    /// Keys whose requests all fail.
    pub(crate) failing: BTreeSet<usize>,
    pub(crate) source: Source,
    pub(crate) limit: Option<(f64, u32)>,
    pub(crate) faults: Faults,
    pub(crate) latency: (Duration, Duration),
    /// The clock of the client minus that of the service, in seconds.
    pub(crate) skew: i64,
    pub(crate) token: Option<Token>,
    pub(crate) provider: Option<Provider>,
    pub(crate) script: Vec<(Trigger, Action)>,
    /// The probability that the driver does not take events for a while.
    pub(crate) skip_events: f64,
    /// The maximum delay of the driver.
    pub(crate) lateness: Duration,
}

/// The source of keys.
#[derive(Debug)]
pub(crate) struct Source {
    /// Keys between two pauses.
    pub(crate) chunk: usize,
    pub(crate) pause: Duration,
    /// The probability of a flush after each key.
    pub(crate) flush: f64,
}

/// Credentials that expire.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) lifetime: Duration,
    /// Whether the client knows.
    pub(crate) is_known: bool,
}

/// The provider of credentials.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Provider {
    pub(crate) timeout: Duration,
    /// `None`: the provider never responds.
    pub(crate) delay: Option<Duration>,
    /// The number of rejected credentials before the accepted ones.
    pub(crate) wrong_first: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Trigger {
    Transmits(u64),
    Time(Duration),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    Stop,
    Abort,
    Limit(Option<(f64, u32)>),
    RemoveIndex,
    /// Removes the permission.
    Deny,
    Disable,
    /// Forgets the AccessKey id in use.
    Revoke,
    /// The client's clock jumps by this number of seconds.
    Jump(i64),
    Outage(Outage, Duration),
    /// Hands over new credentials that were not requested.
    Rotate,
}

/// Clock differences in seconds. None of them, and no sum of three, is close to the limit of 15
/// minutes. Otherwise a request that a proxy sends twice could be rejected once and executed once,
/// which no client can detect.
const SMALL_JUMPS: [i64; 4] = [-240, -10, 10, 240];
const LARGE_JUMPS: [i64; 6] = [-30 * 86_400, -86_400, -7200, 7200, 86_400, 365 * 86_400];

impl Scenario {
    pub(crate) fn new(seed: u64) -> Self {
        let random = &mut Random::new(seed);
        let pushes = pushes(random);
        let source = source(random);
        let (token, provider) = credentials(random);
        let poison = poison(random, &pushes);
        let failing = failing(random, &pushes);
        let faults = faults(random);
        // Roughly the minimum time for full batches.
        let requests = (pushes.len() as f64 * source.flush.max(0.002)).max(1.0);
        let script = script(random, requests);
        Self {
            concurrency: random.pick(&[1, 2, 3, 4, 8, 16, 16, 32, 64]),
            rate: match random.size(0..8) {
                0..3 => Rate::default(),
                3 => Adaptive::new().max_requests_per_second(random.log(1.0, 1000.0)).into(),
                4 => Adaptive::new().max_keys_per_second(random.log(100.0, 1e6)).into(),
                5..6 => Rate::Fixed(random.log(0.5, 500.0)),
                _ => Rate::Unlimited,
            },
            max_attempts: random.pick(&[1, 2, 3, 10, 10, 10]),
            response_timeout: random.pick(&[2, 10, 30, 75, 75]).into_duration(),
            outage_timeout: random.chance(0.2).then(|| random.millis(5_000..300_000)),
            limit: random.chance(0.5).then(|| limit(random)),
            latency: (random.millis(0..200), random.millis(0..200)),
            skew: if random.chance(0.1) { random.pick(&LARGE_JUMPS) } else { 0 },
            skip_events: if random.chance(0.1) { 0.7 } else { 0.0 },
            lateness: if random.chance(0.3) { Duration::from_millis(50) } else { Duration::ZERO },
            pushes,
            poison,
            failing,
            source,
            faults,
            token,
            provider,
            script,
        }
    }

    pub(crate) fn options(&self, seed: u64) -> BulkOptions {
        let options = BulkOptions::new()
            .concurrency(self.concurrency)
            .rate(self.rate)
            .max_attempts(self.max_attempts)
            .response_timeout(self.response_timeout)
            .seed(seed);
        let options = if let Some(outage) = self.outage_timeout {
            options.outage_timeout(outage)
        } else {
            options
        };
        if let Some(provider) = &self.provider {
            options.credentials_timeout(provider.timeout)
        } else {
            options
        }
    }
}

trait IntoDuration {
    fn into_duration(self) -> Duration;
}

impl IntoDuration for u64 {
    fn into_duration(self) -> Duration {
        Duration::from_secs(self)
    }
}

/// Keys by number, with duplicates of the previous key and of any earlier key.
fn pushes(random: &mut Random) -> Vec<usize> {
    let count = match random.size(0..20) {
        0..5 => random.size(0..10),
        5..14 => random.size(10..300),
        14..19 => random.size(300..1000),
        _ => random.size(1000..5000),
    };
    let adjacent = if random.chance(0.3) { random.log(0.01, 0.5) } else { 0.0 };
    let far = if random.chance(0.3) { random.log(0.01, 0.5) } else { 0.0 };
    let mut pushes = Vec::with_capacity(count);
    let mut unique = 0;
    for position in 0..count {
        if position > 0 && random.chance(adjacent) {
            pushes.push(pushes[position - 1]);
        } else if position > 0 && random.chance(far) {
            pushes.push(pushes[random.size(0..position)]);
        } else {
            pushes.push(unique);
            unique += 1;
        }
    }
    pushes
}

fn source(random: &mut Random) -> Source {
    let flush = match random.size(0..4) {
        0 => 0.0,
        1 => 0.01,
        2 => 0.05,
        _ => 0.3,
    };
    if random.chance(0.7) {
        return Source { chunk: usize::MAX, pause: Duration::ZERO, flush };
    }
    Source { chunk: random.size(1..100), pause: random.millis(1..5000), flush }
}

fn poison(random: &mut Random, pushes: &[usize]) -> BTreeSet<usize> {
    let unique = pushes.iter().max().map_or(0, |last| last + 1);
    match random.size(0..10) {
        0..6 => BTreeSet::new(),
        6..8 => {
            (0..random.size(1..4)).filter(|_| unique > 0).map(|_| random.size(0..unique)).collect()
        }
        8 => (0..unique).filter(|_| random.chance(0.02)).collect(),
        // So many that the index itself seems to be the problem.
        _ => (0..unique.min(200)).collect(),
    }
}

/// So few that they do not fill all open batches. Otherwise it would be an outage.
fn failing(random: &mut Random, pushes: &[usize]) -> BTreeSet<usize> {
    let unique = pushes.iter().max().map_or(0, |last| last + 1);
    match random.size(0..10) {
        0 if unique > 0 => (0..random.size(1..12)).map(|_| random.size(0..unique)).collect(),
        _ => BTreeSet::new(),
    }
}

/// What a proxy or the service responds to all requests for a while.
pub(crate) fn outage(random: &mut Random) -> Outage {
    let status = |status: u16| StatusCode::from_u16(status).unwrap();
    match random.size(0..8) {
        0 => Outage::Refused,
        1 => Outage::Unavailable,
        2 => Outage::Silent,
        3..6 => Outage::Page(status(
            random.pick(&[200, 204, 302, 400, 401, 403, 404, 407, 409, 413, 418, 429, 500, 502]),
        )),
        _ => {
            let (number, code) = random.pick(&[
                (400, code::BAD_REQUEST),
                (400, code::REQUEST_TIMEOUT),
                (400, "SomethingNew"),
                (400, "Throttling.User"),
                (401, code::BAD_ERROR_RESPONSE),
                (403, code::BAD_ERROR_RESPONSE),
                (409, "SomethingNew"),
                (500, code::INTERNAL_ERROR),
                (503, code::QPS_LIMIT_EXCEEDED),
            ]);
            Outage::Error(status(number), code)
        }
    }
}

pub(crate) fn limit(random: &mut Random) -> (f64, u32) {
    let per_second = random.log(0.5, 2000.0);
    (per_second, u32::try_from(random.range(1..3 + per_second as u64)).unwrap())
}

pub(crate) fn faults(random: &mut Random) -> Faults {
    let (count, low, high) = match random.size(0..10) {
        0..2 => return Faults::none(),
        2..6 => (random.size(1..3), 0.02, 0.3),
        6..9 => (random.size(3..8), 0.01, 0.1),
        _ => (Fault::ALL.len(), 0.01, 0.2),
    };
    let mut faults = Faults::none();
    for _ in 0..count {
        let fault = random.pick(Fault::ALL);
        let scale = if fault == Fault::Outage { 0.1 } else { 1.0 };
        faults = faults.with(fault, scale * random.log(low, high)).unwrap();
    }
    faults
}

fn credentials(random: &mut Random) -> (Option<Token>, Option<Provider>) {
    let token = random.chance(0.3).then(|| Token {
        lifetime: Duration::from_secs_f64(random.log(5.0, 7200.0)),
        is_known: random.chance(0.6),
    });
    let provider = random.chance(if token.is_some() { 0.8 } else { 0.2 }).then(|| Provider {
        timeout: random.millis(5_000..400_000),
        delay: (!random.chance(0.1))
            .then(|| random.pick(&[0, 0, 100, 5_000, 60_000]))
            .map(Duration::from_millis),
        wrong_first: random.pick(&[0, 0, 0, 1, 1, 2, 3]),
    });
    (token, provider)
}

fn script(random: &mut Random, requests: f64) -> Vec<(Trigger, Action)> {
    let actions = random.pick(&[0, 0, 1, 1, 2, 3]);
    let mut jumps = 0;
    (0..actions)
        .map(|_| {
            let trigger = if random.chance(0.7) {
                Trigger::Transmits((random.fraction() * 2.0 * requests) as u64)
            } else {
                Trigger::Time(Duration::from_secs_f64(random.log(0.01, 600.0)))
            };
            let action = match random.size(0..22) {
                0..4 => Action::Stop,
                4..7 => Action::Abort,
                7..10 => Action::Limit(random.chance(0.8).then(|| limit(random))),
                10 => Action::RemoveIndex,
                11 => Action::Deny,
                12 => Action::Disable,
                13..15 => Action::Revoke,
                15..18 if jumps < 3 => {
                    jumps += 1;
                    Action::Jump(if random.chance(0.5) {
                        random.pick(&SMALL_JUMPS)
                    } else {
                        random.pick(&LARGE_JUMPS)
                    })
                }
                15..20 => {
                    let longest = if random.chance(0.1) { 3.0 * 86_400.0 } else { 7200.0 };
                    Action::Outage(
                        outage(random),
                        Duration::from_secs_f64(random.log(1.0, longest)),
                    )
                }
                _ => Action::Rotate,
            };
            (trigger, action)
        })
        .collect()
}
