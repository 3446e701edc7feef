use std::time::Duration;

/// How long responses take, and when one that does not come is no longer waited for.
///
/// As TCP does (RFC 6298): a smoothed mean, and a smoothed mean deviation. `mean + 4 * deviation`
/// is a time that next to no response exceeds, whatever the distribution.
#[derive(Debug, Default)]
pub(super) struct Latency {
    /// Seconds; 0 before the first response.
    mean: f64,
    deviation: f64,
    /// Requests given up since the last response.
    given_up: u32,
}

/// A response may be as late as twice the longest usual time before its request no longer counts as
/// in flight, and four times before it is given up, but in no case less than this.
const OVERDUE: Duration = Duration::from_millis(500);
const GIVEN_UP: Duration = Duration::from_secs(3);

impl Latency {
    pub(super) fn observe(&mut self, latency: Duration) {
        let latency = latency.as_secs_f64();
        self.given_up = 0;
        if self.mean == 0.0 {
            (self.mean, self.deviation) = (latency, latency / 2.0);
        } else {
            self.deviation += ((latency - self.mean).abs() - self.deviation) / 4.0;
            self.mean += (latency - self.mean) / 8.0;
        }
    }

    pub(super) fn gave_up(&mut self) {
        self.given_up = self.given_up.saturating_add(1);
    }

    /// In seconds.
    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    /// In seconds.
    pub(super) fn deviation(&self) -> f64 {
        self.deviation
    }

    /// After how long a request without a response no longer fills the window; `None` before the
    /// first response.
    pub(super) fn overdue_after(&self) -> Option<Duration> {
        (self.mean > 0.0).then(|| self.longest(2.0).max(OVERDUE))
    }

    /// After how long a request without a response is given up, `most` at most. If it `is_last`,
    /// so that the run waits for it alone, as soon as it is overdue: sending it again costs nothing
    /// then. Twice as long after each one, until a response comes: the service may have become
    /// slower than it ever was.
    pub(super) fn response_timeout(&self, most: Duration, is_last: bool) -> Duration {
        let Some(overdue) = self.overdue_after() else { return most };
        let usual = if is_last { overdue } else { self.longest(4.0).max(GIVEN_UP) };
        usual.saturating_mul(1 << self.given_up.min(16)).min(most)
    }

    fn longest(&self, times: f64) -> Duration {
        super::seconds(times * (self.mean + 4.0 * self.deviation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(75);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn nothing_is_given_up_early_before_a_response() {
        let latency = Latency::default();
        assert_eq!((latency.overdue_after(), latency.response_timeout(MOST, false)), (None, MOST));
    }

    #[test]
    fn giving_up_follows_the_latency() {
        for (millis, overdue, given_up) in
            [(5, OVERDUE, GIVEN_UP), (200, seconds(1), GIVEN_UP), (2000, seconds(6), seconds(12))]
        {
            let mut latency = Latency::default();
            for number in 0..100 {
                latency.observe(Duration::from_millis(if number % 2 == 0 {
                    millis * 9 / 10
                } else {
                    millis * 11 / 10
                }));
            }
            let (overdue_after, response_timeout) =
                (latency.overdue_after().unwrap(), latency.response_timeout(MOST, false));
            assert!(
                overdue_after.abs_diff(overdue) < overdue / 2,
                "{millis} ms: {overdue_after:?}"
            );
            assert!(
                response_timeout.abs_diff(given_up) < given_up / 2,
                "{millis} ms: {response_timeout:?}"
            );
        }
    }

    #[test]
    fn the_last_response_is_given_up_once_overdue() {
        let mut latency = Latency::default();
        assert_eq!(latency.response_timeout(MOST, true), MOST);
        latency.observe(Duration::from_millis(20));
        assert_eq!(latency.response_timeout(MOST, true), OVERDUE);
        latency.gave_up();
        assert_eq!(latency.response_timeout(MOST, true), 2 * OVERDUE);
        assert_eq!(latency.response_timeout(OVERDUE / 2, true), OVERDUE / 2);
    }

    #[test]
    fn a_service_that_became_slow_is_waited_for() {
        let mut latency = Latency::default();
        latency.observe(Duration::from_millis(20));
        let waits: Vec<Duration> = (0..6)
            .map(|_| {
                let wait = latency.response_timeout(MOST, false);
                latency.gave_up();
                wait
            })
            .collect();
        assert_eq!(waits, [3, 6, 12, 24, 48, 75].map(seconds));
        latency.observe(seconds(30));
        assert_eq!(
            latency.response_timeout(MOST, false),
            MOST,
            "and the slow response is learnt from"
        );
    }
}
