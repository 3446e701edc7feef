//! Sources that pause: their keys are sent without more keys, in as few requests as possible.

use std::sync::mpsc::channel;

use oss_delete_vectors::bulk::Event;
use oss_delete_vectors::transports::Run;
use oss_delete_vectors::{Deleted, Key};

use super::options;
use crate::service::{Service, key, real_time};

#[test]
fn keys_of_a_slow_iterator_are_sent_in_partial_batches() {
    let service = Service::with_keys(9);
    let (feed, source) = channel();
    (0..3).for_each(|number| feed.send(key(number)).unwrap());
    let mut feed = Some(feed);
    let mut sent = 3;
    // The next keys arrive only after the last ones were deleted. Waiting for 500 keys would never
    // end.
    let on_event = |event| {
        let Event::Deleted { keys, .. } = event else { panic!("{event:?}") };
        assert_eq!(keys, 3);
        if sent == 9 {
            feed = None;
        } else {
            (sent..sent + 3).for_each(|number| feed.as_ref().unwrap().send(key(number)).unwrap());
            sent += 3;
        }
    };
    let responding = service.clone();
    let send = move |request| {
        Ok::<_, oss_delete_vectors::TransportError>(responding.respond(real_time(), &request))
    };
    let report = Run::new(&mut service.bulk(options()))
        .on_event(on_event)
        .run_blocking(source, send)
        .unwrap();
    assert_eq!((report.deleted, service.gone(), report.requests), (9, 9, 3));
}

#[test]
fn a_batch_that_must_wait_is_not_flushed() {
    let service = Service::with_keys(0);
    let now = real_time();
    let mut bulk = service.bulk(options().concurrency(1));
    let wants_flush = |bulk: &mut oss_delete_vectors::bulk::BulkDelete| {
        bulk.push(Key::new("doc").unwrap()).unwrap();
        bulk.wants_flush()
    };
    assert!(!bulk.wants_flush(), "nothing to flush");
    assert!(wants_flush(&mut bulk));
    bulk.flush();
    assert!(!bulk.wants_flush() && !wants_flush(&mut bulk), "a flushed batch waits to be sent");
    let first = bulk.poll_transmit(now).unwrap();
    assert!(!bulk.wants_flush(), "all keys were sent");
    assert!(wants_flush(&mut bulk), "the next batch is not flushed");
    bulk.flush();
    assert!(
        bulk.poll_transmit(now).is_none() && !wants_flush(&mut bulk),
        "the second batch waits for the first"
    );
    bulk.handle_response(now, first.id, &Deleted::new("id").to_response());
    assert!(bulk.poll_transmit(now).is_some() && !bulk.wants_flush());
}
