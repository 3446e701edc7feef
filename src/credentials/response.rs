//! Parses the responses of sources.

use std::borrow::Cow;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, LOCATION};
use http::{HeaderMap, Response, StatusCode, Uri};
use zeroize::Zeroize;

use super::error::SourceErrorKind;
use super::json::{Members, members};
use super::{Credentials, SourceError};
use crate::operation::{ErrorDocument, Secrets};
use crate::{InvalidValue, time_text};

/// The maximum length of a message, in characters.
const KEPT_CHARS: usize = 300;

/// A response that is wiped after it is parsed.
pub(super) struct Received {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Received {
    pub(super) fn new(response: Response<Bytes>) -> Self {
        let (head, body) = response.into_parts();
        Self { status: head.status, headers: head.headers, body }
    }

    pub(super) fn text(&self) -> Option<&str> {
        str::from_utf8(&self.body).ok().map(str::trim)
    }

    /// The time of the service, if the response has a date.
    pub(super) fn date(&self) -> Option<SystemTime> {
        date(&self.headers)
    }

    /// Parses the credentials in the object itself, or in its member `nested`.
    ///
    /// Compares an expiration with the date of the response, because the clock of this host may be
    /// wrong.
    pub(super) fn credentials(
        &self,
        now: SystemTime,
        nested: Option<&str>,
    ) -> Result<Credentials, SourceErrorKind> {
        let read = |members: Members<'_>| match nested {
            None => Credentials::from_members(&members),
            Some(name) => {
                let missing = || InvalidValue::without_value("Credentials", "is missing");
                let json = members.get(name).ok_or_else(missing)?;
                Credentials::from_json(json.get().as_bytes())
            }
        };
        let members = members(&self.body).map_err(|_| self.unexpected("not a JSON object"))?;
        let credentials = read(members).map_err(SourceErrorKind::Invalid)?;
        match credentials.expiration() {
            Some(expiration) if expiration <= self.date().unwrap_or(now) => {
                Err(SourceErrorKind::Expired(expiration))
            }
            _ => Ok(credentials),
        }
    }

    /// The error in an error response, or the fact that it is a page.
    pub(super) fn error(&self, secrets: &Secrets<'_>) -> SourceErrorKind {
        let document = ErrorDocument::parse(&self.headers, &self.body);
        if document.code.is_none() && document.message.is_none() {
            let (status, reason) = (self.status, self.description("without a message"));
            let reason = secrets.redact(reason.into_owned()).into();
            return SourceErrorKind::Unexpected { status, reason };
        }
        let clean =
            |text: String| -> String { secrets.redact(text).chars().take(KEPT_CHARS).collect() };
        SourceErrorKind::Rejected {
            status: self.status,
            code: document.code.map(clean),
            message: document.message.map(clean).unwrap_or_default(),
            request_id: document.request_id.map(clean),
        }
    }

    /// Describes a response from something else. Its body is not shown, because it may contain a
    /// secret.
    pub(super) fn unexpected(&self, reason: &'static str) -> SourceErrorKind {
        SourceErrorKind::Unexpected { status: self.status, reason: self.description(reason) }
    }

    fn description(&self, reason: &'static str) -> Cow<'static, str> {
        let header = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
        match (self.status.is_redirection(), header(LOCATION)) {
            (true, Some(location)) => {
                let to = location.parse().map_or_else(|_| "?".to_owned(), |uri| shown(&uri));
                format!("a redirect to {to}, which is not followed").into()
            }
            _ => match header(CONTENT_TYPE) {
                Some(content_type) if content_type.starts_with("text/html") => {
                    "a page of HTML, not a response of this service".into()
                }
                _ => reason.into(),
            },
        }
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if let Ok(mut body) = std::mem::take(&mut self.body).try_into_mut() {
            body.as_mut().zeroize();
        }
    }
}

pub(super) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    headers.get(DATE)?.to_str().ok().and_then(time_text::http_date)
}

/// A URI without user information and query, which may contain secrets.
pub(super) fn shown(uri: &Uri) -> String {
    let host = uri
        .authority()
        .map_or("", |authority| authority.as_str().rsplit('@').next().unwrap_or_default());
    match uri.scheme_str() {
        Some(scheme) => format!("{scheme}://{host}{}", uri.path()),
        None => uri.path().to_owned(),
    }
}

impl SourceError {
    /// The error for a reply of the wrong kind.
    pub(super) fn not_asked(origin: impl Into<Cow<'static, str>>) -> Self {
        Self::new(origin, SourceErrorKind::NotAsked)
    }
}
