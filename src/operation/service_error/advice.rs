//! The meaning of an error, and what to do about it.

use std::borrow::Cow;

use http::StatusCode;

use super::super::meaning::{self, Meaning};
use super::super::{Kind, code};
use super::ServiceError;
use crate::signing::Resource;
use crate::{Endpoint, Target};

impl ServiceError {
    /// Whether the same request, signed again, may succeed:
    ///
    /// - status 401, 408, 429 and 5xx;
    /// - codes `BadRequest`, `InvalidDigest` and `RequestTimeout`;
    /// - `RequestTimeTooSkewed`, with the right date;
    /// - [throttling](Self::is_throttling) codes.
    ///
    /// `false` if other credentials are needed, and for a 401 that is [not from
    /// OSS](Self::is_from_oss).
    ///
    /// The official SDKs differ: they do not retry `InvalidDigest`, `RequestTimeout` and throttling
    /// codes with a status other than 5xx, and they retry any 401. A
    /// [`BulkDelete`](crate::bulk::BulkDelete) also retries 409 and unlisted codes, a limited
    /// number of times.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.meaning() {
            Meaning::Throttled | Meaning::Failed | Meaning::WrongDate => true,
            Meaning::Passing => self.0.status != StatusCode::CONFLICT,
            Meaning::NotFromOss
            | Meaning::WrongCredentials
            | Meaning::BadKeys
            | Meaning::MaybeBadKeys
            | Meaning::NoCode
            | Meaning::Unknown
            | Meaning::Final => false,
        }
    }

    /// Whether requests are sent too fast: a throttling code, status 429, or a 503 without a code,
    /// as gateways send it. Send it again, more slowly.
    #[must_use]
    pub fn is_throttling(&self) -> bool {
        self.meaning() == Meaning::Throttled
    }

    /// Whether the response is from OSS: it has a code or a request id, and its status is not one
    /// that OSS never sends here (1xx, 3xx, 405, 407, 411, or a 2xx that is not a deletion).
    /// Otherwise it is from a proxy, a gateway or another server, and says nothing about the keys:
    /// check the endpoint and the proxies.
    #[must_use]
    pub fn is_from_oss(&self) -> bool {
        self.is_named() && !meaning::is_foreign(self.0.status)
    }

    /// The meaning for a call and for a run.
    pub(crate) fn meaning(&self) -> Meaning {
        Meaning::of(self.0.status, self.known_code(), self.request_id().is_some())
    }

    /// Whether some or all of the keys may be deleted despite the error:
    ///
    /// - any 5xx, even if it is throttling;
    /// - 408, `RequestTimeout`, and a 400 without a code, which may be `RequestTimeout`;
    /// - a response that is [not from OSS](Self::is_from_oss), because OSS may have handled the
    ///   request.
    ///
    /// All other responses mean that the call was rejected. Always `false` for calls that delete
    /// nothing.
    #[must_use]
    pub fn may_have_deleted(&self) -> bool {
        self.0.kind.deletes() && self.may_have_executed()
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
            Meaning::WrongDate
            | Meaning::WrongCredentials
            | Meaning::Passing
            | Meaning::BadKeys
            | Meaning::NoCode
            | Meaning::Unknown
            | Meaning::Final => false,
        }
    }

    /// Whether the code was lost and may have been `RequestTimeout`.
    fn may_be_request_timeout(&self) -> bool {
        self.0.status == StatusCode::BAD_REQUEST && self.known_code().is_none()
    }

    fn is_named(&self) -> bool {
        self.known_code().is_some() || self.request_id().is_some()
    }

    fn known_code(&self) -> Option<&str> {
        Some(self.code()).filter(|&code| code != code::BAD_ERROR_RESPONSE)
    }

    /// The endpoint (host and port) in the response, if the request went to the wrong one.
    pub(crate) fn endpoint(&self) -> Option<String> {
        let is_named = self.code() == code::ACCESS_DENIED || self.0.status.is_redirection();
        let (_, endpoint) =
            self.fields().find(|(name, _)| is_named && name.eq_ignore_ascii_case("Endpoint"))?;
        endpoint.parse::<Endpoint>().ok()?.custom_authority().map(str::to_owned)
    }

    /// A copy to keep. Cuts long texts, for which `shorten` returns `Some`, and drops all members
    /// that [`advice`](Self::advice) does not need.
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

    /// Advice on what to do, for a request to `target`. `None` if the message says everything.
    #[must_use]
    pub fn advice(&self, target: &Target) -> Option<Cow<'static, str>> {
        if let Some(endpoint) = self.endpoint().filter(|endpoint| !is_of(target, endpoint)) {
            return Some(
                format!("use the endpoint {endpoint} and its region, because the bucket is there")
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
                let of = format!("{resource}, and the endpoint: {host}");
                return Some(format!("check region, account id and bucket of {of}").into());
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
                    if !self.is_from_oss() && !self.0.kind.deletes() =>
                {
                    "check the endpoint: the response is not from OSS"
                }
                (None, Meaning::NotFromOss | Meaning::Failed) if !self.is_from_oss() => {
                    "check the endpoint: the response is not from OSS, and some keys may be deleted"
                }
                _ if self.may_have_deleted() => "send again: some keys may be deleted",
                _ if self.is_retryable() => "send again",
                _ => return None,
            },
        }))
    }
}

/// Whether requests to `target` go to `endpoint`, which may include the bucket.
fn is_of(target: &Target, endpoint: &str) -> bool {
    let authority = target.uri().authority().map_or("", |authority| authority.as_str());
    authority
        .strip_suffix(endpoint)
        .is_some_and(|before| before.is_empty() || before.ends_with('.'))
}
