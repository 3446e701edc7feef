//! The service's time and the credentials, with which requests are signed.
//!
//! Both may be wrong, and both are corrected while requests are in flight. So both have
//! generations. A rejected request of an older generation is only signed again. A rejected request
//! of the newest generation means that a correction is due, or has no effect.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::signing::Signer;
use crate::{AttemptError, Credentials, Now, Target};

/// The credentials that sign requests, and when to request new ones.
///
/// New credentials may be rejected too, because a provider may have a cache. Then they are
/// requested again, with growing pauses, until the timeout.
#[derive(Debug)]
pub(crate) struct Authority {
    signer: Arc<Signer>,
    generation: u32,
    /// Set while the service rejects all credentials.
    rejected: Option<Rejected>,
    pub(crate) can_renew: bool,
    timeout: Duration,
    asked: Option<Asked>,
    /// Whether the credentials were rejected or have expired. Then nothing is sent.
    is_void: bool,
    /// Whether the credentials were seen before their expiration. If not, the clock may be wrong:
    /// they are used, and the service decides.
    was_current: bool,
    /// Until then, new credentials are not requested early. A provider may have none that last
    /// longer.
    keep_until: Duration,
}

#[derive(Debug)]
struct Rejected {
    since: Duration,
    generations: u32,
    error: AttemptError,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    since: Duration,
    again_at: Duration,
}

/// What happened until the timeout for new credentials.
#[derive(Debug, PartialEq)]
pub(crate) enum Overdue {
    Rejected(AttemptError),
    Missing,
}

/// The default timeout for new credentials.
const TIMEOUT: Duration = Duration::from_secs(300);
/// How long before their expiration new credentials are requested.
const AHEAD: Duration = Duration::from_secs(300);
/// The time before credentials are requested again. New ones are kept for at least as long.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// The first pause after new credentials were rejected. Doubled each time, up to [`ASK_AGAIN`].
const ASK_ANEW: Duration = Duration::from_secs(1);

impl Authority {
    /// `timeout`: how long to wait for new credentials; `None` if the loop provides none.
    pub(crate) fn new(
        target: &Target,
        credentials: Credentials,
        timeout: Option<Duration>,
    ) -> Self {
        Self {
            signer: Arc::new(Signer::new(target, credentials)),
            generation: 0,
            rejected: None,
            can_renew: timeout.is_some(),
            timeout: timeout.unwrap_or(TIMEOUT),
            asked: None,
            is_void: false,
            was_current: false,
            keep_until: Duration::ZERO,
        }
    }

    pub(crate) fn signer(&self) -> &Arc<Signer> {
        &self.signer
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether requests may be signed.
    pub(crate) fn is_valid(&self) -> bool {
        !self.is_void
    }

    /// Whether earlier credentials were rejected and these are untested. One request tests them.
    pub(crate) fn is_on_trial(&self) -> bool {
        self.rejected.is_some()
    }

    pub(crate) fn succeeded(&mut self, generation: u32) {
        if generation == self.generation {
            self.rejected = None;
        }
    }

    /// A request of `generation` was rejected for its credentials. Returns whether to stop, because
    /// there will be no new ones.
    pub(crate) fn rejected(&mut self, now: Now, generation: u32, error: &AttemptError) -> bool {
        if generation != self.generation || self.is_void {
            return false;
        }
        if !self.can_renew {
            return true;
        }
        let now = now.monotonic;
        let rejected = self.rejected.get_or_insert(Rejected {
            since: now,
            generations: 0,
            error: error.clone(),
        });
        rejected.error = error.clone();
        rejected.generations += 1;
        // After the first rejection, new ones are requested at once. If those are rejected too, the
        // provider may have to wait for its cache.
        let factor = rejected.generations.checked_sub(2).map_or(0, |doubled| 1 << doubled.min(8));
        let again_at = now.saturating_add((factor * ASK_ANEW).min(ASK_AGAIN));
        self.is_void = true;
        self.asked = Some(Asked { since: self.asked.map_or(now, |asked| asked.since), again_at });
        false
    }

    pub(crate) fn renew(&mut self, now: Duration, credentials: Credentials) {
        self.signer = Arc::new(Signer::new(self.signer.resource().clone(), credentials));
        self.generation += 1;
        self.asked = None;
        self.is_void = false;
        self.was_current = false;
        self.keep_until = now.saturating_add(ASK_AGAIN);
    }

    /// Restarts the provider's timeout.
    pub(crate) fn restart(&mut self, now: Duration) {
        if let Some(asked) = &mut self.asked {
            asked.since = now;
        }
        if let Some(rejected) = &mut self.rejected {
            rejected.since = now;
        }
    }

    /// Whether to request credentials now. `service_time` is the service's time at `now`.
    pub(crate) fn poll(&mut self, now: Duration, service_time: SystemTime) -> bool {
        if self.can_renew
            && let Some(expiration) = self.signer.credentials().expiration()
        {
            self.was_current |= service_time < expiration;
            if !self.is_void && self.was_current && service_time >= expiration {
                self.is_void = true;
                self.rejected = None;
                // The timeout starts now, when they are needed, not when they were first requested.
                if let Some(asked) = &mut self.asked {
                    asked.since = now;
                }
            }
            let is_near = expiration.checked_sub(AHEAD).is_none_or(|ahead| service_time >= ahead);
            if self.is_void || (is_near && self.keep_until <= now) {
                self.asked.get_or_insert(Asked { since: now, again_at: now });
            }
        }
        match &mut self.asked {
            Some(asked) if asked.again_at <= now => {
                asked.again_at = now.saturating_add(ASK_AGAIN);
                true
            }
            _ => false,
        }
    }

    /// Whether the timeout for new credentials has passed. With the error if some arrived and none
    /// was accepted.
    pub(crate) fn overdue(&self, now: Duration) -> Option<Overdue> {
        self.deadline().filter(|&deadline| deadline <= now)?;
        Some(match &self.rejected {
            Some(Rejected { generations: 2.., error, .. }) => Overdue::Rejected(error.clone()),
            _ => Overdue::Missing,
        })
    }

    /// The end of the timeout. `None` while requests can be signed.
    fn deadline(&self) -> Option<Duration> {
        let asked = self.asked.filter(|_| self.is_void)?;
        let since = self.rejected.as_ref().map_or(asked.since, |rejected| rejected.since);
        Some(since.saturating_add(self.timeout))
    }

    /// When to [`poll`](Self::poll) again at the latest. The next event is an early request, the
    /// expiration, or the next request or stop.
    pub(crate) fn next_poll(&self, now: Duration, service_time: SystemTime) -> Option<Duration> {
        // Past times are due now.
        let due = |time: SystemTime| {
            now.saturating_add(time.duration_since(service_time).unwrap_or_default())
        };
        let expiration = self.signer.credentials().expiration().filter(|_| self.can_renew);
        let ahead = expiration
            .filter(|_| self.asked.is_none())
            .map(|expiration| expiration.checked_sub(AHEAD).map_or(now, due).max(self.keep_until));
        let expiry = expiration.map(due).filter(|&time| time > now);
        let asked = self.asked.map(|asked| asked.again_at);
        let again = asked.into_iter().chain(self.deadline()).min().map(|time| time.max(now));
        [ahead, expiry, again].into_iter().flatten().min()
    }
}

/// The service's time of day, taken from its rejections.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// The service's time minus ours, or 0 if that is negative.
    ahead: Duration,
    /// Our time minus the service's, or 0 if that is negative.
    behind: Duration,
    generation: u32,
    /// Whether a request of this generation succeeded.
    is_proven: bool,
}

/// What to do about a request that was rejected for its date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Correction {
    /// Sign it again, because this response corrected the clock.
    Made,
    /// Sign it again, because the clock was corrected after it was signed.
    MadeBefore,
    /// Stop, because the response has no date, or a correction with such a date was rejected.
    Useless,
}

impl Clock {
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn service_time(&self, wall: SystemTime) -> SystemTime {
        wall.checked_add(self.ahead).and_then(|wall| wall.checked_sub(self.behind)).unwrap_or(wall)
    }

    pub(crate) fn succeeded(&mut self, generation: u32) {
        self.is_proven |= generation == self.generation;
    }

    /// Takes the time from the next rejection again.
    pub(crate) fn restart(&mut self) {
        self.is_proven = true;
    }

    /// A request of `generation` was rejected for its date, at our time `wall` and at the service's
    /// time `date`.
    pub(crate) fn rejected(
        &mut self,
        generation: u32,
        wall: SystemTime,
        date: Option<SystemTime>,
    ) -> Correction {
        if generation != self.generation {
            return Correction::MadeBefore;
        }
        let Some(date) = date.filter(|_| self.generation == 0 || self.is_proven) else {
            return Correction::Useless;
        };
        *self = Self {
            ahead: date.duration_since(wall).unwrap_or_default(),
            behind: wall.duration_since(date).unwrap_or_default(),
            generation: generation + 1,
            is_proven: false,
        };
        Correction::Made
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::TransportError;

    fn target() -> Target {
        let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456");
        target.bucket("examplebucket").build().unwrap()
    }

    #[test]
    fn renewal_is_not_overdue_before_expiry() {
        let at =
            |seconds| (Duration::from_secs(seconds), UNIX_EPOCH + Duration::from_secs(seconds));
        let credentials = Credentials::new("id", "yourAccessKeySecretForTests0001")
            .unwrap()
            .with_expiration(at(400).1);
        let timeout = Some(Duration::from_secs(60));
        let mut authority = Authority::new(&target(), credentials.clone(), timeout);

        let (mut now, mut wall) = at(0);
        for expected in [100, 110, 120, 130, 140, 150, 160, 170, 180] {
            assert_eq!(authority.poll(now, wall), now >= at(100).0);
            let next = authority.next_poll(now, wall).unwrap();
            assert_eq!(next, at(expected).0);
            (now, wall) = at(expected);
        }
        assert!(authority.overdue(now).is_none(), "they are valid until 400");
        (now, wall) = at(400);
        assert!(
            authority.poll(now, wall) && !authority.is_valid() && authority.overdue(now).is_none()
        );
        assert_eq!(authority.next_poll(now, wall), Some(at(410).0));
        assert_eq!(authority.overdue(at(459).0), None, "the timeout starts when they are needed");
        assert_eq!(authority.overdue(at(460).0), Some(Overdue::Missing));

        // The expiration precedes the next request.
        let mut authority = Authority::new(&target(), credentials.clone(), timeout);
        let (now, wall) = at(393);
        assert!(authority.poll(now, wall));
        assert_eq!(authority.next_poll(now, wall), Some(at(400).0));

        // Credentials that were never seen before their expiration are used, first and new ones.
        let mut authority = Authority::new(&target(), credentials.clone(), timeout);
        let (now, wall) = at(400);
        assert!(authority.poll(now, wall) && authority.is_valid());
        let mut authority = Authority::new(&target(), credentials.clone(), timeout);
        assert!(!authority.poll(at(0).0, at(0).1));
        authority.renew(now, credentials);
        assert!(!authority.poll(now, wall) && authority.is_valid());
        assert!(authority.poll(at(410).0, at(410).1) && authority.is_valid());
    }

    /// Two requests of the first credentials are in flight, and the first of them is rejected.
    #[test]
    fn late_success_of_old_credentials_ends_no_trial() {
        let credentials = Credentials::new("id", "yourAccessKeySecretForTests0001").unwrap();
        let timeout = Some(Duration::from_secs(60));
        let mut authority = Authority::new(&target(), credentials.clone(), timeout);
        let error = TransportError::may_have_arrived("rejected").into();
        let now = Now::new(Duration::ZERO, UNIX_EPOCH);
        assert!(!authority.rejected(now, 0, &error) && !authority.is_valid());
        authority.renew(now.monotonic, credentials);
        assert!(authority.is_valid() && authority.is_on_trial());
        authority.succeeded(0);
        assert!(authority.is_on_trial());
        authority.succeeded(1);
        assert!(!authority.is_on_trial());
    }

    #[test]
    fn a_restart_gives_the_provider_its_timeout_again() {
        let credentials = Credentials::new("id", "yourAccessKeySecretForTests0001").unwrap();
        let credentials = credentials.with_expiration(UNIX_EPOCH + Duration::from_secs(400));
        let at = Duration::from_secs;
        let mut authority = Authority::new(&target(), credentials, Some(at(60)));
        assert!(authority.poll(at(0), UNIX_EPOCH + at(350)));
        assert!(authority.poll(at(50), UNIX_EPOCH + at(400)));
        authority.restart(at(105));
        assert_eq!(authority.overdue(at(164)), None);
        assert_eq!(authority.overdue(at(165)), Some(Overdue::Missing));
    }

    #[test]
    fn late_success_proves_no_correction_of_the_clock() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut clock = Clock::default();
        assert_eq!(clock.rejected(0, at(100), Some(at(160))), Correction::Made);
        assert_eq!(clock.rejected(0, at(100), Some(at(160))), Correction::MadeBefore);
        clock.succeeded(0);
        assert_eq!(clock.rejected(1, at(100), Some(at(130))), Correction::Useless);
        clock.succeeded(1);
        assert_eq!(clock.rejected(1, at(100), Some(at(130))), Correction::Made);
        assert_eq!((clock.generation(), clock.service_time(at(100))), (2, at(130)));
    }

    #[test]
    fn a_restart_lets_the_clock_be_corrected_again() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut clock = Clock::default();
        assert_eq!(clock.rejected(0, at(100), Some(at(160))), Correction::Made);
        assert_eq!(clock.service_time(at(100)), at(160));
        assert_eq!(clock.rejected(1, at(100), Some(at(130))), Correction::Useless);
        clock.restart();
        assert_eq!(clock.rejected(1, at(100), Some(at(130))), Correction::Made);
        assert_eq!(clock.service_time(at(100)), at(130));
    }
}
