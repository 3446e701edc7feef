//! Slow clients.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use oss_delete_vectors::transports::ServerOptions;

use super::service::{Service, call, is_timeout, rest, signed, text, write_until_closed};

/// Sends `bytes` repeatedly, one at a time, until the connection is closed. Returns the response.
fn drip(stream: &mut TcpStream, bytes: &[u8]) -> String {
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut response = Vec::new();
    for byte in bytes.iter().cycle() {
        // The read timeout is the pause between bytes.
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => response.extend_from_slice(&buffer[..read]),
            Err(error) if !is_timeout(&error) => break,
            Err(_) if stream.write_all(&[*byte]).is_err() => break,
            Err(_) => {}
        }
    }
    String::from_utf8(response).unwrap()
}

#[test]
fn slow_clients_are_disconnected() {
    let mut service =
        Service::start(&ServerOptions::new().client_timeout(Duration::from_millis(300)));
    let good = text(&signed(call("examplebucket", &["a"])));
    let keep_alive = good.replace("connection: close\r\n", "");
    let body = good.find("\r\n\r\n").unwrap() + 4;

    assert_eq!(rest(&mut service.connect()), "");
    service.check("silent", 0);

    let mut stream = service.connect();
    stream.write_all(keep_alive.as_bytes()).unwrap();
    assert!(rest(&mut stream).starts_with("HTTP/1.1 204 "));
    service.check("silent after a request", 1);

    let mut stream = service.connect();
    stream.write_all(b"POST /").unwrap();
    let response = drip(&mut stream, b"x");
    assert!(!response.contains("204"), "{response}");
    service.check("slow target", 0);

    let mut stream = service.connect();
    stream.write_all(b"POST / HTTP/1.1\r\n").unwrap();
    let response = drip(&mut stream, b"a: b\r\n");
    assert!(!response.contains("204"), "{response}");
    service.check("slow headers", 0);

    let mut stream = service.connect();
    stream.write_all(&good.as_bytes()[..body]).unwrap();
    let response = drip(&mut stream, b" ");
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    service.check("slow body", 0);

    let mut stream = service.connect();
    stream.write_all(&good.as_bytes()[..good.len() - 1]).unwrap();
    assert!(rest(&mut stream).starts_with("HTTP/1.1 408 "));
    service.check("body without its end", 0);

    let mut stream = service.connect();
    let chunked = good.split_once("content-length").unwrap().0;
    stream.write_all(format!("{chunked}transfer-encoding: chunked\r\n\r\n").as_bytes()).unwrap();
    let response = drip(&mut stream, b"1\r\nx\r\n");
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    service.check("slow chunks", 0);
}

#[test]
fn clients_that_do_not_read_are_disconnected() {
    let mut service =
        Service::start(&ServerOptions::new().client_timeout(Duration::from_millis(300)));
    let mut stream = service.connect();
    // Responses fill the buffers of both sockets until the server cannot write, and times out.
    let requests = "GET / HTTP/1.1\r\n\r\n".repeat(1000);
    write_until_closed(&mut stream, &requests, usize::MAX);
    service.check("unread responses", 0);
}
