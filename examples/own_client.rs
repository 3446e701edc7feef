//! Deletes vectors over a client of one's own, here the program curl: what a transport has to do, and nothing else.
//!
//! `cargo run --example own_client --features serve`

mod place;

use std::error::Error;
use std::io::Write;
use std::process::{Command, Stdio};

use bytes::Bytes;
use http::{Request, Response};
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
use oss_delete_vectors::transports::{MAX_RESPONSE_BODY, Run, TransportError};

use place::{Place, key};

fn main() -> Result<(), Box<dyn Error>> {
    let place = Place::choose(5000)?;
    let mut bulk = BulkDelete::new(&place.target, place.credentials.clone(), BulkOptions::new())?;
    let report = Run::new(&mut bulk).run_blocking((0..5000).map(key), |request| send(&request))?;
    println!("{} vectors are gone, after {} requests", report.deleted, report.requests);

    place.assert_left(0);
    Ok(())
}

/// Sends a request once, as it is, and follows no redirect. Any status is an answer; of a failure it says whether the request
/// may have arrived.
fn send(request: &Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
    let config = config(request).map_err(TransportError::surely_not_sent)?;
    let mut curl = Command::new("curl")
        .args(["--disable", "--silent", "--show-error", "--include", "--globoff", "--noproxy", "*"])
        .args(["--connect-timeout", "10", "--max-time", "60", "--max-filesize", &MAX_RESPONSE_BODY.to_string(), "--config", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(TransportError::surely_not_sent)?;
    let written = curl.stdin.take().expect("it is piped").write_all(config.as_bytes());
    let output = curl.wait_with_output().map_err(TransportError::may_have_arrived)?;
    let complaint = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match (output.status.code(), written) {
        (Some(0), _) => response(&output.stdout).ok_or_else(|| TransportError::may_have_arrived("the answer is not HTTP")),
        // It did not read all of that (older ones take no line over 100 KiB), or found no host, no connection, no TLS, no trust.
        (_, Err(_)) | (Some(26 | 6 | 7 | 35 | 60), _) => Err(TransportError::surely_not_sent(complaint())),
        _ => Err(TransportError::may_have_arrived(complaint())),
    }
}

/// The request as curl reads it: not from its command line, which other users of the machine can see.
fn config(request: &Request<Bytes>) -> Result<String, Box<dyn Error + Send + Sync>> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', r"\\").replace('"', r#"\""#));
    // Without a value: those that curl would add.
    let mut config = format!("request = {}\nurl = \"{}\"\nheader = accept:\nheader = expect:\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        config += &format!("header = {}\n", quoted(&format!("{name}: {}", value.to_str()?)));
    }
    config += &format!("data-raw = {}\n", quoted(str::from_utf8(request.body())?));
    Ok(config)
}

/// The answer as curl prints it; `None` where it is none.
fn response(output: &[u8]) -> Option<Response<Bytes>> {
    let head_len = output.windows(4).position(|window| window == b"\r\n\r\n")?;
    let mut lines = str::from_utf8(&output[..head_len]).ok()?.lines();
    let mut response = Response::builder().status(lines.next()?.split(' ').nth(1)?);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        response = response.header(name, value.trim());
    }
    response.body(Bytes::copy_from_slice(&output[head_len + 4..])).ok()
}
