//! A service whose users delete documents: `DELETE /documents/{id}` deletes the vectors of all the
//! document's chunks. Any number of requests share one `Client`, and with it one pace.
//!
//! `cargo run --all-features --example axum_service`
//!
//! Its test needs no socket: `cargo test --all-features --example axum_service`.

mod setup;

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::delete;
use oss_delete_vectors::Client;

use setup::{Setup, key};

/// The service over any client.
fn service(vectors: Client) -> Router {
    Router::new().route("/documents/{id}", delete(delete_document)).with_state(vectors)
}

async fn delete_document(State(vectors): State<Client>, Path(id): Path<u32>) -> Response {
    // If the user closes the page, axum drops this future. The keys are still deleted.
    match vectors.delete_within(Duration::from_secs(10), chunks(id)).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) if error.is_retryable() => {
            (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The keys of a document's chunks. A real service reads them from its database.
fn chunks(document: u32) -> impl Iterator<Item = String> {
    let first = 3 * document as usize;
    (first..first + 3).map(key)
}

/// Deletes as 100 users at once do. A real service calls `axum::serve` with the router.
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let setup = Setup::new(300)?;
    let client = Client::new(&setup.target, setup.credentials.clone())?;
    let service = service(client.clone());
    let users: Vec<_> = (0..100)
        .map(|id| tokio::spawn(call(service.clone(), format!("/documents/{id}"))))
        .collect();
    for user in users {
        assert_eq!(user.await?.status(), StatusCode::NO_CONTENT);
    }
    // On shutdown: accepts no more calls, and waits for the current ones.
    client.close().await;
    let metrics = client.metrics();
    println!(
        "{} documents, {} vectors, {} requests",
        metrics.calls, metrics.deleted, metrics.requests
    );
    setup.assert_left(0);
    Ok(())
}

/// One request, without a socket.
async fn call(service: Router, path: String) -> Response {
    use tower_service::Service;
    let request = axum::http::Request::delete(path).body(axum::body::Body::empty());
    let mut service = service;
    service.call(request.expect("a valid path")).await.expect("a router does not fail")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use oss_delete_vectors::emulator::Emulator;
    use oss_delete_vectors::{Credentials, Now, Target, TransportError};

    use super::*;

    /// The service over an emulator, without a socket.
    fn start(emulator: &Arc<Mutex<Emulator>>, target: &Target, credentials: Credentials) -> Router {
        let emulator = Arc::clone(emulator);
        let start = std::time::Instant::now();
        let send = move |request| {
            let now = Now::new(start.elapsed(), std::time::SystemTime::now());
            let response = emulator.lock().unwrap().handle(now, &request);
            async move { Ok::<_, TransportError>(response) }
        };
        let client = Client::builder(target, credentials);
        let (client, driver) = client.with_transport(send, tokio::time::sleep).unwrap();
        tokio::spawn(driver);
        service(client)
    }

    #[tokio::test]
    async fn documents_are_deleted_with_all_their_chunks() {
        let target = Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name("vectorindex1")
            .build()
            .unwrap();
        let credentials = Credentials::new("example-id", "example-secret").unwrap();
        let emulator =
            Emulator::with_vectors(&target, credentials.clone(), (0..300).map(key)).unwrap();
        let emulator = Arc::new(Mutex::new(emulator));
        emulator.lock().unwrap().reject_keys([key(100)]);

        let service = start(&emulator, &target, credentials);
        let status = |path: &str| {
            let service = service.clone();
            let path = path.to_owned();
            async { call(service, path).await.status() }
        };
        assert_eq!(status("/documents/7").await, StatusCode::NO_CONTENT);
        assert_eq!(status("/documents/33").await, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(status("/documents/abc").await, StatusCode::BAD_REQUEST);
        let emulator = emulator.lock().unwrap();
        let is_left = |number| emulator.contains("examplebucket", "vectorindex1", &key(number));
        assert_eq!(
            [20, 21, 22, 23, 24, 99, 100].map(is_left),
            [true, false, false, false, true, false, true]
        );
    }
}
