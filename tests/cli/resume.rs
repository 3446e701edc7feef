//! `--checkpoint`: a run that ended anywhere, and another one that resumes it.

use std::fs;

use crate::output_files::{delete, many};
use crate::program::{
    CREDENTIALS, File, INCOMPLETE, REFUSED, Run, Service, TRANSPORTS, USAGE, against,
    run_with_stdin,
};

#[test]
fn a_checkpoint_goes_with_the_last_key() {
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
fn the_same_command_goes_on_where_the_run_ended() {
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

        // The bad key is found by some twenty requests, and then it is over.
        service.allow(25);
        let first = delete(&service, &options);
        assert_eq!(
            (first.code, &first.json()["error"]["code"]),
            (REFUSED, &"AccessDenied".into()),
            "{first:?}"
        );
        assert_eq!(first.json()["input_complete"], first.json()["keys_read"] == 5000, "{first:?}");
        let [deleted, rejected, _, not_attempted, ..] = first.counts();
        assert_eq!(deleted, 5000 - service.left() as u64);
        assert_eq!(failed.read().lines().count() as u64, rejected + not_attempted, "{first:?}");
        assert!(first.stderr.contains("help: allow the action"), "{first:?}");

        // Twice it is denied at once, which changes nothing.
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
        // All but the bad key: the checkpoint stays, and so does the line about that key.
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

/// Runs it with the keys on stdin.
fn delete_from_stdin(service: &Service, options: &[&str], keys: &str) -> Run {
    let url = service.url();
    let base = against(&url).chain(["--keys-from", "-"]);
    run_with_stdin(base.chain(options.iter().copied()), &CREDENTIALS, keys)
}

/// The help of a refusal.
const HELP: &str =
    "help: give the options and the keys of that run; or, to start over, remove this file\n";

fn lines(numbers: impl Iterator<Item = u32>) -> String {
    numbers.map(|number| format!("doc-{number:06}\n")).collect()
}

/// Makes other keys of those of the first run, which settled as many as the argument says: mostly
/// 4,000, fewer if the reader paused and a batch left before it was full.
type Change = fn(u32) -> String;

/// What was reported as deleted is gone, and nothing else is.
fn resume_over(test: &str, is_stdin: bool, change: Change, options: &[&str], is_safe: bool) {
    let keys = lines(0..8000);
    let service = Service::holding(lines(0..9000).lines().map(str::to_owned));
    let name = format!("{test}-{is_stdin}");
    let (checkpoint, input) = (File::none(&name, "checkpoint"), File::new(&name, "txt", &keys));
    let run = |options: &[&str]| {
        let options = [&["--checkpoint", checkpoint.path(), "-j", "1"], options].concat();
        match is_stdin {
            true => delete_from_stdin(&service, &options, &input.read()),
            false => delete(&service, &[&["--keys-from", input.path()], &options[..]].concat()),
        }
    };
    service.allow(8);
    let first = run(&[]);
    let settled = u32::try_from(first.counts()[0]).unwrap();
    assert_eq!(
        (first.code, service.left()),
        (REFUSED, 9000 - settled as usize),
        "{test}: {first:?}"
    );
    let saved = checkpoint.read();
    service.allow(u64::MAX);
    fs::write(input.path(), change(settled)).unwrap();
    let requests = service.requests();
    let second = run(options);
    if is_safe {
        let left = second.counts()[0] + service.left() as u64;
        assert_eq!((second.code, left), (Some(0), 9000), "{test}: {second:?}");
        return;
    }
    assert_eq!(
        (second.code, second.stdout.as_str(), service.requests()),
        (USAGE, "", requests),
        "{test}: {second:?}"
    );
    let inputs = if is_stdin { "-" } else { input.path() };
    let expected = format!(
        "error: --checkpoint {}: the keys differ from those of its run before position {} \
         (that run had --keys-from {inputs})\n{HELP}",
        checkpoint.path(),
        grouped(mark(settled)),
    );
    assert_eq!(second.stderr, expected, "{test}");
    assert_eq!(checkpoint.read(), saved, "{test}");
    fs::write(input.path(), &keys).unwrap();
    let last = run(&[]);
    assert_eq!(
        (last.code, last.counts()[0], service.left()),
        (Some(0), 8000, 1000),
        "{test}: {last:?}"
    );
}

#[test]
fn other_keys_than_those_settled_are_refused() {
    let json: Change = |_| lines(0..8000).lines().map(|key| format!("\"{key}\"\n")).collect();
    let cases: [(&str, Change, &[&str], bool); 9] = [
        // The same size.
        (
            "one-gone-one-new",
            |settled| lines((0..settled - 100).chain(settled - 99..8001)),
            &[],
            false,
        ),
        ("order", |_| lines((0..7).chain([8, 7]).chain(9..8000)), &[], false),
        ("one-more-first", |_| format!("new\n{}", lines(0..8000)), &[], false),
        ("shorter", |settled| lines(0..settled - 1), &[], false),
        (
            "last-settled",
            |settled| lines((0..settled - 1).chain([settled - 2]).chain(settled..8000)),
            &[],
            false,
        ),
        ("jsonl-as-lines", json, &["--keys-format", "lines"], false),
        ("jsonl", json, &["--keys-format", "jsonl"], true),
        ("appended", |_| lines(0..8001), &[], true),
        (
            "changed-past-the-settled",
            |settled| lines((0..mark(settled)).chain(mark(settled) + 36..8500)),
            &[],
            true,
        ),
    ];
    for (test, change, options, is_safe) in cases {
        for is_stdin in [false, true] {
            resume_over(test, is_stdin, change, options, is_safe);
        }
    }
}

/// Up to where the keys are compared.
fn mark(settled: u32) -> u32 {
    settled.next_multiple_of(64)
}

fn grouped(number: u32) -> String {
    format!("{},{:03}", number / 1000, number % 1000)
}

#[test]
fn a_line_skipped_among_the_settled_is_refused() {
    let (service, keys) = many("skipped-among", 4000);
    let checkpoint = File::none("skipped-among", "checkpoint");
    let options = [
        "--keys-from",
        keys.path(),
        "--checkpoint",
        checkpoint.path(),
        "-j",
        "1",
        "--on-bad-key",
        "skip",
    ];
    service.allow(4);
    assert!(delete(&service, &options).counts()[0] >= 500);
    service.allow(u64::MAX);
    fs::write(keys.path(), keys.read().replacen("doc-00003", &"x".repeat(1025), 1)).unwrap();
    let requests = service.requests();
    let run = delete(&service, &options);
    assert_eq!(
        (run.code, run.stdout.as_str(), service.requests()),
        (USAGE, "", requests),
        "{run:?}"
    );
    assert!(run.stderr.ends_with(&format!("--on-bad-key skip)\n{HELP}")), "{run:?}");
}

#[test]
fn a_corrected_line_past_the_settled_is_taken() {
    let service = Service::holding((0..3000).map(|number| format!("doc-{number:06}")));
    let bad = format!("{}{}\n{}", lines(0..2000), "x".repeat(1025), lines(2001..3000));
    let keys = File::new("corrected-line", "txt", bad);
    let checkpoint = File::none("corrected-line", "checkpoint");
    let options = ["--keys-from", keys.path(), "--checkpoint", checkpoint.path()];
    assert!(delete(&service, &options).stderr.contains("line 2001: key must be"));
    fs::write(keys.path(), lines(0..3000)).unwrap();
    let run = delete(&service, &options);
    assert_eq!((run.code, run.counts()[0], service.left()), (Some(0), 3000, 0), "{run:?}");
}

#[test]
fn files_in_another_order_are_refused() {
    let service = Service::holding(lines(0..2000).lines().map(str::to_owned));
    let (a, b) = (
        File::new("order-a", "txt", lines(0..1000)),
        File::new("order-b", "txt", lines(1000..2000)),
    );
    let checkpoint = File::none("order-of-files", "checkpoint");
    let base = ["--checkpoint", checkpoint.path(), "-j", "1"];
    let with = |first: &File, second: &File| {
        delete(
            &service,
            &[&base[..], &["--keys-from", first.path(), "--keys-from", second.path()]].concat(),
        )
    };
    service.allow(3);
    let deleted = with(&a, &b).counts()[0];
    service.allow(u64::MAX);
    let run = with(&b, &a);
    assert_eq!((run.code, service.left() as u64), (USAGE, 2000 - deleted), "{run:?}");
    assert!(
        run.stderr.contains(&format!(
            "(that run had --keys-from {} --keys-from {})",
            a.path(),
            b.path()
        )),
        "{run:?}"
    );
    // The same keys by another way are the same keys.
    let one = File::new("order-one", "txt", lines(0..2000));
    let run = delete(&service, &[&base[..], &["--keys-from", one.path()]].concat());
    assert_eq!((run.code, run.counts()[0], service.left()), (Some(0), 2000, 0), "{run:?}");
}

#[test]
fn a_checkpoint_of_another_target_names_it() {
    let (service, keys) = many("another-target", 2000);
    let checkpoint = File::none("another-target", "checkpoint");
    let options = ["--keys-from", keys.path(), "--checkpoint", checkpoint.path(), "-j", "1"];
    service.allow(2);
    assert_eq!(delete(&service, &options).code, REFUSED);
    let (saved, requests) = (checkpoint.read(), service.requests());
    let elsewhere = Service::start();
    let run = delete(&elsewhere, &options);
    let name = |service: &Service| {
        let host = service.url().replace("http://", "");
        format!("acs:ossvector:cn-hangzhou:1234567890123456:examplebucket/vectorindex1 at {host}")
    };
    let expected = format!(
        "error: --checkpoint {}: the checkpoint is of {}, and this run deletes from {}\n{HELP}",
        checkpoint.path(),
        name(&service),
        name(&elsewhere),
    );
    assert_eq!((run.code, run.stdout.as_str(), run.stderr), (USAGE, "", expected));
    assert_eq!((checkpoint.read(), service.requests(), elsewhere.requests()), (saved, requests, 0));
}

#[test]
fn a_file_that_is_no_checkpoint_is_left_as_it_is() {
    let (service, keys) = many("no-checkpoint", 2000);
    let checkpoint = File::none("no-checkpoint", "checkpoint");
    let options = ["--keys-from", keys.path(), "--checkpoint", checkpoint.path(), "-j", "1"];
    service.allow(2);
    assert_eq!(delete(&service, &options).code, REFUSED);
    let (saved, requests) = (checkpoint.read(), service.requests());
    let other = "is not a checkpoint of this program";
    let version =
        |number| format!("is a checkpoint of version {number}, and this program reads version 2");
    for (text, expected) in [
        ("{}", other),
        ("nonsense", other),
        (&saved[..saved.len() / 2], other),
        (&saved.replace(r#""sha256":""#, r#""sha256":"x"#), other),
        (r#"{"version":1,"inputs":[]}"#, &version(1)),
        (&saved.replace(r#","version":2}"#, r#","version":3}"#), &version(3)),
    ] {
        fs::write(checkpoint.path(), text).unwrap();
        let run = delete(&service, &options);
        let help = "help: to start over, remove this file or name another one";
        let expected = format!("error: --checkpoint {}: {expected}\n{help}\n", checkpoint.path());
        assert_eq!((run.code, run.stderr, checkpoint.read().as_str()), (USAGE, expected, text));
    }
    assert_eq!(service.requests(), requests);
}

#[test]
fn an_empty_file_is_a_fresh_start() {
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
fn a_run_that_deleted_nothing_leaves_nothing() {
    let (service, keys) = many("leaves-nothing", 1000);
    let (checkpoint, failed) =
        (File::none("leaves-nothing", "checkpoint"), File::none("leaves-nothing", "jsonl"));
    let options = ["--keys-from", keys.path(), "--checkpoint", checkpoint.path()];
    service.allow(0);
    assert_eq!(delete(&service, &options).code, REFUSED);
    assert!(!checkpoint.exists());
    // With keys in a file, the checkpoint says whose file that is.
    let with_failed = [&options[..], &["--failed-keys", failed.path()]].concat();
    for _ in 0..2 {
        assert_eq!(delete(&service, &with_failed).code, REFUSED);
        assert_eq!((checkpoint.exists(), failed.read().lines().count()), (true, 1000));
    }
    service.allow(u64::MAX);
    let run = delete(&service, &with_failed);
    assert_eq!(
        (run.code, run.counts()[0], checkpoint.exists(), failed.read().as_str()),
        (Some(0), 1000, false, ""),
        "{run:?}"
    );

    // A bad first line: no key was read.
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
    // How many keys are read before the stop depends on the threads.
    let read = first.json()["keys_read"].as_u64();
    assert_eq!(
        (first.code, service.left(), Some(failed.read().lines().count() as u64)),
        (REFUSED, 2000, read),
        "{first:?}"
    );
    let resumed = Service::holding(all);
    // The same index, with nothing wrong any more.
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
fn the_help_for_keys_that_were_given_up_works() {
    let (service, keys) = many("given-up", 1000);
    service.emulator().reject_keys(["doc-00001"]);
    let (checkpoint, failed) =
        (File::none("given-up", "checkpoint"), File::none("given-up", "jsonl"));
    let options = ["--keys-from", keys.path(), "--checkpoint", checkpoint.path()];

    let without = delete(&service, &options);
    let expected = format!(
        "help: to try all keys again, remove {} and add --failed-keys PATH; what is gone already does no harm\n",
        checkpoint.path()
    );
    assert!(without.code == INCOMPLETE && without.stderr.ends_with(&expected), "{without:?}");
    fs::remove_file(checkpoint.path()).unwrap();
    let with = [&options[..], &["--failed-keys", failed.path()]].concat();
    for _ in 0..2 {
        let run = delete(&service, &with);
        let expected = format!(
            "help: to try these keys again: --keys-from {}, with another --failed-keys and --checkpoint; \
             what is gone already does no harm\n",
            failed.path()
        );
        assert!(run.code == INCOMPLETE && run.stderr.ends_with(&expected), "{run:?}");
    }
    let other = Service::holding(["doc-00001"]);
    let (checkpoint, again) =
        (File::none("given-up-again", "checkpoint"), File::none("given-up-again", "jsonl"));
    let outputs = ["--checkpoint", checkpoint.path(), "--failed-keys", again.path()];
    let run = delete(&other, &[&["--keys-from", failed.path()], &outputs[..]].concat());
    assert_eq!((run.code, run.counts()[0], other.left()), (Some(0), 1, 0), "{run:?}");
}
