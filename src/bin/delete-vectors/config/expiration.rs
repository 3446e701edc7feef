//! Times as credential processes print them: RFC 3339, in UTC.

use std::time::SystemTime;

use httpdate::HttpDate;

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads `2026-09-03T12:00:00Z`, or with `+00:00` for `Z`, to the second: fractions are dropped. `None` for anything else, other
/// offsets and days that no calendar has among them.
pub(super) fn parse(text: &str) -> Option<SystemTime> {
    let text = text.strip_suffix(['Z', 'z']).or_else(|| text.strip_suffix("+00:00"))?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let (date, time) = seconds.split_once(['T', 't'])?;
    let mut parts = date.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let lengths = [year.len(), month.len(), day.len(), time.len()];
    if lengths != [4, 2, 2, 8] || fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (_, month) = (1..).zip(MONTHS).find(|(number, _)| format!("{number:02}") == month)?;
    // The parser knows the calendar and holds every date against its day of the week.
    WEEKDAYS
        .into_iter()
        .find_map(|weekday| format!("{weekday}, {day} {month} {year} {time} GMT").parse::<HttpDate>().ok())
        .map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn times_in_utc() {
        let expected = UNIX_EPOCH + Duration::from_secs(1_788_436_800);
        for text in [
            "2026-09-03T12:00:00Z",
            "2026-09-03t12:00:00z",
            "2026-09-03T12:00:00+00:00",
            "2026-09-03T12:00:00.5Z",
            "2026-09-03T12:00:00.999999999+00:00",
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(UNIX_EPOCH));
        assert_eq!(parse("2024-02-29T23:59:59Z"), Some(UNIX_EPOCH + Duration::from_secs(1_709_251_199)));
        assert_eq!(parse("9999-12-31T23:59:59Z"), Some(UNIX_EPOCH + Duration::from_secs(253_402_300_799)));
    }

    #[test]
    fn every_day_of_four_centuries() {
        let mut time = UNIX_EPOCH;
        for year in 1970..2370 {
            for (month, days) in (1..).zip([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
                let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
                for day in 1..=days + i32::from(is_leap && month == 2) {
                    assert_eq!(parse(&format!("{year}-{month:02}-{day:02}T00:00:00Z")), Some(time));
                    time += Duration::from_secs(86_400);
                }
            }
        }
    }

    #[test]
    fn what_is_no_time_in_utc_is_refused() {
        for text in [
            "",
            "Z",
            "2026-09-03",
            "2026-09-03T12:00:00",
            "2026-09-03T12:00:00+08:00",
            "2026-09-03 12:00:00Z",
            "2026-09-03T12:00Z",
            "2026-09-03T12:00:00.Z",
            "2026-09-03T12:00:00.5.5Z",
            "2026-09-03T12-00-00Z",
            "2026-09-03T24:00:00Z",
            "2026-09-03T12:60:00Z",
            "2026-02-31T12:00:00Z",
            "2026-02-29T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-00-01T12:00:00Z",
            "2026-+9-03T12:00:00Z",
            "2026-9-03T12:00:00Z",
            "2026-09--3T12:00:00Z",
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "20é6-09-03T12:00:00Z",
            "1788436800",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
