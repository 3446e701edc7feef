//! Command-line errors, in the same form as all other errors of these programs.

use std::borrow::Cow;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use oss_delete_vectors::InvalidValue;

/// `--concurrency: must be 1 to 10000, not "0"`. `None` for other errors and for the text of
/// `--help`.
pub(crate) fn invalid_value(error: &Error) -> Option<String> {
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return None;
    }
    let ContextValue::String(argument) = error.get(ContextKind::InvalidArg)? else { return None };
    let ContextValue::String(value) = error.get(ContextKind::InvalidValue)? else { return None };
    let option = argument.split_whitespace().next()?;
    let invalid = std::error::Error::source(error).and_then(|rule| rule.downcast_ref());
    // It names the part of the value that is wrong.
    if let Some(invalid) = invalid.filter(|invalid: &&InvalidValue| invalid.value().is_some()) {
        return Some(format!("{option}: {invalid}"));
    }
    let rule = match (error.get(ContextKind::ValidValue), std::error::Error::source(error)) {
        (Some(ContextValue::Strings(valid)), _) if !valid.is_empty() => {
            format!("must be {}", either(valid))
        }
        (_, Some(rule)) => rule.to_string(),
        _ => "must have a value".to_owned(),
    };
    if value.is_empty() && rule == "must have a value" {
        return Some(format!("{option}: {rule}"));
    }
    Some(format!("{option}: {rule}, not {}", quoted(value)))
}

/// The maximum length of a value in an error: enough to recognize it, too short to flood a log.
const SHOWN_CHARS: usize = 100;

/// The value in quotes, escaped. A long one is cut.
pub(crate) fn quoted(value: &str) -> String {
    format!("{:?}", shortened(value))
}

/// The beginning of a long text.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_CHARS) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]).into(),
    }
}

/// `a, b or c`.
fn either(values: &[String]) -> String {
    match values {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => values.concat(),
    }
}
