//! Formats numbers and times, and JSON that is safe on a terminal.

use std::time::Duration;

use serde_json::Value;

/// `1 vector`, `2 vectors`, `1,234,567 vectors`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `0:07`, `12:34`, `1:02:03`, `9 d 02:03:04`.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes, seconds) =
        (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{seconds:02}"),
        (0, _) => format!("{hours}:{minutes:02}:{seconds:02}"),
        _ => format!("{days} d {hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// Formats `value` on one line, safe for a terminal: text of a server may hold C1 controls, line
/// separators and direction marks, which JSON does not escape. They occur only in strings, where
/// `\uXXXX` means the same.
pub(crate) fn json_line(value: &Value) -> String {
    let mut line = String::new();
    for c in value.to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                line += &format!("\\u{:04x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        let texts = [
            (0, "0"),
            (7, "7"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (1_234_567, "1,234,567"),
        ];
        for (number, text) in texts {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(
            (count(1, "key"), count(1000, "key")),
            ("1 key".to_owned(), "1,000 keys".to_owned())
        );
    }

    #[test]
    fn times_have_as_many_parts_as_they_need() {
        for (seconds, text) in
            [(7, "0:07"), (754, "12:34"), (3723, "1:02:03"), (9 * 86_400 + 7384, "9 d 02:03:04")]
        {
            assert_eq!(clock(Duration::from_secs(seconds)), text);
        }
    }
}
