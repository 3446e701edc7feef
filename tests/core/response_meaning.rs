//! The meaning of a response: whether keys are deleted, rejected or perhaps deleted, and whether to
//! retry.

use crate::calls::target;
use http::{Response, StatusCode};
use oss_delete_vectors::{DeleteVectors, Deleted, Operation, ServiceError, code};

fn parse(status: u16, headers: &[(&str, &str)], body: &str) -> Result<Deleted, ServiceError> {
    let builder =
        headers.iter().fold(Response::builder().status(status), |builder, (name, value)| {
            builder.header(*name, *value)
        });
    DeleteVectors::parse_response(&builder.body(body).unwrap())
}

#[test]
fn only_oss_can_confirm_a_deletion() {
    let id = ("x-oss-request-id", "ID");
    for (status, headers, body, is_deleted) in [
        (204, &[id][..], "", true),
        (200, &[id], "", true),
        (200, &[id], " \r\n", true),
        (200, &[id], "{}", true),
        (200, &[id], "null", true),
        (202, &[id], r#"{"RequestId":"ID","Results":[{"Status":"ok"}]}"#, true),
        (204, &[("x-oss-request-id", ""), id], "", true),
        // Not from OSS. The official SDKs accept a bare 204 as a deletion; nginx sends one for
        // `return 204;`.
        (204, &[], "", false),
        (204, &[("x-oss-request-id", "")], "", false),
        (204, &[("date", "Sat, 16 Dec 2023 16:20:57 GMT"), ("server", "AliyunOSS")], "", false),
        (299, &[], "", false),
        (200, &[], "", false),
        (200, &[("x-oss-request-id", " ")], "", false),
        (202, &[], "{}", false),
        (200, &[id], "<html>", false),
        (200, &[id], "ok", false),
        // An error from OSS.
        (204, &[id, ("x-oss-err", "")], "", false),
        (200, &[id], r#"{"Error":{"Code":"InternalError"}}"#, false),
        (200, &[id], r#"{"error":{}}"#, false),
        (200, &[id], r#"{"Code":"InternalError"}"#, false),
        (200, &[id], r#"{"ErrorResponse":{"Error":{"Code":"AccessDenied"}}}"#, false),
        (200, &[id], r#"{"Response":{"error":"no"}}"#, false),
        (200, &[id], r#"{"errors":["no"]}"#, false),
        (200, &[id], r#"{"results":[{"errorCode":"no"}]}"#, false),
        (200, &[id], r#"{"message":"no"}"#, false),
        (200, &[id], r#"{"Exception":"no"}"#, false),
        (200, &[id], r#"{"result":{"failedKeys":["a"]}}"#, false),
        (200, &[id], r#"{"success":false}"#, false),
        (200, &[id], r#"{"success":true,"requestId":"1"}"#, true),
        (200, &[id], r#"[{"Error":{"Code":"AccessDenied"}}]"#, false),
        (200, &[id], r#""AccessDenied""#, false),
        (200, &[id], "false", false),
        (200, &[id, ("x-oss-err", "")], "", false),
        (304, &[id], "", false),
        (100, &[id], "", false),
    ] {
        let outcome = parse(status, headers, body);
        assert_eq!(outcome.is_ok(), is_deleted, "{status} {headers:?} {body}");
        let is_without_id = headers.iter().all(|&(_, id)| id != "ID");
        let names_the_id = outcome.as_ref().is_err_and(|error| {
            error
                .message()
                .starts_with("the response has no x-oss-request-id, so it is not from OSS")
        });
        assert_eq!(names_the_id, is_without_id, "{status} {headers:?} {body}");
        let request_id =
            outcome.as_ref().map_or_else(ServiceError::request_id, Deleted::request_id);
        assert_eq!(
            request_id,
            headers.contains(&id).then_some("ID"),
            "{status} {headers:?} {body}"
        );
    }
}

/// Retryable, throttling, may have deleted.
type Classification = (bool, bool, bool);

#[test]
fn errors_are_classified_by_status_and_code() {
    let rejected: Classification = (false, false, false);
    let rejected_but_retryable = (true, false, false);
    let throttled = (true, true, true);
    let broken = (true, false, true);
    // Not from OSS, so keys may be deleted.
    let not_from_oss = (false, false, true);
    let throttled_and_rejected = (true, true, false);
    for (status, code, expected) in [
        (100, code::BAD_ERROR_RESPONSE, not_from_oss),
        (200, code::BAD_ERROR_RESPONSE, not_from_oss),
        (302, code::BAD_ERROR_RESPONSE, not_from_oss),
        (302, "Anything", not_from_oss),
        (400, code::VECTOR_INDEX_PARAMETER_INVALID, rejected),
        (400, code::MALFORMED_JSON, rejected),
        (400, code::INVALID_DIGEST, rejected_but_retryable),
        (400, code::BAD_REQUEST, rejected_but_retryable),
        (400, code::REQUEST_TIMEOUT, broken),
        (400, code::THROTTLING, throttled_and_rejected),
        (400, "Throttling.User", throttled_and_rejected),
        (429, "Throttling.Api", throttled_and_rejected),
        (503, "Throttling.Api", throttled),
        (200, "Throttling.User", throttled),
        (400, "ThrottlingX", rejected),
        (400, "Unheard", rejected),
        (400, code::BAD_ERROR_RESPONSE, not_from_oss),
        (401, code::BAD_ERROR_RESPONSE, not_from_oss),
        (409, code::BAD_ERROR_RESPONSE, not_from_oss),
        (413, code::BAD_ERROR_RESPONSE, not_from_oss),
        (418, code::BAD_ERROR_RESPONSE, not_from_oss),
        (429, code::BAD_ERROR_RESPONSE, throttled),
        (503, code::BAD_ERROR_RESPONSE, throttled),
        (401, code::ACCESS_DENIED, rejected_but_retryable),
        (401, code::INVALID_ACCESS_KEY_ID, rejected),
        (403, code::ACCESS_DENIED, rejected),
        (403, code::SIGNATURE_DOES_NOT_MATCH, rejected),
        (403, code::REQUEST_TIME_TOO_SKEWED, rejected_but_retryable),
        (403, code::SECURITY_TOKEN_EXPIRED, rejected),
        (403, code::SLOW_DOWN, (true, true, false)),
        (404, code::NO_SUCH_VECTOR_INDEX, rejected),
        (404, code::BAD_ERROR_RESPONSE, not_from_oss),
        (405, code::METHOD_NOT_ALLOWED, not_from_oss),
        (406, code::BAD_ERROR_RESPONSE, not_from_oss),
        (407, code::BAD_ERROR_RESPONSE, not_from_oss),
        (408, code::BAD_ERROR_RESPONSE, broken),
        (409, "Conflict", rejected),
        (411, code::BAD_ERROR_RESPONSE, not_from_oss),
        (413, code::ENTITY_TOO_LARGE, rejected),
        (429, "Anything", (true, true, false)),
        (499, "Anything", rejected),
        (500, code::INTERNAL_ERROR, broken),
        (502, code::BAD_ERROR_RESPONSE, broken),
        (503, "ServiceUnavailable", broken),
        (503, code::QPS_LIMIT_EXCEEDED, throttled),
        (503, code::TOTAL_QPS_LIMIT_EXCEEDED, throttled),
        (503, code::META_OPERATION_QPS_LIMIT_EXCEEDED, throttled),
        (503, code::ACTIVE_REQUEST_LIMIT_EXCEEDED, throttled),
        (503, code::CPU_LIMIT_EXCEEDED, throttled),
        (503, code::SLOW_DOWN, throttled),
        (503, "slowdown", broken),
        (999, "Anything", broken),
    ] {
        let error = ServiceError::new(StatusCode::from_u16(status).unwrap(), code, "m");
        let judgement = (error.is_retryable(), error.is_throttling(), error.may_have_deleted());
        assert_eq!(judgement, expected, "{status} {code}");
    }
}

#[test]
fn a_request_id_without_a_code_is_from_oss() {
    for (status, expected) in [
        // It may be `RequestTimeout`. The official SDKs do not retry it.
        (400, (false, false, true)),
        (401, (true, false, false)),
        (403, (false, false, false)),
        (404, (false, false, false)),
        (409, (false, false, false)),
        (413, (false, false, false)),
        (429, (true, true, false)),
        (500, (true, false, true)),
        (503, (true, true, true)),
    ] {
        let error = parse(status, &[("x-oss-request-id", "ID")], "").unwrap_err();
        assert_eq!(
            (error.is_retryable(), error.is_throttling(), error.may_have_deleted()),
            expected,
            "{status}"
        );
        assert!(error.is_from_oss(), "{status}");
        assert!(!parse(status, &[], "").unwrap_err().is_from_oss(), "{status}");
    }
    for status in [200, 302, 405, 407, 411] {
        assert!(
            !parse(status, &[("x-oss-request-id", "ID")], "<html>").unwrap_err().is_from_oss(),
            "{status}"
        );
    }
}

#[test]
fn errors_are_printed_on_one_line() {
    let error = ServiceError::new(StatusCode::FORBIDDEN, "Access\nDenied", "a\r\nb\u{1b}[31m é");
    for (error, shown) in [
        (error.clone(), r"403 Access\nDenied: a\r\nb\u{1b}[31m é"),
        (
            error.clone().with_request_id("I\tD"),
            r"403 Access\nDenied: a\r\nb\u{1b}[31m é (request id I\tD)",
        ),
        (
            error.clone().with_ec("E\u{85}C"),
            r"403 Access\nDenied: a\r\nb\u{1b}[31m é (EC E\u{85}C)",
        ),
        (
            error.with_request_id("ID").with_ec("EC"),
            r"403 Access\nDenied: a\r\nb\u{1b}[31m é (request id ID, EC EC)",
        ),
        (ServiceError::new(StatusCode::NOT_FOUND, code::NO_SUCH_BUCKET, ""), "404 NoSuchBucket"),
    ] {
        assert_eq!(error.to_string(), shown);
    }
}

#[test]
fn errors_give_advice() {
    let bucket = "acs:ossvector:cn-hangzhou:1234567890123456:examplebucket";
    let host = "examplebucket-1234567890123456.cn-hangzhou.oss-vectors.aliyuncs.com";
    for (status, code, advice) in [
        (
            403,
            code::ACCESS_DENIED,
            Some(format!("allow the action oss:DeleteVectors on {bucket} and {bucket}/*")),
        ),
        (
            404,
            code::NO_SUCH_BUCKET,
            Some(format!(
                "check region, account id and bucket of {bucket}, and the endpoint: {host}"
            )),
        ),
        (
            404,
            code::NO_SUCH_VECTOR_INDEX,
            Some(format!("check the index name, {bucket}/vectorindex1")),
        ),
        (403, code::INVALID_ACCESS_KEY_ID, Some("check the AccessKey id".to_owned())),
        (
            403,
            code::SIGNATURE_DOES_NOT_MATCH,
            Some("check the AccessKey secret, the region and the account id".to_owned()),
        ),
        (403, code::SECURITY_TOKEN_EXPIRED, Some("get new STS credentials".to_owned())),
        (403, code::INVALID_SECURITY_TOKEN, Some("get new STS credentials".to_owned())),
        (
            403,
            code::REQUEST_TIME_TOO_SKEWED,
            Some("set the clock: it is more than 15 minutes off".to_owned()),
        ),
        (
            403,
            code::USER_DISABLE,
            Some("enable the account or the user, or pay the bill".to_owned()),
        ),
        (
            400,
            code::VECTOR_INDEX_PARAMETER_INVALID,
            Some("check the index name and the keys".to_owned()),
        ),
        (400, code::INVALID_DIGEST, Some("send again: the body was changed on the way".to_owned())),
        (400, code::BAD_REQUEST, Some("send again".to_owned())),
        (401, "SomethingNew", Some("send again".to_owned())),
        (503, code::QPS_LIMIT_EXCEEDED, Some("send again, more slowly".to_owned())),
        (500, code::INTERNAL_ERROR, Some("send again: some keys may be deleted".to_owned())),
        (404, "SomethingNew", None),
        (503, code::BAD_ERROR_RESPONSE, Some("send again, more slowly".to_owned())),
        (
            502,
            code::BAD_ERROR_RESPONSE,
            Some(
                "check the endpoint: the response is not from OSS, and some keys may be deleted"
                    .to_owned(),
            ),
        ),
        (
            302,
            code::BAD_ERROR_RESPONSE,
            Some(
                "check the endpoint: the response is not from OSS, and some keys may be deleted"
                    .to_owned(),
            ),
        ),
    ] {
        let error = ServiceError::new(StatusCode::from_u16(status).unwrap(), code, "m");
        assert_eq!(error.advice(&target()).map(String::from), advice, "{code}");
    }
}
