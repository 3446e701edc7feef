//! `BulkDelete` in virtual time, driven by the tests themselves: one behaviour per test, exact
//! counts, no network and no sleep.

#[path = "../common/mod.rs"]
mod common;

mod callers;
mod clock;
mod conformance;
mod credentials;
mod halving;
mod hostile;
mod hour;
mod listing;
mod listing_simulation;
mod outage;
mod outcomes;
mod pace;
mod pacing;
mod pacing_picture;
mod pushing;
mod resume;
mod run;
mod startup;
mod stopping;
mod timeouts;
mod unknown;

use common::{calls, canary, fixtures, random};
