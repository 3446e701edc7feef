//! One run of the program, and a service for it to talk to.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::{Request, StatusCode};
use oss_delete_vectors::emulator::Emulator;
use oss_delete_vectors::transports::Server;
use oss_delete_vectors::{Credentials, Now, ServiceError, Target, code};
use serde_json::Value;

use crate::canary::{self, SECRET, TOKEN};

pub(crate) const ACCESS_KEY_ID: &str = "LTAI5tConformanceKey0001";
pub(crate) const CREDENTIALS: [(&str, &str); 2] = [("OSS_ACCESS_KEY_ID", ACCESS_KEY_ID), ("OSS_ACCESS_KEY_SECRET", SECRET)];
pub(crate) const TRANSPORTS: [&str; 2] = ["hyper", "ureq"];

/// Names a place; the endpoint, the index and the keys are to be added.
pub(crate) const PLACE: [&str; 6] = ["--region", "cn-hangzhou", "--account-id", "1234567890123456", "--bucket", "examplebucket"];

pub(crate) fn credentials() -> Credentials {
    Credentials::new(ACCESS_KEY_ID, SECRET).unwrap()
}

/// What `PLACE` names, at the public endpoint.
pub(crate) fn target() -> Target {
    Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("vectorindex1").build().unwrap()
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// The last line of stdout.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.stdout.lines().last().unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Every key that was read is in one place.
    pub(crate) fn check_sum(&self) {
        let [deleted, rejected, unconfirmed, not_attempted, duplicates, _] = self.counts();
        let sum = deleted + rejected + unconfirmed + not_attempted + duplicates;
        assert_eq!(self.json()["keys_read"], sum, "{self:?}");
    }

    /// The counts of the JSON report: deleted, rejected, unconfirmed, not attempted, duplicates, requests.
    pub(crate) fn counts(&self) -> [u64; 6] {
        let json = self.json();
        ["deleted", "rejected", "unconfirmed", "not_attempted", "duplicates", "requests"].map(|name| json[name].as_u64().unwrap())
    }
}

/// The program with this environment and no other, without a terminal.
pub(crate) fn command<'a>(arguments: impl IntoIterator<Item = &'a str>, environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_delete-vectors"));
    command.args(arguments).env_clear().envs(environment.iter().copied()).stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) fn run<'a>(arguments: impl IntoIterator<Item = &'a str>, environment: &[(&str, &str)]) -> Run {
    told(command(arguments, environment).output().unwrap())
}

/// Runs it to its end, with something to read.
pub(crate) fn run_with_stdin<'a>(
    arguments: impl IntoIterator<Item = &'a str>,
    environment: &[(&str, &str)],
    stdin: impl AsRef<[u8]>,
) -> Run {
    let mut command = command(arguments, environment);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // It need not read all.
    let _ = pipe.write_all(stdin.as_ref());
    drop(pipe);
    finish(child)
}

/// Waits for its end.
pub(crate) fn finish(child: Child) -> Run {
    told(child.wait_with_output().unwrap())
}

/// What any run said comes by here. No secret may be in it, but for the token in the header that `--dry-run` prints.
pub(crate) fn told(Output { status, stdout, stderr }: Output) -> Run {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let run = Run { code: status.code(), stdout: text(stdout), stderr: text(stderr) };
    canary::assert_not_in(&run.stdout.replace(&format!(r#""x-oss-security-token":"{TOKEN}""#), ""));
    canary::assert_not_in(&run.stderr);
    run
}

/// An emulator on a socket.
pub(crate) struct Service {
    emulator: Arc<Mutex<Emulator>>,
    /// How many requests are let through to it; the others are denied.
    quota: Arc<AtomicU64>,
    server: Server,
}

impl Service {
    /// Its index holds doc-001 to doc-009.
    pub(crate) fn start() -> Self {
        Self::holding((1..=9).map(|number| format!("doc-{number:03}")))
    }

    pub(crate) fn holding(keys: impl Iterator<Item = String>) -> Self {
        let emulator = Arc::new(Mutex::new(Emulator::with_vectors(&target(), credentials(), keys).unwrap()));
        let quota = Arc::new(AtomicU64::new(u64::MAX));
        let (answering, left, begun) = (Arc::clone(&emulator), Arc::clone(&quota), Instant::now());
        let handler = move |request: Request<Bytes>| {
            let (mut emulator, now) = (answering.lock().unwrap(), Now::new(begun.elapsed(), SystemTime::now()));
            match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |quota| quota.checked_sub(1)) {
                Ok(_) => emulator.handle(now, &request),
                Err(_) => ServiceError::new(StatusCode::FORBIDDEN, code::ACCESS_DENIED, "not allowed").to_response(),
            }
        };
        let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), handler).unwrap();
        Self { emulator, quota, server }
    }

    /// Lets so many more requests through.
    pub(crate) fn allow(&self, requests: u64) {
        self.quota.store(requests, Ordering::SeqCst);
    }

    pub(crate) fn emulator(&self) -> MutexGuard<'_, Emulator> {
        self.emulator.lock().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// For another way to it.
    pub(crate) fn shared(&self) -> Arc<Mutex<Emulator>> {
        Arc::clone(&self.emulator)
    }

    /// Requests that came.
    pub(crate) fn requests(&self) -> u64 {
        self.emulator().requests()
    }

    /// Vectors in the index.
    pub(crate) fn left(&self) -> usize {
        self.emulator().len("examplebucket", "vectorindex1").unwrap()
    }
}

/// An address where nobody listens, and nobody can while it is held: a client's own port.
pub(crate) struct ClosedPort(TcpStream);

impl ClosedPort {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self(TcpStream::connect(listener.local_addr().unwrap()).unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }
}

/// A file for one test, removed with the value. No secret may be in one that a program wrote.
pub(crate) struct File {
    path: String,
    is_output: bool,
}

impl File {
    pub(crate) fn new(test: &str, ending: &str, content: impl AsRef<[u8]>) -> Self {
        let mut file = Self::none(test, ending);
        file.is_output = false;
        std::fs::write(&file.path, content).unwrap();
        file
    }

    /// The name of a file that is not there yet: the program writes it.
    pub(crate) fn none(test: &str, ending: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.{}.{ending}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self { path: path.to_str().unwrap().to_owned(), is_output: true }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// For `--keys`.
    pub(crate) fn argument(&self) -> String {
        format!("file://{}", self.path)
    }

    pub(crate) fn read(&self) -> String {
        let text = std::fs::read_to_string(&self.path).unwrap();
        if self.is_output {
            canary::assert_not_in(&text);
        }
        text
    }

    pub(crate) fn exists(&self) -> bool {
        std::path::Path::new(&self.path).exists()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if self.is_output && self.exists() && !std::thread::panicking() {
            self.read();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}
