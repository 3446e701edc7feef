//! Deletes vectors from many threads, which share one blocking client. Each thread gets the result
//! of its own keys.
//!
//! `cargo run --all-features --example threads`

mod setup;

use std::error::Error;
use std::thread;

use oss_delete_vectors::blocking;

use setup::{Setup, key};

fn main() -> Result<(), Box<dyn Error>> {
    let setup = Setup::new(2000)?;
    // The emulator can reject a key.
    if let Some(mut emulator) = setup.emulator() {
        emulator.reject_keys([key(1234)]);
    }
    let client = blocking::Client::new(&setup.target, setup.credentials.clone())?;
    thread::scope(|scope| {
        for worker in 0..20 {
            let client = &client;
            scope.spawn(move || {
                for document in 0..10 {
                    let first = 100 * worker + 10 * document;
                    if let Err(error) = client.delete((first..first + 10).map(key)) {
                        println!("worker {worker}, document {document}: {error}");
                        for key in error.not_deleted() {
                            println!("  {} is {}", key.key, key.outcome);
                        }
                    }
                }
            });
        }
    });
    client.close();
    let metrics = client.metrics();
    println!("{} calls, {} vectors, {} requests", metrics.calls, metrics.deleted, metrics.requests);

    setup.assert_left(1);
    Ok(())
}
