//! One request, read whole, and its answer.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

use super::MAX_REQUEST_BODY;
use crate::transports::body::{BodyError, read_whole};

/// For a request to arrive, its head and its body each. Also bounds how long a connection may idle, so it is longer
/// than clients keep idle connections.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(30);

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
pub(super) async fn exchange<A>(request: Request<Incoming>, answering: &A) -> Result<Response<Full<Bytes>>, Cut>
where
    A: AsyncFn(Request<Bytes>) -> Option<Response<Bytes>>,
{
    let (head, body) = request.into_parts();
    let announced = body.size_hint().lower();
    let body = if announced > MAX_REQUEST_BODY as u64 {
        Err(StatusCode::PAYLOAD_TOO_LARGE)
    } else {
        match timeout(READ_TIMEOUT, read_whole(body, MAX_REQUEST_BODY)).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(BodyError::TooLarge)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
            Ok(Err(BodyError::Broken(_))) => Err(StatusCode::BAD_REQUEST),
            Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        }
    };
    let answer = match body {
        Ok(body) => answering(Request::from_parts(head, body)).await.ok_or(Cut)?,
        Err(status) => bare(status),
    };
    Ok(answer.map(Full::new))
}

/// An answer of the server's own. The connection ends with it, as part of the request may still be on the way.
pub(super) fn bare(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
