//! Ctrl-C: once to stop, twice to abort.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use http::StatusCode;
use oss_delete_vectors::emulator::RateLimit;
use oss_delete_vectors::transports::Server;
use oss_delete_vectors::{GetVectors, Operation, ServiceError, code};

use crate::canary;
use crate::program::{
    CREDENTIALS, File, INTERRUPTED, Service, TRANSPORTS, command, finish, options_for, run,
};
use crate::service::real_time;

fn spawn(endpoint: &str, options: &[&str]) -> (Child, BufReader<ChildStderr>) {
    let base = options_for(endpoint);
    let mut command = command(base.chain(options.iter().copied()), &CREDENTIALS);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    (child, stderr)
}

fn interrupt(child: &Child, signal: &str) {
    assert!(
        Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
}

fn line(stderr: &mut impl BufRead) -> String {
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    line
}

#[test]
fn first_interrupt_stops_a_resumable_run() {
    for (transport, signal) in TRANSPORTS.into_iter().zip(["INT", "TERM"]) {
        let keys: Vec<String> = (0..20_000).map(|number| format!("doc-{number:05}")).collect();
        let file = File::new(&format!("interrupted-{transport}"), "txt", keys.join("\n"));
        let checkpoint = File::none(&format!("interrupted-{transport}"), "checkpoint");
        let service = Service::holding(keys);
        service.emulator().set_rate_limit(Some(RateLimit::new(20.0, 1).unwrap()));
        let options = [
            "--keys-from",
            file.path(),
            "--checkpoint",
            checkpoint.path(),
            "--transport",
            transport,
        ];

        let (child, mut stderr) = spawn(&service.url(), &options);
        while service.left() == 20_000 {
            std::thread::yield_now();
        }
        interrupt(&child, signal);
        assert_eq!(
            line(&mut stderr),
            "stopping: waiting for requests in flight; interrupt again to abort\n"
        );
        let stopped = finish(child);
        stopped.check_sum();
        let [deleted, rejected, unconfirmed, ..] = stopped.counts();
        assert_eq!(
            (stopped.code, rejected, &stopped.json()["error"]["message"]),
            (INTERRUPTED, 0, &"interrupted".into())
        );
        let gone = 20_000 - service.left() as u64;
        assert!((deleted..=deleted + unconfirmed).contains(&gone), "{gone}: {stopped:?}");
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        canary::assert_not_in(&text);
        assert!(
            text.starts_with("error: interrupted\n")
                && text.ends_with("help: to continue, run the same command again\n"),
            "{text}"
        );

        service.emulator().set_rate_limit(None);
        let url = service.url();
        let base = options_for(&url);
        let resumed = run(base.chain(options), &CREDENTIALS);
        assert_eq!(
            (resumed.code, &resumed.counts()[..5]),
            (Some(0), &[20_000, 0, 0, 0, 0][..]),
            "{resumed:?}"
        );
        assert!(service.left() == 0 && !checkpoint.exists());
    }
}

#[test]
fn second_interrupt_aborts_the_run() {
    for transport in TRANSPORTS {
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let options =
            ["--keys", r#"["doc-001","doc-002"]"#, "--timeout", "86400", "--transport", transport];
        let (child, mut stderr) = spawn(&url, &options);
        let (mut connection, _) = silent.accept().unwrap();
        connection.read_exact(&mut [0; 16]).unwrap();
        interrupt(&child, "INT");
        assert!(line(&mut stderr).starts_with("stopping: "));
        interrupt(&child, "INT");
        let aborted = finish(child);
        assert_eq!(
            (aborted.code, aborted.counts()),
            (INTERRUPTED, [0, 0, 2, 0, 0, 1]),
            "{aborted:?}"
        );
    }
}

#[test]
fn interrupt_while_keys_are_counted_ends_the_program() {
    for (transport, signal) in TRANSPORTS.into_iter().zip(["INT", "TERM"]) {
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let (child, mut stderr) =
            spawn(&url, &["--prefix", "doc", "--dry-run", "--transport", transport]);
        let (mut connection, _) = silent.accept().unwrap();
        connection.read_exact(&mut [0; 16]).unwrap();
        interrupt(&child, signal);
        let run = finish(child);
        assert_eq!((run.code, run.stdout.as_str()), (INTERRUPTED, ""), "{run:?}");
        assert_eq!(line(&mut stderr), "error: interrupted\n");
        assert_eq!(line(&mut stderr), "note: nothing was deleted\n");
    }
}

/// Without an interrupt, the lookup would wait for minutes.
#[test]
fn a_lookup_is_interrupted_while_it_waits() {
    for transport in TRANSPORTS {
        let service = Service::with_keys(10);
        let emulator = service.shared();
        let slow = ServiceError::new(StatusCode::SERVICE_UNAVAILABLE, code::SLOW_DOWN, "later")
            .with_request_id("some id")
            .with_retry_after(Duration::from_secs(300));
        let (looked_up, lookups) = channel();
        let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), move |request| {
            if GetVectors::is_call(&request) {
                let _ = looked_up.send(());
                return slow.to_response();
            }
            emulator.lock().unwrap().handle(real_time(), &request)
        })
        .unwrap();
        let file = File::new("looked-up", "txt", "doc-1\ndoc-2\n");
        let options = ["--keys-from", file.path(), "--verify", "--transport", transport];
        let (child, _stderr) = spawn(&server.url(), &options);
        lookups.recv().unwrap();
        interrupt(&child, "INT");
        let run = finish(child);
        assert_eq!((run.code, run.counts()[0]), (INTERRUPTED, 2), "{run:?}");
        assert_eq!(lookups.try_iter().count(), 0);
    }
}
