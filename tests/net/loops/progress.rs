//! The machine is shown at intervals, and once more at the end.

use std::time::Duration;

use oss_delete_vectors::bulk::{Event, Failure};
use oss_delete_vectors::transports::Run;

use super::options;
use crate::service::{Service, key, real_time};

#[test]
fn its_last_sight_is_the_end_and_every_event_was_told_before() {
    let service = Service::with_keys(1200);
    let answering = service.clone();
    let send = move |request| Ok::<_, Failure>(answering.respond(real_time(), &request));
    let told = std::sync::Mutex::new(0);
    let mut seen = Vec::new();
    let report = Run::new(&mut service.bulk(options()))
        .on_event(|event| {
            if let Event::Deleted { keys, .. } = event {
                *told.lock().unwrap() += keys as u64;
            }
        })
        .on_progress(Duration::from_secs(3600), |bulk| {
            seen.push((bulk.is_finished(), bulk.report().deleted, *told.lock().unwrap(), bulk.checkpoint().report().deleted));
        })
        .run_blocking((0..1200).map(key), send)
        .unwrap();
    assert_eq!((report.deleted, seen), (1200, vec![(true, 1200, 1200, 1200)]));
}

#[test]
fn it_is_shown_as_often_as_was_asked_for() {
    use oss_delete_vectors::transports::{StopHandle, stream_iter};

    let time = super::virtual_time::VirtualTime::default();
    let service = Service::with_keys(3);
    let stop = StopHandle::new();
    let mut seen = Vec::new();
    let mut bulk = service.bulk(options());
    let keys = stream_iter((0..3).map(key));
    let send = async |_| {
        time.sleep(Duration::from_secs(25)).await;
        Err::<http::Response<bytes::Bytes>, _>(Failure::may_have_arrived("no answer"))
    };
    let run = Run::new(&mut bulk).clock(|| time.now()).stop_handle(&stop).on_progress(Duration::from_secs(10), |bulk| {
        seen.push((time.now().monotonic.as_secs(), bulk.report().requests, bulk.in_flight()));
        if seen.len() == 3 {
            stop.abort();
        }
    });
    time.block_on(run.run_async(keys, send, |duration| time.sleep(duration))).unwrap_err();
    // The first request is in flight from 0 to 25 s, the second from a back-off of at most 0.2 s later on.
    assert_eq!(seen, [(10, 1, 1), (20, 1, 1), (30, 2, 1), (30, 2, 0)]);
}
