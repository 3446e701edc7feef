//! How long a call is valid, to the second, in the header form and presigned.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::calls::{BUCKET, INDEX, call, credentials, presigned, signed, target, time, with_token};
use bytes::Bytes;
use http::Request;
use oss_delete_vectors::emulator::Emulator;
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::{Credentials, DeleteVectors, Now, Operation};

const TOLERANCE: i64 = 15 * 60;

/// The time `seconds` after [`time`]. Negative is before.
fn after(seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { time() - by } else { time() + by }
}

/// The error of a service whose clock shows `now`, or `None` if it deletes.
fn error_at(
    now: SystemTime,
    known: Credentials,
    request: &Request<Bytes>,
) -> Option<(String, String)> {
    let mut emulator = Emulator::with_vectors(&target(), known, ["doc-001"]).unwrap();
    let outcome =
        DeleteVectors::parse_response(&emulator.handle(Now::new(Duration::ZERO, now), request));
    assert_eq!(emulator.len(BUCKET, INDEX), Some(usize::from(outcome.is_err())));
    outcome.err().map(|error| (error.code().to_owned(), error.message().to_owned()))
}

#[test]
fn call_is_valid_within_15_minutes_of_its_date() {
    let skewed = ("RequestTimeTooSkewed", "the request's date is more than 15 minutes off");
    let request = signed(call(&["doc-001"]));
    for (seconds, expected) in [
        (-TOLERANCE - 1, Some(skewed)),
        (-TOLERANCE, None),
        (0, None),
        (TOLERANCE, None),
        (TOLERANCE + 1, Some(skewed)),
        (365 * 86_400, Some(skewed)),
    ] {
        let error = error_at(after(seconds), credentials(), &request);
        assert_eq!(
            error,
            expected.map(|(code, message)| (code.to_owned(), message.to_owned())),
            "{seconds} s"
        );
    }
}

#[test]
fn presigned_call_is_valid_until_it_expires() {
    let outside = ("AccessDenied", "the presigned request has expired or is not valid yet");
    for (expires, seconds, expected) in [
        (60, -TOLERANCE - 1, Some(outside)),
        (60, -TOLERANCE, None),
        (60, 0, None),
        (60, 60, None),
        (60, 61, Some(outside)),
        (0, 0, None),
        (0, 1, Some(outside)),
        (604_801, 604_801, None),
        (604_801, 604_802, Some(outside)),
        (u64::MAX, 365 * 86_400, None),
    ] {
        let request = presigned(call(&["doc-001"]), Duration::from_secs(expires));
        let error = error_at(after(seconds), credentials(), &request);
        assert_eq!(
            error,
            expected.map(|(code, message)| (code.to_owned(), message.to_owned())),
            "{expires} s, {seconds} s"
        );
    }
}

/// Dates have whole seconds.
#[test]
fn fractions_of_a_second_are_ignored() {
    let nearly = Duration::from_nanos(999_999_999);
    let request = signed(call(&["doc-001"]));
    assert_eq!(error_at(after(TOLERANCE) + nearly, credentials(), &request), None);
    let mut request = call(&["doc-001"]);
    Signer::new(&target(), credentials())
        .presign(&mut request, time() + nearly, Duration::from_secs(60) + nearly)
        .unwrap();
    assert_eq!(error_at(after(60) + nearly, credentials(), &request), None);
    assert!(error_at(after(61), credentials(), &request).is_some());
}

#[test]
fn token_expires_exactly_on_time() {
    let known = |expiration| with_token().with_expiration(expiration);
    let mut request = call(&["doc-001"]);
    Signer::new(&target(), with_token()).sign(&mut request, time());
    assert_eq!(error_at(time(), known(after(1)), &request), None);
    let expired = ("SecurityTokenExpired".to_owned(), "the security token has expired".to_owned());
    assert_eq!(error_at(time(), known(after(0)), &request), Some(expired));
}

/// Midnight is between the date of the request and the clock of the service.
#[test]
fn call_is_valid_across_midnight() {
    let midnight = UNIX_EPOCH + Duration::from_secs(1_702_771_200);
    let second = Duration::from_secs(1);
    for (signed_at, now) in [(midnight - second, midnight), (midnight, midnight - second)] {
        let mut request = call(&["doc-001"]);
        Signer::new(&target(), credentials()).sign(&mut request, signed_at);
        assert_eq!(error_at(now, credentials(), &request), None);
    }
}

#[test]
fn clock_out_of_range_is_handled() {
    let request = signed(call(&["doc-001"]));
    for now in
        [UNIX_EPOCH - Duration::from_secs(1), UNIX_EPOCH + Duration::from_secs(300_000_000_000)]
    {
        assert_eq!(error_at(now, credentials(), &request).unwrap().0, "RequestTimeTooSkewed");
    }
    // A clock before 1970 shows its beginning.
    let now = UNIX_EPOCH - Duration::from_secs(86_400);
    let mut request = call(&["doc-001"]);
    Signer::new(&target(), credentials()).sign(&mut request, now);
    assert_eq!(error_at(now, credentials(), &request), None);
}
