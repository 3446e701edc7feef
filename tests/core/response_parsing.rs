//! Parts of a response: dates, delays, endpoints, and encoded bodies.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Response;
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event};
use oss_delete_vectors::{DeleteVectors, Key, Now, Operation, ServiceError, code};

use crate::calls::{SINCE_1970, credentials, target};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn error(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> ServiceError {
    DeleteVectors::parse_response(&response(status, headers, body)).unwrap_err()
}

fn response(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Bytes> {
    let builder =
        headers.iter().fold(Response::builder().status(status), |builder, (name, value)| {
            builder.header(*name, *value)
        });
    builder.body(body.into()).unwrap()
}

const NOW: u64 = SINCE_1970.as_secs();

#[test]
fn the_date_in_the_body_overrides_the_header() {
    const WRONG: &str = "Thu, 01 Jan 1970 00:00:00 GMT";
    const OTHER: &str = "Sat, 16 Dec 2023 10:00:00 GMT";
    for (date, server_time, expected) in [
        (Some(WRONG), Some("2023-12-16T16:20:57.000Z"), Some(NOW)),
        (Some(OTHER), Some("2023-12-16T16:20:57Z"), Some(NOW)),
        (None, Some("2023-12-17T00:20:57+08:00"), Some(NOW)),
        (None, Some("20231216T162057Z"), Some(NOW)),
        (None, Some("Sat, 16 Dec 2023 16:20:57 GMT"), Some(NOW)),
        (Some("Sat, 16 Dec 2023 16:20:57 GMT"), None, Some(NOW)),
        (Some("Sat, 16 Dec 2023 16:20:57 GMT"), Some("1970-01-01T00:00:00Z"), Some(NOW)),
        (Some("Sat, 16 Dec 2023 16:20:57 GMT"), Some("soon"), Some(NOW)),
        (Some("Saturday, 16-Dec-23 16:20:57 GMT"), None, Some(NOW)),
        (Some("Sat Dec 16 16:20:57 2023"), None, Some(NOW)),
        (Some("16 Dec 2023 16:20:57 UTC"), None, Some(NOW)),
        (Some("Sat, 16 Dec 2023 16:20:57 +0000"), None, Some(NOW)),
        (Some(WRONG), Some("9999-12-31T23:59:59Z"), None),
        (Some(WRONG), None, None),
        (None, None, None),
    ] {
        let headers: Vec<_> = date.map(|date| ("date", date)).into_iter().collect();
        let member = server_time.map_or(String::new(), |time| format!(r#","ServerTime":"{time}""#));
        let json = format!(r#"{{"Error":{{"Code":"RequestTimeTooSkewed"{member}}}}}"#);
        let element =
            server_time.map_or(String::new(), |time| format!("<ServerTime>{time}</ServerTime>"));
        let xml = format!("<Error><Code>RequestTimeTooSkewed</Code>{element}</Error>");
        for body in [json, xml] {
            assert_eq!(
                error(403, &headers, body.clone()).date(),
                expected.map(at),
                "{date:?} {body}"
            );
        }
    }
}

#[test]
fn a_run_corrects_its_clock_by_the_date_in_the_body() {
    let skewed = response(
        403,
        &[("date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("x-oss-request-id", "1")],
        "<Error><Code>RequestTimeTooSkewed</Code><ServerTime>2023-12-16T16:20:57.000Z</ServerTime></Error>",
    );
    let mut bulk = BulkDelete::new(&target(), credentials(), BulkOptions::new()).unwrap();
    bulk.push(Key::new("a").unwrap()).unwrap();
    bulk.finish();
    // The client's clock is two hours behind.
    let now = Now::new(Duration::ZERO, at(NOW - 7200));
    let transmit = bulk.poll_transmit(now).unwrap();
    bulk.handle_response(now, transmit.id, &skewed);
    assert!(matches!(bulk.poll_event(), Some(Event::ClockCorrected)));
    let again = bulk.poll_transmit(now).unwrap();
    assert_eq!(again.to_request().headers()["x-oss-date"], "20231216T162057Z");
}

#[test]
fn retry_after_is_read_in_every_form() {
    for (value, expected) in [
        ("0", Some(0)),
        ("3", Some(3)),
        (" 3 ", Some(3)),
        ("1.5", Some(2)),
        ("1.0", Some(1)),
        ("0.25", Some(1)),
        (".5", Some(1)),
        ("1.", Some(1)),
        ("007", Some(7)),
        ("18446744073709551616.5", Some(u64::MAX)),
        ("Sat, 16 Dec 2023 16:21:27 GMT", Some(30)),
        ("16 Dec 2023 16:21:27 UTC", Some(30)),
        ("Sat, 16 Dec 2023 16:20:27 GMT", Some(0)),
        ("-1", None),
        ("-1.5", None),
        ("+1", None),
        ("1,5", None),
        ("1.5.5", None),
        ("1e9", None),
        ("5s", None),
        ("NaN", None),
        (".", None),
        ("", None),
        ("later", None),
    ] {
        let error = error(503, &[("retry-after", value)], "");
        assert_eq!(error.retry_after(at(NOW)), expected.map(Duration::from_secs), "{value:?}");
    }
}

#[test]
fn advice_contains_the_endpoint_from_access_denied() {
    let policy = "allow the action oss:DeleteVectors on acs:ossvector:cn-hangzhou:1234567890123456:examplebucket and \
                  acs:ossvector:cn-hangzhou:1234567890123456:examplebucket/*";
    let there = "use the endpoint cn-shanghai.oss-vectors.aliyuncs.com and its region, because the bucket is there";
    for (endpoint, expected) in [
        ("cn-shanghai.oss-vectors.aliyuncs.com", there),
        ("https://CN-Shanghai.oss-vectors.aliyuncs.com/\u{1b}[2J", there),
        ("cn-hangzhou.oss-vectors.aliyuncs.com", policy),
        ("examplebucket-1234567890123456.cn-hangzhou.oss-vectors.aliyuncs.com", policy),
        ("", policy),
        ("not a host", policy),
    ] {
        let document = format!(
            "<Error><Code>AccessDenied</Code><Message>m</Message><Endpoint>{endpoint}</Endpoint></Error>"
        );
        let response = response(403, &[("x-oss-request-id", "1")], document);
        let error = DeleteVectors::parse_response(&response).unwrap_err();
        assert_eq!(error.advice(&target()).unwrap(), expected, "{endpoint}");

        let mut bulk = BulkDelete::new(&target(), credentials(), BulkOptions::new()).unwrap();
        bulk.push(Key::new("a").unwrap()).unwrap();
        bulk.finish();
        let now = Now::new(Duration::ZERO, at(NOW));
        let transmit = bulk.poll_transmit(now).unwrap();
        bulk.handle_response(now, transmit.id, &response);
        let failed = std::iter::from_fn(|| bulk.poll_event()).find_map(|event| match event {
            Event::Failed(failed) => failed.error,
            _ => None,
        });
        assert_eq!(failed.unwrap().advice(&target()).unwrap(), expected, "{endpoint}");
    }
}

#[test]
fn encoded_bodies_are_classified_by_status() {
    // An error document compressed with gzip.
    let gzip =
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xabV*.M.J-Q\xb2\xaa\xae\x05\0\xff\xff\xff\xff\x0b\0\0\0";
    for (status, headers) in [
        (403, &[("content-encoding", "gzip")][..]),
        (403, &[]),
        (503, &[("content-encoding", "x-gzip")]),
    ] {
        let error = error(status, headers, &gzip[..]);
        assert_eq!((error.status().as_u16(), error.code()), (status, code::BAD_ERROR_RESPONSE));
        let name = headers.first().map_or("gzip", |(_, name)| name);
        assert_eq!(
            error.message(),
            format!("the response is not an error document: the body is {name}-encoded")
        );
        assert_eq!(error.is_retryable(), status == 503);
    }
    // The header that replaces a body is used here as well.
    let document = "PEVycm9yPjxDb2RlPkFjY2Vzc0RlbmllZDwvQ29kZT48L0Vycm9yPg==";
    let headers = [("content-encoding", "gzip"), ("x-oss-err", document)];
    assert_eq!(error(403, &headers, &gzip[..]).code(), code::ACCESS_DENIED);
}
