//! `--checkpoint`: a run that ended at any point, and a second run that resumes it.

use std::fs;

use crate::output_files::{delete, many};
use crate::program::{File, INCOMPLETE, REJECTED, Service, TRANSPORTS, USAGE};

#[test]
fn checkpoints_are_removed_after_the_last_key() {
    let (service, keys) = many("checkpoint-goes", 1200);
    let checkpoint = File::none("checkpoint-goes", "checkpoint");
    let run = delete(&service, &["--keys-from", keys.path(), "--checkpoint", checkpoint.path()]);
    assert_eq!(
        (run.code, run.counts(), service.left()),
        (Some(0), [1200, 0, 0, 0, 0, 3], 0),
        "{run:?}"
    );
    assert!(!checkpoint.exists());
}

#[test]
fn the_same_command_resumes_the_run() {
    for transport in TRANSPORTS {
        let (service, keys) = many(&format!("goes-on-{transport}"), 5000);
        service.emulator().reject_keys(["doc-00007"]);
        let checkpoint = File::none(&format!("goes-on-{transport}"), "checkpoint");
        let failed = File::none(&format!("goes-on-{transport}"), "jsonl");
        let options = [
            "--keys-from",
            keys.path(),
            "--checkpoint",
            checkpoint.path(),
            "--failed-keys",
            failed.path(),
        ];
        let options = [&options[..], &["--transport", transport, "-j", "2"]].concat();

        // About twenty requests find the bad key. The service rejects all requests after 25.
        service.allow(25);
        let first = delete(&service, &options);
        assert_eq!(
            (first.code, &first.json()["error"]["code"]),
            (INCOMPLETE, &"AccessDenied".into()),
            "{first:?}"
        );
        assert_eq!(first.json()["input_complete"], first.json()["keys_read"] == 5000, "{first:?}");
        let [deleted, rejected, _, not_attempted, ..] = first.counts();
        assert_eq!(deleted, 5000 - service.left() as u64);
        assert_eq!(failed.read().lines().count() as u64, rejected + not_attempted, "{first:?}");
        assert!(first.stderr.contains("help: allow the action"), "{first:?}");

        // Two runs that are rejected at once change nothing.
        for _ in 0..2 {
            service.allow(0);
            assert_eq!(
                (delete(&service, &options).counts()[0], failed.read().lines().count() as u64 > 0),
                (deleted, true)
            );
        }
        service.allow(u64::MAX);
        assert_eq!(delete(&service, &options).counts()[..5], [4999, 1, 0, 0, 0]);
        assert_eq!(service.left(), 1);
        // All keys except the bad one are deleted. The checkpoint and the line about that key are
        // kept.
        assert!(checkpoint.exists());
        let last = delete(&service, &options);
        assert_eq!(
            (last.code, &last.counts()[..5]),
            (INCOMPLETE, &[4999, 1, 0, 0, 0][..]),
            "{last:?}"
        );
        assert_eq!(
            (&last.json()["keys_read"], &last.json()["errors"][0]["count"]),
            (&5000.into(), &1.into())
        );
        assert_eq!(failed.read().lines().count(), 1, "{}", failed.read());
        assert!(failed.read().starts_with(r#"{"key":"doc-00007","outcome":"rejected","#));
    }
}

#[test]
fn an_empty_checkpoint_starts_a_new_run() {
    for text in ["", "\n"] {
        let (service, keys) = many("empty-file", 1000);
        let checkpoint = File::none("empty-file", "checkpoint");
        fs::write(checkpoint.path(), text).unwrap();
        let run =
            delete(&service, &["--keys-from", keys.path(), "--checkpoint", checkpoint.path()]);
        assert_eq!(
            (run.code, run.counts()[0], checkpoint.exists()),
            (Some(0), 1000, false),
            "{run:?}"
        );
    }
}

#[test]
fn a_run_without_a_deletion_leaves_no_files() {
    let (service, keys) = many("leaves-nothing", 1000);
    let (checkpoint, failed) =
        (File::none("leaves-nothing", "checkpoint"), File::none("leaves-nothing", "jsonl"));
    let options = ["--keys-from", keys.path(), "--checkpoint", checkpoint.path()];
    service.allow(0);
    assert_eq!(delete(&service, &options).code, REJECTED);
    assert!(!checkpoint.exists());
    // With keys in a file, the checkpoint records which file that is.
    let with_failed = [&options[..], &["--failed-keys", failed.path()]].concat();
    for _ in 0..2 {
        assert_eq!(delete(&service, &with_failed).code, REJECTED);
        // The first batch may be rejected before the rest of the file is read.
        let lines = failed.read().lines().count();
        assert!(checkpoint.exists() && (500..=1000).contains(&lines), "{lines} lines");
    }
    service.allow(u64::MAX);
    let run = delete(&service, &with_failed);
    assert_eq!(
        (run.code, run.counts()[0], checkpoint.exists(), failed.read().as_str()),
        (Some(0), 1000, false, ""),
        "{run:?}"
    );

    // An invalid first line: no key was read.
    let bad = File::new("leaves-nothing-bad", "txt", "x".repeat(1025));
    let existing = File::none("leaves-nothing-empty", "jsonl");
    fs::write(existing.path(), "").unwrap();
    for (failed_keys, is_kept) in
        [(File::none("leaves-nothing-new", "jsonl"), false), (existing, true)]
    {
        let outputs = ["--checkpoint", checkpoint.path(), "--failed-keys", failed_keys.path()];
        let run = delete(&service, &[&["--keys-from", bad.path()], &outputs[..]].concat());
        assert_eq!(
            (run.code, checkpoint.exists(), failed_keys.exists()),
            (USAGE, false, is_kept),
            "{run:?}"
        );
    }
}

#[test]
fn keys_rejected_before_the_first_success_are_resent() {
    let (service, keys) = many("rejected-first", 2000);
    let all: Vec<String> = keys.read().lines().map(str::to_owned).collect();
    service.emulator().reject_keys(all.iter().map(String::as_str));
    let (checkpoint, failed) =
        (File::none("rejected-first", "checkpoint"), File::none("rejected-first", "jsonl"));
    let options = [
        "--keys-from",
        keys.path(),
        "--checkpoint",
        checkpoint.path(),
        "--failed-keys",
        failed.path(),
    ];
    let first = delete(&service, &options);
    // The number of keys read before the stop depends on the threads.
    let read = first.json()["keys_read"].as_u64();
    assert_eq!(
        (first.code, service.left(), Some(failed.read().lines().count() as u64)),
        (REJECTED, 2000, read),
        "{first:?}"
    );
    let resumed = Service::holding(all);
    // The same index without the rejections.
    fs::write(
        checkpoint.path(),
        checkpoint.read().replace(&service.url()[7..], &resumed.url()[7..]),
    )
    .unwrap();
    let second = delete(&resumed, &options);
    assert_eq!(
        (second.code, &second.counts()[..2], resumed.left()),
        (Some(0), &[2000, 0][..], 0),
        "{second:?}"
    );
    assert_eq!(failed.read(), "");
}

#[test]
fn the_help_for_failed_keys_works() {
    let (service, keys) = many("given-up", 1000);
    service.emulator().reject_keys(["doc-00001"]);
    let (checkpoint, failed) =
        (File::none("given-up", "checkpoint"), File::none("given-up", "jsonl"));
    let options = ["--keys-from", keys.path(), "--checkpoint", checkpoint.path()];

    let without = delete(&service, &options);
    let expected = format!(
        "help: to try all keys again, remove {} and add --failed-keys PATH; deleting a key twice is harmless\n",
        checkpoint.path()
    );
    assert!(without.code == INCOMPLETE && without.stderr.ends_with(&expected), "{without:?}");
    fs::remove_file(checkpoint.path()).unwrap();
    let with = [&options[..], &["--failed-keys", failed.path()]].concat();
    for _ in 0..2 {
        let run = delete(&service, &with);
        let expected = format!(
            "help: to try these keys again: --keys-from {}, with another --failed-keys and --checkpoint; \
             deleting a key twice is harmless\n",
            failed.path()
        );
        assert!(run.code == INCOMPLETE && run.stderr.ends_with(&expected), "{run:?}");
    }
    let other_service = Service::holding(["doc-00001"]);
    let (checkpoint, again) =
        (File::none("given-up-again", "checkpoint"), File::none("given-up-again", "jsonl"));
    let outputs = ["--checkpoint", checkpoint.path(), "--failed-keys", again.path()];
    let run = delete(&other_service, &[&["--keys-from", failed.path()], &outputs[..]].concat());
    assert_eq!((run.code, run.counts()[0], other_service.left()), (Some(0), 1, 0), "{run:?}");
}
