//! `GetVectors`: requests and responses, built and parsed.
//!
//! Reference: *GetVectors* of Alibaba Cloud OSS vector buckets.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use crate::list_vectors::{Return, vectors};
use crate::operation::sealed::Sealed;
use crate::operation::{self, Kind, Operation, Secrets, document, read_body, write_document};
use crate::{InvalidValue, Key, KeyBatch, RequestError, ServiceError, Target, Vector};

/// One `GetVectors` call: the vectors with these keys. The response has only keys with a vector.
///
/// ```
/// use oss_delete_vectors::{GetVectors, KeyBatch, Target};
///
/// let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
///     .bucket("examplebucket").index_name("vectorindex1").build()?;
/// let call = GetVectors::new(&target, KeyBatch::new(["doc-001", "doc-002"])?)?;
/// let request = call.to_request();
/// assert_eq!(request.body(), r#"{"indexName":"vectorindex1","keys":["doc-001","doc-002"]}"#);
/// assert_eq!(GetVectors::parse_request(&target, &request)?, call);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GetVectors {
    target: Target,
    keys: KeyBatch,
    pub(crate) returns: Return,
}

impl GetVectors {
    /// The maximum number of keys in a request.
    pub const MAX_KEYS: usize = 100;

    /// A call that looks up `keys` in the index of `target`, without data and metadata.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if there are more than 100 keys.
    pub fn new(target: &Target, keys: KeyBatch) -> Result<Self, InvalidValue> {
        if keys.len() > Self::MAX_KEYS {
            let rule = "must be 1 to 100 unique keys, got more";
            return Err(InvalidValue::without_value("keys", rule));
        }
        Ok(Self { target: target.clone(), keys, returns: Return::default() })
    }

    /// Requests the data of each vector.
    #[must_use]
    pub fn return_data(mut self) -> Self {
        self.returns.data = true;
        self
    }

    /// Requests the metadata of each vector.
    #[must_use]
    pub fn return_metadata(mut self) -> Self {
        self.returns.metadata = true;
        self
    }

    /// The index to look in.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The keys to look up.
    #[must_use]
    pub fn keys(&self) -> &KeyBatch {
        &self.keys
    }

    /// The unsigned request: `POST` with `content-type`, `content-md5`, `user-agent` and the JSON
    /// body.
    #[must_use]
    pub fn to_request(&self) -> Request<Bytes> {
        let mut body = operation::members(&self.target);
        body.insert("keys".to_owned(), self.keys.iter().map(Key::as_str).collect());
        self.returns.write(&mut body);
        operation::build(Kind::GetVectors, &self.target, Value::Object(body).to_string().into())
    }

    /// Parses a request to the bucket of `target`, as the service does. Ignores the host, the path,
    /// the authorization, and unknown members.
    ///
    /// # Errors
    ///
    /// [`RequestError`]. Its variants are checked in the order of their declaration.
    pub fn parse_request<B: AsRef<[u8]>>(
        target: &Target,
        request: &Request<B>,
    ) -> Result<Self, RequestError> {
        let body = read_body(Kind::GetVectors, request)?;
        let keys = operation::keys(&body)?;
        let returns = Return::of(&body)?;
        let target = body.target(target)?;
        let keys = KeyBatch::new(keys).map_err(RequestError::InvalidParameter)?;
        let call = Self::new(&target, keys).map_err(RequestError::InvalidParameter)?;
        Ok(Self { returns, ..call })
    }
}

impl Sealed for GetVectors {
    const KIND: Kind = Kind::GetVectors;

    type Success = Found;

    fn parse<B: AsRef<[u8]>>(
        response: &Response<B>,
        secrets: &Secrets<'_>,
    ) -> Result<Found, ServiceError> {
        document(Self::KIND, response, secrets, |head, mut members| {
            Ok(Found { vectors: vectors(&mut members)?, request_id: head.request_id })
        })
    }
}

impl Operation for GetVectors {
    type Output = Found;

    fn to_request(&self) -> Request<Bytes> {
        Self::to_request(self)
    }
}

/// The vectors that exist. The response is a 2xx with `x-oss-request-id` and a JSON object that is
/// not an error.
///
/// ```
/// use oss_delete_vectors::{Found, GetVectors, Operation, Vector};
///
/// let found = Found::new("534B371674A4D890XXXX", vec![Vector::new("doc-001")?]);
/// assert_eq!(GetVectors::parse_response(&found.to_response())?, found);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    vectors: Vec<Vector>,
    request_id: Option<String>,
}

impl Found {
    /// The response of the service to the request with this id.
    #[must_use]
    pub fn new(request_id: impl Into<String>, vectors: Vec<Vector>) -> Self {
        Self { vectors, request_id: Some(request_id.into()) }
    }

    /// The vectors, in the order of the service.
    #[must_use]
    pub fn vectors(&self) -> &[Vector] {
        &self.vectors
    }

    /// The vectors, by value.
    #[must_use]
    pub fn into_vectors(self) -> Vec<Vector> {
        self.vectors
    }

    /// The request id of the service, for its support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The response of the service: `200` with JSON.
    #[must_use]
    pub fn to_response(&self) -> Response<Bytes> {
        let vectors: Value = self.vectors.iter().map(Vector::to_json).collect();
        write_document(&json!({ "vectors": vectors }), self.request_id.as_deref())
    }
}
