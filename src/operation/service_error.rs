mod advice;

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value};

use super::error_document::{ErrorDocument, shown};
use super::header;
use super::redact::Secrets;
use super::response::{date, insert, insert_qos_delay, qos_delay, text};
use super::{Kind, code};
use crate::escape::escape;
use crate::signing::RequestDate;
use crate::time_text;

/// An error response of the service, or of a proxy or gateway in front of it.
///
/// For what to do, see [`is_retryable`](Self::is_retryable),
/// [`is_throttling`](Self::is_throttling),
/// [`may_have_deleted`](Self::may_have_deleted) and [`advice`](Self::advice).
///
/// ```
/// use http::StatusCode;
/// use oss_delete_vectors::{DeleteVectors, Operation, ServiceError, code};
///
/// let status = StatusCode::SERVICE_UNAVAILABLE;
/// let response = ServiceError::new(status, code::QPS_LIMIT_EXCEEDED, "too fast")
///     .with_request_id("534B371674A4D890XXXX");
/// let error = DeleteVectors::parse_response(&response.to_response()).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "503 QpsLimitExceeded: too fast (request id 534B371674A4D890XXXX)",
/// );
/// assert!(error.is_throttling() && error.is_retryable() && error.may_have_deleted());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceError(Box<Parts>);

/// Boxed, so that results stay small.
#[derive(Clone, PartialEq, Eq)]
struct Parts {
    /// The operation of the call.
    kind: Kind,
    status: StatusCode,
    code: String,
    message: String,
    request_id: Option<String>,
    ec: Option<String>,
    fields: Vec<(String, String)>,
    date: Option<SystemTime>,
    retry_after: Option<RetryAfter>,
    qos_delay: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RetryAfter {
    Delay(Duration),
    Date(SystemTime),
}

impl ServiceError {
    /// An error for a server to respond with. See [`code`] for the codes of the service.
    #[must_use]
    pub fn new(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            kind: Kind::DeleteVectors,
            status,
            code: code.into(),
            message: message.into(),
            request_id: None,
            ec: None,
            fields: Vec::new(),
            date: None,
            retry_after: None,
            qos_delay: None,
        }))
    }

    /// Adds the request id.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<String>) -> Self {
        self.0.request_id = Some(request_id.into());
        self
    }

    /// Adds the number of the error in the error reference of the service (EC), such as
    /// `0003-00000001`.
    #[must_use]
    pub fn with_ec(mut self, ec: impl Into<String>) -> Self {
        self.0.ec = Some(ec.into());
        self
    }

    /// Adds another member of the error document, such as `HostId`.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.fields.push((name.into(), value.into()));
        self
    }

    /// Adds the server's time.
    #[must_use]
    pub fn with_date(mut self, date: SystemTime) -> Self {
        self.0.date = Some(RequestDate::new(date).time());
        self
    }

    /// Adds how long to wait before the next request, in whole seconds.
    #[must_use]
    pub fn with_retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(RetryAfter::Delay(Duration::from_secs(delay.as_secs())));
        self
    }

    /// Adds how long the request was delayed.
    #[must_use]
    pub fn with_qos_delay(mut self, qos_delay: Duration) -> Self {
        self.0.qos_delay = Some(qos_delay);
        self
    }

    pub(super) fn parse<B: AsRef<[u8]>>(
        kind: Kind,
        response: &Response<B>,
        secrets: &Secrets<'_>,
    ) -> Self {
        let (headers, body) = (response.headers(), response.body().as_ref());
        let document = ErrorDocument::parse(headers, body);
        let message = document.message.unwrap_or_else(|| match &document.code {
            Some(_) => String::new(),
            None => {
                let what = if response.status().is_success()
                    && text(headers, header::REQUEST_ID).is_none()
                {
                    "the response has no x-oss-request-id, so it is not from OSS"
                } else {
                    "the response is not an error document"
                };
                format!("{what}: {}", shown(headers, body, secrets))
            }
        });
        let code = document.code.or_else(|| text(headers, header::ERROR_TYPE));
        let server_time = document.server_time.and_then(|time| time_text::any(&time));
        let redacted = |text: String| secrets.redact(text);
        Self(Box::new(Parts {
            kind,
            status: response.status(),
            code: redacted(code.unwrap_or_else(|| code::BAD_ERROR_RESPONSE.to_owned())),
            message: redacted(message),
            request_id: document
                .request_id
                .or_else(|| text(headers, header::REQUEST_ID))
                .map(redacted),
            ec: document.ec.or_else(|| text(headers, header::EC)).map(redacted),
            fields: document
                .fields
                .into_iter()
                .map(|(name, value)| (redacted(name), redacted(value)))
                .collect(),
            date: [server_time, date(headers)].into_iter().flatten().find(is_plausible),
            retry_after: retry_after(headers),
            qos_delay: qos_delay(headers),
        }))
    }

    /// A success without the expected document. `reason` has no secrets.
    pub(crate) fn unreadable<B>(kind: Kind, response: &Response<B>, reason: &str) -> Self {
        let message = format!("the response is not a list of vectors: {reason}");
        let mut error = Self::new(response.status(), code::BAD_ERROR_RESPONSE, message);
        error.0.kind = kind;
        error.0.request_id = text(response.headers(), header::REQUEST_ID);
        error
    }

    /// The status. It can be a 2xx, if the response has no request id or an error in its body.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The code of the service, unchanged; [`code::BAD_ERROR_RESPONSE`] if the response has none.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The message of the service, unchanged: escape it before you print it, as `Display` does. If
    /// the response is not an error document, a description of it.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The request id of the service, for its support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The number of the error in the error reference of the service (EC), such as `0003-00000001`.
    #[must_use]
    pub fn ec(&self) -> Option<&str> {
        self.0.ec.as_deref()
    }

    /// All members of the error document that are text, including `Code` and `Message`: sorted by
    /// name in JSON, in their order in XML. Some may repeat the request: keep them out of logs,
    /// unless they were [redacted](crate::Operation::parse_response_to).
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The time of the server in whole seconds, to correct a wrong clock: the `ServerTime` of the
    /// error document, or else the `Date` header. `None` for a time that no server can have, such
    /// as 1970.
    #[must_use]
    pub fn date(&self) -> Option<SystemTime> {
        self.0.date
    }

    /// How long `Retry-After` asks to wait, without an upper limit. `now` is the time of the
    /// response. A date is compared with the `Date` of the response, or with `now` if it has none.
    #[must_use]
    pub fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        Some(match self.0.retry_after? {
            RetryAfter::Delay(delay) => delay,
            RetryAfter::Date(date) => {
                date.duration_since(self.0.date.unwrap_or(now)).unwrap_or_default()
            }
        })
    }

    /// How long a bandwidth limit *has* delayed the request, in whole milliseconds. Not a time to
    /// wait.
    #[must_use]
    pub fn qos_delay(&self) -> Option<Duration> {
        self.0.qos_delay
    }

    /// The response of a server: JSON, with the request id, EC, date and delays in headers. Values
    /// that are invalid in a header are omitted there.
    #[must_use]
    pub fn to_response(&self) -> Response<Bytes> {
        let Parts {
            kind: _,
            status,
            code,
            message,
            request_id,
            ec,
            fields,
            date,
            retry_after,
            qos_delay,
        } = &*self.0;
        let mut members = Map::<String, Value>::new();
        for (name, value) in fields {
            // As in parsing, the first member of a name that is not empty is used.
            let member = members.entry(name.as_str()).or_insert_with(|| "".into());
            if *member == "" {
                *member = value.as_str().into();
            }
        }
        let named = [("RequestId", request_id), ("EC", ec)];
        members.extend(
            named
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value.as_deref()?.into()))),
        );
        members.insert("Code".to_owned(), code.as_str().into());
        members.insert("Message".to_owned(), message.as_str().into());
        let document =
            Value::Object(Map::from_iter([("Error".to_owned(), Value::Object(members))]));

        let mut response = Response::new(Bytes::from(document.to_string()));
        *response.status_mut() = *status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        insert(headers, header::REQUEST_ID, request_id.as_deref());
        insert(headers, header::EC, ec.as_deref());
        headers.extend(date.map(|date| (DATE, RequestDate::new(date).rfc1123())));
        let retry_after = retry_after.map(|retry_after| match retry_after {
            RetryAfter::Delay(delay) => delay.as_secs().into(),
            RetryAfter::Date(date) => RequestDate::new(date).rfc1123(),
        });
        headers.extend(retry_after.map(|value| (RETRY_AFTER, value)));
        insert_qos_delay(headers, *qos_delay);
        response
    }
}

fn retry_after(headers: &HeaderMap) -> Option<RetryAfter> {
    let value = text(headers, RETRY_AFTER.as_str())?;
    let (seconds, fraction) = value.split_once('.').unwrap_or((&value, ""));
    if ![seconds, fraction].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit())) {
        return time_text::http_date(&value).map(RetryAfter::Date);
    }
    // A number that is too large means a very long time. Fractions of a second are rounded up.
    let seconds = if seconds.is_empty() { 0 } else { seconds.parse().unwrap_or(u64::MAX) };
    let is_number = value.bytes().any(|byte| byte.is_ascii_digit());
    let part = u64::from(fraction.bytes().any(|byte| byte != b'0'));
    is_number.then(|| RetryAfter::Delay(Duration::from_secs(seconds.saturating_add(part))))
}

/// Whether a server with a correct clock can have this time: from 2015 to 2199.
fn is_plausible(time: &SystemTime) -> bool {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    (1_420_070_400..7_258_118_400).contains(&since_1970)
}

/// `403 AccessDenied: message (request id X, EC Y)`, on one line. Characters that could garble
/// a terminal are escaped.
impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut escaped = |text: &str| f.write_str(&escape(text));
        escaped(self.0.status.as_str())?;
        escaped(" ")?;
        escaped(self.code())?;
        if !self.message().is_empty() {
            escaped(": ")?;
            escaped(self.message())?;
        }
        match (self.request_id(), self.ec()) {
            (None, None) => Ok(()),
            (Some(request_id), None) => escaped(&format!(" (request id {request_id})")),
            (None, Some(ec)) => escaped(&format!(" (EC {ec})")),
            (Some(request_id), Some(ec)) => {
                escaped(&format!(" (request id {request_id}, EC {ec})"))
            }
        }
    }
}

impl fmt::Debug for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceError")
            .field("status", &self.0.status)
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("request_id", &self.0.request_id)
            .field("ec", &self.0.ec)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for ServiceError {}
