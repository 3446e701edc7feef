//! Proxies of the blocking transport. Those of the asynchronous one are its connector's affair.

use std::io::Write;
use std::net::Ipv4Addr;

use oss_delete_vectors::transports::{TransportOptions, UreqTransport};

use crate::carrier::request;
use crate::peer::{NO_CONTENT, Peer, answer_all, read_request};

fn through(proxy: &Peer) -> UreqTransport {
    UreqTransport::with_proxy(&TransportOptions::new(), &proxy.url()).unwrap()
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
    let transport =
        UreqTransport::with_proxy(&TransportOptions::new(), &format!("http://{gone}")).unwrap();
    let error = transport.send(request("http://b-1.vectors.invalid")).unwrap_err();
    assert!(error.is_surely_not_sent() && error.to_string().contains("refused"), "{error}");
    let through = format!("no connection to b-1.vectors.invalid:80 through the proxy {gone}: ");
    assert!(error.to_string().contains(&through), "{error}");
}

#[test]
fn invalid_proxy_is_rejected_without_its_password() {
    for proxy in [
        "",
        "http://",
        "ftp://user:hidden@proxy.example.com",
        "http://user:hidden@",
        "user:hidden@proxy example com",
    ] {
        let refused = UreqTransport::with_proxy(&TransportOptions::new(), proxy).unwrap_err();
        let expected =
            "proxy must be [http|https|socks4|socks4a|socks5://][user:password@]host[:port]";
        assert_eq!((refused.to_string().as_str(), refused.value()), (expected, None), "{proxy}");
    }
    for proxy in [
        "localhost",
        "user:hidden@127.0.0.1:8080",
        "http://[::1]:8080",
        "socks5://proxy.example.com:1080",
    ] {
        let transport = UreqTransport::with_proxy(&TransportOptions::new(), proxy).unwrap();
        assert!(!format!("{transport:?}").contains("hidden"), "{proxy}");
    }
}
