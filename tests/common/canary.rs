//! The secrets of all tests. `.ci/canary` reads them here, and searches everything that tests print and leave behind for them.
#![allow(dead_code, reason = "every test file uses its part")]

/// That of the conformance cases, whose signatures depend on it.
pub(crate) const SECRET: &str = "yourAccessKeySecretForTests0001";
/// Looks otherwise in a URI.
pub(crate) const TOKEN: &str = "CAISyour/Security+Token=ForTests0001";
/// Of nobody, as is the token below.
pub(crate) const WRONG_SECRET: &str = "not-yourAccessKeySecretForTests0001";
pub(crate) const WRONG_TOKEN: &str = "not-CAISyour/Security+Token=ForTests0001";

/// Whether a secret is in `text`, or half of one.
pub(crate) fn is_in(text: &str) -> bool {
    let halves = |secret: &'static str| secret.as_bytes().windows(secret.len().div_ceil(2));
    [SECRET, TOKEN].into_iter().flat_map(halves).any(|half| text.contains(str::from_utf8(half).unwrap()))
}

/// Prints `shown`, for `.ci/canary` to find what is encoded.
#[track_caller]
pub(crate) fn assert_not_in(shown: &str) {
    println!("{shown}");
    assert!(!is_in(shown), "a secret in {shown}");
}
