//! Verification fails if any signed part of a request is changed, and only then.

use std::time::Duration;

use crate::calls::{self, ACCOUNT_ID, BUCKET, REGION, call, target, time, with_token};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use oss_delete_vectors::Credentials;
use oss_delete_vectors::signing::{Authorization, Resource, Signer, VerifyError};

const TRACE: HeaderName = HeaderName::from_static("x-trace");

/// A signed call with everything that can be signed: a parameter, a header that is signed because
/// of its prefix, an additional header and a security token.
fn signed(form: Form) -> Request<Bytes> {
    let mut request = call(&["doc-001"]);
    *request.uri_mut() = format!("{}&a%2Fb=c%20d", request.uri()).parse().unwrap();
    request.headers_mut().insert("x-oss-meta", HeaderValue::from_static("meta data"));
    request.headers_mut().insert(TRACE, HeaderValue::from_static("trace 1"));
    let signer = Signer::new(&target(), with_token()).with_additional_headers([TRACE]);
    match form {
        Form::Header => drop(signer.sign(&mut request, time())),
        Form::Query => {
            drop(signer.presign(&mut request, time(), Duration::from_secs(900)).unwrap());
        }
    }
    request
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Header,
    Query,
}

const FORMS: [Form; 2] = [Form::Header, Form::Query];

fn verify(request: &Request<Bytes>) -> Result<(), VerifyError> {
    verify_for(request, &Resource::from(&target()), &with_token())
}

fn verify_for(
    request: &Request<Bytes>,
    resource: &Resource,
    credentials: &Credentials,
) -> Result<(), VerifyError> {
    Authorization::parse(request)?.verify(request, resource, credentials)
}

/// Changes a signed request, and verifies it.
fn tampered(form: Form, tamper: impl FnOnce(&mut Request<Bytes>)) -> Result<(), VerifyError> {
    let mut request = signed(form);
    tamper(&mut request);
    verify(&request)
}

fn is_mismatch(outcome: &Result<(), VerifyError>) -> bool {
    matches!(outcome, Err(VerifyError::SignatureMismatch { .. }))
}

#[test]
fn unchanged_request_is_accepted() {
    for form in FORMS {
        assert_eq!(verify(&signed(form)), Ok(()), "{form:?}");
    }
}

#[test]
fn any_changed_byte_in_a_signed_header_is_rejected() {
    for (form, names) in [
        (
            Form::Header,
            &[
                "authorization",
                "content-md5",
                "content-type",
                "x-oss-content-sha256",
                "x-oss-date",
                "x-oss-meta",
                "x-oss-security-token",
                "x-trace",
            ][..],
        ),
        (Form::Query, &["content-md5", "content-type", "x-oss-meta", "x-trace"]),
    ] {
        for &name in names {
            let original = signed(form);
            for changed in with_one_byte_changed(original.headers()[name].as_bytes()) {
                let mut request = original.clone();
                request.headers_mut().insert(name, HeaderValue::from_bytes(&changed).unwrap());
                let shown = String::from_utf8_lossy(&changed);
                assert!(verify(&request).is_err(), "{form:?} {name}: {shown}");
            }
            assert!(
                tampered(form, |request| drop(request.headers_mut().remove(name))).is_err(),
                "{form:?} without {name}"
            );
        }
    }
}

#[test]
fn any_changed_byte_in_the_query_is_rejected() {
    for form in FORMS {
        let original = signed(form);
        let uri = original.uri().to_string();
        let (base, query) = uri.split_once('?').unwrap();
        let mut tried = 0;
        for changed in with_one_byte_changed(query.as_bytes()) {
            // An invalid URI never reaches the verification.
            let Ok(uri) = format!("{base}?{}", str::from_utf8(&changed).unwrap()).parse::<Uri>()
            else {
                continue;
            };
            let mut request = original.clone();
            *request.uri_mut() = uri;
            tried += 1;
            assert!(verify(&request).is_err(), "{form:?}: {}", request.uri());
        }
        assert!(tried > 2 * query.len(), "{form:?}: {tried} changes of {} bytes", query.len());
    }
}

/// Variants of `text` that differ in one byte, three per byte. None changes only the case of a
/// letter, because that would not change the meaning of an escape.
fn with_one_byte_changed(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..text.len()).flat_map(move |position| {
        let old = text[position];
        let replacements = [b'0', b'e', old ^ 1]
            .into_iter()
            .filter(move |&new| new != old && matches!(new, b'!'..=b'~'));
        replacements.map(move |new| {
            let mut changed = text.to_vec();
            changed[position] = new;
            changed
        })
    })
}

#[test]
fn added_or_swapped_parts_are_rejected() {
    for form in FORMS {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::HEAD] {
            assert!(
                is_mismatch(&tampered(form, |request| *request.method_mut() = method)),
                "{form:?}"
            );
        }
        for parameter in ["&b", "&b=1", "&deleteVectors", "&a%2Fb=c%20d", "&=", "&%20"] {
            let add = |request: &mut Request<Bytes>| add_to_query(request, parameter);
            assert!(is_mismatch(&tampered(form, add)), "{form:?} {parameter}");
        }
        for name in ["x-oss-new", "x-oss-"] {
            let name = HeaderName::from_static(name);
            let add = |request: &mut Request<Bytes>| {
                drop(request.headers_mut().insert(name, HeaderValue::from_static("1")));
            };
            assert!(is_mismatch(&tampered(form, add)), "{form:?}");
        }
        let swap = |request: &mut Request<Bytes>| {
            let (meta, trace) =
                (request.headers()["x-oss-meta"].clone(), request.headers()[TRACE].clone());
            request.headers_mut().insert("x-oss-meta", trace);
            request.headers_mut().insert(TRACE, meta);
        };
        assert!(is_mismatch(&tampered(form, swap)), "{form:?}");
    }
}

#[test]
fn resource_is_verified_independently_of_the_host() {
    for form in FORMS {
        let request = signed(form);
        let for_resource = |region, account_id, bucket| {
            verify_for(&request, &Resource::new(region, account_id, bucket).unwrap(), &with_token())
        };
        assert_eq!(for_resource(REGION, ACCOUNT_ID, BUCKET), Ok(()));
        assert!(is_mismatch(&for_resource(REGION, ACCOUNT_ID, "otherbucket")));
        assert!(is_mismatch(&for_resource(REGION, "1234567890123457", BUCKET)));
        let other = for_resource("cn-shanghai", ACCOUNT_ID, BUCKET);
        assert!(
            is_scope_mismatch(&other, "20231216/cn-shanghai/oss/aliyun_v4_request"),
            "{other:?}"
        );
    }
}

#[test]
fn id_secret_and_token_must_match() {
    let resource = Resource::from(&target());
    for form in FORMS {
        let request = signed(form);
        let with = |id, secret, token| {
            let credentials =
                Credentials::new(id, secret).unwrap().with_security_token(token).unwrap();
            verify_for(&request, &resource, &credentials)
        };
        assert_eq!(with(calls::ACCESS_KEY_ID, calls::SECRET, calls::TOKEN), Ok(()));
        assert!(is_mismatch(&with("LTAI5tOther", calls::SECRET, calls::TOKEN)), "{form:?}");
        assert!(
            is_mismatch(&with(calls::ACCESS_KEY_ID, crate::canary::WRONG_SECRET, calls::TOKEN)),
            "{form:?}"
        );
        for token in ["", crate::canary::WRONG_TOKEN] {
            let outcome = with(calls::ACCESS_KEY_ID, calls::SECRET, token);
            assert_eq!(outcome, Err(VerifyError::SecurityTokenMismatch), "{form:?} {token}");
        }
    }
}

#[test]
fn mismatch_reports_string_to_sign_but_no_signature() {
    let mut request = call(&["doc-001"]);
    let signature = Signer::new(&target(), with_token()).sign(&mut request, time());
    let other = Credentials::new(calls::ACCESS_KEY_ID, crate::canary::WRONG_SECRET).unwrap();
    let outcome = verify_for(&request, &Resource::from(&target()), &other);
    let Err(VerifyError::SignatureMismatch { string_to_sign, .. }) = &outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(string_to_sign, signature.string_to_sign());
    let expected = Signer::new(&target(), other).sign(&mut call(&["doc-001"]), time()).to_string();
    assert!(
        ![expected, signature.to_string()]
            .iter()
            .any(|signature| format!("{outcome:?}").contains(signature))
    );
}

#[test]
fn unsigned_parts_may_change() {
    for form in FORMS {
        let accepts = |what: &str, tamper: fn(&mut Request<Bytes>)| {
            assert_eq!(tampered(form, tamper), Ok(()), "{form:?} {what}");
        };
        accepts("user-agent", |request| set(request, "user-agent", "another"));
        accepts("host", |request| set(request, "host", "elsewhere.example.com"));
        accepts("date", |request| set(request, "date", "Thu, 01 Jan 1970 00:00:00 GMT"));
        accepts("content-length", |request| set(request, "content-length", "1"));
        accepts("body", |request| *request.body_mut() = Bytes::from_static(b"{}"));
        accepts("scheme, host and path", |request| {
            *request.uri_mut() =
                format!("http://127.0.0.1/b/?{}", request.uri().query().unwrap()).parse().unwrap();
        });
        accepts("spelling of the query", |request| {
            let query = request
                .uri()
                .query()
                .unwrap()
                .replace("deleteVectors", "deleteVectors=")
                .replace("c%20d", "c+d");
            let turned: Vec<&str> = query.split('&').rev().collect();
            *request.uri_mut() =
                format!("/?{}&&", turned.join("&").replace("%2F", "%2f")).parse().unwrap();
        });
        accepts("white space around a value", |request| set(request, "x-trace", "  trace 1\t"));
    }
}

fn set(request: &mut Request<Bytes>, name: &'static str, value: &'static str) {
    request.headers_mut().insert(name, HeaderValue::from_static(value));
}

fn add_to_query(request: &mut Request<Bytes>, piece: &str) {
    *request.uri_mut() = format!("{}{piece}", request.uri()).parse().unwrap();
}

/// If a part were repeated, one value could be verified and the other one used.
#[test]
fn repeated_parts_are_rejected() {
    let rejects =
        |form, expected: (&'static str, &'static str), tamper: &dyn Fn(&mut Request<Bytes>)| {
            assert_eq!(malformed(&tampered(form, tamper)), Some(expected), "{form:?}");
        };
    let both = ("authorization", "must be in the header or in the query, not in both");
    rejects(Form::Header, both, &|request| add_to_query(request, "&x-oss-signature=00"));
    rejects(Form::Header, both, &|request| {
        add_to_query(request, "&x%2Doss%2Ddate=20231216T162057Z");
    });
    rejects(Form::Query, both, &|request| {
        set(request, "authorization", "OSS4-HMAC-SHA256 Credential=a");
    });

    for name in ["content-type", "content-md5", "x-oss-meta", "x-trace"] {
        for form in FORMS {
            rejects(form, ("signed header", "must have one value"), &|request| {
                repeat_header(request, name);
            });
        }
    }
    for name in ["authorization", "x-oss-date", "x-oss-content-sha256", "x-oss-security-token"] {
        rejects(Form::Header, (name, "must not be repeated"), &|request| {
            repeat_header(request, name);
        });
    }
    for name in [
        "x-oss-signature-version",
        "x-oss-date",
        "x-oss-expires",
        "x-oss-credential",
        "x-oss-security-token",
        "x-oss-additional-headers",
        "x-oss-signature",
    ] {
        rejects(Form::Query, (name, "must not be repeated"), &|request| {
            add_to_query(request, &format!("&{name}=1"));
        });
    }
    for part in ["Credential=a", "AdditionalHeaders=b", "Signature=c"] {
        rejects(Form::Header, ("authorization", "must not repeat a part"), &|request| {
            edit_authorization(request, |value| format!("{value},{part}"));
        });
    }
}

#[test]
fn signature_in_upper_case_is_rejected() {
    let expected = Some(("signature", "must be 64 lower-case hex digits"));
    let in_header = tampered(Form::Header, |request| {
        edit_authorization(request, |value| {
            let (before, signature) = value.split_once("Signature=").unwrap();
            format!("{before}Signature={}", signature.to_uppercase())
        });
    });
    assert_eq!(malformed(&in_header), expected);
    let in_query = tampered(Form::Query, |request| {
        let uri = request.uri().to_string();
        let (before, signature) = uri.split_once("x-oss-signature=").unwrap();
        *request.uri_mut() =
            format!("{before}x-oss-signature={}", signature.to_uppercase()).parse().unwrap();
    });
    assert_eq!(malformed(&in_query), expected);
}

#[test]
fn scope_must_match_date_and_resource() {
    for (part, other) in [
        ("20231216", "20231217"),
        ("cn-hangzhou", "cn-beijing"),
        ("oss/", "s3/"),
        ("aliyun_v4", "aws4"),
    ] {
        let in_header = tampered(Form::Header, |request| {
            edit_authorization(request, |value| value.replacen(part, other, 1));
        });
        assert!(
            is_scope_mismatch(&in_header, "20231216/cn-hangzhou/oss/aliyun_v4_request"),
            "{in_header:?}"
        );
    }
}

fn is_scope_mismatch(outcome: &Result<(), VerifyError>, scope: &str) -> bool {
    matches!(outcome, Err(VerifyError::ScopeMismatch { expected, .. }) if expected == scope)
}

/// The part and the rule of a malformed authorization.
fn malformed(outcome: &Result<(), VerifyError>) -> Option<(&'static str, &'static str)> {
    match outcome {
        Err(VerifyError::Malformed { part, rule, .. }) => Some((part, rule)),
        _ => None,
    }
}

fn repeat_header(request: &mut Request<Bytes>, name: &'static str) {
    let value = request.headers()[name].clone();
    request.headers_mut().append(name, value);
}

fn edit_authorization(request: &mut Request<Bytes>, edit: impl FnOnce(&str) -> String) {
    let edited = edit(request.headers()[AUTHORIZATION].to_str().unwrap());
    request.headers_mut().insert(AUTHORIZATION, HeaderValue::try_from(edited).unwrap());
}
