//! The server's end of a connection, which counts what it gets rid of.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::peer::read_request;

/// What stands for no end: a hundred times as much as any answer may have.
pub(crate) const ENDLESS: u64 = 100 * 1024 * 1024;

/// Between the bytes of a slow answer.
const PAUSE: Duration = Duration::from_millis(20);

/// One answer for ever, or a part of one.
pub(crate) struct Wire {
    stream: TcpStream,
    pub(crate) requests: u64,
    /// Bytes that the client's side took, or that fit into the buffers of the two sockets.
    pub(crate) taken: u64,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, requests: 0, taken: 0 }
    }

    /// Reads a request. `false` where the client has gone.
    pub(crate) fn request(&mut self) -> bool {
        let came = read_request(&mut self.stream).is_some();
        self.requests += u64::from(came);
        came
    }

    /// Writes all of `bytes`. `false` where the client has gone.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let mut left = bytes.as_ref();
        while !left.is_empty() {
            match self.stream.write(left) {
                Ok(written @ 1..) => {
                    self.taken += written as u64;
                    left = &left[written..];
                }
                _ => return false,
            }
        }
        true
    }

    /// Writes `bytes` over and over until the client goes, or an end is not to be hoped for.
    pub(crate) fn say_for_ever(&mut self, bytes: impl AsRef<[u8]>) {
        let many = bytes.as_ref().repeat(16 * 1024 / bytes.as_ref().len() + 1);
        while self.taken < ENDLESS && self.say(&many) {}
    }

    /// Writes `bytes` over and over, one at a time.
    pub(crate) fn drip_for_ever(&mut self, bytes: &[u8]) {
        // The pause is a read: it ends early where the client goes.
        self.stream.set_read_timeout(Some(PAUSE)).unwrap();
        for byte in bytes.iter().cycle() {
            if !self.say([*byte]) || self.stream.read(&mut [0; 64]).is_ok_and(|read| read == 0) {
                return;
            }
        }
    }

    /// Ends the answer where the connection ends.
    pub(crate) fn hang_up(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Waits until the client goes. What it sends meanwhile counts as requests.
    pub(crate) fn wait_for_close(&mut self) {
        while self.request() {}
    }
}
