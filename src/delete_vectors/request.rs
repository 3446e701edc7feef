use std::fmt;

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode};
use md5::{Digest, Md5};
use serde_json::Value;

use super::{ServiceError, code};
use crate::{InvalidValue, KeyBatch, Target};

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const SUB_RESOURCE: &str = "deleteVectors";

/// One `DeleteVectors` call: the keys, and the index to delete them from.
///
/// Deleting a missing key is not an error, and a deletion cannot be undone. After a 5xx some of the
/// keys may have been deleted; sending the whole batch again is safe.
///
/// ```
/// use oss_delete_vectors::{DeleteVectors, KeyBatch, Target};
///
/// let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket")
///     .index_name("vectorindex1")
///     .build()?;
/// let call = DeleteVectors::new(&target, KeyBatch::new(["doc-001", "doc-002"])?);
/// let request = call.to_request();
/// assert_eq!(request.body(), r#"{"indexName":"vectorindex1","keys":["doc-001","doc-002"]}"#);
/// assert_eq!(DeleteVectors::parse_request(&target, &request)?, call);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeleteVectors {
    target: Target,
    keys: KeyBatch,
}

impl DeleteVectors {
    /// A call that deletes `keys` from the index of `target`.
    #[must_use]
    pub fn new(target: &Target, keys: KeyBatch) -> Self {
        Self { target: target.clone(), keys }
    }

    /// The index to delete from.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The keys to delete.
    #[must_use]
    pub fn keys(&self) -> &KeyBatch {
        &self.keys
    }

    /// The unsigned request: `POST {uri}` with `content-type`, `content-md5`, `user-agent` and the
    /// JSON body.
    ///
    /// `Content-MD5` ties the keys to the signature, which does not cover the payload. A clone of
    /// the request shares its body. To send a request again, sign a clone again.
    #[must_use]
    pub fn to_request(&self) -> Request<Bytes> {
        build(&self.target, &self.keys)
    }

    /// Parses a request to the bucket of `target`, as the service does. The index comes from the
    /// request.
    ///
    /// Ignores the host, the path and the authorization; see
    /// [`Authorization`](crate::signing::Authorization). Duplicate keys count once, because the
    /// reference limits the number of unique keys. Unknown members are ignored; the service may
    /// reject them.
    ///
    /// # Errors
    ///
    /// [`RequestError`]. Its variants are checked in the order of their declaration.
    pub fn parse_request<B: AsRef<[u8]>>(
        target: &Target,
        request: &Request<B>,
    ) -> Result<Self, RequestError> {
        if !Self::is_call(request) {
            return Err(RequestError::NotDeleteVectors);
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
        let Value::Object(members) = json else {
            return Err(RequestError::MalformedJson("must be an object".to_owned()));
        };
        let index_name = match members.get("indexName") {
            None | Some(Value::Null) => None,
            Some(Value::String(index_name)) => Some(index_name.as_str()),
            Some(_) => {
                return Err(RequestError::MalformedJson("indexName must be a string".to_owned()));
            }
        };
        let keys = match members.get("keys") {
            None | Some(Value::Null) => &[],
            Some(Value::Array(keys)) => keys.as_slice(),
            Some(_) => return Err(RequestError::MalformedJson("keys must be an array".to_owned())),
        };
        let Some(keys) = keys.iter().map(Value::as_str).collect::<Option<Vec<_>>>() else {
            return Err(RequestError::MalformedJson("keys must be strings".to_owned()));
        };
        let target = target.with_index_name(index_name).map_err(RequestError::InvalidParameter)?;
        Ok(Self { target, keys: KeyBatch::new(keys).map_err(RequestError::InvalidParameter)? })
    }

    /// Whether `request` is a `DeleteVectors` call: `POST ...?deleteVectors`, with or without `=`.
    #[must_use]
    pub fn is_call<B>(request: &Request<B>) -> bool {
        let query = request.uri().query().unwrap_or_default();
        let is_sub_resource = |part: &str| {
            part.strip_prefix(SUB_RESOURCE).is_some_and(|rest| matches!(rest, "" | "="))
        };
        request.method() == Method::POST && query.split('&').any(is_sub_resource)
    }
}

/// The unsigned request that deletes `keys` from the index of `target`.
pub(crate) fn build(target: &Target, keys: &KeyBatch) -> Request<Bytes> {
    let body = to_json(target.index_name(), keys);
    let mut md5 = [0; 24];
    let md5 = Base64::encode(&Md5::digest(&body), &mut md5).expect("16 bytes are 24 characters");
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target.uri().clone();
    let headers = request.headers_mut();
    headers.reserve(8); // Includes the headers of the signature, to allocate once.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_MD5, HeaderValue::from_str(md5).expect("base64 is ASCII"));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("oss-delete-vectors/", env!("CARGO_PKG_VERSION"))),
    );
    request
}

fn to_json(index_name: Option<&str>, keys: &KeyBatch) -> Vec<u8> {
    // The exact size if nothing is escaped, so that `Bytes` reuses the allocation.
    let name_len = index_name.map_or(0, |index_name| r#""indexName":"","#.len() + index_name.len());
    let keys_len = keys.text().len() + r#""","#.len() * keys.len() - 1;
    let mut json = Vec::with_capacity(r#"{"keys":[]}"#.len() + name_len + keys_len);
    json.push(b'{');
    if let Some(index_name) = index_name {
        json.extend_from_slice(br#""indexName":"#);
        write_string(&mut json, index_name);
        json.push(b',');
    }
    json.extend_from_slice(br#""keys":["#);
    if is_plain(keys.text()) {
        // True for most batches, and much faster.
        for (position, key) in keys.bytes().enumerate() {
            json.extend_from_slice(if position == 0 { br#"""# } else { br#"",""# });
            json.extend_from_slice(key);
        }
        json.push(b'"');
    } else {
        for (position, key) in keys.iter().enumerate() {
            if position > 0 {
                json.push(b',');
            }
            write_string(&mut json, key.as_str());
        }
    }
    json.extend_from_slice(b"]}");
    json
}

fn write_string(json: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(json, text).expect("a string is JSON");
}

/// Whether `text` needs no escapes in JSON. Never returns early, so that it compiles to SIMD code.
fn is_plain(text: &str) -> bool {
    !text.bytes().fold(false, |is_escaped, byte| {
        is_escaped | (byte < b' ') | (byte == b'"') | (byte == b'\\')
    })
}

/// Why a request is not a valid `DeleteVectors` call. The service checks in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The method or the sub-resource is another one.
    NotDeleteVectors,
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
            Self::NotDeleteVectors => f.write_str("the request is not POST ?deleteVectors"),
            Self::InvalidDigest => f.write_str("content-md5 does not match the body"),
            Self::MalformedJson(reason) => write!(f, "malformed body: {reason}"),
            Self::InvalidParameter(invalid) => invalid.fmt(f),
        }
    }
}

/// Has no source: its own text includes the one of `InvalidParameter`.
impl std::error::Error for RequestError {}

/// The response of the service to such a request.
impl From<RequestError> for ServiceError {
    fn from(error: RequestError) -> Self {
        let (status, code) = match &error {
            RequestError::NotDeleteVectors => {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_equals_what_serde_json_writes() {
        let characters = (0..=255).filter_map(char::from_u32).chain(['\u{2028}', '\u{fffd}', '👩']);
        for text in characters.map(|character| format!("a{character}b")) {
            for keys in [&["plain", &text][..], &["plain"]] {
                let json = to_json(Some(&text), &KeyBatch::new(keys).unwrap());
                let text = serde_json::to_string(&text).unwrap();
                let keys = serde_json::to_string(keys).unwrap();
                assert_eq!(
                    String::from_utf8(json).unwrap(),
                    format!("{{\"indexName\":{text},\"keys\":{keys}}}")
                );
            }
        }
    }

    #[test]
    fn body_without_escapes_is_allocated_exactly() {
        for keys in [&["a"][..], &["a", "bc", "def"]] {
            for index_name in [None, Some("i")] {
                let json = to_json(index_name, &KeyBatch::new(keys).unwrap());
                assert_eq!(json.len(), json.capacity());
            }
        }
    }
}
