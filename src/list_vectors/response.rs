use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value};

use super::{ListVectors, Vector, vectors};
use crate::operation::sealed::Sealed;
use crate::operation::{Head, Kind, Secrets, document, member, write_document};
use crate::{InvalidValue, ServiceError};

/// A page of vectors. It may be empty although more pages follow. The response is a 2xx with
/// `x-oss-request-id` and a JSON object that is not an error.
///
/// ```
/// use oss_delete_vectors::{ListVectors, Listed, Operation, Vector};
///
/// let page = Listed::new("534B371674A4D890XXXX", vec![Vector::new("doc-001")?]).with_next_token("abc");
/// let page = ListVectors::parse_response(&page.to_response())?;
/// assert_eq!((page.vectors()[0].key(), page.next_token()), ("doc-001", Some("abc")));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    vectors: Vec<Vector>,
    next_token: Option<String>,
    request_id: Option<String>,
}

impl Listed {
    /// The last page, as the response to the request with this id.
    #[must_use]
    pub fn new(request_id: impl Into<String>, vectors: Vec<Vector>) -> Self {
        Self { vectors, next_token: None, request_id: Some(request_id.into()) }
    }

    /// Declares that another page follows. An empty token means that this is the last page.
    #[must_use]
    pub fn with_next_token(mut self, token: impl Into<String>) -> Self {
        self.next_token = Some(token.into()).filter(|token| !token.is_empty());
        self
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

    /// The token of the next page. `None` if this is the last one.
    #[must_use]
    pub fn next_token(&self) -> Option<&str> {
        self.next_token.as_deref()
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
        let mut document = Map::from_iter([("vectors".to_owned(), vectors)]);
        if let Some(token) = &self.next_token {
            document.insert("nextToken".to_owned(), token.as_str().into());
        }
        write_document(&Value::Object(document), self.request_id.as_deref())
    }
}

impl Sealed for ListVectors {
    const KIND: Kind = Kind::ListVectors;

    type Success = Listed;

    fn parse<B: AsRef<[u8]>>(
        response: &Response<B>,
        secrets: &Secrets<'_>,
    ) -> Result<Listed, ServiceError> {
        document(Self::KIND, response, secrets, |Head { request_id, .. }, mut members| {
            let next_token = match member(&members, "nextToken") {
                None | Some(Value::Null) => None,
                Some(Value::String(token)) => Some(token.clone()).filter(|token| !token.is_empty()),
                Some(_) => {
                    return Err(InvalidValue::without_value("nextToken", "must be a string"));
                }
            };
            Ok(Listed { vectors: vectors(&mut members)?, next_token, request_id })
        })
    }
}
