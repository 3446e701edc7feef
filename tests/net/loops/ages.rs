//! Long runs and extreme clocks, in virtual time: timed-out requests are dropped, and times near
//! the end of the clock do not overflow.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use oss_delete_vectors::bulk::{BulkOptions, StopReason};
use oss_delete_vectors::transports::{Run, RunErrorKind, Timer, stream_iter};
use oss_delete_vectors::{Deleted, Now, TransportError};

use super::virtual_time::{Sleep, VirtualTime};
use crate::service::{Service, key};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Counts its live instances.
struct Alive(Rc<Cell<usize>>);

impl Alive {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[test]
fn requests_that_hang_for_a_month_are_dropped() {
    let (service, time) = (Service::with_keys(0), VirtualTime::default());
    let mut bulk = service.bulk(BulkOptions::new().concurrency(4).outage_timeout(31 * DAY));
    let (alive, most, sent) = (Rc::new(Cell::new(0)), Cell::new(0), Cell::new(0));
    let (alive, most, sent) = (&alive, &most, &sent);
    let send = |_request| {
        let request = Alive::new(alive);
        most.set(most.get().max(alive.get()));
        sent.set(sent.get() + 1);
        let is_first = sent.get() == 1;
        async move {
            let _request = request;
            if is_first {
                Ok(Deleted::new("id").to_response())
            } else {
                pending::<Result<_, TransportError>>().await
            }
        }
    };
    let run = Run::new(&mut bulk);
    let error = time
        .block_on(run.run_async(stream_iter((0..20_000).map(key)), send, time.clone()))
        .unwrap_err();
    assert!(matches!(error.kind(), RunErrorKind::Stopped(StopReason::Outage(_))), "{error}");
    assert!(
        time.now().monotonic > 31 * DAY && sent.get() > 10_000,
        "{} in {:?}",
        sent.get(),
        time.now()
    );
    assert_eq!((most.get(), alive.get()), (4, 0));
}

/// Virtual time whose clock ends in `left`.
struct Late {
    time: VirtualTime,
    left: Duration,
}

impl Timer for Late {
    type Sleep = Sleep;

    fn sleep(&self, duration: Duration) -> Sleep {
        self.time.sleep(duration)
    }

    fn now(&self) -> Now {
        let now = self.time.now();
        Now::new((Duration::MAX - self.left).saturating_add(now.monotonic), now.wall)
    }
}

#[test]
fn a_clock_near_its_end_does_not_overflow() {
    for left in [3600, 1800, 1].map(Duration::from_secs) {
        let (service, time) = (Service::with_keys(700), VirtualTime::default());
        let mut bulk = service.bulk(BulkOptions::new());
        let run = Run::new(&mut bulk);
        let response = |request| {
            std::future::ready(Ok::<_, TransportError>(service.respond(time.now(), &request)))
        };
        // A source that pauses with 200 keys in a batch.
        let mut is_waiting = None;
        let mut keys = 0;
        let keys = futures_lite::stream::poll_fn(|context| {
            if keys == 699 {
                let sleep = is_waiting
                    .get_or_insert_with(|| Box::pin(time.sleep(Duration::from_millis(50))));
                std::task::ready!(sleep.as_mut().poll(context));
            }
            keys += 1;
            std::task::Poll::Ready((keys <= 700).then(|| key(keys - 1)))
        });
        let report = time
            .block_on(run.run_async(keys, response, Late { time: time.clone(), left }))
            .unwrap();
        assert_eq!((report.deleted, service.gone()), (700, 700), "{left:?}: {report:?}");
    }
}
