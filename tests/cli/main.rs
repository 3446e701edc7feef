//! `delete-vectors` as its users meet it: the built program, run with arguments, an environment and nothing on stdin.
#![cfg(feature = "cli")]

mod dry_run;
mod keys_from;
mod outcomes;
mod program;
mod rehearsal;
mod usage;
