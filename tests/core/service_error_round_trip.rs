//! A client reads the same error that a server writes.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use oss_delete_vectors::{DeleteVectors, Deleted, Operation, ServiceError, code};

use crate::calls::time;

const DATE: SystemTime = UNIX_EPOCH;

fn after(seconds: u64) -> SystemTime {
    DATE + Duration::from_secs(seconds)
}

fn round_trip(error: &ServiceError) -> ServiceError {
    DeleteVectors::parse_response(&error.to_response()).unwrap_err()
}

fn fields(error: &ServiceError) -> BTreeMap<&str, &str> {
    error.fields().collect()
}

/// Text that JSON has to escape, and text that is invalid in a header.
const TEXTS: [&str; 8] = [
    "m",
    "Too fast.",
    "\"quoted\" \\ </Error>",
    "line\r\nbreak\0\u{1b}[31m",
    "拒绝访问 😀",
    " spaces ",
    "{}",
    "null",
];

#[test]
fn all_fields_survive_a_round_trip() {
    for status in [400, 403, 404, 409, 413, 429, 500, 503, 599]
        .map(|status| StatusCode::from_u16(status).unwrap())
    {
        for text in TEXTS {
            let sent = ServiceError::new(status, code::QPS_LIMIT_EXCEEDED, text)
                .with_request_id(text)
                .with_ec(text)
                .with_field("HostId", text)
                .with_field(text, "value")
                .with_date(time())
                .with_retry_after(Duration::from_secs(17))
                .with_qos_delay(Duration::from_millis(1234));
            let read = round_trip(&sent);
            assert_eq!(
                (read.status(), read.code(), read.message()),
                (status, code::QPS_LIMIT_EXCEEDED, text)
            );
            assert_eq!((read.request_id(), read.ec()), (Some(text), Some(text)));
            assert_eq!(read.date(), Some(time()));
            assert_eq!(read.qos_delay(), Some(Duration::from_millis(1234)));
            assert_eq!(read.retry_after(DATE), Some(Duration::from_secs(17)));
            let named = [
                ("Code", code::QPS_LIMIT_EXCEEDED),
                ("Message", text),
                ("RequestId", text),
                ("EC", text),
            ];
            let expected: BTreeMap<_, _> =
                named.into_iter().chain([("HostId", text), (text, "value")]).collect();
            assert_eq!(fields(&read), expected);
            assert_eq!(
                (read.is_retryable(), read.is_throttling()),
                (sent.is_retryable(), sent.is_throttling())
            );
            assert_eq!(round_trip(&read), read, "a parsed error survives another round trip");
        }
    }
}

#[test]
fn missing_fields_stay_missing() {
    let read = round_trip(&ServiceError::new(StatusCode::FORBIDDEN, code::ACCESS_DENIED, ""));
    assert_eq!((read.code(), read.message()), (code::ACCESS_DENIED, ""));
    assert_eq!(
        (read.request_id(), read.ec(), read.date(), read.retry_after(DATE), read.qos_delay()),
        (None, None, None, None, None)
    );
    assert_eq!(fields(&read), BTreeMap::from([("Code", code::ACCESS_DENIED), ("Message", "")]));
}

#[test]
fn any_code_survives_a_round_trip() {
    for code in [code::ACCESS_DENIED, code::BAD_ERROR_RESPONSE, "SomethingNew", "\""] {
        assert_eq!(round_trip(&ServiceError::new(StatusCode::BAD_REQUEST, code, "m")).code(), code);
    }
}

#[test]
fn dates_and_delays_are_limited_to_whole_seconds() {
    let error = ServiceError::new(StatusCode::SERVICE_UNAVAILABLE, code::SLOW_DOWN, "m");
    for (date, written) in [
        (after(0), after(0)),
        (after(1) + Duration::from_nanos(999_999_999), after(1)),
        (UNIX_EPOCH - Duration::from_secs(1), after(0)),
        (after(253_402_300_799), after(253_402_300_799)),
        (after(253_402_300_800), after(253_402_300_799)),
    ] {
        let sent = error.clone().with_date(date);
        assert_eq!(sent.date(), Some(written));
        // Sent, but not parsed, because no server has such a time.
        assert!(sent.to_response().headers().contains_key("date"));
        assert_eq!(round_trip(&sent).date(), None);
    }
    for (delay, seconds) in
        [(Duration::ZERO, 0), (Duration::from_millis(1999), 1), (Duration::MAX, u64::MAX)]
    {
        let sent = error.clone().with_retry_after(delay);
        assert_eq!(sent.retry_after(DATE), Some(Duration::from_secs(seconds)));
        assert_eq!(round_trip(&sent).retry_after(DATE), Some(Duration::from_secs(seconds)));
    }
}

#[test]
fn retry_after_date_is_relative_to_the_response_date() {
    let written =
        ServiceError::new(StatusCode::SERVICE_UNAVAILABLE, code::SLOW_DOWN, "m").with_date(time());
    for (retry_after, expected) in [
        ("Sat, 16 Dec 2023 16:21:57 GMT", Some(60)),
        ("Sat, 16 Dec 2023 16:19:57 GMT", Some(0)),
        ("99999999999999999999999", Some(u64::MAX)),
        (" 5 ", Some(5)),
        ("soon", None),
        ("-1", None),
        ("", None),
    ] {
        let mut response = written.to_response();
        response.headers_mut().insert("retry-after", retry_after.parse().unwrap());
        let read = DeleteVectors::parse_response(&response).unwrap_err();
        assert_eq!(read.retry_after(DATE), expected.map(Duration::from_secs), "{retry_after}");
        assert_eq!(round_trip(&read), read, "{retry_after}");

        response.headers_mut().remove("date");
        let read = DeleteVectors::parse_response(&response).unwrap_err();
        assert_eq!(
            read.retry_after(time()),
            expected.map(Duration::from_secs),
            "{retry_after}, by the clock"
        );
    }
}

#[test]
fn success_arrives_with_its_id_and_delay() {
    let delay = Duration::from_millis(1234);
    for (sent, delay) in [
        (Deleted::new("534B371674A4D890XXXX"), None),
        (Deleted::new("r").with_qos_delay(delay), Some(delay)),
    ] {
        let read = DeleteVectors::parse_response(&sent.to_response()).unwrap();
        assert_eq!((read.request_id(), read.qos_delay()), (sent.request_id(), delay));
        assert_eq!(read, sent);
    }
    // A request id that is invalid in a header is left out, and without one nothing is confirmed.
    let unwritable =
        DeleteVectors::parse_response(&Deleted::new("line\nbreak").to_response()).unwrap_err();
    assert_eq!((unwritable.status().as_u16(), unwritable.request_id()), (204, None));
}
