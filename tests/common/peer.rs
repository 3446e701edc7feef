//! A server whose bytes the test controls.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Ends a test that would hang otherwise.
const TEST_TIMEOUT: Option<Duration> = Some(Duration::from_secs(300));

pub(crate) struct Peer {
    addr: SocketAddr,
    connections: Arc<AtomicUsize>,
    stopping: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Peer {
    /// Calls `serve` for each connection, each on its own thread.
    pub(crate) fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let stopping = Arc::new(AtomicBool::new(false));
        let (counter, stop, serve) = (connections.clone(), stopping.clone(), Arc::new(serve));
        let acceptor = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                counter.fetch_add(1, Ordering::SeqCst);
                stream.set_read_timeout(TEST_TIMEOUT).unwrap();
                stream.set_write_timeout(TEST_TIMEOUT).unwrap();
                stream.set_nodelay(true).unwrap();
                let serve = serve.clone();
                std::thread::spawn(move || serve(stream));
            }
        });
        Self { addr, connections, stopping, acceptor: Some(acceptor) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.addr.port()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        drop(TcpStream::connect(self.addr));
        self.acceptor.take().unwrap().join().unwrap();
    }
}

/// Reads one request. Returns `None` if the client has closed or reset the connection.
pub(crate) fn read_request(stream: &mut impl Read) -> Option<Vec<u8>> {
    let (mut request, length) = read_head(stream)?;
    let head = request.len();
    request.resize(head + length, 0);
    stream.read_exact(&mut request[head..]).ok()?;
    Some(request)
}

/// Reads a head with its final empty line. Returns it with the length of the body.
pub(crate) fn read_head(stream: &mut impl Read) -> Option<(Vec<u8>, usize)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let text = std::str::from_utf8(&head).unwrap();
    let length = text
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.parse().unwrap());
    Some((head, length))
}

/// Responds to every request on the connection with the same bytes.
pub(crate) fn respond_to_all(stream: &mut (impl Read + Write), response: &[u8]) {
    while read_request(stream).is_some() && stream.write_all(response).is_ok() {}
}

/// Reads until the client closes the connection, and sends nothing.
pub(crate) fn wait_for_close(stream: &mut impl Read) {
    while stream.read(&mut [0; 1024]).is_ok_and(|n| n > 0) {}
}

pub(crate) const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\nx-oss-request-id: 1\r\n\r\n";
