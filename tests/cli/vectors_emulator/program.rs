//! One run of the program, and a client of it.

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

/// How a run ended. No secret is in any output.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// Without the first line, where it was read before.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The tally of a run that ended well.
    pub(crate) fn tally(&self) -> Value {
        assert_eq!(
            (self.code, self.stderr.as_str(), self.stdout.lines().count()),
            (Some(0), "", 1),
            "{self:?}"
        );
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// The program, killed with the value where it has not ended.
pub(crate) struct Program {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    /// What the first line of stdout says; empty where there was none.
    pub(crate) said: String,
}

impl Program {
    /// Runs it with this environment and no other, until it serves or has ended.
    pub(crate) fn run(arguments: &[&str], environment: &[(&str, &str)], stdin: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vectors-emulator"));
        command.args(arguments).env_clear().envs(environment.iter().copied());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // An error means that it has ended, or has no use for stdin.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        stdout.read_line(&mut said).unwrap();
        Self { child, stdout: Some(stdout), said }
    }

    /// Runs it with the key pair, until it serves.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let program = Self::run(arguments, &KEY_PAIR, "");
        if program.said.is_empty() {
            panic!("{:?}", program.ended());
        }
        program
    }

    pub(crate) fn url(&self) -> &str {
        self.said.trim_end().strip_prefix("listening on ").unwrap()
    }

    /// The index that it serves where no option says otherwise.
    pub(crate) fn target(&self) -> Target {
        let target = Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name("vectorindex1");
        target.endpoint(self.url().parse().unwrap()).build().unwrap()
    }

    /// One request.
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

    /// Asks it to end, and says what it told.
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
        for said in [&self.said, &ended.stdout, &ended.stderr] {
            canary::assert_not_in(said);
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

/// A file for one test, removed with the value.
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
