//! For any responses in any order, the report adds up after each step, and each key is reported
//! once.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{Response, StatusCode};
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event, Rate, Report};
use oss_delete_vectors::{
    Credentials, Deleted, Key, Now, ServiceError, Target, TransportError, code,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::canary::SECRET;
use crate::cases;

#[derive(Debug, Clone)]
enum Reply {
    Response(Response<Bytes>),
    Failed(TransportError),
    /// No response before the timeout of the state machine.
    Silence,
}

fn reply() -> impl Strategy<Value = Reply> {
    let codes = [
        code::QPS_LIMIT_EXCEEDED,
        code::VECTOR_INDEX_PARAMETER_INVALID,
        code::INTERNAL_ERROR,
        code::REQUEST_TIME_TOO_SKEWED,
        code::SECURITY_TOKEN_EXPIRED,
        code::ACCESS_DENIED,
        code::BAD_REQUEST,
    ];
    let error = (100..1000_u16, select(codes.to_vec()), any::<Option<u32>>()).prop_map(
        |(status, code, retry_after)| {
            let error = ServiceError::new(StatusCode::from_u16(status).unwrap(), code, "m")
                .with_date(UNIX_EPOCH);
            let error = match retry_after {
                Some(seconds) => error.with_retry_after(Duration::from_secs(u64::from(seconds))),
                None => error,
            };
            Reply::Response(error.to_response())
        },
    );
    // Errors that do not stop a run.
    let mild = select(vec![(400, codes[1]), (503, codes[0]), (500, codes[2])]);
    let mild = mild.prop_map(|(status, code)| {
        Reply::Response(
            ServiceError::new(StatusCode::from_u16(status).unwrap(), code, "m").to_response(),
        )
    });
    prop_oneof![
        3 => Just(Reply::Response(Deleted::new("id").to_response())),
        4 => mild,
        1 => error,
        1 => Just(Reply::Failed(TransportError::may_have_arrived("reset"))),
        1 => Just(Reply::Failed(TransportError::surely_not_sent("refused"))),
        1 => Just(Reply::Silence),
    ]
}

fn sum(report: Report) -> u64 {
    let Report { deleted, rejected, unconfirmed, not_attempted, duplicates, .. } = report;
    deleted + rejected + unconfirmed + not_attempted + duplicates + report.pending()
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn report_adds_up_and_each_key_is_reported_once(replies in vec((reply(), any::<Index>()), 1..60), keys in 1..3000_u32, attempts in 1..4_u32) {
        let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("i").build().unwrap();
        let options = BulkOptions::new().rate(Rate::Unlimited).max_attempts(attempts).concurrency(4);
        let mut bulk = BulkDelete::new(&target, Credentials::new("id", SECRET).unwrap(), options).unwrap();
        // Every third key is pushed four times.
        for number in (0..keys).flat_map(|number| [number, number - number % 3]) {
            bulk.push(Key::new(&format!("k{number}")).unwrap()).unwrap();
        }
        bulk.finish();

        let mut now = Now::new(Duration::ZERO, UNIX_EPOCH);
        let (mut replies, mut waiting) = (replies.into_iter(), Vec::new());
        let mut reported = vec![0_u8; 2 * usize::try_from(keys).unwrap()];
        let mut outcomes = 0;
        while !bulk.is_finished() {
            waiting.extend(std::iter::from_fn(|| bulk.poll_transmit(now)).map(|transmit| transmit.id));
            let reply = replies.next();
            let is_silent = matches!(reply, Some((Reply::Silence, _)));
            match reply {
                // The run ends with the script.
                None => bulk.abort(),
                Some(_) if waiting.is_empty() => {}
                Some((reply, index)) => {
                    let id = waiting.swap_remove(index.index(waiting.len()));
                    match reply {
                        Reply::Response(response) => bulk.handle_response(now, id, &response),
                        Reply::Failed(failure) => bulk.handle_failure(now, id, failure),
                        Reply::Silence => {}
                    }
                }
            }
            // Only if necessary, because it times out all requests in flight.
            if let Some(due) = bulk.poll_timeout().filter(|_| is_silent || waiting.is_empty()) {
                now = Now::new(due.max(now.monotonic), now.wall);
                bulk.handle_timeout(now);
            }
            while let Some(event) = bulk.poll_event() {
                let (keys, positions) = match event {
                    Event::Deleted { keys, positions, .. } => (keys, positions),
                    Event::Failed(failed) => (failed.keys.len(), failed.positions),
                    _ => continue,
                };
                outcomes += keys as u64;
                positions.iter().for_each(|position| reported[usize::try_from(position).unwrap()] += 1);
            }
            let report = bulk.report();
            prop_assert_eq!(sum(report), u64::from(2 * keys));
            prop_assert_eq!(report.deleted + report.rejected + report.unconfirmed + report.not_attempted, outcomes);
        }
        prop_assert_eq!(bulk.report().pending(), 0);
        prop_assert_eq!(reported.iter().position(|&times| times != 1), None);
    }
}
