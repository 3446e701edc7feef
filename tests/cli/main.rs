//! `delete-vectors` from the outside: the built program with arguments, an environment, and an
//! empty stdin.

#[path = "../common/mod.rs"]
mod common;

mod ca_file;
mod checkpoint_mismatch;
mod config_file;
#[cfg(unix)]
mod credential_process;
mod dry_run;
mod failed_keys;
mod home;
mod input_changes;
#[cfg(unix)]
mod input_formats;
mod interrupt;
mod keys_from;
mod kill;
mod locks;
mod matching;
mod memory;
mod million;
mod ossutil;
mod outage;
mod outcomes;
mod output_files;
#[cfg(unix)]
mod pipes;
mod profiles;
mod program;
mod rehearsal;
mod resume;
mod secrets;
mod terminal;
mod usage;
#[cfg(unix)]
mod vectors_emulator;
mod verify;

use common::{calls, canary, certificates, peak_rss, peer, random, service};
