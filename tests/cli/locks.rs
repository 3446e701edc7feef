//! Two concurrent runs: the second one with the same output file ends before its first request, and
//! reports which process uses the file.
#![cfg(unix)]

use std::fs;
use std::net::Ipv4Addr;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use oss_delete_vectors::Deleted;
use oss_delete_vectors::transports::Server;

use crate::program::{CREDENTIALS, File, PLACE, Run, USAGE, command, finish, run};

const LOCK: &str = ".delete-vectors-lock";

/// Keys for two runs, and a service that responds when the test allows it.
struct Held {
    server: Server,
    keys: File,
    requests: Arc<AtomicU64>,
    is_free: Arc<AtomicU64>,
}

impl Held {
    fn new(test: &str) -> Self {
        let (requests, is_free) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (count, free) = (Arc::clone(&requests), Arc::clone(&is_free));
        let handler = move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            let begun = Instant::now();
            while free.load(Ordering::SeqCst) == 0 && begun.elapsed() < Duration::from_secs(30) {
                std::thread::yield_now();
            }
            Deleted::new("id").to_response()
        };
        let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), handler).unwrap();
        Self { server, keys: File::new(test, "txt", "doc-001\ndoc-002\n"), requests, is_free }
    }

    fn options(&self, outputs: &[&str]) -> Vec<String> {
        let url = self.server.url();
        let base = [
            "--index-name",
            "vectorindex1",
            "--force",
            "--endpoint",
            &url,
            "--keys-from",
            self.keys.path(),
        ];
        PLACE.iter().chain(&base).chain(outputs).map(|&option| option.to_owned()).collect()
    }

    /// A run that waits for the service.
    fn spawn(&self, outputs: &[&str]) -> Child {
        let options = self.options(outputs);
        let mut command = command(options.iter().map(String::as_str), &CREDENTIALS);
        let before = self.requests.load(Ordering::SeqCst);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while self.requests.load(Ordering::SeqCst) == before {
            std::thread::yield_now();
            assert!(child.try_wait().unwrap().is_none(), "{:?}", finish(child));
        }
        child
    }

    fn run(&self, outputs: &[&str]) -> Run {
        let options = self.options(outputs);
        run(options.iter().map(String::as_str), &CREDENTIALS)
    }
}

#[test]
fn the_second_run_ends_and_reports_the_first() {
    for option in ["--checkpoint", "--failed-keys"] {
        let held = Held::new(&format!("held{option}"));
        let file = File::none(&format!("held{option}"), "out");
        let lock = format!("{}{LOCK}", file.path());
        let first = held.spawn(&[option, file.path()]);
        let before = fs::read_to_string(file.path()).unwrap();
        // Also by another name.
        let link = File::none(&format!("held-link{option}"), "out");
        std::os::unix::fs::symlink(file.path(), link.path()).unwrap();
        for path in [file.path(), link.path()] {
            let second = held.run(&[option, path]);
            let expected = format!(
                "error: {option} {path}: another run is using this file (pid {}, since ",
                first.id()
            );
            let is_held = second.stderr.starts_with(&expected)
                && second.stderr.contains("help: wait until it has ended");
            assert!(is_held && second.code == USAGE && second.stdout.is_empty(), "{second:?}");
        }
        assert_eq!(
            (held.requests.load(Ordering::SeqCst), fs::read_to_string(file.path()).unwrap()),
            (1, before)
        );
        held.is_free.store(1, Ordering::SeqCst);
        assert_eq!(finish(first).code, Some(0));
        assert!(!fs::exists(&lock).unwrap(), "a finished run must leave no lock");
        assert_eq!(held.run(&[option, file.path()]).code, Some(0));
    }
}

/// A hard link, and a link to a file that did not exist yet.
#[test]
fn a_file_with_two_names_is_locked() {
    let held = Held::new("two-names");
    let (file, hard) = (File::new("two-names", "jsonl", ""), File::none("two-names-hard", "jsonl"));
    fs::hard_link(file.path(), hard.path()).unwrap();
    let (soft, target) =
        (File::none("two-names-soft", "jsonl"), File::none("two-names-target", "jsonl"));
    std::os::unix::fs::symlink(target.path(), soft.path()).unwrap();
    for (first, second) in [(file.path(), hard.path()), (soft.path(), target.path())] {
        let child = held.spawn(&["--failed-keys", first]);
        let requests = held.requests.load(Ordering::SeqCst);
        let run = held.run(&["--failed-keys", second]);
        let expected = format!(
            "error: --failed-keys {second}: cannot be written: another run is using it\n\
             help: wait until it has ended, or name another file\n"
        );
        assert_eq!(
            (run.code, run.stderr, held.requests.load(Ordering::SeqCst)),
            (USAGE, expected, requests)
        );
        held.is_free.store(1, Ordering::SeqCst);
        assert_eq!(finish(child).code, Some(0));
        held.is_free.store(0, Ordering::SeqCst);
    }
}

#[test]
fn locks_of_killed_runs_do_not_block_others() {
    let held = Held::new("killed-holder");
    let checkpoint = File::none("killed-holder", "checkpoint");
    let lock = File::none("killed-holder", &format!("checkpoint{LOCK}"));
    let mut first = held.spawn(&["--checkpoint", checkpoint.path()]);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(lock.read().starts_with("pid "));
    held.is_free.store(1, Ordering::SeqCst);
    let second = held.run(&["--checkpoint", checkpoint.path()]);
    assert_eq!(
        (second.code, second.stderr.as_str(), lock.exists()),
        (Some(0), "", false),
        "{second:?}"
    );
}

#[test]
fn locks_do_not_follow_links() {
    let held = Held::new("lock-link");
    held.is_free.store(1, Ordering::SeqCst);
    let checkpoint = File::none("lock-link", "checkpoint");
    let precious = File::new("lock-link-precious", "txt", "precious");
    let lock = File::none("lock-link", &format!("checkpoint{LOCK}"));
    std::os::unix::fs::symlink(precious.path(), lock.path()).unwrap();
    let run = held.run(&["--checkpoint", checkpoint.path()]);
    assert_eq!(
        (run.code, precious.read().as_str(), lock.exists()),
        (Some(0), "precious", false),
        "{run:?}"
    );
}

/// Many concurrent runs, repeatedly: exactly one at a time has the file, and no file is corrupted.
#[test]
fn concurrent_runs_exclude_each_other() {
    let held = Held::new("at-once");
    held.is_free.store(1, Ordering::SeqCst);
    let failed = File::none("at-once", "jsonl");
    let checkpoint = File::none("at-once", "checkpoint");
    let mut ended = [0, 0];
    for _ in 0..10 {
        let outputs = ["--failed-keys", failed.path(), "--checkpoint", checkpoint.path()];
        let options = held.options(&outputs);
        let spawn = || {
            let mut command = command(options.iter().map(String::as_str), &CREDENTIALS);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let children: Vec<Child> = (0..4).map(|_| spawn()).collect();
        for run in children.into_iter().map(finish) {
            let is_held =
                run.code == USAGE && run.stderr.contains("another run is using this file");
            assert!(run.code == Some(0) || is_held, "{run:?}");
            ended[usize::from(is_held)] += 1;
        }
    }
    assert!(ended[0] >= 10, "{ended:?}");
    assert!(!checkpoint.exists());
}
