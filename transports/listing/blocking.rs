//! Lists keys on threads, over any blocking transport.
#![expect(clippy::disallowed_types, reason = "an adapter whose concurrency is threads")]

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::thread::Builder;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use crate::transports::client::{Listener, Order};
use crate::transports::clock::system_now;
use crate::transports::{BlockingProvider, BoxError, NoProvider, StopHandle};
use crate::{
    Credentials, KeyLister, ListError, ListEvent, ListTransmit, ListTransmitId, TransportError,
};

/// The number of keys returned before responses are handled again.
const KEYS_IN_A_ROW: u32 = 250;

/// The longest wait. Waking once per hour costs nothing.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Lists the keys of `lister` over a blocking transport, such as
/// `move |request| transport.send(request)`. One thread per segment calls it.
///
/// The last item is an error if the listing stopped before its end: then keys are missing. A
/// [`Run`](crate::transports::Run) takes keys, not results: use [`Matching`](super::Matching) as
/// its source.
///
/// ```
/// use oss_delete_vectors::bulk::BulkOptions;
/// use oss_delete_vectors::transports::list_keys;
/// use oss_delete_vectors::{Credentials, KeyLister, Listed, Selection, Target, TransportError, Vector};
///
/// let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
///     .bucket("examplebucket").index_name("vectorindex1").build()?;
/// let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// let lister = KeyLister::new(&target, credentials, Selection::all(), BulkOptions::new())?;
/// // In place of a client. It has one page.
/// let page = Listed::new("some id", vec![Vector::new("doc-1")?, Vector::new("doc-2")?]);
/// let send = move |_request| Ok::<_, TransportError>(page.to_response());
/// let keys = list_keys(lister, send).collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(keys, ["doc-1", "doc-2"]);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn list_keys<F>(lister: KeyLister, send: F) -> ListedKeys<F> {
    let (sender, inbox) = channel();
    ListedKeys {
        lister,
        send: Arc::new(send),
        provider: Arc::new(Mutex::new(NoProvider)),
        on_event: None,
        work: None,
        threads: 0,
        sender,
        inbox,
        is_asking: false,
        stop: None,
        has_ended: false,
        in_a_row: 0,
    }
}

/// See [`list_keys`].
#[must_use = "an iterator does nothing unless it is asked"]
pub struct ListedKeys<F, P = NoProvider> {
    lister: KeyLister,
    send: Arc<F>,
    provider: Arc<Mutex<P>>,
    on_event: Option<Box<dyn FnMut(ListEvent) + Send>>,
    /// The queue of requests for the threads, once there are any.
    work: Option<(Sender<ListTransmit>, Queue)>,
    threads: usize,
    sender: Sender<Message>,
    inbox: Receiver<Message>,
    is_asking: bool,
    stop: Option<Listener>,
    has_ended: bool,
    in_a_row: u32,
}

/// The receiver that the threads share.
type Queue = Arc<Mutex<Receiver<ListTransmit>>>;

enum Message {
    Response(ListTransmitId, Result<Response<Bytes>, TransportError>),
    Credentials(Result<Credentials, BoxError>),
    Panicked(Box<dyn Any + Send>),
    /// The stop handle has changed.
    Stopped,
}

/// Wakes the thread that waits for a message.
struct Bell(Sender<Message>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // An error means that the listing has ended.
        let _ = self.0.send(Message::Stopped);
    }
}

impl<F, P> ListedKeys<F, P> {
    /// Asks `provider` for credentials at every [`ListEvent::CredentialsNeeded`], on a thread.
    pub fn credentials_provider<Q: BlockingProvider>(mut self, provider: Q) -> ListedKeys<F, Q> {
        self.lister.enable_renewal();
        let Self { lister, send, on_event, work, threads, sender, inbox, stop, .. } = self;
        let provider = Arc::new(Mutex::new(provider));
        let (is_asking, has_ended, in_a_row) = (false, false, 0);
        ListedKeys {
            lister,
            send,
            provider,
            on_event,
            work,
            threads,
            sender,
            inbox,
            is_asking,
            stop,
            has_ended,
            in_a_row,
        }
    }

    /// Reports each event to `on_event`, on the thread that iterates.
    pub fn on_event(mut self, on_event: impl FnMut(ListEvent) + Send + 'static) -> Self {
        self.on_event = Some(Box::new(on_event));
        self
    }

    /// Stops the listing from elsewhere, at once, without waiting for responses. Listed keys are
    /// still returned, and then the error with
    /// [`StopReason::Requested`](crate::bulk::StopReason::Requested).
    pub fn stop_handle(mut self, stop: &StopHandle) -> Self {
        self.stop = Some(stop.listen());
        self
    }

    /// The state machine, for its report.
    #[must_use]
    pub fn lister(&self) -> &KeyLister {
        &self.lister
    }

    /// Lists everything again, from the beginning. Call it only after the end.
    pub(super) fn list_again(&mut self) {
        self.lister.list_again();
        self.has_ended = false;
    }
}

impl<F, P, X> ListedKeys<F, P>
where
    F: Fn(Request<Bytes>) -> Result<Response<Bytes>, X> + Send + Sync + 'static,
    X: Into<TransportError>,
    P: BlockingProvider,
{
    /// Sends requests, and reports events.
    fn drain(&mut self) {
        if let Some(stop) = &self.stop
            && stop.poll(&Waker::from(Arc::new(Bell(self.sender.clone())))) != Order::GoOn
        {
            self.lister.stop();
        }
        while let Some(transmit) = self.lister.poll_transmit(system_now()) {
            if let Err((id, error)) = self.dispatch(transmit) {
                self.lister.handle_failure(
                    system_now(),
                    id,
                    TransportError::surely_not_sent(error),
                );
            }
        }
        while let Some(event) = self.lister.poll_event() {
            if event == ListEvent::CredentialsNeeded {
                self.ask();
            }
            if let Some(on_event) = &mut self.on_event {
                on_event(event);
            }
        }
    }

    /// Passes a request to an idle thread, or starts a new one.
    fn dispatch(&mut self, transmit: ListTransmit) -> Result<(), (ListTransmitId, std::io::Error)> {
        let id = transmit.id;
        let (work, queue) = self.work.get_or_insert_with(|| {
            let (work, queue) = channel();
            (work, Arc::new(Mutex::new(queue)))
        });
        if self.threads < self.lister.in_flight() {
            let (queue, send, inbox) =
                (Arc::clone(queue), Arc::clone(&self.send), self.sender.clone());
            let started = Builder::new().name("list".to_owned()).spawn(move || {
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                while let Ok(ListTransmit { id, request, .. }) = next() {
                    let sent = catch_unwind(AssertUnwindSafe(|| send(request)));
                    let message = match sent {
                        Ok(response) => Message::Response(id, response.map_err(Into::into)),
                        Err(panic) => Message::Panicked(panic),
                    };
                    if inbox.send(message).is_err() {
                        break;
                    }
                }
            });
            match started {
                Ok(_) => self.threads += 1,
                // Another thread will take it.
                Err(_) if self.threads > 0 => {}
                Err(error) => return Err((id, error)),
            }
        }
        work.send(transmit).expect("this value holds the receiver");
        Ok(())
    }

    fn ask(&mut self) {
        if std::mem::replace(&mut self.is_asking, true) {
            return;
        }
        let (provider, inbox) = (Arc::clone(&self.provider), self.sender.clone());
        let ask = move || {
            let provide = || provider.lock().unwrap_or_else(PoisonError::into_inner).provide();
            let message = match catch_unwind(AssertUnwindSafe(provide)) {
                Ok(credentials) => Message::Credentials(credentials.map_err(Into::into)),
                Err(panic) => Message::Panicked(panic),
            };
            // An error means that the listing has ended.
            let _ = inbox.send(message);
        };
        // If no thread can start, the credentials are requested again later.
        self.is_asking = Builder::new().name("credentials".to_owned()).spawn(ask).is_ok();
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Response(id, Ok(response)) => {
                self.lister.handle_response(system_now(), id, &response);
            }
            Message::Response(id, Err(error)) => {
                self.lister.handle_failure(system_now(), id, error);
            }
            Message::Credentials(credentials) => {
                self.is_asking = false;
                if let Ok(credentials) = credentials {
                    self.lister.handle_credentials(system_now(), credentials);
                }
            }
            Message::Panicked(panic) => resume_unwind(panic),
            Message::Stopped => {}
        }
    }
}

impl<F, P, X> Iterator for ListedKeys<F, P>
where
    F: Fn(Request<Bytes>) -> Result<Response<Bytes>, X> + Send + Sync + 'static,
    X: Into<TransportError>,
    P: BlockingProvider,
{
    type Item = Result<String, ListError>;

    /// # Panics
    ///
    /// With the panic of the transport or of the provider.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.in_a_row < KEYS_IN_A_ROW
                && let Some(key) = self.lister.poll_key()
            {
                self.in_a_row += 1;
                return Some(Ok(key));
            }
            self.in_a_row = 0;
            if self.has_ended {
                return None;
            }
            while let Ok(message) = self.inbox.try_recv() {
                self.handle(message);
            }
            self.lister.handle_timeout(system_now());
            self.drain();
            if let Some(key) = self.lister.poll_key() {
                return Some(Ok(key));
            }
            if self.lister.is_finished() {
                self.has_ended = true;
                return self.lister.stopped().cloned().map(Err);
            }
            let due = self.lister.poll_timeout();
            let wait = due.map_or(LONGEST_WAIT, |due| due.saturating_sub(system_now().monotonic));
            if let Ok(message) = self.inbox.recv_timeout(wait.min(LONGEST_WAIT)) {
                self.handle(message);
            }
        }
    }
}

impl<F, P> fmt::Debug for ListedKeys<F, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListedKeys").field("lister", &self.lister).finish_non_exhaustive()
    }
}
