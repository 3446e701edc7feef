//! Many clients at once.

use std::io::Write;
use std::net::TcpStream;
#[cfg(unix)]
use std::process::Command;
use std::time::Duration;

use oss_delete_vectors::transports::ServerOptions;

use super::service::{Service, call, rest, signed, text};
use crate::peer::read_head;

/// Needs more file descriptors than the default limit, because both ends are in this process. So it
/// runs in a child process with a higher limit.
#[cfg(unix)]
#[test]
fn thousand_idle_connections_do_not_block_others() {
    let test = "client::crowds::thousand_idle_connections";
    let script = r#"ulimit -n $(ulimit -Hn) && exec "$0" --ignored --exact "$1""#;
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
#[ignore = "run by the one above"]
fn thousand_idle_connections() {
    let mut service = Service::start(&ServerOptions::new());
    let mut idle: Vec<TcpStream> = (0..1000).map(|_| service.connect()).collect();
    service.check("a thousand silent connections", 0);
    for stream in &mut idle {
        stream.write_all(b"POST /examplebucket/?deleteVectors HTTP/1.1\r\na: ").unwrap();
    }
    service.check("a thousand unfinished requests", 0);
}

#[test]
fn clients_above_the_limit_wait() {
    let options =
        ServerOptions::new().max_connections(4).client_timeout(Duration::from_millis(300));
    let mut service = Service::start(&options);
    let idle: Vec<TcpStream> = (0..100).map(|_| service.connect()).collect();
    // Served once the idle connections, four at a time, have timed out.
    service.check("a hundred clients for four connections", 0);
    drop(idle);
    service.check("connections are freed", 0);
}

#[test]
fn connections_are_limited_exactly() {
    let mut service = Service::start(&ServerOptions::new().max_connections(2));
    let request = text(&signed(call("examplebucket", &["a"]))).replace("connection: close\r\n", "");
    let (mut first, mut second, mut third) =
        (service.connect(), service.connect(), service.connect());
    third.write_all(request.as_bytes()).unwrap();
    for _ in 0..100 {
        for stream in [&mut first, &mut second] {
            stream.write_all(request.as_bytes()).unwrap();
            assert!(head(stream).starts_with("HTTP/1.1 204 "));
        }
    }
    assert_eq!(service.deleted_keys(), 200, "the third client was served too early");
    drop(first);
    assert!(head(&mut third).starts_with("HTTP/1.1 204 "));
    drop((second, third));
    service.check("connections", 201);
}

/// Reads one response without a body.
fn head(stream: &mut TcpStream) -> String {
    String::from_utf8(read_head(stream).unwrap().0).unwrap()
}

#[test]
fn memory_of_all_bodies_is_limited() {
    const MIB: usize = 1024 * 1024;
    let options =
        ServerOptions::new().max_body_memory(4 * MIB).client_timeout(Duration::from_secs(1));
    let mut service = Service::start(&options);
    let good = text(&signed(call("examplebucket", &["a"])));
    let head = good.split_once("content-length").unwrap().0;
    // Each lacks its last byte, so that it is held until its timeout.
    let unfinished = format!("{head}content-length: {MIB}\r\n\r\n{}", " ".repeat(MIB - 1));
    let mut streams: Vec<TcpStream> = (0..8).map(|_| service.connect()).collect();
    for stream in &mut streams {
        // If rejected, the connection may be closed before everything is sent.
        let _ = stream.write_all(unfinished.as_bytes());
    }
    let responses: Vec<String> = streams.iter_mut().map(rest).collect();
    let late = responses.iter().filter(|response| response.starts_with("HTTP/1.1 408 ")).count();
    // At most four fit. The response to a rejected request may be lost, because its body is not
    // read.
    assert!((1..=4).contains(&late), "{responses:?}");
    assert!(responses.iter().all(|response| response.is_empty()
        || response.starts_with("HTTP/1.1 408 ")
        || response.starts_with("HTTP/1.1 503 ")));
    service.check("given back", 0);
    assert!(
        service
            .exchange(good.replacen("content-length: ", "content-length: 0", 1))
            .starts_with("HTTP/1.1 204 ")
    );
    service.check("given back", 1);
}
