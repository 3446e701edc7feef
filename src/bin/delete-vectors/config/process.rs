//! A program that prints credentials: the modes `Process` of ossutil and `External` of the Alibaba
//! Cloud CLI.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use std::{error, fmt};

use oss_delete_vectors::{Credentials, InvalidValue};
use zeroize::Zeroizing;

use super::error::ConfigError;
use super::wiped;
use crate::input_text::{self, NotText};

/// The default timeout, long enough for a program that asks for a password.
const LIMIT: Duration = Duration::from_secs(60);

/// The maximum size of the output.
const MAX_OUTPUT: usize = 64 * 1024;

/// The interval of checks for its exit after it has closed its output. It has usually exited by
/// then.
const PAUSE: Duration = Duration::from_millis(5);

/// A command, split into words without a shell.
#[derive(Clone)]
pub(crate) struct CredentialProcess {
    /// The option or the line that configured it.
    origin: String,
    program: String,
    arguments: Vec<String>,
    limit: Duration,
}

impl CredentialProcess {
    /// Splits `command` at white space, with the quotes and backslashes of a POSIX shell.
    pub(super) fn new(command: &str, origin: &str) -> Result<Self, ConfigError> {
        let mut words = shlex::split(command).unwrap_or_default().into_iter();
        let Some(program) = words.next().filter(|program| !program.is_empty()) else {
            let rule = "must be a program and its arguments, with every quote closed".to_owned();
            return Err(ConfigError::Rule { origin: origin.to_owned(), rule });
        };
        Ok(Self { origin: origin.to_owned(), program, arguments: words.collect(), limit: LIMIT })
    }

    /// Sets the timeout.
    pub(super) fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Runs the program and reads its output. Only its stderr is connected to the terminal.
    pub(crate) fn run(&self) -> Result<Credentials, ProcessError> {
        self.output()
            .and_then(|output| read(&output))
            .map_err(|failure| ProcessError { origin: self.origin.clone(), failure })
    }

    fn output(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let deadline = Instant::now() + self.limit;
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut running = Running(
            command
                .spawn()
                .map_err(|error| Failure::Start { program: self.program.clone(), error })?,
        );
        let stdout = running.0.stdout.take().expect("stdout is piped");

        // A read has no timeout. If a child of the program keeps the output open, the thread stays.
        let (sender, receiver) = mpsc::sync_channel(1);
        let stdout = stdout.take(MAX_OUTPUT as u64 + 1);
        thread::Builder::new()
            .spawn(move || sender.send(wiped::read_to_end(stdout)))
            .map_err(Failure::Io)?;
        let left = deadline.saturating_duration_since(Instant::now());
        let output = receiver
            .recv_timeout(left)
            .map_err(|_| Failure::Slow(self.limit))?
            .map_err(Failure::Io)?;
        if output.len() > MAX_OUTPUT {
            return Err(Failure::Long);
        }
        let status =
            running.wait_until(deadline).map_err(Failure::Io)?.ok_or(Failure::Slow(self.limit))?;
        if !status.success() {
            return Err(Failure::Status(status));
        }
        Ok(output)
    }
}

/// A running program, killed on drop.
struct Running(Child);

impl Running {
    fn wait_until(&mut self, deadline: Instant) -> io::Result<Option<ExitStatus>> {
        loop {
            let status = self.0.try_wait()?;
            if status.is_some() || Instant::now() >= deadline {
                return Ok(status);
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both have no effect if the program has exited and was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Parses the output. The expiration is not checked, because a wrong local clock would reject valid
/// credentials. The service checks it.
fn read(output: &[u8]) -> Result<Credentials, Failure> {
    let output = input_text::checked(output).map_err(Failure::NotText)?;
    Credentials::from_json(output).map_err(Failure::Refused)
}

/// An error of the program. Shows neither its arguments nor its output.
#[derive(Debug)]
pub(crate) struct ProcessError {
    origin: String,
    failure: Failure,
}

#[derive(Debug)]
enum Failure {
    Start { program: String, error: io::Error },
    Io(io::Error),
    Slow(Duration),
    Long,
    Status(ExitStatus),
    NotText(NotText),
    Refused(InvalidValue),
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        match &self.failure {
            Failure::Start { program, error } => write!(f, "cannot run {program:?}: {error}"),
            Failure::Io(error) => write!(f, "cannot read what the program prints: {error}"),
            Failure::Slow(limit) => write!(f, "the program did not end within {limit:?}"),
            Failure::Long => write!(f, "the program printed more than {} KiB", MAX_OUTPUT / 1024),
            Failure::Status(status) => write!(f, "the program failed: {status}"),
            Failure::NotText(not_text) => write!(f, "the program's output {not_text}"),
            Failure::Refused(invalid) => {
                write!(f, "the program's {} {}", invalid.field(), invalid.rule())
            }
        }
    }
}

impl error::Error for ProcessError {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// The error of a command with a timeout of 200 ms.
    fn error(command: &str) -> String {
        let process = CredentialProcess::new(command, "here").unwrap();
        CredentialProcess { limit: Duration::from_millis(200), ..process }
            .run()
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_program_that_does_not_end_times_out() {
        for command in ["tail -f /dev/null", "sh -c 'exec >/dev/null; exec tail -f /dev/null'"] {
            assert_eq!(error(command), "here: the program did not end within 200ms", "{command}");
        }
    }

    #[test]
    fn a_started_program_is_killed_afterwards() {
        let child =
            Command::new("tail").args(["-f", "/dev/null"]).stdout(Stdio::null()).spawn().unwrap();
        let id = child.id().to_string();
        let is_there = || {
            Command::new("kill").args(["-0", &id]).stderr(Stdio::null()).status().unwrap().success()
        };
        let running = Running(child);
        assert!(is_there());
        drop(running);
        assert!(!is_there());
    }

    #[test]
    fn expirations_may_be_in_the_past() {
        let expiration = std::time::UNIX_EPOCH + Duration::from_secs(1_788_436_800);
        for text in ["2026-09-03T12:00:00Z", "2026-09-03T20:00:00+08:00", "2026-09-03 12:00:00.5z"]
        {
            let output = format!(
                r#"{{"access_key_id":"id","access_key_secret":"s","expiration":"{text}"}}"#
            );
            let credentials = read(output.as_bytes()).unwrap();
            assert_eq!(
                (credentials.access_key_id(), credentials.expiration()),
                ("id", Some(expiration))
            );
        }
    }
}
