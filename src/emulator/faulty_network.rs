use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};

use super::{Emulator, Fault, Faults, PlannedFailure};
use crate::random::Random;
use crate::{Now, ServiceError, TransportError, code};

/// The network between a client and an [`Emulator`], in virtual time. Delays and reorders requests
/// and responses, and injects [`Faults`].
///
/// It does no IO and never waits: `send` takes requests, and `poll` returns events in chronological
/// order. The same seed and inputs give the same faults. `I` is the client's id of a request, such
/// as a [`TransmitId`](crate::bulk::TransmitId).
///
/// A request has at most one fault before the service
/// ([`ConnectionRefused`](Fault::ConnectionRefused) to
/// [`RepeatedRequest`](Fault::RepeatedRequest)), at most one in the service if it passes all checks
/// ([`Throttle`](Fault::Throttle) to [`Rejection`](Fault::Rejection)), and at most one on the way
/// back ([`LostResponse`](Fault::LostResponse) to [`FlippedStatus`](Fault::FlippedStatus)).
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
/// use oss_delete_vectors::emulator::{Emulator, Fault, Faults, FaultyNetwork, NetworkEvent};
/// use oss_delete_vectors::{Credentials, Key, Now, Target};
///
/// let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket")
///     .index_name("vectorindex1")
///     .build()?;
/// let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// let keys = (0..9000).map(|n| format!("doc-{n}"));
/// let mut emulator = Emulator::with_vectors(&target, credentials.clone(), keys)?;
/// let mut network = FaultyNetwork::new(7, "lost-response=0.3,server-error=0.3".parse()?);
/// let mut bulk = BulkDelete::new(&target, credentials, BulkOptions::new())?;
/// (0..9000).try_for_each(|n| bulk.push(Key::new(&format!("doc-{n}")).unwrap()))?;
/// bulk.finish();
///
/// let start = UNIX_EPOCH + Duration::from_secs(1_702_743_657);
/// let at = |time: Duration| Now::new(time, start + time);
/// let mut now = at(Duration::ZERO);
/// while !bulk.is_finished() {
///     while let Some(transmit) = bulk.poll_transmit(now) {
///         network.send(now.monotonic, transmit.id, transmit.to_request());
///     }
///     while let Some(_event) = bulk.poll_event() {}
///     let next = network.next_event().into_iter().chain(bulk.poll_timeout()).min();
///     now = at(next.expect("an event or a timeout"));
///     while let Some(event) = network.poll(now, &mut emulator) {
///         let NetworkEvent::Delivered { id, result, .. } = event else { continue };
///         match result {
///             Ok(response) => bulk.handle_response(now, id, &response),
///             Err(failure) => bulk.handle_failure(now, id, failure),
///         }
///     }
///     bulk.handle_timeout(now);
/// }
/// assert_eq!(bulk.report().deleted, 9000);
/// assert_eq!(emulator.len("examplebucket", "vectorindex1"), Some(0));
/// assert!(network.injected(Fault::LostResponse) + network.injected(Fault::ServerError) > 0);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FaultyNetwork<I> {
    faults: Faults,
    random: Random,
    /// The minimum and the jitter of a round trip.
    latency: (Duration, Duration),
    outage: Option<(Outage, Duration)>,
    /// Ordered by time, and by number for events at the same time.
    in_transit: BTreeMap<(Duration, u64), InTransit<I>>,
    decided: u64,
    injected: [u64; Fault::COUNT],
}

/// An outage of the service or of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outage {
    /// Connections are refused, so that requests are certainly not sent.
    Refused,
    /// A gateway returns 503 with its own page. Nothing reaches the service.
    Unavailable,
    /// Requests are lost, and there are no responses.
    Silent,
    /// A proxy responds with this status and its own page. Nothing reaches the service.
    Page(StatusCode),
    /// The service responds to every request with this status and code, and deletes nothing.
    Error(StatusCode, &'static str),
}

/// An event in the network.
#[derive(Debug)]
#[non_exhaustive]
pub enum NetworkEvent<I> {
    /// The service has handled a request. Clients cannot see this; it is for tests.
    #[non_exhaustive]
    Arrived {
        /// The id of the request.
        id: I,
        /// The number of keys deleted, counted from the first, including keys that did not exist.
        executed: usize,
        /// The status that the service returned, before any faults.
        status: StatusCode,
    },
    /// An outcome to pass to the client.
    #[non_exhaustive]
    Delivered {
        /// The id of the request.
        id: I,
        /// The response, or the failure of the transport.
        result: Result<Response<Bytes>, TransportError>,
    },
}

/// Whether a request arrives once, or twice, and which arrival this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    Only,
    First,
    /// Its response is lost.
    Second,
}

#[derive(Debug)]
enum InTransit<I> {
    Request { id: I, request: Request<Bytes>, arrival: Arrival },
    Response { id: I, result: Result<Response<Bytes>, TransportError> },
}

/// The maximum delays.
const LATE_REQUEST: Duration = Duration::from_secs(120);
const LATE_RESPONSE: Duration = Duration::from_secs(180);
const REPEATED: Duration = Duration::from_secs(10);
const MAX_OUTAGE: Duration = Duration::from_secs(120);

impl<I: Copy> FaultyNetwork<I> {
    /// A network with these faults. A round trip takes 5 to 15 ms by default.
    #[must_use]
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self {
            faults,
            random: Random::new(seed),
            latency: (Duration::from_millis(5), Duration::from_millis(10)),
            outage: None,
            in_transit: BTreeMap::new(),
            decided: 0,
            injected: [0; Fault::COUNT],
        }
    }

    /// Sets the time of a round trip: `least` plus a random part of `jitter`. With jitter, requests
    /// and responses can overtake each other.
    #[must_use]
    pub fn with_latency(mut self, least: Duration, jitter: Duration) -> Self {
        self.latency = (least, jitter);
        self
    }

    /// Begins an outage until `end`, in addition to the faults. Anything already in transit still
    /// arrives.
    pub fn begin_outage(&mut self, outage: Outage, end: Duration) {
        self.outage = Some((outage, end));
    }

    /// The number of times that a fault happened.
    #[must_use]
    pub fn injected(&self, fault: Fault) -> u64 {
        self.injected[fault.index()]
    }

    /// The time of the next event. `None` if nothing is in transit.
    #[must_use]
    pub fn next_event(&self) -> Option<Duration> {
        self.in_transit.first_key_value().map(|(&(at, _), _)| at)
    }

    /// Sends a request at the monotonic time `now`.
    pub fn send(&mut self, now: Duration, id: I, request: Request<Bytes>) {
        if self.happens(Fault::Outage) {
            let outage = self.random.pick(&[Outage::Refused, Outage::Unavailable, Outage::Silent]);
            let length = Duration::from_secs(1)
                + self.part_of(MAX_OUTAGE.saturating_sub(Duration::from_secs(1)));
            self.begin_outage(outage, now + length);
        }
        let there = self.one_way();
        let back = now + there + self.one_way();
        if let Some((outage, _)) = self.outage.filter(|&(_, end)| now < end) {
            match outage {
                Outage::Refused => {
                    self.fail(back, id, TransportError::surely_not_sent("connection refused"));
                }
                Outage::Unavailable => {
                    let result = Ok(page(StatusCode::SERVICE_UNAVAILABLE, &mut self.random));
                    self.decide(back, InTransit::Response { id, result });
                }
                Outage::Silent => {}
                Outage::Page(status) => {
                    let result = Ok(page(status, &mut self.random));
                    self.decide(back, InTransit::Response { id, result });
                }
                Outage::Error(status, code) => {
                    let error =
                        ServiceError::new(status, code, "not now").with_request_id("outage");
                    self.decide(back, InTransit::Response { id, result: Ok(error.to_response()) });
                }
            }
            return;
        }
        let faults = Fault::ConnectionRefused.index()..=Fault::RepeatedRequest.index();
        let at = now + there;
        match self.first_of(&Fault::ALL[faults]) {
            Some(Fault::ConnectionRefused) => {
                self.fail(back, id, TransportError::surely_not_sent("connection refused"));
            }
            Some(Fault::LostRequest) => self.fail_or_silence(back, id),
            Some(Fault::LateRequest) => {
                let at = at + self.part_of(LATE_REQUEST);
                self.decide(at, InTransit::Request { id, request, arrival: Arrival::Only });
            }
            Some(Fault::CorruptedRequest) => {
                let request = self.corrupted(request);
                self.decide(at, InTransit::Request { id, request, arrival: Arrival::Only });
            }
            Some(Fault::RepeatedRequest) => {
                self.decide(at, InTransit::Request { id, request, arrival: Arrival::First });
            }
            _ => self.decide(at, InTransit::Request { id, request, arrival: Arrival::Only }),
        }
    }

    /// The next event up to `now`, or `None`. `now.wall` is the service's time.
    pub fn poll(&mut self, now: Now, emulator: &mut Emulator) -> Option<NetworkEvent<I>> {
        let at = self.next_event().filter(|&at| at <= now.monotonic)?;
        Some(match self.in_transit.pop_first().expect("an event").1 {
            InTransit::Response { id, result } => NetworkEvent::Delivered { id, result },
            InTransit::Request { id, request, arrival } => {
                let since = now.monotonic.saturating_sub(at);
                let then = Now::new(at, now.wall.checked_sub(since).unwrap_or(now.wall));
                let (response, executed) =
                    emulator.handle_failing(then, &request, |keys| self.fail_in_service(keys));
                let status = response.status();
                if arrival != Arrival::Second {
                    self.send_back(at, id, response);
                }
                if arrival == Arrival::First && !status.is_client_error() {
                    let again = at + self.part_of(REPEATED);
                    self.decide(
                        again,
                        InTransit::Request { id, request, arrival: Arrival::Second },
                    );
                }
                NetworkEvent::Arrived { id, executed, status }
            }
        })
    }

    /// Decides whether the service fails a request that passes its checks.
    fn fail_in_service(&mut self, keys: usize) -> Option<PlannedFailure> {
        let deleted_keys = self.random.below(keys + 1);
        match self.first_of(&[Fault::Throttle, Fault::ServerError, Fault::Rejection])? {
            Fault::Throttle => {
                let error = match self.random.below(9) {
                    0 => ServiceError::new(
                        StatusCode::TOO_MANY_REQUESTS,
                        "TooManyRequests",
                        "too fast",
                    ),
                    1 => ServiceError::new(StatusCode::BAD_REQUEST, "Throttling.User", "too fast"),
                    2..5 => ServiceError::new(
                        StatusCode::SERVICE_UNAVAILABLE,
                        code::SLOW_DOWN,
                        "slow down",
                    ),
                    _ => ServiceError::new(
                        StatusCode::SERVICE_UNAVAILABLE,
                        code::QPS_LIMIT_EXCEEDED,
                        "too fast",
                    ),
                };
                // A 4xx is a definite rejection.
                let deleted_keys = if error.may_have_deleted() { deleted_keys } else { 0 };
                let asks = self.random.below(3) == 0;
                let wait = Duration::from_secs(1 + self.random.next() % 20);
                Some(PlannedFailure {
                    error: if asks { error.with_retry_after(wait) } else { error },
                    deleted_keys,
                })
            }
            Fault::Rejection => {
                let (status, code) = self.random.pick(&[
                    (StatusCode::BAD_REQUEST, code::BAD_REQUEST),
                    (StatusCode::BAD_REQUEST, "SomethingNew"),
                    (StatusCode::BAD_REQUEST, code::BAD_ERROR_RESPONSE),
                    (StatusCode::UNAUTHORIZED, "SomethingNew"),
                    (StatusCode::FORBIDDEN, code::BAD_ERROR_RESPONSE),
                    (StatusCode::CONFLICT, "SomethingNew"),
                ]);
                Some(PlannedFailure {
                    error: ServiceError::new(status, code, "rejected for now"),
                    deleted_keys: 0,
                })
            }
            _ => {
                let (status, code) = self.random.pick(&[
                    (StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR),
                    (StatusCode::BAD_REQUEST, code::REQUEST_TIMEOUT),
                    (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
                    (StatusCode::REQUEST_TIMEOUT, "RequestTimeout"),
                ]);
                Some(PlannedFailure {
                    error: ServiceError::new(status, code, "failed in the middle"),
                    deleted_keys,
                })
            }
        }
    }

    fn send_back(&mut self, now: Duration, id: I, mut response: Response<Bytes>) {
        let at = now + self.one_way();
        let faults = Fault::LostResponse.index()..=Fault::FlippedStatus.index();
        match self.first_of(&Fault::ALL[faults]) {
            Some(Fault::LostResponse) => return self.fail_or_silence(at, id),
            Some(Fault::LateResponse) => {
                let at = at + self.part_of(LATE_RESPONSE);
                return self.decide(at, InTransit::Response { id, result: Ok(response) });
            }
            Some(Fault::RepeatedResponse) => {
                let again = at + self.part_of(REPEATED);
                self.decide(again, InTransit::Response { id, result: Ok(response.clone()) });
            }
            Some(Fault::TruncatedResponse) => {
                let length = response.body().len();
                if length == 0 || self.random.pick(&[true, false]) {
                    return self.fail(
                        at,
                        id,
                        TransportError::may_have_arrived("the response was truncated"),
                    );
                }
                response.body_mut().truncate(self.random.below(length));
            }
            Some(Fault::Page) => {
                let status = self.random.pick(&[
                    StatusCode::OK,
                    StatusCode::NO_CONTENT,
                    StatusCode::FOUND,
                    StatusCode::BAD_REQUEST,
                    StatusCode::UNAUTHORIZED,
                    StatusCode::FORBIDDEN,
                    StatusCode::NOT_FOUND,
                    StatusCode::CONFLICT,
                    StatusCode::PAYLOAD_TOO_LARGE,
                    StatusCode::TOO_MANY_REQUESTS,
                    StatusCode::METHOD_NOT_ALLOWED,
                    StatusCode::INTERNAL_SERVER_ERROR,
                    StatusCode::BAD_GATEWAY,
                    StatusCode::SERVICE_UNAVAILABLE,
                    StatusCode::GATEWAY_TIMEOUT,
                ]);
                response = page(status, &mut self.random);
            }
            Some(Fault::FlippedStatus) => {
                *response.status_mut() = self.random.pick(&[
                    StatusCode::FOUND,
                    StatusCode::REQUEST_TIMEOUT,
                    StatusCode::INTERNAL_SERVER_ERROR,
                    StatusCode::BAD_GATEWAY,
                    StatusCode::SERVICE_UNAVAILABLE,
                    StatusCode::GATEWAY_TIMEOUT,
                ]);
            }
            _ => {}
        }
        self.decide(at, InTransit::Response { id, result: Ok(response) });
    }

    fn corrupted(&mut self, request: Request<Bytes>) -> Request<Bytes> {
        let (parts, body) = request.into_parts();
        let mut body = body.to_vec();
        if !body.is_empty() {
            let position = self.random.below(body.len());
            body[position] ^= 1;
        }
        Request::from_parts(parts, body.into())
    }

    fn fail_or_silence(&mut self, at: Duration, id: I) {
        if self.random.pick(&[true, false]) {
            self.fail(at, id, TransportError::may_have_arrived("connection reset"));
        }
    }

    fn fail(&mut self, at: Duration, id: I, failure: TransportError) {
        self.decide(at, InTransit::Response { id, result: Err(failure) });
    }

    fn decide(&mut self, at: Duration, in_transit: InTransit<I>) {
        self.in_transit.insert((at, self.decided), in_transit);
        self.decided += 1;
    }

    /// The first of `faults` that happens this time.
    fn first_of(&mut self, faults: &[Fault]) -> Option<Fault> {
        faults.iter().copied().find(|&fault| self.happens(fault))
    }

    fn happens(&mut self, fault: Fault) -> bool {
        let happens = self.faults.happens(fault, &mut self.random);
        self.injected[fault.index()] += u64::from(happens);
        happens
    }

    fn one_way(&mut self) -> Duration {
        let (least, jitter) = self.latency;
        least / 2 + self.part_of(jitter / 2)
    }

    fn part_of(&mut self, whole: Duration) -> Duration {
        whole.mul_f64(self.random.fraction())
    }
}

/// A response that is not from the service: a page, an empty body, or other JSON.
fn page(status: StatusCode, random: &mut Random) -> Response<Bytes> {
    let body = match random.below(4) {
        0 => String::new(),
        1 => "{}".to_owned(),
        _ => format!("<html><body><h1>{status}</h1></body></html>"),
    };
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}
