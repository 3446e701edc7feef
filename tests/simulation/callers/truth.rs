//! What the emulator did to each key, compared with the results of the calls.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use oss_delete_vectors::bulk::{KeyOutcome, TransmitId};
use oss_delete_vectors::calls::{Call, CallId, DeleteError, DeleteErrorKind};

/// Numbers of keys that only one call has start here. Smaller ones may be in any call.
pub(super) const SHARED_KEYS: u64 = 200;

#[derive(Default)]
pub(super) struct Truth {
    /// The keys of each request.
    requests: BTreeMap<TransmitId, Vec<u64>>,
    /// When each key was last deleted.
    executed: BTreeMap<u64, Duration>,
    pub(super) calls: BTreeMap<CallId, CallRecord>,
    /// Keys of one call that were reported rejected or not attempted.
    untouched: Vec<(CallId, u64, KeyOutcome)>,
}

pub(super) struct CallRecord {
    keys: Vec<u64>,
    at: Duration,
    pub(super) deadline: Option<Duration>,
    /// Deletion stopped while the call waited.
    pub(super) saw_stop: bool,
    pub(super) is_abandoned: bool,
    pub(super) result: Option<Result<(), DeleteError>>,
}

pub(super) fn text(key: u64) -> String {
    format!("k{key}")
}

fn number(text: &str) -> u64 {
    text[1..].parse().expect("a key of this test")
}

impl Truth {
    pub(super) fn begin(
        &mut self,
        id: CallId,
        keys: Vec<u64>,
        at: Duration,
        timeout: Option<Duration>,
    ) {
        let deadline = timeout.map(|timeout| at + timeout);
        let record =
            CallRecord { keys, at, deadline, saw_stop: false, is_abandoned: false, result: None };
        assert!(self.calls.insert(id, record).is_none(), "{id:?} has begun twice");
    }

    pub(super) fn call(keys: &[u64], timeout: Option<Duration>) -> Call {
        Call::new(keys.iter().map(|&key| text(key))).unwrap().default_timeout(timeout)
    }

    pub(super) fn sent(&mut self, id: TransmitId, request: &Request<Bytes>) {
        let body = std::str::from_utf8(request.body()).unwrap();
        let (_, keys) = body.split_once("\"keys\":[").expect("the body has keys");
        let keys = keys.split('"').skip(1).step_by(2).map(number).collect();
        self.requests.insert(id, keys);
    }

    pub(super) fn arrived(&mut self, id: TransmitId, executed: usize, now: Duration) {
        for &key in &self.requests[&id][..executed] {
            self.executed.insert(key, now);
        }
    }

    pub(super) fn stopped(&mut self) {
        let waiting = self.calls.values_mut().filter(|call| call.result.is_none());
        waiting.for_each(|call| call.saw_stop = true);
    }

    pub(super) fn finished(
        &mut self,
        id: CallId,
        result: Result<(), DeleteError>,
        now: Duration,
        is_closed: bool,
    ) {
        let call = self.calls.get_mut(&id).expect("a call that has begun");
        assert!(call.result.is_none(), "{id:?} has a second result: {result:?}");
        assert!(!call.is_abandoned, "{id:?} was abandoned and has a result");
        let mut named = BTreeMap::new();
        if let Err(error) = &result {
            assert_eq!(error.total(), call.keys.len());
            match error.kind() {
                DeleteErrorKind::Stopped(_) => assert!(call.saw_stop, "{id:?}: {error:?}"),
                DeleteErrorKind::TimedOut(_) => {
                    assert!(call.deadline.is_some_and(|at| at <= now), "{id:?}: {error:?}");
                }
                DeleteErrorKind::Closed => assert!(is_closed, "{id:?}: {error:?}"),
                DeleteErrorKind::NotDeleted => {}
                kind => panic!("{kind:?}"),
            }
            let mut order = call.keys.iter();
            for key in error.not_deleted() {
                let number = number(key.key);
                assert!(order.any(|&of_call| of_call == number), "{number} is out of order");
                named.insert(number, key.outcome);
            }
            assert!(!named.is_empty(), "an error without a key");
        }
        for key in &call.keys {
            match named.get(key) {
                // Deleted after the call began, or by an earlier request that was still in flight.
                None => {
                    let at = self.executed.get(key);
                    assert!(
                        at.is_some(),
                        "{id:?}: {key} is reported deleted but was never deleted"
                    );
                    if *key < SHARED_KEYS {
                        assert!(
                            at.is_some_and(|&at| at >= call.at),
                            "{id:?}: {key} was not deleted after the call began"
                        );
                    }
                }
                Some(KeyOutcome::Unconfirmed) => {}
                Some(&outcome) if *key >= SHARED_KEYS => self.untouched.push((id, *key, outcome)),
                Some(_) => {}
            }
        }
        call.result = Some(result);
    }

    /// To be called after all calls and requests have ended.
    pub(super) fn check(&self) {
        for (id, key, outcome) in &self.untouched {
            let executed = self.executed.get(key);
            assert!(executed.is_none(), "{id:?}: {key} is reported {outcome} but was deleted");
        }
        for (id, call) in &self.calls {
            assert_eq!(call.result.is_some(), !call.is_abandoned, "{id:?} has no result");
        }
    }
}
