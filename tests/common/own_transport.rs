//! A transport as a user of the crate could write it, from the contract in `transports`: over
//! `TcpStream`, `http` only, with a connection for each request. It runs the tests of the contract.
//! To run them over another transport, replace `send`.

use std::io::{self, BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use oss_delete_vectors::{MAX_RESPONSE_BODY, TransportError};

const MAX_HEAD: usize = 32 * 1024;

pub(crate) fn send(
    request: &Request<Bytes>,
    timeout: Duration,
) -> Result<Response<Bytes>, TransportError> {
    let (Some("http"), Some(host)) = (request.uri().scheme_str(), request.uri().host()) else {
        return Err(TransportError::surely_not_sent("not an http URI"));
    };
    let port = request.uri().port_u16().unwrap_or(80);
    // Without a connection, nothing was sent. With one, the request may have arrived.
    let response = match Wire::connect((host, port), timeout) {
        Ok(wire) => exchange(wire, request),
        Err(error) => Err(TransportError::surely_not_sent(error)),
    };
    response.map_err(|error| error.with_peer(format!("{host}:{port}")))
}

/// A connection with one timeout for all that happens on it.
struct Wire {
    stream: TcpStream,
    deadline: Option<Instant>,
    timeout: Duration,
}

impl Wire {
    fn connect(peer: impl ToSocketAddrs, timeout: Duration) -> io::Result<Self> {
        let deadline = Instant::now().checked_add(timeout);
        let mut failed = Error::new(ErrorKind::NotFound, "the name has no address");
        for addr in peer.to_socket_addrs()? {
            match TcpStream::connect_timeout(&addr, timeout) {
                Ok(stream) => return Ok(Self { stream, deadline, timeout }),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) { Err(self.timed_out()) } else { Ok(left) }
    }

    fn timed_out(&self) -> Error {
        Error::new(ErrorKind::TimedOut, format!("timed out after {:?}", self.timeout))
    }

    /// Unix reports a timeout of a socket as `WouldBlock`.
    fn explained(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::WouldBlock { self.timed_out() } else { error }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer).map_err(|error| self.explained(error))
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(buffer).map_err(|error| self.explained(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn exchange(mut wire: Wire, request: &Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
    wire.write_all(&message(request)).map_err(TransportError::may_have_arrived)?;
    let mut wire = BufReader::new(wire);
    let head = final_head(&mut wire).map_err(TransportError::may_have_arrived)?;
    let body = body(&mut wire, &head).map_err(TransportError::may_have_arrived)?;
    if body.len() > MAX_RESPONSE_BODY {
        return Err(TransportError::body_too_large("the rest was not read"));
    }
    Ok(head.map(|()| body.into()))
}

fn message(request: &Request<Bytes>) -> Vec<u8> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let mut message = format!("{} {target} HTTP/1.1\r\n", request.method()).into_bytes();
    if !request.headers().contains_key("host") {
        let host = request.uri().authority().expect("a URI with a host");
        message.extend_from_slice(format!("host: {host}\r\n").as_bytes());
    }
    for (name, value) in request.headers() {
        message.extend_from_slice(
            &[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat(),
        );
    }
    message
        .extend_from_slice(format!("content-length: {}\r\n\r\n", request.body().len()).as_bytes());
    message.extend_from_slice(request.body());
    message
}

/// Skips interim responses.
fn final_head(wire: &mut impl BufRead) -> io::Result<Response<()>> {
    loop {
        let mut head = Vec::new();
        let response = loop {
            line(wire, &mut head, MAX_HEAD)?;
            if head.ends_with(b"\n\n") || head.ends_with(b"\n\r\n") {
                break parse(&head)?;
            }
        };
        match response {
            Some(interim) if interim.status().is_informational() && interim.status() != 101 => {}
            Some(response) => return Ok(response),
            None => return Err(malformed("the head ends too early")),
        }
    }
}

/// Parses malformed headers as other clients do. `None` if `head` has only empty lines.
fn parse(head: &[u8]) -> io::Result<Option<Response<()>>> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Response::new(&mut headers);
    let status = httparse::ParserConfig::default()
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .parse_response(&mut parsed, head);
    if status.map_err(Error::other)?.is_partial() {
        return Ok(None);
    }
    let mut response = Response::new(());
    *response.status_mut() =
        StatusCode::from_u16(parsed.code.unwrap_or_default()).map_err(Error::other)?;
    for header in parsed.headers {
        let lines: Vec<&[u8]> =
            header.value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).collect();
        let (name, value) =
            (HeaderName::try_from(header.name), HeaderValue::try_from(lines.join(&b' ')));
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().append(name, value);
        }
    }
    Ok(Some(response))
}

/// Reads at most one byte more than [`MAX_RESPONSE_BODY`].
fn body(wire: &mut impl BufRead, head: &Response<()>) -> io::Result<Vec<u8>> {
    const MOST: u64 = MAX_RESPONSE_BODY as u64 + 1;
    let mut body = Vec::new();
    let text = |name| head.headers().get(name).and_then(|value| value.to_str().ok());
    if matches!(head.status().as_u16(), 101 | 204 | 304) {
        return Ok(body);
    }
    if text("transfer-encoding") == Some("chunked") {
        let mut framing = Vec::new();
        loop {
            let length = chunk_length(wire, &mut framing)?;
            if length == 0 {
                // Skips the trailers.
                while !matches!(line(wire, &mut framing, MAX_HEAD)?, b"\r\n" | b"\n") {}
                return Ok(body);
            }
            append(wire, length, MOST, &mut body)?;
            if body.len() as u64 == MOST {
                return Ok(body);
            }
            if line(wire, &mut Vec::new(), 2)? != b"\r\n" {
                return Err(malformed("a chunk is longer than its size"));
            }
        }
    }
    let mut lengths = head.headers().get_all("content-length").iter();
    match lengths.next() {
        Some(length) if lengths.all(|other| other == length) => {
            append(wire, number(length.as_bytes(), 10)?, MOST, &mut body)?;
        }
        Some(_) => return Err(malformed("two lengths")),
        None => _ = wire.take(MOST).read_to_end(&mut body)?,
    }
    Ok(body)
}

/// Extensions count towards the limit of a head, all of them together.
fn chunk_length(wire: &mut impl BufRead, extensions: &mut Vec<u8>) -> io::Result<u64> {
    let mut first = Vec::new();
    line(wire, &mut first, MAX_HEAD)?;
    let end = first.iter().position(|byte| *byte == b';').unwrap_or(first.len());
    extensions.extend_from_slice(&first[end..]);
    if extensions.len() > MAX_HEAD {
        return Err(malformed("too many extensions"));
    }
    number(first[..end].trim_ascii_end(), 16)
}

/// Appends `length` bytes, up to `most` bytes in all.
fn append(wire: &mut impl Read, length: u64, most: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let wanted = length.min(most - body.len() as u64);
    match wire.take(wanted).read_to_end(body)? as u64 == wanted {
        true => Ok(()),
        false => Err(ErrorKind::UnexpectedEof.into()),
    }
}

/// Appends one line with its end to `lines`, and returns it. `lines` can have up to `most` bytes.
fn line<'a>(wire: &mut impl BufRead, lines: &'a mut Vec<u8>, most: usize) -> io::Result<&'a [u8]> {
    let start = lines.len();
    wire.take((most - start.min(most)) as u64).read_until(b'\n', lines)?;
    match lines.ends_with(b"\n") && lines.len() > start {
        true => Ok(&lines[start..]),
        false if lines.len() == most => Err(malformed("too long")),
        false => Err(ErrorKind::UnexpectedEof.into()),
    }
}

/// `from_str_radix` accepts a sign, HTTP does not.
fn number(digits: &[u8], radix: u32) -> io::Result<u64> {
    let digits = str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'));
    let number = digits.and_then(|digits| u64::from_str_radix(digits, radix).ok());
    number.ok_or_else(|| malformed("not a number"))
}

fn malformed(reason: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("malformed response: {reason}"))
}
