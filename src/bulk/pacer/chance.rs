use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Throttled responses that come by chance, whatever the pace: for another reason than the rate of
/// this client.
///
/// # How it shows
///
/// Each measurement takes what was accepted for the limit. If a part `p` is throttled by chance, it
/// is a part `p` lower than the one before, and so on, down to nothing. So the pace is looked at
/// each time it has fallen by half. Under a limit, as much is accepted a second as before, and a
/// smaller part is throttled. By chance, less is accepted, and the same part is throttled.
/// [`FALLS`] by half in a row are evidence.
///
/// # What becomes of it
///
/// All that is known of limits is forgotten, and `p` is expected from then on. A limit shows by a
/// larger part: a CUSUM test adds 1 for each throttled response, and subtracts for each accepted
/// one what makes the sum fall while the part is below `p + (1 - p) * MORE`. Only while the sum is
/// at its bound, a throttled response is evidence of a limit.
#[derive(Debug, Default)]
pub(super) struct Chance {
    /// Where the pace had fallen by half, oldest first.
    steps: VecDeque<Step>,
    /// The part that is throttled by chance; 0 if none is.
    part: f64,
    sum: f64,
    /// The part of late, smoothed.
    recent: f64,
}

/// A throttled response, and what came of all requests until then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) at: Duration,
    /// The amount whose limit is blamed, its pace, and how much of it was accepted.
    pub(super) blamed: usize,
    pub(super) pace: f64,
    pub(super) taken: f64,
    /// Requests.
    pub(super) accepted: f64,
    pub(super) throttled: f64,
}

/// From one step to the next.
struct Fall {
    throttled: f64,
    /// The part of the requests that was throttled.
    part: f64,
    /// How much was accepted a second.
    rate: f64,
}

const FALLS: usize = 3;
/// The least part that counts, and the most: beyond it, next to nothing is accepted.
const PARTS: RangeInclusive<f64> = 0.03..=0.7;
/// The part of the requests not throttled by chance that is throttled where a limit shows.
const MORE: f64 = 0.15;
/// Responses that the part of late is taken over.
const RECENT: f64 = 64.0;

impl Chance {
    /// Looks at the pace after a throttled response; a fall takes `least` at least. Whether the
    /// pace has fallen by chance, so that nothing that is known of a limit is true.
    pub(super) fn explains_fall(&mut self, now: Step, least: Duration) -> bool {
        let Some(last) = self.steps.back() else {
            self.steps.push_back(now);
            return false;
        };
        if now.blamed != last.blamed || now.pace > 2.0 * last.pace {
            self.steps = VecDeque::from([now]);
        } else if now.pace <= 0.5 * last.pace && now.at.saturating_sub(last.at) >= least {
            self.steps.push_back(now);
        }
        if self.steps.len() <= FALLS {
            return false;
        }
        let pairs = self.steps.iter().zip(self.steps.iter().skip(1));
        let falls: Vec<Fall> = pairs.map(|(from, to)| from.fall(to)).collect();
        self.steps.pop_front();
        let (first, last) = (&falls[0], &falls[FALLS - 1]);
        let is_chance = last.part > 0.4 * first.part
            && last.rate < 0.5 * first.rate
            && falls.iter().all(|fall| fall.throttled >= 2.0 && PARTS.contains(&fall.part));
        if is_chance {
            let throttled: f64 = falls.iter().map(|fall| fall.throttled).sum();
            let sent: f64 = falls.iter().map(|fall| fall.throttled / fall.part).sum();
            let part = throttled / sent;
            *self = Self { part, recent: part, ..Self::default() };
        }
        is_chance
    }

    /// Whether a throttled response is no evidence of a limit.
    pub(super) fn explains_throttle(&mut self) -> bool {
        if self.part == 0.0 {
            return false;
        }
        self.recent += (1.0 - self.recent) / RECENT;
        // By chance, the sum varies by more with a larger part.
        let most = 3.0 + 40.0 * self.part * self.part;
        self.sum = (self.sum + 1.0).min(most);
        self.sum < most
    }

    /// A request was accepted.
    pub(super) fn accepted(&mut self) {
        if self.part == 0.0 {
            return;
        }
        self.recent -= self.recent / RECENT;
        let limited = self.part + (1.0 - self.part) * MORE;
        self.sum = (self.sum - limited / (1.0 - limited)).max(0.0);
        if self.recent < self.part / 4.0 {
            *self = Self::default();
        }
    }
}

impl Step {
    fn fall(&self, to: &Self) -> Fall {
        let throttled = to.throttled - self.throttled;
        let seconds = to.at.saturating_sub(self.at).as_secs_f64();
        Fall {
            throttled,
            part: throttled / (throttled + to.accepted - self.accepted),
            rate: (to.taken - self.taken) / seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten seconds at each pace, of which `accepted` a second are accepted, and the rest throttled.
    fn falls(accepted: impl Fn(f64) -> f64) -> (Chance, bool) {
        let (mut chance, mut is_chance) = (Chance::default(), false);
        let (mut taken, mut throttled) = (0.0, 0.0);
        for (number, pace) in [80.0, 40.0, 20.0, 10.0].into_iter().enumerate() {
            let at = Duration::from_secs(10 * number as u64);
            let now = Step { at, blamed: 0, pace, taken, accepted: taken, throttled };
            is_chance = chance.explains_fall(now, Duration::from_secs(1));
            taken += 10.0 * accepted(pace);
            throttled += 10.0 * (pace - accepted(pace));
        }
        (chance, is_chance)
    }

    #[test]
    fn one_part_at_any_pace_is_chance() {
        assert!(falls(|pace| 0.9 * pace).1);
        assert!(falls(|pace| 0.5 * pace).1);
    }

    #[test]
    fn a_limit_is_no_chance() {
        assert!(!falls(|pace| pace.min(15.0)).1, "as much is accepted at any pace");
        assert!(!falls(|pace| 0.99 * pace).1, "next to none is throttled");
        assert!(!falls(|_| 0.0).1, "nothing is accepted");
    }

    #[test]
    fn a_larger_part_is_evidence_of_a_limit() {
        // One in ten is expected.
        for (every, counts) in [(10, 0), (3, 327)] {
            let (mut chance, _) = falls(|pace| 0.9 * pace);
            let evidence = (0..1000)
                .filter(|number| {
                    let is_throttled = number % every == 0;
                    if !is_throttled {
                        chance.accepted();
                    }
                    is_throttled && !chance.explains_throttle()
                })
                .count();
            assert_eq!(evidence, counts, "one in {every}");
        }
    }

    #[test]
    fn every_throttle_counts_once_chance_is_over() {
        let (mut chance, _) = falls(|pace| 0.9 * pace);
        assert!(chance.explains_throttle());
        (0..200).for_each(|_| chance.accepted());
        assert!(!chance.explains_throttle());
    }
}
