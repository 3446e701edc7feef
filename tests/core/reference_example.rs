//! The example in the API reference is parsed and reproduced.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::{DeleteVectors, Deleted, KeyBatch, Operation, Target};

use crate::calls::credentials;

/// The date of the example.
const DATE_SECONDS: u64 = 1_744_853_627;
const DATE: &str = "Thu, 17 Apr 2025 01:33:47 GMT";

/// The body, with the white space of the reference.
const BODY: &str = r#"{
   "indexName": "vectorindex1",
   "keys": ["doc-001", "doc-002", "doc-003"]
}"#;
const COMPACT_BODY: &str = r#"{"indexName":"vectorindex1","keys":["doc-001","doc-002","doc-003"]}"#;

fn bucket() -> Target {
    Target::builder()
        .region("cn-hangzhou")
        .account_id("123456")
        .bucket("examplebucket")
        .build()
        .unwrap()
}

fn call() -> DeleteVectors {
    let target = bucket().with_index_name(Some("vectorindex1")).unwrap();
    DeleteVectors::new(&target, KeyBatch::new(["doc-001", "doc-002", "doc-003"]).unwrap())
}

#[test]
fn request_is_parsed() {
    let request = Request::post("/?deleteVectors")
        .header("Host", "examplebucket-123456.cn-hangzhou.oss-vectors.aliyuncs.com")
        .header("Date", DATE)
        .header("Content-type", "application/json")
        .body(BODY)
        .unwrap();
    let read = DeleteVectors::parse_request(&bucket(), &request).unwrap();
    assert_eq!(read, call());
    assert_eq!(read.to_request().body(), COMPACT_BODY);
}

#[test]
fn request_is_reproduced() {
    let mut request = call().to_request();
    let signer = Signer::new(call().target(), credentials());
    signer.sign(&mut request, UNIX_EPOCH + Duration::from_secs(DATE_SECONDS));

    assert_eq!(request.method(), "POST");
    assert_eq!(
        request.uri(),
        "https://examplebucket-123456.cn-hangzhou.oss-vectors.aliyuncs.com/?deleteVectors"
    );
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(request.headers()["date"], DATE);
    let authorization = request.headers()["authorization"].to_str().unwrap();
    let (credential, signature) = authorization.split_once(",Signature=").unwrap();
    assert_eq!(
        credential,
        "OSS4-HMAC-SHA256 Credential=LTAI5tConformanceKey0001/20250417/cn-hangzhou/oss/aliyun_v4_request"
    );
    assert_eq!(signature.len(), 64);
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(request.body()).unwrap(),
        serde_json::from_str::<serde_json::Value>(BODY).unwrap()
    );
    assert_eq!(DeleteVectors::parse_request(&bucket(), &request).unwrap(), call());
}

#[test]
fn response_is_parsed_and_reproduced() {
    let response = Response::builder()
        .status(StatusCode::NO_CONTENT)
        .header("x-oss-request-id", "534B371674E88A4D8906****")
        .header("Date", DATE)
        .header("Connection", "keep-alive")
        .header("Server", "AliyunOSS")
        .body(Bytes::new())
        .unwrap();
    let deleted = DeleteVectors::parse_response(&response).unwrap();
    assert_eq!(deleted, Deleted::new("534B371674E88A4D8906****"));

    let reproduced = deleted.to_response();
    assert_eq!((reproduced.status(), reproduced.body().len()), (StatusCode::NO_CONTENT, 0));
    assert_eq!(reproduced.headers()["x-oss-request-id"], "534B371674E88A4D8906****");
    assert_eq!(DeleteVectors::parse_response(&reproduced), Ok(deleted));
}
