//! By prefix, by filter, and all, from an index of a million vectors: over both transports, with 1
//! and 16 segments, with faults. Exactly the selected keys are deleted, and memory stays constant.
//!
//! By default, two cases of `--all` use a million vectors, and the others a tenth. `MILLION=1` uses
//! a million in every case, which takes eight minutes.
#![cfg(target_os = "linux")]

use std::env;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use oss_delete_vectors::Vector;
use oss_delete_vectors::emulator::{Emulator, FaultyNetwork};
use oss_delete_vectors::transports::Server;
use serde_json::json;

use crate::calls::{BUCKET, INDEX};
use crate::peak_rss::peak_rss;
use crate::program::{CREDENTIALS, PLACE, command, credentials, finish, target};

const FAULTS: &str = "server-error=0.005,connection-refused=0.002,truncated-response=0.005,\
                      lost-response=0.001,repeated-request=0.005,page=0.002";

fn key(number: usize) -> String {
    format!("doc-{}#{}", number / 10, number % 10)
}

/// Every tenth vector has metadata.
fn index(count: usize) -> Emulator {
    let mut emulator =
        Emulator::with_vectors(&target(), credentials(), (0..count).map(key)).unwrap();
    let vectors = (0..count).step_by(10).map(|number| {
        let metadata = json!({"tenant": if number % 20 == 0 { "acme" } else { "other" }});
        Vector::new(&key(number)).unwrap().with_metadata(&metadata.to_string()).unwrap()
    });
    emulator.put_whole_vectors(BUCKET, INDEX, vectors).unwrap();
    emulator
}

/// Deletes, and returns the peak memory in KiB.
fn delete(emulator: &Emulator, options: &[&str], is_left: impl Fn(usize) -> bool) -> u64 {
    let count = emulator.len(BUCKET, INDEX).unwrap();
    let emulator = Arc::new(Mutex::new(emulator.clone()));
    let network = Arc::new(Mutex::new(FaultyNetwork::new(19, FAULTS.parse().unwrap())));
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let server = Server::start_faulty(address, Arc::clone(&emulator), network).unwrap();
    let url = server.url();
    let place = ["--index-name", "vectorindex1", "--output-format", "json", "--endpoint", &url];
    let more = ["--force", "--timeout", "1", "--concurrency", "8"];
    let arguments = PLACE.into_iter().chain(place).chain(more).chain(options.iter().copied());
    let mut peak = 0;
    // A fault of the very first request may end the run, like a wrong endpoint.
    for attempt in 1.. {
        let mut command = command(arguments.clone(), &CREDENTIALS);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        peak = peak.max(peak_rss(&mut child));
        let run = finish(child);
        if run.code == Some(0) {
            break;
        }
        assert!(attempt < 5, "{options:?}: {run:?}");
    }
    let emulator = emulator.lock().unwrap();
    let mut expected: Vec<String> = (0..count).filter(|&number| is_left(number)).map(key).collect();
    expected.sort_unstable();
    assert!(
        emulator.keys(BUCKET, INDEX).eq(expected.iter().map(String::as_str)),
        "{options:?}: {:?} are left instead of {}",
        emulator.len(BUCKET, INDEX),
        expected.len()
    );
    peak
}

#[test]
fn exactly_the_selected_keys_of_a_million_are_deleted_with_hyper() {
    check("hyper", "1");
}

#[test]
fn exactly_the_selected_keys_of_a_million_are_deleted_with_ureq() {
    check("ureq", "16");
}

/// With a million vectors at least for `--all` with this number of segments.
fn check(transport: &str, chosen: &str) {
    let takes_all = env::var_os("MILLION").is_some();
    let (million, tenth, few) = (index(1_000_000), index(100_000), index(50_000));
    for segments in ["1", "16"] {
        let whole = if takes_all { &million } else { &tenth };
        let common = ["--transport", transport, "--segments", segments];
        let with = |options: &[&'static str]| [&common[..], options].concat();
        delete(whole, &with(&["--prefix", "doc-1"]), |number| !key(number).starts_with("doc-1"));
        let acme = r#"{"tenant":"acme"}"#;
        delete(whole, &with(&["--filter", acme]), |number| number % 20 != 0);
        let small = delete(&few, &with(&["--all"]), |_| false);
        let whole = if takes_all || segments == chosen { &million } else { &tenth };
        let large = delete(whole, &with(&["--all"]), |_| false);
        println!("{transport}, {segments} segments: {small} KiB, then {large} KiB");
        assert!(
            small > 0 && large <= small + 8192,
            "{transport}, {segments} segments: {small} KiB, then {large} KiB"
        );
    }
}
