//! The way through a faulty network, in real time.

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

/// What a client does.
enum Act {
    Waits {
        id: u64,
        answer: oneshot::Sender<Response<Bytes>>,
    },
    /// It has its answer, or waits no longer.
    Leaves {
        id: u64,
    },
}

/// Answers with what the network delivers, and starts the task that carries.
pub(super) fn answering(
    clock: Clock,
    emulator: Arc<Mutex<Emulator>>,
    network: Arc<Mutex<FaultyNetwork<u64>>>,
) -> impl AsyncFn(Request<Bytes>) -> Option<Response<Bytes>> {
    let (acts, inbox) = mpsc::unbounded_channel();
    let carrier = Carrier { clock, emulator, network: Arc::clone(&network), waiting: BTreeMap::new() };
    tokio::task::spawn_local(carrier.carry(inbox));
    sending(clock, network, acts)
}

/// Sends requests, and waits for their answers.
fn sending(
    clock: Clock,
    network: Arc<Mutex<FaultyNetwork<u64>>>,
    acts: mpsc::UnboundedSender<Act>,
) -> impl AsyncFn(Request<Bytes>) -> Option<Response<Bytes>> {
    let next_id = Cell::new(0);
    async move |request| {
        let id = next_id.replace(next_id.get() + 1);
        let (answer, answered) = oneshot::channel();
        // This wakes the carrier, which looks at the network when this task waits: both are of one thread.
        acts.send(Act::Waits { id, answer }).ok()?;
        network.lock().unwrap_or_else(PoisonError::into_inner).send(clock.elapsed(), id, request);
        // A client that goes away drops this future in the middle.
        let _leaving = Leaving { id, acts: &acts };
        answered.await.ok()
    }
}

/// Tells when it is dropped.
struct Leaving<'a> {
    id: u64,
    acts: &'a mpsc::UnboundedSender<Act>,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        // An error means that the server ends.
        let _ = self.acts.send(Act::Leaves { id: self.id });
    }
}

struct Carrier {
    clock: Clock,
    emulator: Arc<Mutex<Emulator>>,
    network: Arc<Mutex<FaultyNetwork<u64>>>,
    /// Clients without an answer: as many as there are connections, at most. To drop one cuts its connection.
    waiting: BTreeMap<u64, oneshot::Sender<Response<Bytes>>>,
}

impl Carrier {
    /// Ends with the server.
    async fn carry(mut self, mut inbox: mpsc::UnboundedReceiver<Act>) {
        loop {
            let act = match self.deliver() {
                Some(pause) => timeout(pause, inbox.recv()).await,
                None => Ok(inbox.recv().await),
            };
            match act {
                Ok(Some(act)) => self.note(act),
                Ok(None) => return,
                Err(_) => {}
            }
        }
    }

    fn note(&mut self, act: Act) {
        match act {
            Act::Waits { id, answer } => drop(self.waiting.insert(id, answer)),
            Act::Leaves { id } => drop(self.waiting.remove(&id)),
        }
    }

    /// Hands out what has arrived by now; how long until something else does.
    fn deliver(&mut self) -> Option<Duration> {
        let mut network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        let mut emulator = self.emulator.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        while let Some(event) = network.poll(now, &mut emulator) {
            // Who has been answered, or has gone away, is not among those who wait.
            if let NetworkEvent::Delivered { id, answer } = event
                && let Some(client) = self.waiting.remove(&id)
                && let Ok(response) = answer
            {
                // An error means that the client is about to leave.
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
    fn a_client_that_goes_away_leaves_nothing_behind() {
        let clock = Clock::start();
        let emulator = Arc::new(Mutex::new(Emulator::new("cn-hangzhou", "1234567890123456")));
        let network = FaultyNetwork::new(1, "lost-request=1".parse().unwrap()).with_latency(Duration::ZERO, Duration::ZERO);
        let network = Arc::new(Mutex::new(network));
        let mut carrier = Carrier { clock, emulator, network: Arc::clone(&network), waiting: BTreeMap::new() };
        let (acts, mut inbox) = mpsc::unbounded_channel();
        let answering = sending(clock, network, acts);
        {
            let mut answer = pin!(answering(Request::new(Bytes::new())));
            assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            carrier.note(inbox.try_recv().unwrap());
            assert_eq!(carrier.waiting.len(), 1);
        }
        carrier.note(inbox.try_recv().unwrap());
        assert!(carrier.waiting.is_empty() && inbox.is_empty());
    }
}
