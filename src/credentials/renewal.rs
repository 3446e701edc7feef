//! Caches credentials until they must be renewed.

use std::time::{Duration, SystemTime};

use super::response;
use super::source::{Reply, Source, Step};
use super::{Credentials, SourceError};

/// How long before their expiration credentials are renewed.
const AHEAD: Duration = Duration::from_secs(180);
/// The time between a failed fetch and the next one, while there are valid credentials.
const AGAIN: Duration = Duration::from_secs(10);

/// The credentials of a [`Source`], cached and renewed 180 seconds before they expire.
///
/// It is driven like a `Source`: [`start`](Self::start) returns [`Step::Done`] at once while the
/// credentials are valid. If a fetch fails, credentials that have not expired are returned instead
/// of the error, which [`last_error`](Self::last_error) returns. The next fetch starts 10 seconds
/// later.
///
/// The time is taken from the date of the last response, so that a wrong clock of this host is
/// harmless.
#[derive(Debug, Clone)]
pub struct Renewal {
    source: Source,
    current: Option<Credentials>,
    /// After a failed fetch: the earliest time of the next one.
    again_at: Option<SystemTime>,
    last_error: Option<SourceError>,
    /// A time of this host, and the time of the service then.
    clock: Option<(SystemTime, SystemTime)>,
}

impl Renewal {
    /// Without credentials. The first [`start`](Self::start) begins a fetch.
    #[must_use]
    pub fn new(source: impl Into<Source>) -> Self {
        Self { source: source.into(), current: None, again_at: None, last_error: None, clock: None }
    }

    /// Returns the credentials if they are still valid, or else the first step of a fetch.
    pub fn start(&mut self, now: SystemTime) -> Step {
        let may_ask = self.again_at.is_none_or(|again_at| again_at <= now);
        match &self.current {
            Some(current) if !self.expires_within(AHEAD, now) => Step::Done(Ok(current.clone())),
            Some(current) if !may_ask && !self.expires_within(Duration::ZERO, now) => {
                Step::Done(Ok(current.clone()))
            }
            _ => {
                let step = self.source.start(now);
                self.take(now, step)
            }
        }
    }

    /// Handles the result of the last step.
    pub fn handle(&mut self, now: SystemTime, reply: Reply) -> Step {
        if let Reply::Response(response) = &reply
            && let Some(date) = response::date(response.headers())
        {
            self.clock = Some((now, date));
        }
        let step = self.source.handle(now, reply);
        self.take(now, step)
    }

    /// Drops the credentials, because the service rejected them. The next [`start`](Self::start)
    /// begins a fetch.
    pub fn forget(&mut self) {
        self.current = None;
        self.again_at = None;
    }

    /// The error of the last fetch. `None` if it succeeded.
    #[must_use]
    pub fn last_error(&self) -> Option<&SourceError> {
        self.last_error.as_ref()
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    fn take(&mut self, now: SystemTime, step: Step) -> Step {
        match step {
            Step::Done(Ok(credentials)) => {
                self.current = Some(credentials.clone());
                self.again_at = None;
                self.last_error = None;
                Step::Done(Ok(credentials))
            }
            Step::Done(Err(error)) => {
                self.last_error = Some(error.clone());
                self.again_at = now.checked_add(AGAIN);
                match &self.current {
                    Some(current) if !self.expires_within(Duration::ZERO, now) => {
                        Step::Done(Ok(current.clone()))
                    }
                    _ => Step::Done(Err(error)),
                }
            }
            step => step,
        }
    }

    fn expires_within(&self, time: Duration, now: SystemTime) -> bool {
        let expiration = self.current.as_ref().and_then(Credentials::expiration);
        let then = self.service_time(now).checked_add(time);
        expiration.is_some_and(|expiration| then.is_none_or(|then| expiration <= then))
    }

    fn service_time(&self, now: SystemTime) -> SystemTime {
        let Some((then, service)) = self.clock else { return now };
        match now.duration_since(then) {
            Ok(since) => service.checked_add(since),
            Err(error) => service.checked_sub(error.duration()),
        }
        .unwrap_or(now)
    }
}
