//! An observer sees the `BulkDelete` at intervals, and once at the end.

use std::time::Duration;

use oss_delete_vectors::TransportError;
use oss_delete_vectors::bulk::{BulkDelete, Event};
use oss_delete_vectors::transports::{Observer, Run};

use super::options;
use crate::service::{Service, key, real_time};

/// Both methods share state without a `RefCell`.
#[derive(Default)]
struct Seen {
    deleted: u64,
    /// Finished, and deleted according to the report, the events and the checkpoint.
    progress: Vec<(bool, u64, u64, u64)>,
}

impl Observer for Seen {
    fn event(&mut self, event: Event) {
        if let Event::Deleted { keys, .. } = event {
            self.deleted += keys as u64;
        }
    }

    fn progress(&mut self, bulk: &BulkDelete) {
        let saved = bulk.checkpoint().report().deleted;
        self.progress.push((bulk.is_finished(), bulk.report().deleted, self.deleted, saved));
    }
}

#[test]
fn progress_at_the_end_follows_all_events() {
    for interval in [None, Some(Duration::from_secs(3600))] {
        let service = Service::with_keys(1200);
        let responding = service.clone();
        let send =
            move |request| Ok::<_, TransportError>(responding.respond(real_time(), &request));
        let mut seen = Seen::default();
        let mut bulk = service.bulk(options());
        let run = Run::new(&mut bulk).observer(&mut seen);
        let run = match interval {
            Some(interval) => run.progress_every(interval),
            None => run,
        };
        assert_eq!(run.run_blocking((0..1200).map(key), send).unwrap().deleted, 1200);
        assert_eq!(seen.progress, [(true, 1200, 1200, 1200)], "{interval:?}");
    }
}

#[test]
fn progress_is_reported_at_the_configured_interval() {
    use oss_delete_vectors::transports::{StopHandle, stream_iter};

    use super::virtual_time::VirtualTime;

    struct Third {
        time: VirtualTime,
        stop: StopHandle,
        seen: Vec<(u64, u64, usize)>,
    }

    impl Observer for Third {
        fn event(&mut self, _: Event) {}

        fn progress(&mut self, bulk: &BulkDelete) {
            self.seen.push((
                self.time.now().monotonic.as_secs(),
                bulk.report().requests,
                bulk.in_flight(),
            ));
            if self.seen.len() == 3 {
                self.stop.abort();
            }
        }
    }

    let time = VirtualTime::default();
    let service = Service::with_keys(3);
    let mut third = Third { time: time.clone(), stop: StopHandle::new(), seen: Vec::new() };
    let stop = third.stop.clone();
    let mut bulk = service.bulk(options());
    let keys = stream_iter((0..3).map(key));
    let send = async |_| {
        time.sleep(Duration::from_secs(25)).await;
        Err::<http::Response<bytes::Bytes>, _>(TransportError::may_have_arrived("no response"))
    };
    let run = Run::new(&mut bulk)
        .stop_handle(&stop)
        .observer(&mut third)
        .progress_every(Duration::from_secs(10));
    time.block_on(run.run_async(keys, send, time.clone())).unwrap_err();
    // The first request is in flight from 0 to 25 s. The second one starts after a back-off of at
    // most 0.2 s.
    assert_eq!(third.seen, [(10, 1, 1), (20, 1, 1), (30, 2, 1), (30, 2, 0)]);
}
