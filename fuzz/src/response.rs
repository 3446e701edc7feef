//! Responses: parsing never fails or varies, and a run accounts for every key.

use std::time::Duration;

use http::header::HeaderValue;
use http::{Response, StatusCode};
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event};
use oss_delete_vectors::{DeleteVectors, Deleted, Key, Now, Operation, ServiceError};

use crate::example::{credentials, target, time};
use crate::wire;

/// Parses a response, and passes it to a run.
pub fn response(data: &[u8]) {
    let Some(response) = wire::response(data) else { return };
    let outcome = DeleteVectors::parse_response(&response);
    assert_eq!(DeleteVectors::parse_response(&response), outcome);
    match &outcome {
        Ok(deleted) => check_deleted(&response, deleted),
        Err(error) => check_error(&response, error),
    }
    check_run(&response, outcome.is_ok());
}

fn check_deleted(response: &Response<Vec<u8>>, deleted: &Deleted) {
    let status = response.status();
    let is_confirmed = status.is_success()
        && deleted.request_id().is_some()
        && !response.headers().contains_key("x-oss-err");
    assert!(status == StatusCode::NO_CONTENT || is_confirmed);
    let again =
        DeleteVectors::parse_response(&deleted.to_response()).expect("a deletion round-trips");
    assert_eq!(again.qos_delay(), deleted.qos_delay());
    let can_be_sent = |id: &&str| HeaderValue::from_str(id).is_ok();
    assert_eq!(again.request_id(), deleted.request_id().filter(can_be_sent));
}

fn check_error(response: &Response<Vec<u8>>, error: &ServiceError) {
    assert_eq!(error.status(), response.status());
    assert!(!error.code().is_empty());
    assert!(!error.to_string().contains(char::is_control));
    let _ = error.advice(&target());
    if error.is_throttling() && !matches!(error.status().as_u16(), 429 | 503) {
        assert!(
            error.fields().any(|(name, _)| name.eq_ignore_ascii_case("code"))
                || response.headers().contains_key("x-oss-error-type")
        );
    }
    // Errors round-trip, except for a 204, which would be read as a success.
    if error.status() == StatusCode::NO_CONTENT {
        return;
    }
    let again =
        DeleteVectors::parse_response(&error.to_response()).expect_err("an error round-trips");
    assert_eq!((again.code(), again.message()), (error.code(), error.message()));
    assert_eq!(
        (again.request_id(), again.ec(), again.date()),
        (error.request_id(), error.ec(), error.date())
    );
    assert_eq!(
        (again.retry_after(time()), again.qos_delay()),
        (error.retry_after(time()), error.qos_delay())
    );
    assert_eq!(again.may_have_deleted(), error.may_have_deleted());
}

/// A run with one batch gets the response. Its keys are deleted or not, and none is lost.
fn check_run(response: &Response<Vec<u8>>, is_deleted: bool) {
    let mut bulk =
        BulkDelete::new(&target(), credentials(), BulkOptions::new().max_attempts(2)).unwrap();
    for key in ["a", "b", "c"] {
        bulk.push(Key::new(key).unwrap()).unwrap();
    }
    bulk.finish();
    let now = Now::new(Duration::ZERO, time());
    let transmit = bulk.poll_transmit(now).expect("a batch is ready");
    bulk.handle_response(now, transmit.id, response);
    assert_eq!(bulk.report().deleted, if is_deleted { 3 } else { 0 });
    bulk.abort();
    let mut reported = 0;
    while let Some(event) = bulk.poll_event() {
        match event {
            Event::Deleted { keys, .. } => reported += keys,
            Event::Failed(failed) => {
                reported += failed.keys.len();
                let error = failed.error.expect("the response was an error");
                assert!(
                    error.to_string().chars().count() <= 1001
                        && error.message().chars().count() <= 1001
                );
                assert!(!error.to_string().contains(char::is_control));
            }
            _ => {}
        }
    }
    assert_eq!((reported, bulk.report().pending()), (3, 0));
}
