//! `BulkDelete` driven by hand in virtual time: one behaviour a test, exact counts, no network and no sleep.

#[path = "../common/canary.rs"]
mod canary;
#[path = "../common/fixtures.rs"]
mod fixtures;
#[path = "../common/xorshift.rs"]
mod xorshift;

mod books;
mod clock;
mod conformance;
mod credentials;
mod halving;
mod hour;
mod outage;
mod outcomes;
mod pace;
mod resume;
mod run;
mod startup;
mod stopping;
mod unknown;
