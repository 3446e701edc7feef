//! Pages of vectors: a page is parsed as its JSON, and a listing over any responses ends.

use std::time::Duration;

use http::Response;
use http::header::HeaderValue;
use oss_delete_vectors::bulk::BulkOptions;
use oss_delete_vectors::{
    GetVectors, Key, KeyLister, ListReport, ListVectors, Now, Operation, Selection,
};
use serde_json::{Map, Value};

use crate::example::{credentials, target, time};
use crate::wire;

/// The input is responses, separated by lines of `====`. The first one is parsed, and a listing
/// gets all of them in turn.
pub fn listing(data: &[u8]) {
    let responses: Vec<_> = wire::messages(data).filter_map(wire::response).collect();
    let Some(first) = responses.first() else { return };
    check_page(first);
    for segments in [1, 3] {
        check_lister(&responses, segments);
    }
}

fn check_page(response: &Response<Vec<u8>>) {
    let page = ListVectors::parse_response(response);
    assert_eq!(ListVectors::parse_response(response), page);
    let found = GetVectors::parse_response(response);
    let page = match (page, found) {
        (Ok(page), Ok(found)) => {
            assert_eq!(page.vectors(), found.vectors());
            page
        }
        // Only a lookup ignores the token of the next page.
        (Err(error), found) => {
            assert!(found.is_err() || error.message().contains("nextToken"));
            assert!(!error.to_string().contains(char::is_control) && !error.code().is_empty());
            return;
        }
        (Ok(page), Err(error)) => panic!("{page:?} is not a result of a lookup: {error}"),
    };
    assert!(response.status().is_success() && page.request_id().is_some());
    assert!(page.vectors().iter().all(|vector| Key::new(vector.key()).is_ok()));
    assert_ne!(page.next_token(), Some(""));

    // The JSON has these keys, with names in any case.
    let json: Value = serde_json::from_slice(response.body()).expect("a page is JSON");
    let in_json = member(json.as_object().expect("a page is an object"), "vectors");
    let in_json = in_json.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let keys = in_json.iter().map(|vector| member(vector.as_object()?, "key")?.as_str());
    assert!(keys.eq(page.vectors().iter().map(|vector| Some(vector.key()))));

    let again = ListVectors::parse_response(&page.to_response());
    if page.request_id().is_some_and(|id| HeaderValue::from_str(id).is_ok()) {
        assert_eq!(again.expect("a page round-trips"), page);
    }
}

/// A name with the same case is preferred.
fn member<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let in_any_case = || members.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
    members.get(name).or_else(|| in_any_case().map(|(_, value)| value))
}

/// A listing that gets these responses repeatedly yields each key that it counts, never waits
/// without a timeout, and ends when it is stopped.
fn check_lister(responses: &[Response<Vec<u8>>], segments: u8) {
    let selection = Selection::all().prefix("d").unwrap().segments(segments).unwrap();
    let options = BulkOptions::new().max_attempts(2).outage_timeout(Duration::from_secs(100));
    let mut lister = KeyLister::new(&target(), credentials(), selection, options).unwrap();
    let mut turns = responses.iter().cycle();
    let (mut passed, mut yielded) = (Duration::ZERO, 0);
    // Pages without keys may follow each other forever.
    let mut requests = 0..100;
    for _ in 0..10 {
        let now = Now::new(passed, time() + passed);
        lister.handle_timeout(now);
        while requests.next().is_some()
            && let Some(transmit) = lister.poll_transmit(now)
        {
            assert_eq!(transmit.request.uri().host(), target().uri().host());
            assert!(ListVectors::is_call(&transmit.request));
            assert!(lister.in_flight() <= usize::from(segments));
            lister.handle_response(now, transmit.id, turns.next().expect("a cycle is endless"));
        }
        yielded += take_keys(&mut lister);
        while lister.poll_event().is_some() {}
        if lister.is_finished() {
            break;
        }
        let next = lister.poll_timeout().expect("a timeout, because nothing is in flight");
        passed = passed.max(next);
    }
    lister.stop();
    yielded += take_keys(&mut lister);
    assert!(lister.is_finished() && lister.poll_timeout().is_none());
    let ListReport { selected, listed, .. } = lister.report();
    assert!(yielded == selected && selected <= listed);
}

fn take_keys(lister: &mut KeyLister) -> u64 {
    let mut keys = 0;
    while let Some(key) = lister.poll_key() {
        assert!(key.starts_with('d') && Key::new(&key).is_ok());
        keys += 1;
    }
    keys
}
