use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{DATE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

use super::error_document::is_empty_or_without_error;
use super::redact::Secrets;
use super::{DeleteVectors, ServiceError, header};
use crate::{Credentials, time_text};

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
        insert(response.headers_mut(), header::REQUEST_ID, self.request_id.as_deref());
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
    /// are in [`code`](super::code).
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

/// A header's value as text, trimmed: the first that is neither empty nor something else than text.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let values =
        headers.get_all(name).iter().filter_map(|value| str::from_utf8(value.as_bytes()).ok());
    values.map(str::trim).find(|value| !value.is_empty()).map(str::to_owned)
}

pub(super) fn qos_delay(headers: &HeaderMap) -> Option<Duration> {
    text(headers, header::QOS_DELAY_TIME)?.parse().ok().map(Duration::from_millis)
}

/// Sets a header where there is a value for it that can stand there.
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

/// The time of the `Date` header; `None` where it is missing or not a date.
pub(super) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    time_text::http_date(&text(headers, DATE.as_str())?)
}
