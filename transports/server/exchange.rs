//! Reads one whole request and responds to it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

use super::MAX_REQUEST_BODY;
use super::body_memory::{BodyMemory, Share};
use crate::transports::body::read_whole;

/// Closes the connection without a response.
#[derive(Debug)]
pub(super) struct Disconnect;

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("disconnected without a response")
    }
}

impl std::error::Error for Disconnect {}

/// Calls `service` with a complete request within the limits.
pub(super) async fn exchange<S>(
    request: Request<Incoming>,
    service: &S,
    time_limit: Duration,
    memory: &BodyMemory,
) -> Result<Response<Full<Bytes>>, Disconnect>
where
    S: AsyncFn(Request<Bytes>) -> Option<Response<Bytes>>,
{
    let (head, body) = request.into_parts();
    // Held until the response is ready.
    let mut share = memory.share();
    let response = match timeout(time_limit, read(body, &mut share)).await {
        Ok(Ok(body)) => service(Request::from_parts(head, body)).await.ok_or(Disconnect)?,
        Ok(Err(status)) => empty_response(status),
        Err(_) => empty_response(StatusCode::REQUEST_TIMEOUT),
    };
    Ok(response.map(Full::new))
}

async fn read(body: Incoming, share: &mut Share<'_>) -> Result<Bytes, StatusCode> {
    if body.size_hint().lower() > MAX_REQUEST_BODY as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let admit = |size| match size {
        ..=MAX_REQUEST_BODY if share.grow_to(size) => Ok(()),
        ..=MAX_REQUEST_BODY => Err(StatusCode::SERVICE_UNAVAILABLE),
        _ => Err(StatusCode::PAYLOAD_TOO_LARGE),
    };
    read_whole(body, admit, |_| StatusCode::BAD_REQUEST).await
}

/// A response of the server itself. It closes the connection, because part of the request may still
/// be in transit.
pub(super) fn empty_response(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
