//! `KeyLister`. One behaviour per test.

mod failures;

use std::collections::BTreeSet;
use std::time::Duration;

use http::StatusCode;
use oss_delete_vectors::bulk::{BulkOptions, StopReason};
use oss_delete_vectors::emulator::Emulator;
use oss_delete_vectors::{
    Found, KeyLister, ListEvent, Listed, Selection, ServiceError, Vector, code,
};

use crate::calls::{BUCKET, INDEX, credentials, now, target};

fn holding(count: usize) -> Emulator {
    let keys = (0..count).map(|number| format!("doc-{number:05}"));
    Emulator::with_vectors(&target(), credentials(), keys).unwrap()
}

fn lister(selection: Selection) -> KeyLister {
    KeyLister::new(&target(), credentials(), selection, BulkOptions::new()).unwrap()
}

fn error(status: u16, code: &str) -> ServiceError {
    ServiceError::new(StatusCode::from_u16(status).unwrap(), code, "no").with_request_id("id")
}

/// A lister and the service, in virtual time.
struct World {
    lister: KeyLister,
    emulator: Emulator,
    passed: Duration,
    keys: Vec<String>,
    events: Vec<ListEvent>,
    most_in_flight: usize,
}

impl World {
    fn new(lister: KeyLister, emulator: Emulator) -> Self {
        let (passed, keys, events) = (Duration::ZERO, Vec::new(), Vec::new());
        Self { lister, emulator, passed, keys, events, most_in_flight: 0 }
    }

    /// Delivers the requests and their responses at once, and takes events and keys.
    fn turn(&mut self) {
        let mut under_way = Vec::new();
        while let Some(transmit) = self.lister.poll_transmit(now(self.passed)) {
            under_way.push(transmit);
            self.most_in_flight = self.most_in_flight.max(self.lister.in_flight());
        }
        for transmit in under_way {
            let response = self.emulator.handle(now(self.passed), &transmit.request);
            self.lister.handle_response(now(self.passed), transmit.id, &response);
        }
        self.events.extend(std::iter::from_fn(|| self.lister.poll_event()));
        self.keys.extend(std::iter::from_fn(|| self.lister.poll_key()));
    }

    fn run(&mut self) {
        for _ in 0..100_000 {
            self.turn();
            if self.lister.is_finished() {
                return;
            }
            self.passed = self.lister.poll_timeout().expect("a timeout").max(self.passed);
            self.lister.handle_timeout(now(self.passed));
        }
        panic!("the listing does not end: {:?}", self.lister);
    }

    fn stopped(&self) -> &StopReason {
        self.lister.stopped().expect("it stopped").reason()
    }
}

#[test]
fn all_keys_are_listed_once_in_any_number_of_segments() {
    for segments in [1, 2, 5, 16] {
        let selection = Selection::all().segments(segments).unwrap();
        let mut world = World::new(lister(selection), holding(30_000));
        world.run();
        let unique: BTreeSet<_> = world.keys.iter().map(String::as_str).collect();
        assert_eq!((world.keys.len(), unique.len()), (30_000, 30_000), "{segments}");
        assert!(unique.into_iter().eq(world.emulator.keys(BUCKET, INDEX)));
        let report = world.lister.report();
        assert_eq!((report.listed, report.selected), (30_000, 30_000));
        assert_eq!((report.requests, world.most_in_flight), (report.pages, segments.into()));
        assert_eq!((world.events.len(), world.lister.stopped()), (0, None));
    }
}

#[test]
fn requests_are_spaced_by_the_maximum_rate() {
    let limited = |lister: KeyLister| lister.max_requests_per_second(10.0).unwrap();
    let keys = (0..2000).map(|number| format!("doc-{number:05}"));
    let lookup = KeyLister::lookup(&target(), credentials(), keys, 8, BulkOptions::new());
    let selection = Selection::all().segments(4).unwrap();
    // The world polls an ended lookup once more.
    for (lister, more) in [(lister(selection), 0), (lookup.unwrap(), 1)] {
        let mut world = World::new(limited(lister), holding(20_000));
        world.run();
        let requests = u32::try_from(world.lister.report().requests).unwrap();
        assert!(requests >= 20, "{requests}");
        // The first one is sent at once.
        assert_eq!(world.passed, Duration::from_millis(100) * (requests - 1 + more));
    }
}

#[test]
fn a_lookup_at_a_maximum_rate_ends_with_its_last_response() {
    let lookup = KeyLister::lookup(&target(), credentials(), ["doc-1"], 8, BulkOptions::new());
    let mut lookup = lookup.unwrap().max_requests_per_second(0.001).unwrap();
    let start = now(Duration::ZERO);
    let transmit = lookup.poll_transmit(start).unwrap();
    lookup.handle_response(start, transmit.id, &holding(0).handle(start, &transmit.request));
    assert!(lookup.poll_transmit(start).is_none() && lookup.is_finished());
}

#[test]
fn retries_are_spaced_by_the_maximum_rate() {
    let lister = lister(Selection::all().segments(1).unwrap());
    let mut world = World::new(lister.max_requests_per_second(0.1).unwrap(), holding(10));
    world.emulator.fail_next(error(500, code::INTERNAL_ERROR), 0);
    world.run();
    assert_eq!((world.passed, world.keys.len()), (Duration::from_secs(10), 10));
}

#[test]
fn a_maximum_rate_outside_of_its_range_is_an_error() {
    for requests in [0.0, -1.0, 0.0009, 1_000_001.0, f64::NAN, f64::INFINITY] {
        let error = lister(Selection::all()).max_requests_per_second(requests).unwrap_err();
        assert_eq!(error.field(), "maximum of requests per second");
        assert_eq!(error.rule(), "must be 0.001 to 1000000");
    }
}

#[test]
fn prefix_and_filter_select() {
    let mut emulator = holding(0);
    let vectors = (0..5000).map(|number| {
        let metadata = format!(r#"{{"tenant":"t{}"}}"#, number % 7);
        Vector::new(&format!("doc-{}#{}", number / 10, number % 10))
            .unwrap()
            .with_metadata(&metadata)
            .unwrap()
    });
    emulator.put_whole_vectors(BUCKET, INDEX, vectors).unwrap();
    let filter = r#"{"tenant":"t3"}"#.parse().unwrap();
    let all = Selection::all();
    for (selection, expected) in [
        (all.clone().prefix("doc-42#").unwrap(), 10),
        (all.clone().filter(filter), 714),
        (all.clone().prefix("doc-4").unwrap().filter(r#"{"tenant":"t3"}"#.parse().unwrap()), 158),
        (all.prefix("Doc").unwrap(), 0),
    ] {
        let text = selection.to_string();
        let mut world = World::new(lister(selection.segments(3).unwrap()), emulator.clone());
        world.run();
        assert_eq!(world.keys.len(), expected, "{text}");
    }
}

#[test]
fn a_filter_is_checked_before_the_first_page() {
    let body = |filter| {
        let selection = Selection::all().filter(str::parse(filter).unwrap());
        let mut lister = lister(selection.segments(4).unwrap());
        let transmit = lister.poll_transmit(now(Duration::ZERO)).unwrap();
        assert!(
            lister.poll_transmit(now(Duration::ZERO)).is_none(),
            "no request besides the check"
        );
        String::from_utf8(transmit.request.into_body().to_vec()).unwrap()
    };
    for (filter, name) in [
        (r#"{"tenant":"acme"}"#, "tenant"),
        (r#"{"$and":[{"$or":[{"a\"b":{"$lt":5}},{"c":1}]},{"d":2}]}"#, r#"a\"b"#),
        (r#"{"$not":{"tenant":"acme"}}"#, "key"),
    ] {
        let none = format!(
            r#"{{"$and":[{{"{name}":{{"$exists":true}}}},{{"{name}":{{"$exists":false}}}}]}}"#
        );
        let expected = format!(r#"{{"indexName":"vectorindex1","maxResults":1,"filter":{none}}}"#);
        assert_eq!(body(filter), expected, "{filter}");
    }
}

#[test]
fn an_endpoint_that_ignores_filters_lists_nothing() {
    for segments in [1, 16] {
        let selection = Selection::all().filter(r#"{"tenant":"acme"}"#.parse().unwrap());
        let selection = selection.segments(segments).unwrap();
        let mut emulator = holding(5000);
        emulator.set_ignores_filters(true);
        // Throttled and failed checks are retried.
        emulator.fail_next(error(503, code::QPS_LIMIT_EXCEEDED), 0);
        emulator.fail_next(error(500, code::INTERNAL_ERROR), 0);
        let mut world = World::new(lister(selection.clone()), emulator.clone());
        world.run();
        assert_eq!((world.stopped(), world.keys.len()), (&StopReason::FilterIgnored, 0));
        assert_eq!((world.lister.report().requests, world.lister.report().pages), (3, 0));
        let text = "the listing stopped: the endpoint ignores filters: it returned a vector for a \
                    filter that none matches";
        assert_eq!(world.lister.stopped().unwrap().to_string(), text);

        emulator.set_ignores_filters(false);
        let mut world = World::new(lister(selection), emulator);
        world.run();
        let report = world.lister.report();
        assert_eq!((world.lister.stopped(), report.listed), (None, 0));
        assert_eq!(report.requests - report.throttled - report.retries, 1 + report.pages);
        let requests = report.requests;
        world.lister.list_again();
        world.run();
        let again = world.lister.report().requests - requests;
        assert_eq!(again, u64::from(segments), "each pass has {segments} pages, and no check");
    }
}

#[test]
fn no_page_is_requested_while_keys_wait() {
    let mut emulator = holding(50_000);
    for (segments, most) in [(1_u8, 2000), (4, 4000), (16, 16_000)] {
        let mut lister = lister(Selection::all().segments(segments).unwrap());
        for _ in 0..100 {
            let mut under_way = Vec::new();
            while let Some(transmit) = lister.poll_transmit(now(Duration::ZERO)) {
                under_way.push(transmit);
                assert!(lister.report().listed + 1000 * under_way.len() as u64 <= most);
            }
            for transmit in under_way {
                let response = emulator.handle(now(Duration::ZERO), &transmit.request);
                lister.handle_response(now(Duration::ZERO), transmit.id, &response);
            }
        }
        let waiting = lister.report().listed;
        assert!((most - 999..=most).contains(&waiting), "{segments}: {waiting}");
        assert_eq!(lister.poll_timeout(), None, "no timeout while keys wait");
        let taken = std::iter::from_fn(|| lister.poll_key()).take(2000).count();
        assert!(taken == 2000 && lister.poll_transmit(now(Duration::ZERO)).is_some());
    }
}

#[test]
fn keys_listed_before_a_stop_can_be_taken() {
    let mut lister = lister(Selection::all());
    let transmit = lister.poll_transmit(now(Duration::ZERO)).unwrap();
    let page = Listed::new("id", vec![Vector::new("a").unwrap()]).with_next_token("more");
    lister.handle_response(now(Duration::ZERO), transmit.id, &page.to_response());
    lister.stop();
    assert!(!lister.is_finished() && lister.poll_transmit(now(Duration::ZERO)).is_none());
    assert_eq!((lister.poll_key().as_deref(), lister.is_finished()), (Some("a"), true));
    assert_eq!(lister.stopped().unwrap().reason(), &StopReason::Requested);
}

#[test]
fn a_lookup_yields_each_existing_key_once() {
    let vectors = ["doc-1", "doc-1", "doc-9", "doc-1"].map(|key| Vector::new(key).unwrap());
    let found = Found::new("some id", vectors.to_vec()).to_response();
    let keys = ["doc-1", "doc-2"];
    let options = BulkOptions::new();
    let mut lookup = KeyLister::lookup(&target(), credentials(), keys, 1, options).unwrap();
    let transmit = lookup.poll_transmit(now(Duration::ZERO)).unwrap();
    lookup.handle_response(now(Duration::ZERO), transmit.id, &found);
    let present: Vec<String> = std::iter::from_fn(|| lookup.poll_key()).collect();
    assert_eq!(present, ["doc-1"]);
    assert_eq!((lookup.report().looked_up, lookup.report().selected), (2, 1));
}
