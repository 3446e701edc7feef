//! Every recorded response is parsed at least as well as by the official SDK.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use crate::fixtures::{ErrorCase, Level, error_cases};
use bytes::Bytes;
use http::Response;
use oss_delete_vectors::{DeleteVectors, Deleted, Operation, ServiceError};
use serde_json::{Value, json};

/// Cases with several responses, which only a retry engine can handle.
const EXCLUDED_FOR_BULK: [&str; 4] = [
    "sequence/503-500-then-204",
    "sequence/skew-then-204",
    "sequence/skew-behind-then-204",
    "sequence/skew-always",
];

/// Cases without a response, which only a transport can handle.
const EXCLUDED_FOR_TRANSPORTS: [&str; 3] =
    ["transport/connect-refused", "transport/connect-timeout", "transport/tls-failure"];

/// Responses that mean success.
const SUCCESSES: [&str; 5] = [
    "success/204-no-date",
    "success/204-json-type",
    "success/200-object",
    "success/202",
    "success/299",
];

#[test]
fn cases_are_excluded_by_name_only() {
    let cases = error_cases();
    assert_eq!(cases.len(), 79);
    let of_category = |category: &str| -> Vec<String> {
        cases
            .iter()
            .filter(|case| case.id.starts_with(category))
            .map(|case| case.id.clone())
            .collect()
    };
    assert_eq!(of_category("sequence/"), EXCLUDED_FOR_BULK);
    assert_eq!(of_category("transport/"), EXCLUDED_FOR_TRANSPORTS);
    let without_response: Vec<_> =
        cases.iter().filter(|case| case.response.is_none()).map(|case| case.id.as_str()).collect();
    assert_eq!(without_response, EXCLUDED_FOR_TRANSPORTS);
}

#[test]
fn responses_mean_the_same_as_in_the_sdk() {
    let mut compared = BTreeMap::<String, usize>::new();
    let mut successes = Vec::new();
    for (case, response) in with_response(&[Level::Full, Level::NoMessage]) {
        let result = DeleteVectors::parse_response(&response);
        for name in &case.compare {
            // A single response has no number of attempts and no sleep times.
            let Some(ours) = member(name, &response, &result) else {
                assert!(
                    matches!(name.as_str(), "attempts" | "sleeps"),
                    "{}: {name} is not compared",
                    case.id
                );
                continue;
            };
            assert_eq!(ours, case.expected[name], "{}: {name}", case.id);
            *compared.entry(name.clone()).or_default() += 1;
        }
        match result {
            Ok(_) => successes.push(case.id),
            // Where the message is the SDK's own, this crate has its own.
            Err(error) => {
                assert!(case.level == Level::Full || !error.message().is_empty(), "{}", case.id);
            }
        }
    }
    assert_eq!(successes, SUCCESSES);
    let expected = [
        ("code", 52),
        ("ec", 52),
        ("fields", 32),
        ("message", 32),
        ("outcome", 57),
        ("request_id", 57),
        ("retryable", 52),
        ("status_code", 57),
        ("timestamp_unix", 52),
    ];
    assert_eq!(compared, expected.map(|(name, count)| (name.to_owned(), count)).into());
}

/// The value that this crate has for a member of `expected_sdk`: `""` if it is missing, `None` if a
/// single response cannot have it.
fn member(
    name: &str,
    response: &Response<Bytes>,
    result: &Result<Deleted, ServiceError>,
) -> Option<Value> {
    let error = result.as_ref().err();
    let request_id = result.as_ref().map_or_else(ServiceError::request_id, Deleted::request_id);
    Some(match name {
        "outcome" => json!(if error.is_none() { "success" } else { "service_error" }),
        "status_code" => json!(error.map_or(response.status(), ServiceError::status).as_u16()),
        "request_id" => json!(request_id.unwrap_or_default()),
        "code" => json!(error?.code()),
        "message" => json!(error?.message()),
        "ec" => json!(error?.ec().unwrap_or_default()),
        "fields" => error?.fields().map(|(name, value)| (name.to_owned(), json!(value))).collect(),
        "timestamp_unix" => json!(error?.date()?.duration_since(UNIX_EPOCH).ok()?.as_secs()),
        "retryable" => json!(error?.is_retryable()),
        _ => return None,
    })
}

const ID: Option<&str> = Some("657DCF19A1B2C3D4E5F60718");
const NO_INDEX: &str = "The specified vector index does not exist.";

/// Responses that the SDK does not parse correctly, with the expected status, code, message,
/// request id, EC and whether to retry.
type Quirk = (
    &'static str,
    u16,
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    bool,
);
const QUIRKS: [Quirk; 15] = [
    ("json/code-not-string", 400, "BadErrorResponse", "m", ID, None, false),
    ("json/no-wrapper", 400, "MalformedJson", "m", Some("RID1"), Some("E1"), false),
    ("json/lower-case-names", 400, "MalformedJson", "m", ID, None, false),
    ("json/duplicate-members", 400, "Second", "m", ID, None, false),
    ("json/truncated-after-code", 503, "QpsLimitExceeded", "", ID, None, true),
    ("json/truncated-indented", 404, "NoSuchVectorIndex", NO_INDEX, ID, None, false),
    ("json/lone-surrogate", 400, "MalformedJson", "", ID, None, false),
    ("content-type/upper", 404, "NoSuchVectorIndex", NO_INDEX, ID, Some("0057-00000104"), false),
    ("content-type/missing", 404, "NoSuchVectorIndex", NO_INDEX, ID, Some("0057-00000104"), false),
    (
        "content-type/text-plain",
        404,
        "NoSuchVectorIndex",
        NO_INDEX,
        ID,
        Some("0057-00000104"),
        false,
    ),
    ("xml/broken-but-tagged", 404, "NoSuchBucket", "a & b", Some("R"), None, false),
    ("xml/non-utf8", 404, "\u{fffd}\u{fffd}", "", ID, None, false),
    ("date/missing-404", 404, "NoSuchVectorIndex", "m", ID, Some("E"), false),
    ("date/garbage-503", 503, "QpsLimitExceeded", "m", ID, Some("E"), true),
    ("success/200-html", 200, "BadErrorResponse", HTML_MESSAGE, ID, None, false),
];
const HTML_MESSAGE: &str =
    r#"the response is not an error document: the body is "<html>captive portal</html>""#;

#[test]
fn responses_that_the_sdk_misreads_are_parsed() {
    let quirks = with_response(&[Level::Quirk]);
    assert_eq!(
        quirks.iter().map(|(case, _)| case.id.as_str()).collect::<Vec<_>>(),
        QUIRKS.map(|quirk| quirk.0)
    );
    for ((case, response), expected) in quirks.iter().zip(QUIRKS) {
        let error = DeleteVectors::parse_response(response).unwrap_err();
        let status = error.status().as_u16();
        let (code, message, request_id, ec) =
            (error.code(), error.message(), error.request_id(), error.ec());
        assert_eq!(
            (case.id.as_str(), status, code, message, request_id, ec, error.is_retryable()),
            expected
        );
        assert_eq!(error.date().is_some(), !case.id.starts_with("date/"), "{}", case.id);
    }
}

#[test]
fn responses_without_an_error_document_are_described() {
    for (id, message) in [
        ("gateway/empty-502", "the response is not an error document: the body is empty"),
        (
            "gateway/html5-500",
            r#"the response is not an error document: the body is "<!DOCTYPE html><html><head><meta charset=utf-8></head><br></html>""#,
        ),
        (
            "json/truncated-early",
            r#"the response is not an error document: the body is "{\"Error\":{\"Code\":\"QpsLim""#,
        ),
        ("json/nul-bytes", r#"the response is not an error document: the body is "\0\0\0\0""#),
        ("error-type/v2-invalid", r#"the response is not an error document: the body is "oops""#),
    ] {
        let (_, response) =
            with_response(&[Level::NoMessage]).into_iter().find(|(case, _)| case.id == id).unwrap();
        assert_eq!(
            DeleteVectors::parse_response(&response).unwrap_err().message(),
            message,
            "{id}"
        );
    }
}

/// The cases of these levels that have a single response.
fn with_response(levels: &[Level]) -> Vec<(ErrorCase, Response<Bytes>)> {
    let is_one_answer = |case: &ErrorCase| {
        levels.contains(&case.level) && !EXCLUDED_FOR_BULK.contains(&case.id.as_str())
    };
    let cases = error_cases().into_iter().filter(is_one_answer);
    cases.filter_map(|mut case| case.response.take().map(|response| (case, response))).collect()
}
