//! The service's side as a value: `http::Request` in, `http::Response` out, no network and no clock.
//!
//! ```
//! use std::time::{Duration, UNIX_EPOCH};
//! use oss_delete_vectors::emulator::Emulator;
//! use oss_delete_vectors::signing::Signer;
//! use oss_delete_vectors::{Credentials, DeleteVectors, KeyBatch, Now, Target};
//!
//! let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("vectorindex1").build()?;
//! let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
//! let mut emulator = Emulator::with_vectors(&target, credentials.clone(), ["doc-001", "doc-002"])?;
//!
//! let now = Now::new(Duration::ZERO, UNIX_EPOCH + Duration::from_secs(1_702_743_657));
//! let mut request = DeleteVectors::new(&target, KeyBatch::new(["doc-001"])?).to_request();
//! Signer::new(&target, credentials).sign(&mut request, now.wall);
//! DeleteVectors::parse_response(&emulator.handle(now, &request))?;
//! assert!(!emulator.contains("examplebucket", "vectorindex1", "doc-001"));
//! assert_eq!(emulator.len("examplebucket", "vectorindex1"), Some(1));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod address;
mod faults;
mod faulty_network;
mod handle;
mod identity;
mod rate_limit;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{Credentials, Invalid, Key, ServiceError, Target};

pub use faults::{Fault, Faults};
pub use faulty_network::{FaultyNetwork, NetworkEvent, Outage};
pub use identity::Identity;
pub use rate_limit::RateLimit;

/// One account of the service in one region: its vector buckets with their indexes and keys, and who may delete from them.
///
/// What is deterministic in the service is so here: the same requests at the same times give the same answers, byte for byte.
/// What it checks, and in which order, is told with [`handle`](Self::handle).
///
/// ```
/// use http::StatusCode;
/// use oss_delete_vectors::emulator::{Emulator, RateLimit};
/// use oss_delete_vectors::{DeleteVectors, ServiceError, code};
/// # use std::time::{Duration, UNIX_EPOCH};
/// # use oss_delete_vectors::{Credentials, KeyBatch, Now, Target, signing::Signer};
/// # let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("vectorindex1").build()?;
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// # let now = Now::new(Duration::ZERO, UNIX_EPOCH + Duration::from_secs(1_702_743_657));
/// # let mut request = DeleteVectors::new(&target, KeyBatch::new(["doc-001", "doc-002"])?).to_request();
/// # Signer::new(&target, credentials.clone()).sign(&mut request, now.wall);
///
/// let mut emulator = Emulator::with_vectors(&target, credentials, ["doc-001", "doc-002"])?;
/// // It fails in the middle of a batch, as the service may,
/// emulator.fail_next(ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "broken"), 1);
/// let error = DeleteVectors::parse_response(&emulator.handle(now, &request)).unwrap_err();
/// assert!(error.may_have_deleted() && emulator.len("examplebucket", "vectorindex1") == Some(1));
/// // and keeps to a limit of one request a second, and one at once.
/// emulator.set_rate_limit(Some(RateLimit::new(1.0, 1)?));
/// DeleteVectors::parse_response(&emulator.handle(now, &request))?;
/// let error = DeleteVectors::parse_response(&emulator.handle(now, &request)).unwrap_err();
/// assert_eq!((error.code(), error.is_throttling()), (code::QPS_LIMIT_EXCEEDED, true));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Emulator {
    region: String,
    account_id: String,
    buckets: BTreeMap<String, Bucket>,
    /// By AccessKey id.
    identities: BTreeMap<String, Identity>,
    /// Keys that no request may hold.
    refused_keys: BTreeSet<Box<str>>,
    rate_limit: Option<RateLimit>,
    failures: VecDeque<PlannedAnswer>,
    requests: u64,
    deleted_keys: u64,
}

#[derive(Debug, Clone)]
struct Bucket {
    /// The bucket without an index.
    target: Target,
    indexes: BTreeMap<String, BTreeSet<Box<str>>>,
}

/// An answer that was asked for; see [`Emulator::fail_next`].
#[derive(Debug, Clone)]
struct PlannedAnswer {
    error: ServiceError,
    deleted_keys: usize,
}

impl Emulator {
    /// An account without buckets and without anyone who may use it.
    #[must_use]
    pub fn new(region: impl Into<String>, account_id: impl Into<String>) -> Self {
        Self {
            region: region.into(),
            account_id: account_id.into(),
            buckets: BTreeMap::new(),
            identities: BTreeMap::new(),
            refused_keys: BTreeSet::new(),
            rate_limit: None,
            failures: VecDeque::new(),
            requests: 0,
            deleted_keys: 0,
        }
    }

    /// The account, bucket and index of `target`, the index holding `keys`, and `credentials` that may do everything.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when `target` names no index, or as [`put_vectors`](Self::put_vectors).
    pub fn with_vectors<I>(target: &Target, credentials: Credentials, keys: I) -> Result<Self, Invalid>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let index_name = target.index_name().unwrap_or_default();
        let mut emulator = Self::new(target.region(), target.account_id());
        emulator.add_identity(Identity::new(credentials));
        emulator.put_vectors(target.bucket(), index_name, keys)?;
        Ok(emulator)
    }

    /// Puts vectors into an index, creating it and its bucket where they are missing. No keys create an empty index.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when the bucket's or the index's name is none that the service takes (1 to 63 letters and digits, the first
    /// a letter), or one of the keys is no key. What came before it stays.
    pub fn put_vectors<I>(&mut self, bucket: &str, index_name: &str, keys: I) -> Result<(), Invalid>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        check_index_name(index_name)?;
        if !self.buckets.contains_key(bucket) {
            let target = Target::builder(&self.region, &self.account_id, bucket).build()?;
            self.buckets.insert(bucket.to_owned(), Bucket { target, indexes: BTreeMap::new() });
        }
        let indexes = &mut self.buckets.get_mut(bucket).expect("it is there by now").indexes;
        let index = indexes.entry(index_name.to_owned()).or_default();
        for key in keys {
            index.insert(Key::new(key.as_ref())?.as_str().into());
        }
        Ok(())
    }

    /// Lets someone in, in place of whoever had the same AccessKey id.
    pub fn add_identity(&mut self, identity: Identity) {
        self.identities.insert(identity.access_key_id().to_owned(), identity);
    }

    /// Forgets an AccessKey id. `false` where it was not known.
    pub fn remove_identity(&mut self, access_key_id: &str) -> bool {
        self.identities.remove(access_key_id).is_some()
    }

    /// Forgets an index and what is in it. `false` where there is no such index.
    pub fn remove_index(&mut self, bucket: &str, index_name: &str) -> bool {
        self.buckets.get_mut(bucket).is_some_and(|bucket| bucket.indexes.remove(index_name).is_some())
    }

    /// Refuses every request that holds one of `keys` with `VectorIndexParameterInvalid`, from now on, whatever else is in it:
    /// keys that the service judges otherwise than this crate. What makes a real key so is not known; this is for tests.
    pub fn refuse_keys<I>(&mut self, keys: I)
    where
        I: IntoIterator,
        I::Item: Into<Box<str>>,
    {
        self.refused_keys.extend(keys.into_iter().map(Into::into));
    }

    /// Limits the requests that are let through, and their keys; `None`, as at the start, lets all through.
    pub fn set_rate_limit(&mut self, rate_limit: Option<RateLimit>) {
        self.rate_limit = rate_limit;
    }

    /// Answers the next request that passes every check with `error`, after the first `deleted_keys` of its keys were deleted:
    /// a write that is not atomic. Called again, the one after it, and so on.
    pub fn fail_next(&mut self, error: ServiceError, deleted_keys: usize) {
        self.failures.push_back(PlannedAnswer { error, deleted_keys });
    }

    /// Whether the index holds a vector under this key. `false` where there is no such index.
    #[must_use]
    pub fn contains(&self, bucket: &str, index_name: &str, key: &str) -> bool {
        self.index(bucket, index_name).is_some_and(|index| index.contains(key))
    }

    /// How many vectors the index holds; `None` where there is no such index.
    #[must_use]
    pub fn len(&self, bucket: &str, index_name: &str) -> Option<usize> {
        self.index(bucket, index_name).map(BTreeSet::len)
    }

    /// How many requests came, whatever became of them.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// How many keys were deleted, each as often as it was, and whether there was a vector under it or not. Of a request that
    /// [failed](Self::fail_next) in the middle, those up to there.
    #[must_use]
    pub fn deleted_keys(&self) -> u64 {
        self.deleted_keys
    }

    fn index(&self, bucket: &str, index_name: &str) -> Option<&BTreeSet<Box<str>>> {
        self.buckets.get(bucket)?.indexes.get(index_name)
    }
}

/// The rule that the reference of `PutVectorIndex` gives.
fn check_index_name(index_name: &str) -> Result<(), Invalid> {
    let is_valid = index_name.len() <= 63
        && index_name.starts_with(|first: char| first.is_ascii_alphabetic())
        && index_name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_valid {
        Ok(())
    } else {
        Err(Invalid::new("index name", "must be 1 to 63 letters and digits, the first a letter", index_name))
    }
}
