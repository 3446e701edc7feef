//! Signs a request on one machine and sends it from another, which has no credentials and can delete these keys alone.
//!
//! `cargo run --example presigned --features ureq,serve`

mod place;

use std::error::Error;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Request;
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::transports::{TransportOptions, UreqTransport};
use oss_delete_vectors::{DeleteVectors, Deleted, KeyBatch};
use serde_json::{Map, Value, json};

use place::{Place, key};

/// How long a signature is good.
const EXPIRES: Duration = Duration::from_secs(300);

fn main() -> Result<(), Box<dyn Error>> {
    let place = Place::choose(3)?;

    // For five minutes whoever has this text can delete these keys, as often as they like: hand it over in secret.
    let request = presign(&place, &[key(0), key(1)], SystemTime::now())?;
    println!("{request}");
    println!("deleted, request id {}", send(&request)?.request_id().unwrap_or_default());
    place.assert_left(1);

    // Signed ten minutes ago, it has been of no use for five.
    let request = presign(&place, &[key(2)], SystemTime::now() - 2 * EXPIRES)?;
    match send(&request) {
        Ok(_) => return Err("a request that has expired was taken".into()),
        Err(error) => println!("{error}"),
    }
    place.assert_left(1);
    Ok(())
}

/// What the machine with the credentials does: all of the request as text.
fn presign(place: &Place, keys: &[String], time: SystemTime) -> Result<String, Box<dyn Error>> {
    let mut request = DeleteVectors::new(&place.target, KeyBatch::new(keys)?).to_request();
    Signer::new(&place.target, place.credentials.clone()).presign(&mut request, time, EXPIRES)?;

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

/// What the other machine does, with this text and nothing else.
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
