use crate::AttemptError;
use std::time::Duration;

/// The time before the first deletion of this process. Every kind of failure ends the run after ten
/// attempts, or after a minute and at least two attempts, whichever comes first. One attempt is not
/// enough, because a single lost response can take longer than a minute.
#[derive(Debug, Default)]
pub(crate) struct Startup {
    is_over: bool,
    /// Responses and failures.
    attempts: u32,
    /// The ones that count.
    failures: u32,
    /// When the first failed attempt was sent, and when it failed.
    first: Option<(Duration, Duration)>,
    /// Until when the service asked to wait, and for how long in total.
    held_until: Duration,
    held: Duration,
    error: Option<AttemptError>,
}

/// The number of failed attempts that end the run.
const ATTEMPTS: u32 = 10;
/// The number of attempts without which the minute does not end the run.
const LEAST_ATTEMPTS: u32 = 2;
/// How many of the attempts in flight at the first failure count. They all failed at the same time,
/// so they are not ten attempts.
const IN_FLIGHT: u32 = 2;
/// The time without a deletion that ends the run.
const TIME: Duration = Duration::from_secs(60);
/// The maximum time of `Retry-After` that does not count.
const MOST_HELD: Duration = Duration::from_secs(3600);

impl Startup {
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self { is_over: true, ..Self::default() };
    }

    /// The service asked to wait.
    pub(crate) fn hold(&mut self, now: Duration, delay: Duration) {
        let until = now.saturating_add(delay);
        let longer = until.saturating_sub(self.held_until.max(now));
        self.held = self.held.saturating_add(longer).min(MOST_HELD);
        self.held_until = self.held_until.max(until);
    }

    /// There was nothing to send for this long.
    pub(crate) fn skip(&mut self, idle: Duration) {
        if let Some((sent_at, failed_at)) = &mut self.first {
            *sent_at = sent_at.saturating_add(idle);
            *failed_at = failed_at.saturating_add(idle);
        }
    }

    /// An attempt that was sent at `sent_at` failed or was throttled. Throttled ones do not count
    /// towards the ten. Returns whether the run ends.
    pub(crate) fn failed(
        &mut self,
        now: Duration,
        sent_at: Duration,
        error: &AttemptError,
        is_throttled: bool,
    ) -> bool {
        if self.is_over {
            return false;
        }
        let &mut (_, first_failed_at) = self.first.get_or_insert((sent_at, now));
        if !is_throttled && (sent_at >= first_failed_at || self.failures < IN_FLIGHT) {
            self.failures += 1;
        }
        self.attempts += 1;
        self.error = Some(error.clone());
        self.failures >= ATTEMPTS || self.is_overdue(now)
    }

    /// The end of the minute, if enough attempts failed.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.first
            .filter(|_| self.attempts >= LEAST_ATTEMPTS)
            .and_then(|(sent_at, _)| sent_at.checked_add(TIME + self.held))
    }

    pub(crate) fn is_overdue(&self, now: Duration) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// The last error.
    pub(crate) fn error(&self) -> Option<&AttemptError> {
        self.error.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TransportError;

    const SECOND: Duration = Duration::from_secs(1);

    fn lost() -> AttemptError {
        TransportError::may_have_arrived("reset").into()
    }

    #[test]
    fn ten_attempts_end_the_run() {
        let mut startup = Startup::default();
        // 16 that were in flight together count as two.
        (0..16).for_each(|_| assert!(!startup.failed(SECOND, Duration::ZERO, &lost(), false)));
        // Throttled ones do not count.
        (0..16).for_each(|_| assert!(!startup.failed(2 * SECOND, SECOND, &lost(), true)));
        (0..7).for_each(|_| assert!(!startup.failed(2 * SECOND, SECOND, &lost(), false)));
        assert!(startup.failed(2 * SECOND, SECOND, &lost(), false));
        startup.succeeded();
        assert!(startup.is_over() && startup.error().is_none());
        (0..16).for_each(|_| assert!(!startup.failed(2 * SECOND, SECOND, &lost(), false)));
    }

    #[test]
    fn a_minute_and_two_attempts_end_the_run() {
        let mut startup = Startup::default();
        assert!(!startup.failed(50 * SECOND, SECOND, &lost(), true));
        assert_eq!((startup.deadline(), startup.is_overdue(90 * SECOND)), (None, false));
        assert!(!startup.failed(51 * SECOND, 50 * SECOND, &lost(), true));
        assert_eq!(startup.deadline(), Some(61 * SECOND));
        assert!(!startup.is_overdue(60 * SECOND) && startup.is_overdue(61 * SECOND));
        // The time in which the service asked to wait, each second once, without time without
        // requests.
        startup.hold(51 * SECOND, 10 * SECOND);
        startup.hold(56 * SECOND, 10 * SECOND);
        startup.hold(57 * SECOND, SECOND);
        assert_eq!(startup.deadline(), Some(76 * SECOND));
        startup.skip(4 * SECOND);
        assert_eq!(startup.deadline(), Some(80 * SECOND));
        assert!(startup.failed(80 * SECOND, 52 * SECOND, &lost(), true));
        startup.hold(80 * SECOND, 86_400 * SECOND);
        assert_eq!(startup.deadline(), Some(5 * SECOND + TIME + MOST_HELD));
    }
}
