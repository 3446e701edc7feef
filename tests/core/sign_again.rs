//! Signing again replaces the signature, in either form. A failure to sign changes nothing.

use std::time::Duration;

use crate::calls::{ACCESS_KEY_ID, call, credentials, target, time, with_token};
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Uri};
use oss_delete_vectors::Credentials;
use oss_delete_vectors::signing::{Authorization, Signer};

/// Signs in one of the forms, at one of two times on different days.
type Step = fn(&Signer, &mut Request<Bytes>);

const SIGN: Step = |signer, request| drop(signer.sign(request, time()));
const SIGN_LATER: Step =
    |signer, request| drop(signer.sign(request, time() + Duration::from_secs(100_000)));
const PRESIGN: Step =
    |signer, request| drop(signer.presign(request, time(), Duration::from_secs(60)).unwrap());
const PRESIGN_LATER: Step = |signer, request| {
    drop(
        signer
            .presign(request, time() + Duration::from_secs(100_000), Duration::from_secs(61))
            .unwrap(),
    );
};

/// A call with more parameters, one with an invalid escape and one without a name.
fn request() -> Request<Bytes> {
    let mut request = call(&["doc-001"]);
    *request.uri_mut() = format!("{}&b=%7e+%zz&&=c", request.uri()).parse().unwrap();
    request.headers_mut().insert("x-trace", HeaderValue::from_static("1"));
    request
}

fn signer(credentials: Credentials) -> Signer {
    Signer::new(&target(), credentials)
        .with_additional_headers([HeaderName::from_static("x-trace")])
}

fn parts(request: &Request<Bytes>) -> (&Method, &Uri, &HeaderMap, &Bytes) {
    (request.method(), request.uri(), request.headers(), request.body())
}

#[test]
fn signing_again_replaces_the_signature() {
    let (with_token, credentials) = (signer(with_token()), signer(credentials()));
    let steps: [(&Signer, Step); 8] = [
        (&with_token, SIGN),
        (&with_token, PRESIGN),
        (&with_token, SIGN_LATER),
        (&with_token, PRESIGN_LATER),
        (&credentials, SIGN),
        (&credentials, PRESIGN),
        (&credentials, SIGN_LATER),
        (&credentials, PRESIGN_LATER),
    ];
    for (first, (first_signer, first_step)) in steps.iter().enumerate() {
        for (second, (second_signer, second_step)) in steps.iter().enumerate() {
            let mut once = request();
            second_step(second_signer, &mut once);
            let mut twice = request();
            first_step(first_signer, &mut twice);
            assert_ne!(parts(&twice), parts(&request()));
            second_step(second_signer, &mut twice);
            assert_eq!(parts(&twice), parts(&once), "{first}, then {second}");
        }
    }
}

#[test]
fn presigning_removes_the_header_form_and_keeps_the_query() {
    let mut request = request();
    let signer = signer(with_token());
    SIGN(&signer, &mut request);
    PRESIGN(&signer, &mut request);
    let names: Vec<&str> = request.headers().keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["content-md5", "content-type", "user-agent", "x-trace"]);
    let query = request.uri().query().unwrap();
    assert!(
        query.starts_with(
            "deleteVectors&b=%7e+%zz&&=c&x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-date="
        ),
        "{query}"
    );

    SIGN(&signer, &mut request);
    assert_eq!(request.uri().query(), Some("deleteVectors&b=%7e+%zz&&=c"));
}

/// Servers decode names. A remaining parameter would be a duplicate, or a second authorization.
#[test]
fn escaped_signature_parameters_are_removed() {
    for name in ["x-oss-date", "x%2Doss-date", "%78%2doss%2Dsignature", "x-oss%2dexpires"] {
        for (step, kept) in [
            (SIGN, "deleteVectors&b=%7e"),
            (PRESIGN, "deleteVectors&b=%7e&x-oss-signature-version="),
        ] {
            let mut request = request();
            *request.uri_mut() = format!("/?deleteVectors&{name}=1&b=%7e").parse().unwrap();
            let signer = signer(with_token());
            step(&signer, &mut request);
            assert!(request.uri().query().unwrap().starts_with(kept), "{name}: {}", request.uri());
            Authorization::parse(&request)
                .unwrap()
                .verify(&request, signer.resource(), signer.credentials())
                .unwrap();
        }
    }
}

#[test]
fn removed_headers_are_not_signed() {
    let names = [HeaderName::from_static("date"), HeaderName::from_static("authorization")];
    let signer = Signer::new(&target(), credentials()).with_additional_headers(names);
    let mut request = request();
    signer.sign(&mut request, time());
    assert!(
        request.headers()["authorization"].to_str().unwrap().contains(",AdditionalHeaders=date,")
    );
    PRESIGN(&signer, &mut request);
    assert!(!request.uri().query().unwrap().contains("additional-headers"), "{}", request.uri());
    Authorization::parse(&request)
        .unwrap()
        .verify(&request, signer.resource(), signer.credentials())
        .unwrap();
}

#[test]
fn signing_in_header_removes_an_empty_query() {
    let mut request = Request::post("https://example.com/path").body(Bytes::new()).unwrap();
    let signer = Signer::new(&target(), credentials());
    PRESIGN(&signer, &mut request);
    let query = request.uri().query().unwrap();
    let signature = query.rsplit_once("&x-oss-signature=").map(|(_, signature)| signature.len());
    assert!(query.starts_with(&format!("x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-date=20231216T162057Z&x-oss-expires=60&x-oss-credential={ACCESS_KEY_ID}%2F")));
    assert_eq!(signature, Some(64));
    SIGN(&signer, &mut request);
    assert_eq!(request.uri(), "https://example.com/path");
}

#[test]
fn failed_presigning_leaves_the_request_unchanged() {
    let long = format!("https://example.com/{}?deleteVectors", "a".repeat(65_400));
    for uri in ["*", "example.com:443", &long] {
        let mut request = request();
        SIGN(&signer(with_token()), &mut request);
        *request.uri_mut() = uri.parse().unwrap();
        let before = request.clone();
        let error = signer(with_token())
            .presign(&mut request, time(), Duration::from_secs(60))
            .unwrap_err();
        assert_eq!(error.to_string(), "presigned uri must have a path and at most 65534 bytes");
        assert_eq!(parts(&request), parts(&before));
    }
}

/// At the limit, and one byte above.
#[test]
fn limit_of_a_presigned_uri_is_exact() {
    let presign = |path: usize| {
        let mut request =
            Request::post(format!("/{}", "a".repeat(path))).body(Bytes::new()).unwrap();
        let outcome = Signer::new(&target(), credentials()).presign(
            &mut request,
            time(),
            Duration::from_secs(60),
        );
        (outcome.is_ok(), request.uri().to_string().len())
    };
    let (_, with_empty_path) = presign(0);
    let longest = 65_534 - with_empty_path;
    assert_eq!(presign(longest), (true, 65_534));
    assert_eq!(presign(longest + 1), (false, longest + 2));
}

/// A cached key must not sign for another day, and a cached date must not be used in another
/// second.
#[test]
fn reused_signer_signs_like_a_new_one() {
    let kept = Signer::new(&target(), credentials());
    let hours = [0, 7, 8, 31, 32, 7, 0, 24 * 365].map(|hours| hours * 3600);
    for seconds in [0.0, 0.9, 1.0, 1.0, 0.0].into_iter().chain(hours.map(f64::from)) {
        let at = time() + Duration::from_secs_f64(seconds);
        let (mut by_kept, mut by_new) = (call(&["a"]), call(&["a"]));
        let signature = kept.sign(&mut by_kept, at);
        assert_eq!(
            signature.to_string(),
            Signer::new(&target(), credentials()).sign(&mut by_new, at).to_string(),
            "{seconds}"
        );
        assert_eq!(parts(&by_kept), parts(&by_new));
    }
}
