//! A million keys through a faulty network, with runs that are killed: in the end all keys are
//! deleted, and few are sent twice. Also runs that only list failed keys: keys reported one second
//! before the kill are in the file.
//!
//! `KILL_KEYS=10000000` deletes more keys. `--nocapture` prints the cost of each kill.
#![cfg(unix)]

use std::collections::HashSet;
use std::env;
use std::fs::{self, File as StdFile};
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use oss_delete_vectors::bulk::Checkpoint;
use oss_delete_vectors::emulator::{Emulator, FaultyNetwork, RateLimit};
use oss_delete_vectors::transports::Server;
use oss_delete_vectors::{Deleted, ServiceError, code};
use serde_json::Value;

use crate::program::{CREDENTIALS, File, PLACE, command, credentials, finish, run, target};
use crate::random::Random;

const KILLS: u64 = 5;
const FAULTS: &str = "lost-response=0.01,server-error=0.02,connection-refused=0.01,truncated-response=0.01,repeated-request=0.01,page=0.01";
/// The service's limit, and that of the command line.
const LIMIT: f64 = 600.0;
const MAX_QPS: u64 = 400;
const CONCURRENCY: u64 = 16;

/// The maximum number of unsettled keys: see `BulkDelete::can_push`.
const UNSETTLED: u64 = 500 * (2 * CONCURRENCY + 16 + 1);

fn run_with_kills(test: &str, transport: &str, is_stdin: bool) {
    let count: u64 = env::var("KILL_KEYS")
        .map_or(1_000_000, |count| count.parse().expect("KILL_KEYS is a number"));
    let keys = File::new(
        test,
        "txt",
        (0..count).map(|number| format!("doc-{number:08}\n")).collect::<String>(),
    );
    let checkpoint = File::none(test, "checkpoint");
    let emulator = Emulator::with_vectors(&target(), credentials(), keys.read().lines()).unwrap();
    let emulator = Arc::new(Mutex::new(emulator));
    emulator.lock().unwrap().set_rate_limit(Some(RateLimit::new(LIMIT, 100).unwrap()));
    let network = Arc::new(Mutex::new(FaultyNetwork::new(7, FAULTS.parse().unwrap())));
    let server =
        Server::start_faulty((Ipv4Addr::LOCALHOST, 0).into(), Arc::clone(&emulator), network)
            .unwrap();
    let gone =
        || count - emulator.lock().unwrap().len("examplebucket", "vectorindex1").unwrap() as u64;
    let url = server.url();

    let spawn = || {
        let options = [
            "--index-name",
            "vectorindex1",
            "--force",
            "--output-format",
            "json",
            "--endpoint",
            &url,
            "--timeout",
            "2",
        ];
        let paths = [
            "--keys-from",
            if is_stdin { "-" } else { keys.path() },
            "--checkpoint",
            checkpoint.path(),
        ];
        let pace = ["--max-qps", &MAX_QPS.to_string(), "--transport", transport];
        let mut command =
            command(PLACE.into_iter().chain(options).chain(paths).chain(pace), &CREDENTIALS);
        if is_stdin {
            command.stdin(StdFile::open(keys.path()).unwrap());
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut random = Random::new(42);
    for kill in 1..=KILLS {
        let before = gone();
        let mut child = spawn();
        let share = (count - before) / (KILLS + 2 - kill);
        let killed_at = before + share / 2 + random.below(usize::try_from(share).unwrap()) as u64;
        while gone() < killed_at {
            std::thread::sleep(Duration::from_millis(1));
            assert!(child.try_wait().unwrap().is_none(), "{:?}", finish(child));
        }
        child.kill().unwrap();
        finish(child);
        let saved_at = fs::metadata(checkpoint.path()).unwrap().modified().unwrap();
        let saved: Value = serde_json::from_str(&checkpoint.read()).unwrap();
        let covered = saved["run"].to_string().parse::<Checkpoint>().unwrap().report().deleted;
        let (gone, repeated) = (gone(), gone() - covered);
        println!(
            "{test}: kill {kill} with {gone} gone and {covered} covered: {repeated} are sent again"
        );
        // The interval is one second. The system also needs time to write and to kill.
        let interval = saved_at.elapsed().unwrap().max(Duration::from_secs(1));
        let most = MAX_QPS as f64 * 500.0 * interval.as_secs_f64() + UNSETTLED as f64;
        assert!(
            repeated as f64 <= most,
            "{repeated} keys are sent again, {interval:?} after the checkpoint"
        );
    }
    let run = finish(spawn());
    run.check_sum();
    assert_eq!((run.code, &run.counts()[..5]), (Some(0), &[count, 0, 0, 0, 0][..]), "{run:?}");
    assert_eq!((gone(), checkpoint.exists()), (count, false));
}

#[test]
fn from_a_file() {
    run_with_kills("kill-file", "hyper", false);
}

#[test]
fn from_stdin() {
    run_with_kills("kill-stdin", "ureq", true);
}

/// Without a checkpoint, only the file of failed keys is left of a killed run.
#[test]
fn failed_keys_outlive_a_kill() {
    let mut random = Random::new(7);
    for round in 0..6 {
        let name = format!("kill-failed-{round}");
        let keys = File::new(
            &name,
            "txt",
            (0..200_000).map(|number| format!("doc-{number:06}\n")).collect::<String>(),
        );
        let failed = File::none(&name, "jsonl");
        let refused: Arc<Mutex<Vec<(Instant, String)>>> = Arc::default();
        let seen = Arc::clone(&refused);
        // Batches are rejected while they contain a key that ends in 7. The first batch has none,
        // so that keys are deleted.
        let handler = move |request: http::Request<bytes::Bytes>| {
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            let keys: Vec<&str> =
                body["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
            let bad: Vec<&str> = keys
                .iter()
                .copied()
                .filter(|key| key.ends_with('7') && *key >= "doc-000500")
                .collect();
            if bad.is_empty() {
                return Deleted::new("id").to_response();
            }
            if keys.len() == 1 {
                seen.lock().unwrap().push((Instant::now(), keys[0].to_owned()));
            }
            ServiceError::new(
                http::StatusCode::BAD_REQUEST,
                code::VECTOR_INDEX_PARAMETER_INVALID,
                "bad keys",
            )
            .with_request_id("id")
            .to_response()
        };
        let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), handler).unwrap();
        let url = server.url();
        let options = [
            "--index-name",
            "vectorindex1",
            "--force",
            "--endpoint",
            &url,
            "--keys-from",
            keys.path(),
        ];
        let transport = if round % 2 == 0 { "hyper" } else { "ureq" };
        let options =
            [&options[..], &["--failed-keys", failed.path(), "--transport", transport]].concat();
        let mut command = command(PLACE.into_iter().chain(options), &CREDENTIALS);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lifetime = Duration::from_millis(1200 + random.below(1500) as u64);
        while refused.lock().unwrap().first().is_none_or(|(at, _)| at.elapsed() < lifetime) {
            std::thread::sleep(Duration::from_millis(1));
            assert!(child.try_wait().unwrap().is_none(), "{:?}", finish(child));
        }
        let written_at = fs::metadata(failed.path()).unwrap().modified().unwrap();
        child.kill().unwrap();
        let since_written = written_at.elapsed().unwrap();
        finish(child);
        let killed_at = Instant::now();

        let text = failed.read();
        let (whole, torn) = text.rsplit_once('\n').unwrap_or_default();
        assert!(torn.is_empty() || torn.starts_with("{\"key\":\""), "{torn:?}");
        let listed: HashSet<String> = whole
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["key"].as_str().unwrap().to_owned()
            })
            .collect();
        // In addition to the second, the system needs time to write and to kill.
        let margin = Duration::from_secs(1).max(since_written) + Duration::from_millis(500);
        let refused = refused.lock().unwrap();
        let due = refused.iter().filter(|(at, _)| killed_at - *at > margin);
        let lost: Vec<_> = due.clone().filter(|(_, key)| !listed.contains(key)).collect();
        println!(
            "{name}: {} of {} listed, {} due after {lifetime:?}",
            listed.len(),
            refused.len(),
            due.count()
        );
        assert!(lost.is_empty(), "{lost:?}");
        drop(refused);

        let whole = File::new(&format!("{name}-whole"), "jsonl", format!("{whole}\n"));
        let dry_run = ["--index-name", "vectorindex1", "--dry-run", "--keys-from", whole.path()];
        let run = run(PLACE.into_iter().chain(dry_run), &CREDENTIALS);
        assert_eq!(run.code, Some(0), "{run:?}");
    }
}
