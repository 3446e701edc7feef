//! Both transports on real sockets for a configurable time: all faults, credentials that expire,
//! rate limits that change, and runs that are stopped or aborted and resume from their checkpoints.
//! No key is lost, and memory, file descriptors and threads stay bounded. A separate binary with
//! one test, because its process is measured.
//!
//! ```text
//! cargo test --all-features --test soak_sockets                         ten seconds
//! SOAK_SECONDS=1200 cargo test --all-features --test soak_sockets       20 minutes
//! ```
#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use common::calls::{BUCKET, INDEX};
use common::{canary, service};
use oss_delete_vectors::Credentials;
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Checkpoint, Event, Report, StopReason};
use oss_delete_vectors::emulator::{Fault, Faults, FaultyNetwork, Identity, RateLimit};
use oss_delete_vectors::transports::{
    HyperTransport, Run, RunError, RunErrorKind, StopHandle, TransportOptions, UreqTransport,
    stream_iter,
};

/// Runs of each transport, in sequence. All but the last are stopped or aborted.
const RUNS: u32 = 6;
/// The probability of each fault, per request.
const PROBABILITY: f64 = 0.005;
/// The timeout of a call. Short, because each lost response costs this time.
const TIMEOUT: Duration = Duration::from_secs(2);
const CONCURRENCY: usize = 8;

/// How much the maximum of the last quarter may exceed that of the second quarter. Allows for
/// caches, fragmentation, and sockets with responses that are minutes late. A leak per request or
/// key would exceed it: there are tens of thousands of requests, and millions of keys.
const MORE_KIB: u64 = 8 * 1024;
const MORE_FILES: u64 = 64;
const MORE_THREADS: u64 = 16;

#[test]
fn both_transports_lose_no_key_and_use_bounded_memory() {
    let time = env::var("SOAK_SECONDS")
        .map_or(10, |seconds| seconds.parse().expect("SOAK_SECONDS is a number"));
    let time = Duration::from_secs(time);
    let services = ["hyper", "ureq"].map(|transport| Arc::new(Soak::start(transport, time)));
    let (start, end) = (Instant::now(), Instant::now() + time);
    let soaks = services.clone().map(|service| thread::spawn(move || service.soak(end)));

    let mut samples = Vec::new();
    while soaks.iter().any(|soak| !soak.is_finished()) {
        thread::sleep(Duration::from_millis(200));
        samples.push((start.elapsed(), Sample::take()));
        for service in &services {
            // Every five seconds, because samples are 200 ms apart.
            if samples.len() % 25 == 1 {
                service.move_limit(samples.len());
            }
        }
    }
    let mut summary = format!("soak on sockets, {time:?}:");
    for (service, soak) in services.iter().zip(soaks) {
        write!(summary, "\n  {}", service.summary(soak.join().unwrap())).unwrap();
    }
    let most = |from: u32, to: u32| {
        let quarter =
            samples.iter().filter(|(at, _)| (time * from / 4..time * to / 4).contains(at));
        quarter.fold(Sample::default(), |most, (_, sample)| most.max(sample))
    };
    let (early, late) = (most(1, 2), most(3, 4));
    write!(
        summary,
        "\n  the second quarter at most: {early:?}\n  the last quarter at most: {late:?}"
    )
    .unwrap();
    // Written to stderr directly, which is not captured, because the coverage is part of the
    // result.
    writeln!(std::io::stderr(), "{summary}").unwrap();
    for sample in [&early, &late] {
        assert!(
            sample.kib > 0 && sample.files > 0 && sample.threads > 2,
            "the samples are not of this process"
        );
    }
    assert!(late.kib <= early.kib + MORE_KIB, "memory grows");
    assert!(late.files <= early.files + MORE_FILES, "file descriptors are left open");
    assert!(late.threads <= early.threads + MORE_THREADS, "threads are left running");
}

/// The resources of this process at one moment.
#[derive(Debug, Default)]
struct Sample {
    kib: u64,
    files: u64,
    threads: u64,
}

impl Sample {
    fn take() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        let files = fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        Self { kib: number("VmRSS:"), files, threads: number("Threads:") }
    }

    fn max(self, other: &Self) -> Self {
        let Self { kib, files, threads } = other;
        Self {
            kib: self.kib.max(*kib),
            files: self.files.max(*files),
            threads: self.threads.max(*threads),
        }
    }
}

/// The service of one transport, and its provider of credentials.
struct Soak {
    transport: &'static str,
    service: service::Service,
    tokens: AtomicU32,
    /// The number of vectors that were put.
    put: AtomicU64,
}

impl Soak {
    fn start(transport: &'static str, time: Duration) -> Self {
        let faults = Fault::ALL.iter().copied().fold(Faults::none(), |faults, fault| {
            // An outage lasts up to two minutes, which is too long for a short soak.
            let outages = if time < Duration::from_secs(60) { 0.0 } else { 0.05 };
            let scale = if fault == Fault::Outage { outages } else { 1.0 };
            faults.with(fault, scale * PROBABILITY).unwrap()
        });
        let service = service::Service::with_keys(0).behind(FaultyNetwork::new(7, faults));
        Self { transport, service, tokens: AtomicU32::new(0), put: AtomicU64::new(0) }
    }

    fn move_limit(&self, number: usize) {
        let per_second = [40.0, 10.0, 60.0, 25.0, 5.0][number / 25 % 5];
        self.service.emulator().set_rate_limit(Some(RateLimit::new(per_second, 10).unwrap()));
    }

    /// Credentials that the service accepts for half a minute. The client does not know their
    /// expiration.
    fn issue(&self) -> Credentials {
        let number = self.tokens.fetch_add(1, Ordering::Relaxed);
        let pair = Credentials::new(format!("STS.{number}"), canary::SECRET).unwrap();
        let pair = pair.with_security_token(format!("token-{number}")).unwrap();
        let expiring = pair.clone().with_expiration(SystemTime::now() + Duration::from_secs(30));
        let mut emulator = self.service.emulator();
        emulator.remove_identity(&format!("STS.{}", number.wrapping_sub(2)));
        emulator.add_identity(Identity::new(expiring));
        pair
    }

    /// Runs until `end`, and then until all keys are settled.
    fn soak(self: &Arc<Self>, end: Instant) -> Report {
        let run_time = end.saturating_duration_since(Instant::now()) / RUNS;
        let options = BulkOptions::new().concurrency(CONCURRENCY);
        let mut bulk =
            BulkDelete::new(&self.service.served_target(), self.issue(), options.clone()).unwrap();
        // By push position, as in a file next to the checkpoint.
        let mut failed = BTreeMap::new();
        for number in 1.. {
            let stop = StopHandle::new();
            let handle = stop.clone();
            let stopping = thread::spawn(move || {
                if number < RUNS {
                    thread::sleep(run_time);
                    if number % 2 == 0 { handle.stop() } else { handle.abort() }
                }
            });
            let ended = self.run(&mut bulk, end, &stop, |event| {
                if let Event::Failed(keys) = event {
                    failed.extend(
                        keys.keys
                            .iter()
                            .map(|key| (position(key.as_str()), key.as_str().to_owned())),
                    );
                }
            });
            stopping.join().unwrap();
            match ended {
                Ok(_) => break,
                Err(error) => assert!(is_expected(&error), "{}: {error}", self.transport),
            }
            let saved: Checkpoint = bulk.checkpoint().to_string().parse().unwrap();
            failed.retain(|&position, _| saved.settled().contains(position));
            bulk = BulkDelete::resume(
                &self.service.served_target(),
                self.issue(),
                options.clone(),
                &saved,
            )
            .unwrap();
        }
        let report = bulk.report();
        let put = self.put.load(Ordering::Relaxed);
        let lost = report.rejected + report.unconfirmed + report.not_attempted;
        assert_eq!(
            (report.pushed, report.deleted + lost, failed.len() as u64),
            (put, put, lost),
            "{report:?}"
        );
        let emulator = self.service.emulator();
        let left = failed.values().filter(|key| emulator.contains(BUCKET, INDEX, key)).count();
        assert_eq!(
            emulator.len(BUCKET, INDEX),
            Some(left),
            "{}: unexpected vectors are left",
            self.transport
        );
        report
    }

    fn run(
        self: &Arc<Self>,
        bulk: &mut BulkDelete,
        end: Instant,
        stop: &StopHandle,
        on_event: impl FnMut(Event),
    ) -> Result<Report, RunError> {
        let service = Arc::clone(self);
        let keys = (0..).map_while(move |number| service.key(number, end));
        let service = Arc::clone(self);
        let options = TransportOptions::new().timeout(TIMEOUT);
        let run = Run::new(bulk).on_event(on_event).stop_handle(stop);
        if self.transport == "ureq" {
            let transport = UreqTransport::new(&options);
            let provider = move || Ok::<_, String>(service.issue());
            return run
                .credentials_provider(provider)
                .run_blocking(keys, move |request| transport.send(request));
        }
        let transport = HyperTransport::new(&options);
        let provider = || std::future::ready(Ok::<_, String>(service.issue()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let send = |request| transport.send(request);
        runtime.block_on(run.credentials_provider(provider).run_async(
            stream_iter(keys),
            send,
            tokio::time::sleep,
        ))
    }

    /// The key at this position. Puts its vector on first use. Returns `None` after `end`.
    fn key(&self, number: u64, end: Instant) -> Option<String> {
        let put = self.put.load(Ordering::Relaxed);
        if number == put {
            if Instant::now() >= end {
                return None;
            }
            let keys = (put..put + 500).map(|number| format!("doc-{number:08}"));
            self.service.emulator().put_vectors(BUCKET, INDEX, keys).unwrap();
            self.put.store(put + 500, Ordering::Relaxed);
        }
        Some(format!("doc-{number:08}"))
    }

    fn summary(&self, report: Report) -> String {
        let network = self.service.network();
        let faults =
            Fault::ALL.iter().copied().map(|fault| format!("{fault} {}", network.injected(fault)));
        let faults: Vec<String> = faults.collect();
        let tokens = self.tokens.load(Ordering::Relaxed);
        format!("{}: {report:?}, {tokens} tokens, faults: {}", self.transport, faults.join(", "))
    }
}

/// The push position of a key.
fn position(key: &str) -> u64 {
    key.trim_start_matches("doc-").parse().unwrap()
}

/// The run was stopped, or it started in an outage, in which no connection is made, or each one is
/// closed. It is resumed.
fn is_expected(error: &RunError) -> bool {
    matches!(
        error.kind(),
        RunErrorKind::Stopped(
            StopReason::Requested | StopReason::Unreachable(_) | StopReason::NoSuccess(_)
        )
    )
}
