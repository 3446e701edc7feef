//! Transports carry a request and bring its answer back, and decide nothing.
//!
//! ```text
//! send(http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError>
//! ```
//!
//! `HyperTransport` (feature `hyper`) is asynchronous and runs on tokio; `UreqTransport` (feature
//! `ureq`) blocks and needs no runtime. Anything else that keeps the contract will do as well:
//!
//! * **What is signed is what is sent.** Method, target and headers go out as given. Only `host`,
//!   `content-length` and what the connection itself needs are added, and only where they are
//!   missing: no `user-agent`, no `accept`.
//! * **A status is an answer.** 403, 503 and 307 come back as responses, with their bodies. No
//!   redirect is followed: a signature is good for one host and one target.
//! * **One call, at most one arrival.** A request is not sent a second time once a byte of it may
//!   have left; to retry is the caller's decision, with a new signature.
//! * **An error says whether the request may have arrived**, see [`TransportError`].
//! * **Time and memory are bounded**: a call ends within its timeouts, a body within
//!   [`MAX_RESPONSE_BODY`].
//!
//! One call is a transport's `delete_vectors`; any number of keys its `delete_all`, or a [`Run`] where more is wanted.
//!
//! Both transports speak HTTP/1.1, reuse connections, and use rustls with the *ring* provider; the
//! process-wide default provider is neither read nor set. Neither looks at the environment: a proxy
//! is used only where one is handed in.
//!
//! # Metrics
//!
//! There is no metrics facade to set up: take the numbers where they are and hand them to yours.
//!
//! * [`Run::on_progress`] shows the [`BulkDelete`](crate::bulk::BulkDelete) every so often:
//!   [`report`](crate::bulk::BulkDelete::report) has the counters (deleted, throttled, retries, requests),
//!   [`in_flight`](crate::bulk::BulkDelete::in_flight) and
//!   [`per_second`](crate::bulk::BulkDelete::per_second) the gauges.
//! * [`Run::on_event`] gives each [`Event`](crate::bulk::Event): throttles, retries, outages and their ends.
//! * With feature `tracing` each request is a span, whose duration is its latency.
//!
//! # Thread safety
//!
//! * Transports, [`StopHandle`], [`Target`](crate::Target) and [`Credentials`](crate::Credentials) are
//!   `Send + Sync` and cheap to clone. Clones of a transport share its connections.
//! * A `BulkDelete` is `Send + Sync`, and one loop drives it through `&mut`.
//! * Two runs do not share their pace. One run over all keys is faster than two that throttle each other.

#[cfg(any(feature = "hyper", feature = "ureq"))]
mod algorithm;
#[cfg(any(feature = "hyper", feature = "serve"))]
mod body;
#[cfg(any(feature = "hyper", feature = "ureq"))]
mod call;
mod call_error;
mod clock;
mod error;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(any(feature = "hyper", feature = "ureq"))]
mod options;
mod client;
#[cfg(feature = "serve")]
mod server;
#[cfg(any(feature = "hyper", feature = "ureq"))]
mod tls;
#[cfg(feature = "ureq")]
mod ureq;

pub use self::call_error::CallError;
pub use self::error::TransportError;
#[cfg(feature = "hyper")]
pub use self::hyper::HyperTransport;
#[cfg(any(feature = "hyper", feature = "ureq"))]
pub use self::options::{InvalidRoots, TransportOptions};
#[cfg(feature = "async")]
pub use self::client::{AsyncProvider, StreamIter, stream_iter};
pub use self::client::{BlockingProvider, NoProvider, Run, RunError, RunErrorKind, StopHandle};
#[cfg(feature = "serve")]
pub use self::server::{MAX_REQUEST_BODY, Server, ServerOptions};
#[cfg(feature = "ureq")]
pub use self::ureq::UreqTransport;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The longest timeout there is: clocks overflow past some point, and nothing takes a day.
#[cfg(any(feature = "hyper", feature = "ureq", feature = "serve"))]
const MAX_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// The largest body of an answer that is read, in bytes: 1 MiB.
///
/// The service's own answers are under a kilobyte. The limit is there for what is not the service.
pub const MAX_RESPONSE_BODY: usize = 1024 * 1024;
