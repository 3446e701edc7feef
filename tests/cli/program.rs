//! One run of the program, and files for one test.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

pub(crate) use crate::calls::{ACCESS_KEY_ID, credentials, target};
use crate::canary::{self, SECRET, TOKEN};
pub(crate) use crate::service::Service;

pub(crate) const CREDENTIALS: [(&str, &str); 2] =
    [("OSS_ACCESS_KEY_ID", ACCESS_KEY_ID), ("OSS_ACCESS_KEY_SECRET", SECRET)];
pub(crate) const TRANSPORTS: [&str; 2] = ["hyper", "ureq"];

/// The target without its endpoint and index.
pub(crate) const PLACE: [&str; 6] =
    ["--region", "cn-hangzhou", "--account-id", "1234567890123456", "--bucket", "examplebucket"];

/// Options for a run against `endpoint` without a question and with a JSON report.
pub(crate) fn options_for(endpoint: &str) -> impl Iterator<Item = &str> {
    let options = ["--index-name", "vectorindex1", "--force", "--output-format", "json"];
    PLACE.into_iter().chain(options).chain(["--endpoint", endpoint])
}

/// The exit codes, as listed in README.
pub(crate) const USAGE: Option<i32> = Some(1);
pub(crate) const REJECTED: Option<i32> = Some(2);
pub(crate) const UNREACHABLE: Option<i32> = Some(3);
pub(crate) const INCOMPLETE: Option<i32> = Some(4);
pub(crate) const INTERRUPTED: Option<i32> = Some(5);

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// The last line of stdout.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.stdout.lines().last().unwrap_or_default())
            .unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Every key that was read has exactly one outcome.
    pub(crate) fn check_sum(&self) {
        let [deleted, rejected, unconfirmed, not_attempted, duplicates, _] = self.counts();
        let sum = deleted + rejected + unconfirmed + not_attempted + duplicates;
        assert_eq!(self.json()["keys_read"], sum, "{self:?}");
    }

    /// The counts of the JSON report: deleted, rejected, unconfirmed, not attempted, duplicates,
    /// requests.
    pub(crate) fn counts(&self) -> [u64; 6] {
        let json = self.json();
        ["deleted", "rejected", "unconfirmed", "not_attempted", "duplicates", "requests"]
            .map(|name| json[name].as_u64().unwrap())
    }
}

/// The program with exactly this environment, without a terminal.
pub(crate) fn command<'a>(
    arguments: impl IntoIterator<Item = &'a str>,
    environment: &[(&str, &str)],
) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_delete-vectors"));
    // Tests never use the metadata service of their host.
    let environment = [("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")]
        .into_iter()
        .chain(environment.iter().copied());
    command.args(arguments).env_clear().envs(environment).stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) fn run<'a>(
    arguments: impl IntoIterator<Item = &'a str>,
    environment: &[(&str, &str)],
) -> Run {
    checked(command(arguments, environment).output().unwrap())
}

/// Runs the program to its end, with input.
pub(crate) fn run_with_stdin<'a>(
    arguments: impl IntoIterator<Item = &'a str>,
    environment: &[(&str, &str)],
    stdin: impl AsRef<[u8]>,
) -> Run {
    let mut command = command(arguments, environment);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // The program need not read everything.
    let _ = pipe.write_all(stdin.as_ref());
    drop(pipe);
    finish(child)
}

/// Waits for the end of the program.
pub(crate) fn finish(child: Child) -> Run {
    checked(child.wait_with_output().unwrap())
}

/// Checks the output of every run. It must not contain a secret, except for the token that
/// `--dry-run` prints.
pub(crate) fn checked(Output { status, stdout, stderr }: Output) -> Run {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let run = Run { code: status.code(), stdout: text(stdout), stderr: text(stderr) };
    canary::assert_not_in(&run.stdout.replace(&format!(r#""x-oss-security-token":"{TOKEN}""#), ""));
    canary::assert_not_in(&run.stderr);
    run
}

/// An address without a listener: the local port of a client, which stays in use.
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

/// A file for one test, removed on drop. Files that the program writes must not contain a secret.
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

    /// A name without a file, for output of the program.
    pub(crate) fn none(test: &str, ending: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{test}.{}.{ending}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self { path: path.to_str().unwrap().to_owned(), is_output: true }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The argument for `--keys`.
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
