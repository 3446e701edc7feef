use bytes::Bytes;
use http::Request;

use super::Deleted;
use crate::operation::{self, Kind, Operation, read_body, write_string};
use crate::{KeyBatch, RequestError, Target};

/// One `DeleteVectors` call: the keys, and the index to delete them from.
///
/// Deleting a missing key is not an error, and a deletion cannot be undone. After a 5xx some of the
/// keys may have been deleted; sending the whole batch again is safe.
///
/// ```
/// use oss_delete_vectors::{DeleteVectors, KeyBatch, Target};
///
/// let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
///     .bucket("examplebucket").index_name("vectorindex1").build()?;
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
    /// A call that deletes `keys` from the index of `target`. If `target` has no index name, the
    /// body has no `indexName`. The reference of the service does not say what that means.
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
        let body = to_json(self.target.index_name(), &self.keys);
        operation::build(Kind::DeleteVectors, &self.target, body)
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
        let body = read_body(Kind::DeleteVectors, request)?;
        let keys = operation::keys(&body)?;
        let target = body.target(target)?;
        Ok(Self { target, keys: KeyBatch::new(keys).map_err(RequestError::InvalidParameter)? })
    }
}

impl Operation for DeleteVectors {
    type Output = Deleted;

    fn to_request(&self) -> Request<Bytes> {
        Self::to_request(self)
    }
}

/// The JSON of a request that deletes `keys`.
pub(crate) fn to_json(index_name: Option<&str>, keys: &KeyBatch) -> Vec<u8> {
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
        // Most batches need no escapes, and this is much faster.
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

/// Whether `text` needs no escapes in JSON. Never returns early, so that it compiles to SIMD code.
fn is_plain(text: &str) -> bool {
    !text.bytes().fold(false, |is_escaped, byte| {
        is_escaped | (byte < b' ') | (byte == b'"') | (byte == b'\\')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_equals_what_serde_json_writes() {
        let characters = (0..=255).filter_map(char::from_u32).chain(['\u{2028}', '\u{fffd}', '👩']);
        // Each character twice: the second one must not take back what the first one means.
        for text in characters.map(|character| format!("a{character}b{character}")) {
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
