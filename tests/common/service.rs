//! The service that all tests delete from: the emulator, made to refuse some keys.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Report};
use oss_delete_vectors::emulator::Emulator;
use oss_delete_vectors::{Credentials, Now, ServiceError, Target, code};

use crate::canary::SECRET;

#[derive(Clone)]
pub(crate) struct Service {
    emulator: Arc<Mutex<Emulator>>,
    pub(crate) target: Target,
    /// What the index held at first.
    keys: usize,
}

impl Service {
    /// Holds `doc-0` and so on.
    pub(crate) fn with_keys(keys: usize) -> Self {
        let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("index").build().unwrap();
        let emulator = Emulator::with_vectors(&target, credentials(), (0..keys).map(key)).unwrap();
        Self { emulator: Arc::new(Mutex::new(emulator)), target, keys }
    }

    pub(crate) fn emulator(&self) -> MutexGuard<'_, Emulator> {
        self.emulator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn bulk(&self, options: BulkOptions) -> BulkDelete {
        BulkDelete::new(&self.target, credentials(), options).unwrap()
    }

    /// Refuses batches with a key that has `poison` in it, as the service refuses what it finds fault with in a key.
    pub(crate) fn answer(&self, now: Now, request: &Request<Bytes>) -> Response<Bytes> {
        if request.body().windows(6).any(|window| window == b"poison") {
            let error = ServiceError::new(StatusCode::BAD_REQUEST, code::VECTOR_INDEX_PARAMETER_INVALID, "a key is bad");
            return error.with_request_id("1").to_response();
        }
        self.emulator().handle(now, request)
    }

    /// How many vectors are gone.
    pub(crate) fn gone(&self) -> u64 {
        (self.keys - self.emulator().len("examplebucket", "index").unwrap()) as u64
    }

    /// What is true of every run over unique keys that the index holds, at any time after it.
    pub(crate) fn check(&self, report: Report, case: &str) {
        assert_eq!(report.pending(), 0, "{case}: {report:?}");
        let gone = self.gone();
        assert!((report.deleted..=report.deleted + report.unconfirmed).contains(&gone), "{case}: {gone} gone, {report:?}");
    }
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new("LTAI5tExample", SECRET).unwrap()
}

pub(crate) fn key(number: usize) -> String {
    format!("doc-{number}")
}

/// The clocks of this machine.
pub(crate) fn real_time() -> Now {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    Now::new(START.get_or_init(Instant::now).elapsed(), SystemTime::now())
}

/// Back-off that does not keep tests waiting.
pub(crate) fn options() -> BulkOptions {
    BulkOptions::new().back_off(Duration::from_millis(10), Duration::from_millis(10))
}
