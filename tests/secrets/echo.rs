//! Some gateways quote a header that they reject. The errors of this crate still do not contain the
//! token.

use std::time::Duration;

use http::Response;
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event};
use oss_delete_vectors::{Key, Now};

use crate::calls::canary;
use crate::calls::{TOKEN, long_lived, target, time, with_token};

/// Such responses, in every form that is parsed.
fn responses() -> Vec<Response<String>> {
    let header = format!("x-oss-security-token: {TOKEN}");
    let bodies = [
        format!("header too long: {header}"),
        // Truncation in the middle would leave half of the token.
        format!("{}{header}", "-".repeat(80)),
        serde_json::json!({"Error": {"Code": header, "Message": header, "RequestId": header, "EC": header}}).to_string(),
        format!(r#"{{"Message":"{header}"}}"#),
        format!("<Error><Code>{header}</Code><Message>{header}</Message><Header>{header}</Header></Error>"),
    ];
    bodies.map(|body| Response::builder().status(500).body(body).unwrap()).into()
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
                assert_eq!(transmit.request.headers()["x-oss-security-token"], TOKEN);
                // The credentials of the request count, not the current ones.
                bulk.handle_credentials(now, long_lived());
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
        assert!(printed.contains("[security token]"), "{printed}");
        canary::assert_not_in(&printed);
    }
}

#[cfg(all(feature = "hyper", feature = "ureq", feature = "serve"))]
#[test]
fn one_call_does_not_repeat_the_token() {
    use oss_delete_vectors::signing::Signer;
    use oss_delete_vectors::transports::{HyperTransport, Server, TransportOptions, UreqTransport};
    use oss_delete_vectors::{DeleteVectors, KeyBatch, Target};

    use crate::calls::{ACCOUNT_ID, BUCKET, REGION};

    for response in responses() {
        let server = Server::start(([127, 0, 0, 1], 0).into(), move |_| response.clone().map(Into::into)).unwrap();
        let target = Target::builder(REGION, ACCOUNT_ID, BUCKET).index_name("i").endpoint(server.url().parse().unwrap());
        let call = DeleteVectors::new(&target.build().unwrap(), KeyBatch::new(["a"]).unwrap());
        let signer = Signer::new(call.target(), with_token());
        let options = TransportOptions::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let by_hyper = runtime.block_on(HyperTransport::new(&options).delete_vectors(&call, &signer));
        for error in [by_hyper.unwrap_err(), UreqTransport::new(&options).delete_vectors(&call, &signer).unwrap_err()] {
            let printed = format!("{error}{error:?}");
            assert!(printed.contains("[security token]"), "{printed}");
            canary::assert_not_in(&printed);
        }
    }
}
