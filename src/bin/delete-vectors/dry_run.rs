//! `--dry-run`: every signed request as a line of JSON.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Request;
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Rate, Report};
use oss_delete_vectors::{Credentials, Deleted, Key, Now, Target};
use serde_json::{Map, Value};

use crate::text::json_line;

/// Runs `BulkDelete` against a service that deletes everything, at a fixed time, and writes the
/// requests that it would send. The report counts them.
pub(crate) fn write_requests(
    target: &Target,
    credentials: Credentials,
    time: SystemTime,
    keys: impl Iterator<Item = String>,
    mut output: impl Write,
) -> io::Result<Report> {
    let options = BulkOptions::new().concurrency(1).rate(Rate::Unlimited);
    let mut bulk =
        BulkDelete::new(target, credentials, options).expect("options within their ranges");
    let now = Now::new(Duration::ZERO, time);
    let mut keys = keys.fuse();
    while !bulk.is_finished() {
        match keys.next() {
            Some(key) => bulk
                .push(Key::new(&key).expect("the source checks keys"))
                .expect("all that was pushed is settled"),
            None => bulk.finish(),
        }
        while let Some(transmit) = bulk.poll_transmit(now) {
            writeln!(output, "{}", to_json(&transmit.to_request()))?;
            bulk.handle_response(now, transmit.id, &Deleted::new("dry run").to_response());
            while bulk.poll_event().is_some() {}
        }
    }
    output.flush()?;
    Ok(bulk.report())
}

/// `{"method":..,"url":..,"headers":{..},"body":..}`. Written by hand to keep this order: the body
/// can be long and comes last.
fn to_json(request: &Request<Bytes>) -> String {
    let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes));
    let headers: Map<String, Value> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
        .collect();
    format!(
        r#"{{"method":{},"url":{},"headers":{},"body":{}}}"#,
        Value::from(request.method().as_str()),
        Value::from(request.uri().to_string()),
        Value::Object(headers),
        json_line(&text(request.body())),
    )
}
