use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};

use super::DeleteVectors;
use crate::operation::{Head, Kind, Secrets, confirmation, insert_qos_delay, insert_request_id};
use crate::{Credentials, ServiceError};

/// The service's word that every key of the batch is gone, whether it was there before or not.
///
/// ```
/// use oss_delete_vectors::{DeleteVectors, Deleted};
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
    /// What the service answers to the request with this id.
    #[must_use]
    pub fn new(request_id: impl Into<String>) -> Self {
        Self { request_id: Some(request_id.into()), qos_delay: None }
    }

    /// Adds how long the request was held back.
    #[must_use]
    pub fn with_qos_delay(mut self, qos_delay: Duration) -> Self {
        self.qos_delay = Some(qos_delay);
        self
    }

    /// The service's id of the request, for its support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// How long the request *was* held back by a bandwidth limit, to the millisecond; no time to wait.
    #[must_use]
    pub fn qos_delay(&self) -> Option<Duration> {
        self.qos_delay
    }

    /// The service's answer: `204`. What cannot stand in a header is left out.
    #[must_use]
    pub fn to_response(&self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        insert_request_id(response.headers_mut(), self.request_id.as_deref());
        insert_qos_delay(response.headers_mut(), self.qos_delay);
        response
    }
}

impl DeleteVectors {
    /// Reads the answer to a call.
    ///
    /// [`Deleted`] is a 2xx that comes with `x-oss-request-id` and without an error in its body. A page that a proxy answers with
    /// `200`, and a bare `204`, delete nothing.
    ///
    /// # Errors
    ///
    /// [`ServiceError`] for every other answer, whatever its body: JSON, XML, HTML, empty, cut short or not even text. Codes
    /// are in [`code`](crate::code).
    pub fn parse_response<B: AsRef<[u8]>>(response: &Response<B>) -> Result<Deleted, ServiceError> {
        Self::parse(response, &Secrets::none())
    }

    /// As [`parse_response`](Self::parse_response), for the response to a request that was signed with `credentials`.
    ///
    /// A server may repeat the request, and what it says goes into errors and logs. So the security token and the AccessKey secret
    /// are taken out of everything that is kept: as they are, percent-encoded, escaped as in JSON or XML, in hex, in base64.
    /// Secrets of fewer than eight characters stay.
    ///
    /// # Errors
    ///
    /// As [`parse_response`](Self::parse_response).
    pub fn parse_response_to<B>(
        credentials: &Credentials,
        response: &Response<B>,
    ) -> Result<Deleted, ServiceError>
    where
        B: AsRef<[u8]>,
    {
        Self::parse(response, &Secrets::of(credentials))
    }

    fn parse<B: AsRef<[u8]>>(
        response: &Response<B>,
        secrets: &Secrets<'_>,
    ) -> Result<Deleted, ServiceError> {
        let Head { request_id, qos_delay } = confirmation(Kind::DeleteVectors, response, secrets)?;
        Ok(Deleted { request_id, qos_delay })
    }
}
