use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::shared::Handle;
use super::steps::{OnEvent, Steps};
use crate::bulk::{BulkOptions, Event};
use crate::calls::Calls;
use crate::transports::client::{NoProvider, with_seed};
use crate::{Credentials, InvalidValue, Target};

/// Makes a client `C`: `Client` or [`blocking::Client`](crate::blocking::Client).
///
/// ```
/// use std::time::Duration;
/// use oss_delete_vectors::blocking;
/// use oss_delete_vectors::bulk::BulkOptions;
/// use oss_delete_vectors::{Credentials, Deleted, InvalidValue, Target, TransportError};
///
/// let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("vectorindex1").build()?;
/// // Asks STS, or a program, each time.
/// let sts = || Ok::<_, InvalidValue>(Credentials::new("STS.Example", "my-secret")?.with_security_token("CAIS...")?);
/// // In place of a transport. It reports every key as deleted.
/// let send = |_request| Ok::<_, TransportError>(Deleted::new("some id").to_response());
/// let client = blocking::Client::builder(&target, sts()?)
///     .credentials_provider(sts)
///     .options(BulkOptions::new().concurrency(8))
///     .timeout(Duration::from_secs(30))
///     .with_transport(send)?;
/// client.delete(["doc-1#0", "doc-1#1"])?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is made until its last method is called"]
pub struct ClientBuilder<C, P = NoProvider> {
    target: Target,
    credentials: Credentials,
    pub(super) provider: P,
    renews_credentials: bool,
    options: BulkOptions,
    pub(super) timeout: Option<Duration>,
    most_waiting_keys: usize,
    on_event: Option<OnEvent>,
    client: PhantomData<fn() -> C>,
}

impl<C> ClientBuilder<C> {
    pub(super) fn new(target: &Target, credentials: Credentials) -> Self {
        Self {
            target: target.clone(),
            credentials,
            provider: NoProvider,
            renews_credentials: false,
            options: BulkOptions::new(),
            timeout: None,
            most_waiting_keys: Calls::DEFAULT_MOST_WAITING_KEYS,
            on_event: None,
            client: PhantomData,
        }
    }
}

impl<C, P> ClientBuilder<C, P> {
    /// Asks `provider` for credentials 5 minutes before they expire, and when the service rejects
    /// them: an `AsyncProvider`, or a [`BlockingProvider`](crate::transports::BlockingProvider) for
    /// [`blocking::Client`](crate::blocking::Client). Without one, rejected credentials fail the
    /// calls that wait, and the next call tries them again.
    pub fn credentials_provider<Q>(self, provider: Q) -> ClientBuilder<C, Q> {
        ClientBuilder {
            target: self.target,
            credentials: self.credentials,
            provider,
            renews_credentials: true,
            options: self.options,
            timeout: self.timeout,
            most_waiting_keys: self.most_waiting_keys,
            on_event: self.on_event,
            client: PhantomData,
        }
    }

    /// Concurrency, rate, attempts and timeouts of requests. If not set,
    /// [`outage_timeout`](BulkOptions::outage_timeout) is
    /// [a minute](Calls::DEFAULT_OUTAGE_TIMEOUT), and the seed is the time of day.
    pub fn options(mut self, options: BulkOptions) -> Self {
        self.options = options;
        self
    }

    /// How long each call waits for its result; without limit if not set. `delete_within` sets it
    /// for one call.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Calls wait for room while this many keys of other calls, or more, have no outcome; 100,000
    /// if not set. 0 is taken as 1. Each call counts with at most 500 keys.
    pub fn most_waiting_keys(mut self, keys: usize) -> Self {
        self.most_waiting_keys = keys;
        self
    }

    /// Calls `on_event` with each event: throttling, retries, outages, stops. It is called by the
    /// driver, which waits for it: keep it short. If it panics, the client ends.
    pub fn on_event(mut self, on_event: impl FnMut(&Event) + Send + 'static) -> Self {
        self.on_event = Some(Box::new(on_event));
        self
    }

    /// A handle, what its driver does in each round, and the provider.
    pub(super) fn start(self) -> Result<(Handle, Steps, P), InvalidValue> {
        let mut calls = Calls::new(&self.target, self.credentials, with_seed(self.options))?
            .most_waiting_keys(self.most_waiting_keys);
        if self.renews_credentials {
            calls.enable_renewal();
        }
        let handle = Handle::new();
        let shared = Arc::clone(handle.shared());
        let steps = Steps::new(calls, shared, self.on_event);
        Ok((handle, steps, self.provider))
    }
}

impl<C, P> fmt::Debug for ClientBuilder<C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("target", &self.target)
            .field("options", &self.options)
            .field("timeout", &self.timeout)
            .field("most_waiting_keys", &self.most_waiting_keys)
            .finish_non_exhaustive()
    }
}
