//! Forged, modified and replayed requests, and requests that are signed for another resource.

use std::time::{Duration, SystemTime};

use oss_delete_vectors::Credentials;
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::transports::ServerOptions;

use super::service::{Service, call, signed, target, text};
use crate::calls::{ACCESS_KEY_ID, credentials};
use crate::canary::{SECRET, WRONG_SECRET};

/// A change to a valid request, and a part of the expected response.
type Trick = (&'static str, fn(String) -> String, &'static str);

const TRICKS: &[Trick] = &[
    ("signature of another digit", |request| flip(&request, "Signature="), "SignatureDoesNotMatch"),
    (
        "signature that is too short",
        |request| request.replace(",Signature=", ",Signature=0\r\nx: "),
        "AccessDenied",
    ),
    ("no signature", |request| without(&request, "authorization"), "AccessDenied"),
    ("no date", |request| without(&request, "x-oss-date"), "AccessDenied"),
    ("no digest", |request| without(&request, "content-md5"), "SignatureDoesNotMatch"),
    (
        "another id",
        |request| request.replace(ACCESS_KEY_ID, "LTAI5tConformanceKey0002"),
        "InvalidAccessKeyId",
    ),
    (
        "another region",
        |request| request.replace("/cn-hangzhou/", "/cn-beijing/"),
        "SignatureDoesNotMatch",
    ),
    ("another method", |request| request.replacen("POST", "PUT", 1), "MethodNotAllowed"),
    (
        "another bucket in the host",
        |request| host(&request, "otherbucket-1234567890123456.test"),
        "SignatureDoesNotMatch",
    ),
    ("another body", |request| request.replace(r#"["a"]"#, r#"["b"]"#), "InvalidDigest"),
    ("doubled authorization", |request| with_line_twice(&request, "authorization"), "AccessDenied"),
    ("doubled date", |request| with_line_twice(&request, "x-oss-date"), "AccessDenied"),
    ("doubled digest", |request| with_line_twice(&request, "content-md5"), "AccessDenied"),
    ("doubled content type", |request| with_line_twice(&request, "content-type"), "AccessDenied"),
    (
        "a signed header with_line",
        |request| with_line(&request, "x-oss-meta-a: b"),
        "SignatureDoesNotMatch",
    ),
    (
        "an unsigned header with_line",
        |request| with_line(&request, "user-agent: x"),
        "HTTP/1.1 204 ",
    ),
];

/// One part of a valid request replaced by another.
const REPLACEMENTS: &[(&str, &str, &str, &str)] = &[
    ("another bucket in the path", "/examplebucket/", "/otherbucket/", "SignatureDoesNotMatch"),
    ("another parameter", "?deleteVectors", "?deleteVectors&a=b", "SignatureDoesNotMatch"),
    ("the call twice", "?deleteVectors", "?deleteVectors&deleteVectors", "SignatureDoesNotMatch"),
    ("the call as a value", "?deleteVectors", "?a=deleteVectors", "NotImplemented"),
    ("a path above", "/examplebucket/", "/otherbucket/../examplebucket/", "SignatureDoesNotMatch"),
    ("a path within", "/examplebucket/", "/examplebucket/%2e%2e/otherbucket/", "DoesNotMatch"),
    ("an encoded path", "/examplebucket/", "/%6ftherbucket/", "SignatureDoesNotMatch"),
    ("a doubled slash", "/examplebucket/", "//examplebucket/", "SignatureDoesNotMatch"),
    ("a line break in a value", "?deleteVectors", "?deleteVectors&a=%0d%0ab:c", "DoesNotMatch"),
    ("in absolute form", "/examplebucket/", "http://b.test/examplebucket/", "HTTP/1.1 204 "),
    (
        "another bucket in absolute form",
        "/examplebucket/",
        "http://b.test/otherbucket/",
        "DoesNotMatch",
    ),
];

#[test]
fn modified_requests_delete_nothing() {
    let mut service = Service::start(&ServerOptions::new());
    let request = text(&signed(call("examplebucket", &["a"])));
    let tricks =
        TRICKS.iter().map(|&(name, trick, expected)| (name, trick(request.clone()), expected));
    let replaced = REPLACEMENTS
        .iter()
        .map(|&(name, from, to, expected)| (name, request.replacen(from, to, 1), expected));
    for (name, tricky, expected) in tricks.chain(replaced) {
        assert_ne!(tricky, request, "{name}");
        let response = service.exchange(&tricky);
        let deletes = expected.starts_with("HTTP");
        assert!(
            if deletes { response.starts_with(expected) } else { response.contains(expected) },
            "{name}: {response}"
        );
        service.check(name, deletes.into());
    }
}

#[test]
fn signatures_expire() {
    let mut service = Service::start(&ServerOptions::new());
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let now = SystemTime::now();
    for (signed_at, expected) in [
        (now - minutes(16), "RequestTimeTooSkewed"),
        (now + minutes(16), "RequestTimeTooSkewed"),
        (SystemTime::UNIX_EPOCH, "RequestTimeTooSkewed"),
        (now - minutes(14), "HTTP/1.1 204 "),
    ] {
        let mut request = call("examplebucket", &["a"]);
        Signer::new(&target("examplebucket"), credentials()).sign(&mut request, signed_at);
        let request = text(&request);
        // A replay gets the same response: the service does not remember signatures.
        for _ in 0..2 {
            let response = service.exchange(&request);
            assert!(response.contains(expected), "{response}");
            service.check(expected, expected.starts_with("HTTP").into());
        }
    }
    for (signed_at, expected) in [
        (now - minutes(5), "AccessDenied"),
        (now + minutes(16), "AccessDenied"),
        (now, "HTTP/1.1 204 "),
    ] {
        let mut request = call("examplebucket", &["a"]);
        Signer::new(&target("examplebucket"), credentials())
            .presign(&mut request, signed_at, minutes(4))
            .unwrap();
        let response = service.exchange(text(&request));
        assert!(response.contains(expected), "{response}");
        service.check(expected, expected.starts_with("HTTP").into());
    }
}

#[test]
fn modified_presigned_requests_are_rejected() {
    let mut service = Service::start(&ServerOptions::new());
    let mut request = call("examplebucket", &["a"]);
    Signer::new(&target("examplebucket"), credentials())
        .presign(&mut request, SystemTime::now(), Duration::from_secs(600))
        .unwrap();
    let request = text(&request);
    let both = |request: &str| {
        let authorization = text(&signed(call("examplebucket", &["a"])));
        let line = authorization
            .lines()
            .find(|line| line.starts_with("authorization"))
            .unwrap()
            .to_owned();
        with_line(request, &line)
    };
    for (name, tricky, expected) in [
        ("in the header as well", both(&request), "AccessDenied"),
        (
            "longer",
            request.replace("x-oss-expires=600", "x-oss-expires=86400"),
            "SignatureDoesNotMatch",
        ),
        (
            "for ever",
            request.replace("x-oss-expires=600", "x-oss-expires=99999999999999999999"),
            "AccessDenied",
        ),
        (
            "longer as well",
            request.replace("x-oss-expires=600", "x-oss-expires=600&x-oss-expires=86400"),
            "AccessDenied",
        ),
        (
            "signed twice",
            request.replacen("x-oss-signature=", "x-oss-signature=00&x-oss-signature=", 1),
            "AccessDenied",
        ),
        (
            "encoded name",
            request.replacen("x-oss-expires=600", "x-oss-expires=600&x%2Doss-expires=1", 1),
            "AccessDenied",
        ),
        ("another key", request.replace(r#"["a"]"#, r#"["b"]"#), "InvalidDigest"),
    ] {
        assert_ne!(tricky, request, "{name}");
        let response = service.exchange(&tricky);
        assert!(response.contains(expected), "{name}: {response}");
        service.check(name, 0);
    }
}

#[test]
fn wrong_secrets_are_rejected() {
    let mut service = Service::start(&ServerOptions::new());
    for (name, secret) in [
        ("another", WRONG_SECRET),
        ("a part", &SECRET[1..]),
        ("with_line", &format!("{SECRET}0")),
        ("a letter", "y"),
        ("the id", ACCESS_KEY_ID),
    ] {
        let others = Credentials::new(ACCESS_KEY_ID, secret).unwrap();
        let mut request = call("examplebucket", &["a", "b"]);
        Signer::new(&target("examplebucket"), others).sign(&mut request, SystemTime::now());
        let response = service.exchange(text(&request));
        assert!(response.contains("SignatureDoesNotMatch"), "{response}");
        service.check(name, 0);
    }
}

/// Changes the digit after `name`.
fn flip(request: &str, name: &str) -> String {
    let at = request.find(name).unwrap() + name.len();
    let digit = if request.as_bytes()[at] == b'0' { "1" } else { "0" };
    format!("{}{digit}{}", &request[..at], &request[at + 1..])
}

fn line<'a>(request: &'a str, name: &str) -> &'a str {
    request.split_inclusive("\r\n").find(|line| line.starts_with(&format!("{name}: "))).unwrap()
}

fn without(request: &str, name: &str) -> String {
    request.replacen(line(request, name), "", 1)
}

fn with_line_twice(request: &str, name: &str) -> String {
    let line = line(request, name);
    request.replacen(line, &line.repeat(2), 1)
}

fn with_line(request: &str, line: &str) -> String {
    request.replacen("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"), 1)
}

fn host(request: &str, host: &str) -> String {
    request.replacen("host: 127.0.0.1", &format!("host: {host}"), 1).replacen(
        "/examplebucket/",
        "/",
        1,
    )
}
