//! `--keys-from`: files and stdin, read as streams.

use std::io::Write;
use std::process::Stdio;

use http::StatusCode;
use oss_delete_vectors::{ServiceError, code};

use crate::program::{
    CREDENTIALS, File, INCOMPLETE, REJECTED, Run, Service, TRANSPORTS, USAGE, command, finish,
    options_for, run, run_with_stdin,
};

fn arguments<'a>(endpoint: &'a str, options: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let base = options_for(endpoint);
    base.chain(options.iter().copied())
}

fn delete(service: &Service, options: &[&str], stdin: impl AsRef<[u8]>) -> Run {
    let url = service.url();
    let run = run_with_stdin(arguments(&url, options), &CREDENTIALS, stdin);
    if run.code != USAGE {
        run.check_sum();
    }
    run
}

/// The help for bad lines.
const SKIP: &str = "with --on-bad-key skip, which skips such lines";

fn lines(keys: std::ops::Range<usize>) -> String {
    keys.map(|number| format!("doc-{number:05}\n")).collect()
}

#[test]
fn several_inputs_are_read_in_every_format() {
    let plain = File::new("plain", "txt", "\u{feff}doc-001\r\n\r\ndoc-002\r\n");
    let json = File::new("json", "jsonl", "\"doc-003\"\n{\"key\":\"doc-004\",\"vector\":[0.5]}\n");
    for transport in TRANSPORTS {
        let service = Service::start();
        let paths = [
            "--keys-from",
            plain.path(),
            "--keys-from",
            json.path(),
            "--keys-from",
            "-",
            "--transport",
            transport,
        ];
        let options: Vec<&str> = paths
            .into_iter()
            .chain(["--keys", r#"["doc-006"]"#, "--keys", r#"["doc-007","doc-001"]"#])
            .collect();
        let run = delete(&service, &options, "doc-005\n");
        // Keys of a slow input are sent before the next input is read, so the number of requests
        // depends on timing.
        assert_eq!((run.code, &run.counts()[..5]), (Some(0), &[7, 0, 0, 0, 1][..]), "{run:?}");
        assert_eq!(
            (&run.json()["keys_read"], &run.json()["input_complete"]),
            (&8.into(), &true.into())
        );
        assert_eq!(service.left(), 2);
    }
}

#[test]
fn stdin_is_json_with_the_option() {
    let service = Service::start();
    let run = delete(
        &service,
        &["--keys-from", "-", "--keys-format", "jsonl"],
        "\"doc-001\"\n{\"key\":\"doc-002\"}",
    );
    assert_eq!((run.code, run.counts()), (Some(0), [2, 0, 0, 0, 0, 1]), "{run:?}");
    assert_eq!(service.left(), 7);
}

#[test]
fn any_number_of_keys_over_either_transport() {
    let file = File::new("many", "txt", lines(0..12_345));
    for transport in TRANSPORTS {
        let service = Service::holding((0..13_000).map(|number| format!("doc-{number:05}")));
        let run = delete(
            &service,
            &["--keys-from", file.path(), "--transport", transport, "-j", "4"],
            "",
        );
        assert_eq!((run.code, &run.counts()[..5]), (Some(0), &[12_345, 0, 0, 0, 0][..]), "{run:?}");
        assert_eq!(service.left(), 655);
    }
}

#[test]
fn no_keys_are_not_an_error_and_send_no_request() {
    let service = Service::start();
    let run = delete(&service, &["--keys-from", "-"], "\n\n");
    assert_eq!((run.code, run.counts(), service.requests()), (Some(0), [0; 6], 0), "{run:?}");
}

#[test]
fn bad_line_stops_the_run_and_is_reported() {
    for transport in TRANSPORTS {
        let service = Service::start();
        let file =
            File::new("bad-line", "jsonl", "\"doc-001\"\n\"doc-002\"\nnonsense\n\"doc-003\"\n");
        let run = delete(&service, &["--keys-from", file.path(), "--transport", transport], "");
        assert_eq!((run.code, service.requests(), service.left()), (USAGE, 0, 9), "{run:?}");
        let reason =
            format!("{}, line 3: not JSON: expected ident at line 1 column 2", file.path());
        assert_eq!(
            run.stderr,
            format!(
                "error: {reason}\nnote: nothing was deleted\nnote: 2 keys were read; the rest of the input was neither read nor sent\nhelp: correct it, or try again {SKIP}\n"
            )
        );
        assert_eq!(
            (&run.json()["error"]["message"], &run.json()["input_complete"]),
            (&reason.into(), &false.into())
        );
        assert_eq!(run.counts()[..3], [0, 0, 0], "keys that were read have an outcome: {run:?}");
    }
}

#[test]
fn keys_before_a_bad_line_are_accounted_for() {
    for transport in TRANSPORTS {
        let service = Service::holding((0..9000).map(|number| format!("doc-{number:05}")));
        let failed = File::none("before-bad-line", "jsonl");
        let options =
            ["--keys-from", "-", "--failed-keys", failed.path(), "--transport", transport];
        let run = delete(
            &service,
            &options,
            format!("{}{}\n{}", lines(0..5000), "x".repeat(1025), lines(5000..9000)),
        );
        assert!(
            run.stderr
                .starts_with("error: stdin, line 5001: key must be 1 to 1024 characters, not "),
            "{}",
            run.stderr
        );
        let [deleted, _, _, not_attempted, _, requests] = run.counts();
        assert_eq!(run.code, if requests > 0 { INCOMPLETE } else { USAGE }, "{run:?}");
        assert_eq!(
            (deleted, requests),
            (9000 - service.left() as u64, service.requests()),
            "{run:?}"
        );
        assert!(deleted <= 5000 && deleted.is_multiple_of(500), "{run:?}");
        assert_eq!(
            failed.read().lines().count() as u64,
            not_attempted,
            "every key that was read but not deleted is reported"
        );
    }
}

#[test]
fn resumed_run_can_skip_a_bad_line() {
    let service = Service::holding((0..5000).map(|number| format!("doc-{number:05}")));
    let keys = File::new(
        "past-bad-line",
        "txt",
        format!("{}{}\n{}", lines(0..3000), "x".repeat(1025), lines(3000..5000)),
    );
    let checkpoint = File::none("past-bad-line", "checkpoint");
    let options = ["--keys-from", keys.path(), "--checkpoint", checkpoint.path()];
    for _ in 0..2 {
        let run = delete(&service, &options, "");
        assert!(
            run.stderr
                .ends_with(&format!("help: to continue, run the same command again {SKIP}\n")),
            "{run:?}"
        );
    }
    let run = delete(&service, &[&options[..], &["--on-bad-key", "skip"]].concat(), "");
    assert_eq!(
        (run.code, &run.counts()[..5], service.left()),
        (Some(0), &[5000, 0, 0, 0, 0][..], 0),
        "{run:?}"
    );
    assert_eq!((&run.json()["bad_lines"], checkpoint.exists()), (&1.into(), false));
}

#[test]
fn bad_lines_may_be_skipped_and_are_counted() {
    let service = Service::start();
    let bad = format!("doc-001\n{}doc-002\n", format!("{}\n", "k".repeat(1025)).repeat(25));
    let (url, one) = (service.url(), format!("doc-001\n{}\n", "k".repeat(1025)));
    let quiet = ["--keys-from", "-", "--on-bad-key", "skip", "--quiet"];
    let quiet = run_with_stdin(arguments(&url, &quiet), &CREDENTIALS, one);
    assert_eq!((quiet.code, quiet.stdout.as_str()), (Some(0), ""), "{quiet:?}");
    assert_eq!(quiet.stderr, "warning: 1 bad line skipped\n");
    let run = delete(&service, &["--keys-from", "-", "--on-bad-key", "skip"], bad);
    assert_eq!((run.code, run.counts()), (Some(0), [2, 0, 0, 0, 0, 1]), "{run:?}");
    assert_eq!(
        (&run.json()["bad_lines"], &run.json()["input_complete"]),
        (&25.into(), &true.into())
    );
    let warnings: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(warnings.len(), 21, "{run:?}");
    for (number, line) in warnings[..20].iter().enumerate() {
        assert!(
            line.starts_with(&format!(
                "warning: skipped: stdin, line {}: key must be 1 to 1024 characters",
                number + 2
            )),
            "{line}"
        );
    }
    assert_eq!(warnings[20], "warning: further skipped lines are counted, and not reported");
}

#[test]
fn unreadable_inputs_are_rejected_before_a_request() {
    let service = Service::start();
    let json = File::new("array", "json", "[\"doc-001\"]");
    let folder = env!("CARGO_TARGET_TMPDIR");
    let array = format!(
        "error: --keys-from {}: a .json file holds one array, not one key per line\nhelp: give an array with --keys file://PATH; \
         for a JSON string or an object on each line add --keys-format jsonl\n",
        json.path()
    );
    for (options, expected) in [
        (
            &["--keys-from", "/no/such/file"][..],
            "error: --keys-from /no/such/file: cannot be read: No such file or directory (os error 2)\n",
        ),
        (
            &["--keys-from", folder],
            &format!("error: --keys-from {folder}: cannot be read: it is a folder\n"),
        ),
        (
            &["--keys-from", "-", "--keys-from", "-"],
            "error: --keys-from -: this pipe is given twice, but can be read only once\n",
        ),
        (
            &["--keys-from", "-", "--keys", "-"],
            "error: --keys: stdin is given twice, but can be read only once\n",
        ),
        (&["--keys-from", json.path()], &array),
        (&["--keys-from", "-", "--keys", "[1]"], "error: --keys: [0]: must be a string, not 1\n"),
    ] {
        let url = service.url();
        let run = run(arguments(&url, options), &CREDENTIALS);
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (USAGE, "", expected));
    }
    assert_eq!(service.requests(), 0);
}

/// Two readers of one pipe would each get pieces of its lines.
#[cfg(unix)]
#[test]
fn a_pipe_given_twice_is_rejected() {
    let service = Service::start();
    let keys = "doc-001\n".repeat(50_000);
    for paths in [["-", "/dev/stdin"], ["/dev/stdin", "-"], ["/dev/stdin", "/dev/fd/0"]] {
        let run = delete(&service, &["--keys-from", paths[0], "--keys-from", paths[1]], &keys);
        let expected = format!(
            "error: --keys-from {}: this pipe is given twice, but can be read only once\n",
            paths[1]
        );
        assert_eq!((run.code, run.stderr), (USAGE, expected), "{paths:?}");
    }
    assert_eq!(service.requests(), 0);
    // Files and devices can be read twice.
    let file = File::new("twice", "txt", "doc-002\n");
    let options =
        ["--keys-from", file.path(), "--keys-from", "/dev/null", "--keys-from", "/dev/null"];
    let run = delete(&service, &[&options[..], &["--keys-from", file.path()]].concat(), "");
    assert_eq!((run.code, run.counts()), (Some(0), [1, 0, 0, 0, 1, 1]), "{run:?}");
}

#[test]
fn input_is_not_read_after_a_fatal_response() {
    for transport in TRANSPORTS {
        let service = Service::start();
        let denial = ServiceError::new(StatusCode::FORBIDDEN, code::ACCESS_DENIED, "not allowed");
        (0..100).for_each(|_| service.emulator().fail_next(denial.clone(), 0));
        let url = service.url();
        let mut command =
            command(arguments(&url, &["--keys-from", "-", "--transport", transport]), &CREDENTIALS);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The input is endless, so only the program can end it.
        let mut stdin = child.stdin.take().unwrap();
        let mut more = (0..).step_by(100);
        while stdin
            .write_all(more.next().map(|first| lines(first..first + 100)).unwrap().as_bytes())
            .is_ok()
        {}
        let run = finish(child);
        run.check_sum();
        assert_eq!(
            (run.code, run.counts()[0], &run.json()["input_complete"]),
            (REJECTED, 0, &false.into()),
            "{run:?}"
        );
        assert!(run.json()["keys_read"].as_u64().unwrap() <= 48 * 500, "{run:?}");
        assert_eq!(run.json()["error"]["code"], "AccessDenied");
        assert!(run.stderr.contains("help: allow the action oss:DeleteVectors on "), "{run:?}");
    }
}
