//! Parses times in the formats of other programs.

use std::time::{Duration, SystemTime};

use crate::signing::RequestDate;

/// Parses a time in any of the formats below.
pub(crate) fn any(text: &str) -> Option<SystemTime> {
    rfc3339(text)
        .or_else(|| RequestDate::parse(text.trim()).map(|date| date.time()))
        .or_else(|| http_date(text))
}

/// Parses `2026-09-03T12:00:00Z`. Fractions of a second are dropped.
///
/// Accepts all of RFC 3339: `t`, `_` or a space instead of `T`, `z`, any offset, a leap second.
/// Also accepts offsets without a colon, as from `date +%z`. `None` without an offset, and for
/// times before 1970.
pub(crate) fn rfc3339(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    let (date, time) = (text.get(..10)?, text.get(11..)?);
    if !matches!(text.as_bytes()[10], b'T' | b't' | b'_' | b' ') {
        return None;
    }
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (time, offset) = match time.strip_suffix(['Z', 'z']) {
        Some(time) => (time, 0),
        None => {
            let (time, offset) = time.split_at(time.rfind(['+', '-'])?);
            (time, seconds_of_offset(offset)?)
        }
    };
    let time = time.trim_end();
    let (time, fraction) = time.split_once(['.', ',']).unwrap_or((time, "0"));
    if fraction.is_empty() || !is_digits(fraction) {
        return None;
    }
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    from_parts([year, month, day], [hour, minute, second], offset)
}

/// Parses the date of a header as leniently as curl: RFC 1123, RFC 850 and asctime; days and hours
/// of one digit; any weekday or none; `GMT`, `UTC`, an offset or nothing, which means GMT.
pub(crate) fn http_date(text: &str) -> Option<SystemTime> {
    let (mut day, mut month, mut year, mut time, mut offset) = (None, None, None, None, None);
    let words = text.split([' ', '\t', ',']).flat_map(|word| {
        // A sign at the beginning of a word belongs to an offset. Inside of a word it is a
        // separator, as in `06-Nov-94`.
        let is_offset = word.starts_with(['+', '-']);
        word.split(move |c| c == '-' && !is_offset)
    });
    for word in words.filter(|word| !word.is_empty()) {
        if word.starts_with(['+', '-']) {
            set(&mut offset, seconds_of_offset(word)?)?;
        } else if word.contains(':') {
            let parts: Vec<u64> = word
                .split(':')
                .map(|part| number(part).filter(|_| part.len() <= 2))
                .collect::<Option<_>>()?;
            let ([hour, minute], second) = match parts[..] {
                [hour, minute] => ([hour, minute], 0),
                [hour, minute, second] => ([hour, minute], second),
                _ => return None,
            };
            set(&mut time, [hour, minute, second])?;
        } else if is_digits(word) {
            match word.len() {
                1 | 2 if day.is_none() => day = number(word),
                // Years of two digits as in POSIX.
                2 => set(
                    &mut year,
                    number(word).map(|year| if year < 70 { 2000 + year } else { 1900 + year })?,
                )?,
                4 => set(&mut year, number(word)?)?,
                _ => return None,
            }
        } else if let Some(number) =
            (1..).zip(MONTHS).find_map(|(number, name)| is_name(word, name).then_some(number))
        {
            set(&mut month, number)?;
        } else if ["GMT", "UTC", "UT", "Z"].iter().any(|zone| word.eq_ignore_ascii_case(zone)) {
            set(&mut offset, 0)?;
        } else if !WEEKDAYS.iter().any(|name| is_name(word, name)) {
            return None;
        }
    }
    from_parts([year?, month?, day?], time?, offset.unwrap_or(0))
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Whether `word` is `name`, or its first letters.
fn is_name(word: &str, name: &str) -> bool {
    (3..=name.len()).contains(&word.len())
        && name.as_bytes()[..word.len()].eq_ignore_ascii_case(word.as_bytes())
}

/// Sets a value. `None` if there is one already.
fn set<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

/// `+08:00`, `-0800` or `+08` in seconds.
fn seconds_of_offset(text: &str) -> Option<i64> {
    let (sign, text) = match text.split_at_checked(1)? {
        ("+", text) => (1, text),
        ("-", text) => (-1, text),
        _ => return None,
    };
    let (hours, minutes) = match text.len() {
        2 => (text, "00"),
        4 => text.split_at_checked(2)?,
        _ => text.split_once(':')?,
    };
    let [hours, minutes] = [hours, minutes].map(|part| number(part).filter(|_| part.len() == 2));
    let seconds =
        hours.filter(|hours| *hours < 24)? * 3600 + minutes.filter(|minutes| *minutes < 60)? * 60;
    Some(sign * i64::try_from(seconds).ok()?)
}

fn from_parts(
    [year, month, day]: [u64; 3],
    [hour, minute, second]: [u64; 3],
    offset: i64,
) -> Option<SystemTime> {
    // A leap second becomes the second after it.
    let leap = u64::from(second == 60);
    let local = RequestDate::from_civil(year, month, day, hour, minute, second - leap)?.time()
        + Duration::from_secs(leap);
    let shift = Duration::from_secs(offset.unsigned_abs());
    let time = if offset < 0 { local.checked_add(shift)? } else { local.checked_sub(shift)? };
    (time >= SystemTime::UNIX_EPOCH).then_some(time)
}

/// Parses numbers with these numbers of digits, and nothing else.
fn numbers<const N: usize>(text: &str, separator: char, lengths: [usize; N]) -> Option<[u64; N]> {
    let mut parts = text.split(separator);
    let mut found = [0; N];
    for (found, length) in found.iter_mut().zip(lengths) {
        *found = parts.next().filter(|part| part.len() == length).and_then(number)?;
    }
    parts.next().is_none().then_some(found)
}

fn number(text: &str) -> Option<u64> {
    is_digits(text).then(|| text.parse().ok()).flatten()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn at(seconds: u64) -> Option<SystemTime> {
        Some(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn rfc3339_times() {
        for text in [
            "2026-09-03T12:00:00Z",
            "2026-09-03t12:00:00z",
            "2026-09-03 12:00:00Z",
            "2026-09-03_12:00:00Z",
            " 2026-09-03T12:00:00Z\n",
            "2026-09-03T12:00:00+00:00",
            "2026-09-03T12:00:00-00:00",
            "2026-09-03T12:00:00.5Z",
            "2026-09-03T12:00:00,5Z",
            "2026-09-03T12:00:00.999999999+00:00",
            "2026-09-03T20:00:00+08:00",
            "2026-09-03T20:00:00.123456+0800",
            "2026-09-03 20:00:00 +08",
            "2026-09-02T23:30:00-12:30",
            "2026-09-04T11:59:00+23:59",
            "2026-09-03T11:59:60Z",
        ] {
            assert_eq!(rfc3339(text), at(1_788_436_800), "{text}");
            assert_eq!(any(text), at(1_788_436_800), "{text}");
        }
        assert_eq!(rfc3339("1970-01-01T00:00:00Z"), at(0));
        assert_eq!(rfc3339("2024-02-29T23:59:59Z"), at(1_709_251_199));
        assert_eq!(rfc3339("2016-12-31T23:59:60Z"), at(1_483_228_800));
        assert_eq!(rfc3339("9999-12-31T23:59:59Z"), at(253_402_300_799));
    }

    #[test]
    fn other_texts_are_not_rfc3339() {
        for text in [
            "",
            "Z",
            "2026-09-03",
            "2026-09-03T12:00:00",
            "2026-09-03x12:00:00Z",
            "2026-09-03T12:00Z",
            "2026-09-03T12:00:00.Z",
            "2026-09-03T12:00:00.5.5Z",
            "2026-09-03T12-00-00Z",
            "2026-09-03T24:00:00Z",
            "2026-09-03T12:60:00Z",
            "2026-09-03T12:00:61Z",
            "2026-02-31T12:00:00Z",
            "2026-02-29T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-00-01T12:00:00Z",
            "2026-09-00T12:00:00Z",
            "2026-+9-03T12:00:00Z",
            "2026-9-03T12:00:00Z",
            "2026-09--3T12:00:00Z",
            "2026-09-03T12:00:00+24:00",
            "2026-09-03T12:00:00+08:60",
            "2026-09-03T12:00:00+8:00",
            "2026-09-03T12:00:00+08:00Z",
            "2026-09-03T12:00:00++8:00",
            "2026-09-03T12:00:00+é8:00",
            "2026-09-03T12:00:00PST",
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "20é6-09-03T12:00:00Z",
            "2026-09-0éT12:00:00Z",
            "1788436800",
        ] {
            assert_eq!(rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn dates_as_curl_reads_them() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 6 Nov 1994 8:49:37 GMT",
            "06 Nov 1994 08:49:37 GMT",
            "06 Nov 1994 08:49:37",
            "Sun,06 Nov 1994 08:49:37 UTC",
            "sun, 06 nov 1994 08:49:37 gmt",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37 +00:00",
            "Sun, 06 Nov 1994 16:49:37 +0800",
            "Sun, 06 Nov 1994 00:49:37 -0800",
            "06-Nov-1994 08:49:37",
            "1994 Nov 6 08:49:37",
            "Nov 6 08:49:37 1994",
            "Sunday 06 November 1994 08:49:37 Z",
            "Sun Nov  6 08:49:37 UTC 1994",
        ] {
            assert_eq!(http_date(text), at(784_111_777), "{text}");
            assert_eq!(any(text), at(784_111_777), "{text}");
        }
        assert_eq!(http_date("06-Nov-69 08:49 GMT"), at(3_150_953_340));
        assert_eq!(any("19941106T084937Z"), at(784_111_777));
        for text in [
            "",
            "now",
            "Sun",
            "08:49:37",
            "06 Nov 1994",
            "31 Feb 1994 08:49:37 GMT",
            "06 Nov 94",
            "06 Nov 1994 08:49:37 PST",
            "06 Nov 1994 08:49:37 GMT GMT",
            "06 06 06 Nov 08:49:37",
            "06 Nov Nov 1994 08:49:37",
            "06 Nov 1994 1994 08:49:37",
            "06 Nov 1994 08:49:37:11",
            "06 Nov 1994 24:00:00",
            "06 Nov 1994 008:49:37",
            "06 Nov 19940 08:49:37",
            "Mon, 01 Jan 0001 00:00:00 GMT",
            "06 Növ 1994 08:49:37",
            "06 Nov 1994 08:49:37 +é000",
        ] {
            assert_eq!(http_date(text), None, "{text}");
        }
    }

    #[test]
    fn dates_agree_with_httpdate_for_800_years() {
        for day in 0..300_000_u64 {
            let time = UNIX_EPOCH + Duration::from_secs(day * 86_400 + day % 86_400);
            assert_eq!(http_date(&httpdate::fmt_http_date(time)), Some(time));
        }
    }
}
