//! The server on a socket: the requests that reach the handler, and how the server stops.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::channel;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use oss_delete_vectors::transports::{MAX_REQUEST_BODY, Server};

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

fn serve(handler: impl FnMut(Request<Bytes>) -> Response<Bytes> + Send + 'static) -> Server {
    Server::start(LOOPBACK.into(), handler).unwrap()
}

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    // Ends a test that hangs.
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends `request`, which must close the connection, and reads to its end.
fn exchange(addr: SocketAddr, request: impl AsRef<[u8]>) -> String {
    let mut stream = connect(addr);
    // The server may respond and close before it has read everything.
    let _ = stream.write_all(request.as_ref());
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    String::from_utf8(response).unwrap()
}

fn post(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /?deleteVectors HTTP/1.1\r\nhost: b-1.test\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn request_and_response_are_passed_unchanged() {
    let (sender, seen) = channel();
    let server = serve(move |request| {
        sender.send(request).unwrap();
        Response::builder()
            .status(503)
            .header("x-oss-request-id", "1")
            .body("later".into())
            .unwrap()
    });
    assert_eq!(server.url(), format!("http://127.0.0.1:{}", server.addr().port()));
    let response = exchange(server.addr(), post("{}"));
    assert_eq!(
        response,
        "HTTP/1.1 503 Service Unavailable\r\nx-oss-request-id: 1\r\nconnection: close\r\ncontent-length: 5\r\n\r\nlater"
    );
    let request = seen.recv().unwrap();
    assert_eq!(request.uri(), "/?deleteVectors");
    assert_eq!(request.headers()["host"], "b-1.test");
    assert_eq!(&request.body()[..], b"{}");
}

#[test]
fn handler_panic_gives_500() {
    let mut calls = 0;
    let server = serve(move |_| {
        calls += 1;
        assert!(calls != 1, "this test panics on purpose");
        Response::new(Bytes::new())
    });
    assert!(exchange(server.addr(), post("")).starts_with("HTTP/1.1 500 "));
    assert!(exchange(server.addr(), post("")).starts_with("HTTP/1.1 200 "));
}

#[test]
fn oversized_body_does_not_reach_the_handler() {
    let server = serve(|request| Response::new(request.body().len().to_string().into()));
    let head = "POST / HTTP/1.1\r\nhost: b-1.test\r\nconnection: close\r\n";

    let largest = post(&"x".repeat(MAX_REQUEST_BODY));
    assert!(exchange(server.addr(), largest).ends_with(&MAX_REQUEST_BODY.to_string()));

    // Rejected for its content-length, before the body is sent.
    let announced = format!("{head}content-length: {}\r\n\r\n", MAX_REQUEST_BODY + 1);
    assert!(exchange(server.addr(), announced).starts_with("HTTP/1.1 413 "));

    // Rejected at the first byte over the limit. Nothing is left unread, so that the response
    // arrives.
    let size = MAX_REQUEST_BODY + 1;
    let chunked =
        format!("{head}transfer-encoding: chunked\r\n\r\n{size:x}\r\n{}", "x".repeat(size));
    assert!(exchange(server.addr(), chunked).starts_with("HTTP/1.1 413 "));
}

#[test]
fn oversized_head_does_not_reach_the_handler() {
    let server = serve(|_| Response::new(Bytes::new()));
    let request =
        |size| format!("GET / HTTP/1.1\r\nconnection: close\r\na: {}\r\n\r\n", "x".repeat(size));
    assert!(exchange(server.addr(), request(31 * 1024)).starts_with("HTTP/1.1 200 "));
    assert!(exchange(server.addr(), request(32 * 1024)).starts_with("HTTP/1.1 431 "));
}

#[test]
fn bad_clients_do_not_block_others() {
    let server = serve(|_| Response::new(Bytes::new()));
    let _silent = connect(server.addr());
    let mut half = connect(server.addr());
    half.write_all(b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nhalf").unwrap();
    assert!(exchange(server.addr(), b"\x16\x03\x01\x00\xff").starts_with("HTTP/1.1 400 "));
    assert!(exchange(server.addr(), post("")).starts_with("HTTP/1.1 200 "));
}

#[test]
fn shutdown_finishes_requests_and_closes_idle_connections() {
    let (entered, in_handler) = channel();
    let (go_on, may_go_on) = channel::<()>();
    let server = serve(move |_| {
        entered.send(()).unwrap();
        may_go_on.recv().unwrap();
        Response::new("done".into())
    });
    let addr = server.addr();
    let mut idle = connect(addr);
    let client = std::thread::spawn(move || exchange(addr, post("")));
    in_handler.recv().unwrap();
    let stopping = std::thread::spawn(move || server.shutdown());
    go_on.send(()).unwrap();
    assert!(client.join().unwrap().ends_with("done"));
    stopping.join().unwrap();
    assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0);
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn drop_stops_the_server_during_a_request() {
    let server = serve(|_| Response::new(Bytes::new()));
    let addr = server.addr();
    let mut half = connect(addr);
    half.write_all(b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nhalf").unwrap();
    drop(server);
    assert_eq!(half.read(&mut [0]).unwrap_or(0), 0);
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn address_in_use_is_an_error() {
    let server = serve(|_| Response::new(Bytes::new()));
    assert!(Server::start(server.addr(), |_| Response::new(Bytes::new())).is_err());
}

#[tokio::test]
async fn server_starts_and_stops_inside_a_runtime() {
    serve(|_| Response::new(Bytes::new())).shutdown();
    drop(serve(|_| Response::new(Bytes::new())));
}
