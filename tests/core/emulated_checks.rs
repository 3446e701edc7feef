//! The emulator makes its checks in the documented order. A call that fails one deletes nothing.

use std::time::Duration;

use crate::calls::{ACCESS_KEY_ID, ACCOUNT_ID, BUCKET, INDEX, REGION, SECRET, TOKEN};
use crate::calls::{
    call, call_with_body, credentials, digest_anew, signed, target, time, with_token,
};
use crate::canary::{WRONG_SECRET, WRONG_TOKEN};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, Request};
use oss_delete_vectors::emulator::{Emulator, Identity, RateLimit};
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::{
    Credentials, DeleteVectors, Deleted, Now, Operation, ServiceError, Target,
};

const KEYS: [&str; 2] = ["doc-001", "doc-002"];

fn send(emulator: &mut Emulator, request: &Request<Bytes>) -> Result<Deleted, ServiceError> {
    DeleteVectors::parse_response(&emulator.handle(Now::new(Duration::ZERO, time()), request))
}

/// Sends a call that must be rejected, and asserts that no vector is deleted.
#[track_caller]
fn rejected(emulator: &mut Emulator, request: &Request<Bytes>) -> ServiceError {
    let error = send(emulator, request).unwrap_err();
    assert_eq!(emulator.len(BUCKET, INDEX), Some(KEYS.len()), "{error}");
    assert_eq!(error.request_id(), Some(&*format!("{:024X}", emulator.requests())));
    assert_eq!(error.date(), Some(time()));
    error
}

/// Everything that can be wrong with a call, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    NotPost,
    Unsigned,
    OldDate,
    UnknownId,
    WrongSecret,
    WrongToken,
    ExpiredToken,
    DisabledUser,
    NoBucket,
    NotAllowed,
    WrongDigest,
    NoJson,
    NoKeys,
    NoIndex,
    TooFast,
}

use Fault::*;

const RESPONSES: [(Fault, u16, &str, &str); 15] = [
    (NotPost, 405, "MethodNotAllowed", "the request is not POST ?deleteVectors"),
    (Unsigned, 403, "AccessDenied", "the request carries no authorization"),
    (OldDate, 403, "RequestTimeTooSkewed", "the request's date is more than 15 minutes off"),
    (UnknownId, 403, "InvalidAccessKeyId", "the AccessKey id is unknown"),
    (WrongSecret, 403, "SignatureDoesNotMatch", "the signature does not match the request"),
    (
        WrongToken,
        403,
        "InvalidSecurityToken",
        "the security token does not belong to the AccessKey id",
    ),
    (ExpiredToken, 403, "SecurityTokenExpired", "the security token has expired"),
    (DisabledUser, 403, "UserDisable", "the user is disabled"),
    (
        NoBucket,
        404,
        "NoSuchBucket",
        "there is no bucket acs:ossvector:cn-hangzhou:1234567890123456:nosuchbucket",
    ),
    (
        NotAllowed,
        403,
        "AccessDenied",
        "oss:DeleteVectors is not allowed on acs:ossvector:cn-hangzhou:1234567890123456:examplebucket",
    ),
    (WrongDigest, 400, "InvalidDigest", "content-md5 does not match the body"),
    (NoJson, 400, "MalformedJson", "malformed body: EOF while parsing a list at line 1 column 1"),
    (NoKeys, 400, "VectorIndexParameterInvalid", r#"keys must be 1 to 500 unique keys, got none"#),
    (
        NoIndex,
        404,
        "NoSuchVectorIndex",
        "there is no index nosuchindex in acs:ossvector:cn-hangzhou:1234567890123456:examplebucket",
    ),
    (TooFast, 503, "QpsLimitExceeded", "too many requests per second"),
];

/// An emulator, and a call with all of these faults.
fn faulty(faults: &[Fault]) -> (Emulator, Request<Bytes>) {
    let has = |fault| faults.contains(&fault);
    let pick = |fault, wrong, right| if has(fault) { wrong } else { right };

    let mut emulator = Emulator::with_vectors(&target(), with_token(), KEYS).unwrap();
    if has(TooFast) {
        emulator.set_rate_limit(Some(RateLimit::new(0.0, 1).unwrap()));
        let mut only = call(&["not-there"]);
        Signer::new(&target(), with_token()).sign(&mut only, time());
        send(&mut emulator, &only).unwrap();
    }
    let known = if has(ExpiredToken) { with_token().with_expiration(time()) } else { with_token() };
    let identity = Identity::new(known);
    let identity = if has(DisabledUser) { identity.disabled() } else { identity };
    emulator.add_identity(if has(NotAllowed) {
        identity.allowed_on(["otherbucket"])
    } else {
        identity
    });

    let keys = pick(NoKeys, "[]", r#"["doc-001","doc-002"]"#);
    let whole =
        format!(r#"{{"indexName":"{}","keys":{keys}}}"#, pick(NoIndex, "nosuchindex", INDEX));
    let mut request = call_with_body(if has(NoJson) { "[".to_owned() } else { whole });
    let bucket = Target::builder()
        .region(REGION)
        .account_id(ACCOUNT_ID)
        .bucket(pick(NoBucket, "nosuchbucket", BUCKET))
        .build()
        .unwrap();
    *request.uri_mut() = bucket.uri().clone();
    if has(NotPost) {
        *request.method_mut() = Method::PUT;
    }
    if has(WrongDigest) {
        request
            .headers_mut()
            .insert("content-md5", HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAA=="));
    }
    let credentials = Credentials::new(
        pick(UnknownId, "LTAI5tNobody", ACCESS_KEY_ID),
        pick(WrongSecret, WRONG_SECRET, SECRET),
    )
    .and_then(|pair| pair.with_security_token(pick(WrongToken, WRONG_TOKEN, TOKEN)))
    .unwrap();
    let late = Duration::from_secs(if has(OldDate) { 15 * 60 + 1 } else { 0 });
    Signer::new(&bucket, credentials).sign(&mut request, time() - late);
    if has(Unsigned) {
        request.headers_mut().remove(AUTHORIZATION);
    }
    (emulator, request)
}

#[test]
fn valid_call_deletes() {
    let (mut emulator, request) = faulty(&[]);
    send(&mut emulator, &request).unwrap();
    assert_eq!(emulator.len(BUCKET, INDEX), Some(0));
}

#[test]
fn first_failed_check_decides_the_response() {
    for (first, &(fault, status, code, message)) in RESPONSES.iter().enumerate() {
        let mut following: Vec<Vec<Fault>> =
            RESPONSES[first..].iter().map(|(other, ..)| vec![*other, fault]).collect();
        following.push(RESPONSES[first..].iter().map(|(fault, ..)| *fault).collect());
        for faults in following {
            let (mut emulator, request) = faulty(&faults);
            let error = rejected(&mut emulator, &request);
            assert_eq!(
                (error.status().as_u16(), error.code(), error.message()),
                (status, code, message),
                "{faults:?}"
            );
        }
    }
}

#[test]
fn other_methods_and_sub_resources_are_rejected() {
    let mut emulator = Emulator::with_vectors(&target(), credentials(), KEYS).unwrap();
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
        let mut request = call(&KEYS);
        *request.method_mut() = method;
        assert_eq!(rejected(&mut emulator, &signed(request)).code(), "MethodNotAllowed");
    }
    for query in
        ["", "deletevectors", "deleteVectors=1", "deleteVector", "x=deleteVectors", "queryVectors"]
    {
        let mut request = call(&KEYS);
        *request.uri_mut() =
            request.uri().to_string().replace("deleteVectors", query).parse().unwrap();
        assert_eq!(rejected(&mut emulator, &signed(request)).code(), "NotImplemented", "{query}");
    }
}

#[test]
fn invalid_bodies_are_rejected_with_the_reason() {
    let with_keys = |keys: &str| format!(r#"{{"indexName":"vectorindex1","keys":{keys}}}"#);
    let with_index =
        |index_name: &str| format!(r#"{{"indexName":{index_name},"keys":["doc-001","doc-002"]}}"#);
    let numbered = |count| {
        with_keys(&format!(
            "{:?}",
            (0..count).map(|number: usize| number.to_string()).collect::<Vec<_>>()
        ))
    };
    let long = |count| with_keys(&format!(r#"["doc-001","{}"]"#, "é".repeat(count)));
    let json = "malformed body: ";
    let (malformed, invalid) = ("MalformedJson", "VectorIndexParameterInvalid");
    for (body, code, message) in [
        (String::new(), malformed, format!("{json}EOF while parsing a value at line 1 column 0")),
        ("[]".to_owned(), malformed, format!("{json}must be an object")),
        (with_keys("[") + "]}", malformed, format!("{json}expected value at line 1 column 37")),
        (with_keys(r#""doc-001""#), malformed, format!("{json}keys must be an array")),
        (with_keys(r#"["doc-001",2]"#), malformed, format!("{json}keys must be strings")),
        (with_keys(r#"["doc-001",["doc-002"]]"#), malformed, format!("{json}keys must be strings")),
        (with_index("1"), malformed, format!("{json}indexName must be a string")),
        (with_keys("[]"), invalid, r#"keys must be 1 to 500 unique keys, got none"#.to_owned()),
        (with_keys("null"), invalid, r#"keys must be 1 to 500 unique keys, got none"#.to_owned()),
        (
            r#"{"indexName":"vectorindex1"}"#.to_owned(),
            invalid,
            r#"keys must be 1 to 500 unique keys, got none"#.to_owned(),
        ),
        (numbered(501), invalid, r#"keys must be 1 to 500 unique keys, got more"#.to_owned()),
        (
            with_keys(r#"["doc-001",""]"#),
            invalid,
            r#"keys[1] must be 1 to 1024 characters, not """#.to_owned(),
        ),
        (
            long(1025),
            invalid,
            format!(r#"keys[1] must be 1 to 1024 characters, not "{}…""#, "é".repeat(80)),
        ),
        (with_index(r#""""#), invalid, r#"index name must not be empty, not """#.to_owned()),
        (
            with_index("null"),
            invalid,
            r#"index name must be 1 to 63 letters and digits, the first a letter, not """#
                .to_owned(),
        ),
        (
            with_index(r#""1a""#),
            invalid,
            r#"index name must be 1 to 63 letters and digits, the first a letter, not "1a""#
                .to_owned(),
        ),
    ] {
        let mut emulator = Emulator::with_vectors(&target(), credentials(), KEYS).unwrap();
        let error = rejected(&mut emulator, &signed(call_with_body(body)));
        assert_eq!(
            (error.status().as_u16(), error.code(), error.message()),
            (400, code, message.as_str())
        );
    }
}

/// The digest ties the keys to the signature.
#[test]
fn keys_changed_in_transit_are_rejected() {
    let change = |request: &mut Request<Bytes>| {
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        *request.body_mut() = body.replace("doc-001", "doc-002").into();
    };
    let mut emulator = Emulator::with_vectors(&target(), credentials(), KEYS).unwrap();
    let mut digest_left = signed(call(&["doc-001"]));
    change(&mut digest_left);
    assert_eq!(rejected(&mut emulator, &digest_left).code(), "InvalidDigest");

    let mut digest_changed = digest_left;
    digest_anew(&mut digest_changed);
    assert_eq!(rejected(&mut emulator, &digest_changed).code(), "SignatureDoesNotMatch");

    let mut digest_removed = digest_changed;
    digest_removed.headers_mut().remove("content-md5");
    assert_eq!(rejected(&mut emulator, &digest_removed).code(), "SignatureDoesNotMatch");
}

#[test]
fn malformed_digests_are_rejected() {
    for digest in ["", "00", "not base64 at all", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="] {
        let mut emulator = Emulator::with_vectors(&target(), credentials(), KEYS).unwrap();
        let mut request = call(&KEYS);
        request.headers_mut().insert("content-md5", HeaderValue::from_static(digest));
        assert_eq!(rejected(&mut emulator, &signed(request)).code(), "InvalidDigest", "{digest}");
    }
}

#[test]
fn signature_mismatch_reports_string_to_sign() {
    let mut emulator = Emulator::with_vectors(&target(), credentials(), KEYS).unwrap();
    let mut request = call(&KEYS);
    let signature = Signer::new(&target(), Credentials::new(ACCESS_KEY_ID, WRONG_SECRET).unwrap())
        .sign(&mut request, time());
    let error = rejected(&mut emulator, &request);
    let reported: Vec<&str> = error
        .fields()
        .filter(|(name, _)| *name == "StringToSign")
        .map(|(_, value)| value)
        .collect();
    assert_eq!(reported, [signature.string_to_sign()]);

    let elsewhere = Target::builder()
        .region("cn-shanghai")
        .account_id(ACCOUNT_ID)
        .bucket(BUCKET)
        .build()
        .unwrap();
    Signer::new(&elsewhere, credentials()).sign(&mut request, time());
    let error = rejected(&mut emulator, &request);
    assert_eq!(error.code(), "SignatureDoesNotMatch");
    assert_eq!(error.message(), "the scope must be 20231216/cn-hangzhou/oss/aliyun_v4_request");
}

#[test]
fn missing_permission_reports_action_and_resource() {
    let mut emulator = Emulator::with_vectors(&target(), credentials(), KEYS).unwrap();
    for allowed in [&[][..], &["otherbucket"], &["examplebucke", "examplebucket2"]] {
        emulator.add_identity(Identity::new(credentials()).allowed_on(allowed.iter().copied()));
        let error = rejected(&mut emulator, &signed(call(&KEYS)));
        let advice = "allow the action oss:DeleteVectors on acs:ossvector:cn-hangzhou:1234567890123456:examplebucket and \
                      acs:ossvector:cn-hangzhou:1234567890123456:examplebucket/*";
        assert_eq!(error.advice(&target()).as_deref(), Some(advice));
        assert!(error.fields().any(|field| field == ("BucketName", BUCKET)));
    }
    emulator.add_identity(Identity::new(credentials()).allowed_on([BUCKET]));
    send(&mut emulator, &signed(call(&KEYS))).unwrap();
    assert_eq!(emulator.len(BUCKET, INDEX), Some(0));
}

#[test]
fn missing_and_extra_tokens_are_rejected() {
    let other = credentials().with_security_token(WRONG_TOKEN).unwrap();
    for (known, sent) in
        [(with_token(), credentials()), (with_token(), other), (credentials(), with_token())]
    {
        let mut emulator = Emulator::with_vectors(&target(), known, KEYS).unwrap();
        let mut request = call(&KEYS);
        Signer::new(&target(), sent.clone()).sign(&mut request, time());
        assert_eq!(rejected(&mut emulator, &request).code(), "InvalidSecurityToken");
        Signer::new(&target(), sent)
            .presign(&mut request, time(), Duration::from_secs(60))
            .unwrap();
        assert_eq!(rejected(&mut emulator, &request).code(), "InvalidSecurityToken");
    }
}

#[test]
fn removed_identity_is_unknown() {
    let mut emulator = Emulator::with_vectors(&target(), credentials(), KEYS).unwrap();
    assert!(emulator.remove_identity(ACCESS_KEY_ID));
    assert!(!emulator.remove_identity(ACCESS_KEY_ID));
    assert_eq!(rejected(&mut emulator, &signed(call(&KEYS))).code(), "InvalidAccessKeyId");
}
