use sha2::{Digest, Sha256};

use super::encode::hex;
use super::{ALGORITHM, RequestDate};

/// The scope of a signature. Vector buckets sign for the product `oss`, whatever their host says.
pub(super) fn scope(date: &RequestDate, region: &str) -> String {
    format!("{}/{region}/oss/aliyun_v4_request", date.day())
}

/// Appends the string to sign: algorithm, date, scope and the hash of the canonical request, joined by line feeds.
pub(super) fn write(date: &RequestDate, scope: &str, canonical_request: &[u8; 32], out: &mut Vec<u8>) {
    out.extend_from_slice(ALGORITHM.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(date.iso8601().as_bytes());
    out.push(b'\n');
    out.extend_from_slice(scope.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(&hex(canonical_request));
}

/// The hash that stands for a canonical request.
pub(super) fn hash(canonical_request: &[u8]) -> [u8; 32] {
    Sha256::digest(canonical_request).into()
}
