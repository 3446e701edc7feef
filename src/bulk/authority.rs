use std::time::{Duration, SystemTime};

use super::{BulkOptions, StopReason};
use crate::signing::Signer;
use crate::{AttemptError, Credentials, Now, Target};

/// As whom requests are signed, and when someone has to be asked for other credentials.
///
/// As with the clock, credentials have generations: if older ones are rejected, that means no more than to sign again. Those that
/// come may be rejected as well, for a provider has a cache: then it is asked again, less and less often, until its timeout is over.
#[derive(Debug)]
pub(super) struct Authority {
    signer: Signer,
    generation: u32,
    /// Since when no credentials are accepted.
    rejected: Option<Rejected>,
    pub(super) can_renew: bool,
    timeout: Duration,
    asked: Option<Asked>,
    /// Whether the present credentials were refused, or have expired: nothing is sent until there are others.
    is_void: bool,
    /// Whether the present credentials had not expired at some time. Of those that never had a time, the clock may be to blame:
    /// they are used, and the service decides.
    had_time: bool,
    /// Until when credentials that came are not asked for again ahead of their expiry: they may be the best there are.
    content_until: Duration,
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

/// How long to wait for new credentials if the options do not say.
const TIMEOUT: Duration = Duration::from_secs(300);
/// How long before credentials expire new ones are asked for.
const AHEAD: Duration = Duration::from_secs(300);
/// How long after an unanswered question it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// How long after credentials that came were rejected others are asked for: twice as long each time, up to [`ASK_AGAIN`].
const ASK_ANEW: Duration = Duration::from_secs(1);

impl Authority {
    pub(super) fn new(target: &Target, credentials: Credentials, options: &BulkOptions) -> Self {
        Self {
            signer: Signer::new(target, credentials),
            generation: 0,
            rejected: None,
            can_renew: options.credentials_timeout.is_some(),
            timeout: options.credentials_timeout.unwrap_or(TIMEOUT),
            asked: None,
            is_void: false,
            had_time: false,
            content_until: Duration::ZERO,
        }
    }

    pub(super) fn signer(&self) -> &Signer {
        &self.signer
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether requests may be signed.
    pub(super) fn is_valid(&self) -> bool {
        !self.is_void
    }

    /// Whether credentials are on trial, because those before them were rejected: one request finds out.
    pub(super) fn is_on_trial(&self) -> bool {
        self.rejected.is_some()
    }

    pub(super) fn succeeded(&mut self, generation: u32) {
        if generation == self.generation {
            self.rejected = None;
        }
    }

    /// A request signed under `generation` was rejected for its credentials. Whether there is nobody to ask for others.
    pub(super) fn rejected(&mut self, now: Now, generation: u32, error: &AttemptError) -> bool {
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
        // At once the first time; those that came and were rejected may be what the provider has in its cache.
        let factor = rejected.generations.checked_sub(2).map_or(0, |doubled| 1 << doubled.min(8));
        let again_at = now.saturating_add((factor * ASK_ANEW).min(ASK_AGAIN));
        self.is_void = true;
        self.asked = Some(Asked { since: self.asked.map_or(now, |asked| asked.since), again_at });
        false
    }

    pub(super) fn renew(&mut self, now: Duration, credentials: Credentials) {
        self.signer = Signer::new(self.signer.resource().clone(), credentials);
        self.generation += 1;
        self.asked = None;
        self.is_void = false;
        self.had_time = false;
        self.content_until = now.saturating_add(ASK_AGAIN);
    }

    /// Gives the provider its timeout anew.
    pub(super) fn restart(&mut self, now: Duration) {
        if let Some(asked) = &mut self.asked {
            asked.since = now;
        }
        if let Some(rejected) = &mut self.rejected {
            rejected.since = now;
        }
    }

    /// Whether someone is to be asked for credentials now. `service_time` is that of `now`.
    pub(super) fn poll(&mut self, now: Duration, service_time: SystemTime) -> bool {
        if self.can_renew
            && let Some(expiration) = self.signer.credentials().expiration()
        {
            self.had_time |= service_time < expiration;
            if !self.is_void && self.had_time && service_time >= expiration {
                self.is_void = true;
                self.rejected = None;
                // The timeout begins with the need, not with the question that was asked ahead.
                if let Some(asked) = &mut self.asked {
                    asked.since = now;
                }
            }
            let is_near = expiration.checked_sub(AHEAD).is_none_or(|ahead| service_time >= ahead);
            if self.is_void || (is_near && self.content_until <= now) {
                self.ask(now);
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

    /// Why to stop, where credentials that are needed did not come in time, or none that came were accepted.
    pub(super) fn overdue(&self, now: Duration) -> Option<StopReason> {
        self.deadline().filter(|&deadline| deadline <= now)?;
        Some(match &self.rejected {
            Some(Rejected { generations: 2.., error, .. }) => {
                StopReason::Credentials(error.clone())
            }
            _ => StopReason::CredentialsMissing,
        })
    }

    /// It begins where nothing can be sent any more: before that its end would be past, and due for ever.
    fn deadline(&self) -> Option<Duration> {
        let asked = self.asked.filter(|_| self.is_void)?;
        let since = self.rejected.as_ref().map_or(asked.since, |rejected| rejected.since);
        Some(since.saturating_add(self.timeout))
    }

    /// When to poll again, at the latest.
    pub(super) fn next_poll(&self, now: Duration, service_time: SystemTime) -> Option<Duration> {
        let expiration = self.signer.credentials().expiration().filter(|_| self.can_renew);
        let until = |time: SystemTime| {
            time.duration_since(service_time).ok().filter(|left| !left.is_zero())
        };
        let ahead = expiration.filter(|_| self.asked.is_none()).map(|expiration| {
            let left = expiration.checked_sub(AHEAD).and_then(until).unwrap_or_default();
            now.saturating_add(left).max(self.content_until)
        });
        let expires = expiration.and_then(until).map(|left| now.saturating_add(left));
        let asked = self
            .asked
            .map(|asked| asked.again_at.min(self.deadline().unwrap_or(Duration::MAX)).max(now));
        [ahead, expires, asked].into_iter().flatten().min()
    }

    fn ask(&mut self, now: Duration) {
        if self.asked.is_none() {
            self.asked = Some(Asked { since: now, again_at: now });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn renewal_is_not_overdue_before_expiry() {
        let target = Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .build()
            .unwrap();
        let at =
            |seconds| (Duration::from_secs(seconds), UNIX_EPOCH + Duration::from_secs(seconds));
        let credentials = Credentials::new("id", "yourAccessKeySecretForTests0001")
            .unwrap()
            .with_expiration(at(400).1);
        let options = BulkOptions::new().credentials_timeout(Duration::from_secs(60));
        let mut authority = Authority::new(&target, credentials, &options);

        let (mut now, mut wall) = at(0);
        for expected in [100, 110, 120, 130, 140, 150, 160, 170, 180] {
            assert_eq!(authority.poll(now, wall), now >= at(100).0);
            let next = authority.next_poll(now, wall).unwrap();
            assert_eq!(next, at(expected).0);
            (now, wall) = at(expected);
        }
        assert!(authority.overdue(now).is_none(), "they hold until 400");
        (now, wall) = at(400);
        assert!(
            authority.poll(now, wall) && !authority.is_valid() && authority.overdue(now).is_none()
        );
        assert_eq!(authority.next_poll(now, wall), Some(at(410).0));
        assert_eq!(authority.overdue(at(459).0), None, "the timeout begins with the need");
        assert_eq!(authority.overdue(at(460).0), Some(StopReason::CredentialsMissing));
    }
}
