//! The served emulator, and clients that write what they like.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http::Request;
use oss_delete_vectors::emulator::Emulator;
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::transports::{Server, ServerOptions};
use oss_delete_vectors::{Credentials, DeleteVectors, KeyBatch, Target};

use crate::canary::SECRET;
use crate::{ALLOCATOR, HEAP};

/// Ends a test that would hang otherwise; nothing is expected to take this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Service {
    emulator: Arc<Mutex<Emulator>>,
    server: Server,
    deleted_keys: u64,
}

impl Service {
    pub(crate) fn start(options: &ServerOptions) -> Self {
        let emulator = Emulator::with_vectors(&target("examplebucket"), credentials(), ["a", "b"]).unwrap();
        let emulator = Arc::new(Mutex::new(emulator));
        emulator.lock().unwrap().put_vectors("otherbucket", "index", ["a"]).unwrap();
        let server = options.start_emulator((Ipv4Addr::LOCALHOST, 0).into(), Arc::clone(&emulator)).unwrap();
        Self { emulator, server, deleted_keys: 0 }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.addr()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends `request`, and nothing more, and reads to the end of the connection.
    pub(crate) fn answer(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect();
        // The server may answer, and close, before it has read all.
        let _ = stream.write_all(request.as_ref());
        rest(&mut stream)
    }

    /// Expects that `keys` keys were deleted since the last time, none of another bucket, that the service still does what it is
    /// there for, and that nobody holds more than they may.
    pub(crate) fn check(&mut self, case: &str, keys: u64) {
        assert_eq!(self.deleted_keys(), self.deleted_keys + keys, "{case}");
        let answer = self.answer(text(&signed(call("examplebucket", &["a"]))));
        assert!(answer.starts_with("HTTP/1.1 204 "), "{case}: then {answer}");
        self.deleted_keys += keys + 1;
        assert_eq!(self.deleted_keys(), self.deleted_keys, "{case}");
        assert!(self.emulator.lock().unwrap().contains("otherbucket", "index", "a"), "{case}");
        let heap = ALLOCATOR.max_allocated();
        println!("{case}: the heap had {heap} bytes at most so far");
        assert!(heap < HEAP, "{case}: the heap had {heap} bytes");
    }

    pub(crate) fn deleted_keys(&self) -> u64 {
        self.emulator.lock().unwrap().deleted_keys()
    }
}

/// What comes until the connection ends, in whichever way.
pub(crate) fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    assert!(!ended.is_err_and(|error| is_timeout(&error)), "it stays open after {}", String::from_utf8_lossy(&answer));
    String::from_utf8(answer).unwrap()
}

/// Writes `text` over and over, until the server has closed the connection, which it must have after `most` of them.
pub(crate) fn write_until_closed(stream: &mut TcpStream, text: &str, most: usize) {
    let error = (0..most).find_map(|_| stream.write_all(text.as_bytes()).err());
    assert!(error.is_some_and(|error| !is_timeout(&error)), "it stays open");
}

pub(crate) fn is_timeout(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

pub(crate) fn target(bucket: &str) -> Target {
    // In path style, and with a host that is none of this service's: the host is no part of what is signed.
    let target = Target::builder("cn-hangzhou", "1234567890123456", bucket).index_name("index");
    target.endpoint("http://127.0.0.1".parse().unwrap()).build().unwrap()
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new("LTAI5tExample", SECRET).unwrap()
}

pub(crate) fn call(bucket: &str, keys: &[&str]) -> Request<bytes::Bytes> {
    DeleteVectors::new(&target(bucket), KeyBatch::new(keys).unwrap()).to_request()
}

/// Signs for `examplebucket`, whatever the request says.
pub(crate) fn signed(mut request: Request<bytes::Bytes>) -> Request<bytes::Bytes> {
    Signer::new(&target("examplebucket"), credentials()).sign(&mut request, SystemTime::now());
    request
}

/// As it is on the wire. The connection is to end with the answer.
pub(crate) fn text(request: &Request<bytes::Bytes>) -> String {
    let target = request.uri().path_and_query().unwrap();
    let mut text = format!("{} {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n", request.method());
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    text + &format!("content-length: {}\r\n\r\n{}", request.body().len(), str::from_utf8(request.body()).unwrap())
}
