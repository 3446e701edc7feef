use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, HeaderValue};
use http::{HeaderMap, Response};
use serde_json::{Map, Value};

use super::error_document::is_empty_or_without_error;
pub(crate) use super::error_document::member;
use super::redact::Secrets;
use super::{Kind, ServiceError, header};
use crate::{InvalidValue, time_text};

/// The values in the headers of a success.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) request_id: Option<String>,
    pub(crate) qos_delay: Option<Duration>,
}

/// The head of a success without content: a 2xx with `x-oss-request-id` and without an error in its
/// body. A proxy's page with `200`, and a bare `204`, confirm nothing.
pub(crate) fn confirmation<B: AsRef<[u8]>>(
    kind: Kind,
    response: &Response<B>,
    secrets: &Secrets<'_>,
) -> Result<Head, ServiceError> {
    match head(response, secrets) {
        Some(head) if is_empty_or_without_error(response.body().as_ref()) => Ok(head),
        _ => Err(ServiceError::parse(kind, response, secrets)),
    }
}

/// Parses a success with content: `read` gets its head and its JSON object. The members can have
/// any names except those of an error.
pub(crate) fn document<B: AsRef<[u8]>, T>(
    kind: Kind,
    response: &Response<B>,
    secrets: &Secrets<'_>,
    read: impl FnOnce(Head, Map<String, Value>) -> Result<T, InvalidValue>,
) -> Result<T, ServiceError> {
    if let Some(head) = head(response, secrets)
        && let Ok(Value::Object(members)) = serde_json::from_slice(response.body().as_ref())
        && is_silent(&members)
    {
        return read(head, members).map_err(|invalid| {
            let reason = secrets.redact(invalid.to_string());
            ServiceError::unreadable(kind, response, &reason)
        });
    }
    Err(ServiceError::parse(kind, response, secrets))
}

/// Whether no member belongs to an error. Only the outermost members count, because metadata
/// belongs to the user.
pub(crate) fn is_silent(members: &Map<String, Value>) -> bool {
    ["Error", "ErrorResponse", "Errors", "Code"].iter().all(|name| member(members, name).is_none())
}

/// `None` unless it is a 2xx of OSS.
fn head<B>(response: &Response<B>, secrets: &Secrets<'_>) -> Option<Head> {
    let headers = response.headers();
    let request_id = text(headers, header::REQUEST_ID)?;
    let is_success = response.status().is_success() && !headers.contains_key(header::ERR);
    is_success.then(|| Head {
        request_id: Some(secrets.redact(request_id)),
        qos_delay: qos_delay(headers),
    })
}

/// A `200` with a JSON document.
pub(crate) fn write_document(document: &Value, request_id: Option<&str>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(document.to_string()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    insert_request_id(headers, request_id);
    response
}

/// The trimmed text of a header: its first value that is not empty and is text.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let values =
        headers.get_all(name).iter().filter_map(|value| str::from_utf8(value.as_bytes()).ok());
    values.map(str::trim).find(|value| !value.is_empty()).map(str::to_owned)
}

pub(super) fn qos_delay(headers: &HeaderMap) -> Option<Duration> {
    text(headers, header::QOS_DELAY_TIME)?.parse().ok().map(Duration::from_millis)
}

/// Sets a header if there is a value that is valid for it.
pub(super) fn insert(headers: &mut HeaderMap, name: &'static str, value: Option<&str>) {
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
        headers.insert(name, value);
    }
}

pub(crate) fn insert_request_id(headers: &mut HeaderMap, request_id: Option<&str>) {
    insert(headers, header::REQUEST_ID, request_id);
}

pub(crate) fn insert_qos_delay(headers: &mut HeaderMap, qos_delay: Option<Duration>) {
    insert(
        headers,
        header::QOS_DELAY_TIME,
        qos_delay.map(|delay| delay.as_millis().to_string()).as_deref(),
    );
}

/// The time of the `Date` header. `None` if it is missing or not a date.
pub(super) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    time_text::http_date(&text(headers, DATE.as_str())?)
}
