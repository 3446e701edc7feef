//! Some gateways quote a header that they reject. The errors of this crate still do not contain the
//! token.

use std::time::Duration;

use base64ct::{Base64, Encoding};
use http::Response;
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event};
use oss_delete_vectors::{DeleteVectors, Key, Now, Operation};

use crate::calls::{SECRET, TOKEN, credentials, target, time, with_token};
use crate::canary;

/// What it responses: in every form that is read, with every escape, in each place.
fn responses() -> Vec<Response<String>> {
    let header = format!("x-oss-security-token: {TOKEN}, {SECRET}");
    let each = |encode: fn(char) -> String| header.chars().map(encode).collect::<String>();
    let percent = each(|c| {
        if c.is_ascii_alphanumeric() { c.to_string() } else { format!("%{:02X}", u32::from(c)) }
    });
    let json = each(|c| format!("\\u{:04x}", u32::from(c)));
    let xml = each(|c| format!("&#x{:x};", u32::from(c)));
    let base64 = Base64::encode_string(header.as_bytes());
    let hex = each(|c| format!("{:02X} ", u32::from(c)));
    let mut responses = Vec::new();
    for text in [&header, &percent, &json, &xml, &base64, &hex] {
        let documents = [
            format!(
                r#"{{"Error":{{"Code":"{text}","Message":"{text}","RequestId":"{text}","EC":"{text}","{text}":"{text}"}}}}"#
            ),
            format!(r#"{{"Message":"{text}"}}"#),
            format!(r#"{{"Error":{{"Code":"{text}","Message":"{text}"#),
            format!(
                "<Error><Code>{text}</Code><Message>{text}</Message><Header>{text}</Header></Error>"
            ),
            format!(
                "<ErrorResponse><a:Error><Code><![CDATA[{text}]]></Code></a:Error><EC>{text}</EC></ErrorResponse>"
            ),
        ];
        let pages = [
            format!("header too long: {text}"),
            // Where the page is cut, half of the token would be left.
            format!("{}{text}", "-".repeat(80)),
            format!("{}{text}", " ".repeat(470)),
        ];
        let respond = |builder: http::response::Builder, body: &str| {
            builder.status(500).body(body.to_owned()).unwrap()
        };
        for body in documents.iter().chain(&pages) {
            responses.push(respond(Response::builder(), body));
        }
        for document in &documents {
            let err = Base64::encode_string(document.as_bytes());
            responses.push(respond(Response::builder().header("x-oss-err", err), ""));
        }
        let builder = Response::builder().header("x-oss-request-id", text).header("x-oss-ec", text);
        responses.push(respond(builder.header("x-oss-error-type", text), "oops"));
    }
    responses
}

#[test]
fn no_part_of_an_error_does() {
    let (responses, mut redacted) = (responses(), 0);
    for response in &responses {
        let error = DeleteVectors::parse_response_to(&with_token(), response).unwrap_err();
        let mut printed = format!("{error} {error:?} {} {}", error.code(), error.message());
        for (name, value) in error.fields() {
            printed += &format!(" {name}: {value}");
        }
        printed += &String::from_utf8_lossy(error.to_response().body());
        redacted += usize::from(printed.contains("[security token]"));
        canary::assert_not_in(&printed);
    }
    // The others are cut before the token.
    assert_eq!((responses.len(), redacted), (84, 75));
    let response = Response::builder()
        .status(204)
        .header("x-oss-request-id", format!("{TOKEN}{SECRET}"))
        .body("")
        .unwrap();
    let deleted = DeleteVectors::parse_response_to(&with_token(), &response).unwrap();
    assert_eq!(deleted.request_id(), Some("[security token][AccessKey secret]"));
}

#[test]
fn run_does_not_repeat_the_token() {
    for response in responses() {
        let options = BulkOptions::new().max_attempts(2);
        let mut bulk = BulkDelete::new(&target(), with_token(), options).unwrap();
        bulk.push(Key::new("a").unwrap()).unwrap();
        bulk.finish();
        let mut printed = String::new();
        let mut now = Now::new(Duration::ZERO, time());
        while !bulk.is_finished() {
            bulk.handle_timeout(now);
            if let Some(transmit) = bulk.poll_transmit(now) {
                assert_eq!(transmit.to_request().headers()["x-oss-security-token"], TOKEN);
                // The credentials of the request count, not the current ones.
                bulk.handle_credentials(now, credentials());
                bulk.handle_response(now, transmit.id, &response);
                bulk.handle_credentials(now, with_token());
            }
            while let Some(event) = bulk.poll_event() {
                printed += &format!("{event:#?}\n");
                if let Event::Failed(failed) = event {
                    printed += &failed.error.unwrap().to_string();
                }
            }
            now = Now::new(bulk.poll_timeout().unwrap_or_default(), time());
        }
        canary::assert_not_in(&printed);
    }
}

#[cfg(all(feature = "hyper", feature = "ureq", feature = "serve"))]
#[test]
fn one_call_does_not_repeat_the_token() {
    use oss_delete_vectors::signing::Signer;
    use oss_delete_vectors::transports::{HyperTransport, Server, TransportOptions, UreqTransport};
    use oss_delete_vectors::{KeyBatch, Target};

    use crate::calls::{ACCOUNT_ID, BUCKET, REGION};

    // Clients log headers, and another test reads the logs of this process.
    for response in responses().into_iter().filter(|response| response.headers().is_empty()) {
        let server =
            Server::start(([127, 0, 0, 1], 0).into(), move |_| response.clone().map(Into::into))
                .unwrap();
        let target = Target::builder()
            .region(REGION)
            .account_id(ACCOUNT_ID)
            .bucket(BUCKET)
            .index_name("i")
            .endpoint(server.url().parse().unwrap());
        let call = DeleteVectors::new(&target.build().unwrap(), KeyBatch::new(["a"]).unwrap());
        let signer = Signer::new(call.target(), with_token());
        let options = TransportOptions::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let by_hyper =
            runtime.block_on(HyperTransport::new(&options).delete_vectors(&call, &signer));
        for error in [
            by_hyper.unwrap_err(),
            UreqTransport::new(&options).delete_vectors(&call, &signer).unwrap_err(),
        ] {
            let printed = format!("{error}{error:?}");
            canary::assert_not_in(&printed);
        }
    }
}
