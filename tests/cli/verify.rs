//! `--verify` and `--deleted-keys`: remaining keys are found, and deleted keys have a receipt.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use oss_delete_vectors::emulator::RateLimit;
use oss_delete_vectors::transports::Server;
use oss_delete_vectors::{DeleteVectors, Deleted, Now, Operation, ServiceError, code};
use serde_json::{Value, json};

use crate::program::{CREDENTIALS, File, PLACE, Run, Service, TRANSPORTS, command, finish, run};
use crate::service::real_time;

fn with(url: &str, options: &[&str]) -> Run {
    let place = ["--index-name", "vectorindex1", "--output-format", "json", "--endpoint", url];
    let all = PLACE.into_iter().chain(place).chain(["--force"]).chain(options.iter().copied());
    run(all, &CREDENTIALS)
}

/// A proxy that confirms every `nth` deletion without forwarding it.
fn lying_proxy(service: &Service, nth: u64) -> Server {
    let (emulator, seen) = (service.shared(), AtomicU64::new(0));
    Server::start((Ipv4Addr::LOCALHOST, 0).into(), move |request| {
        if DeleteVectors::is_call(&request) && seen.fetch_add(1, Ordering::SeqCst) % nth == 0 {
            return Deleted::new("a lie").to_response();
        }
        let now: Now = real_time();
        emulator.lock().unwrap().handle(now, &request)
    })
    .unwrap()
}

fn keys(test: &str, count: usize) -> File {
    File::new(test, "txt", (0..count).map(|number| format!("doc-{number}\n")).collect::<String>())
}

/// The number of lines per outcome.
fn outcomes(file: &File) -> BTreeMap<String, usize> {
    let mut outcomes = BTreeMap::new();
    for line in file.read().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        *outcomes.entry(line["outcome"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    outcomes
}

#[test]
fn deleted_keys_are_verified() {
    for transport in TRANSPORTS {
        let service = Service::with_keys(1234);
        let keys = keys("verified", 1300);
        let options = ["--keys-from", keys.path(), "--verify", "--transport", transport];
        let run = with(&service.url(), &options);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
        let expected = json!({"by": "look-up", "keys": 1300, "present": 0, "confirmed": 0});
        assert_eq!(run.json()["verified"], expected);
    }
}

#[test]
fn false_confirmations_are_detected() {
    for transport in TRANSPORTS {
        let service = Service::with_keys(2000);
        let proxy = lying_proxy(&service, 3);
        let (keys, failed) = (keys("lies", 2000), File::none("lies", "jsonl"));
        let options = ["--keys-from", keys.path(), "--verify", "--failed-keys", failed.path()];
        let options: Vec<&str> = options.into_iter().chain(["--transport", transport]).collect();
        let run = with(&proxy.url(), &options);
        let left = service.left();
        assert!(left > 0, "it lied");
        assert_eq!((run.code, &run.json()["deleted"]), (Some(4), &json!(2000)), "{run:?}");
        assert_eq!(run.json()["verified"]["present"], left);
        assert!(
            run.stderr.starts_with(&format!(
                "error: {} still there\n",
                if left == 1000 { "1,000 keys are".to_owned() } else { format!("{left} keys are") }
            )),
            "{run:?}"
        );
        assert_eq!(outcomes(&failed), BTreeMap::from([("present".to_owned(), left)]));
        // The file is used as input, without the proxy.
        let again = with(&service.url(), &["--keys-from", failed.path(), "--verify"]);
        assert_eq!((again.code, service.left()), (Some(0), 0), "{again:?}");
    }
}

#[test]
fn a_listing_detects_false_confirmations() {
    for transport in TRANSPORTS {
        let service = Service::with_keys(700);
        let proxy = lying_proxy(&service, 1);
        let failed = File::none("lies-listed", "jsonl");
        let options = ["--all", "--passes", "2", "--verify", "--failed-keys", failed.path()];
        let options: Vec<&str> = options.into_iter().chain(["--transport", transport]).collect();
        let run = with(&proxy.url(), &options);
        assert_eq!((run.code, service.left()), (Some(4), 700), "{run:?}");
        assert!(
            run.stderr.starts_with("error: the last of 2 passes still found keys\n"),
            "{run:?}"
        );
        assert_eq!(outcomes(&failed), BTreeMap::from([("present".to_owned(), 700)]));
    }
}

#[test]
fn unconfirmed_keys_that_do_not_exist_are_confirmed() {
    let failure =
        ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "broken");
    for (deleted, code) in [(10, 0), (7, 4)] {
        let service = Service::with_keys(10);
        service.emulator().fail_next(failure.clone(), deleted);
        let (keys, failed) = (keys("unconfirmed", 10), File::none("unconfirmed", "jsonl"));
        let options = ["--keys-from", keys.path(), "--verify", "--max-attempts", "1"];
        let more = ["--failed-keys", failed.path()];
        let options: Vec<&str> = options.into_iter().chain(more).collect();
        let run = with(&service.url(), &options);
        assert_eq!((run.code, &run.json()["unconfirmed"]), (Some(code), &json!(10)), "{run:?}");
        let expected =
            json!({"by": "look-up", "keys": 10, "present": 10 - deleted, "confirmed": deleted});
        assert_eq!(run.json()["verified"], expected);
        // Only remaining keys are left in the file.
        let expected: BTreeMap<_, _> = [("present".to_owned(), 10 - deleted)]
            .into_iter()
            .filter(|(_, keys)| *keys > 0)
            .collect();
        assert_eq!(outcomes(&failed), expected);
    }
}

#[test]
fn a_key_given_twice_is_looked_up_once() {
    let failure =
        ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "broken");
    for transport in TRANSPORTS {
        let service = Service::with_keys(10);
        service.emulator().fail_next(failure.clone(), 7);
        let twice: String = (0..20).map(|number| format!("doc-{}\n", number % 10)).collect();
        let keys = File::new("twice", "txt", twice);
        let options = ["--keys-from", keys.path(), "--verify", "--max-attempts", "1"];
        let run = with(&service.url(), &[&options[..], &["--transport", transport]].concat());
        assert_eq!(run.counts()[2..], [10, 0, 10, 1], "{run:?}");
        assert_eq!(
            run.json()["verified"],
            json!({"by": "look-up", "keys": 10, "present": 3, "confirmed": 7})
        );
    }
}

#[test]
fn rejected_keys_are_not_looked_up() {
    let service = Service::with_keys(1000);
    service.emulator().reject_keys(["doc-7", "doc-990"]);
    let (keys, failed) = (keys("rejected", 1000), File::none("rejected", "jsonl"));
    let options = ["--keys-from", keys.path(), "--verify", "--failed-keys", failed.path()];
    let run = with(&service.url(), &options);
    assert_eq!((run.code, service.left()), (Some(4), 2), "{run:?}");
    assert_eq!(
        run.json()["verified"],
        json!({"by": "look-up", "keys": 998, "present": 0, "confirmed": 0})
    );
    assert_eq!(outcomes(&failed), BTreeMap::from([("rejected".to_owned(), 2)]));
}

#[test]
fn failed_verifications_are_reported() {
    let service = Service::with_keys(10);
    let emulator = service.shared();
    let denied = ServiceError::new(StatusCode::FORBIDDEN, code::ACCESS_DENIED, "no GetVectors");
    let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), move |request| {
        if oss_delete_vectors::GetVectors::is_call(&request) {
            return denied.to_response();
        }
        emulator.lock().unwrap().handle(real_time(), &request)
    })
    .unwrap();
    let keys = keys("denied", 10);
    let run = with(&server.url(), &["--keys-from", keys.path(), "--verify"]);
    assert_eq!((run.code, service.left()), (Some(4), 0), "{run:?}");
    let expected = "error: the keys were not verified: the listing stopped: rejected: 403 AccessDenied: no GetVectors\n";
    assert!(run.stderr.starts_with(expected), "{run:?}");
    assert!(run.json().get("verified").is_none());
}

#[test]
fn every_deleted_key_has_a_receipt() {
    for transport in TRANSPORTS {
        let service = Service::with_keys(1234);
        let receipt = File::none("receipt", "jsonl");
        let options =
            ["--prefix", "doc-1", "--deleted-keys", receipt.path(), "--transport", transport];
        let run = with(&service.url(), &options);
        assert_eq!(run.code, Some(0), "{run:?}");
        let mut listed = Vec::new();
        for line in receipt.read().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["outcome"], "deleted");
            assert_eq!(line["request_id"].as_str().unwrap().len(), 24);
            let time = line["time"].as_str().unwrap();
            assert!(time.len() == 20 && time.starts_with("20") && time.ends_with('Z'), "{time}");
            listed.push(line["key"].as_str().unwrap().to_owned());
        }
        let mut expected: Vec<String> = (0..1234)
            .map(|number| format!("doc-{number}"))
            .filter(|key| key.starts_with("doc-1"))
            .collect();
        listed.sort();
        expected.sort();
        assert_eq!(listed, expected);
        let again = with(&service.url(), &options);
        let reason = "cannot be written: it is not empty; name another file, or remove this one";
        assert_eq!(
            (again.code, again.stderr),
            (Some(1), format!("error: --deleted-keys {}: {reason}\n", receipt.path()))
        );
    }
}

/// Keys covered by the checkpoint are in the receipt exactly once.
#[cfg(unix)]
#[test]
fn receipts_continue_after_a_kill() {
    const COUNT: usize = 30_000;
    let service = Service::with_keys(COUNT);
    service.emulator().set_rate_limit(Some(RateLimit::new(20.0, 5).unwrap()));
    let (url, keys) = (service.url(), keys("receipt-kill", COUNT));
    let (checkpoint, receipt) =
        (File::none("receipt-kill", "checkpoint"), File::none("receipt-kill", "jsonl"));
    let options = ["--index-name", "vectorindex1", "--output-format", "json", "--force"];
    let files = ["--keys-from", keys.path(), "--checkpoint", checkpoint.path()];
    let more = ["--endpoint", &url, "--deleted-keys", receipt.path()];
    let spawn = || {
        let arguments = PLACE.into_iter().chain(options).chain(files).chain(more);
        let mut command = command(arguments, &CREDENTIALS);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut child = spawn();
    while service.left() > COUNT / 2 {
        std::thread::sleep(Duration::from_millis(5));
        assert!(child.try_wait().unwrap().is_none(), "{:?}", finish(child));
    }
    child.kill().unwrap();
    finish(child);
    let without = PLACE.into_iter().chain(options).chain(files).chain(["--endpoint", &url]);
    let refused = run(without, &CREDENTIALS);
    assert!(
        refused
            .stderr
            .contains("its run wrote a receipt\nhelp: name that file with --deleted-keys"),
        "{refused:?}"
    );
    let run = finish(spawn());
    assert_eq!((run.code, service.left()), (Some(0), 0), "{run:?}");
    let mut listed: Vec<String> = receipt
        .read()
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["key"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(listed.len(), COUNT);
    listed.sort();
    listed.dedup();
    assert_eq!(listed.len(), COUNT, "each key once");
}
