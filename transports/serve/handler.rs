//! A handler, called for one request at a time.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use super::exchange::bare;

/// Answers with what `handler` says.
pub(super) fn answering<H>(handler: H) -> impl AsyncFn(Request<Bytes>) -> Option<Response<Bytes>>
where
    H: FnMut(Request<Bytes>) -> Response<Bytes>,
{
    let handler = RefCell::new(handler);
    async move |request| {
        // No `await` while the handler is borrowed, and the thread is the only one: it is never borrowed twice.
        let answer = catch_unwind(AssertUnwindSafe(|| (handler.borrow_mut())(request)));
        Some(answer.unwrap_or_else(|_| bare(StatusCode::INTERNAL_SERVER_ERROR)))
    }
}
