//! The emulator behind a faulty network, on a socket: what a client sees of each fault.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::Request;
use oss_delete_vectors::emulator::{Emulator, Fault, FaultyNetwork, NetworkEvent, Outage};
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::transports::Server;
use oss_delete_vectors::{DeleteVectors, KeyBatch, Now};

use crate::calls::{credentials, target};
use crate::peer::read_head;
use crate::service::Service;

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Ends a test that hangs.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

const KEYS: [&str; 3] = ["doc-001", "doc-002", "doc-003"];

fn emulator() -> Emulator {
    Emulator::with_vectors(&target(), credentials(), KEYS).unwrap()
}

/// A signed request that deletes doc-001.
fn request() -> Request<Bytes> {
    let mut request =
        DeleteVectors::new(&target(), KeyBatch::new(["doc-001"]).unwrap()).to_request();
    Signer::new(&target(), credentials()).sign(&mut request, SystemTime::now());
    request
}

fn wire(request: &Request<Bytes>, connection: &str) -> Vec<u8> {
    let mut head = format!(
        "POST {} HTTP/1.1\r\nconnection: {connection}\r\n",
        request.uri().path_and_query().unwrap()
    );
    for (name, value) in request.headers() {
        head += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    head += &format!("host: {}\r\n", request.uri().host().unwrap());
    head += &format!("content-length: {}\r\n\r\n", request.body().len());
    [head.as_bytes(), request.body()].concat()
}

/// A network without latency.
fn network(seed: u64, faults: &str) -> FaultyNetwork<u64> {
    FaultyNetwork::new(seed, faults.parse().unwrap()).with_latency(Duration::ZERO, Duration::ZERO)
}

/// Simulates the first request. Returns the time of each delivery, and whether it is a response.
fn deliveries(mut network: FaultyNetwork<u64>, request: Request<Bytes>) -> Vec<(Duration, bool)> {
    network.send(Duration::ZERO, 0, request);
    let mut emulator = emulator();
    let mut delivered = Vec::new();
    while let Some(at) = network.next_event() {
        let now = Now::new(at, SystemTime::now());
        if let Some(NetworkEvent::Delivered { result, .. }) = network.poll(now, &mut emulator) {
            delivered.push((at, result.is_ok()));
        }
    }
    delivered
}

/// A network with a seed for which the first request goes as `wanted`.
fn network_where(faults: &str, wanted: impl Fn(&[(Duration, bool)]) -> bool) -> FaultyNetwork<u64> {
    let request = request();
    let seed = (0..100_000)
        .find(|&seed| wanted(&deliveries(network(seed, faults), request.clone())))
        .unwrap();
    network(seed, faults)
}

/// Serves an index with doc-001 to doc-003 behind `network`.
fn start(network: FaultyNetwork<u64>) -> Service {
    let service = Service::holding(KEYS).behind(network);
    service.server();
    service
}

/// The requests that arrived, the remaining vectors, and how often `fault` happened.
fn seen(service: &Service, fault: Fault) -> (u64, usize, u64) {
    let injected = service.network().injected(fault);
    (service.requests(), service.left(), injected)
}

/// Waits until `wanted` is true.
fn wait_until(service: &Service, wanted: impl Fn(&FaultyNetwork<u64>) -> bool) {
    let start = Instant::now();
    while !wanted(&service.network()) {
        assert!(start.elapsed() < TEST_TIMEOUT, "timed out");
        std::thread::yield_now();
    }
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.addr()).unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream
}

/// Everything the server sends until it closes the connection, without the date.
fn exchange(server: &Server, request: &[u8]) -> String {
    let mut stream = connect(server);
    stream.write_all(request).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect()
}

/// Reads only the head of a response.
fn head(stream: &mut TcpStream) -> String {
    String::from_utf8(read_head(stream).unwrap().0).unwrap()
}

#[test]
fn without_faults_it_equals_the_plain_server() {
    let faulty = start(network(1, ""));
    let plain = Arc::new(Mutex::new(emulator()));
    let server = Server::start_emulator(LOOPBACK.into(), Arc::clone(&plain)).unwrap();
    let signed = wire(&request(), "close");
    let unsigned =
        b"POST /examplebucket?deleteVectors HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let other_call = b"GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n";
    for (request, status) in
        [(&signed[..], "204"), (unsigned, "403"), (other_call, "501"), (&signed, "204")]
    {
        let response = exchange(faulty.server(), request);
        assert_eq!(response, exchange(&server, request));
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
    }
    assert_eq!(seen(&faulty, Fault::Page), (4, 2, 0));
    assert_eq!(plain.lock().unwrap().requests(), 4);
}

#[test]
fn connection_refused_closes_the_connection() {
    let service = start(network(1, "connection-refused=1"));
    assert_eq!(exchange(service.server(), &wire(&request(), "keep-alive")), "");
    assert_eq!(seen(&service, Fault::ConnectionRefused), (0, 3, 1));
}

#[test]
fn lost_response_is_executed_and_closes_the_connection() {
    let service = start(network_where("lost-response=1", |delivered| delivered.len() == 1));
    assert_eq!(exchange(service.server(), &wire(&request(), "keep-alive")), "");
    assert_eq!(seen(&service, Fault::LostResponse), (1, 2, 1));
}

#[test]
fn silent_lost_response_blocks_only_its_connection() {
    let service = start(network_where("lost-response=1", <[_]>::is_empty));
    let mut silent = connect(service.server());
    silent.write_all(&wire(&request(), "keep-alive")).unwrap();
    wait_until(&service, |network| network.injected(Fault::LostResponse) == 1);
    assert_eq!(seen(&service, Fault::LostResponse), (1, 2, 1));

    service.network().begin_outage(Outage::Unavailable, Duration::MAX);
    assert!(exchange(service.server(), &wire(&request(), "close")).starts_with("HTTP/1.1 503 "));
    silent.set_nonblocking(true).unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);

    drop(service);
    silent.set_nonblocking(false).unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap_or(0), 0);
}

#[test]
fn repeated_response_is_sent_once() {
    let is_soon = |delivered: &[(Duration, bool)]| delivered[1].0 < Duration::from_millis(10);
    let service = start(network_where("repeated-response=1", is_soon));
    let mut stream = connect(service.server());
    stream.write_all(&wire(&request(), "keep-alive")).unwrap();
    let first = head(&mut stream);
    assert!(
        first.starts_with("HTTP/1.1 204 ")
            && first.contains("x-oss-request-id: 000000000000000000000001\r\n"),
        "{first}"
    );
    wait_until(&service, |network| network.next_event().is_none());

    stream.write_all(&wire(&request(), "keep-alive")).unwrap();
    let second = head(&mut stream);
    assert!(
        second.starts_with("HTTP/1.1 204 ")
            && second.contains("x-oss-request-id: 000000000000000000000002\r\n"),
        "{second}"
    );
    assert_eq!(seen(&service, Fault::RepeatedResponse), (2, 2, 2));
}

#[test]
fn response_to_a_disconnected_client_is_dropped() {
    let service = start(network_where("late-response=0.5", |delivered| {
        (Duration::from_millis(1)..Duration::from_millis(200)).contains(&delivered[0].0)
    }));
    let mut client = connect(service.server());
    client.write_all(&wire(&request(), "keep-alive")).unwrap();
    wait_until(&service, |network| network.injected(Fault::LateResponse) == 1);
    drop(client);
    wait_until(&service, |network| network.next_event().is_none());

    service.network().begin_outage(Outage::Unavailable, Duration::MAX);
    assert!(exchange(service.server(), &wire(&request(), "close")).starts_with("HTTP/1.1 503 "));
    assert_eq!(seen(&service, Fault::LateResponse), (1, 2, 1));
}

#[test]
fn disconnecting_frees_the_connection() {
    let service = start(network_where("lost-response=1", <[_]>::is_empty));
    let mut silent = connect(service.server());
    silent.write_all(&wire(&request(), "keep-alive")).unwrap();
    wait_until(&service, |network| network.injected(Fault::LostResponse) == 1);
    silent.shutdown(Shutdown::Write).unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
}

#[test]
fn page_replaces_the_response() {
    let service = start(network(1, "page=1"));
    let page = exchange(service.server(), &wire(&request(), "close"));
    assert!(
        page.contains("content-type: text/html\r\n") && !page.contains("x-oss-request-id"),
        "{page}"
    );
    assert_eq!(seen(&service, Fault::Page), (1, 2, 1));
}

#[test]
fn virtual_time_starts_with_the_server() {
    let hour = Duration::from_secs(3600);
    let service =
        start(FaultyNetwork::new(1, "".parse().unwrap()).with_latency(2 * hour, Duration::ZERO));
    let mut stream = connect(service.server());
    stream.write_all(&wire(&request(), "close")).unwrap();
    wait_until(&service, |network| network.next_event().is_some());
    let arrival = service.network().next_event().unwrap();
    assert!((hour..hour + TEST_TIMEOUT).contains(&arrival), "{arrival:?}");
    assert_eq!(seen(&service, Fault::Page), (0, 3, 0));

    let service = start(network(1, ""));
    service.network().begin_outage(Outage::Refused, hour);
    assert_eq!(exchange(service.server(), &wire(&request(), "close")), "");
    service.network().begin_outage(Outage::Refused, Duration::ZERO);
    assert!(exchange(service.server(), &wire(&request(), "close")).starts_with("HTTP/1.1 204 "));
}

#[test]
fn shutdown_waits_for_the_network() {
    let mut service =
        start(network(1, "").with_latency(Duration::from_millis(100), Duration::ZERO));
    let mut stream = connect(service.server());
    stream.write_all(&wire(&request(), "keep-alive")).unwrap();
    wait_until(&service, |network| network.next_event().is_some());
    service.shut_down();
    assert!(head(&mut stream).starts_with("HTTP/1.1 204 "));
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert_eq!(service.emulator().requests(), 1);
}

#[test]
fn address_in_use_is_an_error() {
    let taken = start(network(1, ""));
    let (emulator, network) =
        (Arc::new(Mutex::new(emulator())), Arc::new(Mutex::new(network(1, ""))));
    assert_eq!(
        Server::start_faulty(taken.server().addr(), emulator, network).unwrap_err().kind(),
        ErrorKind::AddrInUse
    );
}
