//! The service under test: an emulator with one index, and a server on a socket once a test needs
//! its address.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Report};
use oss_delete_vectors::emulator::{Emulator, FaultyNetwork};
use oss_delete_vectors::transports::{Server, ServerOptions};
use oss_delete_vectors::{Credentials, Now, ServiceError, Target, code};

use super::calls::{ACCOUNT_ID, BUCKET, INDEX, REGION, credentials, target};

#[derive(Clone)]
pub(crate) struct Service {
    backend: Backend,
    options: ServerOptions,
    /// Between the server and the emulator.
    network: Option<Arc<Mutex<FaultyNetwork<u64>>>>,
    server: Arc<OnceLock<Server>>,
    /// The index, at the public endpoint.
    pub(crate) target: Target,
    /// The initial number of vectors.
    keys: usize,
}

/// Responds to requests, without the server.
#[derive(Clone)]
struct Backend {
    emulator: Arc<Mutex<Emulator>>,
    /// How many more requests reach the emulator. The others are denied.
    quota: Arc<AtomicU64>,
    clock: fn() -> Now,
}

impl Backend {
    fn respond(&self, now: Now, request: &Request<Bytes>) -> Response<Bytes> {
        match self
            .quota
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |quota| quota.checked_sub(1))
        {
            Ok(_) => {
                self.emulator.lock().unwrap_or_else(PoisonError::into_inner).handle(now, request)
            }
            Err(_) => ServiceError::new(StatusCode::FORBIDDEN, code::ACCESS_DENIED, "not allowed")
                .to_response(),
        }
    }
}

impl Service {
    /// An index with vectors for `keys`, which `credentials` may delete.
    pub(crate) fn new<K: AsRef<str>>(
        credentials: Credentials,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        let emulator = Emulator::with_vectors(&target(), credentials, keys).unwrap();
        let keys = emulator.len(BUCKET, INDEX).unwrap();
        let emulator = Arc::new(Mutex::new(emulator));
        let backend =
            Backend { emulator, quota: Arc::new(AtomicU64::new(u64::MAX)), clock: real_time };
        Self {
            backend,
            options: ServerOptions::new(),
            network: None,
            server: Arc::default(),
            target: target(),
            keys,
        }
    }

    pub(crate) fn holding<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self::new(credentials(), keys)
    }

    /// An index with the first `count` of [`key`].
    pub(crate) fn with_keys(count: usize) -> Self {
        Self::holding((0..count).map(key))
    }

    /// An index with doc-001 to doc-009.
    pub(crate) fn start() -> Self {
        Self::holding((1..=9).map(|number| format!("doc-{number:03}")))
    }

    /// Replaces the server's clock, which is real time by default.
    pub(crate) fn clock(mut self, clock: fn() -> Now) -> Self {
        self.backend.clock = clock;
        self
    }

    /// The options of the server.
    pub(crate) fn server_options(self, options: ServerOptions) -> Self {
        Self { options, ..self }
    }

    /// Puts the network between the server and the emulator. Quota and clock then have no effect.
    pub(crate) fn behind(self, network: FaultyNetwork<u64>) -> Self {
        Self { network: Some(Arc::new(Mutex::new(network))), ..self }
    }

    /// Lets `count` more requests reach the emulator.
    pub(crate) fn allow(&self, requests: u64) {
        self.backend.quota.store(requests, Ordering::SeqCst);
    }

    /// The response without a socket.
    pub(crate) fn respond(&self, now: Now, request: &Request<Bytes>) -> Response<Bytes> {
        self.backend.respond(now, request)
    }

    pub(crate) fn emulator(&self) -> MutexGuard<'_, Emulator> {
        self.backend.emulator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Access to the emulator, for another server or network.
    pub(crate) fn shared(&self) -> Arc<Mutex<Emulator>> {
        Arc::clone(&self.backend.emulator)
    }

    pub(crate) fn network(&self) -> MutexGuard<'_, FaultyNetwork<u64>> {
        self.network.as_ref().expect("behind a network").lock().unwrap()
    }

    /// The server. The first call starts it.
    pub(crate) fn server(&self) -> &Server {
        self.server.get_or_init(|| {
            let (address, backend) = ((Ipv4Addr::LOCALHOST, 0).into(), self.backend.clone());
            let server = match &self.network {
                Some(network) => {
                    self.options.start_faulty(address, backend.emulator, Arc::clone(network))
                }
                None => self
                    .options
                    .start(address, move |request| backend.respond((backend.clock)(), &request)),
            };
            server.unwrap()
        })
    }

    /// Stops the server. There must be no other clone.
    pub(crate) fn shut_down(&mut self) {
        Arc::get_mut(&mut self.server)
            .expect("no other clone")
            .take()
            .expect("a server")
            .shutdown();
    }

    pub(crate) fn url(&self) -> String {
        self.server().url()
    }

    /// The index at the address of the server.
    pub(crate) fn served_target(&self) -> Target {
        let target = Target::builder()
            .region(REGION)
            .account_id(ACCOUNT_ID)
            .bucket(BUCKET)
            .index_name(self.target.index_name().unwrap());
        target.endpoint(self.url().parse().unwrap()).build().unwrap()
    }

    /// The target for requests to [`respond`](Self::respond).
    pub(crate) fn bulk(&self, options: BulkOptions) -> BulkDelete {
        BulkDelete::new(&self.target, credentials(), options).unwrap()
    }

    /// The target for requests to the server.
    pub(crate) fn served_bulk(&self, options: BulkOptions) -> BulkDelete {
        BulkDelete::new(&self.served_target(), credentials(), options).unwrap()
    }

    /// The number of requests that the emulator has handled.
    pub(crate) fn requests(&self) -> u64 {
        self.emulator().requests()
    }

    /// The number of vectors in the index.
    pub(crate) fn left(&self) -> usize {
        self.emulator().len(BUCKET, INDEX).unwrap()
    }

    /// The number of deleted vectors.
    pub(crate) fn gone(&self) -> u64 {
        (self.keys - self.left()) as u64
    }

    /// Asserts what holds for every run over unique keys of the index.
    pub(crate) fn check(&self, report: Report, case: &str) {
        assert_eq!(report.pending(), 0, "{case}: {report:?}");
        let gone = self.gone();
        assert!(
            (report.deleted..=report.deleted + report.unconfirmed).contains(&gone),
            "{case}: {gone} gone, {report:?}"
        );
    }
}

pub(crate) fn key(number: usize) -> String {
    format!("doc-{number}")
}

/// The system's clocks.
pub(crate) fn real_time() -> Now {
    static START: OnceLock<Instant> = OnceLock::new();
    Now::new(START.get_or_init(Instant::now).elapsed(), SystemTime::now())
}
