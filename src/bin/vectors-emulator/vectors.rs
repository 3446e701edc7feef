//! Whole vectors, one JSON object per line: `{"key":"doc-001","data":[0.5],"metadata":{"t":1}}`.

use std::fs::File;
use std::io::{self, BufRead, BufReader};

use oss_delete_vectors::Vector;
use serde_json::{Value, json};

/// The vectors of a file, or of stdin for `-`. Errors name the input and the line.
pub(crate) fn read(path: &str) -> Result<impl Iterator<Item = Result<Vector, String>>, String> {
    let option = format!("--vectors-from {path}");
    let input: Box<dyn BufRead> = match path {
        "-" => Box::new(io::stdin().lock()),
        path => {
            let file = File::open(path).map_err(|error| format!("{option}: {error}"))?;
            Box::new(BufReader::with_capacity(64 * 1024, file))
        }
    };
    let lines = input.lines().enumerate();
    Ok(lines.filter_map(move |(number, line)| {
        let parse = |line: String| parse(&line).transpose();
        let parsed =
            line.map_err(|error| error.to_string()).map_or_else(|error| Some(Err(error)), parse)?;
        Some(parsed.map_err(|reason| format!("{option}, line {}: {reason}", number + 1)))
    }))
}

/// `None` for a blank line.
fn parse(line: &str) -> Result<Option<Vector>, String> {
    let line = line.trim_start_matches('\u{feff}').trim();
    if line.is_empty() {
        return Ok(None);
    }
    let mut vector: Value =
        serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
    // The component type can be left out, because the service has only one.
    if let Some(data) = vector.get_mut("data").filter(|data| data.is_array()) {
        *data = json!({ "float32": data.take() });
    }
    vector
        .to_string()
        .parse()
        .map(Some)
        .map_err(|invalid: oss_delete_vectors::InvalidValue| invalid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_vectors() {
        let vector = parse(r#" {"key":"a","data":[0.5,2],"metadata":{"t":1}} "#).unwrap().unwrap();
        assert_eq!((vector.key(), vector.data()), ("a", Some(&[0.5, 2.0][..])));
        assert_eq!(vector.metadata().as_deref(), Some(r#"{"t":1}"#));
        assert_eq!(
            parse(r#"{"key":"a","data":{"float32":[1]}}"#).unwrap().unwrap().data(),
            Some(&[1.0][..])
        );
        assert_eq!(parse(r#"{"key":"a"}"#).unwrap().unwrap().data(), None);
        assert_eq!(parse(" \t"), Ok(None));
        for (line, reason) in [
            ("doc-001", "not JSON: "),
            (r#"["a"]"#, "vector must be an object"),
            (r#"{"data":[1]}"#, "key must be a string"),
            (r#"{"key":"a","data":["1"]}"#, "data.float32 must be an array of numbers"),
            (r#"{"key":"a","metadata":"x"}"#, "metadata must be an object"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.starts_with(reason), "{line}: {error}");
        }
    }
}
