//! What all operations share: requests with a JSON body, their checks, responses and errors.
//!
//! ```text
//! value    --to_request-->     http::Request
//! value    <--parse_request--  http::Request
//! outcome  --to_response-->    http::Response
//! outcome  <--parse_response-- http::Response
//! ```
//!
//! Reference: *Error responses*, *Common headers* of Alibaba Cloud OSS vector buckets.

pub mod code;
mod error_document;
mod meaning;
mod redact;
mod request;
mod response;
mod service_error;
mod xml;

use bytes::Bytes;
use http::{Method, Request, Response};

use crate::{Credentials, Target};

pub(crate) use error_document::ErrorDocument;
pub(crate) use meaning::Meaning;
pub(crate) use redact::Secrets;
pub use request::RequestError;
pub(crate) use request::{Body, build, keys, read_body, write_string};
pub(crate) use response::{
    Head, confirmation, document, insert_qos_delay, insert_request_id, member, write_document,
};
pub use service_error::ServiceError;

/// A call of the service: [`DeleteVectors`](crate::DeleteVectors),
/// [`ListVectors`](crate::ListVectors), [`GetVectors`](crate::GetVectors) or
/// [`PutVectors`](crate::PutVectors).
///
/// The transports send any of them with their `call`.
pub trait Operation: sealed::Sealed {
    /// What the service returns if the call succeeds.
    type Output;

    /// The unsigned request: `POST` with `content-type`, `content-md5`, `user-agent` and the JSON
    /// body.
    #[must_use]
    fn to_request(&self) -> Request<Bytes>;

    /// Parses the response to a request that was signed with `credentials`. Secrets that the server
    /// repeats are taken out of what is kept.
    ///
    /// # Errors
    ///
    /// [`ServiceError`] for every response that is not the success of this call.
    fn parse_response_to<B: AsRef<[u8]>>(
        credentials: &Credentials,
        response: &Response<B>,
    ) -> Result<Self::Output, ServiceError>;
}

pub(crate) mod sealed {
    pub trait Sealed {}

    impl Sealed for crate::DeleteVectors {}
    impl Sealed for crate::GetVectors {}
    impl Sealed for crate::ListVectors {}
    impl Sealed for crate::PutVectors {}
}

/// Headers of the service, in lower case.
mod header {
    pub(super) const EC: &str = "x-oss-ec";
    pub(super) const ERR: &str = "x-oss-err";
    pub(super) const ERROR_TYPE: &str = "x-oss-error-type";
    pub(super) const QOS_DELAY_TIME: &str = "x-oss-qos-delay-time";
    pub(super) const REQUEST_ID: &str = "x-oss-request-id";
}

/// The operations by name.
#[expect(clippy::enum_variant_names, reason = "the names of the service")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    DeleteVectors,
    ListVectors,
    GetVectors,
    PutVectors,
}

impl Kind {
    #[cfg(feature = "emulator")]
    pub(crate) const ALL: [Self; 4] =
        [Self::DeleteVectors, Self::ListVectors, Self::GetVectors, Self::PutVectors];

    /// The parameter that names it on the wire.
    pub(crate) fn sub_resource(self) -> &'static str {
        match self {
            Self::DeleteVectors => "deleteVectors",
            Self::ListVectors => "listVectors",
            Self::GetVectors => "getVectors",
            Self::PutVectors => "putVectors",
        }
    }

    /// The action that access policies allow.
    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::DeleteVectors => "oss:DeleteVectors",
            Self::ListVectors => "oss:ListVectors",
            Self::GetVectors => "oss:GetVectors",
            Self::PutVectors => "oss:PutVectors",
        }
    }

    /// Whether the query names this operation, with or without `=`.
    pub(crate) fn is_named_by<B>(self, request: &Request<B>) -> bool {
        let query = request.uri().query().unwrap_or_default();
        let is_sub_resource = |part: &str| {
            part.strip_prefix(self.sub_resource()).is_some_and(|rest| matches!(rest, "" | "="))
        };
        query.split('&').any(is_sub_resource)
    }

    /// Whether `request` is a call of this operation: `POST ...?{sub-resource}`.
    pub(crate) fn is_call<B>(self, request: &Request<B>) -> bool {
        request.method() == Method::POST && self.is_named_by(request)
    }

    /// Where requests go.
    pub(crate) fn uri(self, target: &Target) -> http::Uri {
        if self == Self::DeleteVectors {
            return target.uri().clone();
        }
        let mut parts = target.uri().clone().into_parts();
        let path = target.uri().path();
        let path_and_query = format!("{path}?{}", self.sub_resource());
        parts.path_and_query = Some(path_and_query.parse().expect("a path and a name"));
        http::Uri::from_parts(parts).expect("the parts are those of a URI")
    }
}
