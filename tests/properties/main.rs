//! Property tests with random values, the same in every run. Set `PROPTEST_CASES` and
//! `PROPTEST_RNG_SEED` to try more and other values. Turn a failure into a normal test: no
//! regression file is kept.

#[path = "../common/mod.rs"]
mod common;

mod accounting;
mod batches;
mod calls;
mod canonical;
mod signatures;
mod strategies;

use common::{canary, signed_content};
use proptest::test_runner::{Config, RngSeed};

/// The number of cases, unless the environment overrides it.
fn cases(cases: u32) -> Config {
    let from_environment = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    Config {
        cases: from_environment("PROPTEST_CASES")
            .and_then(|cases| u32::try_from(cases).ok())
            .unwrap_or(cases),
        rng_seed: RngSeed::Fixed(from_environment("PROPTEST_RNG_SEED").unwrap_or(0_u64)),
        failure_persistence: None,
        ..Config::default()
    }
}
