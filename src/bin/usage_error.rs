//! Command-line errors, in the same form as all other errors of these programs.

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// `--concurrency: must be 1 to 10000, not "0"`. `None` for other errors and for the text of
/// `--help`.
pub(crate) fn invalid_value(error: &Error) -> Option<String> {
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return None;
    }
    let ContextValue::String(argument) = error.get(ContextKind::InvalidArg)? else { return None };
    let ContextValue::String(value) = error.get(ContextKind::InvalidValue)? else { return None };
    let option = argument.split_whitespace().next()?;
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
    Some(format!("{option}: {rule}, not {value:?}"))
}

/// `a, b or c`.
fn either(values: &[String]) -> String {
    match values {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => values.concat(),
    }
}
