//! Serves the emulator through a faulty network, in real time.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::super::clock::Clock;
use crate::emulator::{Emulator, FaultyNetwork, NetworkEvent};

/// A message to the task that runs the network.
enum Message {
    Waiting {
        id: u64,
        response: oneshot::Sender<Response<Bytes>>,
    },
    /// The client has its response, or has disconnected.
    Gone {
        id: u64,
    },
}

/// Returns a service that responds with what the network delivers, and starts the task that runs
/// the network.
pub(super) fn service(
    clock: Clock,
    emulator: Arc<Mutex<Emulator>>,
    network: Arc<Mutex<FaultyNetwork<u64>>>,
) -> impl AsyncFn(Request<Bytes>) -> Option<Response<Bytes>> {
    let (messages, inbox) = mpsc::unbounded_channel();
    let driver =
        Driver { clock, emulator, network: Arc::clone(&network), waiting: BTreeMap::new() };
    tokio::task::spawn_local(driver.run(inbox));
    client_service(clock, network, messages)
}

/// Sends requests into the network, and waits for their responses.
fn client_service(
    clock: Clock,
    network: Arc<Mutex<FaultyNetwork<u64>>>,
    messages: mpsc::UnboundedSender<Message>,
) -> impl AsyncFn(Request<Bytes>) -> Option<Response<Bytes>> {
    let next_id = Cell::new(0);
    async move |request| {
        let id = next_id.replace(next_id.get() + 1);
        let (response, delivered) = oneshot::channel();
        // Wakes the driver. It polls the network once this task waits, as both run on one thread.
        messages.send(Message::Waiting { id, response }).ok()?;
        network.lock().unwrap_or_else(PoisonError::into_inner).send(clock.elapsed(), id, request);
        // hyper drops this future if the client disconnects.
        let _gone = NotifyGone { id, messages: &messages };
        delivered.await.ok()
    }
}

/// Sends [`Message::Gone`] when dropped.
struct NotifyGone<'a> {
    id: u64,
    messages: &'a mpsc::UnboundedSender<Message>,
}

impl Drop for NotifyGone<'_> {
    fn drop(&mut self) {
        // An error means that the server is stopping.
        let _ = self.messages.send(Message::Gone { id: self.id });
    }
}

/// Runs the network, and delivers its responses to the clients.
struct Driver {
    clock: Clock,
    emulator: Arc<Mutex<Emulator>>,
    network: Arc<Mutex<FaultyNetwork<u64>>>,
    /// Clients that wait for a response, at most one per connection. Dropping a sender closes the
    /// connection.
    waiting: BTreeMap<u64, oneshot::Sender<Response<Bytes>>>,
}

impl Driver {
    /// Runs until the server stops.
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Message>) {
        loop {
            let message = match self.deliver() {
                Some(pause) => timeout(pause, inbox.recv()).await,
                None => Ok(inbox.recv().await),
            };
            match message {
                Ok(Some(message)) => self.handle(message),
                Ok(None) => return,
                Err(_) => {}
            }
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Waiting { id, response } => drop(self.waiting.insert(id, response)),
            Message::Gone { id } => drop(self.waiting.remove(&id)),
        }
    }

    /// Delivers what has arrived by now. Returns the time until the next event.
    fn deliver(&mut self) -> Option<Duration> {
        let mut network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        let mut emulator = self.emulator.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        while let Some(event) = network.poll(now, &mut emulator) {
            // A client that has got a response, or has disconnected, is no longer waiting.
            if let NetworkEvent::Delivered { id, result } = event
                && let Some(client) = self.waiting.remove(&id)
                && let Ok(response) = result
            {
                // An error means that the client has just disconnected.
                let _ = client.send(response);
            }
        }
        network.next_event().map(|next| next.saturating_sub(now.monotonic))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn disconnected_client_is_forgotten() {
        let clock = Clock::start();
        let emulator = Arc::new(Mutex::new(Emulator::new("cn-hangzhou", "1234567890123456")));
        let network = FaultyNetwork::new(1, "lost-request=1".parse().unwrap())
            .with_latency(Duration::ZERO, Duration::ZERO);
        let network = Arc::new(Mutex::new(network));
        let mut driver =
            Driver { clock, emulator, network: Arc::clone(&network), waiting: BTreeMap::new() };
        let (messages, mut inbox) = mpsc::unbounded_channel();
        let service = client_service(clock, network, messages);
        {
            let mut response = pin!(service(Request::new(Bytes::new())));
            assert!(response.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            driver.handle(inbox.try_recv().unwrap());
            assert_eq!(driver.waiting.len(), 1);
        }
        driver.handle(inbox.try_recv().unwrap());
        assert!(driver.waiting.is_empty() && inbox.is_empty());
    }
}
