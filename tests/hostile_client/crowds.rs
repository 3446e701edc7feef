//! Many clients at once.

use std::io::{Read, Write};
use std::net::TcpStream;
#[cfg(unix)]
use std::process::Command;
use std::time::Duration;

use oss_delete_vectors::transports::ServerOptions;

use crate::service::{Service, call, rest, signed, text};

/// Both ends of them are here: more file descriptors than a process commonly has, so it runs where there are more.
#[cfg(unix)]
#[test]
fn a_thousand_idle_connections_keep_nobody_out() {
    let test = "crowds::a_thousand_idle_connections";
    let script = r#"ulimit -n $(ulimit -Hn) && exec "$0" --ignored --exact "$1""#;
    let output = Command::new("sh").args(["-c", script]).arg(std::env::current_exe().unwrap()).arg(test).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "run by the one above"]
fn a_thousand_idle_connections() {
    let mut service = Service::start(&ServerOptions::new());
    let mut idle: Vec<TcpStream> = (0..1000).map(|_| service.connect()).collect();
    service.check("a thousand silent ones", 0);
    for stream in &mut idle {
        stream.write_all(b"POST /examplebucket/?deleteVectors HTTP/1.1\r\na: ").unwrap();
    }
    service.check("a thousand beginnings", 0);
}

#[test]
fn who_comes_after_the_last_place_waits_until_one_is_free() {
    let options = ServerOptions::new().max_connections(4).client_timeout(Duration::from_millis(300));
    let mut service = Service::start(&options);
    let idle: Vec<TcpStream> = (0..100).map(|_| service.connect()).collect();
    // Served once those before it, four at a time, have had their time.
    service.check("a hundred for four places", 0);
    drop(idle);
    service.check("places are given back", 0);
}

#[test]
fn there_are_no_more_places_than_that() {
    let mut service = Service::start(&ServerOptions::new().max_connections(2));
    let request = text(&signed(call("examplebucket", &["a"]))).replace("connection: close\r\n", "");
    let (mut first, mut second, mut third) = (service.connect(), service.connect(), service.connect());
    third.write_all(request.as_bytes()).unwrap();
    for _ in 0..100 {
        for stream in [&mut first, &mut second] {
            stream.write_all(request.as_bytes()).unwrap();
            assert!(head(stream).starts_with("HTTP/1.1 204 "));
        }
    }
    assert_eq!(service.deleted_keys(), 200, "the third has its turn before a place is free");
    drop(first);
    assert!(head(&mut third).starts_with("HTTP/1.1 204 "));
    drop((second, third));
    service.check("places", 201);
}

/// One answer that has no body.
fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn all_bodies_together_are_bounded() {
    const MIB: usize = 1024 * 1024;
    let options = ServerOptions::new().max_body_memory(4 * MIB).client_timeout(Duration::from_secs(1));
    let mut service = Service::start(&options);
    let good = text(&signed(call("examplebucket", &["a"])));
    let head = good.split_once("content-length").unwrap().0;
    // Each lacks a byte, so that it is held until its time is over.
    let unfinished = format!("{head}content-length: {MIB}\r\n\r\n{}", " ".repeat(MIB - 1));
    let mut streams: Vec<TcpStream> = (0..8).map(|_| service.connect()).collect();
    for stream in &mut streams {
        // Refused, it may be closed before it has sent all.
        let _ = stream.write_all(unfinished.as_bytes());
    }
    let answers: Vec<String> = streams.iter_mut().map(rest).collect();
    let late = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 408 ")).count();
    // No more than four fit. The answer of who was refused may be lost, because what they sent was not read.
    assert!((1..=4).contains(&late), "{answers:?}");
    assert!(
        answers
            .iter()
            .all(|answer| answer.is_empty() || answer.starts_with("HTTP/1.1 408 ") || answer.starts_with("HTTP/1.1 503 "))
    );
    service.check("given back", 0);
    assert!(service.answer(good.replacen("content-length: ", "content-length: 0", 1)).starts_with("HTTP/1.1 204 "));
    service.check("given back", 1);
}
