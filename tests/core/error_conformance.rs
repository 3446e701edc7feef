//! Every recorded response is understood as well as by the official SDK, or better.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use crate::fixtures::{ErrorCase, Level, error_cases};
use bytes::Bytes;
use http::Response;
use oss_delete_vectors::{DeleteVectors, Deleted, Operation, ServiceError};
use serde_json::{Value, json};

/// What happens over several answers: for the engine that retries.
const LEFT_TO_BULK: [&str; 4] = [
    "sequence/503-500-then-204",
    "sequence/skew-then-204",
    "sequence/skew-behind-then-204",
    "sequence/skew-always",
];

/// What happens where there is no answer: for the transports.
const LEFT_TO_TRANSPORTS: [&str; 3] =
    ["transport/connect-refused", "transport/connect-timeout", "transport/tls-failure"];

/// Answers that are good news.
const SUCCESSES: [&str; 5] = [
    "success/204-no-date",
    "success/204-json-type",
    "success/200-object",
    "success/202",
    "success/299",
];

#[test]
fn cases_are_left_to_others_by_name_only() {
    let cases = error_cases();
    assert_eq!(cases.len(), 79);
    let of_category = |category: &str| -> Vec<String> {
        cases
            .iter()
            .filter(|case| case.id.starts_with(category))
            .map(|case| case.id.clone())
            .collect()
    };
    assert_eq!(of_category("sequence/"), LEFT_TO_BULK);
    assert_eq!(of_category("transport/"), LEFT_TO_TRANSPORTS);
    let unanswered: Vec<_> =
        cases.iter().filter(|case| case.response.is_none()).map(|case| case.id.as_str()).collect();
    assert_eq!(unanswered, LEFT_TO_TRANSPORTS);
}

#[test]
fn answers_mean_what_they_mean_to_the_sdk() {
    let mut compared = BTreeMap::<String, usize>::new();
    let mut successes = Vec::new();
    for (case, response) in answered(&[Level::Full, Level::NoMessage]) {
        let answer = DeleteVectors::parse_response(&response);
        for name in &case.compare {
            // How often the SDK tried and how long it slept is no matter of one answer.
            let Some(ours) = member(name, &response, &answer) else {
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
        match answer {
            Ok(_) => successes.push(case.id),
            // Where the text is the SDK's own there is one of ours.
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

/// A member of `expected_sdk` as it is here, with `""` for what is missing; `None` for what one
/// answer does not tell.
fn member(
    name: &str,
    response: &Response<Bytes>,
    answer: &Result<Deleted, ServiceError>,
) -> Option<Value> {
    let error = answer.as_ref().err();
    let request_id = answer.as_ref().map_or_else(ServiceError::request_id, Deleted::request_id);
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

/// Answers that the SDK trips over, with what they give here: status, code, message, request id,
/// EC, whether it is worth a retry.
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
fn quirks_of_the_sdk_are_understood() {
    let quirks = answered(&[Level::Quirk]);
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
fn an_answer_without_a_document_says_what_it_is_instead() {
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
            answered(&[Level::NoMessage]).into_iter().find(|(case, _)| case.id == id).unwrap();
        assert_eq!(
            DeleteVectors::parse_response(&response).unwrap_err().message(),
            message,
            "{id}"
        );
    }
}

/// The cases of these levels that are one answer.
fn answered(levels: &[Level]) -> Vec<(ErrorCase, Response<Bytes>)> {
    let is_one_answer = |case: &ErrorCase| {
        levels.contains(&case.level) && !LEFT_TO_BULK.contains(&case.id.as_str())
    };
    let cases = error_cases().into_iter().filter(is_one_answer);
    cases.filter_map(|mut case| case.response.take().map(|response| (case, response))).collect()
}
