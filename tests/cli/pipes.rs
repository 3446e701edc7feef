//! Keys from a pipe that stays open: each key is deleted when it arrives, and each key that was
//! read is counted.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;
use oss_delete_vectors::emulator::RateLimit;
use oss_delete_vectors::{ServiceError, code};

use crate::calls::{BUCKET, INDEX};
use crate::program::{
    CREDENTIALS, File, INTERRUPTED, PLACE, REJECTED, Service, TRANSPORTS, command, finish,
};

fn spawn(service: &Service, options: &[&str]) -> (Child, ChildStdin) {
    let url = service.url();
    let base = ["--index-name", "vectorindex1", "--force", "--endpoint", &url, "--keys-from", "-"];
    let mut command =
        command(PLACE.into_iter().chain(base).chain(options.iter().copied()), &CREDENTIALS);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pipe = child.stdin.take().unwrap();
    (child, pipe)
}

#[test]
fn a_key_does_not_wait_for_the_next_line() {
    for transport in TRANSPORTS {
        for after in ["", "\n", "\n\n", "\r\n\n", &format!("{}\n", "k".repeat(1025))] {
            let service = Service::start();
            let (child, mut pipe) = spawn(
                &service,
                &["--output-format", "json", "--transport", transport, "--on-bad-key", "skip"],
            );
            pipe.write_all(format!("doc-001\n{after}").as_bytes()).unwrap();
            // Forever, if the program waits for the next line.
            while service.left() == 9 {
                std::thread::yield_now();
            }
            drop(pipe);
            let run = finish(child);
            assert_eq!(
                (run.code, run.counts()),
                (Some(0), [1, 0, 0, 0, 0, 1]),
                "{transport}, {after:?}: {run:?}"
            );
        }
    }
}

#[test]
fn keys_that_were_read_are_counted_after_an_interrupt() {
    for transport in TRANSPORTS {
        let service = Service::holding((0..30_000).map(|number| format!("doc-{number:05}")));
        service.emulator().set_rate_limit(Some(RateLimit::new(1.0, 1).unwrap()));
        let failed = File::none(&format!("pipe-{transport}"), "jsonl");
        let (child, mut pipe) = spawn(
            &service,
            &[
                "--output-format",
                "json",
                "--transport",
                transport,
                "-j",
                "1",
                "--failed-keys",
                failed.path(),
            ],
        );
        let written = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&written);
        let feeding = std::thread::spawn(move || {
            for number in 0..30_000 {
                if writeln!(pipe, "doc-{number:05}").is_err() {
                    break;
                }
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        // The pipe and the reader's buffer have 64 KiB each, so at least 9,392 keys were read.
        while service.left() == 30_000 || written.load(Ordering::SeqCst) < 22_500 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert!(
            Command::new("kill")
                .args(["-s", "INT", &child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
        let run = finish(child);
        feeding.join().unwrap();
        run.check_sum();
        let json = run.json();
        assert_eq!((run.code, &json["input_complete"]), (INTERRUPTED, &false.into()), "{run:?}");
        // At a concurrency of 1, 9,000 keys are pushed and not deleted. The others are read ahead:
        // at most 4,000 wait for the run, and as many are being taken by it.
        let read = json["keys_read"].as_u64().unwrap();
        let [deleted, ..] = run.counts();
        assert!((9_392..=deleted + 17_000).contains(&read), "{run:?}");
        let left: Vec<String> = failed.read().lines().map(|line| line[8..17].to_owned()).collect();
        // A batch that is throttled repeatedly is sent after others.
        let expected: Vec<String> = (0..read)
            .map(|number| format!("doc-{number:05}"))
            .filter(|key| service.emulator().contains(BUCKET, INDEX, key))
            .collect();
        assert_eq!(left.len() as u64, read - deleted, "{run:?}");
        let mut sorted = left;
        sorted.sort();
        assert_eq!(sorted, expected);
        assert!(run.stderr.contains("the rest of the input was neither read nor sent"), "{run:?}");
    }
}

#[test]
fn the_summary_reports_unread_input() {
    let service = Service::start();
    let denied = ServiceError::new(StatusCode::FORBIDDEN, code::ACCESS_DENIED, "not allowed");
    service.emulator().fail_next(denied, 0);
    let (child, mut pipe) = spawn(&service, &["--output-format", "text"]);
    pipe.write_all(b"doc-001\n").unwrap();
    let run = finish(child);
    drop(pipe);
    assert_eq!(run.code, REJECTED, "{run:?}");
    let expected = "Deleted 0 keys from vectorindex1, 1 rejected; the rest of the input was not read (1 request in 0:";
    assert!(run.stdout.starts_with(expected), "{run:?}");
    assert!(
        run.stderr
            .contains("note: 1 key was read; the rest of the input was neither read nor sent\n"),
        "{run:?}"
    );
}
