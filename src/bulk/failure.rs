use std::error::Error;
use std::fmt;

use crate::escape::escape;

/// Why there is no answer to a request, and whether it may have arrived all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    may_have_arrived: bool,
    message: String,
}

impl Failure {
    /// Not one byte of the request left: DNS, TCP connect, TLS, a proxy that would not connect.
    #[must_use]
    pub fn surely_not_sent(message: impl Into<String>) -> Self {
        Self { may_have_arrived: false, message: message.into() }
    }

    /// Anything else: the request may have arrived, and may have deleted.
    #[must_use]
    pub fn may_have_arrived(message: impl Into<String>) -> Self {
        Self { may_have_arrived: true, message: message.into() }
    }

    /// Whether the service cannot have seen the request. `false` is no proof of the opposite.
    #[must_use]
    pub fn is_surely_not_sent(&self) -> bool {
        !self.may_have_arrived
    }

    /// As it was given.
    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

/// The message, on one line, characters that disorder a terminal escaped.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.message))
    }
}

impl Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_whether_the_request_may_have_arrived_and_why_on_one_line() {
        let (refused, reset) = (Failure::surely_not_sent("refused"), Failure::may_have_arrived("reset\u{1b}\n"));
        assert!(refused.is_surely_not_sent() && !reset.is_surely_not_sent());
        assert_eq!((refused.to_string().as_str(), reset.to_string().as_str()), ("refused", r"reset\u{1b}\n"));
    }
}
