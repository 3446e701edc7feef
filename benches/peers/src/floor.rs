//! The floor: the least work that produces the same bytes as the crate, hand-written for this call.
//!
//! Writes JSON without a library and headers in the order of the signature, keeps the canonical
//! request on the stack, and derives the key once. It does no checks and no escaping, and cannot
//! sign other headers.

use std::io::Write;
use std::time::SystemTime;

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Request, Uri};
use httpdate::HttpDate;
use md5::{Digest, Md5};
use oss_delete_vectors::Target;
use sha2::Sha256;

use crate::fixture::{ACCESS_KEY_ID, ACCESS_KEY_SECRET};

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const OSS_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-oss-content-sha256");
const OSS_DATE: HeaderName = HeaderName::from_static("x-oss-date");
const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

pub struct Floor {
    uri: Uri,
    json_head: String,
    user_agent: HeaderValue,
    /// The canonical request up to the value of the first header.
    canonical_head: String,
    /// `{yyyymmdd}/{region}/oss/aliyun_v4_request`
    scope: String,
    key: Hmac<Sha256>,
}

impl Floor {
    /// For requests on the day of `time`.
    #[must_use]
    pub fn new(target: &Target, user_agent: HeaderValue, time: SystemTime) -> Self {
        let (region, account_id, bucket) = (target.region(), target.account_id(), target.bucket());
        let date = Date::new(time);
        let day = str::from_utf8(&date.iso8601[..8]).unwrap();
        let keyed = |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).unwrap();
        let secret = keyed(format!("aliyun_v4{ACCESS_KEY_SECRET}").as_bytes());
        let key = [day, region, "oss", "aliyun_v4_request"].iter().fold(secret, |mut mac, step| {
            mac.update(step.as_bytes());
            keyed(&mac.finalize().into_bytes())
        });
        Self {
            uri: target.uri().clone(),
            json_head: format!("{{\"indexName\":\"{}\",\"keys\":[", target.index_name().unwrap()),
            user_agent,
            canonical_head: format!(
                "POST\n/acs%3Aossvector%3A{region}%3A{account_id}%3A{bucket}/\ndeleteVectors\ncontent-md5:"
            ),
            scope: format!("{day}/{region}/oss/aliyun_v4_request"),
            key,
        }
    }

    /// Builds and signs.
    #[must_use]
    pub fn request<K: AsRef<str>>(&self, keys: &[K], time: SystemTime) -> Request<Bytes> {
        let body = self.body(keys);
        let mut md5 = [0; 24];
        let md5 = Base64::encode(&Md5::digest(&body), &mut md5).unwrap();
        let mut headers = HeaderMap::with_capacity(7);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_MD5, HeaderValue::from_str(md5).unwrap());
        headers.insert(USER_AGENT, self.user_agent.clone());
        self.sign_headers(&mut headers, time);
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers;
        request
    }

    /// Signs a request that is already built.
    pub fn sign(&self, request: &mut Request<Bytes>, time: SystemTime) {
        self.sign_headers(request.headers_mut(), time);
    }

    fn body<K: AsRef<str>>(&self, keys: &[K]) -> Vec<u8> {
        let text: usize = keys.iter().map(|key| key.as_ref().len() + 3).sum();
        let mut json = Vec::with_capacity(self.json_head.len() + text + 1);
        json.extend_from_slice(self.json_head.as_bytes());
        for (position, key) in keys.iter().enumerate() {
            json.extend_from_slice(if position == 0 { b"\"" } else { b",\"" });
            json.extend_from_slice(key.as_ref().as_bytes());
            json.push(b'"');
        }
        json.extend_from_slice(b"]}");
        json
    }

    fn sign_headers(&self, headers: &mut HeaderMap, time: SystemTime) {
        let date = Date::new(time);
        let mut text = [0; 512];
        let canonical = written(&mut text, |out| {
            out.write_all(self.canonical_head.as_bytes())?;
            out.write_all(headers[CONTENT_MD5].as_bytes())?;
            out.write_all(b"\ncontent-type:application/json\nx-oss-content-sha256:UNSIGNED-PAYLOAD\nx-oss-date:")?;
            out.write_all(&date.iso8601)?;
            out.write_all(b"\n\n\nUNSIGNED-PAYLOAD")
        });
        let hash = hex(&Sha256::digest(canonical).into());
        let mut mac = self.key.clone();
        let string_to_sign = written(&mut text, |out| {
            out.write_all(b"OSS4-HMAC-SHA256\n")?;
            out.write_all(&date.iso8601)?;
            out.write_all(b"\n")?;
            out.write_all(self.scope.as_bytes())?;
            out.write_all(b"\n")?;
            out.write_all(&hash)
        });
        mac.update(string_to_sign);
        let signature = hex(&mac.finalize().into_bytes().into());
        let authorization = written(&mut text, |out| {
            out.write_all(b"OSS4-HMAC-SHA256 Credential=")?;
            out.write_all(ACCESS_KEY_ID.as_bytes())?;
            out.write_all(b"/")?;
            out.write_all(self.scope.as_bytes())?;
            out.write_all(b",Signature=")?;
            out.write_all(&signature)
        });
        headers.insert(DATE, HeaderValue::from_bytes(&date.rfc1123).unwrap());
        headers.insert(OSS_DATE, HeaderValue::from_bytes(&date.iso8601).unwrap());
        headers.insert(OSS_CONTENT_SHA256, HeaderValue::from_static("UNSIGNED-PAYLOAD"));
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(authorization).unwrap());
    }
}

/// The part of `buffer` that `write` fills.
fn written(
    buffer: &mut [u8; 512],
    write: impl FnOnce(&mut &mut [u8]) -> std::io::Result<()>,
) -> &[u8] {
    let mut rest = &mut buffer[..];
    write(&mut rest).unwrap();
    let length = 512 - rest.len();
    &buffer[..length]
}

struct Date {
    /// `Sat, 16 Dec 2023 16:20:57 GMT`
    rfc1123: [u8; 29],
    /// `20231216T162057Z`
    iso8601: [u8; 16],
}

impl Date {
    fn new(time: SystemTime) -> Self {
        let mut rfc1123 = [0; 29];
        write!(&mut rfc1123[..], "{}", HttpDate::from(time)).unwrap();
        let month = MONTHS.chunks(3).position(|name| name == &rfc1123[8..11]).unwrap() as u8 + 1;
        let mut iso8601 = *b"00000000T000000Z";
        iso8601[..4].copy_from_slice(&rfc1123[12..16]);
        iso8601[4..6].copy_from_slice(&[b'0' + month / 10, b'0' + month % 10]);
        iso8601[6..8].copy_from_slice(&rfc1123[5..7]);
        iso8601[9..11].copy_from_slice(&rfc1123[17..19]);
        iso8601[11..13].copy_from_slice(&rfc1123[20..22]);
        iso8601[13..15].copy_from_slice(&rfc1123[23..25]);
        Self { rfc1123, iso8601 }
    }
}

fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = [0; 64];
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    out
}
