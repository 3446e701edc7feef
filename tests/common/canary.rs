//! The secrets of all tests. `.ci/canary` reads them here, and searches for them in everything that
//! tests print and leave behind.

/// The secret of the conformance cases, whose signatures depend on it.
pub(crate) const SECRET: &str = "yourAccessKeySecretForTests0001";
/// Contains characters that are escaped in a URI.
pub(crate) const TOKEN: &str = "CAISyour/Security+Token=ForTests0001";
/// Unknown to every service in the tests, like the token below.
pub(crate) const WRONG_SECRET: &str = "not-yourAccessKeySecretForTests0001";
pub(crate) const WRONG_TOKEN: &str = "not-CAISyour/Security+Token=ForTests0001";

/// Whether `text` contains a secret, or half of one.
pub(crate) fn is_in(text: &str) -> bool {
    let halves = |secret: &'static str| secret.as_bytes().windows(secret.len().div_ceil(2));
    [SECRET, TOKEN]
        .into_iter()
        .flat_map(halves)
        .any(|half| text.contains(str::from_utf8(half).unwrap()))
}

/// Also prints `shown`, so that `.ci/canary` can search it for encoded secrets.
#[track_caller]
pub(crate) fn assert_not_in(shown: &str) {
    println!("{shown}");
    assert!(!is_in(shown), "a secret in {shown}");
}
