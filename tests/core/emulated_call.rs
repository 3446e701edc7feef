//! Calls to the emulator, without a socket, delete exactly the keys that they name.

use std::time::{Duration, SystemTime};

use crate::calls::{
    self, BUCKET, INDEX, call, call_with_body, credentials, presigned, signed, target, time,
    with_token,
};
use bytes::Bytes;
use http::{Request, StatusCode};
use oss_delete_vectors::emulator::{Emulator, RateLimit};
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::{
    DeleteVectors, Deleted, Endpoint, KeyBatch, Now, Operation, ServiceError, Target, code,
};

fn with_keys(keys: &[&str]) -> Emulator {
    Emulator::with_vectors(&target(), credentials(), keys).unwrap()
}

fn send(emulator: &mut Emulator, request: &Request<Bytes>) -> Result<Deleted, ServiceError> {
    send_at(emulator, Duration::ZERO, time(), request)
}

fn send_at(
    emulator: &mut Emulator,
    monotonic: Duration,
    wall: SystemTime,
    request: &Request<Bytes>,
) -> Result<Deleted, ServiceError> {
    DeleteVectors::parse_response(&emulator.handle(Now::new(monotonic, wall), request))
}

#[test]
fn named_keys_are_deleted_and_others_kept() {
    let mut emulator = with_keys(&["doc-001", "doc-002", "doc-003"]);
    let deleted = send(&mut emulator, &signed(call(&["doc-003", "doc-001", "not-there"]))).unwrap();
    assert_eq!(deleted, Deleted::new("000000000000000000000001"));
    assert!(emulator.contains(BUCKET, INDEX, "doc-002"));
    assert_eq!(emulator.len(BUCKET, INDEX), Some(1));

    let again = send(&mut emulator, &signed(call(&["doc-003", "doc-001"]))).unwrap();
    assert_eq!(again.request_id(), Some("000000000000000000000002"));
    assert_eq!((emulator.len(BUCKET, INDEX), emulator.requests()), (Some(1), 2));
}

#[test]
fn other_indexes_and_buckets_keep_their_vectors() {
    let mut emulator = with_keys(&["doc-001"]);
    emulator.put_vectors(BUCKET, "vectorindex2", ["doc-001"]).unwrap();
    emulator.put_vectors("otherbucket", INDEX, ["doc-001"]).unwrap();
    send(&mut emulator, &signed(call(&["doc-001"]))).unwrap();
    let left = [(BUCKET, INDEX), (BUCKET, "vectorindex2"), ("otherbucket", INDEX)]
        .map(|(bucket, index)| emulator.len(bucket, index));
    assert_eq!(left, [Some(0), Some(1), Some(1)]);
}

#[test]
fn response_is_that_of_the_service() {
    let response = with_keys(&[]).handle(Now::new(Duration::ZERO, time()), &signed(call(&["a"])));
    assert_eq!(
        (response.status(), response.body().len(), response.headers().len()),
        (StatusCode::NO_CONTENT, 0, 2)
    );
    assert_eq!(response.headers()["x-oss-request-id"], "000000000000000000000001");
    assert_eq!(response.headers()["date"], "Sat, 16 Dec 2023 16:20:57 GMT");
}

#[test]
fn any_valid_key_is_deleted() {
    let longest = [
        &"a".repeat(1024),
        &"é".repeat(1024),
        &"😀".repeat(1024),
        &"\"".repeat(1024),
        &"\0".repeat(1024),
    ];
    let controls: Vec<String> = (0..32)
        .chain([127, 0x80, 0x2028, 0xfeff, 0x10_ffff])
        .map(char::from_u32)
        .map(|c| c.unwrap().to_string())
        .collect();
    let odd = [
        " ",
        "'",
        "\"",
        "\\",
        "/",
        "</script>",
        "{\"a\":1}",
        "👩‍👩‍👧",
        "é",
        "e\u{301}",
        "A",
        "a",
        "null",
        "\\u0000",
        "key-1\n",
    ];
    let keys: Vec<&str> = longest
        .into_iter()
        .map(String::as_str)
        .chain(controls.iter().map(String::as_str))
        .chain(odd)
        .collect();
    let mut emulator = with_keys(&keys);
    assert_eq!(emulator.len(BUCKET, INDEX), Some(keys.len()));
    for (done, key) in keys.iter().enumerate() {
        send(&mut emulator, &signed(call(&[key]))).unwrap();
        assert!(!emulator.contains(BUCKET, INDEX, key), "{key:?}");
        assert_eq!(emulator.len(BUCKET, INDEX), Some(keys.len() - done - 1), "{key:?}");
    }

    let mut emulator = with_keys(&keys);
    send(&mut emulator, &signed(call(&keys))).unwrap();
    assert_eq!(emulator.len(BUCKET, INDEX), Some(0));
}

#[test]
fn batch_of_500_keys_is_deleted() {
    let keys: Vec<String> = (0..500).map(|number| format!("key-{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut emulator = with_keys(&keys);
    send(&mut emulator, &signed(call(&keys))).unwrap();
    assert_eq!(emulator.len(BUCKET, INDEX), Some(0));
}

#[test]
fn bodies_of_other_clients_are_parsed() {
    for body in [
        r#"{"indexName": "vectorindex1", "keys": ["doc-001", "doc-\u0030\u00302"]}"#,
        "\n{\t\"keys\":[\"doc-001\",\"doc-002\"],\r\n\"indexName\":\"vectorindex1\"} ",
        r#"{"indexName":"vectorindex1","keys":["doc-001","doc-002"],"more":{"keys":[]}}"#,
    ] {
        let mut emulator = with_keys(&["doc-001", "doc-002"]);
        send(&mut emulator, &signed(call_with_body(body))).unwrap();
        assert_eq!(emulator.len(BUCKET, INDEX), Some(0), "{body}");
    }
}

/// The reference limits the number of unique keys.
#[test]
fn duplicate_keys_count_once() {
    let keys: Vec<String> = (0..1000).map(|number| format!("key-{}", number % 500)).collect();
    let mut emulator = with_keys(&["key-0", "key-499", "key-500"]);
    send(
        &mut emulator,
        &signed(call_with_body(format!(r#"{{"indexName":"vectorindex1","keys":{keys:?}}}"#))),
    )
    .unwrap();
    assert_eq!(emulator.len(BUCKET, INDEX), Some(1));
    assert!(emulator.contains(BUCKET, INDEX, "key-500"));
}

#[test]
fn content_md5_is_optional() {
    let mut emulator = with_keys(&["doc-001"]);
    let mut request = call(&["doc-001"]);
    request.headers_mut().remove("content-md5");
    send(&mut emulator, &signed(request)).unwrap();
    assert_eq!(emulator.len(BUCKET, INDEX), Some(0));
}

#[test]
fn both_address_styles_and_signature_forms_work() {
    let gateway = |endpoint: &str| endpoint.parse::<Endpoint>().unwrap();
    for endpoint in [
        Endpoint::public(),
        Endpoint::internal().with_plain_http(),
        Endpoint::public().with_path_style(),
        gateway("https://gateway.example.com"),
        gateway("http://127.0.0.1:9000"),
        gateway("http://[::1]:9000"),
        gateway("http://localhost:9000"),
    ] {
        let target = Target::builder()
            .region(calls::REGION)
            .account_id(calls::ACCOUNT_ID)
            .bucket(BUCKET)
            .index_name(INDEX)
            .endpoint(endpoint)
            .build()
            .unwrap();
        let request = DeleteVectors::new(&target, KeyBatch::new(["doc-001"]).unwrap()).to_request();
        for request in [signed(request.clone()), presigned(request, Duration::from_secs(60))] {
            let mut emulator = with_keys(&["doc-001"]);
            send(&mut emulator, &request).unwrap();
            assert_eq!(emulator.len(BUCKET, INDEX), Some(0), "{}", request.uri());
        }
    }
}

#[test]
fn security_token_works_in_both_forms() {
    let signer = Signer::new(&target(), with_token());
    let (mut in_header, mut in_query) = (call(&["doc-001"]), call(&["doc-001"]));
    signer.sign(&mut in_header, time());
    signer.presign(&mut in_query, time(), Duration::from_secs(60)).unwrap();
    for request in [in_header, in_query] {
        let mut emulator = Emulator::with_vectors(&target(), with_token(), ["doc-001"]).unwrap();
        send(&mut emulator, &request).unwrap();
        assert_eq!(emulator.len(BUCKET, INDEX), Some(0));
    }
}

/// A write that is not atomic: it fails, but some of the keys are deleted.
#[test]
fn planned_failure_deletes_some_keys_and_happens_once() {
    let mut emulator = with_keys(&["a", "b", "c"]);
    let failure =
        ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "try again");
    emulator.fail_next(failure.clone(), 2);
    emulator.fail_next(failure, 0);

    let mut wrong = signed(call(&["a", "b", "c"]));
    *wrong.body_mut() = Bytes::from_static(b"{}");
    let rejected = send(&mut emulator, &wrong).unwrap_err();
    assert_eq!(rejected.code(), code::INVALID_DIGEST, "the planned failure is not consumed");

    let request = signed(call(&["c", "b", "a"]));
    let error = send(&mut emulator, &request).unwrap_err();
    assert_eq!(
        error.to_string(),
        "500 InternalError: try again (request id 000000000000000000000002)"
    );
    assert!(error.may_have_deleted() && error.is_retryable());
    assert_eq!(
        ["a", "b", "c"].map(|key| emulator.contains(BUCKET, INDEX, key)),
        [true, false, false]
    );

    assert_eq!(send(&mut emulator, &request).unwrap_err().code(), code::INTERNAL_ERROR);
    assert!(emulator.contains(BUCKET, INDEX, "a"));
    send(&mut emulator, &request).unwrap();
    assert_eq!(emulator.len(BUCKET, INDEX), Some(0));
}

#[test]
fn deleted_keys_counts_repeated_deletions() {
    let mut emulator = with_keys(&["a", "b"]);
    let failure =
        || ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "try again");
    send(&mut emulator, &signed(call(&["a", "never-was"]))).unwrap();
    assert_eq!(emulator.deleted_keys(), 2);
    send(&mut emulator, &signed(call(&["a"]))).unwrap();
    assert_eq!(emulator.deleted_keys(), 3);
    for (asked, deleted) in [(2, 2), (0, 0), (9, 3)] {
        let before = emulator.deleted_keys();
        emulator.fail_next(failure(), asked);
        send(&mut emulator, &signed(call(&["a", "b", "c"]))).unwrap_err();
        assert_eq!(emulator.deleted_keys() - before, deleted, "{asked}");
    }
    emulator.reject_keys(["b"]);
    send(&mut emulator, &signed(call(&["a", "b"]))).unwrap_err();
    assert_eq!(emulator.deleted_keys(), 8, "a rejected request deletes nothing");
}

#[test]
fn rate_limit_uses_the_monotonic_clock() {
    let mut emulator = with_keys(&["a"]);
    emulator.set_rate_limit(Some(RateLimit::new(4.0, 2).unwrap()));
    let request = signed(call(&["b"]));
    let mut admitted = |millis| {
        // The limit ignores the time of day.
        let wall = time() + Duration::from_secs(millis % 7);
        match send_at(&mut emulator, Duration::from_millis(millis), wall, &request) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(
                    (error.status().as_u16(), error.code()),
                    (503, code::QPS_LIMIT_EXCEEDED)
                );
                assert!(error.is_throttling() && error.is_retryable() && error.may_have_deleted());
                false
            }
        }
    };
    for (millis, expected) in [
        (0, true),
        (0, true),
        (0, false),
        (125, false),
        (250, true),
        (375, false),
        (500, true),
        (10_000, true),
        (10_000, true),
        (10_000, false),
    ] {
        assert_eq!(admitted(millis), expected, "{millis} ms");
    }
    emulator.set_rate_limit(None);
    send_at(&mut emulator, Duration::from_secs(10), time(), &request).unwrap();
}

#[test]
fn same_requests_get_the_same_responses() {
    let run = || {
        let mut emulator = with_keys(&["a", "b"]);
        let requests = [
            signed(call(&["a"])),
            call(&["a"]),
            signed(call_with_body("[")),
            presigned(call(&["b"]), Duration::ZERO),
        ];
        requests.map(|request| {
            let response = emulator.handle(Now::new(Duration::ZERO, time()), &request);
            (response.status(), response.headers().clone(), response.into_body())
        })
    };
    assert_eq!(run(), run());
    assert_eq!(run().map(|(status, ..)| status.as_u16()), [204, 403, 400, 204]);
}

#[test]
fn invalid_names_are_rejected() {
    let rejected = |bucket: &str, index_name: &str, key: &str| {
        let mut emulator = Emulator::new(calls::REGION, calls::ACCOUNT_ID);
        emulator.put_vectors(bucket, index_name, [key]).unwrap_err().to_string()
    };
    let index_rule = "index name must be 1 to 63 letters and digits, the first a letter, not";
    for index_name in ["", "1a", "a-b", "é", &"i".repeat(64)] {
        assert_eq!(rejected(BUCKET, index_name, "a"), format!("{index_rule} {index_name:?}"));
    }
    let bucket_rule =
        "bucket must be 3 to 32 characters of a-z, 0-9 and '-', with no '-' at either end, not";
    assert_eq!(rejected("No_Such", INDEX, "a"), format!("{bucket_rule} \"No_Such\""));
    assert_eq!(rejected(BUCKET, INDEX, ""), r#"key must be 1 to 1024 characters, not """#);

    let nameless = target().with_index_name(None).unwrap();
    let outcome = Emulator::with_vectors(&nameless, credentials(), ["a"]);
    assert_eq!(outcome.unwrap_err().to_string(), format!("{index_rule} \"\""));
    assert!(with_keys(&[]).put_vectors(BUCKET, &"i".repeat(63), ["a"]).is_ok());
}
