//! Logs of this crate and its dependencies, at every level, contain no secret. A binary of its own,
//! because the log of a process has the responses of every test.

#[path = "common/mod.rs"]
mod common;

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::calls::{ACCOUNT_ID, BUCKET, INDEX, REGION, credentials, target, with_token};
use common::canary::{self, WRONG_TOKEN};
use http::StatusCode;
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
use oss_delete_vectors::emulator::{Emulator, RateLimit};
use oss_delete_vectors::transports::{
    HyperTransport, Run, Server, TransportOptions, UreqTransport, stream_iter,
};
use oss_delete_vectors::{Credentials, ServiceError, Target, code};
use tracing::Level;
use tracing_subscriber::fmt::format::FmtSpan;

/// Collects what is logged with `tracing` and `log`.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl log::Log for Logs {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        use io::Write;
        writeln!(self.clone(), "{} {}: {}", record.level(), record.target(), record.args())
            .unwrap();
    }

    fn flush(&self) {}
}

/// A service with a rate limit and some failures.
fn serve(keys: &[String]) -> (Server, Target) {
    let mut emulator = Emulator::with_vectors(&target(), with_token(), keys).unwrap();
    emulator.set_rate_limit(Some(RateLimit::new(50.0, 1).unwrap()));
    emulator.fail_next(
        ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "oops"),
        1,
    );
    emulator.reject_keys(["doc-7"]);
    let server =
        Server::start_emulator((Ipv4Addr::LOCALHOST, 0).into(), Arc::new(Mutex::new(emulator)))
            .unwrap();
    let target = Target::builder()
        .region(REGION)
        .account_id(ACCOUNT_ID)
        .bucket(BUCKET)
        .index_name(INDEX)
        .endpoint(server.url().parse().unwrap());
    (server, target.build().unwrap())
}

#[test]
fn logs_contain_no_secret() {
    let logs = Logs::default();
    let writer = logs.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(Level::TRACE).with_span_events(FmtSpan::FULL);
    subscriber.with_ansi(false).with_writer(move || writer.clone()).init();
    log::set_boxed_logger(Box::new(logs.clone())).unwrap();
    log::set_max_level(log::LevelFilter::Trace);

    let keys: Vec<String> = (0..2000).map(|number| format!("doc-{number}")).collect();
    let stale = credentials().with_security_token(WRONG_TOKEN).unwrap();
    let options = BulkOptions::new()
        .max_attempts(3)
        .back_off(Duration::from_millis(10), Duration::from_millis(10));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (hyper, ureq) = (
        HyperTransport::new(&TransportOptions::new()),
        UreqTransport::new(&TransportOptions::new()),
    );
    for is_async in [true, false] {
        let (server, target) = serve(&keys);
        let run = |credentials: &Credentials| {
            let mut bulk = BulkDelete::new(&target, credentials.clone(), options.clone()).unwrap();
            let run = Run::new(&mut bulk);
            let keys = keys.clone();
            let _ = if is_async {
                let run = run
                    .credentials_provider(|| std::future::ready(Ok::<_, Infallible>(with_token())));
                runtime.block_on(run.run_async(
                    stream_iter(keys),
                    |request| hyper.send(request),
                    tokio::time::sleep,
                ))
            } else {
                let ureq = ureq.clone();
                run.credentials_provider(|| Ok::<_, Infallible>(with_token()))
                    .run_blocking(keys, move |request| ureq.send(request))
            };
            bulk.report()
        };
        assert_eq!((run(&stale).deleted, run(&stale).rejected), (1999, 1));
        server.shutdown();
        assert_eq!(run(&stale).deleted, 0);
    }
    let logs = String::from_utf8(std::mem::take(&mut *logs.0.lock().unwrap())).unwrap();
    for part in [
        "transmit{id=0 ",
        "credentials needed",
        "throttled",
        "will be sent again",
        "not deleted",
        "ureq::",
    ] {
        assert!(logs.contains(part), "{part}: {logs}");
    }
    canary::assert_not_in(&logs);
}
