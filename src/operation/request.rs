use std::fmt;

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode};
use md5::{Digest, Md5};
use serde_json::{Map, Value};

use super::{Kind, ServiceError, code, side_by_side};
use crate::{InvalidValue, Target};

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// A JSON body and its MD5, which the requests of all attempts share.
#[derive(Debug, Clone)]
pub(crate) struct Payload {
    body: Bytes,
    md5: HeaderValue,
}

impl Payload {
    /// The payloads of these bodies. Three at once take half the time of three in turn.
    pub(crate) fn of<const N: usize>(bodies: [Vec<u8>; N]) -> [Self; N] {
        let mut digests = side_by_side::md5(bodies.each_ref().map(Vec::as_slice)).into_iter();
        bodies.map(|body| {
            let (digest, mut text) = (digests.next().expect("each body has one"), [0; 24]);
            let md5 = Base64::encode(&digest, &mut text).expect("16 bytes are 24 characters");
            let md5 = HeaderValue::from_str(md5).expect("base64 is ASCII");
            Self { body: Bytes::from(body), md5 }
        })
    }

    /// The unsigned request.
    pub(crate) fn into_request(self, kind: Kind, target: &Target) -> Request<Bytes> {
        let mut request = Request::new(self.body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = kind.uri(target);
        let headers = request.headers_mut();
        headers.reserve(8); // Includes the headers of the signature, to allocate once.
        // In the order of the signature, which sorts them.
        headers.insert(CONTENT_MD5, self.md5);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("oss-delete-vectors/", env!("CARGO_PKG_VERSION"))),
        );
        request
    }
}

/// The unsigned request with this JSON body.
pub(crate) fn build(kind: Kind, target: &Target, body: Vec<u8>) -> Request<Bytes> {
    let [payload] = Payload::of([body]);
    payload.into_request(kind, target)
}

/// The members of a body that begins with the index name of `target`.
pub(crate) fn members(target: &Target) -> Map<String, Value> {
    let index_name = target.index_name().map(|name| ("indexName".to_owned(), name.into()));
    index_name.into_iter().collect()
}

/// Appends a JSON string.
pub(crate) fn write_string(json: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(json, text).expect("a string is JSON");
}

/// The body of a request, as the service reads it: a JSON object. Unknown members are ignored.
pub(crate) struct Body(Map<String, Value>);

/// Checks, in the order of the service, that `request` is a call of this operation, that its digest
/// is that of the body, and that the body is a JSON object.
pub(crate) fn read_body<B: AsRef<[u8]>>(
    kind: Kind,
    request: &Request<B>,
) -> Result<Body, RequestError> {
    if !kind.is_call(request) {
        return Err(RequestError::OtherOperation { expected: kind.sub_resource() });
    }
    let body = request.body().as_ref();
    for digest in request.headers().get_all(CONTENT_MD5) {
        let mut md5 = [0; 16];
        let decoded =
            digest.to_str().ok().and_then(|text| Base64::decode(text.trim(), &mut md5).ok());
        if decoded != Some(Md5::digest(body).as_ref()) {
            return Err(RequestError::InvalidDigest);
        }
    }
    let json = serde_json::from_slice(body)
        .map_err(|error| RequestError::MalformedJson(error.to_string()))?;
    match json {
        Value::Object(members) => Ok(Body(members)),
        _ => Err(RequestError::MalformedJson("must be an object".to_owned())),
    }
}

impl Body {
    /// The index of `target`'s bucket that the request names.
    pub(crate) fn target(&self, target: &Target) -> Result<Target, RequestError> {
        let index_name = self.text("indexName")?;
        target.with_index_name(index_name).map_err(RequestError::InvalidParameter)
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, RequestError> {
        self.typed(name, "must be a string", Value::as_str)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, RequestError> {
        Ok(self.typed(name, "must be true or false", Value::as_bool)?.unwrap_or_default())
    }

    /// A whole number. One above `i64::MAX` becomes `i64::MAX`, which is too large for any parameter
    /// as well.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, RequestError> {
        let whole = |value: &Value| {
            value
                .as_i64()
                .or_else(|| value.as_u64().map(|number| number.try_into().unwrap_or(i64::MAX)))
        };
        self.typed(name, "must be a whole number", whole)
    }

    /// An array; empty if it is missing.
    pub(crate) fn array(&self, name: &str) -> Result<&[Value], RequestError> {
        let array = self.typed(name, "must be an array", Value::as_array)?;
        Ok(array.map(Vec::as_slice).unwrap_or_default())
    }

    /// A member of any type.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn typed<'a, T>(
        &'a self,
        name: &str,
        rule: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, RequestError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let read = read(value);
        read.map(Some).ok_or_else(|| RequestError::MalformedJson(format!("{name} {rule}")))
    }
}

/// The strings of the member `keys`.
pub(crate) fn keys(body: &Body) -> Result<Vec<&str>, RequestError> {
    let keys = body.array("keys")?.iter().map(Value::as_str).collect::<Option<_>>();
    keys.ok_or_else(|| RequestError::MalformedJson("keys must be strings".to_owned()))
}

/// Why a request is not a valid call. The service checks in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The method or the sub-resource is another one.
    #[non_exhaustive]
    OtherOperation {
        /// The sub-resource of the operation, such as `deleteVectors`.
        expected: &'static str,
    },
    /// `Content-MD5` does not match the body.
    InvalidDigest,
    /// The body is not JSON, or a member has the wrong type; with the reason.
    MalformedJson(String),
    /// A parameter breaks a rule.
    InvalidParameter(InvalidValue),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherOperation { expected } => write!(f, "the request is not POST ?{expected}"),
            Self::InvalidDigest => f.write_str("content-md5 does not match the body"),
            Self::MalformedJson(reason) => write!(f, "malformed body: {reason}"),
            Self::InvalidParameter(invalid) => invalid.fmt(f),
        }
    }
}

/// Has no source, because its text includes that of `InvalidParameter`.
impl std::error::Error for RequestError {}

/// The response of the service to such a request.
impl From<RequestError> for ServiceError {
    fn from(error: RequestError) -> Self {
        let (status, code) = match &error {
            RequestError::OtherOperation { .. } => {
                (StatusCode::METHOD_NOT_ALLOWED, code::METHOD_NOT_ALLOWED)
            }
            RequestError::InvalidDigest => (StatusCode::BAD_REQUEST, code::INVALID_DIGEST),
            RequestError::MalformedJson(_) => (StatusCode::BAD_REQUEST, code::MALFORMED_JSON),
            RequestError::InvalidParameter(_) => {
                (StatusCode::BAD_REQUEST, code::VECTOR_INDEX_PARAMETER_INVALID)
            }
        };
        Self::new(status, code, error.to_string())
    }
}
