//! Parses heads of responses as leniently as the other transport.

use std::time::Instant;

use ureq::unversioned::transport::time::Duration;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};
use zeroize::Zeroize;

/// The most header lines of a response, as in ureq.
const MAX_HEADERS: usize = 128;

/// The longest head in bytes: each connection has a buffer for it. A longer one is passed on
/// unchanged, and ureq rejects it.
pub(super) const MAX_HEAD: usize = 32 * 1024;

/// A transport whose responses have heads that ureq's parser accepts.
///
/// ureq uses its parser in strict mode: one folded header, one line without a colon, or a space
/// before a colon makes a deletion unconfirmed. So a head that it rejects is parsed here by the
/// same parser in lenient mode, and written again. Interim responses (1xx) are dropped, because
/// ureq rejects a `100` with headers.
#[derive(Debug)]
pub(super) struct LenientHeads {
    inner: Box<dyn Transport>,
    /// A request was sent, and the head of its response has not been read.
    in_head: bool,
}

impl LenientHeads {
    pub(super) fn new(inner: Box<dyn Transport>) -> Self {
        Self { inner, in_head: false }
    }

    /// Rewrites the head in the buffer. `false` if more of it has to be read.
    fn rewrite(&mut self) -> bool {
        let buffers = self.inner.buffers();
        loop {
            match parse(buffers.input()) {
                Head::Interim(length) => buffers.input_consume(length),
                Head::Incomplete => return buffers.input().len() > MAX_HEAD,
                Head::Final(length, head) => {
                    replace(buffers, length, head);
                    return true;
                }
                Head::Clean | Head::Malformed => return true,
            }
        }
    }
}

impl Transport for LenientHeads {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.in_head = true;
        self.inner.transmit_output(amount, timeout)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "one read of ureq is several here, within the time for one"
    )]
    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        if !self.in_head {
            return self.inner.await_input(timeout);
        }
        let began = Instant::now();
        let mut left = timeout;
        loop {
            if !self.inner.await_input(left)? {
                return Ok(false);
            }
            if self.rewrite() {
                self.in_head = false;
                return Ok(true);
            }
            if let Duration::Exact(after) = timeout.after {
                let after = after.saturating_sub(began.elapsed());
                if after.is_zero() {
                    return Err(ureq::Error::Timeout(timeout.reason));
                }
                left.after = Duration::Exact(after);
            }
        }
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Wipes the buffers: requests have tokens, and some responses have credentials.
impl Drop for LenientHeads {
    fn drop(&mut self) {
        let buffers = self.inner.buffers();
        buffers.input_consume(buffers.input().len());
        buffers.input_append_buf().zeroize();
        buffers.output().zeroize();
    }
}

/// Replaces the first `length` bytes by `head`, which is not longer, so that it fits into the
/// buffer.
fn replace(buffers: &mut dyn Buffers, length: usize, mut head: Vec<u8>) {
    debug_assert!(head.len() <= length);
    head.extend_from_slice(&buffers.input()[length..]);
    let all = buffers.input().len();
    buffers.input_consume(all);
    buffers.input_append_buf()[..head.len()].copy_from_slice(&head);
    buffers.input_appended(head.len());
    // With the beginning of the body.
    head.zeroize();
}

#[derive(Debug, PartialEq, Eq)]
enum Head {
    Incomplete,
    /// Ureq reads it as it is.
    Clean,
    Malformed,
    /// The number of bytes of an interim response. Another response follows.
    Interim(usize),
    /// The number of bytes, and their replacement.
    Final(usize, Vec<u8>),
}

fn parse(input: &[u8]) -> Head {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut strict = httparse::Response::new(&mut headers);
    let is_clean = strict.parse(input).is_ok_and(|parsed| parsed.is_complete());
    if is_clean && !strict.code.is_some_and(is_interim) {
        return Head::Clean;
    }
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = httparse::ParserConfig::default()
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .parse_response(&mut response, input);
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Head::Incomplete,
        Err(_) => return Head::Malformed,
    };
    let (Some(version), Some(code)) = (response.version, response.code) else {
        return Head::Malformed;
    };
    if is_interim(code) {
        return Head::Interim(length);
    }
    let mut head = format!("HTTP/1.{version} {code:03} {}\n", response.reason.unwrap_or_default())
        .into_bytes();
    for header in response.headers {
        head.extend_from_slice(header.name.as_bytes());
        head.push(b':');
        for (number, line) in header.value.split(|byte| *byte == b'\n').enumerate() {
            if number > 0 {
                head.push(b' ');
            }
            head.extend_from_slice(line.trim_ascii());
        }
        head.push(b'\n');
    }
    head.push(b'\n');
    Head::Final(length, head)
}

fn is_interim(code: u16) -> bool {
    (100..200).contains(&code) && code != 101
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_ureq_reads_stays_as_it_is() {
        for head in [
            "HTTP/1.1 204 No Content\r\n\r\n",
            "\r\n\nHTTP/1.0 204\n\n",
            "HTTP/1.1 200 OK\r\nA:  b c \r\nD:\r\n\r\n",
            "HTTP/1.1 101 Switch\r\n\r\n",
        ] {
            assert_eq!(parse(head.as_bytes()), Head::Clean, "{head:?}");
            for end in 0..head.len() {
                assert_eq!(parse(&head.as_bytes()[..end]), Head::Incomplete, "{:?}", &head[..end]);
            }
        }
    }

    #[test]
    fn a_head_that_ureq_rejects_is_written_anew() {
        for (head, expected) in [
            (
                "HTTP/1.1 200 OK\r\na: b\r\n c\r\n\t d\r\ne: f\r\n\r\n",
                "HTTP/1.1 200 OK\na:b c d\ne:f\n\n",
            ),
            ("HTTP/1.1 200 OK\r\na:\r\n b\r\n\r\n", "HTTP/1.1 200 OK\na:b\n\n"),
            ("HTTP/1.1 200 OK\r\na \t: b\r\n\r\n", "HTTP/1.1 200 OK\na:b\n\n"),
            ("HTTP/1.1 200 OK\r\nnonsense\r\na: b\r\n\r\n", "HTTP/1.1 200 OK\na:b\n\n"),
            (
                "HTTP/1.1 200 OK\r\n: x\r\n(): x\r\nb: \x01\r\na: b\r\n\r\n",
                "HTTP/1.1 200 OK\na:b\n\n",
            ),
        ] {
            assert_eq!(
                parse(head.as_bytes()),
                Head::Final(head.len(), expected.into()),
                "{head:?}"
            );
            for end in 0..head.len() {
                assert_eq!(parse(&head.as_bytes()[..end]), Head::Incomplete, "{:?}", &head[..end]);
            }
        }
        assert_eq!(parse(b"HTTP/1.1 100 Continue\r\na: b\r\n\r\nHTTP/1.1 "), Head::Interim(31));
        for head in [
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: \0\r\n\r\n",
            "220 mail\r\n\r\n",
            &"a: b\r\n".repeat(9),
        ] {
            assert_eq!(parse(head.as_bytes()), Head::Malformed, "{head:?}");
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        assert_eq!(parse(many.as_bytes()), Head::Malformed);
    }
}
