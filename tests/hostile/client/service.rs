//! The served emulator, and raw clients.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use http::Request;
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::transports::ServerOptions;
use oss_delete_vectors::{DeleteVectors, KeyBatch, Target};

use crate::calls::{ACCOUNT_ID, BUCKET, INDEX, REGION, credentials};
use crate::{ALLOCATOR, HEAP, service};

/// Ends a test that hangs.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The service, with all that a client must not change.
pub(crate) struct Service {
    service: service::Service,
    deleted_keys: u64,
}

impl Service {
    pub(crate) fn start(options: &ServerOptions) -> Self {
        let service = service::Service::holding(["a", "b"]).server_options(options.clone());
        service.emulator().put_vectors("otherbucket", INDEX, ["a"]).unwrap();
        Self { service, deleted_keys: 0 }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.service.server().addr()).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream.set_write_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream
    }

    /// Sends only `request`, and reads until the connection is closed.
    pub(crate) fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect();
        // The server may respond and close before it has read everything.
        let _ = stream.write_all(request.as_ref());
        rest(&mut stream)
    }

    /// Asserts that `keys` keys were deleted since the last check and none in the other bucket,
    /// that the service still works, and that the heap is within its limit.
    pub(crate) fn check(&mut self, case: &str, keys: u64) {
        assert_eq!(self.deleted_keys(), self.deleted_keys + keys, "{case}");
        let response = self.exchange(text(&signed(call("examplebucket", &["a"]))));
        assert!(response.starts_with("HTTP/1.1 204 "), "{case}: then {response}");
        self.deleted_keys += keys + 1;
        assert_eq!(self.deleted_keys(), self.deleted_keys, "{case}");
        assert!(self.service.emulator().contains("otherbucket", INDEX, "a"), "{case}");
        let heap = ALLOCATOR.max_allocated();
        println!("{case}: maximum heap so far: {heap} bytes");
        assert!(heap < HEAP, "{case}: {heap} bytes, or the backtrace of another failure");
    }

    pub(crate) fn deleted_keys(&self) -> u64 {
        self.service.emulator().deleted_keys()
    }
}

/// Reads until the connection is closed or reset.
pub(crate) fn rest(stream: &mut TcpStream) -> String {
    let mut response = Vec::new();
    let ended = stream.read_to_end(&mut response);
    assert!(
        !ended.is_err_and(|error| is_timeout(&error)),
        "still open after {}",
        String::from_utf8_lossy(&response)
    );
    String::from_utf8(response).unwrap()
}

/// Writes `text` repeatedly until the server closes the connection, at most `most` times.
pub(crate) fn write_until_closed(stream: &mut TcpStream, text: &str, most: usize) {
    let error = (0..most).find_map(|_| stream.write_all(text.as_bytes()).err());
    assert!(error.is_some_and(|error| !is_timeout(&error)), "still open");
}

pub(crate) fn is_timeout(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

pub(crate) fn target(bucket: &str) -> Target {
    // Path style, with any host: the signature does not cover the host.
    let target =
        Target::builder().region(REGION).account_id(ACCOUNT_ID).bucket(bucket).index_name(INDEX);
    target.endpoint("http://127.0.0.1".parse().unwrap()).build().unwrap()
}

pub(crate) fn call(bucket: &str, keys: &[&str]) -> Request<bytes::Bytes> {
    DeleteVectors::new(&target(bucket), KeyBatch::new(keys).unwrap()).to_request()
}

/// Signs for `examplebucket`, even if the request is for another bucket.
pub(crate) fn signed(mut request: Request<bytes::Bytes>) -> Request<bytes::Bytes> {
    Signer::new(&target(BUCKET), credentials()).sign(&mut request, SystemTime::now());
    request
}

/// The bytes on the wire. Asks to close the connection after the response.
pub(crate) fn text(request: &Request<bytes::Bytes>) -> String {
    let target = request.uri().path_and_query().unwrap();
    let mut text = format!(
        "{} {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n",
        request.method()
    );
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    text + &format!(
        "content-length: {}\r\n\r\n{}",
        request.body().len(),
        str::from_utf8(request.body()).unwrap()
    )
}
