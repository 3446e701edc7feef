//! Requests signed by the official SDK are reproduced byte for byte, and verified.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fixtures::{Form, SignedBySdk, SigningCase, signing_cases};
use bytes::Bytes;
use http::Request;
use http::header::USER_AGENT;
use oss_delete_vectors::signing::{
    Authorization, AuthorizationForm, Resource, Signature, Signer, VerifyError,
};
use oss_delete_vectors::{DeleteVectors, Endpoint, InvalidValue, KeyBatch, Target};

/// The number of cases in `signing.json`, so that none is skipped unnoticed.
const CASES: usize = 67;

#[test]
fn signer_writes_the_bytes_of_the_sdk() {
    let cases = signing_cases();
    assert_eq!(cases.len(), CASES);
    for case in &cases {
        let signer = Signer::new(resource(case), case.credentials())
            .with_additional_headers(case.additional_headers());
        for golden in [&case.sdk, &case.compact] {
            let mut request = golden.unsigned();
            assert_ne!(parts(&request), parts(&golden.request), "{}", case.id);
            let signature = sign(case, &signer, &mut request);
            assert_eq!(
                signature.canonical_request(),
                golden.canonical_request.as_bytes(),
                "{}",
                case.id
            );
            assert_eq!(signature.string_to_sign(), golden.string_to_sign, "{}", case.id);
            assert_eq!(signature.to_string(), golden.signature, "{}", case.id);
            assert_eq!(parts(&request), parts(&golden.request), "{}", case.id);
        }
    }
}

/// A request is valid from 15 minutes before its date. It ends when it expires, or in the header
/// form 15 minutes after its date. Both limits are exact to the second.
fn check_validity(authorization: &Authorization, id: &str) {
    let (second, tolerance) = (Duration::from_secs(1), Duration::from_secs(15 * 60));
    let (lasts, error) = match authorization.form() {
        AuthorizationForm::Query { expires } => (expires, VerifyError::OutsideValidity),
        _ => (tolerance, VerifyError::TimeTooSkewed),
    };
    let (first, last) = (authorization.date() - tolerance, authorization.date() + lasts);
    for (now, expected) in [
        (first - second, Err(error.clone())),
        (first, Ok(())),
        (authorization.date(), Ok(())),
        (last, Ok(())),
        (last + second, Err(error)),
    ] {
        assert_eq!(authorization.check_date(now), expected, "{id}: {now:?}");
    }
}

#[test]
fn requests_of_the_sdk_are_verified_and_parsed() {
    let bucket = Target::builder()
        .region("cn-hangzhou")
        .account_id("1234567890123456")
        .bucket("examplebucket")
        .build()
        .unwrap();
    for case in signing_cases() {
        for SignedBySdk { request, .. } in [&case.sdk, &case.compact] {
            let authorization = Authorization::parse(request).unwrap();
            assert_eq!(authorization.access_key_id(), case.input("access_key_id"), "{}", case.id);
            assert_eq!(authorization.date(), case.time(), "{}", case.id);
            let expected_form = match case.form() {
                Form::Header => AuthorizationForm::Header,
                Form::Query { expires } => AuthorizationForm::Query { expires },
            };
            assert_eq!(authorization.form(), expected_form, "{}", case.id);
            check_validity(&authorization, &case.id);
            assert_eq!(
                authorization.verify(request, &resource(&case), &case.credentials()),
                Ok(()),
                "{}",
                case.id
            );

            let call = DeleteVectors::parse_request(&bucket, request).unwrap();
            assert_eq!(call.target().index_name(), Some(case.input("index_name")), "{}", case.id);
            assert_eq!(*call.keys(), KeyBatch::new(case.texts("keys")).unwrap(), "{}", case.id);
        }
    }
}

/// Cases with inputs that this crate rejects, with the field and the rule. The region is part of
/// the host, and the service rejects a signature for an impossible region anyway.
const INVALID: [(&str, &str, &str); 1] = [(
    "mismatch/region-uppercase",
    "region",
    "must be 1 to 63 characters of a-z, 0-9 and '-', with no '-' at either end",
)];

/// Cases with duplicate keys, and the body that this crate sends: each key once. The digest and the
/// signature differ accordingly.
const DUPLICATES: [(&str, &str); 2] = [
    ("count/duplicate-pair", r#"{"indexName":"exampleindex","keys":["same"]}"#),
    ("count/duplicate-apart", r#"{"indexName":"exampleindex","keys":["a","b","c"]}"#),
];

/// Cases with an IP address as endpoint. This crate and the Go SDK use path style; the Python SDK
/// puts the bucket before the address.
const PATH_STYLE: [(&str, &str); 2] = [
    ("endpoint/loopback-https", "https://127.0.0.1:18443/examplebucket/?deleteVectors"),
    ("query/loopback", "http://127.0.0.1:18080/examplebucket/?deleteVectors"),
];

#[test]
fn calls_equal_those_of_the_sdk() {
    let (mut invalid_cases, mut duplicates, mut path_style) = (Vec::new(), Vec::new(), Vec::new());
    let mut compared = 0;
    for case in &signing_cases() {
        let target = match target(case) {
            Ok(target) => target,
            Err(invalid) => {
                invalid_cases.push((
                    case.id.clone(),
                    invalid.field().to_owned(),
                    invalid.rule().to_owned(),
                ));
                continue;
            }
        };
        let keys = KeyBatch::new(case.texts("keys")).unwrap();
        let has_duplicates = keys.duplicates() > 0;
        let mut request = DeleteVectors::new(&target, keys).to_request();
        let unsigned_uri = request.uri().to_string();
        add_extras(case, &mut request);
        let signer = Signer::new(&target, case.credentials())
            .with_additional_headers(case.additional_headers());
        let signature = sign(case, &signer, &mut request);

        if has_duplicates {
            duplicates.push((case.id.clone(), String::from_utf8(request.body().to_vec()).unwrap()));
            let md5 = |request: &Request<Bytes>| {
                request.headers()["content-md5"].to_str().unwrap().to_owned()
            };
            assert_ne!(md5(&request), md5(&case.compact.request));
            let expected =
                case.compact.canonical_request.replace(&md5(&case.compact.request), &md5(&request));
            assert_eq!(signature.canonical_request(), expected.as_bytes(), "{}", case.id);
            continue;
        }
        let mut golden = case.compact.request.clone();
        let mut golden_uri =
            golden.uri().to_string().replacen("?deleteVectors=", "?deleteVectors", 1);
        if let Some((authority, rest)) =
            golden_uri.split_once("/?").filter(|(authority, _)| authority.contains(".127.0.0.1:"))
        {
            let authority = authority.replacen("examplebucket-1234567890123456.", "", 1);
            golden_uri = format!("{authority}/examplebucket/?{rest}");
            path_style.push((case.id.clone(), unsigned_uri));
        }
        *golden.uri_mut() = golden_uri.parse().unwrap();
        assert_eq!(request.body(), golden.body(), "{}", case.id);
        assert_eq!(parts(&request), parts(&golden), "{}", case.id);
        assert_eq!(
            signature.canonical_request(),
            case.compact.canonical_request.as_bytes(),
            "{}",
            case.id
        );
        assert_eq!(signature.string_to_sign(), case.compact.string_to_sign, "{}", case.id);
        assert_eq!(signature.to_string(), case.compact.signature, "{}", case.id);
        compared += 1;
    }
    assert_eq!(
        invalid_cases,
        INVALID.map(|(id, field, rule)| (id.to_owned(), field.to_owned(), rule.to_owned()))
    );
    assert_eq!(duplicates, DUPLICATES.map(|(id, body)| (id.to_owned(), body.to_owned())));
    assert_eq!(path_style, PATH_STYLE.map(|(id, uri)| (id.to_owned(), uri.to_owned())));
    assert_eq!(compared + invalid_cases.len() + duplicates.len(), CASES);
}

fn resource(case: &SigningCase) -> Resource {
    Resource::new(case.input("region"), case.input("account_id"), case.input("bucket")).unwrap()
}

/// Signs in the form and at the time of the case.
fn sign(case: &SigningCase, signer: &Signer, request: &mut Request<Bytes>) -> Signature {
    match case.form() {
        Form::Header => signer.sign(request, case.time()),
        Form::Query { expires } => signer.presign(request, case.time(), expires).unwrap(),
    }
}

fn target(case: &SigningCase) -> Result<Target, InvalidValue> {
    let endpoint = match case.optional("endpoint") {
        Some(endpoint) => endpoint.parse()?,
        None if case.flag("use_internal_endpoint") => Endpoint::internal(),
        None => Endpoint::public(),
    };
    // As in the SDK, the scheme of the endpoint takes precedence.
    let has_no_scheme = case.optional("endpoint").is_none_or(|endpoint| !endpoint.contains("://"));
    let endpoint = if has_no_scheme && case.input("scheme") == "http" {
        endpoint.with_plain_http()
    } else {
        endpoint
    };
    Target::builder()
        .region(case.input("region"))
        .account_id(case.input("account_id"))
        .bucket(case.input("bucket"))
        .index_name(case.input("index_name"))
        .endpoint(endpoint)
        .build()
}

/// Adds the other parts of a case: the `User-Agent` of the SDK, which may be signed, headers and
/// parameters.
fn add_extras(case: &SigningCase, request: &mut Request<Bytes>) {
    let golden = case.compact.request.headers();
    request.headers_mut().insert(USER_AGENT, golden[USER_AGENT].clone());
    request.headers_mut().extend(case.extra_headers());
    let golden_uri = case.compact.request.uri().to_string();
    let parameters =
        golden_uri.split_once("?deleteVectors=").map_or("", |(_, parameters)| parameters);
    *request.uri_mut() = format!("{}{parameters}", request.uri()).parse().unwrap();
}

/// All parts of a request, for comparison. Its `Debug` hides the sensitive headers.
fn parts(request: &Request<Bytes>) -> (String, String, BTreeMap<String, Vec<u8>>, &[u8]) {
    let headers: BTreeMap<_, _> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect();
    assert_eq!(headers.len(), request.headers().len(), "every header has one value");
    (request.method().to_string(), request.uri().to_string(), headers, request.body())
}
