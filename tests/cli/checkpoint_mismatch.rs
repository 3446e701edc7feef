//! A checkpoint that does not belong to the keys, the options or the target of a run is rejected.

use std::fs;

use crate::output_files::{delete, many};
use crate::program::{
    CREDENTIALS, File, INCOMPLETE, Run, Service, USAGE, options_for, run_with_stdin,
};

/// Runs with the keys on stdin.
fn delete_from_stdin(service: &Service, options: &[&str], keys: &str) -> Run {
    let url = service.url();
    let base = options_for(&url).chain(["--keys-from", "-"]);
    run_with_stdin(base.chain(options.iter().copied()), &CREDENTIALS, keys)
}

/// The help of a mismatch.
const HELP: &str =
    "help: give the options and the keys of that run; or, to start over, remove this file\n";

fn lines(numbers: impl Iterator<Item = u32>) -> String {
    numbers.map(|number| format!("doc-{number:06}\n")).collect()
}

/// Changes the keys of the first run. The argument is the number of settled keys: usually 4,000,
/// and fewer if the reader paused and a partial batch was sent.
type Change = fn(u32) -> String;

/// Resumes with changed keys. Only keys that were reported as deleted are deleted.
fn resume_with_changed_keys(
    test: &str,
    is_stdin: bool,
    change: Change,
    options: &[&str],
    is_safe: bool,
) {
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
        (INCOMPLETE, 9000 - settled as usize),
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
fn changed_settled_keys_are_rejected() {
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
            resume_with_changed_keys(test, is_stdin, change, options, is_safe);
        }
    }
}

/// The keys are compared up to this position.
fn mark(settled: u32) -> u32 {
    settled.next_multiple_of(64)
}

fn grouped(number: u32) -> String {
    format!("{},{:03}", number / 1000, number % 1000)
}

#[test]
fn a_skipped_line_among_settled_keys_is_rejected() {
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
fn a_corrected_line_after_settled_keys_is_accepted() {
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
fn files_in_another_order_are_rejected() {
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
    // The same keys from one file are accepted.
    let one = File::new("order-one", "txt", lines(0..2000));
    let run = delete(&service, &[&base[..], &["--keys-from", one.path()]].concat());
    assert_eq!((run.code, run.counts()[0], service.left()), (Some(0), 2000, 0), "{run:?}");
}

#[test]
fn a_checkpoint_of_another_target_is_rejected() {
    let (service, keys) = many("another-target", 2000);
    let checkpoint = File::none("another-target", "checkpoint");
    let options = ["--keys-from", keys.path(), "--checkpoint", checkpoint.path(), "-j", "1"];
    service.allow(2);
    assert_eq!(delete(&service, &options).code, INCOMPLETE);
    let (saved, requests) = (checkpoint.read(), service.requests());
    let other_service = Service::start();
    let run = delete(&other_service, &options);
    let name = |service: &Service| {
        let host = service.url().replace("http://", "");
        format!("acs:ossvector:cn-hangzhou:1234567890123456:examplebucket/vectorindex1 at {host}")
    };
    let expected = format!(
        "error: --checkpoint {}: the checkpoint is of {}, and this run deletes from {}\n{HELP}",
        checkpoint.path(),
        name(&service),
        name(&other_service),
    );
    assert_eq!((run.code, run.stdout.as_str(), run.stderr), (USAGE, "", expected));
    assert_eq!(
        (checkpoint.read(), service.requests(), other_service.requests()),
        (saved, requests, 0)
    );
}

#[test]
fn a_file_that_is_not_a_checkpoint_is_not_changed() {
    let (service, keys) = many("no-checkpoint", 2000);
    let checkpoint = File::none("no-checkpoint", "checkpoint");
    let options = ["--keys-from", keys.path(), "--checkpoint", checkpoint.path(), "-j", "1"];
    service.allow(2);
    assert_eq!(delete(&service, &options).code, INCOMPLETE);
    let (saved, requests) = (checkpoint.read(), service.requests());
    let invalid = "is not a checkpoint of this program";
    let version =
        |number| format!("is a checkpoint of version {number}, and this program reads version 2");
    for (text, expected) in [
        ("{}", invalid),
        ("nonsense", invalid),
        (&saved[..saved.len() / 2], invalid),
        (&saved.replace(r#""sha256":""#, r#""sha256":"x"#), invalid),
        // More keys than were compared.
        (&saved.replace(r#""prefix":"#, r#""prefix":9"#), invalid),
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
