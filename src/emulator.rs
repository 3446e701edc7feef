//! An emulator of the service, without network and clock: `http::Request` in, `http::Response` out.
//!
//! It implements the operations that an application needs to put vectors, delete them and check the
//! result: `DeleteVectors`, `ListVectors`, `GetVectors` and `PutVectors`.
//!
//! ```
//! use std::time::{Duration, UNIX_EPOCH};
//! use oss_delete_vectors::emulator::Emulator;
//! use oss_delete_vectors::signing::Signer;
//! use oss_delete_vectors::{Credentials, DeleteVectors, KeyBatch, Now, Operation, Target};
//!
//! let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket")
//!     .index_name("vectorindex1")
//!     .build()?;
//! let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
//! let keys = ["doc-001", "doc-002"];
//! let mut emulator = Emulator::with_vectors(&target, credentials.clone(), keys)?;
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
mod filter;
mod handle;
mod identity;
mod index;
mod rate_limit;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use self::index::{Index, Listings};
use crate::{Credentials, InvalidValue, Key, ServiceError, Target, Vector};

pub use faults::{Fault, Faults};
pub use faulty_network::{FaultyNetwork, NetworkEvent, Outage};
pub use identity::Identity;
pub use rate_limit::RateLimit;

/// One account in one region: its vector buckets, their indexes and vectors, and the identities
/// that may use them.
///
/// The emulator is deterministic: the same requests at the same times get the same responses, byte
/// for byte. [`handle`](Self::handle) lists its checks in order.
///
/// ```
/// use http::StatusCode;
/// use oss_delete_vectors::emulator::{Emulator, RateLimit};
/// use oss_delete_vectors::{DeleteVectors, Operation, ServiceError, code};
/// # use std::time::{Duration, UNIX_EPOCH};
/// # use oss_delete_vectors::{Credentials, KeyBatch, Now, Target, signing::Signer};
/// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket")
/// #     .index_name("vectorindex1")
/// #     .build()?;
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// # let now = Now::new(Duration::ZERO, UNIX_EPOCH + Duration::from_secs(1_702_743_657));
/// # let keys = KeyBatch::new(["doc-001", "doc-002"])?;
/// # let mut request = DeleteVectors::new(&target, keys).to_request();
/// # Signer::new(&target, credentials.clone()).sign(&mut request, now.wall);
///
/// let mut emulator = Emulator::with_vectors(&target, credentials, ["doc-001", "doc-002"])?;
/// // Fail in the middle of a batch, as the service may.
/// let status = StatusCode::INTERNAL_SERVER_ERROR;
/// emulator.fail_next(ServiceError::new(status, code::INTERNAL_ERROR, "broken"), 1);
/// let error = DeleteVectors::parse_response(&emulator.handle(now, &request)).unwrap_err();
/// assert!(error.may_have_deleted());
/// assert_eq!(emulator.len("examplebucket", "vectorindex1"), Some(1));
/// // Allow one request per second, without bursts.
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
    /// Requests with one of these keys are rejected.
    rejected_keys: BTreeSet<Box<str>>,
    /// Requests with one of these keys always fail.
    failing_keys: BTreeSet<Box<str>>,
    rate_limit: Option<RateLimit>,
    listings: Listings,
    ignores_filters: bool,
    failures: VecDeque<PlannedFailure>,
    requests: u64,
    deleted_keys: u64,
    deleted_vectors: u64,
}

#[derive(Debug, Clone)]
struct Bucket {
    /// The bucket, without an index.
    target: Target,
    indexes: BTreeMap<String, Index>,
}

/// A requested failure; see [`Emulator::fail_next`].
#[derive(Debug, Clone)]
struct PlannedFailure {
    error: ServiceError,
    deleted_keys: usize,
}

impl Emulator {
    /// An account without buckets and identities.
    #[must_use]
    pub fn new(region: impl Into<String>, account_id: impl Into<String>) -> Self {
        Self {
            region: region.into(),
            account_id: account_id.into(),
            buckets: BTreeMap::new(),
            identities: BTreeMap::new(),
            rejected_keys: BTreeSet::new(),
            failing_keys: BTreeSet::new(),
            rate_limit: None,
            listings: Listings::default(),
            ignores_filters: false,
            failures: VecDeque::new(),
            requests: 0,
            deleted_keys: 0,
            deleted_vectors: 0,
        }
    }

    /// An account with the index of `target`, which contains `keys`, and one identity without
    /// restrictions.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if `target` has no index, or the errors of
    /// [`put_vectors`](Self::put_vectors).
    pub fn with_vectors<I>(
        target: &Target,
        credentials: Credentials,
        keys: I,
    ) -> Result<Self, InvalidValue>
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

    /// Puts vectors with only a key into an index. Creates the index and its bucket if necessary,
    /// even without keys.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if the name of the bucket or the index, or one of the keys, is invalid.
    /// Keys before the invalid one are stored. An index name has 1 to 63 letters and digits; the
    /// first is a letter.
    pub fn put_vectors<I>(
        &mut self,
        bucket: &str,
        index_name: &str,
        keys: I,
    ) -> Result<(), InvalidValue>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let index = self.index_to_fill(bucket, index_name)?;
        for key in keys {
            index.put_key(Key::new(key.as_ref())?.as_str());
        }
        Ok(())
    }

    /// Puts vectors with their data and metadata into an index. Creates the index and its bucket if
    /// necessary. Data may have any dimension.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if the name of the bucket or the index is invalid.
    pub fn put_whole_vectors(
        &mut self,
        bucket: &str,
        index_name: &str,
        vectors: impl IntoIterator<Item = Vector>,
    ) -> Result<(), InvalidValue> {
        let index = self.index_to_fill(bucket, index_name)?;
        vectors.into_iter().for_each(|vector| index.put(vector));
        Ok(())
    }

    fn index_to_fill(
        &mut self,
        bucket: &str,
        index_name: &str,
    ) -> Result<&mut Index, InvalidValue> {
        check_index_name(index_name)?;
        if !self.buckets.contains_key(bucket) {
            let target = Target::builder()
                .region(&self.region)
                .account_id(&self.account_id)
                .bucket(bucket)
                .build()?;
            self.buckets.insert(bucket.to_owned(), Bucket { target, indexes: BTreeMap::new() });
        }
        let indexes = &mut self.buckets.get_mut(bucket).expect("inserted above").indexes;
        Ok(indexes.entry(index_name.to_owned()).or_default())
    }

    /// Adds an identity. Replaces one with the same AccessKey id.
    pub fn add_identity(&mut self, identity: Identity) {
        self.identities.insert(identity.access_key_id().to_owned(), identity);
    }

    /// Removes an identity. Returns `false` if the AccessKey id is unknown.
    pub fn remove_identity(&mut self, access_key_id: &str) -> bool {
        self.identities.remove(access_key_id).is_some()
    }

    /// Deletes an index with its vectors. Returns `false` if there is no such index.
    pub fn remove_index(&mut self, bucket: &str, index_name: &str) -> bool {
        self.buckets
            .get_mut(bucket)
            .is_some_and(|bucket| bucket.indexes.remove(index_name).is_some())
    }

    /// Rejects every request with one of `keys` from now on, with `VectorIndexParameterInvalid`.
    /// Simulates keys that this crate accepts and the service rejects. It is unknown whether such
    /// keys exist.
    pub fn reject_keys<I>(&mut self, keys: I)
    where
        I: IntoIterator,
        I::Item: Into<Box<str>>,
    {
        self.rejected_keys.extend(keys.into_iter().map(Into::into));
    }

    /// Fails every request with one of `keys` from now on, with `500 InternalError`, and deletes
    /// none of its keys.
    pub fn fail_keys<I>(&mut self, keys: I)
    where
        I: IntoIterator,
        I::Item: Into<Box<str>>,
    {
        self.failing_keys.extend(keys.into_iter().map(Into::into));
    }

    /// Limits requests and their keys. `None`, the default, means no limit.
    pub fn set_rate_limit(&mut self, rate_limit: Option<RateLimit>) {
        self.rate_limit = rate_limit;
    }

    /// Listings return a vector for this long after its deletion. The service does not document
    /// whether a listing sees deletes at once. Zero by default. `GetVectors` always sees them at
    /// once.
    pub fn set_listing_delay(&mut self, delay: Duration) {
        self.listings.delay = delay;
    }

    /// Rejects the tokens of pages that were returned longer than `lifetime` ago. `None`, the
    /// default, means never.
    pub fn set_token_lifetime(&mut self, lifetime: Option<Duration>) {
        self.listings.token_lifetime = lifetime;
    }

    /// Listings ignore filters, like an endpoint without support for them. Filters have no effect
    /// and are not checked.
    pub fn set_ignores_filters(&mut self, ignores_filters: bool) {
        self.ignores_filters = ignores_filters;
    }

    /// Responds to the next request that passes all checks with `error`, after deleting its first
    /// `deleted_keys` keys: a write that is not atomic. Each further call applies to one more
    /// request.
    pub fn fail_next(&mut self, error: ServiceError, deleted_keys: usize) {
        self.failures.push_back(PlannedFailure { error, deleted_keys });
    }

    /// Whether the index has a vector with this key. `false` if there is no such index.
    #[must_use]
    pub fn contains(&self, bucket: &str, index_name: &str, key: &str) -> bool {
        self.index(bucket, index_name).is_some_and(|index| index.contains(key))
    }

    /// The number of vectors in the index. `None` if there is no such index.
    #[must_use]
    pub fn len(&self, bucket: &str, index_name: &str) -> Option<usize> {
        self.index(bucket, index_name).map(Index::len)
    }

    /// The keys of the vectors in the index, sorted. Empty if there is no such index.
    pub fn keys(&self, bucket: &str, index_name: &str) -> impl Iterator<Item = &str> {
        self.index(bucket, index_name).into_iter().flat_map(Index::keys)
    }

    /// The number of requests received, successful or not.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// The number of keys deleted. Counts repeated deletions and keys without a vector. For a
    /// request that [failed](Self::fail_next) in the middle, counts the keys deleted before the
    /// failure.
    #[must_use]
    pub fn deleted_keys(&self) -> u64 {
        self.deleted_keys
    }

    /// The number of vectors deleted: the part of [`deleted_keys`](Self::deleted_keys) that had a
    /// vector.
    #[must_use]
    pub fn deleted_vectors(&self) -> u64 {
        self.deleted_vectors
    }

    fn index(&self, bucket: &str, index_name: &str) -> Option<&Index> {
        self.buckets.get(bucket)?.indexes.get(index_name)
    }
}

/// The rule in the reference of `PutVectorIndex`.
fn check_index_name(index_name: &str) -> Result<(), InvalidValue> {
    let is_valid = index_name.len() <= 63
        && index_name.starts_with(|first: char| first.is_ascii_alphabetic())
        && index_name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_valid {
        Ok(())
    } else {
        Err(InvalidValue::new(
            "index name",
            "must be 1 to 63 letters and digits, the first a letter",
            index_name,
        ))
    }
}
