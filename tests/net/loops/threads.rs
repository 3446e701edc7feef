//! Too few threads, and threads that hang: requests wait inside the state machine, and the run
//! continues with the remaining threads.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use oss_delete_vectors::bulk::{BulkDelete, Event, Rate};
use oss_delete_vectors::transports::{Observer, Run, StopHandle};
use oss_delete_vectors::{Deleted, Now, TransportError};

use super::options;
use crate::service::{Service, key};

const CHILD: &str = "LOOPS_FEW_THREADS";

/// Returns whether this process can start only a few threads. If not, runs `test` in such a
/// process.
fn has_few_threads(test: &str) -> bool {
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    // Root has no limit on threads, but on memory, and each thread takes 1 GiB.
    let script = r#"ulimit -v 8388608 && exec "$0" --exact "$1" --nocapture"#;
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(format!("loops::threads::{test}"));
    let output = command.env(CHILD, "1").env("RUST_MIN_STACK", "1073741824").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// Stops the run at the fifth progress report. By then it has as many threads as possible, and has
/// failed several times to start another one.
struct StopAtFifth<'a> {
    stop: &'a StopHandle,
    reports: u32,
    hold: Option<Sender<()>>,
}

impl Observer for StopAtFifth<'_> {
    fn event(&mut self, _: Event) {}

    fn progress(&mut self, _: &BulkDelete) {
        self.reports += 1;
        if self.reports == 5 {
            self.stop.stop();
            self.hold = None;
        }
    }
}

#[test]
fn requests_without_a_thread_are_not_sent_after_a_stop() {
    if !has_few_threads("requests_without_a_thread_are_not_sent_after_a_stop") {
        return;
    }
    let service = Service::with_keys(0);
    let mut bulk = service.bulk(options().concurrency(200).rate(Rate::Unlimited));
    let (stop, sent) = (StopHandle::new(), Arc::new(AtomicU64::new(0)));
    let (hold, held) = channel::<()>();
    let (sending, held) = (Arc::clone(&sent), Mutex::new(held));
    let send = move |_| {
        sending.fetch_add(1, Ordering::SeqCst);
        let _ = held.lock().unwrap().recv();
        Ok::<_, TransportError>(Deleted::new("id").to_response())
    };
    let mut fifth = StopAtFifth { stop: &stop, reports: 0, hold: Some(hold) };
    let run = Run::new(&mut bulk)
        .stop_handle(&stop)
        .observer(&mut fifth)
        .progress_every(Duration::from_millis(100));
    let report = run.run_blocking((0..).map(key), send).unwrap_err().report();
    let sent = sent.load(Ordering::SeqCst);
    assert!((1..20).contains(&sent), "{sent}");
    assert_eq!(
        (report.requests, report.deleted, report.pending(), report.unconfirmed),
        (sent, sent * 500, 0, 0)
    );
}

#[test]
fn ureq_resolves_names_and_deletes_with_few_threads() {
    use crate::calls::{ACCOUNT_ID, BUCKET, INDEX, REGION};
    use oss_delete_vectors::Target;
    use oss_delete_vectors::transports::{TransportOptions, UreqTransport};

    if !has_few_threads("ureq_resolves_names_and_deletes_with_few_threads") {
        return;
    }
    let service = Service::with_keys(50_000);
    let url = service.url().replace("127.0.0.1", "localhost").parse().unwrap();
    let target = Target::builder()
        .region(REGION)
        .account_id(ACCOUNT_ID)
        .bucket(BUCKET)
        .index_name(INDEX)
        .endpoint(url);
    let options = options().concurrency(200).rate(Rate::Unlimited);
    let mut bulk =
        BulkDelete::new(&target.build().unwrap(), crate::calls::credentials(), options).unwrap();
    let transport = UreqTransport::new(&TransportOptions::new());
    // The first connections are made when no more threads can start.
    let most = Arc::new(std::sync::Barrier::new(3));
    let waiting = AtomicU64::new(0);
    let send = move |request| {
        if waiting.fetch_add(1, Ordering::SeqCst) < 3 {
            most.wait();
        }
        transport.send(request)
    };
    let report = Run::new(&mut bulk).run_blocking((0..50_000).map(key), send).unwrap();
    assert_eq!((report.deleted, service.gone()), (50_000, 50_000));
    // More requests if a lookup could not start a thread and is retried.
    assert!(report.requests >= 100, "{report:?}");
}

/// Advances the time, and stops the run when it is out of threads.
struct StopWithoutThreads<'a> {
    stop: &'a StopHandle,
    time: &'a AtomicU64,
    has_deleted: &'a AtomicBool,
}

impl Observer for StopWithoutThreads<'_> {
    fn event(&mut self, event: Event) {
        if matches!(event, Event::Deleted { .. }) {
            self.has_deleted.store(true, Ordering::SeqCst);
        }
        if let Event::Retrying { error, .. } = event
            && error.message().contains("calls timed out and do not return")
        {
            self.stop.stop();
        }
    }

    fn progress(&mut self, _: &BulkDelete) {
        self.time.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn hanging_calls_use_at_most_64_threads() {
    let service = Service::with_keys(0);
    let mut bulk = service.bulk(options().concurrency(4).rate(Rate::Unlimited));
    let (stop, calls, time) =
        (StopHandle::new(), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (hold, held) = channel::<()>();
    let (calling, passing, held) = (Arc::clone(&calls), Arc::clone(&time), Mutex::new(held));
    let is_first = AtomicBool::new(true);
    let has_deleted = Arc::new(AtomicBool::new(false));
    let first_is_over = Arc::clone(&has_deleted);
    let send = move |_| {
        if is_first.swap(false, Ordering::SeqCst) {
            return Ok::<_, TransportError>(Deleted::new("id").to_response());
        }
        calling.fetch_add(1, Ordering::SeqCst);
        while !first_is_over.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        // After the timeout of the request.
        passing.fetch_add(100, Ordering::SeqCst);
        let _ = held.lock().unwrap().recv();
        Err(TransportError::may_have_arrived("the test is over"))
    };
    let clocked = Arc::clone(&time);
    let clock =
        move || Now::new(Duration::from_secs(clocked.load(Ordering::SeqCst)), SystemTime::now());
    let mut observer = StopWithoutThreads { stop: &stop, time: &time, has_deleted: &has_deleted };
    let run = Run::new(&mut bulk)
        .stop_handle(&stop)
        .observer(&mut observer)
        .progress_every(Duration::from_millis(1));
    let report =
        run.run_blocking_with_clock((0..100_000).map(key), send, clock).unwrap_err().report();
    // 64 that hang, up to 4 that were in flight together with the last of them, the first one, and
    // the one that failed.
    assert!((66..=70).contains(&report.requests) && report.pending() == 0, "{report:?}");
    assert!(calls.load(Ordering::SeqCst) <= 68, "{calls:?}");
    drop(hold);
}
