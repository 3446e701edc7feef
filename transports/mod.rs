//! All I/O: HTTP clients, the loops that drive a run with them, and a server for the emulator.
//!
//! | item | feature | module |
//! |---|---|---|
//! | `HyperTransport`: an asynchronous client, on tokio | `hyper` | `hyper/` |
//! | `UreqTransport`: a blocking client, without a runtime | `ureq` | `ureq/` |
//! | `Client` (feature `async`), [`blocking::Client`]: for many callers, each with its own result | | `client/many/` |
//! | [`Run`]: drives a `BulkDelete`, on threads or (feature `async`) in a task | | `client/` |
//! | [`list_keys`], `stream_keys`, [`Matching`]: the keys of an index, as a source | | `listing/` |
//! | `Server`: the emulator on a socket | `serve` | `server/` |
//!
//! Which one to use:
//!
//! - for many callers, such as the handlers of a web service, `Client` or [`blocking::Client`];
//! - for one long list of keys, `delete` of a transport, or [`Run`] if you need a checkpoint, the
//!   outcome of each key, a way to stop, renewed credentials, or your own transport;
//! - for a prefix, a filter or a whole index, `delete_matching` of a transport or a client, or
//!   [`Matching`] for a [`Run`];
//! - for one batch, `delete_vectors` of a transport.
//!
//! # The contract of a transport
//!
//! ```text
//! send(http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError>
//! ```
//!
//! A transport carries a request and returns its response. It decides nothing. Any client that
//! keeps this contract can be used:
//!
//! * **The signed bytes are sent unchanged.** Method, target and headers are sent as they are. Only
//!   `host`, `content-length` and headers of the connection itself are added, and only if they are
//!   missing: no `user-agent`, no `accept`.
//! * **Any status is a response.** 403, 503 and 307 are returned with their bodies. No
//!   redirect is followed: a signature is valid for one host and one target. Only interim responses
//!   (1xx, except 101) are skipped.
//! * **Malformed headers are skipped**, and a folded one, or one with a space before its colon, is
//!   read. Otherwise a deletion whose response has one would stay unconfirmed.
//! * **One call, at most one arrival.** A request is never sent again once a byte of it may have
//!   been sent. The caller decides about a retry, with a new signature.
//! * **An error reports whether the request may have arrived**, see
//!   [`TransportError`](crate::TransportError). Without a connection it was surely not sent; once a
//!   connection has taken it, it may have arrived.
//! * **Time and memory are bounded**: a call ends within its timeouts, a body within
//!   [`MAX_RESPONSE_BODY`](crate::MAX_RESPONSE_BODY), and a head within some limit. A timeout is an
//!   [`io::Error`](std::io::Error) of kind `TimedOut`; sockets of `std` report `WouldBlock`.
//! * **A request marked [`Direct`](crate::credentials::Direct)**, from a credential source, is sent
//!   without a proxy and within its own timeout.
//!
//! `tests/common/own_transport.rs` in the repository is such a transport, over a `TcpStream`. It
//! runs the tests of this contract, and any other can run them in its place. `Server::start_faulty`
//! tests a whole run over a transport.
//!
//! Both transports speak HTTP/1.1, reuse connections, and use rustls with the *ring* provider; the
//! process-wide default provider is neither read nor set. Neither reads the environment: a proxy
//! is used only if you pass one.
//!
//! # Metrics
//!
//! There is no metrics facade. Pass these numbers to yours:
//!
//! * `metrics` of a client has counters and gauges in one value,
//!   [`Metrics`](crate::calls::Metrics).
//! * [`Observer::progress`] gets the [`BulkDelete`](crate::bulk::BulkDelete) at intervals:
//!   [`report`](crate::bulk::BulkDelete::report) has the counters (deleted, throttled, retries,
//!   requests), [`in_flight`](crate::bulk::BulkDelete::in_flight) and
//!   [`pace`](crate::bulk::BulkDelete::pace) the gauges.
//! * [`Observer::event`] gets each [`Event`](crate::bulk::Event): throttling, retries, outages and
//!   their ends.
//! * With feature `tracing` each request is a span, whose duration is its latency.
//!
//! # Thread safety
//!
//! * Transports, [`StopHandle`], [`Target`](crate::Target) and [`Credentials`](crate::Credentials)
//!   are `Send + Sync` and cheap to clone. Clones of a transport share its connections.
//! * A `BulkDelete` is `Send + Sync`, and one loop drives it through `&mut`.
//! * Two runs have separate pacing, and throttle each other. All calls of a client share it.

#[cfg(any(feature = "hyper", feature = "ureq"))]
mod algorithm;
#[cfg(any(feature = "hyper", feature = "serve"))]
mod body;
#[cfg(any(feature = "hyper", feature = "ureq"))]
mod call;
mod client;
mod clock;
#[cfg(feature = "hyper")]
mod hyper;
mod listing;
#[cfg(any(feature = "hyper", feature = "ureq"))]
mod options;
#[cfg(any(feature = "hyper", feature = "ureq"))]
mod proxy;
#[cfg(feature = "serve")]
mod server;
#[cfg(any(feature = "hyper", feature = "ureq"))]
mod tls;
#[cfg(feature = "ureq")]
mod ureq;

#[cfg(feature = "async")]
pub use self::client::{AsyncProvider, Client, Deleting, StreamIter, Timer, stream_iter};
pub use self::client::{
    BlockingProvider, ClientBuilder, NoProvider, Observer, OnEvent, Run, RunError, RunErrorKind,
    SourceProvider, StopHandle,
};
#[cfg(feature = "hyper")]
pub use self::hyper::HyperTransport;
pub use self::listing::{
    ClearedKeys, ListedKeys, Matching, MatchingError, MatchingKeys, MatchingObserver,
    MatchingReport, list_keys,
};
#[cfg(feature = "async")]
pub use self::listing::{MatchingStream, StreamedKeys, stream_keys};
#[cfg(any(feature = "hyper", feature = "ureq"))]
pub use self::options::{InvalidRoots, TransportOptions};
#[cfg(any(feature = "hyper", feature = "ureq"))]
pub use self::proxy::Proxy;
#[cfg(feature = "serve")]
pub use self::server::{MAX_REQUEST_BODY, Server, ServerOptions};
#[cfg(feature = "ureq")]
pub use self::ureq::UreqTransport;

/// `Client`, for any number of threads.
pub mod blocking {
    pub use super::client::BlockingClient as Client;
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The longest timeout, because clocks overflow. No call takes a day.
#[cfg(any(feature = "hyper", feature = "ureq", feature = "serve"))]
const MAX_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
