//! A bare HTTP/1.1 server on loopback. Reads a request by its content length, ignores the rest, and
//! responds with prepared bytes. It does as little as possible, because it shares the machine with
//! the clients.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use httpdate::HttpDate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::clients::BATCH;
use crate::series::Arrival;

const DELETED: &[u8] = b"HTTP/1.1 204 No Content\r\nx-oss-request-id: 534B371674A4D890XXXX\r\n\r\n";

/// Throttling, for `aws-sdk-s3vectors`.
const REFUSED_BY_S3: (&str, &str) = (
    "429 Too Many Requests\r\nx-amzn-errortype: TooManyRequestsException",
    r#"{"message":"too fast"}"#,
);

/// The response of the service.
const REFUSED_BY_OSS: (&str, &str) = (
    "503 Service Unavailable\r\nx-oss-request-id: 534B371674A4D890XXXX",
    r#"{"Error":{"Code":"QpsLimitExceeded","Message":"too fast","RequestId":"534B371674A4D890XXXX","EC":"0"}}"#,
);

/// With a date, because the Python SDK requires one in errors.
fn refusal((head, body): (&str, &str)) -> Vec<u8> {
    let (date, length) = (HttpDate::from(SystemTime::now()), body.len());
    let rest =
        format!("date: {date}\r\ncontent-type: application/json\r\ncontent-length: {length}");
    format!("HTTP/1.1 {head}\r\n{rest}\r\n\r\n{body}").into_bytes()
}

/// The limit of a service: a token bucket of requests, and one of keys, each as deep as a second.
#[derive(Clone, Copy)]
pub struct Limit {
    /// In the series, and in the arguments of `server`.
    pub name: &'static str,
    pub requests_per_second: f64,
    pub keys_per_second: Option<f64>,
    pub latency: Duration,
}

impl Limit {
    pub const REQUESTS: Self = Self {
        name: "requests",
        requests_per_second: 50.0,
        keys_per_second: None,
        latency: Duration::ZERO,
    };

    /// The one of the service's documentation, for the operations that write and delete vectors.
    pub const DOCUMENTED: Self = Self {
        name: "documented",
        requests_per_second: 1000.0,
        keys_per_second: Some(2500.0),
        latency: Duration::ZERO,
    };

    pub const ALL: [Self; 2] = [Self::REQUESTS, Self::DOCUMENTED];

    /// How many full batches it accepts per second.
    #[must_use]
    pub fn batches_per_second(&self) -> f64 {
        let keys = self.keys_per_second.unwrap_or(f64::INFINITY);
        self.requests_per_second.min(keys / BATCH as f64)
    }

    /// The least number of seconds for so many full batches: what the bucket holds goes at once.
    #[must_use]
    pub fn ideal(&self, batches: usize) -> f64 {
        batches as f64 / self.batches_per_second() - 1.0
    }
}

/// What the server checks before it responds.
struct Judge {
    limit: Option<Limit>,
    bucket: Mutex<Bucket>,
    refused_by_s3: Vec<u8>,
    refused_by_oss: Vec<u8>,
}

struct Bucket {
    /// Requests, and keys.
    tokens: [f64; 2],
    filled_at: Instant,
    arrivals: Vec<Arrival>,
}

/// A server on its own thread, until the process exits.
pub struct Server {
    port: u16,
    judge: Arc<Judge>,
}

impl Server {
    /// Responds to everything with 204.
    #[must_use]
    pub fn bare() -> Self {
        Self::start(None)
    }

    /// Responds with 204 while the token bucket lasts, else with 429 to S3 requests and 503 to
    /// others.
    #[must_use]
    pub fn throttled(limit: Limit) -> Self {
        Self::start(Some(limit))
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The requests so far at a throttled server, with times since the first one.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.judge.bucket.lock().unwrap().arrivals.clone()
    }

    fn start(limit: Option<Limit>) -> Self {
        let bucket = Bucket {
            tokens: limit.map_or([0.0; 2], per_second),
            filled_at: Instant::now(),
            arrivals: Vec::new(),
        };
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

/// Serves one connection until it closes. Errors are ignored: the client notices them.
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
        let keys = keys(&buffer[head..head + length]);
        buffer.copy_within(head + length..filled, 0);
        filled -= head + length;
        let answer = match judge.limit {
            None => DELETED,
            Some(limit) => {
                if !limit.latency.is_zero() {
                    tokio::time::sleep(limit.latency).await;
                }
                match (judge.accepts(limit, keys), is_s3) {
                    (true, _) => DELETED,
                    (false, true) => &judge.refused_by_s3,
                    (false, false) => &judge.refused_by_oss,
                }
            }
        };
        stream.write_all(answer).await?;
    }
}

async fn read_more(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    filled: usize,
) -> std::io::Result<usize> {
    if filled == buffer.len() {
        buffer.resize(2 * filled, 0);
    }
    match stream.read(&mut buffer[filled..]).await? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        read => Ok(filled + read),
    }
}

/// The lengths of the head and the body of the first request in `bytes`. `None` if its head is
/// incomplete.
fn message(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(bytes).expect("clients send HTTP/1.1")
    else {
        return None;
    };
    let length =
        request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.map_or(0, |header| {
        str::from_utf8(header.value).unwrap().parse().expect("a length is a number")
    });
    Some((head, length))
}

/// The number of keys in a body. They are in its only array, and have no commas.
fn keys(body: &[u8]) -> usize {
    let array = body.iter().skip_while(|byte| **byte != b'[').take_while(|byte| **byte != b']');
    array.filter(|byte| **byte == b',').count() + 1
}

/// Requests and keys: also what each bucket holds at most.
fn per_second(limit: Limit) -> [f64; 2] {
    [limit.requests_per_second, limit.keys_per_second.unwrap_or(f64::MAX)]
}

impl Judge {
    fn accepts(&self, limit: Limit, keys: usize) -> bool {
        let mut bucket = self.bucket.lock().unwrap();
        let now = Instant::now();
        let elapsed = now - std::mem::replace(&mut bucket.filled_at, now);
        for (tokens, rate) in bucket.tokens.iter_mut().zip(per_second(limit)) {
            *tokens = (*tokens + elapsed.as_secs_f64() * rate).min(rate);
        }
        let taken = [1.0, keys as f64];
        let is_accepted = bucket.tokens.iter().zip(taken).all(|(tokens, amount)| *tokens >= amount);
        if is_accepted {
            bucket.tokens.iter_mut().zip(taken).for_each(|(tokens, amount)| *tokens -= amount);
        }
        let at = bucket.arrivals.last().map_or(Duration::ZERO, |last| last.at + elapsed);
        bucket.arrivals.push(Arrival { at, is_accepted });
        is_accepted
    }
}
