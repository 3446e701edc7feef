use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{DATE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

use super::error_document::is_empty_or_without_error;
use super::redact::Secrets;
use super::{DeleteVectors, ServiceError, header};
use crate::{Credentials, time_text};

/// The response that confirms a deletion: none of the keys exists any more, whether or not they did
/// before.
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
        insert(response.headers_mut(), header::REQUEST_ID, self.request_id.as_deref());
        insert_qos_delay(response.headers_mut(), self.qos_delay);
        response
    }
}

impl DeleteVectors {
    /// Parses the response to a call.
    ///
    /// [`Deleted`] is a 2xx with an `x-oss-request-id` and without an error in its body. A page
    /// that a proxy returns with `200` is not a deletion, nor is a bare `204`.
    ///
    /// # Errors
    ///
    /// [`ServiceError`] for every other response, with any body: JSON, XML, HTML, empty, truncated
    /// or binary. [`code`](super::code) has the codes.
    pub fn parse_response<B: AsRef<[u8]>>(response: &Response<B>) -> Result<Deleted, ServiceError> {
        Self::parse(response, &Secrets::none())
    }

    /// Same as [`parse_response`](Self::parse_response), and removes the secrets of `credentials`,
    /// which signed the request.
    ///
    /// A server may repeat the request in its response, which goes into errors and logs. So the
    /// security token and the AccessKey secret are removed from everything that is kept: plain,
    /// percent-encoded, escaped as in JSON or XML, in hex and in base64. Secrets of fewer than
    /// eight characters stay.
    ///
    /// # Errors
    ///
    /// Same as [`parse_response`](Self::parse_response).
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
        let request_id = text(response.headers(), header::REQUEST_ID);
        let is_deleted = response.status().is_success()
            && request_id.is_some()
            && !response.headers().contains_key(header::ERR)
            && is_empty_or_without_error(response.body().as_ref());
        if is_deleted {
            let request_id = request_id.map(|id| secrets.redact(id));
            Ok(Deleted { request_id, qos_delay: qos_delay(response.headers()) })
        } else {
            Err(ServiceError::parse(response, secrets))
        }
    }
}

/// The value of a header as text, trimmed: the first one that is text and not empty.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let values =
        headers.get_all(name).iter().filter_map(|value| str::from_utf8(value.as_bytes()).ok());
    values.map(str::trim).find(|value| !value.is_empty()).map(str::to_owned)
}

pub(super) fn qos_delay(headers: &HeaderMap) -> Option<Duration> {
    text(headers, header::QOS_DELAY_TIME)?.parse().ok().map(Duration::from_millis)
}

/// Sets a header, if there is a value that a header can have.
pub(super) fn insert(headers: &mut HeaderMap, name: &'static str, value: Option<&str>) {
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
        headers.insert(name, value);
    }
}

pub(super) fn insert_qos_delay(headers: &mut HeaderMap, qos_delay: Option<Duration>) {
    insert(
        headers,
        header::QOS_DELAY_TIME,
        qos_delay.map(|delay| delay.as_millis().to_string()).as_deref(),
    );
}

/// The time of the `Date` header; `None` if it is missing or invalid.
pub(super) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    time_text::http_date(&text(headers, DATE.as_str())?)
}
