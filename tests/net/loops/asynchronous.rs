//! The asynchronous loop alone: it can be dropped, runs in virtual time, and polls only woken
//! futures.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;
use http::Request;
use oss_delete_vectors::bulk::{BulkOptions, Event, Rate, StopReason};
use oss_delete_vectors::transports::{Run, RunErrorKind, StopHandle, stream_iter};
use oss_delete_vectors::{Credentials, Deleted, TransportError};

use super::options;
use super::virtual_time::VirtualTime;
use super::ways::{ROUND_TRIP, respond_in_virtual_time};
use crate::calls::ACCESS_KEY_ID;
use crate::service::{Service, key};

/// A source to which the test adds keys.
#[derive(Clone, Default)]
struct Feed(Arc<Mutex<FeedState>>);

#[derive(Default)]
struct FeedState {
    keys: VecDeque<String>,
    is_closed: bool,
    waker: Option<Waker>,
}

impl Feed {
    fn put(&self, keys: impl IntoIterator<Item = String>) {
        self.change(|fed| fed.keys.extend(keys));
    }

    fn close(&self) {
        self.change(|fed| fed.is_closed = true);
    }

    fn change(&self, change: impl FnOnce(&mut FeedState)) {
        let mut fed = self.0.lock().unwrap();
        change(&mut fed);
        fed.waker.take().into_iter().for_each(Waker::wake);
    }
}

impl Stream for Feed {
    type Item = String;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<String>> {
        let mut fed = self.0.lock().unwrap();
        match fed.keys.pop_front() {
            Some(key) => Poll::Ready(Some(key)),
            None if fed.is_closed => Poll::Ready(None),
            None => {
                fed.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[test]
fn one_key_takes_one_round_trip() {
    let (service, time) = (Service::with_keys(1), VirtualTime::default());
    let mut bulk = service.bulk(BulkOptions::new());
    let run = Run::new(&mut bulk);
    let send = |request| respond_in_virtual_time(&service, &time, request);
    let report = time.block_on(run.run_async(stream_iter([key(0)]), send, time.clone())).unwrap();
    assert!(report.is_all_deleted());
    assert_eq!(time.now().monotonic, ROUND_TRIP);
}

#[test]
fn keys_of_a_slow_stream_are_sent_in_partial_batches() {
    let (service, time, feed) = (Service::with_keys(9), VirtualTime::default(), Feed::default());
    feed.put((0..3).map(key));
    let mut sent = 3;
    let mut bulk = service.bulk(BulkOptions::new());
    let run = Run::new(&mut bulk).on_event(|event| {
        let Event::Deleted { keys, .. } = event else { panic!("{event:?}") };
        assert_eq!(keys, 3);
        if sent == 9 {
            feed.close();
        } else {
            feed.put((sent..sent + 3).map(key));
            sent += 3;
        }
    });
    let send = |request| respond_in_virtual_time(&service, &time, request);
    let report = time.block_on(run.run_async(feed.clone(), send, time.clone())).unwrap();
    assert_eq!((report.deleted, report.requests), (9, 3));
    assert_eq!(
        time.now().monotonic,
        3 * (ROUND_TRIP + Duration::from_millis(10)),
        "a pause and a round trip for each key"
    );
}

#[test]
fn batches_fill_while_requests_are_rare() {
    let (service, time, feed) = (Service::with_keys(2000), VirtualTime::default(), Feed::default());
    let mut bulk = service.bulk(BulkOptions::new().rate(Rate::Fixed(5.0)));
    let run = Run::new(&mut bulk);
    let send = |request| respond_in_virtual_time(&service, &time, request);
    let mut run = pin!(run.run_async(feed.clone(), send, time.clone()));
    // A hundred keys every 20 ms, for 400 ms. Flushing at every pause would take twenty requests.
    let mut feeding = pin!(async {
        for round in 0..20 {
            feed.put((round * 100..round * 100 + 100).map(key));
            time.sleep(Duration::from_millis(20)).await;
        }
        feed.close();
    });
    let mut is_fed = false;
    let both = poll_fn(|context| {
        is_fed = is_fed || feeding.as_mut().poll(context).is_ready();
        run.as_mut().poll(context)
    });
    let report = time.block_on(both).unwrap();
    assert_eq!(report.deleted, 2000);
    assert!(report.requests <= 6, "{report:?}");
}

#[test]
fn dropped_run_has_an_exact_report_after_abort() {
    for millis in [1, 19, 21, 39, 41, 100, 333] {
        let (service, time) = (Service::with_keys(100_000), VirtualTime::default());
        let mut bulk = service.bulk(BulkOptions::new());
        let run = Run::new(&mut bulk);
        let send = |request| respond_in_virtual_time(&service, &time, request);
        let mut run =
            Box::pin(run.run_async(stream_iter((0..100_000).map(key)), send, time.clone()));
        let mut end = pin!(time.sleep(Duration::from_millis(millis)));
        time.block_on(poll_fn(|context| {
            assert!(run.as_mut().poll(context).is_pending());
            end.as_mut().poll(context)
        }));
        drop(run);
        assert!(bulk.in_flight() > 0 && bulk.report().pending() > 0);
        bulk.abort();
        let report = bulk.report();
        service.check(report, &format!("{millis} ms"));
        assert!(report.unconfirmed > 0 && report.not_attempted > 0, "{millis} ms: {report:?}");
        assert_eq!(
            report.deleted + report.unconfirmed + report.not_attempted,
            report.pushed,
            "{millis} ms: {report:?}"
        );
    }
}

#[test]
fn abort_returns_at_once_and_stop_waits() {
    for (orders, takes) in [
        (StopHandle::abort as fn(&StopHandle), ROUND_TRIP * 3 / 2),
        (StopHandle::stop, ROUND_TRIP * 2),
    ] {
        let (service, time, stop) =
            (Service::with_keys(100_000), VirtualTime::default(), StopHandle::new());
        let mut bulk = service.bulk(BulkOptions::new());
        let run = Run::new(&mut bulk).stop_handle(&stop);
        let send = |request| respond_in_virtual_time(&service, &time, request);
        let mut run = pin!(run.run_async(stream_iter((0..100_000).map(key)), send, time.clone()));
        // In the middle of the second round trip: the requests have arrived, but there is no
        // response yet.
        let mut order = pin!(time.sleep(ROUND_TRIP * 3 / 2));
        let mut is_ordered = false;
        let error = time.block_on(poll_fn(|context| {
            if !is_ordered && order.as_mut().poll(context).is_ready() {
                is_ordered = true;
                orders(&stop);
            }
            run.as_mut().poll(context)
        }));
        let report = error.unwrap_err().report();
        assert_eq!(time.now().monotonic, takes);
        assert_eq!(report.unconfirmed > 0, takes < ROUND_TRIP * 2, "{report:?}");
        service.check(report, "ordered");
    }
}

#[test]
fn a_dropped_run_can_be_continued() {
    let (service, time) = (Service::with_keys(5000), VirtualTime::default());
    let mut bulk = service.bulk(BulkOptions::new());
    let mut keys = stream_iter((0..5000).map(key));
    let send = |request| respond_in_virtual_time(&service, &time, request);
    {
        let mut run = pin!(Run::new(&mut bulk).run_async(&mut keys, send, time.clone()));
        let mut end = pin!(time.sleep(Duration::from_millis(50)));
        time.block_on(poll_fn(|context| {
            assert!(run.as_mut().poll(context).is_pending());
            end.as_mut().poll(context)
        }));
    }
    let report = time.block_on(Run::new(&mut bulk).run_async(keys, send, time.clone())).unwrap();
    assert_eq!((report.deleted, report.pushed, service.gone()), (5000, 5000, 5000));
    assert!(report.retries > 0, "requests in flight must be sent again");
}

#[test]
fn requests_in_flight_are_polled_only_when_woken() {
    let (service, time) = (Service::with_keys(0), VirtualTime::default());
    let mut bulk = service.bulk(BulkOptions::new().concurrency(1000).rate(Rate::Unlimited));
    let polls = Cell::new(0);
    let numbers = Cell::new(0);
    let send = |_request| {
        numbers.set(numbers.get() + 1);
        // Each future wakes itself.
        let mut sleep =
            Box::pin(time.sleep(ROUND_TRIP + Duration::from_micros(numbers.get() % 1000)));
        let polls = &polls;
        poll_fn(move |context| {
            polls.set(polls.get() + 1);
            sleep
                .as_mut()
                .poll(context)
                .map(|()| Ok::<_, TransportError>(Deleted::new("id").to_response()))
        })
    };
    let keys = stream_iter((0..2000 * 500).map(key));
    let run = Run::new(&mut bulk);
    let report = time.block_on(run.run_async(keys, send, time.clone())).unwrap();
    assert_eq!(report.requests, 2000);
    assert_eq!(polls.get(), 2 * 2000, "one poll to send, one to receive");
}

#[test]
fn missing_credentials_stop_the_run_in_time() {
    let (service, time) = (Service::with_keys(10), VirtualTime::default());
    service.emulator().remove_identity(ACCESS_KEY_ID);
    let mut bulk = service.bulk(BulkOptions::new());
    let asked = Cell::new(0);
    let run = Run::new(&mut bulk).credentials_provider(|| {
        asked.set(asked.get() + 1);
        pending::<Result<Credentials, std::io::Error>>()
    });
    let send = |request| respond_in_virtual_time(&service, &time, request);
    let error = time
        .block_on(run.run_async(stream_iter((0..10).map(key)), send, time.clone()))
        .unwrap_err();
    assert!(
        matches!(error.kind(), RunErrorKind::Stopped(StopReason::CredentialsMissing)),
        "{error}"
    );
    assert_eq!((error.report().rejected, asked.get()), (10, 1));
    assert_eq!(time.now().monotonic, ROUND_TRIP + Duration::from_secs(300));
}

#[test]
fn credentials_are_renewed_before_a_rejection() {
    let (service, time, feed) = (Service::with_keys(2), VirtualTime::default(), Feed::default());
    let expiring =
        crate::calls::credentials().with_expiration(time.now().wall + Duration::from_secs(1000));
    let mut bulk =
        oss_delete_vectors::bulk::BulkDelete::new(&service.target, expiring, BulkOptions::new())
            .unwrap();
    feed.put([key(0)]);
    let asked_at = Cell::new(Duration::ZERO);
    let run = Run::new(&mut bulk).credentials_provider(|| {
        asked_at.set(time.now().monotonic);
        feed.put([key(1)]);
        feed.close();
        std::future::ready(Ok::<_, std::io::Error>(crate::calls::credentials()))
    });
    let send = |request| respond_in_virtual_time(&service, &time, request);
    let report = time.block_on(run.run_async(feed.clone(), send, time.clone())).unwrap();
    assert_eq!((report.deleted, report.requests), (2, 2));
    assert_eq!(asked_at.get(), Duration::from_secs(700), "five minutes before they expire");
}

#[test]
fn requests_without_a_response_time_out() {
    let (service, time) = (Service::with_keys(0), VirtualTime::default());
    let mut bulk = service.bulk(options().max_attempts(1));
    let run = Run::new(&mut bulk);
    let send = async |_request: Request<_>| pending::<Result<_, TransportError>>().await;
    let report = time.block_on(run.run_async(stream_iter([key(0)]), send, time.clone())).unwrap();
    assert_eq!(report.unconfirmed, 1);
    assert_eq!(time.now().monotonic, Duration::from_secs(75));
}

#[test]
fn a_pending_run_is_stopped_from_another_thread() {
    for orders in [StopHandle::stop, StopHandle::abort] {
        let service = Service::with_keys(1);
        let stop = StopHandle::new();
        let elsewhere = stop.clone();
        let mut bulk = service.bulk(options());
        let responses = async |_request| {
            let elsewhere = elsewhere.clone();
            std::thread::spawn(move || orders(&elsewhere));
            Ok::<_, TransportError>(Deleted::new("id").to_response())
        };
        let feed = Feed::default();
        feed.put([key(0)]);
        let run = Run::new(&mut bulk).stop_handle(&stop).run_async(
            feed,
            responses,
            async_io::Timer::after,
        );
        let error = async_io::block_on(run).unwrap_err();
        assert!(matches!(error.kind(), RunErrorKind::Stopped(StopReason::Requested)), "{error}");
        assert_eq!(error.report().pending(), 0);
    }
}

#[test]
fn panics_propagate_and_the_report_is_exact_after_abort() {
    let (service, time) = (Service::with_keys(1200), VirtualTime::default());
    let mut bulk = service.bulk(BulkOptions::new());
    let send =
        async |_request: Request<_>| -> Result<_, TransportError> { panic!("the transport") };
    let run = Run::new(&mut bulk);
    let run = run.run_async(stream_iter((0..1200).map(key)), send, time.clone());
    let panic = catch_unwind(AssertUnwindSafe(|| time.block_on(run))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the transport"));
    bulk.abort();
    service.check(bulk.report(), "the transport");
}

/// A waker that uses the stop handle in its `Drop`.
struct UsesHandleOnDrop(StopHandle);

impl std::task::Wake for UsesHandleOnDrop {
    fn wake(self: Arc<Self>) {}
}

impl Drop for UsesHandleOnDrop {
    fn drop(&mut self) {
        let _ = format!("{:?}", self.0);
    }
}

#[test]
fn dropped_wakers_may_use_the_stop_handle() {
    type End = fn(&StopHandle);
    let ends = [
        ("replaced", (|_| {}) as End),
        ("stopped", StopHandle::stop),
        ("aborted", StopHandle::abort),
    ];
    for (case, end) in ends {
        let (done, is_done) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let (service, stop) = (Service::with_keys(0), StopHandle::new());
            let mut bulk = service.bulk(options());
            let request = Mutex::new(None::<Waker>);
            let send = |_request| {
                poll_fn(|context| {
                    *request.lock().unwrap() = Some(context.waker().clone());
                    Poll::<Result<_, TransportError>>::Pending
                })
            };
            let run = Run::new(&mut bulk).stop_handle(&stop);
            let mut run = Box::pin(run.run_async(stream_iter([key(0)]), send, |_| pending::<()>()));
            for _ in 0..2 {
                let waker = Waker::from(Arc::new(UsesHandleOnDrop(stop.clone())));
                assert!(run.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                // All other wakers are dropped. The handle has the last one.
                request.lock().unwrap().take().unwrap().wake();
            }
            end(&stop);
            drop(run);
            done.send(()).unwrap();
        });
        is_done
            .recv_timeout(Duration::from_secs(20))
            .unwrap_or_else(|error| panic!("{case}: {error}"));
    }
}

#[test]
fn the_future_is_send() {
    let service = Service::with_keys(0);
    let mut bulk = service.bulk(options());
    let send =
        async |_request: Request<_>| Ok::<_, TransportError>(Deleted::new("id").to_response());
    let run = Run::new(&mut bulk).on_event(drop).run_async(
        stream_iter((0..10).map(key)),
        send,
        tokio::time::sleep,
    );
    let is_send: &dyn Send = &run;
    let _ = is_send;
}
