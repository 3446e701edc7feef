//! Parsers of option values. An error is the rule of the value.

use std::time::Duration;

/// 9999-12-31T23:59:59Z, the last second that a date on the wire can express.
const LAST_SECOND: u64 = 253_402_300_799;

/// A year in seconds.
const MAX_OUTAGE: u64 = 365 * 86_400;

pub(super) fn concurrency(text: &str) -> Result<usize, &'static str> {
    let number = text.parse().ok();
    number.filter(|number| (1..=10_000).contains(number)).ok_or("must be 1 to 10000")
}

pub(super) fn attempts(text: &str) -> Result<u32, &'static str> {
    text.parse().ok().filter(|&number| number > 0).ok_or("must be a whole number, at least 1")
}

/// One less than the number of attempts.
pub(crate) fn retries(text: &str) -> Result<u32, &'static str> {
    text.parse().ok().filter(|&number| number < u32::MAX).ok_or("must be a whole number")
}

pub(super) fn requests_a_second(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|number| (0.001..=1e6).contains(number))
        .ok_or("must be 0.001 to 1000000")
}

pub(super) fn keys_a_second(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|number| (0.001..=1e9).contains(number))
        .ok_or("must be 0.001 to 1000000000")
}

pub(super) fn unix_time(text: &str) -> Result<u64, &'static str> {
    let seconds = text.parse().ok();
    seconds
        .filter(|&seconds| seconds <= LAST_SECOND)
        .ok_or("must be whole seconds since 1970, 0 to 253402300799")
}

pub(crate) fn seconds(text: &str) -> Result<Duration, &'static str> {
    match text.parse() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("must be a whole number of seconds, 1 to 86400"),
    }
}

/// Seconds, or a number with a unit.
pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    let (number, unit) = match text.as_bytes().last() {
        Some(b's') => (&text[..text.len() - 1], 1),
        Some(b'm') => (&text[..text.len() - 1], 60),
        Some(b'h') => (&text[..text.len() - 1], 3600),
        Some(b'd') => (&text[..text.len() - 1], 86_400),
        _ => (text, 1),
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let seconds =
        number.parse().ok().filter(|_| is_number).and_then(|number: u64| number.checked_mul(unit));
    match seconds {
        Some(seconds @ 1..=MAX_OUTAGE) => Ok(Duration::from_secs(seconds)),
        _ => Err(
            "must be a whole number of seconds, or of minutes, hours or days such as 30m, 2h or 1d, from 1s to 365d",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_have_a_unit() {
        let seconds = [
            ("1", 1),
            ("90", 90),
            ("90s", 90),
            ("30m", 1800),
            ("2h", 7200),
            ("1d", 86_400),
            ("365d", MAX_OUTAGE),
        ];
        for (text, seconds) in seconds {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "0",
            "m",
            "-1",
            "+1",
            "1.5h",
            "1 h",
            "1w",
            "1hh",
            "366d",
            "1H",
            "99999999999999999999d",
            "5\u{661}m",
            "never",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
