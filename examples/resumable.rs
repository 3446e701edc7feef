//! Deletes the keys in a file, and can be killed at any time. The next start resumes from the saved
//! state, and lists each failed key once.
//!
//! `cargo run --all-features --example resumable`

mod setup;

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;
use std::{env, process};

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Checkpoint, Event, Report};
use oss_delete_vectors::transports::{
    Observer, Run, RunError, StopHandle, TransportOptions, UreqTransport,
};

use setup::{Setup, key};

fn main() -> Result<(), Box<dyn Error>> {
    let setup = Setup::new(20_000)?;
    if let Some(mut emulator) = setup.emulator() {
        emulator.reject_keys([key(7), key(19_000)]);
    }
    let folder = env::temp_dir().join(format!("resumable-{}", process::id()));
    fs::create_dir_all(&folder)?;
    let (keys, state) = (folder.join("keys.txt"), folder.join("state"));
    fs::write(&keys, (0..20_000).map(|number| key(number) + "\n").collect::<String>())?;

    // Stop the first run in the middle. `kill -9` would also lose what happened since the last
    // save.
    let stopped = start(&setup, &keys, &state, 5000)?.expect_err("the run was stopped");
    println!("{stopped}");
    let report = start(&setup, &keys, &state, u64::MAX)?.expect("the run was not stopped");
    println!("{} of {} deleted", report.deleted, report.pushed);

    let state = fs::read_to_string(&state)?;
    let failed: Vec<&str> = state.lines().skip(1).collect();
    println!("not deleted: {failed:?}");
    fs::remove_dir_all(&folder)?;
    if setup.emulator().is_some() {
        assert_eq!(
            (report.deleted, &failed[..]),
            (19_998, &[key(7).as_str(), key(19_000).as_str()][..])
        );
        setup.assert_left(2);
    }
    Ok(())
}

/// Resumes from `state` if it exists, and stops once `max` keys are deleted.
fn start(
    setup: &Setup,
    keys: &Path,
    state: &Path,
    max: u64,
) -> Result<Result<Report, RunError>, Box<dyn Error>> {
    let (target, credentials) = (&setup.target, setup.credentials.clone());
    let mut failed = Vec::new();
    let mut bulk = if state.exists() {
        let text = fs::read_to_string(state)?;
        let mut lines = text.lines();
        let checkpoint: Checkpoint = lines.next().unwrap_or_default().parse()?;
        failed.extend(lines.map(str::to_owned));
        BulkDelete::resume(target, credentials, BulkOptions::new(), &checkpoint)?
    } else {
        BulkDelete::new(target, credentials, BulkOptions::new())?
    };

    let transport = UreqTransport::new(&TransportOptions::new());
    let stop = StopHandle::new();
    let mut job = Job {
        state,
        max,
        stop: stop.clone(),
        deleted: 0,
        is_stopped: false,
        failed,
        saved: Ok(()),
    };
    // Read the whole file first: an iterator that ends at a read error would skip keys silently.
    let keys: Vec<String> = fs::read_to_string(keys)?.lines().map(str::to_owned).collect();
    let run = Run::new(&mut bulk)
        .stop_handle(&stop)
        .observer(&mut job)
        .progress_every(Duration::from_millis(200));
    let ended = run.run_blocking(keys, move |request| transport.send(request));
    job.saved?;
    Ok(ended)
}

/// Collects the failed keys, and saves them with the checkpoint.
struct Job<'a> {
    state: &'a Path,
    max: u64,
    stop: StopHandle,
    deleted: u64,
    is_stopped: bool,
    failed: Vec<String>,
    saved: io::Result<()>,
}

impl Observer for Job<'_> {
    fn event(&mut self, event: Event) {
        match event {
            // Keys that fail after a stop were interrupted: the next start sends them again.
            Event::Stopped(_) => self.is_stopped = true,
            Event::Failed(keys) if !self.is_stopped => {
                self.failed.extend(keys.keys.iter().map(|key| key.to_string()));
            }
            Event::Deleted { keys, .. } => {
                self.deleted += keys as u64;
                if self.deleted >= self.max {
                    self.stop.stop();
                }
            }
            _ => {}
        }
    }

    /// Called after all events, so that `failed` has every failed key that the checkpoint covers.
    fn progress(&mut self, bulk: &BulkDelete) {
        if let Err(error) = save(self.state, &bulk.checkpoint(), &self.failed) {
            self.saved = Err(error);
            self.stop.stop();
        }
    }
}

/// Writes a new file and renames it over the old one, so that the state is never incomplete.
fn save(state: &Path, checkpoint: &Checkpoint, failed: &[String]) -> io::Result<()> {
    let new = state.with_extension("new");
    let mut file = File::create(&new)?;
    writeln!(file, "{checkpoint}")?;
    failed.iter().try_for_each(|key| writeln!(file, "{key}"))?;
    file.sync_all()?;
    fs::rename(new, state)
}
