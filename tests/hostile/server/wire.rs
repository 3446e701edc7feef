//! The server's end of a connection. It counts the bytes that it could write.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::peer::read_request;

/// Stands for an endless response: 256 times the limit of a response.
pub(crate) const ENDLESS: u64 = 1024 * 1024 * 1024;

/// The pause between the bytes of a slow response.
const PAUSE: Duration = Duration::from_millis(20);

/// One connection of a hostile server.
pub(crate) struct Wire {
    stream: TcpStream,
    pub(crate) requests: u64,
    /// Bytes that the client has read, or that fit into the buffers of both sockets.
    pub(crate) written: u64,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, requests: 0, written: 0 }
    }

    /// Reads a request. Returns `false` if the client has closed the connection.
    pub(crate) fn request(&mut self) -> bool {
        let received = read_request(&mut self.stream).is_some();
        self.requests += u64::from(received);
        received
    }

    /// Writes all of `bytes`. Returns `false` if the client has closed the connection.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let mut left = bytes.as_ref();
        while !left.is_empty() {
            match self.stream.write(left) {
                Ok(sent @ 1..) => {
                    self.written += sent as u64;
                    left = &left[sent..];
                }
                _ => return false,
            }
        }
        true
    }

    /// Writes `bytes` repeatedly until the client closes the connection, or up to [`ENDLESS`].
    pub(crate) fn send_endlessly(&mut self, bytes: impl AsRef<[u8]>) {
        let many = bytes.as_ref().repeat(16 * 1024 / bytes.as_ref().len() + 1);
        while self.written < ENDLESS && self.send(&many) {}
    }

    /// Writes `bytes` repeatedly, one byte at a time, until the client closes the connection.
    pub(crate) fn drip_endlessly(&mut self, bytes: &[u8]) {
        // Pauses in a read, which ends early if the client closes the connection.
        self.stream.set_read_timeout(Some(PAUSE)).unwrap();
        for byte in bytes.iter().cycle() {
            if !self.send([*byte]) || self.stream.read(&mut [0; 64]).is_ok_and(|read| read == 0) {
                return;
            }
        }
    }

    /// Ends the response by the end of the connection.
    pub(crate) fn close_writing(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Waits until the client closes the connection. Counts further requests.
    pub(crate) fn wait_for_close(&mut self) {
        while self.request() {}
    }
}
