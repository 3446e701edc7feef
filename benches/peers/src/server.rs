//! A bare HTTP/1.1 server on loopback: reads a request by its content length, looks at nothing else and answers with bytes that
//! are ready. It does as little as it can, for it shares the machine with what is measured.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use httpdate::HttpDate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::series::Arrival;

const DELETED: &[u8] = b"HTTP/1.1 204 No Content\r\nx-oss-request-id: 534B371674A4D890XXXX\r\n\r\n";

/// What `aws-sdk-s3vectors` takes for throttling.
const REFUSED_BY_S3: (&str, &str) =
    ("429 Too Many Requests\r\nx-amzn-errortype: TooManyRequestsException", r#"{"message":"too fast"}"#);

/// What the service answers.
const REFUSED_BY_OSS: (&str, &str) = (
    "503 Service Unavailable\r\nx-oss-request-id: 534B371674A4D890XXXX",
    r#"{"Error":{"Code":"QpsLimitExceeded","Message":"too fast","RequestId":"534B371674A4D890XXXX","EC":"0"}}"#,
);

/// With a date, for the Python SDK takes no error without one.
fn refusal((head, body): (&str, &str)) -> Vec<u8> {
    let (date, length) = (HttpDate::from(SystemTime::now()), body.len());
    let rest = format!("date: {date}\r\ncontent-type: application/json\r\ncontent-length: {length}");
    format!("HTTP/1.1 {head}\r\n{rest}\r\n\r\n{body}").into_bytes()
}

/// The limit of a service, and how far away it is.
#[derive(Clone, Copy)]
pub struct Limit {
    pub per_second: f64,
    pub depth: f64,
    pub latency: Duration,
}

impl Limit {
    /// The one that all clients are compared under; goals and chart speak of it.
    pub const OF_THE_COMPARISON: Self = Self { per_second: 50.0, depth: 50.0, latency: Duration::ZERO };
}

/// What the server looks at before it answers.
struct Judge {
    limit: Option<Limit>,
    bucket: Mutex<Bucket>,
    refused_by_s3: Vec<u8>,
    refused_by_oss: Vec<u8>,
}

struct Bucket {
    tokens: f64,
    filled_at: Instant,
    arrivals: Vec<Arrival>,
}

/// A server on a thread of its own, for as long as the process lasts.
pub struct Server {
    port: u16,
    judge: Arc<Judge>,
}

impl Server {
    /// Answers 204 to everything.
    #[must_use]
    pub fn bare() -> Self {
        Self::start(None)
    }

    /// Answers 204 while its token bucket lasts, and refuses otherwise: 429 to requests of S3, 503 to all others.
    #[must_use]
    pub fn throttled(limit: Limit) -> Self {
        Self::start(Some(limit))
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What has arrived so far at a throttled server, times counted from the first arrival.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.judge.bucket.lock().unwrap().arrivals.clone()
    }

    fn start(limit: Option<Limit>) -> Self {
        let bucket = Bucket { tokens: limit.map_or(0.0, |limit| limit.depth), filled_at: Instant::now(), arrivals: Vec::new() };
        let judge = Arc::new(Judge {
            limit,
            bucket: Mutex::new(bucket),
            refused_by_s3: refusal(REFUSED_BY_S3),
            refused_by_oss: refusal(REFUSED_BY_OSS),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::clone(&judge);
        thread::spawn(move || {
            runtime.block_on(async {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(connection(stream, Arc::clone(&shared)));
                }
            });
        });
        Self { port, judge }
    }
}

/// Answers one connection's requests until it closes. A connection that breaks is its client's affair.
async fn connection(mut stream: TcpStream, judge: Arc<Judge>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 64 * 1024];
    let mut filled = 0;
    loop {
        let Some((head, length)) = message(&buffer[..filled]) else {
            filled = read_more(&mut stream, &mut buffer, filled).await?;
            continue;
        };
        let is_s3 = buffer.starts_with(b"POST /DeleteVectors ");
        while filled < head + length {
            filled = read_more(&mut stream, &mut buffer, filled).await?;
        }
        buffer.copy_within(head + length..filled, 0);
        filled -= head + length;
        let answer = match judge.limit {
            None => DELETED,
            Some(limit) => {
                if !limit.latency.is_zero() {
                    tokio::time::sleep(limit.latency).await;
                }
                match (judge.accepts(limit), is_s3) {
                    (true, _) => DELETED,
                    (false, true) => &judge.refused_by_s3,
                    (false, false) => &judge.refused_by_oss,
                }
            }
        };
        stream.write_all(answer).await?;
    }
}

async fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>, filled: usize) -> std::io::Result<usize> {
    if filled == buffer.len() {
        buffer.resize(2 * filled, 0);
    }
    match stream.read(&mut buffer[filled..]).await? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        read => Ok(filled + read),
    }
}

/// The length of the head and of the body of the request at the front of `bytes`; `None` while its head is not all there.
fn message(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(bytes).expect("clients send HTTP/1.1") else { return None };
    let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.map_or(0, |header| str::from_utf8(header.value).unwrap().parse().expect("a length is a number"));
    Some((head, length))
}

impl Judge {
    fn accepts(&self, limit: Limit) -> bool {
        let mut bucket = self.bucket.lock().unwrap();
        let now = Instant::now();
        let refill = (now - bucket.filled_at).as_secs_f64() * limit.per_second;
        bucket.tokens = (bucket.tokens + refill).min(limit.depth);
        let elapsed = now - std::mem::replace(&mut bucket.filled_at, now);
        let at = bucket.arrivals.last().map_or(Duration::ZERO, |last| last.at + elapsed);
        let is_accepted = bucket.tokens >= 1.0;
        if is_accepted {
            bucket.tokens -= 1.0;
        }
        bucket.arrivals.push(Arrival { at, is_accepted });
        is_accepted
    }
}
