use sha2::{Digest, Sha256};

use super::canonical_request::CanonicalRequest;
use super::encode::hex;
use super::{ALGORITHM, RequestDate};

/// The canonical request and the string to sign, in one buffer. Contains no signature, so that
/// [`verify`](super::verify) can show it to the sender of a request that does not match.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SignedText {
    text: Vec<u8>,
    /// The start of the string to sign.
    start: usize,
}

impl SignedText {
    #[inline] // Signing is 4 % slower without it.
    pub(super) fn new(request: &CanonicalRequest<'_>, date: &RequestDate, scope: &str) -> Self {
        let mut text = Vec::with_capacity(640);
        request.write(&mut text);
        let start = text.len();
        let hash = Sha256::digest(&text).into();
        write(date, scope, &hash, &mut text);
        Self { text, start }
    }

    pub(super) fn canonical_request(&self) -> &[u8] {
        &self.text[..self.start]
    }

    pub(super) fn string_to_sign(&self) -> &[u8] {
        &self.text[self.start..]
    }

    pub(super) fn string_to_sign_text(&self) -> &str {
        str::from_utf8(self.string_to_sign()).expect("every part is text")
    }
}

/// The scope of a signature. For vector buckets the product is `oss`, although their host contains
/// `oss-vectors`.
pub(super) fn scope(date: &RequestDate, region: &str) -> String {
    format!("{}/{region}/oss/aliyun_v4_request", date.day())
}

/// Appends the string to sign: algorithm, date, scope and the hash of the canonical request, joined
/// by line feeds.
fn write(date: &RequestDate, scope: &str, canonical_request: &[u8; 32], out: &mut Vec<u8>) {
    out.extend_from_slice(ALGORITHM.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(date.iso8601().as_bytes());
    out.push(b'\n');
    out.extend_from_slice(scope.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(&hex(canonical_request));
}
