//! Proxies of the blocking transport. Those of the asynchronous one are its connector's affair.

use std::io::Write;
use std::net::Ipv4Addr;

use oss_delete_vectors::transports::{TransportOptions, UreqTransport};

use crate::carrier::request;
use crate::peer::{NO_CONTENT, Peer, answer_all, read_request};

fn through(proxy: &Peer) -> UreqTransport {
    UreqTransport::with_proxy(&TransportOptions::new(), ureq::Proxy::new(&proxy.url()).unwrap())
}

#[test]
fn a_tunnel_carries_the_request_and_resolves_the_host() {
    let proxy = Peer::start(|mut stream| {
        let connect = String::from_utf8(read_request(&mut stream).unwrap()).unwrap();
        assert!(connect.starts_with("CONNECT b-1.vectors.invalid:80 HTTP/1.1\r\n"), "{connect}");
        stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
        answer_all(&mut stream, NO_CONTENT);
    });
    let transport = through(&proxy);
    for _ in 0..2 {
        let response = transport.send(request("http://b-1.vectors.invalid")).unwrap();
        assert_eq!(response.status(), 204);
    }
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn a_proxy_that_refuses_is_surely_not_sent() {
    let proxy = Peer::start(|mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    });
    let error = through(&proxy).send(request("http://b-1.vectors.invalid")).unwrap_err();
    assert!(error.is_surely_not_sent() && error.to_string().contains("407"), "{error}");
}

#[test]
fn a_proxy_that_is_not_there_is_surely_not_sent() {
    let gone = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let proxy = ureq::Proxy::new(&format!("http://{gone}")).unwrap();
    let transport = UreqTransport::with_proxy(&TransportOptions::new(), proxy);
    let error = transport.send(request("http://b-1.vectors.invalid")).unwrap_err();
    assert!(error.is_surely_not_sent() && error.to_string().contains("refused"), "{error}");
}
