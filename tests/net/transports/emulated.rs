//! The served emulator over both transports: success, and every known error of the service.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, StatusCode};
use oss_delete_vectors::emulator::{Emulator, Identity, RateLimit};
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::transports::TransportOptions;
use oss_delete_vectors::{
    Credentials, DeleteVectors, KeyBatch, Operation, ServiceError, Target, code,
};

use crate::calls::{ACCESS_KEY_ID, credentials};
use crate::canary::{SECRET, TOKEN, WRONG_SECRET};
use crate::carrier::{AnyTransport, Carrier};
use crate::service::Service;

/// A change of the service before the call, and a change of the request.
struct Scenario {
    set_up: fn(&mut Emulator),
    request: fn(Request<Bytes>, &Target) -> Request<Bytes>,
    status: u16,
    /// Empty for success.
    code: &'static str,
    /// The number of vectors left, out of two.
    vectors_left: usize,
}

const SCENARIOS: &[Scenario] = &[
    Scenario { status: 204, code: "", vectors_left: 1, ..DEFAULT },
    Scenario {
        request: |request, _| with_method(request, "PUT"),
        status: 405,
        code: code::METHOD_NOT_ALLOWED,
        ..DEFAULT
    },
    Scenario { request: |request, _| request, code: code::ACCESS_DENIED, ..DEFAULT },
    Scenario {
        request: |request, target| signed_at(request, target, -901),
        code: code::REQUEST_TIME_TOO_SKEWED,
        ..DEFAULT
    },
    Scenario {
        set_up: |emulator| remove_identity(emulator),
        code: code::INVALID_ACCESS_KEY_ID,
        ..DEFAULT
    },
    Scenario {
        set_up: |emulator| add_identity(emulator, WRONG_SECRET, None),
        code: code::SIGNATURE_DOES_NOT_MATCH,
        ..DEFAULT
    },
    Scenario {
        set_up: |emulator| add_identity(emulator, SECRET, Some(TOKEN)),
        code: code::INVALID_SECURITY_TOKEN,
        ..DEFAULT
    },
    Scenario { set_up: |emulator| expire(emulator), code: code::SECURITY_TOKEN_EXPIRED, ..DEFAULT },
    Scenario {
        set_up: |emulator| emulator.add_identity(Identity::new(credentials()).disabled()),
        code: code::USER_DISABLE,
        ..DEFAULT
    },
    Scenario {
        request: |_, target| {
            signed_now(
                call(&with_names(target, "nosuchbucket", "index")),
                &with_names(target, "nosuchbucket", "i"),
            )
        },
        status: 404,
        code: code::NO_SUCH_BUCKET,
        ..DEFAULT
    },
    Scenario {
        set_up: |emulator| {
            emulator.add_identity(Identity::new(credentials()).allowed_on(["other"]));
        },
        code: code::ACCESS_DENIED,
        ..DEFAULT
    },
    Scenario {
        request: |request, target| signed_now(request, target).map(|_| Bytes::from_static(b"{}")),
        status: 400,
        code: code::INVALID_DIGEST,
        ..DEFAULT
    },
    Scenario {
        request: |request, target| signed_now(with_body(request, "{"), target),
        status: 400,
        code: code::MALFORMED_JSON,
        ..DEFAULT
    },
    Scenario {
        request: |_, target| {
            signed_now(call(&with_names(target, "examplebucket", "no-name")), target)
        },
        status: 400,
        code: code::VECTOR_INDEX_PARAMETER_INVALID,
        ..DEFAULT
    },
    Scenario {
        request: |_, target| {
            signed_now(call(&with_names(target, "examplebucket", "other")), target)
        },
        status: 404,
        code: code::NO_SUCH_VECTOR_INDEX,
        ..DEFAULT
    },
    Scenario {
        set_up: |emulator| {
            emulator.set_rate_limit(Some(RateLimit::new(0.0, 1).unwrap()));
            emulator.fail_next(
                ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "m"),
                1,
            );
        },
        status: 500,
        code: code::INTERNAL_ERROR,
        vectors_left: 1,
        ..DEFAULT
    },
    Scenario {
        set_up: |emulator| {
            let throttle = ServiceError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                code::QPS_LIMIT_EXCEEDED,
                "too fast",
            );
            emulator.fail_next(throttle.with_retry_after(Duration::from_secs(3)), 0);
        },
        status: 503,
        code: code::QPS_LIMIT_EXCEEDED,
        ..DEFAULT
    },
];

const DEFAULT: Scenario = Scenario {
    set_up: |_| (),
    request: |request, target| signed_now(request, target),
    status: 403,
    code: "",
    vectors_left: 2,
};

#[test]
fn every_response_arrives_unchanged() {
    for transport in AnyTransport::all() {
        for scenario in SCENARIOS {
            let service = Service::holding(["a", "b"]);
            let target = service.served_target();
            (scenario.set_up)(&mut service.emulator());
            let request = (scenario.request)(call(&target), &target);
            let case = format!("{}: {} {}", transport.name(), scenario.status, scenario.code);
            let response = transport.send(request).expect(&case);
            assert_eq!(response.status(), scenario.status, "{case}");
            match DeleteVectors::parse_response(&response) {
                Ok(deleted) => {
                    assert_eq!(deleted.request_id(), Some("000000000000000000000001"), "{case}");
                }
                Err(error) => {
                    assert_eq!(error.code(), scenario.code, "{case}");
                    assert_eq!(error.request_id(), Some("000000000000000000000001"), "{case}");
                    assert!(!error.message().is_empty() && error.date().is_some(), "{case}");
                }
            }
            assert_eq!((service.left(), service.requests()), (scenario.vectors_left, 1), "{case}");
        }
    }
}

#[test]
fn one_batch_is_deleted_or_fails_with_a_reason() {
    for carrier in Carrier::each(&TransportOptions::new()) {
        let mut service = Service::holding(["a", "b"]);
        let target = service.served_target();
        let call = DeleteVectors::new(&target, KeyBatch::new(["a", "not there"]).unwrap());
        let signer = Signer::new(&target, credentials());
        carrier.delete_vectors(&call, &signer).unwrap();
        assert_eq!(service.left(), 1);

        remove_identity(&mut service.emulator());
        let rejected = carrier.delete_vectors(&call, &signer).unwrap_err();
        assert!(
            !rejected.may_have_deleted()
                && rejected.to_string().starts_with("403 InvalidAccessKeyId"),
            "{rejected}"
        );

        service.shut_down();
        let unreachable = carrier.delete_vectors(&call, &signer).unwrap_err();
        assert!(unreachable.to_string().starts_with("the request was not sent"), "{unreachable}");
        assert!(!unreachable.may_have_deleted());
    }
}

fn with_names(target: &Target, bucket: &str, index_name: &str) -> Target {
    let builder = Target::builder()
        .region(target.region())
        .account_id(target.account_id())
        .bucket(bucket)
        .index_name(index_name);
    builder.endpoint(target.endpoint().clone()).build().unwrap()
}

fn call(target: &Target) -> Request<Bytes> {
    DeleteVectors::new(target, KeyBatch::new(["a"]).unwrap()).to_request()
}

fn signed_now(request: Request<Bytes>, target: &Target) -> Request<Bytes> {
    signed_at(request, target, 0)
}

fn signed_at(
    mut request: Request<Bytes>,
    target: &Target,
    seconds_from_now: i64,
) -> Request<Bytes> {
    let now = SystemTime::now();
    let shift = Duration::from_secs(seconds_from_now.unsigned_abs());
    let time = if seconds_from_now < 0 { now - shift } else { now + shift };
    Signer::new(target, credentials()).sign(&mut request, time);
    request
}

fn with_method(mut request: Request<Bytes>, method: &str) -> Request<Bytes> {
    *request.method_mut() = method.parse().unwrap();
    request
}

/// Without the digest, which is that of the old body.
fn with_body(mut request: Request<Bytes>, body: &'static str) -> Request<Bytes> {
    request.headers_mut().remove("content-md5");
    request.map(|_| Bytes::from_static(body.as_bytes()))
}

fn add_identity(emulator: &mut Emulator, secret: &str, token: Option<&str>) {
    let credentials = Credentials::new(ACCESS_KEY_ID, secret).unwrap();
    let credentials = credentials.with_security_token(token.unwrap_or_default()).unwrap();
    emulator.add_identity(Identity::new(credentials));
}

fn expire(emulator: &mut Emulator) {
    emulator.add_identity(Identity::new(credentials().with_expiration(SystemTime::UNIX_EPOCH)));
}

fn remove_identity(emulator: &mut Emulator) {
    assert!(emulator.remove_identity(ACCESS_KEY_ID));
}
