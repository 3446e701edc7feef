//! Calls a handler for one request at a time.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use super::exchange::empty_response;

/// A service that responds with what `handler` returns.
pub(super) fn service<H>(handler: H) -> impl AsyncFn(Request<Bytes>) -> Option<Response<Bytes>>
where
    H: FnMut(Request<Bytes>) -> Response<Bytes>,
{
    let handler = RefCell::new(handler);
    async move |request| {
        // There is one thread, and no `await` during the borrow, so that it cannot be borrowed
        // twice.
        let response = catch_unwind(AssertUnwindSafe(|| (handler.borrow_mut())(request)));
        Some(response.unwrap_or_else(|_| empty_response(StatusCode::INTERNAL_SERVER_ERROR)))
    }
}
