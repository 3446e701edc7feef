//! `delete-vectors` as its users meet it: the built program, run with arguments, an environment and nothing on stdin.
#![cfg(feature = "cli")]

mod books;
mod ca_file;
#[path = "../common/canary.rs"]
mod canary;
#[path = "../transports/certificates.rs"]
mod certificates;
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
mod memory;
mod outage;
mod outcomes;
#[allow(dead_code, reason = "the transports' tests use more of it")]
#[path = "../transports/peer.rs"]
mod peer;
#[cfg(unix)]
mod pipes;
mod program;
mod rehearsal;
mod resume;
mod secrets;
mod terminal;
mod usage;
#[path = "../common/xorshift.rs"]
mod xorshift;
