use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};

use super::DeleteVectors;
use crate::ServiceError;
use crate::operation::sealed::Sealed;
use crate::operation::{Head, Kind, Secrets, confirmation, insert_qos_delay, insert_request_id};

/// The response that confirms a deletion: none of the keys exists any more, whether or not they did
/// before.
///
/// It is a 2xx with an `x-oss-request-id` and without an error in its body. A page that a proxy
/// returns with `200` is not a deletion, nor is a bare `204`.
///
/// ```
/// use oss_delete_vectors::{DeleteVectors, Deleted, Operation};
///
/// let response = Deleted::new("534B371674A4D890XXXX").to_response();
/// assert_eq!(response.status(), 204);
/// let deleted = DeleteVectors::parse_response(&response)?;
/// assert_eq!(deleted.request_id(), Some("534B371674A4D890XXXX"));
/// # Ok::<_, oss_delete_vectors::ServiceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    request_id: Option<String>,
    qos_delay: Option<Duration>,
}

impl Deleted {
    /// The response of the service to the request with this id.
    #[must_use]
    pub fn new(request_id: impl Into<String>) -> Self {
        Self { request_id: Some(request_id.into()), qos_delay: None }
    }

    /// Adds how long the request was delayed.
    #[must_use]
    pub fn with_qos_delay(mut self, qos_delay: Duration) -> Self {
        self.qos_delay = Some(qos_delay);
        self
    }

    /// The request id of the service, for its support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// How long a bandwidth limit *has* delayed the request, in whole milliseconds. Not a time to
    /// wait.
    #[must_use]
    pub fn qos_delay(&self) -> Option<Duration> {
        self.qos_delay
    }

    /// The response of the service: `204`. Values that a header cannot have are left out.
    #[must_use]
    pub fn to_response(&self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        insert_request_id(response.headers_mut(), self.request_id.as_deref());
        insert_qos_delay(response.headers_mut(), self.qos_delay);
        response
    }
}

impl Sealed for DeleteVectors {
    const KIND: Kind = Kind::DeleteVectors;

    type Success = Deleted;

    fn parse<B: AsRef<[u8]>>(
        response: &Response<B>,
        secrets: &Secrets<'_>,
    ) -> Result<Deleted, ServiceError> {
        let Head { request_id, qos_delay } = confirmation(Self::KIND, response, secrets)?;
        Ok(Deleted { request_id, qos_delay })
    }
}
