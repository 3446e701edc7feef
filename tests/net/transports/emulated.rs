//! The served emulator over both transports: success, and every error that the service is known
//! for.

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
use crate::carrier::Carrier;
use crate::service::Service;

/// What goes wrong: on the service's side before the call, and with the request on its way.
struct Scenario {
    set_up: fn(&mut Emulator),
    request: fn(Request<Bytes>, &Target) -> Request<Bytes>,
    status: u16,
    /// Empty for success.
    code: &'static str,
    /// Of the two vectors that the index holds.
    vectors_left: usize,
}

const SCENARIOS: &[Scenario] = &[
    Scenario { status: 204, code: "", vectors_left: 1, ..REFUSED },
    Scenario {
        request: |request, _| with_method(request, "PUT"),
        status: 405,
        code: code::METHOD_NOT_ALLOWED,
        ..REFUSED
    },
    Scenario { request: |request, _| request, code: code::ACCESS_DENIED, ..REFUSED },
    Scenario {
        request: |request, target| signed_at(request, target, -901),
        code: code::REQUEST_TIME_TOO_SKEWED,
        ..REFUSED
    },
    Scenario { set_up: |emulator| forget(emulator), code: code::INVALID_ACCESS_KEY_ID, ..REFUSED },
    Scenario {
        set_up: |emulator| admit(emulator, WRONG_SECRET, None),
        code: code::SIGNATURE_DOES_NOT_MATCH,
        ..REFUSED
    },
    Scenario {
        set_up: |emulator| admit(emulator, SECRET, Some(TOKEN)),
        code: code::INVALID_SECURITY_TOKEN,
        ..REFUSED
    },
    Scenario { set_up: |emulator| expire(emulator), code: code::SECURITY_TOKEN_EXPIRED, ..REFUSED },
    Scenario {
        set_up: |emulator| emulator.add_identity(Identity::new(credentials()).disabled()),
        code: code::USER_DISABLE,
        ..REFUSED
    },
    Scenario {
        request: |_, target| {
            signed_now(
                call(&elsewhere(target, "nosuchbucket", "index")),
                &elsewhere(target, "nosuchbucket", "i"),
            )
        },
        status: 404,
        code: code::NO_SUCH_BUCKET,
        ..REFUSED
    },
    Scenario {
        set_up: |emulator| {
            emulator.add_identity(Identity::new(credentials()).allowed_on(["other"]));
        },
        code: code::ACCESS_DENIED,
        ..REFUSED
    },
    Scenario {
        request: |request, target| signed_now(request, target).map(|_| Bytes::from_static(b"{}")),
        status: 400,
        code: code::INVALID_DIGEST,
        ..REFUSED
    },
    Scenario {
        request: |request, target| signed_now(with_body(request, "{"), target),
        status: 400,
        code: code::MALFORMED_JSON,
        ..REFUSED
    },
    Scenario {
        request: |_, target| {
            signed_now(call(&elsewhere(target, "examplebucket", "no-name")), target)
        },
        status: 400,
        code: code::VECTOR_INDEX_PARAMETER_INVALID,
        ..REFUSED
    },
    Scenario {
        request: |_, target| signed_now(call(&elsewhere(target, "examplebucket", "other")), target),
        status: 404,
        code: code::NO_SUCH_VECTOR_INDEX,
        ..REFUSED
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
        ..REFUSED
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
        ..REFUSED
    },
];

const REFUSED: Scenario = Scenario {
    set_up: |_| (),
    request: |request, target| signed_now(request, target),
    status: 403,
    code: "",
    vectors_left: 2,
};

#[test]
fn every_answer_of_the_service_comes_back_whole() {
    for carrier in Carrier::each(&TransportOptions::new()) {
        for scenario in SCENARIOS {
            let service = Service::holding(["a", "b"]);
            let target = service.served_target();
            (scenario.set_up)(&mut service.emulator());
            let request = (scenario.request)(call(&target), &target);
            let case = format!("{}: {} {}", carrier.name(), scenario.status, scenario.code);
            let response = carrier.send(request).expect(&case);
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
fn one_batch_is_deleted_or_says_why_not() {
    for carrier in Carrier::each(&TransportOptions::new()) {
        let mut service = Service::holding(["a", "b"]);
        let target = service.served_target();
        let call = DeleteVectors::new(&target, KeyBatch::new(["a", "not there"]).unwrap());
        let signer = Signer::new(&target, credentials());
        carrier.delete_vectors(&call, &signer).unwrap();
        assert_eq!(service.left(), 1);

        forget(&mut service.emulator());
        let refused = carrier.delete_vectors(&call, &signer).unwrap_err();
        assert!(
            !refused.may_have_deleted()
                && refused.to_string().starts_with("403 InvalidAccessKeyId"),
            "{refused}"
        );

        service.shut_down();
        let unreachable = carrier.delete_vectors(&call, &signer).unwrap_err();
        assert!(unreachable.to_string().starts_with("the request was not sent"), "{unreachable}");
        assert!(!unreachable.may_have_deleted());
    }
}

fn elsewhere(target: &Target, bucket: &str, index_name: &str) -> Target {
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

/// The digest goes with the old body.
fn with_body(mut request: Request<Bytes>, body: &'static str) -> Request<Bytes> {
    request.headers_mut().remove("content-md5");
    request.map(|_| Bytes::from_static(body.as_bytes()))
}

fn admit(emulator: &mut Emulator, secret: &str, token: Option<&str>) {
    let credentials = Credentials::new(ACCESS_KEY_ID, secret).unwrap();
    let credentials = credentials.with_security_token(token.unwrap_or_default()).unwrap();
    emulator.add_identity(Identity::new(credentials));
}

fn expire(emulator: &mut Emulator) {
    emulator.add_identity(Identity::new(credentials().with_expiration(SystemTime::UNIX_EPOCH)));
}

fn forget(emulator: &mut Emulator) {
    assert!(emulator.remove_identity(ACCESS_KEY_ID));
}
