use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::stream::FuturesUnordered;

use crate::bulk::{Span, TransmitId};

/// Requests in flight. A response costs one poll, not one of all that are in flight.
pub(in super::super) struct InFlight<F> {
    requests: FuturesUnordered<Request<F>>,
}

/// A request and its id.
struct Request<F> {
    id: TransmitId,
    response: InSpan<F>,
}

/// A future that is polled in the span of its request.
pub(in crate::transports) struct InSpan<F> {
    span: Span,
    future: Pin<Box<F>>,
}

impl<F> InSpan<F> {
    pub(in crate::transports) fn new(span: Span, future: F) -> Self {
        Self { span, future: Box::pin(future) }
    }
}

impl<F: Future> InFlight<F> {
    pub(in super::super) fn new() -> Self {
        Self { requests: FuturesUnordered::new() }
    }

    pub(in super::super) fn len(&self) -> usize {
        self.requests.len()
    }

    /// Adds a request. It is sent by the next [`poll_next`](Self::poll_next).
    pub(in super::super) fn insert(&mut self, id: TransmitId, span: Span, future: F) {
        self.requests.push(Request { id, response: InSpan::new(span, future) });
    }

    /// The next one that ended.
    pub(in super::super) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<(TransmitId, F::Output)>> {
        Pin::new(&mut self.requests).poll_next(context)
    }

    /// Drops the requests that are not kept. The others are polled once more, which is rare: this
    /// happens only after a timeout.
    pub(in super::super) fn retain(&mut self, is_kept: impl Fn(TransmitId) -> bool) {
        let all = std::mem::take(&mut self.requests);
        self.requests = all.into_iter().filter(|request| is_kept(request.id)).collect();
    }
}

impl<F: Future> Future for Request<F> {
    type Output = (TransmitId, F::Output);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let id = self.id;
        Pin::new(&mut self.response).poll(context).map(|response| (id, response))
    }
}

impl<F: Future> Future for InSpan<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { span, future } = &mut *self;
        span.in_scope(|| future.as_mut().poll(context))
    }
}
