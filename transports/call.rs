//! One call over any transport: its request and the meaning of its response.

use std::time::SystemTime;

use bytes::Bytes;
use http::{Request, Response};

use crate::signing::Signer;
use crate::{AttemptError, Operation, TransportError};

/// The request of `call`, signed with the current time.
#[expect(
    clippy::disallowed_methods,
    reason = "an adapter reads the clock, so that the core need not"
)]
pub(super) fn signed(call: &impl Operation, signer: &Signer) -> Request<Bytes> {
    let mut request = call.to_request();
    signer.sign(&mut request, SystemTime::now());
    request
}

/// Parses the response to a call that `signer` signed.
pub(super) fn outcome<O: Operation>(
    response: Result<Response<Bytes>, TransportError>,
    signer: &Signer,
) -> Result<O::Output, AttemptError> {
    Ok(O::parse_response_to(signer.credentials(), &response?)?)
}
