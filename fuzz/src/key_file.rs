//! Files of keys: each line is a key or is told by its number, however the file comes in.

use std::io::BufReader;

use oss_delete_vectors::Key;
use serde_json::Value;

use crate::program::key_lines::{BadLine, Format, KeyLines, parse};
use crate::program::text::json_line;

/// Any bytes as a file of keys, in both formats.
pub fn key_file(data: &[u8]) {
    for format in [Format::Lines, Format::Jsonl] {
        let read = read(data, data.len().max(1), format);
        assert_eq!(read, expected(data, format));
        for buffer in [1, 2, 3, 7] {
            assert_eq!(self::read(data, buffer, format), read, "{buffer} bytes at a time");
        }
        for key in read.iter().filter_map(|line| line.as_ref().ok()) {
            assert!(Key::new(key).is_ok());
            // As the file of failed keys has it.
            let written = json_line(&Value::from(key.as_str()));
            assert!(!written.contains(char::is_control));
            assert_eq!(parse(written.as_bytes(), Format::Jsonl).as_ref(), Ok(key));
            assert_eq!(parse(format!("{{\"outcome\":1,\"key\":{written}}}").as_bytes(), Format::Jsonl).as_ref(), Ok(key));
        }
    }
}

/// Each key, and the number of each line that has none.
type Read = Vec<Result<String, u64>>;

fn read(data: &[u8], buffer: usize, format: Format) -> Read {
    let line = |bad: BadLine| match bad {
        BadLine::NoKey { line, reason } => {
            assert!(!reason.is_empty());
            line
        }
        BadLine::Unreadable { error, .. } => panic!("bytes in memory can be read: {error}"),
    };
    KeyLines::new(BufReader::with_capacity(buffer, data), format).map(|key| key.map_err(line)).collect()
}

/// The same from the whole file at once.
fn expected(data: &[u8], format: Format) -> Read {
    let data = data.strip_prefix("\u{feff}".as_bytes()).unwrap_or(data);
    let lines = data.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines = (1..).zip(lines).filter(|(_, line)| !line.trim_ascii().is_empty());
    lines.map(|(number, line)| key(line, format).ok_or(number)).collect()
}

fn key(line: &[u8], format: Format) -> Option<String> {
    let text = str::from_utf8(line).ok().filter(|text| text.len() <= 1024 * 1024)?;
    let key = match format {
        Format::Lines => text.to_owned(),
        Format::Jsonl => match serde_json::from_str(text).ok()? {
            Value::String(key) => key,
            Value::Object(members) => members.get("key")?.as_str()?.to_owned(),
            _ => return None,
        },
    };
    (1..=1024).contains(&key.chars().count()).then_some(key)
}
