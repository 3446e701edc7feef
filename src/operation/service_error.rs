use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value};

use super::error_document::{ErrorDocument, shown};
use super::header;
use super::meaning::Meaning;
use super::redact::Secrets;
use super::response::{date, insert, insert_qos_delay, qos_delay, text};
use super::{Kind, code};
use crate::escape::escape;
use crate::signing::{RequestDate, Resource};
use crate::{Endpoint, Target, time_text};

/// An answer of the service, or of something on the way to it, that is no success, such as
/// [`Deleted`](crate::Deleted).
///
/// What to do is in [`is_retryable`](Self::is_retryable), [`is_throttling`](Self::is_throttling),
/// [`may_have_deleted`](Self::may_have_deleted) and, in words, in [`advice`](Self::advice).
///
/// ```
/// use http::StatusCode;
/// use oss_delete_vectors::{DeleteVectors, ServiceError, code};
///
/// let answer = ServiceError::new(StatusCode::SERVICE_UNAVAILABLE, code::QPS_LIMIT_EXCEEDED, "too fast")
///     .with_request_id("534B371674A4D890XXXX");
/// let error = DeleteVectors::parse_response(&answer.to_response()).unwrap_err();
/// assert_eq!(error.to_string(), "503 QpsLimitExceeded: too fast (request id 534B371674A4D890XXXX)");
/// assert!(error.is_throttling() && error.is_retryable() && error.may_have_deleted());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceError(Box<Parts>);

/// Behind a pointer, so that results stay small.
#[derive(Clone, PartialEq, Eq)]
struct Parts {
    /// Of the call that it is the response to.
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
    /// An error as a server answers it: see [`code`] for what the service answers when.
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

    /// Adds the id of the request.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<String>) -> Self {
        self.0.request_id = Some(request_id.into());
        self
    }

    /// Adds the error's number in the service's error reference (EC), such as `0003-00000001`.
    #[must_use]
    pub fn with_ec(mut self, ec: impl Into<String>) -> Self {
        self.0.ec = Some(ec.into());
        self
    }

    /// Adds a further member of the error document, such as `HostId`.
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

    /// Adds how long to wait, in whole seconds, before the next request.
    #[must_use]
    pub fn with_retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(RetryAfter::Delay(Duration::from_secs(delay.as_secs())));
        self
    }

    /// Adds how long the request was held back.
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
                format!("the response is not an error document: {}", shown(headers, body, secrets))
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

    /// A success that is not the document that it should be.
    pub(crate) fn unreadable<B>(kind: Kind, response: &Response<B>, reason: &str) -> Self {
        let message = format!("the response is not a list of vectors: {reason}");
        let mut error = Self::new(response.status(), code::BAD_ERROR_RESPONSE, message);
        error.0.kind = kind;
        error.0.request_id = text(response.headers(), header::REQUEST_ID);
        error
    }

    /// The status. A 2xx is one that came without the service's request id or with an error in its body.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The service's code, as it came; [`code::BAD_ERROR_RESPONSE`] where the answer has none.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The service's message, as it came: the server's words, to be escaped before they go to a terminal (`Display` does).
    /// Where the answer is no error document, what it is instead.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The service's id of the request, for its support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The error's number in the service's error reference (EC), such as `0003-00000001`.
    #[must_use]
    pub fn ec(&self) -> Option<&str> {
        self.0.ec.as_deref()
    }

    /// All members of the error document that are text, `Code` and `Message` among them: sorted by name where it is JSON, in its
    /// order where it is XML. Some may repeat the request: keep them out of logs, unless they were
    /// [redacted](crate::DeleteVectors::parse_response_to).
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The server's time, to the second, by which a clock that is off can be corrected: the `ServerTime` of the error document, or
    /// else the `Date` header. A time that no server can have, such as 1970, is left out.
    #[must_use]
    pub fn date(&self) -> Option<SystemTime> {
        self.0.date
    }

    /// How long `Retry-After` asks to wait, of any length. `now` is the time at which the answer came; a date is held against
    /// the answer's own `Date` where it has one.
    #[must_use]
    pub fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        Some(match self.0.retry_after? {
            RetryAfter::Delay(delay) => delay,
            RetryAfter::Date(date) => {
                date.duration_since(self.0.date.unwrap_or(now)).unwrap_or_default()
            }
        })
    }

    /// How long the request *was* held back by a bandwidth limit, to the millisecond; no time to wait.
    #[must_use]
    pub fn qos_delay(&self) -> Option<Duration> {
        self.0.qos_delay
    }

    /// Whether to send the same again, signed anew: status 401, 408, 429 and 5xx; codes `BadRequest`, `InvalidDigest` and
    /// `RequestTimeout`; `RequestTimeTooSkewed`, once the date is right; and codes that say [to slow down](Self::is_throttling).
    /// Not where it takes other credentials, and not a 401 that is [not from OSS](Self::is_from_oss).
    ///
    /// The official SDKs decide likewise, with these differences: they do not send again on `InvalidDigest` and `RequestTimeout`,
    /// nor on a throttling code whose status is not 5xx; and they send again on any 401. A
    /// [`BulkDelete`](crate::bulk::BulkDelete) also sends again on 409 and on codes that are not listed, a limited number of times.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.meaning() {
            Meaning::Throttled | Meaning::Failed | Meaning::WrongDate => true,
            Meaning::Passing => self.0.status != StatusCode::CONFLICT,
            _ => false,
        }
    }

    /// Whether requests come too fast: a throttling code, status 429, or a 503 without a code, which is how gateways say it. Send
    /// the same again, more slowly.
    #[must_use]
    pub fn is_throttling(&self) -> bool {
        self.meaning() == Meaning::Throttled
    }

    /// Whether OSS sent this response to this call: it has a code or a request id, and none of the statuses that OSS never gives
    /// here (1xx, 3xx, 405, 407, 411, a 2xx that is not a deletion). Otherwise a proxy, a gateway or another server did, and it says
    /// nothing about the keys: check the endpoint, and what is before it.
    #[must_use]
    pub fn is_from_oss(&self) -> bool {
        self.is_named() && !matches!(self.0.status.as_u16(), 100..400 | 405 | 407 | 411)
    }

    /// What it means, for one call and for a run alike.
    pub(crate) fn meaning(&self) -> Meaning {
        Meaning::of(self.0.status, self.known_code(), self.request_id().is_some())
    }

    /// Whether a part of the keys, or all, may be gone in spite of the error: any 5xx, throttling among them; 408 and
    /// `RequestTimeout`; a 400 without a code, which may be that; and a response that is [not from OSS](Self::is_from_oss), which does not say what OSS did with the request.
    /// All others say that the call was rejected. Calls that delete nothing never have.
    #[must_use]
    pub fn may_have_deleted(&self) -> bool {
        self.0.kind == Kind::DeleteVectors && self.may_have_executed()
    }

    fn may_have_executed(&self) -> bool {
        match self.meaning() {
            Meaning::Failed | Meaning::NotFromOss => true,
            Meaning::Throttled => {
                !self.is_from_oss()
                    || !self.0.status.is_client_error()
                    || self.0.status == StatusCode::REQUEST_TIMEOUT
            }
            Meaning::MaybeBadKeys => self.may_be_request_timeout(),
            _ => false,
        }
    }

    /// The code was lost on the way, and may have been `RequestTimeout`.
    fn may_be_request_timeout(&self) -> bool {
        self.0.status == StatusCode::BAD_REQUEST && self.known_code().is_none()
    }

    fn is_named(&self) -> bool {
        self.known_code().is_some() || self.request_id().is_some()
    }

    fn known_code(&self) -> Option<&str> {
        Some(self.code()).filter(|&code| code != code::BAD_ERROR_RESPONSE)
    }

    /// The endpoint that the service names, where the request went to another one than the bucket's: host and port.
    pub(crate) fn endpoint(&self) -> Option<String> {
        let is_named = self.code() == code::ACCESS_DENIED || self.0.status.is_redirection();
        let (_, endpoint) =
            self.fields().find(|(name, _)| is_named && name.eq_ignore_ascii_case("Endpoint"))?;
        endpoint.parse::<Endpoint>().ok()?.custom_authority().map(str::to_owned)
    }

    /// A copy to keep: texts that are longer than `shorten` allows, which returns `None` for others,
    /// are cut, and of the other members only what [`advice`](Self::advice) needs is left.
    pub(crate) fn shortened(mut self, shorten: impl Fn(&str) -> Option<String>) -> Self {
        let endpoint = self.endpoint();
        let parts = &mut *self.0;
        let texts = [
            Some(&mut parts.code),
            Some(&mut parts.message),
            parts.request_id.as_mut(),
            parts.ec.as_mut(),
        ];
        for text in texts.into_iter().flatten() {
            if let Some(short) = shorten(text) {
                *text = short;
            }
        }
        parts.fields =
            endpoint.map(|endpoint| ("Endpoint".to_owned(), endpoint)).into_iter().collect();
        self
    }

    /// What to do about it, in words, for a request to `target`; `None` where nothing more is known than the message says.
    #[must_use]
    pub fn advice(&self, target: &Target) -> Option<Cow<'static, str>> {
        if let Some(endpoint) = self.endpoint().filter(|endpoint| !is_of(target, endpoint)) {
            return Some(
                format!("use the endpoint {endpoint}, and the region of it: the bucket is there")
                    .into(),
            );
        }
        let resource = Resource::from(target);
        Some(Cow::Borrowed(match self.code() {
            code::ACCESS_DENIED => {
                return Some(
                    format!(
                        "allow the action {} on {resource} and {resource}/*",
                        self.0.kind.action()
                    )
                    .into(),
                );
            }
            code::NO_SUCH_BUCKET => {
                let host = target.uri().host().unwrap_or_default();
                return Some(format!("check region, account id and bucket of {resource}, and the endpoint: {host}").into());
            }
            code::NO_SUCH_VECTOR_INDEX => {
                return Some(format!("check the index name, {target}").into());
            }
            code::VECTOR_INDEX_PARAMETER_INVALID if self.0.kind == Kind::ListVectors => {
                "check the index name and the filter"
            }
            code => match (code::advice(code), self.meaning()) {
                (Some(advice), _) => advice,
                (None, Meaning::Throttled) => "send again, more slowly",
                (None, Meaning::NotFromOss | Meaning::Failed)
                    if !self.is_from_oss() && self.0.kind != Kind::DeleteVectors =>
                {
                    "check the endpoint: the response is not from OSS"
                }
                (None, Meaning::NotFromOss | Meaning::Failed) if !self.is_from_oss() => {
                    "check the endpoint: the response is not from OSS, and the batch may be gone in part"
                }
                _ if self.may_have_deleted() => "send again: the batch may be gone in part",
                _ if self.is_retryable() => "send again",
                _ => return None,
            },
        }))
    }

    /// The answer that a server gives: JSON, with the request id, EC, date and delays in headers. What cannot stand in a header
    /// is left out there.
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
            // Of several with one name the first that is not empty counts, as in parsing.
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
    // More digits than a number holds still mean a very long time. A part of a second is waited as a whole one.
    let seconds = if seconds.is_empty() { 0 } else { seconds.parse().unwrap_or(u64::MAX) };
    let is_number = value.bytes().any(|byte| byte.is_ascii_digit());
    let part = u64::from(fraction.bytes().any(|byte| byte != b'0'));
    is_number.then(|| RetryAfter::Delay(Duration::from_secs(seconds.saturating_add(part))))
}

/// Whether requests to `target` go to `endpoint`, with a bucket before it or without.
fn is_of(target: &Target, endpoint: &str) -> bool {
    let authority = target.uri().authority().map_or("", |authority| authority.as_str());
    authority
        .strip_suffix(endpoint)
        .is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// Whether a server that is not wrong itself can have this time: from 2015 to 2199.
fn is_plausible(time: &SystemTime) -> bool {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    (1_420_070_400..7_258_118_400).contains(&since_1970)
}

/// `403 AccessDenied: message (request id X, EC Y)`, on one line, characters that disorder a terminal escaped.
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
