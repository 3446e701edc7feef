//! `PutVectors`: requests and responses, built and parsed. For tests that fill an index.
//!
//! Reference: *PutVectors* of Alibaba Cloud OSS vector buckets.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

use crate::operation::sealed::Sealed;
use crate::operation::{
    self, Kind, Operation, Secrets, confirmation, insert_request_id, read_body,
};
use crate::{InvalidValue, RequestError, ServiceError, Target, Vector};

/// One `PutVectors` call: vectors to put into an index. A vector replaces one with the same key.
///
/// ```
/// use oss_delete_vectors::{PutVectors, Target, Vector};
///
/// let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
///     .bucket("examplebucket").index_name("vectorindex1").build()?;
/// let call = PutVectors::new(&target, vec![Vector::new("doc-001")?.with_data([0.5])])?;
/// let request = call.to_request();
/// assert_eq!(
///     request.body(),
///     r#"{"indexName":"vectorindex1","vectors":[{"data":{"float32":[0.5]},"key":"doc-001"}]}"#,
/// );
/// assert_eq!(PutVectors::parse_request(&target, &request)?, call);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PutVectors {
    target: Target,
    vectors: Vec<Vector>,
}

impl PutVectors {
    /// The maximum number of vectors in a request.
    pub const MAX_VECTORS: usize = 500;

    /// A call that puts `vectors` into the index of `target`.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if there are no vectors, more than 500, or one without data.
    pub fn new(target: &Target, vectors: Vec<Vector>) -> Result<Self, InvalidValue> {
        if !(1..=Self::MAX_VECTORS).contains(&vectors.len()) {
            return Err(InvalidValue::new(
                "vectors",
                "must be 1 to 500",
                &vectors.len().to_string(),
            ));
        }
        if let Some(empty) =
            vectors.iter().find(|vector| vector.data().is_none_or(<[f32]>::is_empty))
        {
            return Err(InvalidValue::new(
                "data of each vector",
                "must hold a number",
                empty.key(),
            ));
        }
        Ok(Self { target: target.clone(), vectors })
    }

    /// The index to put them into.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The vectors to put.
    #[must_use]
    pub fn vectors(&self) -> &[Vector] {
        &self.vectors
    }

    /// The vectors to put, by value.
    #[must_use]
    pub fn into_vectors(self) -> Vec<Vector> {
        self.vectors
    }

    /// The unsigned request: `POST` with `content-type`, `content-md5`, `user-agent` and the JSON
    /// body.
    #[must_use]
    pub fn to_request(&self) -> Request<Bytes> {
        let mut body = operation::members(&self.target);
        body.insert("vectors".to_owned(), self.vectors.iter().map(Vector::to_json).collect());
        operation::build(Kind::PutVectors, &self.target, Value::Object(body).to_string().into())
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
        let body = read_body(Kind::PutVectors, request)?;
        let vectors = body.array("vectors")?.iter().cloned().map(Vector::from_json);
        let vectors = vectors.collect::<Result<_, _>>().map_err(RequestError::InvalidParameter)?;
        let target = body.target(target)?;
        Self::new(&target, vectors).map_err(RequestError::InvalidParameter)
    }
}

impl Sealed for PutVectors {
    const KIND: Kind = Kind::PutVectors;

    type Success = Stored;

    fn parse<B: AsRef<[u8]>>(
        response: &Response<B>,
        secrets: &Secrets<'_>,
    ) -> Result<Stored, ServiceError> {
        let head = confirmation(Self::KIND, response, secrets)?;
        Ok(Stored { request_id: head.request_id })
    }
}

impl Operation for PutVectors {
    type Output = Stored;

    fn to_request(&self) -> Request<Bytes> {
        Self::to_request(self)
    }
}

/// The response that confirms that the vectors are stored: a 2xx with `x-oss-request-id` and
/// without an error in its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    request_id: Option<String>,
}

impl Stored {
    /// The response of the service to the request with this id.
    #[must_use]
    pub fn new(request_id: impl Into<String>) -> Self {
        Self { request_id: Some(request_id.into()) }
    }

    /// The request id of the service, for its support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The response of the service: `200` without a body.
    #[must_use]
    pub fn to_response(&self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        insert_request_id(response.headers_mut(), self.request_id.as_deref());
        response
    }
}
