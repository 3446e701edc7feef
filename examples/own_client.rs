//! Deletes vectors with your own HTTP client, here curl: the minimum that a transport has to do.
//!
//! `cargo run --all-features --example own_client`

mod setup;

use std::error::Error;
use std::io::Write;
use std::process::{Command, Stdio};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
use oss_delete_vectors::transports::Run;
use oss_delete_vectors::{MAX_RESPONSE_BODY, TransportError};

use setup::{Setup, key};

fn main() -> Result<(), Box<dyn Error>> {
    let setup = Setup::new(5000)?;
    let mut bulk = BulkDelete::new(&setup.target, setup.credentials.clone(), BulkOptions::new())?;
    let report = Run::new(&mut bulk).run_blocking((0..5000).map(key), |request| send(&request))?;
    println!("deleted {} vectors with {} requests", report.deleted, report.requests);

    setup.assert_left(0);
    Ok(())
}

/// Sends a request once, unchanged, and does not follow redirects. Any status is a response. A
/// failure reports whether the request may have arrived.
fn send(request: &Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
    let config = config(request).map_err(TransportError::surely_not_sent)?;
    let mut curl = Command::new("curl")
        .args(["--disable", "--silent", "--show-error", "--include", "--globoff", "--noproxy", "*"])
        .args([
            "--connect-timeout",
            "10",
            "--max-time",
            "60",
            "--max-filesize",
            &MAX_RESPONSE_BODY.to_string(),
            "--config",
            "-",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(TransportError::surely_not_sent)?;
    let written = curl.stdin.take().expect("stdin is piped").write_all(config.as_bytes());
    let output = curl.wait_with_output().map_err(TransportError::may_have_arrived)?;
    let stderr = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match (output.status.code(), written) {
        (Some(0), _) => response(&output.stdout)
            .ok_or_else(|| TransportError::may_have_arrived("the response is not HTTP")),
        // curl did not read the whole config (old versions limit a line to 100 KiB), or could not
        // resolve the host, connect, or establish TLS.
        (_, Err(_)) | (Some(26 | 6 | 7 | 35 | 60), _) => {
            Err(TransportError::surely_not_sent(stderr()))
        }
        _ => Err(TransportError::may_have_arrived(stderr())),
    }
}

/// The request as a config file for curl. Other users of the host could see a command line.
fn config(request: &Request<Bytes>) -> Result<String, Box<dyn Error + Send + Sync>> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', r"\\").replace('"', r#"\""#));
    // An empty header removes the one that curl would add.
    let mut config = format!(
        "request = {}\nurl = \"{}\"\nheader = accept:\nheader = expect:\n",
        request.method(),
        request.uri()
    );
    for (name, value) in request.headers() {
        config += &format!("header = {}\n", quoted(&format!("{name}: {}", value.to_str()?)));
    }
    config += &format!("data-raw = {}\n", quoted(str::from_utf8(request.body())?));
    Ok(config)
}

/// Parses the output of curl. `None` if it is not HTTP.
fn response(output: &[u8]) -> Option<Response<Bytes>> {
    let head_len = output.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = (String::from_utf8_lossy(&output[..head_len]), &output[head_len + 4..]);
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?;
    if status.starts_with('1') && status != "101" {
        // An interim response. The final one follows.
        return response(body);
    }
    let mut response = Response::builder().status(status);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        // A malformed header must not make a deletion unconfirmed.
        if let (Ok(name), Ok(value)) = (name.trim().parse(), value.trim().parse()) {
            let (name, value): (HeaderName, HeaderValue) = (name, value);
            response = response.header(name, value);
        }
    }
    response.body(Bytes::copy_from_slice(body)).ok()
}
