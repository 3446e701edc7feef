//! Strategies for all values that the crate takes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use oss_delete_vectors::signing::{Authorization, Resource, Signer, VerifyError};
use oss_delete_vectors::{Credentials, Key, KeyBatch};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::canary::SECRET;

/// Any text of `length` characters.
pub(crate) fn text(length: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = String> {
    let character = prop_oneof![3 => any::<char>(), 1 => select(vec!['\0', '"', '\\', '/', '\u{7f}', '\u{2028}', 'é', '😀', ' '])];
    vec(character, length).prop_map(String::from_iter)
}

pub(crate) fn key() -> impl Strategy<Value = String> {
    prop_oneof![30 => text(1..=20), 1 => text(Key::MAX_CHARS..=Key::MAX_CHARS)]
}

pub(crate) fn keys(most: usize) -> impl Strategy<Value = KeyBatch> {
    vec(key(), 1..=most).prop_map(|keys| KeyBatch::new(keys).expect("valid keys, and not too many"))
}

fn credentials() -> impl Strategy<Value = Credentials> {
    let secret =
        text(0..=40).prop_map(|text| format!("s{}{SECRET}", text.replace(char::is_control, "")));
    let token = prop_oneof!["", "[!-~]([ -~]{0,60}[!-~])?"];
    ("[!-+\\--~]([ -+\\--~]{0,20}[!-+\\--~])?", secret, token).prop_map(|(id, secret, token)| {
        Credentials::new(id, secret)
            .and_then(|pair| pair.with_security_token(token))
            .expect("valid credentials")
    })
}

fn resource() -> impl Strategy<Value = Resource> {
    ("[!-+\\--.0-~]{1,20}", text(0..=10), text(0..=10)).prop_map(|(region, account_id, bucket)| {
        Resource::new(&region, &account_id, &bucket).expect("a region")
    })
}

/// Any second that a date can have.
pub(crate) fn time() -> impl Strategy<Value = SystemTime> {
    (0..253_402_300_800_u64).prop_map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds))
}

fn headers() -> impl Strategy<Value = HeaderMap> {
    let known = [
        "content-type",
        "content-md5",
        "date",
        "host",
        "user-agent",
        "x-oss-meta",
        "x-oss-additional-headers",
    ];
    let stale = ["authorization", "x-oss-date", "x-oss-content-sha256", "x-oss-security-token"];
    let known = known.into_iter().chain(stale).map(str::to_owned).collect::<Vec<_>>();
    let name = prop_oneof![select(known), "(x-oss-)?[a-z0-9!#$%&'*+.^_`|~-]{1,10}"];
    let value = prop_oneof![
        "[ -~\t]{0,20}".prop_map(String::into_bytes),
        vec(prop_oneof![32..=126_u8, 128..=255_u8], 0..20)
    ];
    vec((name, value), 0..8).prop_map(|headers| {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            // One value per header: others cannot be signed.
            map.insert(
                HeaderName::try_from(name).expect("a name"),
                HeaderValue::from_bytes(&value).expect("a value"),
            );
        }
        map
    })
}

/// Parts of a query, with valid and invalid escapes. Some belong to a signature.
pub(crate) fn query_piece() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        "[a-zA-Z0-9._~%+/-]{0,6}",
        "(%[0-9a-fA-F]{2}){1,3}",
        "x(-|%2d)oss-(date|signature|expires|other)"
    ];
    (name, prop_oneof!["", "=[a-zA-Z0-9._~%+=/?:@!$'()*,;-]{0,8}", "=(%[0-9a-fA-F]{2}){1,4}"])
        .prop_map(|(name, value)| name + &value)
}

fn uri() -> impl Strategy<Value = Uri> {
    (
        "(https?://[a-z]{1,9}(\\.[a-z]{1,3})?(:[1-9][0-9]{0,3})?)?",
        "/[a-z0-9._~%/-]{0,12}",
        vec(query_piece(), 0..6),
    )
        .prop_map(|(authority, path, pieces)| {
            let query =
                if pieces.is_empty() { String::new() } else { format!("?{}", pieces.join("&")) };
            format!("{authority}{path}{query}").parse().expect("a URI")
        })
}

pub(crate) fn request() -> impl Strategy<Value = Request<Bytes>> {
    (select(vec![Method::POST, Method::GET, Method::PUT, Method::DELETE]), uri(), headers())
        .prop_map(|(method, uri, headers)| {
            let mut request = Request::new(Bytes::new());
            (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) =
                (method, uri, headers);
            request
        })
}

/// Everything that a signature depends on. `expires` selects the query form.
#[derive(Debug, Clone)]
pub(crate) struct Signing {
    pub(crate) request: Request<Bytes>,
    pub(crate) resource: Resource,
    pub(crate) credentials: Credentials,
    pub(crate) time: SystemTime,
    pub(crate) expires: Option<Duration>,
    pub(crate) additional: Vec<HeaderName>,
}

pub(crate) fn signing() -> impl Strategy<Value = Signing> {
    let additional = vec(any::<prop::sample::Index>(), 0..4);
    let expires = prop::option::of(any::<u64>().prop_map(Duration::from_secs));
    (request(), resource(), credentials(), time(), expires, additional).prop_map(
        |(request, resource, credentials, time, expires, additional)| {
            let names: Vec<HeaderName> = request
                .headers()
                .keys()
                .cloned()
                .chain([HeaderName::from_static("absent")])
                .collect();
            let additional = additional.iter().map(|index| index.get(&names).clone()).collect();
            Signing { request, resource, credentials, time, expires, additional }
        },
    )
}

impl Signing {
    pub(crate) fn signer(&self) -> Signer {
        Signer::new(self.resource.clone(), self.credentials.clone())
            .with_additional_headers(self.additional.clone())
    }

    /// Signs `request`, and returns the canonical request.
    pub(crate) fn sign(&self, request: &mut Request<Bytes>) -> Vec<u8> {
        let signer = self.signer();
        let signature = match self.expires {
            None => signer.sign(request, self.time),
            Some(expires) => signer
                .presign(request, self.time, expires)
                .expect("a URI with a path, and not too long"),
        };
        signature.canonical_request().to_vec()
    }

    pub(crate) fn signed(&self) -> Request<Bytes> {
        let mut request = self.request.clone();
        self.sign(&mut request);
        request
    }

    pub(crate) fn verify(&self, request: &Request<Bytes>) -> Result<(), VerifyError> {
        Authorization::parse(request)?.verify(request, &self.resource, &self.credentials)
    }
}
