//! The state machine, shared by the run and the threads that send.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::Response;

use crate::bulk::{BulkDelete, Transmit, TransmitId};
use crate::transports::client::Listener;
use crate::transports::client::steps::handle_response;
use crate::{Now, TransportError};

/// A state machine whose requests are sent by threads.
pub(in super::super) trait Machine: Send + 'static {
    fn handle_response(
        &mut self,
        now: Now,
        id: TransmitId,
        response: Result<Response<Bytes>, TransportError>,
    );

    fn poll_transmit(&mut self, now: Now) -> Option<Transmit>;
}

/// The `BulkDelete` of a run, and what may stop it.
pub(super) struct Running {
    pub(super) bulk: BulkDelete,
    pub(super) stop: Option<Arc<Listener>>,
}

impl Machine for Running {
    fn handle_response(
        &mut self,
        now: Now,
        id: TransmitId,
        response: Result<Response<Bytes>, TransportError>,
    ) {
        handle_response(&mut self.bulk, now, id, response);
    }

    /// None after a stop, which the run has yet to pass on.
    fn poll_transmit(&mut self, now: Now) -> Option<Transmit> {
        let is_stopped = self.stop.as_ref().is_some_and(|stop| stop.has_order());
        if is_stopped { None } else { self.bulk.poll_transmit(now) }
    }
}

/// A state machine behind a lock. Requests are built, hashed, signed and sent without it.
pub(in super::super) struct Shared<M>(Mutex<State<M>>);

pub(in super::super) struct State<M> {
    /// `None` once the run is over. Threads that hang may see that.
    machine: Option<M>,
    /// Which threads wait for a request. The last one to finish is the next to send: its caches are
    /// warm.
    idle: Vec<usize>,
}

impl<M: Machine> Shared<M> {
    pub(in super::super) fn new(machine: M) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { machine: Some(machine), idle: Vec::new() })))
    }

    pub(in super::super) fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands in a response and takes the next request, so that no other thread has to be woken for
    /// it. If no request is due, `worker` is idle.
    pub(super) fn exchange(
        &self,
        now: impl Fn() -> Now,
        worker: usize,
        id: TransmitId,
        response: Result<Response<Bytes>, TransportError>,
    ) -> Option<Transmit> {
        let mut state = self.lock();
        let State { machine, idle } = &mut *state;
        let machine = machine.as_mut()?;
        let now = now();
        machine.handle_response(now, id, response);
        let next = machine.poll_transmit(now);
        if next.is_none() {
            idle.push(worker);
        }
        next
    }

    /// Calls `end` with the machine when the run is over or unwinds.
    pub(in super::super) fn when_over<F: FnMut(M)>(
        self: &Arc<Self>,
        end: F,
    ) -> impl Drop + use<M, F> {
        struct Over<M, F: FnMut(M)>(Arc<Shared<M>>, F);
        impl<M, F: FnMut(M)> Drop for Over<M, F> {
            fn drop(&mut self) {
                let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
                let machine = state.machine.take();
                drop(state);
                machine.into_iter().for_each(&mut self.1);
            }
        }
        Over(Arc::clone(self), end)
    }
}

impl<M> State<M> {
    /// The machine, and the idle threads.
    pub(in super::super) fn parts(&mut self) -> (&mut M, &mut Vec<usize>) {
        (self.machine.as_mut().expect("the run is not over"), &mut self.idle)
    }
}
