use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use httpdate::HttpDate;

/// The date of a request, in the formats used on the wire.
///
/// A time before 1970 or after 9999 becomes the nearest one that can be written. The service
/// rejects such a date anyway (`RequestTimeTooSkewed`), and its response has the correct time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestDate {
    /// Since 1970-01-01T00:00:00Z.
    seconds: u64,
    /// `YYYYMMDDTHHMMSSZ`.
    iso8601: [u8; 16],
}

/// 9999-12-31T23:59:59Z.
const LAST_SECOND: u64 = 253_402_300_799;

impl RequestDate {
    pub(crate) fn new(time: SystemTime) -> Self {
        let seconds = Self::seconds(time);
        let (year, month, day) = civil_from_days(seconds / 86_400);
        let second = seconds % 86_400;
        let mut iso8601 = *b"0000-00T000000Z\0";
        iso8601[8] = b'T';
        iso8601[15] = b'Z';
        for (range, value) in [
            (0..4, year),
            (4..6, month),
            (6..8, day),
            (9..11, second / 3600),
            (11..13, second / 60 % 60),
            (13..15, second % 60),
        ] {
            write_digits(&mut iso8601[range], value);
        }
        Self { seconds, iso8601 }
    }

    fn seconds(time: SystemTime) -> u64 {
        time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).min(LAST_SECOND)
    }

    /// Parses `YYYYMMDDTHHMMSSZ`. `None` for anything else, including days that do not exist.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_suffix('Z').filter(|text| text.len() == 15 && text.is_ascii())?;
        let (day, second) = digits.split_once('T').filter(|(day, _)| day.len() == 8)?;
        let number = |text: &str| {
            text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten()
        };
        let (year, month, day) = (number(&day[..4])?, number(&day[4..6])?, number(&day[6..])?);
        let (hour, minute, second) =
            (number(&second[..2])?, number(&second[2..4])?, number(&second[4..])?);
        Self::from_civil(year, month, day, hour, minute, second)
    }

    /// `None` for days that do not exist, and for years before 1970 and after 9999.
    pub(crate) fn from_civil(
        year: u64,
        month: u64,
        day: u64,
        hour: u64,
        minute: u64,
        second: u64,
    ) -> Option<Self> {
        let is_time = hour <= 23 && minute <= 59 && second <= 59;
        if !(1970..=9999).contains(&year)
            || !(1..=12).contains(&month)
            || !(1..=31).contains(&day)
            || !is_time
        {
            return None;
        }
        let days = days_from_civil(year, month, day);
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
        // 31 February would become a day in March.
        (civil_from_days(days) == (year, month, day))
            .then(|| Self::new(UNIX_EPOCH + Duration::from_secs(seconds)))
    }

    pub(crate) fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.seconds)
    }

    /// Whether `time` falls into the second of this date.
    pub(crate) fn is_of(&self, time: SystemTime) -> bool {
        Self::seconds(time) == self.seconds
    }

    /// `YYYYMMDDTHHMMSSZ`.
    pub(crate) fn iso8601(&self) -> &str {
        str::from_utf8(&self.iso8601).expect("digits and letters")
    }

    /// `YYYYMMDD`.
    pub(crate) fn day(&self) -> &str {
        &self.iso8601()[..8]
    }

    /// The value of a `Date` header: `Sat, 16 Dec 2023 16:20:57 GMT`.
    pub(crate) fn rfc1123(&self) -> HeaderValue {
        let mut text = [0; 29];
        write!(&mut text[..], "{}", HttpDate::from(self.time()))
            .expect("every date is 29 bytes long");
        HeaderValue::from_bytes(&text).expect("a date is ASCII")
    }
}

fn write_digits(out: &mut [u8], mut value: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).expect("one digit");
        value /= 10;
    }
}

/// The year, month and day of a day since 1970-01-01, in the Gregorian calendar. Years begin in
/// March here, so that the leap day is the last of its year.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

/// The inverse of [`civil_from_days`], for years from 1970.
fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let (year, march_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * march_month + 2) / 5 + day
        - 1
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_agree_with_httpdate_for_800_years() {
        for day in 0..300_000_u64 {
            let date =
                RequestDate::new(UNIX_EPOCH + Duration::from_secs(day * 86_400 + day % 86_400));
            let http = date.rfc1123();
            let http = http.to_str().unwrap(); // "Sat, 16 Dec 2023 16:20:57 GMT"
            let month = "JanFebMarAprMayJunJulAugSepOctNovDec".find(&http[8..11]).unwrap() / 3 + 1;
            let expected = format!(
                "{}{month:02}{}T{}Z",
                &http[12..16],
                &http[5..7],
                http[17..25].replace(':', "")
            );
            assert_eq!(date.iso8601(), expected);
            assert_eq!(RequestDate::parse(&expected).unwrap().time(), date.time());
        }
    }

    #[test]
    fn times_out_of_range_are_clamped() {
        assert_eq!(
            RequestDate::new(UNIX_EPOCH - Duration::from_secs(1)).iso8601(),
            "19700101T000000Z"
        );
        let far = UNIX_EPOCH + Duration::from_secs(LAST_SECOND + 1);
        assert_eq!(RequestDate::new(far).iso8601(), "99991231T235959Z");
        assert_eq!(RequestDate::new(far).rfc1123(), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn malformed_dates_are_rejected() {
        for text in [
            "",
            "20231216",
            "20231216T162057",
            "20231216T162057z",
            "20231216 162057Z",
            "20230231T000000Z",
            "20231301T000000Z",
            "20231200T000000Z",
            "19700100T000000Z",
            "20231216T240000Z",
            "20231216T006000Z",
            "20231216T000060Z",
            "+0231216T162057Z",
            "19691231T235959Z",
            "2023121éT16205Z",
            "20231216T162057ZZ",
            "2023121T6162057Z",
        ] {
            assert!(RequestDate::parse(text).is_none(), "{text}");
        }
    }
}
