use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use http::StatusCode;

use super::Setback;
use crate::{ServiceError, Target};

/// The error of one attempt to delete a batch: the service's, or that of the way to it. Texts are cut after 1,000 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptError {
    /// The answer's status; `None` where there was no answer.
    pub status: Option<StatusCode>,
    /// The service's code; `None` where there was no answer.
    pub code: Option<String>,
    /// The service's message, or why there was no answer.
    pub message: String,
    /// The service's id of the request.
    pub request_id: Option<String>,
    /// The error's number in the service's error reference (EC), such as `0003-00000001`.
    pub ec: Option<String>,
    /// Where the service says that the bucket is.
    endpoint: Option<String>,
    /// The whole error on one line, escaped.
    text: String,
}

impl AttemptError {
    pub(super) fn of(setback: &Setback) -> Self {
        match setback {
            Setback::Refused(error) => Self {
                status: Some(error.status()),
                code: Some(cut(error.code())),
                message: cut(error.message()),
                request_id: error.request_id().map(cut),
                ec: error.ec().map(cut),
                endpoint: error.endpoint(),
                text: cut(&error.to_string()),
            },
            Setback::Failed(failure) => Self {
                status: None,
                code: None,
                message: cut(failure.message()),
                request_id: None,
                ec: None,
                endpoint: None,
                text: cut(&failure.to_string()),
            },
        }
    }

    /// Whether it may pass by itself, so that another run may do better with the same keys: as
    /// [`ServiceError::is_retryable`], and where there was no answer.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.service_error().is_none_or(|error| error.is_retryable())
    }

    /// What to do about it, in words, in a run that deletes from `target`: as [`ServiceError::advice`], and where there was no
    /// answer, what to look at.
    #[must_use]
    pub fn advice(&self, target: &Target) -> Option<Cow<'static, str>> {
        match self.service_error() {
            Some(error) => error.advice(target),
            None => Some("check the region, the endpoint and the network".into()),
        }
    }

    /// What of the answer decides.
    fn service_error(&self) -> Option<ServiceError> {
        let error = ServiceError::new(self.status?, self.code.as_deref()?, "");
        let error = match &self.endpoint {
            Some(endpoint) => error.with_field("Endpoint", endpoint),
            None => error,
        };
        Some(match &self.request_id {
            Some(request_id) => error.with_request_id(request_id),
            None => error,
        })
    }
}

/// The beginning of a text: batches, their pieces and events each keep one, and an answer may have a megabyte of it.
fn cut(text: &str) -> String {
    const KEPT_CHARS: usize = 1000;
    text.char_indices().nth(KEPT_CHARS).map_or_else(|| text.to_owned(), |(end, _)| format!("{}…", &text[..end]))
}

/// The whole error, on one line, characters that disorder a terminal escaped.
impl fmt::Display for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for AttemptError {}

#[cfg(test)]
mod tests {
    use super::super::Failure;
    use super::*;
    use crate::code;

    #[test]
    fn it_advises_as_the_error_that_it_was() {
        let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("i").build().unwrap();
        for (status, code) in [
            (403, code::ACCESS_DENIED),
            (403, code::SIGNATURE_DOES_NOT_MATCH),
            (404, code::NO_SUCH_VECTOR_INDEX),
            (404, code::BAD_ERROR_RESPONSE),
            (404, "SomethingNew"),
            (503, code::QPS_LIMIT_EXCEEDED),
        ] {
            let error = ServiceError::new(StatusCode::from_u16(status).unwrap(), code, "m").with_request_id("id");
            let advice = error.advice(&target);
            let attempt = AttemptError::of(&Setback::Refused(error.clone()));
            assert_eq!((attempt.advice(&target), attempt.to_string()), (advice, error.to_string()), "{status} {code}");
            assert_eq!(attempt.is_retryable(), error.is_retryable(), "{status} {code}");
        }
        let failed = AttemptError::of(&Setback::Failed(Failure::may_have_arrived("reset\n")));
        assert_eq!((failed.to_string().as_str(), failed.message.as_str()), (r"reset\n", "reset\n"));
        assert!(failed.is_retryable());
        assert_eq!(failed.advice(&target).unwrap(), "check the region, the endpoint and the network");
    }
}
