//! One call with fixed credentials and time, for tests to modify.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use http::Request;
use http::header::HeaderValue;
use md5::{Digest, Md5};
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::{Credentials, DeleteVectors, KeyBatch, Now, Target};

pub(crate) use super::canary::{SECRET, TOKEN};

pub(crate) const REGION: &str = "cn-hangzhou";
pub(crate) const ACCOUNT_ID: &str = "1234567890123456";
pub(crate) const BUCKET: &str = "examplebucket";
pub(crate) const INDEX: &str = "vectorindex1";
/// As in the conformance cases.
pub(crate) const ACCESS_KEY_ID: &str = "LTAI5tConformanceKey0001";

pub(crate) fn target() -> Target {
    Target::builder()
        .region(REGION)
        .account_id(ACCOUNT_ID)
        .bucket(BUCKET)
        .index_name(INDEX)
        .build()
        .unwrap()
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new(ACCESS_KEY_ID, SECRET).unwrap()
}

pub(crate) fn with_token() -> Credentials {
    credentials().with_security_token(TOKEN).unwrap()
}

/// From 1970 to [`time`].
pub(crate) const SINCE_1970: Duration = Duration::from_secs(1_702_743_657);

/// Sat, 16 Dec 2023 16:20:57 GMT, as in most conformance cases.
pub(crate) fn time() -> SystemTime {
    UNIX_EPOCH + SINCE_1970
}

/// A clock that started at [`time`], after `passed`.
pub(crate) fn now(passed: Duration) -> Now {
    Now::new(passed, time() + passed)
}

/// An unsigned call that deletes `keys`.
pub(crate) fn call(keys: &[&str]) -> Request<Bytes> {
    DeleteVectors::new(&target(), KeyBatch::new(keys).unwrap()).to_request()
}

/// A call with any body, and the digest of that body.
pub(crate) fn call_with_body(body: impl Into<Bytes>) -> Request<Bytes> {
    let mut request = call(&["any"]);
    *request.body_mut() = body.into();
    digest_anew(&mut request);
    request
}

/// Updates the digest to the current body.
pub(crate) fn digest_anew(request: &mut Request<Bytes>) {
    let digest = Base64::encode_string(&Md5::digest(request.body()));
    request.headers_mut().insert("content-md5", HeaderValue::try_from(digest).unwrap());
}

/// Signs `request` in the header, at [`time`].
pub(crate) fn signed(mut request: Request<Bytes>) -> Request<Bytes> {
    Signer::new(&target(), credentials()).sign(&mut request, time());
    request
}

/// Signs `request` in the query, at [`time`].
pub(crate) fn presigned(mut request: Request<Bytes>, expires: Duration) -> Request<Bytes> {
    Signer::new(&target(), credentials()).presign(&mut request, time(), expires).unwrap();
    request
}
