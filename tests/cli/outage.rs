//! A waiting run reports it, with and without a terminal, and ends after its timeout.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use http::StatusCode;
use oss_delete_vectors::{ServiceError, code};

use crate::program::{CREDENTIALS, File, INCOMPLETE, Service, command, finish};

fn keys(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("doc-{number:05}"))
}

fn arguments<'a>(url: &'a str, path: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let place = [
        "--region",
        "cn-hangzhou",
        "--account-id",
        "1234567890123456",
        "--bucket",
        "examplebucket",
        "--endpoint",
        url,
    ];
    let what = [
        "--index-name",
        "vectorindex1",
        "--keys-from",
        path,
        "--force",
        "--progress",
        "never",
        "--output-format",
        "json",
    ];
    place.iter().chain(&what).chain(more).copied().collect()
}

/// Within the first second, or later.
fn began(line: &str) -> bool {
    ["every request fails, still trying: ", "nothing deleted for 0:0"]
        .iter()
        .any(|beginning| line.starts_with(beginning))
        && !line.contains("0:00")
}

#[test]
fn an_outage_is_reported_and_times_out() {
    let service = Service::holding(keys(10_000));
    service.emulator().fail_keys(keys(10_000).skip(500));
    let file = File::new("outage", "txt", keys(10_000).collect::<Vec<_>>().join("\n"));
    let url = service.url();
    let arguments = arguments(&url, file.path(), &["--give-up-after", "2s"]);
    let run = finish(
        command(arguments, &CREDENTIALS)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    assert_eq!((run.code, run.json()["deleted"].as_u64()), (INCOMPLETE, Some(500)), "{run:?}");
    assert!(began(&run.stderr), "{run:?}");
    assert!(run.stderr.lines().next().unwrap().contains(": 500 InternalError: "), "{run:?}");
    assert!(run.json()["error"]["message"].as_str().unwrap().contains("always fails"), "{run:?}");
}

#[test]
fn the_end_of_an_outage_is_reported() {
    let service = Service::holding(keys(15_000));
    let file = File::new("outage-end", "txt", keys(15_000).collect::<Vec<_>>().join("\n"));
    let url = service.url();
    let arguments = arguments(&url, file.path(), &["--max-qps", "10"]);
    let child = command(arguments, &CREDENTIALS)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while service.emulator().deleted_keys() == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    let failure =
        ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "broken");
    for _ in 0..12 {
        service.emulator().fail_next(failure.clone(), 0);
    }
    let run = finish(child);
    assert_eq!((run.code, run.json()["deleted"].as_u64()), (Some(0), Some(15_000)), "{run:?}");
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{run:?}");
    assert!(began(lines[0]) && lines[1].starts_with("deleting again after 0:0"), "{run:?}");
}
