//! The keys of the vectors, read one by one.

use std::io::BufReader;
use std::path::Path;

use crate::key_lines::{KeyInput, KeyLines, Rules, input};

/// The keys of a file, or of stdin for `-`. Errors name the input and the line.
pub(crate) fn read(
    path: &str,
    rules: Rules,
) -> Result<impl Iterator<Item = Result<String, String>>, String> {
    let path = Path::new(path);
    let input = KeyInput::open(path, rules)
        .map_err(|rejection| format!("--keys-from {}{rejection}", input::name(path)))?;
    let KeyInput { name, syntax, reader, file, .. } = input;
    let mut keys = KeyLines::new(BufReader::new(reader), syntax, file);
    let mut has_ended = false;
    Ok(std::iter::from_fn(move || {
        let key = keys.next();
        if key.is_none() && keys.is_empty() && !std::mem::replace(&mut has_ended, true) {
            crate::complain(format_args!("warning: {name} holds no keys"));
        }
        key.map(|key| {
            key.map_err(|bad| {
                let help = bad.help().map(|help| format!("\nhelp: {help}"));
                bad.in_input(&name) + &help.unwrap_or_default()
            })
        })
    }))
}
