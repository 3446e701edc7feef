//! Deletes the keys of a file, and can be killed at any moment: the next start goes on from what was saved, and lists no key
//! that failed twice.
//!
//! `cargo run --example resumable --features ureq,serve`

mod place;

use std::cell::RefCell;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;
use std::{env, process};

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Checkpoint, Event, Report};
use oss_delete_vectors::transports::{Run, RunError, StopHandle, TransportOptions, UreqTransport};

use place::{Place, key};

fn main() -> Result<(), Box<dyn Error>> {
    let place = Place::choose(20_000)?;
    if let Some(mut emulator) = place.emulated() {
        emulator.refuse_keys([key(7), key(19_000)]);
    }
    let folder = env::temp_dir().join(format!("resumable-{}", process::id()));
    fs::create_dir_all(&folder)?;
    let (keys, books) = (folder.join("keys.txt"), folder.join("books"));
    fs::write(&keys, (0..20_000).map(|number| key(number) + "\n").collect::<String>())?;

    // The first start is stopped in the middle. After `kill -9` it is the same, but for what came since the last save.
    let stopped = start(&place, &keys, &books, 5000)?.expect_err("it was stopped");
    println!("{stopped}");
    let report = start(&place, &keys, &books, u64::MAX)?.expect("nobody stopped it");
    println!("{} of {} deleted", report.deleted, report.pushed);

    let books = fs::read_to_string(&books)?;
    let failed: Vec<&str> = books.lines().skip(1).collect();
    println!("not deleted: {failed:?}");
    fs::remove_dir_all(&folder)?;
    if place.emulated().is_some() {
        assert_eq!((report.deleted, &failed[..]), (19_998, &[key(7).as_str(), key(19_000).as_str()][..]));
        place.assert_left(2);
    }
    Ok(())
}

/// Goes on from the books, if there are any, and stops after so many keys of this start.
fn start(place: &Place, keys: &Path, books: &Path, most: u64) -> Result<Result<Report, RunError>, Box<dyn Error>> {
    let (target, credentials) = (&place.target, place.credentials.clone());
    let mut failed = Vec::new();
    let mut bulk = if books.exists() {
        let text = fs::read_to_string(books)?;
        let mut lines = text.lines();
        let checkpoint: Checkpoint = lines.next().unwrap_or_default().parse()?;
        failed.extend(lines.map(str::to_owned));
        BulkDelete::resume(target, credentials, BulkOptions::new(), &checkpoint)?
    } else {
        BulkDelete::new(target, credentials, BulkOptions::new())?
    };

    let transport = UreqTransport::new(&TransportOptions::new());
    let (stop, failed, trouble) = (StopHandle::new(), RefCell::new(failed), RefCell::new(Ok(())));
    let (mut is_stopped, mut deleted) = (false, 0);
    // Read as a whole: an iterator that ends for an error would leave keys out in silence.
    let keys: Vec<String> = fs::read_to_string(keys)?.lines().map(str::to_owned).collect();
    let ended = Run::new(&mut bulk)
        .stop_handle(&stop)
        .on_event(|event| match event {
            // From then on keys that fail were cut short: the next start has them before it.
            Event::Stopped(_) => is_stopped = true,
            Event::Failed(keys) if !is_stopped => failed.borrow_mut().extend(keys.keys.iter().map(|key| key.to_string())),
            Event::Deleted { keys, .. } => {
                deleted += keys as u64;
                if deleted >= most {
                    stop.stop();
                }
            }
            _ => {}
        })
        // All events were told by then, so that the checkpoint covers no key that is not in the list.
        .on_progress(Duration::from_millis(200), |bulk| {
            if let Err(error) = save(books, &bulk.checkpoint(), &failed.borrow()) {
                *trouble.borrow_mut() = Err(error);
                stop.stop();
            }
        })
        .run_blocking(keys, move |request| transport.send(request));
    trouble.into_inner()?;
    Ok(ended)
}

/// Writes both into a new file, which then takes the place of the old one: there is never half of it.
fn save(books: &Path, checkpoint: &Checkpoint, failed: &[String]) -> io::Result<()> {
    let new = books.with_extension("new");
    let mut file = File::create(&new)?;
    writeln!(file, "{checkpoint}")?;
    failed.iter().try_for_each(|key| writeln!(file, "{key}"))?;
    file.sync_all()?;
    fs::rename(new, books)
}
