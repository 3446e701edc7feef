use sha2::{Digest, Sha256};

use super::encode::hex;
use super::{ALGORITHM, RequestDate};

/// The product and the terminator that close every scope. Vector buckets sign as `oss`, whatever their host says.
pub(super) const SCOPE_END: [&str; 2] = ["oss", "aliyun_v4_request"];

/// Appends the scope of a signature: `{yyyymmdd}/{region}/oss/aliyun_v4_request`.
pub(super) fn write_scope(date: &RequestDate, region: &str, out: &mut Vec<u8>) {
    for (position, part) in [date.day(), region].into_iter().chain(SCOPE_END).enumerate() {
        if position > 0 {
            out.push(b'/');
        }
        out.extend_from_slice(part.as_bytes());
    }
}

/// Appends the string to sign: algorithm, date, scope and the hash of the canonical request, joined by line feeds.
pub(super) fn write(date: &RequestDate, region: &str, canonical_request: &[u8; 32], out: &mut Vec<u8>) {
    out.extend_from_slice(ALGORITHM.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(date.iso8601().as_bytes());
    out.push(b'\n');
    write_scope(date, region, out);
    out.push(b'\n');
    out.extend_from_slice(&hex(canonical_request));
}

/// The hash that stands for a canonical request.
pub(super) fn hash(canonical_request: &[u8]) -> [u8; 32] {
    Sha256::digest(canonical_request).into()
}
