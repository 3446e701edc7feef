//! `--failed-keys` and `--checkpoint`: their content, how they are used, and errors when they are
//! written.

use serde_json::{Value, json};

use crate::program::{
    CREDENTIALS, File, INCOMPLETE, PLACE, REJECTED, Run, Service, TRANSPORTS, USAGE, options_for,
    run,
};

pub(crate) fn delete(service: &Service, options: &[&str]) -> Run {
    let url = service.url();
    let base = options_for(&url);
    let run = run(base.chain(options.iter().copied()), &CREDENTIALS);
    if !run.stdout.is_empty() {
        run.check_sum();
    }
    run
}

/// An index with this many keys, and a file of them.
pub(crate) fn many(test: &str, keys: usize) -> (Service, File) {
    let keys: Vec<String> = (0..keys).map(|number| format!("doc-{number:05}")).collect();
    let file = File::new(test, "txt", keys.join("\n"));
    (Service::holding(keys), file)
}

#[test]
fn failed_keys_are_written_with_reasons_and_can_be_reused() {
    for transport in TRANSPORTS {
        let service = Service::start();
        service.emulator().reject_keys(["doc-002", "bad \u{9b}\"key\""]);
        let failed = File::none(&format!("failed-{transport}"), "jsonl");
        let keys = r#"["doc-001","doc-002","bad \u009b\"key\"","doc-003"]"#;
        let first = delete(
            &service,
            &["--keys", keys, "--failed-keys", failed.path(), "--transport", transport],
        );
        assert_eq!(
            (first.code, &first.counts()[..5]),
            (INCOMPLETE, &[2, 2, 0, 0, 0][..]),
            "{first:?}"
        );
        let text = failed.read();
        assert!(!text.contains('\u{9b}'), "{text:?}");
        let mut lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.sort_by_key(|line| line["key"].to_string());
        for (line, key) in lines.iter_mut().zip(["bad \u{9b}\"key\"", "doc-002"]) {
            let request_id = line["request_id"].take();
            assert_eq!(request_id.as_str().map(str::len), Some(24), "{line}");
            let message = line["message"].take();
            assert_eq!(line["run"].take().as_str().map(str::len), Some(16), "{line}");
            let code = "VectorIndexParameterInvalid";
            let expected = json!({
                "key": key, "outcome": "rejected", "code": code, "message": null, "request_id": null, "run": null,
            });
            assert_eq!(*line, expected);
            assert!(!message.as_str().unwrap().is_empty());
        }
        assert_eq!(first.json()["errors"][0]["count"], 2);
        assert!(text.starts_with("{\"key\":\""), "the key must come first: {text}");

        let other = Service::start();
        let second = delete(&other, &["--keys-from", failed.path()]);
        assert_eq!(
            (second.code, &second.counts()[..5], other.left()),
            (Some(0), &[2, 0, 0, 0, 0][..], 8),
            "{second:?}"
        );
    }
}

#[test]
fn keys_that_were_never_sent_are_written_too() {
    let (service, keys) = many("never-sent", 3000);
    service.allow(0);
    let failed = File::none("never-sent-failed", "jsonl");
    let run = delete(&service, &["--keys-from", keys.path(), "--failed-keys", failed.path()]);
    let [deleted, rejected, unconfirmed, not_attempted, ..] = run.counts();
    assert_eq!((run.code, deleted, unconfirmed), (REJECTED, 0, 0), "{run:?}");
    assert_eq!(failed.read().lines().count() as u64, rejected + not_attempted);
    assert_eq!(
        failed
            .read()
            .matches(r#""outcome":"rejected","code":"AccessDenied","message":"not allowed""#)
            .count() as u64,
        rejected
    );
    let never = r#""outcome":"not_attempted","code":null,"message":null,"request_id":null,"run":"#;
    assert_eq!(failed.read().matches(never).count() as u64, not_attempted);
}

#[test]
fn a_non_empty_file_of_failed_keys_is_not_overwritten() {
    let service = Service::start();
    let held = File::new("left-alone", "jsonl", "\"doc-001\"\n");
    let run = delete(&service, &["--keys", r#"["doc-001"]"#, "--failed-keys", held.path()]);
    let expected = format!(
        "error: --failed-keys {}: cannot be written: it is not empty; name another file, or remove this one\n",
        held.path()
    );
    assert_eq!((run.code, run.stdout.as_str(), run.stderr), (USAGE, "", expected));
    assert_eq!((held.read().as_str(), service.requests()), ("\"doc-001\"\n", 0));
}

#[test]
fn unwritable_files_fail_before_the_first_request() {
    let service = Service::start();
    let folder = env!("CARGO_TARGET_TMPDIR");
    for (option, path, expected) in [
        (
            "--checkpoint",
            "/no/such/folder/c",
            "--checkpoint /no/such/folder/c: cannot be written: No such file or directory (os error 2)",
        ),
        (
            "--checkpoint",
            folder,
            &format!("--checkpoint {folder}: cannot be read: Is a directory (os error 21)"),
        ),
        (
            "--failed-keys",
            "/no/such/folder/f",
            "--failed-keys /no/such/folder/f: cannot be written: No such file or directory (os error 2)",
        ),
        (
            "--failed-keys",
            folder,
            &format!("--failed-keys {folder}: cannot be written: Is a directory (os error 21)"),
        ),
    ] {
        let run = delete(&service, &["--keys", r#"["doc-001"]"#, option, path]);
        assert_eq!(
            (run.code, run.stdout.as_str(), run.stderr),
            (USAGE, "", format!("error: {expected}\n"))
        );
    }
    assert_eq!(service.requests(), 0);
}

#[test]
fn one_file_has_one_use() {
    let service = Service::start();
    let keys = File::new("one-thing", "jsonl", "\"doc-001\"\n");
    let none = File::none("one-thing", "output");
    let dotted = none.path().replacen("/one-thing", "/./one-thing", 1);
    let keys_as_temporary = File::new("one-thing", "c.delete-vectors-tmp", "doc-001\n");
    let checkpoint = keys_as_temporary.path().trim_end_matches(".delete-vectors-tmp");
    for (written, path, option, other) in [
        ("--checkpoint", none.path(), "--failed-keys", dotted.as_str()),
        ("--checkpoint", keys.path(), "--keys-from", keys.path()),
        ("--failed-keys", keys.path(), "--keys-from", keys.path()),
        ("--checkpoint", checkpoint, "--keys-from", keys_as_temporary.path()),
    ] {
        let run = delete(&service, &[written, path, option, other, "--keys", r#"["doc-002"]"#]);
        let expected = format!(
            "error: {written} {path}: would be written over {option} {other}; name another file\n"
        );
        assert_eq!((run.code, run.stdout.as_str(), run.stderr), (USAGE, "", expected));
    }
    assert_eq!(
        (keys.read().as_str(), keys_as_temporary.read().as_str()),
        ("\"doc-001\"\n", "doc-001\n")
    );
    assert!(!none.exists() && service.requests() == 0);

    // Devices can be shared.
    let run = delete(
        &service,
        &["--keys-from", "/dev/null", "--failed-keys", "/dev/null", "--keys", r#"["doc-002"]"#],
    );
    assert_eq!((run.code, run.counts()[0]), (Some(0), 1), "{run:?}");
}

/// Each file has its own position, so one would overwrite the other.
#[cfg(unix)]
#[test]
fn stdout_and_stderr_share_no_file_of_the_run() {
    let service = Service::start();
    let url = service.url();
    for (option, content) in
        [("--failed-keys", ""), ("--checkpoint", ""), ("--keys-from", "doc-001\n")]
    {
        for stream in ["stdout", "stderr"] {
            let file = File::new(&format!("stream{option}-{stream}"), "out", content);
            let options = [
                "--index-name",
                "vectorindex1",
                "--force",
                "--endpoint",
                &url,
                "--keys",
                r#"["doc-001"]"#,
            ];
            let options = PLACE.into_iter().chain(options).chain([option, file.path()]);
            let mut command = crate::program::command(options, &CREDENTIALS);
            let redirected = std::fs::OpenOptions::new().append(true).open(file.path()).unwrap();
            let run = crate::program::checked(
                if stream == "stdout" {
                    command.stdout(redirected)
                } else {
                    command.stderr(redirected)
                }
                .output()
                .unwrap(),
            );
            let text = run.stderr + &file.read();
            let expected = format!(
                "error: {option} {}: {stream} is redirected to this file; name another file for one of them\n",
                file.path()
            );
            assert!(run.code == USAGE && text.contains(&expected), "{text}");
        }
    }
    let run = delete(&service, &["--keys", r#"["doc-001"]"#, "--failed-keys", "-"]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (USAGE, "error: --failed-keys -: is not a file; for stdout use /dev/stdout\n")
    );
    assert_eq!(service.requests(), 0);
}

#[cfg(unix)]
#[test]
fn checkpoints_are_regular_files() {
    let service = Service::start();
    let pipe = File::none("checkpoint-pipe", "fifo");
    assert!(std::process::Command::new("mkfifo").arg(pipe.path()).status().unwrap().success());
    for path in [pipe.path(), "/dev/zero"] {
        let run = delete(&service, &["--keys", r#"["doc-001"]"#, "--checkpoint", path]);
        let expected = format!(
            "error: --checkpoint {path}: cannot be used: it is a device or a pipe; expected a file\n"
        );
        assert_eq!((run.code, run.stderr), (USAGE, expected));
    }
    std::fs::remove_file(pipe.path()).unwrap();
}

#[cfg(unix)]
#[test]
fn checkpoints_do_not_follow_links() {
    let service = Service::start();
    let checkpoint = File::none("through-link", "checkpoint");
    let precious = File::new("through-link", "txt", "precious");
    let link = format!("{}.delete-vectors-tmp", checkpoint.path());
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(precious.path(), &link).unwrap();
    let run = delete(&service, &["--keys", r#"["doc-001"]"#, "--checkpoint", checkpoint.path()]);
    assert_eq!((run.code, precious.read().as_str()), (Some(0), "precious"), "{run:?}");
    assert!(!std::path::Path::new(&link).exists());
}

/// Full disks, on systems that simulate one: `/dev/full`, and the shell's limit on file size.
#[cfg(target_os = "linux")]
mod full {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::program::{command, finish};

    /// Runs the command with a file size limit of `blocks` of 512 bytes.
    fn delete_in(blocks: u32, service: &Service, options: &[&str]) -> Run {
        let url = service.url();
        let base = options_for(&url);
        let inner = command(base.chain(options.iter().copied()), &[]);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")])
            .arg(inner.get_program());
        shell.args(inner.get_args()).env_clear().envs(CREDENTIALS);
        let child = shell
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        finish(child)
    }

    #[test]
    fn full_disk_fails_before_the_first_request() {
        let (service, keys) = many("full-at-first", 3000);
        let checkpoint = File::none("full-at-first", "checkpoint");
        let run = delete_in(
            0,
            &service,
            &["--keys-from", keys.path(), "--checkpoint", checkpoint.path()],
        );
        assert_eq!((run.code, run.stdout.as_str(), service.requests()), (USAGE, "", 0), "{run:?}");
        let expected = format!(
            "error: --checkpoint {}: cannot be written: File too large (os error 27)\n",
            checkpoint.path()
        );
        assert_eq!(run.stderr, expected);
        assert!(!checkpoint.exists());
    }

    #[test]
    fn full_disk_stops_the_run_with_a_correct_checkpoint() {
        for transport in TRANSPORTS {
            let (service, keys) = many(&format!("full-later-{transport}"), 4000);
            service
                .emulator()
                .reject_keys((0..4000).step_by(16).map(|number| format!("doc-{number:05}")));
            let checkpoint = File::none(&format!("full-later-{transport}"), "checkpoint");
            let failed = File::none(&format!("full-later-{transport}"), "jsonl");
            let options = [
                "--keys-from",
                keys.path(),
                "--checkpoint",
                checkpoint.path(),
                "--failed-keys",
                failed.path(),
            ];
            let options = [&options[..], &["--transport", transport]].concat();
            let first = delete_in(16, &service, &options);
            let expected = format!(
                "error: --failed-keys {}: cannot be written: File too large (os error 27)\n",
                failed.path()
            );
            assert_eq!(
                (first.code, first.stderr.matches(&expected).count()),
                (INCOMPLETE, 1),
                "{first:?}"
            );
            assert!(
                first.stderr.contains("help: to continue, run the same command again\n"),
                "{first:?}"
            );
            first.check_sum();
            assert_eq!(first.counts()[0], 4000 - service.left() as u64, "{first:?}");

            let second = delete(&service, &options);
            assert_eq!(
                (second.code, &second.counts()[..5]),
                (INCOMPLETE, &[3750, 250, 0, 0, 0][..]),
                "{second:?}"
            );
            let mut text: Vec<String> =
                failed.read().lines().map(|line| line.chars().skip(8).take(9).collect()).collect();
            text.sort();
            assert!(
                text.iter().eq((0..4000)
                    .step_by(16)
                    .map(|number| format!("doc-{number:05}"))
                    .collect::<Vec<_>>()
                    .iter()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn failed_keys_can_go_to_devices_even_full_ones() {
        let service = Service::start();
        service.emulator().reject_keys(["doc-002"]);
        let options = |path| ["--keys", r#"["doc-001","doc-002"]"#, "--failed-keys", path];
        let text = delete(&service, &options("/dev/stderr"));
        assert_eq!((text.code, &text.counts()[..2]), (INCOMPLETE, &[1, 1][..]), "{text:?}");
        assert!(text.stderr.starts_with(r#"{"key":"doc-002","outcome":"rejected","#), "{text:?}");
        let full = delete(&service, &options("/dev/full"));
        assert_eq!((full.code, &full.counts()[..2]), (INCOMPLETE, &[1, 1][..]), "{full:?}");
        assert!(
            full.stderr.contains(
                "error: --failed-keys /dev/full: cannot be written: No space left on device"
            ),
            "{full:?}"
        );
    }
}
