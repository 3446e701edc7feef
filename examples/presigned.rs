//! Signs a request on one host and sends it from another, which has no credentials and can delete
//! only these keys.
//!
//! `cargo run --all-features --example presigned`

mod setup;

use std::error::Error;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Request;
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::transports::{TransportOptions, UreqTransport};
use oss_delete_vectors::{DeleteVectors, Deleted, KeyBatch, Operation};
use serde_json::{Map, Value, json};

use setup::{Setup, key};

/// How long a signature is valid.
const EXPIRES: Duration = Duration::from_secs(300);

fn main() -> Result<(), Box<dyn Error>> {
    let setup = Setup::new(3)?;

    // For five minutes, anyone who has this text can delete these keys: keep it secret.
    let request = presign(&setup, &[key(0), key(1)], SystemTime::now())?;
    println!("{request}");
    println!("deleted, request id {}", send(&request)?.request_id().unwrap_or_default());
    setup.assert_left(1);

    // Signed ten minutes ago, so it expired five minutes ago.
    let request = presign(&setup, &[key(2)], SystemTime::now() - 2 * EXPIRES)?;
    match send(&request) {
        Ok(_) => return Err("an expired request was accepted".into()),
        Err(error) => println!("{error}"),
    }
    setup.assert_left(1);
    Ok(())
}

/// On the host with the credentials: returns the presigned request as text.
fn presign(setup: &Setup, keys: &[String], time: SystemTime) -> Result<String, Box<dyn Error>> {
    let mut request = DeleteVectors::new(&setup.target, KeyBatch::new(keys)?).to_request();
    Signer::new(&setup.target, setup.credentials.clone()).presign(&mut request, time, EXPIRES)?;

    let mut headers = Map::new();
    for (name, value) in request.headers() {
        headers.insert(name.to_string(), value.to_str()?.into());
    }
    let request = json!({
        "method": request.method().as_str(),
        "url": request.uri().to_string(),
        "headers": headers,
        "body": str::from_utf8(request.body())?,
    });
    Ok(request.to_string())
}

/// On the other host: sends the request, with nothing but the text.
fn send(request: &str) -> Result<Deleted, Box<dyn Error>> {
    let parts: Value = serde_json::from_str(request)?;
    let text = |part: &Value| part.as_str().unwrap_or_default().to_owned();
    let mut request = Request::builder().method(&*text(&parts["method"])).uri(text(&parts["url"]));
    for (name, value) in parts["headers"].as_object().into_iter().flatten() {
        request = request.header(name, text(value));
    }
    let request = request.body(Bytes::from(text(&parts["body"])))?;

    let response = UreqTransport::new(&TransportOptions::new()).send(request)?;
    Ok(DeleteVectors::parse_response(&response)?)
}
