//! What holds of any value, tried on values that are made at random, the same in every run. `PROPTEST_CASES` and
//! `PROPTEST_RNG_SEED` try more and others; what fails then becomes a test of its own, so that nothing is kept in a file.

#[path = "../common/canary.rs"]
mod canary;
#[path = "../common/signed_content.rs"]
mod signed_content;

mod accounting;
mod batches;
mod calls;
mod canonical;
mod signatures;
mod strategies;

use proptest::test_runner::{Config, RngSeed};

/// So many cases of a property, unless the environment says otherwise.
fn cases(cases: u32) -> Config {
    let from_environment = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    Config {
        cases: from_environment("PROPTEST_CASES").and_then(|cases| u32::try_from(cases).ok()).unwrap_or(cases),
        rng_seed: RngSeed::Fixed(from_environment("PROPTEST_RNG_SEED").unwrap_or(0_u64)),
        failure_persistence: None,
        ..Config::default()
    }
}
