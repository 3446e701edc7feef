use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use http::Response;

use super::shared::{Order, Shared, Slot};
use crate::bulk::{Event, Transmit, TransmitId};
use crate::calls::{CallId, Calls, DeleteError};
use crate::transports::BoxError;
use crate::transports::client::blocking::Machine;
use crate::transports::client::steps::{LONGEST_WAIT, Sender};
use crate::{Credentials, Now, TransportError};

/// What is called with each event.
pub(super) type OnEvent = Box<dyn FnMut(&Event) + Send>;

/// The steps that are the same for both drivers; see [`Calls`] for their order. When it is dropped,
/// every call has its result.
pub(super) struct Steps {
    calls: Calls,
    shared: Arc<Shared>,
    /// Where the results go of the calls that have none.
    slots: BTreeMap<CallId, Arc<Slot>>,
    on_event: Option<OnEvent>,
    provider_error: Option<Arc<dyn Error + Send + Sync>>,
    /// Room for orders, so that none is allocated in each round.
    orders: Vec<Order>,
}

impl Steps {
    pub(super) fn new(calls: Calls, shared: Arc<Shared>, on_event: Option<OnEvent>) -> Self {
        let (slots, orders) = (BTreeMap::new(), Vec::new());
        Self { calls, shared, slots, on_event, provider_error: None, orders }
    }

    /// Begins the calls that came; `waker` is woken by the next one.
    pub(super) fn take_orders(&mut self, now: Now, waker: &Waker) {
        let mut orders = std::mem::take(&mut self.orders);
        let is_closed = self.shared.take_orders(waker, &mut orders);
        for order in orders.drain(..) {
            match order {
                Order::Begin(call, slot) => {
                    let id = self.calls.begin(now, call);
                    slot.set_id(id);
                    self.slots.insert(id, slot);
                }
                Order::Abandon(slot) => {
                    if let Some(id) = slot.id() {
                        self.slots.remove(&id);
                        self.calls.abandon(id);
                    }
                }
            }
        }
        self.orders = orders;
        if is_closed {
            self.calls.close();
        }
    }

    /// Hands out requests, events and results until there are none. Returns whether credentials are
    /// needed.
    pub(super) fn drain(&mut self, now: impl Fn() -> Now, sender: &mut impl Sender) -> bool {
        let mut needs_credentials = false;
        loop {
            let mut at = now();
            while self.calls.wants_transmit(at)
                && sender.is_ready(self.calls.in_flight())
                && let Some(transmit) = self.calls.poll_transmit(at)
            {
                sender.send(transmit);
                at = now();
            }
            let mut had_event = false;
            while let Some(event) = self.calls.poll_event() {
                had_event = true;
                needs_credentials |= matches!(event, Event::CredentialsNeeded);
                if let Some(on_event) = &mut self.on_event {
                    on_event(&event);
                }
            }
            if !had_event {
                break;
            }
        }
        self.shared.publish(self.calls.metrics(now()));
        self.give_results();
        needs_credentials
    }

    fn give_results(&mut self) {
        while let Some(finished) = self.calls.poll_finished() {
            let Some(slot) = self.slots.remove(&finished.id) else { continue };
            let result = finished.result.map_err(|error| match &self.provider_error {
                Some(provider) => error.with_provider_error(Arc::clone(provider)),
                None => error,
            });
            slot.put(result);
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.calls.is_finished()
    }

    /// How long to wait for something to come in.
    pub(super) fn longest_wait(&self, now: Duration) -> Duration {
        let due = self.calls.poll_timeout();
        due.map_or(LONGEST_WAIT, |due| due.saturating_sub(now).min(LONGEST_WAIT))
    }

    /// Whether a request still waits for its response.
    #[cfg(feature = "async")]
    pub(super) fn is_in_flight(&self, id: TransmitId) -> bool {
        self.calls.is_in_flight(id)
    }

    /// How many requests still wait for their responses.
    #[cfg(feature = "async")]
    pub(super) fn in_flight(&self) -> usize {
        self.calls.in_flight()
    }

    pub(super) fn handle_timeout(&mut self, now: Now) {
        self.calls.handle_timeout(now);
    }

    pub(super) fn handle_credentials(
        &mut self,
        now: Now,
        credentials: Result<Credentials, BoxError>,
    ) {
        match credentials {
            Ok(credentials) => {
                self.provider_error = None;
                self.calls.handle_credentials(now, credentials);
            }
            Err(error) => self.provider_error = Some(error.into()),
        }
    }
}

impl Machine for Steps {
    fn handle_response(
        &mut self,
        now: Now,
        id: TransmitId,
        response: Result<Response<Bytes>, TransportError>,
    ) {
        match response {
            Ok(response) => self.calls.handle_response(now, id, &response),
            Err(failure) => self.calls.handle_failure(now, id, failure),
        }
        self.give_results();
    }

    fn poll_transmit(&mut self, now: Now) -> Option<Transmit> {
        self.calls.poll_transmit(now)
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        let orders = self.shared.end();
        self.calls.abort();
        self.give_results();
        for order in orders {
            if let Order::Begin(call, slot) = order {
                slot.put(Err(DeleteError::closed(call)));
            }
        }
    }
}
