//! `--failed-keys` over several runs. A file belongs to one of them.

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;
use oss_delete_vectors::emulator::RateLimit;
use oss_delete_vectors::transports::Server;
use oss_delete_vectors::{Deleted, Now, ServiceError, code};

use crate::output_files::{delete, many};
use crate::program::{CREDENTIALS, File, INCOMPLETE, PLACE, REJECTED, USAGE, command, finish, run};

#[test]
fn failed_keys_of_a_resumed_run_are_kept() {
    let (service, keys) = many("kept-together", 3000);
    service.emulator().reject_keys(["doc-00001"]);
    let checkpoint = File::none("kept-together", "checkpoint");
    let failed = File::none("kept-together", "jsonl");
    let options = ["--keys-from", keys.path(), "--checkpoint", checkpoint.path()];
    let with_failed = [&options[..], &["--failed-keys", failed.path()]].concat();
    assert_eq!(delete(&service, &with_failed).code, INCOMPLETE);
    assert_eq!(failed.read().lines().count(), 1);

    let without = delete(&service, &options);
    let expected = "its run wrote failed keys to a file\nhelp: name that file with --failed-keys";
    assert_eq!(without.stderr, format!("error: --checkpoint {}: {expected}\n", checkpoint.path()));
    fs::write(failed.path(), "").unwrap();
    let shorter = delete(&service, &with_failed);
    let expected = "cannot be written: it is shorter than when the checkpoint was written";
    assert_eq!(shorter.stderr, format!("error: --failed-keys {}: {expected}\n", failed.path()));
    assert_eq!((without.code, shorter.code), (USAGE, USAGE));
}

/// Lines of a removed or truncated file are lost.
#[cfg(unix)]
#[test]
fn files_changed_during_the_run_are_reported() {
    type Change = fn(&str);
    let changes: [(Change, &str); 4] = [
        (|path| fs::remove_file(path).unwrap(), "it was removed or renamed"),
        (|path| fs::write(path, "").unwrap(), "its size was "),
        (
            |path| {
                fs::OpenOptions::new().append(true).open(path).unwrap().write_all(b"x\n").unwrap();
            },
            "its size was ",
        ),
        (
            |path| {
                fs::rename(path, format!("{path}.1")).unwrap();
                fs::rename(format!("{path}.1"), path).unwrap();
                fs::copy(path, format!("{path}.1")).unwrap();
                fs::rename(format!("{path}.1"), path).unwrap();
            },
            "it was replaced by another file",
        ),
    ];
    for (change, reason) in changes {
        let (service, keys) = many("changes-under", 20_000);
        service.emulator().reject_keys(["doc-00001"]);
        // Slow, so that the line is in the file before the last request.
        service.emulator().set_rate_limit(Some(RateLimit::new(20.0, 1).unwrap()));
        let failed = File::none("changes-under", "jsonl");
        let (emulator, path, begun) = (service.shared(), failed.path().to_owned(), Instant::now());
        let mut change = Some(change);
        let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), move |request| {
            if fs::metadata(&path).is_ok_and(|file| file.len() > 0)
                && let Some(change) = change.take()
            {
                change(&path);
            }
            emulator.lock().unwrap().handle(Now::new(begun.elapsed(), SystemTime::now()), &request)
        });
        let server = server.unwrap();
        let url = server.url();
        let options = [
            "--keys-from",
            keys.path(),
            "--failed-keys",
            failed.path(),
            "--force",
            "--endpoint",
            &url,
        ];
        let options = PLACE.into_iter().chain(["--index-name", "vectorindex1"]).chain(options);
        let run = run(options, &CREDENTIALS);
        let expected = format!(
            "error: --failed-keys {}: cannot be written: the file changed while the run wrote to it: {reason}",
            failed.path()
        );
        assert!(run.code == INCOMPLETE && run.stderr.contains(&expected), "{reason}: {run:?}");
        assert!(run.stderr.contains(
            "help: to list all keys again, run the same command with another --failed-keys"
        ));
    }
}

/// Later lines must neither hide the change nor be written after a gap of zeros.
#[cfg(unix)]
#[test]
fn changes_between_two_writes_are_reported() {
    type Change = fn(&str);
    let append = |path: &str| {
        fs::OpenOptions::new().append(true).open(path).unwrap().write_all(b"x\n").unwrap();
    };
    let changes: [(Change, u64, &str); 3] = [
        (|path| fs::write(path, "").unwrap(), 1, "its size was "),
        (append, 1, "its size was "),
        // Before the first line.
        (|path| fs::remove_file(path).unwrap(), 0, "it was removed or renamed"),
    ];
    for (change, least, reason) in changes {
        let (_, keys) = many("between-writes", 20_000);
        let deleted = File::none("between-writes", "jsonl");
        let path = deleted.path().to_owned();
        let mut change = Some(change);
        let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), move |_| {
            if fs::metadata(&path).is_ok_and(|file| file.len() >= least)
                && let Some(change) = change.take()
            {
                change(&path);
            }
            Deleted::new("id").to_response()
        });
        let url = server.as_ref().unwrap().url();
        let options = ["--keys-from", keys.path(), "--deleted-keys", deleted.path(), "--force"];
        let place = PLACE.into_iter().chain(["--index-name", "vectorindex1", "--endpoint", &url]);
        let run = run(place.chain(options).chain(["-j", "1"]), &CREDENTIALS);
        let expected = format!(
            "error: --deleted-keys {}: cannot be written: the file changed while the run wrote to it: {reason}",
            deleted.path()
        );
        assert!(run.code != Some(0) && run.stderr.contains(&expected), "{reason}: {run:?}");
        assert!(run.stderr.contains(" with another --deleted-keys, and "), "{run:?}");
        assert!(!deleted.exists() || !deleted.read().contains('\0'), "{reason}");
    }
}

/// A file without lines is checked at the end, too.
#[cfg(unix)]
#[test]
fn a_removed_file_without_lines_is_reported() {
    let failed = File::none("removed-empty", "jsonl");
    let path = failed.path().to_owned();
    let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), move |_| {
        fs::remove_file(&path).unwrap();
        Deleted::new("id").to_response()
    });
    let url = server.as_ref().unwrap().url();
    let options = ["--keys", "doc-001", "--failed-keys", failed.path(), "--force"];
    let place = PLACE.into_iter().chain(["--index-name", "vectorindex1", "--endpoint", &url]);
    let run = run(place.chain(options), &CREDENTIALS);
    assert!(run.code == USAGE && run.stderr.contains("it was removed or renamed"), "{run:?}");
}

#[test]
fn a_resumed_run_truncates_only_its_own_lines() {
    let (service, keys) = many("cuts-off", 3000);
    service.allow(0);
    let checkpoint = File::none("cuts-off", "checkpoint");
    let failed = File::none("cuts-off", "jsonl");
    let with = |path: &str| {
        delete(
            &service,
            &["--keys-from", keys.path(), "--checkpoint", checkpoint.path(), "--failed-keys", path],
        )
    };
    assert_eq!(with(failed.path()).code, REJECTED);
    let cut_short = failed.read();
    assert!(cut_short.lines().count() > 0);
    service.allow(u64::MAX);

    let requests = service.requests();
    let torn = [&cut_short[..40], &cut_short[..3], &"\0".repeat(100)];
    for foreign in [
        "doc-00001\n",
        "{\"key\":\"doc-00001\"}\n",
        "{\"key\":\"doc-00001\"}",
        "[default]\n\n",
        "\n",
    ] {
        let other = File::new("cuts-off-other", "jsonl", foreign);
        let run = with(other.path());
        let expected = "cannot be written: after 0 bytes of the checkpoint's run it has other content; name the file of that run";
        assert_eq!(run.stderr, format!("error: --failed-keys {}: {expected}\n", other.path()));
        assert_eq!(
            (run.code, other.read().as_str(), service.requests()),
            (USAGE, foreign, requests)
        );
    }
    for ours in torn {
        // The file of a killed run can end anywhere in a line.
        service.allow(0);
        fs::write(failed.path(), ours).unwrap();
        let run = with(failed.path());
        assert_eq!(run.code, REJECTED, "{ours:?}: {run:?}");
        assert!(failed.read().starts_with("{\"key\":\"doc-"), "{ours:?}");
    }
    service.allow(u64::MAX);
    let last = with(failed.path());
    assert_eq!(
        (last.code, last.counts()[0], failed.read().as_str()),
        (Some(0), 3000, ""),
        "{last:?}"
    );
}

#[test]
fn the_covered_part_ends_with_a_line() {
    let (service, keys) = many("ends-with-a-line", 3000);
    service.emulator().reject_keys(["doc-00001"]);
    let checkpoint = File::none("ends-with-a-line", "checkpoint");
    let failed = File::none("ends-with-a-line", "jsonl");
    let options = [
        "--keys-from",
        keys.path(),
        "--checkpoint",
        checkpoint.path(),
        "--failed-keys",
        failed.path(),
    ];
    assert_eq!(delete(&service, &options).code, INCOMPLETE);
    let other = failed.read().replacen("doc-00001", "doc-00001 of another run", 1).repeat(2);
    fs::write(failed.path(), &other).unwrap();
    let run = delete(&service, &options);
    assert_eq!((run.code, failed.read()), (USAGE, other), "{run:?}");
}

#[test]
fn lines_of_another_run_are_not_truncated() {
    for rejects in [false, true] {
        let (service, keys) = many(&format!("another-run-{rejects}"), 3000);
        if rejects {
            service.emulator().reject_keys(["doc-00001"]);
        }
        let first = File::none(&format!("another-run-first-{rejects}"), "checkpoint");
        let second = File::none(&format!("another-run-second-{rejects}"), "checkpoint");
        let failed = File::none(&format!("another-run-{rejects}"), "jsonl");
        let with = |checkpoint: &File| {
            let outputs =
                ["--checkpoint", checkpoint.path(), "--failed-keys", failed.path(), "-j", "1"];
            delete(&service, &[&["--keys-from", keys.path()], &outputs[..]].concat())
        };
        service.allow(if rejects { 25 } else { 3 });
        assert_ne!(with(&first).code, Some(0));
        // After a kill the file may be empty, or somebody may have emptied it for the next job.
        fs::write(failed.path(), "").unwrap();
        service.allow(u64::MAX);
        service.emulator().reject_keys(["doc-00002"]);
        assert_ne!(with(&second).code, Some(0));
        let (lines, requests) = (failed.read(), service.requests());
        assert!(!lines.is_empty());
        let resumed = with(&first);
        let expected = "cannot be written: its lines are from another run than the checkpoint; name the file of that run";
        let expected = format!("error: --failed-keys {}: {expected}\n", failed.path());
        assert_eq!((resumed.code, resumed.stderr), (USAGE, expected));
        assert_eq!((failed.read(), service.requests()), (lines, requests));
    }
}

#[test]
fn keys_that_failed_before_the_file_was_given_are_reported() {
    let (service, keys) = many("named-later", 3000);
    service.emulator().reject_keys(["doc-00001", "doc-00002"]);
    let (checkpoint, failed) =
        (File::none("named-later", "checkpoint"), File::none("named-later", "jsonl"));
    let options = ["--keys-from", keys.path(), "--checkpoint", checkpoint.path()];
    assert_eq!(delete(&service, &options).counts()[..2], [2998, 2]);
    let run = delete(&service, &[&options[..], &["--failed-keys", failed.path()]].concat());
    let expected = format!(
        "warning: --failed-keys {}: 2 keys that failed before this run was resumed are in no file: \
         2 rejected, 0 unconfirmed, 0 not attempted\n",
        failed.path()
    );
    assert!(run.code == INCOMPLETE && run.stderr.starts_with(&expected), "{run:?}");
}

#[test]
fn failed_keys_are_written_during_the_run() {
    let (_, keys) = many("goes-on-failed", 600);
    let failed = File::none("goes-on-failed", "jsonl");
    let is_free = Arc::new(AtomicBool::new(false));
    let free = Arc::clone(&is_free);
    let server = Server::start(
        (Ipv4Addr::LOCALHOST, 0).into(),
        move |request: http::Request<bytes::Bytes>| {
            let has =
                |key: &str| request.body().windows(key.len()).any(|part| part == key.as_bytes());
            let error = |status, code| {
                ServiceError::new(status, code, "no").with_request_id("id").to_response()
            };
            match has("doc-00001") {
                _ if has("doc-00599") && !free.load(Ordering::SeqCst) => {
                    error(StatusCode::SERVICE_UNAVAILABLE, code::SLOW_DOWN)
                }
                true => error(StatusCode::BAD_REQUEST, code::VECTOR_INDEX_PARAMETER_INVALID),
                false => Deleted::new("id").to_response(),
            }
        },
    );
    let server = server.unwrap();
    let url = server.url();
    let options =
        ["--index-name", "vectorindex1", "--force", "--endpoint", &url, "--keys-from", keys.path()];
    let options = PLACE.into_iter().chain(options).chain(["--failed-keys", failed.path()]);
    let child = command(options, &CREDENTIALS)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let is_listed = || {
        fs::read_to_string(failed.path())
            .is_ok_and(|text| text.starts_with("{\"key\":\"doc-00001\","))
    };
    while !is_listed() {
        std::thread::yield_now();
        assert!(begun.elapsed() < Duration::from_secs(20), "the key is not in the file");
    }
    is_free.store(true, Ordering::SeqCst);
    let run = finish(child);
    assert_eq!((run.code, failed.read().lines().count()), (INCOMPLETE, 1), "{run:?}");
}
