//! A file that changes while it is read ends the run. No part of a line is sent as a key.

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::Request;
use oss_delete_vectors::emulator::Emulator;
use oss_delete_vectors::transports::Server;
use oss_delete_vectors::{Deleted, Now};
use serde_json::Value;

use crate::program::{
    CREDENTIALS, File, INCOMPLETE, Run, TRANSPORTS, command, credentials, finish, options_for,
    target,
};

/// More than is read ahead of the first request.
const KEYS: usize = 100_000;

fn line(number: usize) -> String {
    format!("document-{number:06}\n")
}

fn file(test: &str) -> File {
    File::new(test, "txt", (0..KEYS).map(line).collect::<String>())
}

/// Runs over a file with `KEYS` keys, and returns the keys that were sent. Calls `change` at the
/// first request.
fn run_while(
    file: &File,
    transport: &str,
    from_stdin: bool,
    change: impl Fn(&str) + Send + Sync + 'static,
) -> (Run, Vec<String>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let (requests, path) = (Arc::clone(&sent), file.path().to_owned());
    let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), move |request: Request<Bytes>| {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let mut requests = requests.lock().unwrap();
        if requests.is_empty() {
            change(&path);
        }
        requests.extend(
            body["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()),
        );
        Deleted::new("id").to_response()
    })
    .unwrap();
    let url = server.url();
    let base = options_for(&url).chain(["-j", "1"]);
    let from =
        ["--keys-from", if from_stdin { "-" } else { file.path() }, "--transport", transport];
    let mut command = command(base.chain(from), &CREDENTIALS);
    if from_stdin {
        command.stdin(fs::File::open(file.path()).unwrap());
    }
    let run = finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    run.check_sum();
    let sent = sent.lock().unwrap().clone();
    (run, sent)
}

fn open(path: &str) -> fs::File {
    fs::OpenOptions::new().write(true).open(path).unwrap()
}

fn assert_changed(run: &Run, name: &str, reason: &str) {
    // The system sets the time just before the size: then only the time has changed.
    let is_error = |reason| {
        run.stderr.starts_with(&format!("error: {name} changed while it was read: {reason}\n"))
    };
    assert!(is_error(reason) || is_error("it was written to"), "{run:?}");
}

type Change = fn(&str);

/// Each change with its message. The file has 1,600,000 bytes.
const CHANGES: [(Change, &str); 6] = [
    (|path| open(path).set_len(8).unwrap(), "its size was 1,600,000 bytes and is 8"),
    (
        |path| open(path).set_len(2_000_000).unwrap(),
        "its size was 1,600,000 bytes and is 2,000,000",
    ),
    (|path| open(path).write_all(b"other-key-00001").unwrap(), "it was written to"),
    (
        |path| {
            fs::OpenOptions::new()
                .append(true)
                .open(path)
                .unwrap()
                .write_all(b"document-1")
                .unwrap();
        },
        "its size was 1,600,000 bytes and is 1,600,010",
    ),
    (
        |path| {
            fs::write(format!("{path}.new"), "document-000000\n").unwrap();
            fs::rename(format!("{path}.new"), path).unwrap();
        },
        "it was replaced by another file",
    ),
    (|path| fs::remove_file(path).unwrap(), "it was removed or renamed"),
];

#[test]
fn a_change_ends_the_run_and_no_torn_key_is_sent() {
    for transport in TRANSPORTS {
        for (number, (change, reason)) in CHANGES.into_iter().enumerate() {
            let file = file(&format!("change-{transport}-{number}"));
            let (run, sent) = run_while(&file, transport, false, change);
            assert_changed(&run, file.path(), reason);
            assert!(
                run.stderr.ends_with(
                    "help: try again with a file that does not change in the meantime\n"
                ),
                "{run:?}"
            );
            assert_eq!(
                (run.code, &run.json()["input_complete"]),
                (INCOMPLETE, &false.into()),
                "{run:?}"
            );
            assert!(sent.len() < KEYS, "{}", sent.len());
            for (number, key) in sent.iter().enumerate() {
                assert_eq!(format!("{key}\n"), line(number));
            }
        }
    }
}

#[test]
fn stdin_redirected_from_a_file_is_checked_too() {
    for transport in TRANSPORTS {
        let file = file(&format!("change-stdin-{transport}"));
        let (run, sent) = run_while(&file, transport, true, |path| open(path).set_len(8).unwrap());
        assert_changed(&run, "stdin", "its size was 1,600,000 bytes and is 8");
        assert!(run.code == INCOMPLETE && sent.len() < KEYS, "{run:?}");
    }
}

#[test]
fn unchanged_files_are_read_to_the_end() {
    let file = file("no-change");
    let (run, sent) = run_while(&file, "hyper", false, |_| {});
    assert_eq!((run.code, sent.len(), run.stderr.as_str()), (Some(0), KEYS, ""), "{run:?}");
}

#[test]
fn a_blank_line_does_not_delay_a_key() {
    for (transport, lines) in TRANSPORTS
        .into_iter()
        .flat_map(|transport| ["doc-001\n\n", "doc-001\n\u{7f}\n"].map(|lines| (transport, lines)))
    {
        let emulator = Arc::new(Mutex::new(
            Emulator::with_vectors(&target(), credentials(), ["doc-001"]).unwrap(),
        ));
        let (responding, begun) = (Arc::clone(&emulator), Instant::now());
        let (sender, receiver) = std::sync::mpsc::channel();
        let server =
            Server::start((Ipv4Addr::LOCALHOST, 0).into(), move |request: Request<Bytes>| {
                let _ = sender.send(());
                responding
                    .lock()
                    .unwrap()
                    .handle(Now::new(begun.elapsed(), SystemTime::now()), &request)
            })
            .unwrap();
        let url = server.url();
        let base = options_for(&url);
        let from = ["--keys-from", "-", "--on-bad-key", "skip", "--transport", transport];
        let mut command = command(base.chain(from), &CREDENTIALS);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(lines.as_bytes()).unwrap();
        // stdin stays open: the key must not wait for another one.
        receiver.recv_timeout(std::time::Duration::from_secs(30)).expect("a request");
        drop(stdin);
        let run = finish(child);
        assert_eq!((run.code, run.counts()[0]), (Some(0), 1), "{run:?}");
    }
}
