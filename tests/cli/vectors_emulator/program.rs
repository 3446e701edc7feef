//! One run of the program, and a client for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::transports::{TransportOptions, UreqTransport};
use oss_delete_vectors::{AttemptError, Credentials, DeleteVectors, Deleted, KeyBatch, Target};
use serde_json::Value;

pub(crate) use crate::calls::credentials;
use crate::canary;

pub(crate) use crate::program::CREDENTIALS as KEY_PAIR;

/// The end of a run. No output contains a secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// Without the first line if that was read before.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The tally of a successful run.
    pub(crate) fn tally(&self) -> Value {
        assert_eq!(
            (self.code, self.stderr.as_str(), self.stdout.lines().count()),
            (Some(0), "", 1),
            "{self:?}"
        );
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// The program. Killed on drop if it has not ended.
pub(crate) struct Program {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    /// The first line of stdout. Empty if there was none.
    pub(crate) first_line: String,
}

impl Program {
    /// Starts it with exactly this environment, and waits until it serves or has ended.
    pub(crate) fn run(arguments: &[&str], environment: &[(&str, &str)], stdin: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vectors-emulator"));
        command.args(arguments).env_clear().envs(environment.iter().copied());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // An error means that it has ended, or does not read stdin.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first_line = String::new();
        stdout.read_line(&mut first_line).unwrap();
        Self { child, stdout: Some(stdout), first_line }
    }

    /// Starts it with the key pair, and waits until it serves.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let program = Self::run(arguments, &KEY_PAIR, "");
        if program.first_line.is_empty() {
            panic!("{:?}", program.ended());
        }
        program
    }

    pub(crate) fn url(&self) -> &str {
        self.first_line.trim_end().strip_prefix("listening on ").unwrap()
    }

    /// The default index.
    pub(crate) fn target(&self) -> Target {
        let target = Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name("vectorindex1");
        target.endpoint(self.url().parse().unwrap()).build().unwrap()
    }

    /// Sends one request.
    pub(crate) fn delete(
        &self,
        credentials: Credentials,
        keys: &[&str],
    ) -> Result<Deleted, AttemptError> {
        let call = DeleteVectors::new(&self.target(), KeyBatch::new(keys).unwrap());
        UreqTransport::new(&TransportOptions::new())
            .delete_vectors(&call, &Signer::new(&self.target(), credentials))
    }

    pub(crate) fn signal(&self, name: &str) {
        assert!(
            Command::new("kill")
                .args(["-s", name, &self.child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Ends it with a signal, and returns its output.
    pub(crate) fn stop(self) -> Ended {
        self.signal("TERM");
        self.ended()
    }

    /// Closes the reading end of its stdout.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ended {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        if let Some(pipe) = &mut self.stdout {
            pipe.read_to_string(&mut stdout).unwrap();
        }
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let ended = Ended { code: self.child.wait().unwrap().code(), stdout, stderr };
        for first_line in [&self.first_line, &ended.stdout, &ended.stderr] {
            canary::assert_not_in(first_line);
        }
        ended
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file for one test, removed on drop.
pub(crate) struct KeysFile(PathBuf);

impl KeysFile {
    pub(crate) fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{}.{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for KeysFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
