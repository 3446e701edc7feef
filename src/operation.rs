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
mod side_by_side;
mod xml;

use bytes::Bytes;
use http::{Method, Request, Response};

use crate::{Credentials, Target};

pub(crate) use error_document::ErrorDocument;
pub(crate) use meaning::Meaning;
pub(crate) use redact::Secrets;
pub use request::RequestError;
pub(crate) use request::{Body, Payload, build, keys, members, read_body, write_string};
pub(crate) use response::{
    Head, confirmation, document, insert_qos_delay, insert_request_id, member, write_document,
};
pub use service_error::ServiceError;

/// A call of the service: [`DeleteVectors`](crate::DeleteVectors),
/// [`ListVectors`](crate::ListVectors), [`GetVectors`](crate::GetVectors) or
/// [`PutVectors`](crate::PutVectors).
///
/// The transports send any of them with their `call`.
///
/// ```
/// use oss_delete_vectors::{DeleteVectors, Deleted, Operation};
///
/// let response = Deleted::new("534B371674A4D890XXXX").to_response();
/// let deleted = DeleteVectors::parse_response(&response)?;
/// assert_eq!(deleted.request_id(), Some("534B371674A4D890XXXX"));
/// # Ok::<_, oss_delete_vectors::ServiceError>(())
/// ```
pub trait Operation: sealed::Sealed<Success = <Self as Operation>::Output> {
    /// The result of a successful call. Its documentation says which responses are a success.
    type Output;

    /// The unsigned request: `POST` with `content-type`, `content-md5`, `user-agent` and the JSON
    /// body.
    #[must_use]
    fn to_request(&self) -> Request<Bytes>;

    /// Whether `request` is a call of this operation: `POST` and the name of the operation in the
    /// query, such as `?deleteVectors`, with or without `=`.
    #[must_use]
    fn is_call<B>(request: &Request<B>) -> bool {
        Self::KIND.is_call(request)
    }

    /// Parses the response to a call. Member names are read without regard to case.
    ///
    /// # Errors
    ///
    /// [`ServiceError`] for every response that is not the success of this call, with any body:
    /// JSON, XML, HTML, empty, truncated or binary. [`code`](crate::code) has the codes.
    fn parse_response<B: AsRef<[u8]>>(
        response: &Response<B>,
    ) -> Result<<Self as Operation>::Output, ServiceError> {
        Self::parse(response, &Secrets::none())
    }

    /// Same as [`parse_response`](Self::parse_response), and removes the secrets of `credentials`,
    /// which signed the request.
    ///
    /// A server may repeat the request in its response, which goes into errors and logs. So the
    /// security token and the AccessKey secret are removed from errors and request ids: plain,
    /// percent-encoded, escaped as in JSON or XML, in hex and in base64. Secrets of fewer than
    /// eight characters stay.
    ///
    /// # Errors
    ///
    /// Same as [`parse_response`](Self::parse_response).
    fn parse_response_to<B: AsRef<[u8]>>(
        credentials: &Credentials,
        response: &Response<B>,
    ) -> Result<<Self as Operation>::Output, ServiceError> {
        Self::parse(response, &Secrets::of(credentials))
    }
}

/// The part that differs between operations. Other crates cannot implement it.
pub(crate) mod sealed {
    use super::{Kind, Response, Secrets, ServiceError};

    pub trait Sealed: Sized {
        const KIND: Kind;

        type Success;

        /// Parses a response, and removes `secrets` from all that it keeps.
        fn parse<B: AsRef<[u8]>>(
            response: &Response<B>,
            secrets: &Secrets<'_>,
        ) -> Result<Self::Success, ServiceError>;
    }
}

/// Headers of the service, in lower case.
mod header {
    pub(super) const EC: &str = "x-oss-ec";
    pub(super) const ERR: &str = "x-oss-err";
    pub(super) const ERROR_TYPE: &str = "x-oss-error-type";
    pub(super) const QOS_DELAY_TIME: &str = "x-oss-qos-delay-time";
    pub(super) const REQUEST_ID: &str = "x-oss-request-id";
}

/// Defines the operations: name, and the parameter that names it on the wire.
macro_rules! kinds {
    ($($kind:ident = $sub_resource:literal,)*) => {
        /// The operations by name.
        #[expect(clippy::enum_variant_names, reason = "the names of the service")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($kind,)*
        }

        impl Kind {
            #[cfg(feature = "emulator")]
            pub(crate) const ALL: &[Self] = &[$(Self::$kind),*];

            /// The parameter that names it on the wire.
            pub(crate) fn sub_resource(self) -> &'static str {
                match self {
                    $(Self::$kind => $sub_resource,)*
                }
            }

            /// The action that access policies allow.
            pub(crate) fn action(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!("oss:", stringify!($kind)),)*
                }
            }
        }
    };
}

kinds! {
    DeleteVectors = "deleteVectors",
    ListVectors = "listVectors",
    GetVectors = "getVectors",
    PutVectors = "putVectors",
}

impl Kind {
    /// Whether a failed call may have deleted vectors.
    pub(crate) fn deletes(self) -> bool {
        match self {
            Self::DeleteVectors => true,
            Self::ListVectors | Self::GetVectors | Self::PutVectors => false,
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

    /// The URI of its requests.
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
