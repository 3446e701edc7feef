//! One request, read whole, and its answer.

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

/// The connection ends without an answer.
#[derive(Debug)]
pub(super) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer, as the network wants it")
    }
}

impl std::error::Error for Cut {}

/// Hands to `answering` what was read whole and within the limits.
pub(super) async fn exchange<A>(
    request: Request<Incoming>,
    answering: &A,
    time: Duration,
    memory: &BodyMemory,
) -> Result<Response<Full<Bytes>>, Cut>
where
    A: AsyncFn(Request<Bytes>) -> Option<Response<Bytes>>,
{
    let (head, body) = request.into_parts();
    // Until the request has its answer.
    let mut share = memory.share();
    let answer = match timeout(time, read(body, &mut share)).await {
        Ok(Ok(body)) => answering(Request::from_parts(head, body)).await.ok_or(Cut)?,
        Ok(Err(status)) => bare(status),
        Err(_) => bare(StatusCode::REQUEST_TIMEOUT),
    };
    Ok(answer.map(Full::new))
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

/// An answer of the server's own. The connection ends with it, as part of the request may still be on the way.
pub(super) fn bare(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
