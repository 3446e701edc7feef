//! `--dry-run`: a signed request as a line of JSON.

use bytes::Bytes;
use http::Request;
use serde_json::{Map, Value};

/// `{"method":..,"url":..,"headers":{..},"body":..}`: by hand, for people read it from the left, and the body can be long.
pub(crate) fn to_json(request: &Request<Bytes>) -> String {
    let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes));
    let headers: Map<String, Value> =
        request.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect();
    format!(
        r#"{{"method":{},"url":{},"headers":{},"body":{}}}"#,
        Value::from(request.method().as_str()),
        Value::from(request.uri().to_string()),
        Value::Object(headers),
        text(request.body()),
    )
}
