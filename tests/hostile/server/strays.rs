//! Unexpected responses on a connection that could be reused: no request takes one as its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use crate::carrier::{AnyTransport, request};
use crate::peer::{NO_CONTENT, Peer, read_request, respond_to_all};

/// Reads one request from the first connection and passes it to `first`. Rejects all requests on
/// later connections: the second request must get that response.
fn peer(first: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Peer {
    let connections = AtomicUsize::new(0);
    Peer::start(move |mut stream| {
        if connections.fetch_add(1, Ordering::SeqCst) > 0 {
            return respond_to_all(
                &mut stream,
                b"HTTP/1.1 403 Forbidden\r\ncontent-length: 6\r\n\r\ndenied",
            );
        }
        read_request(&mut stream).unwrap();
        first(&mut stream);
    })
}

/// Sends another request over the same transport. It must be rejected.
fn assert_next_is_rejected(transport: &AnyTransport, peer: &Peer, case: &str) {
    let response = transport.send(request(&peer.url())).unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.body()[..]),
        (403, &b"denied"[..]),
        "{}: {case}",
        transport.name()
    );
    assert_eq!(peer.connections(), 2, "{}: {case}", transport.name());
}

#[test]
fn bytes_after_a_response_are_not_the_next_response() {
    for response in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        // A body that is not allowed, and one that is longer than announced.
        "HTTP/1.1 204 No Content\r\ncontent-length: 1000\r\n\r\n",
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 1\r\n\r\nx",
        "HTTP/1.1 500 Internal Server Error\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    ] {
        for transport in AnyTransport::all() {
            let peer = peer(move |stream| {
                // In one write, so that both are read at once.
                stream.write_all(&[response.as_bytes(), NO_CONTENT].concat()).unwrap();
                let _ = stream.read(&mut [0]);
            });
            transport.send(request(&peer.url())).unwrap();
            assert_next_is_rejected(&transport, &peer, response);
        }
    }
}

#[test]
fn bytes_between_requests_are_not_the_next_response() {
    for transport in AnyTransport::all() {
        let (go_on, may_go_on) = channel::<()>();
        let (sender, events) = channel();
        let may_go_on = Mutex::new(may_go_on);
        let peer = peer(move |stream| {
            stream.write_all(NO_CONTENT).unwrap();
            may_go_on.lock().unwrap().recv().unwrap();
            stream.write_all(NO_CONTENT).unwrap();
            sender.send("sent").unwrap();
            let _ = stream.read(&mut [0]);
            let _ = sender.send("closed");
        });
        transport.send(request(&peer.url())).unwrap();
        go_on.send(()).unwrap();
        assert_eq!(events.recv(), Ok("sent"));
        if transport.name() == "hyper" {
            // hyper notices by itself, and closes the connection. ureq checks before it reuses one.
            assert_eq!(events.recv(), Ok("closed"));
        }
        assert_next_is_rejected(&transport, &peer, "between");
    }
}
