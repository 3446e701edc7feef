//! Delete vectors from any number of threads: [`Client`].

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use super::shared::{Handle, Slot};
use super::steps::Steps;
use super::taken::{MOST_CALLS, Taken};
use super::{ClientBuilder, panicked, text_of};
use crate::calls::{Call, DeleteError, Metrics};
use crate::transports::BoxError;
use crate::transports::client::BlockingProvider;
use crate::transports::client::blocking::{
    Inbox, KeysWanted, Machine, Message, Renewer, Shared, THREAD_PAUSE, Workers,
};
use crate::transports::clock::system_now;
use crate::{Credentials, InvalidValue, Target, TransportError};

/// Deletes vectors from one index, for any number of threads at once, without a runtime.
///
/// Make one per index, keep it, and clone it: clones share everything. Calls that wait are merged
/// into requests of up to 500 keys, and each call gets its own result. All calls share one pace,
/// one set of retries, one clock and one set of credentials. A call is sent at once if nothing else
/// waits.
///
/// ```
/// use oss_delete_vectors::{Credentials, Target, blocking};
/// # #[cfg(all(feature = "ureq", feature = "serve"))] {
/// # use std::net::Ipv4Addr;
/// # use std::sync::{Arc, Mutex};
/// # use oss_delete_vectors::emulator::Emulator;
/// # use oss_delete_vectors::transports::Server;
/// # let index = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("vectorindex1");
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// # let emulator = Emulator::with_vectors(&index.clone().build()?, credentials.clone(), ["doc-1#0", "doc-1#1"])?;
/// # let server = Server::start_emulator((Ipv4Addr::LOCALHOST, 0).into(), Arc::new(Mutex::new(emulator)))?;
/// # let target = index.endpoint(server.url().parse()?).build()?;
///
/// let client = blocking::Client::new(&target, credentials)?;
/// if let Err(error) = client.delete(["doc-1#0", "doc-1#1"]) {
///     for key in error.not_deleted() {
///         println!("{}: {}", key.key, key.outcome);
///     }
/// }
/// client.close();
/// # }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Stops
///
/// No permission, no such index, rejected credentials or an outage of a minute stop deleting. A
/// stop fails the calls that wait, with the reason, but not the client. The next call tries again,
/// at the pace that was found before.
///
/// # The end
///
/// [`close`](Self::close) takes no more calls and waits for those that were begun;
/// [`close_within`](Self::close_within) does not wait for longer than a timeout. Dropping the
/// last handle does not wait: the thread of the client ends when all calls that were begun have
/// their results, or with the process. In a fork of the process every call ends with
/// [`Closed`](crate::calls::DeleteErrorKind::Closed). A panic of the transport is a failure of its
/// request, which is sent again.
#[derive(Clone)]
pub struct Client {
    handle: Handle,
    timeout: Option<Duration>,
}

impl Client {
    /// A client over its own [`UreqTransport`](crate::transports::UreqTransport), with the default
    /// options. It has one thread for itself, and one for each request in flight.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with the field `thread` if no thread can be started.
    #[cfg(feature = "ureq")]
    pub fn new(target: &Target, credentials: Credentials) -> Result<Self, InvalidValue> {
        Self::builder(target, credentials).build()
    }

    /// For other options, a credentials provider or another transport.
    pub fn builder(target: &Target, credentials: Credentials) -> ClientBuilder<Self> {
        ClientBuilder::new(target, credentials)
    }

    /// Deletes `keys`, any number of them, and blocks the thread until all have their outcome.
    ///
    /// `Ok`: all of them are gone.
    ///
    /// # Errors
    ///
    /// [`DeleteError`]: the keys that are not gone, and why. If a key is invalid, nothing is sent.
    pub fn delete<I>(&self, keys: I) -> Result<(), DeleteError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.begin(Call::new(keys)?).and_then(wait)
    }

    /// The same as [`delete`](Self::delete), with a timeout for this call. The error then has the
    /// keys without an outcome: those *not attempted* will not be sent, those *unconfirmed* may be
    /// gone, or may still be deleted.
    ///
    /// # Errors
    ///
    /// As [`delete`](Self::delete).
    pub fn delete_within<I>(&self, timeout: Duration, keys: I) -> Result<(), DeleteError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.begin(Call::new(keys)?.timeout(timeout)).and_then(wait)
    }

    /// Deletes the keys of an iterator that are too many to keep, and returns how many there were.
    /// At most 16,000 keys are taken ahead of their outcomes; they leave 500 at a time.
    ///
    /// Keys that fail do not end it, unless they are 10,000 or more. An invalid key ends it, and a
    /// stop, a timeout or the end of the client: then no more keys are taken, and those that were
    /// taken have their outcome.
    ///
    /// # Errors
    ///
    /// [`DeleteError`]: as [`delete`](Self::delete); [`total`](DeleteError::total) is the number of
    /// keys that were taken.
    pub fn delete_stream<I>(&self, keys: I) -> Result<u64, DeleteError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let (mut taken, mut calls) =
            (Taken::new(), VecDeque::<Result<Arc<Slot>, DeleteError>>::new());
        for key in keys {
            let Ok(call) = taken.push(key.as_ref()) else { break };
            let Some(call) = call else { continue };
            calls.push_back(self.begin(call));
            let oldest = (calls.len() > MOST_CALLS).then(|| calls.pop_front()).flatten();
            if let Some(oldest) = oldest
                && !taken.merge(oldest.and_then(wait))
            {
                break;
            }
        }
        calls.extend(taken.flush().map(|call| self.begin(call)));
        for call in calls {
            taken.merge(call.and_then(wait));
        }
        taken.result()
    }

    fn begin(&self, call: Call) -> Result<Arc<Slot>, DeleteError> {
        self.handle.begin(call.default_timeout(self.timeout))
    }

    /// The current state, and counters since the client was made. Cheap: call it at any interval.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.handle.metrics()
    }

    /// Takes no more calls, of any clone, and waits for the results of those that were begun.
    pub fn close(&self) {
        self.handle.close();
        block_on(|waker| self.handle.poll_end(waker));
    }

    /// The same as [`close`](Self::close), but waits for at most `timeout`. Returns whether all
    /// keys have their outcome. If not, the client stays closed and works on: close it again to
    /// wait longer.
    #[must_use]
    pub fn close_within(&self, timeout: Duration) -> bool {
        self.handle.close();
        let deadline = system_now().monotonic.saturating_add(timeout);
        block_until(Some(deadline), |waker| self.handle.poll_end(waker)).is_some()
    }
}

impl<P: BlockingProvider> ClientBuilder<Client, P> {
    /// A client over its own transport.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the option that is out of its range, or with the field `thread` if
    /// no thread can be started.
    #[cfg(feature = "ureq")]
    pub fn build(self) -> Result<Client, InvalidValue> {
        use crate::transports::{TransportOptions, UreqTransport};
        self.build_over(UreqTransport::new(&TransportOptions::new()))
    }

    /// The same as [`build`](Self::build), over a transport with other timeouts, roots or a proxy.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    #[cfg(feature = "ureq")]
    pub fn build_over(
        self,
        transport: crate::transports::UreqTransport,
    ) -> Result<Client, InvalidValue> {
        self.with_transport(move |request| transport.send(request))
    }

    /// A client over any transport. `send` carries a request and returns its response, as in
    /// [`Run::run_blocking`](crate::transports::Run::run_blocking): it is called by as many threads
    /// as there are requests in flight.
    ///
    /// # Errors
    ///
    /// As `build`.
    pub fn with_transport<F, X>(self, send: F) -> Result<Client, InvalidValue>
    where
        F: Fn(Request<Bytes>) -> Result<Response<Bytes>, X> + Send + Sync + 'static,
        X: Into<TransportError>,
    {
        let timeout = self.timeout;
        let (handle, steps, provider) = self.start()?;
        start(move || drive(steps, CaughtProvider(provider), send))?;
        Ok(Client { handle, timeout })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Starts the thread of a client. It is detached: a client that is dropped does not wait for it.
#[expect(clippy::disallowed_types, reason = "an adapter whose concurrency is threads")]
fn start(drive: impl FnOnce() + Send + 'static) -> Result<(), InvalidValue> {
    let thread = std::thread::Builder::new().name("delete-vectors".to_owned()).spawn(drive);
    thread
        .map(drop)
        .map_err(|error| InvalidValue::new("thread", "must be startable", &error.to_string()))
}

/// Does the work of a client until it is closed and all calls have their results.
fn drive<P, F, X>(steps: Steps, provider: P, send: F)
where
    P: BlockingProvider,
    F: Fn(Request<Bytes>) -> Result<Response<Bytes>, X> + Send + Sync + 'static,
    X: Into<TransportError>,
{
    let send = move |request| {
        let sent = catch_unwind(AssertUnwindSafe(|| send(request).map_err(Into::into)));
        sent.unwrap_or_else(|payload| Err::<Response<Bytes>, _>(panicked(&*payload)))
    };
    let shared = Shared::new(steps);
    let _ended = shared.when_over(drop);
    let inbox = Arc::new(Inbox::<String>::new());
    let mut renewer = Renewer::new(provider);
    let mut workers = Workers::new(send, system_now, &shared, &inbox);
    let waker = Waker::from(Arc::clone(&inbox));
    loop {
        let mut state = shared.lock();
        let (steps, idle) = state.parts();
        steps.take_orders(system_now(), &waker);
        if steps.drain(system_now, &mut workers.with(idle)) {
            renewer.ask(&inbox);
        }
        if steps.is_finished() {
            drop(state);
            return workers.join_idle();
        }
        let longest = match steps.longest_wait(system_now().monotonic) {
            // A request is due that has no thread, so the wait is 0.
            longest if workers.are_short() => longest.max(THREAD_PAUSE),
            longest => longest,
        };
        drop(state);
        let messages = inbox.wait(KeysWanted::None, longest, &mut VecDeque::new(), &mut true);
        let mut state = shared.lock();
        let (steps, _) = state.parts();
        for message in messages {
            match message {
                Message::NotSent(id, error) => steps.handle_response(system_now(), id, Err(error)),
                Message::Credentials(credentials) => {
                    renewer.has_ended();
                    steps.handle_credentials(system_now(), credentials);
                }
                Message::Panicked(payload) => resume_unwind(payload),
            }
        }
        steps.handle_timeout(system_now());
    }
}

/// A provider whose panic is an error.
struct CaughtProvider<P>(P);

impl<P: BlockingProvider> BlockingProvider for CaughtProvider<P> {
    type Error = BoxError;

    fn provide(&mut self) -> Result<Credentials, BoxError> {
        let provided = catch_unwind(AssertUnwindSafe(|| self.0.provide().map_err(Into::into)));
        provided.unwrap_or_else(|payload| {
            Err(format!("the credentials provider panicked: {}", text_of(&*payload)).into())
        })
    }
}

/// Blocks the thread until the call has its result.
#[expect(clippy::needless_pass_by_value, reason = "it is waited for once")]
fn wait(slot: Arc<Slot>) -> Result<(), DeleteError> {
    block_on(|waker| slot.poll(waker))
}

/// Blocks the thread until `poll` is ready.
fn block_on<T>(poll: impl FnMut(&Waker) -> Poll<T>) -> T {
    block_until(None, poll).expect("without a deadline, only `poll` ends it")
}

/// Blocks the thread until `poll` is ready. `None` if `deadline` comes first.
#[expect(clippy::disallowed_methods, reason = "an adapter whose callers are threads")]
fn block_until<T>(
    deadline: Option<Duration>,
    mut poll: impl FnMut(&Waker) -> Poll<T>,
) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        if let Poll::Ready(value) = poll(&waker) {
            return Some(value);
        }
        match deadline.map(|deadline| deadline.saturating_sub(system_now().monotonic)) {
            None => std::thread::park(),
            Some(Duration::ZERO) => return None,
            Some(left) => std::thread::park_timeout(left),
        }
    }
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
