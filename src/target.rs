//! The target of deletes: the index, its bucket and the endpoint.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use http::Uri;

use crate::endpoint::is_dns_name;
use crate::{Endpoint, InvalidValue};

/// A vector index, or a vector bucket, and its endpoint. Cheap to clone.
///
/// ```
/// use oss_delete_vectors::Target;
///
/// let target = Target::builder()
///     .region("cn-hangzhou")
///     .account_id("1234567890123456")
///     .bucket("examplebucket")
///     .index_name("vectorindex1")
///     .build()?;
/// assert_eq!(
///     target.uri(),
///     "https://examplebucket-1234567890123456.cn-hangzhou.oss-vectors.aliyuncs.com/?deleteVectors",
/// );
/// # Ok::<_, oss_delete_vectors::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Shared by all targets that differ only in the index.
    bucket: Arc<Bucket>,
    index_name: Option<Arc<str>>,
}

#[derive(PartialEq, Eq, Hash)]
struct Bucket {
    region: String,
    account_id: String,
    name: String,
    endpoint: Endpoint,
    uri: Uri,
}

impl Target {
    /// Builds a target. Region, account id and bucket are required. The default endpoint is the
    /// public one of the region.
    pub fn builder() -> TargetBuilder {
        TargetBuilder {
            region: String::new(),
            account_id: String::new(),
            bucket: String::new(),
            index_name: None,
            endpoint: Endpoint::public(),
        }
    }

    /// The same bucket with another index, or without an index.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if the name is empty or an ARN.
    pub fn with_index_name(&self, index_name: Option<&str>) -> Result<Self, InvalidValue> {
        let index_name = index_name.map(parse_index_name).transpose()?;
        Ok(Self { bucket: Arc::clone(&self.bucket), index_name })
    }

    /// The region, such as `cn-hangzhou`.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.bucket.region
    }

    /// The id of the account that owns the bucket.
    #[must_use]
    pub fn account_id(&self) -> &str {
        &self.bucket.account_id
    }

    /// The bucket, without the account id.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket.name
    }

    /// The index. `None` omits it from a single request. The reference of the service allows that,
    /// but does not say what it means, so a run, a client and a listing need an index.
    #[must_use]
    pub fn index_name(&self) -> Option<&str> {
        self.index_name.as_deref()
    }

    /// An error if there is no index name, because a run or a listing needs one.
    pub(crate) fn check_index_name(&self) -> Result<(), InvalidValue> {
        let missing = || InvalidValue::without_value("index name", "must be set");
        self.index_name().map(|_| ()).ok_or_else(missing)
    }

    /// The endpoint of the service.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.bucket.endpoint
    }

    /// The URI of every request.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.bucket.uri
    }
}

/// The resource and the index as in access policies:
/// `acs:ossvector:cn-hangzhou:1234567890123456:b/vectorindex1`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "acs:ossvector:{}:{}:{}", self.region(), self.account_id(), self.bucket())?;
        self.index_name().map_or(Ok(()), |index_name| write!(f, "/{index_name}"))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("region", &self.region())
            .field("account_id", &self.account_id())
            .field("bucket", &self.bucket())
            .field("index_name", &self.index_name())
            .field("uri", self.uri())
            .finish()
    }
}

/// Builds a [`Target`]; see [`Target::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct TargetBuilder {
    region: String,
    account_id: String,
    bucket: String,
    index_name: Option<String>,
    endpoint: Endpoint,
}

impl TargetBuilder {
    /// The region, such as `cn-hangzhou`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// The id of the account that owns the bucket, such as `1234567890123456`.
    pub fn account_id(mut self, account_id: impl Into<String>) -> Self {
        self.account_id = account_id.into();
        self
    }

    /// The vector bucket, without the account id.
    pub fn bucket(mut self, bucket: impl Into<String>) -> Self {
        self.bucket = bucket.into();
        self
    }

    /// The index to delete from. Any name that is not empty; the service validates it.
    pub fn index_name(mut self, index_name: impl Into<String>) -> Self {
        self.index_name = Some(index_name.into());
        self
    }

    /// The endpoint, if it is not the public one of the region.
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = endpoint;
        self
    }

    /// Checks all parts. Those that become part of the host and the signature are checked strictly.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the field:
    /// - `region`: 1 to 63 characters of `a-z`, `0-9` and `-`, with no `-` at either end;
    /// - `account id`: 1 to 32 digits;
    /// - `bucket`: 3 to 32 characters of `a-z`, `0-9` and `-`, with no `-` at either end. Not with
    ///   the account id, as in the host (`examplebucket-1234567890123456`), and not an ARN, such as
    ///   `acs:ossvector:cn-hangzhou:1234567890123456:examplebucket/vectorindex1`;
    /// - `index name`: not empty, not an ARN;
    /// - `host`: the bucket, the account id and the host of the endpoint together must be a DNS
    ///   name. Bucket and account id share one label of 63 characters. If they do not fit, only
    ///   path style reaches the bucket.
    pub fn build(self) -> Result<Target, InvalidValue> {
        let Self { region, account_id, bucket, index_name, endpoint } = self;
        if is_arn(&bucket) {
            return Err(InvalidValue::new("bucket", NOT_AN_ARN, &bucket));
        }
        if !is_name(&region, 1..=63) {
            let rule = "must be 1 to 63 characters of a-z, 0-9 and '-', with no '-' at either end";
            return Err(InvalidValue::new("region", rule, &region));
        }
        if !(1..=32).contains(&account_id.len())
            || !account_id.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Err(InvalidValue::new("account id", "must be 1 to 32 digits", &account_id));
        }
        if !is_name(&bucket, 3..=32) {
            let rule = "must be 3 to 32 characters of a-z, 0-9 and '-', with no '-' at either end";
            return Err(InvalidValue::new("bucket", rule, &bucket));
        }
        if bucket.strip_suffix(&account_id).is_some_and(|name| name.ends_with('-')) {
            return Err(InvalidValue::new(
                "bucket",
                "must be without '-' and the account id at its end",
                &bucket,
            ));
        }
        let index_name = index_name.as_deref().map(parse_index_name).transpose()?;
        let uri = request_uri(&endpoint, &region, &account_id, &bucket)?;
        Ok(Target {
            bucket: Arc::new(Bucket { region, account_id, name: bucket, endpoint, uri }),
            index_name,
        })
    }
}

fn parse_index_name(index_name: &str) -> Result<Arc<str>, InvalidValue> {
    if index_name.is_empty() {
        return Err(InvalidValue::new("index name", "must not be empty", index_name));
    }
    if is_arn(index_name) {
        return Err(InvalidValue::new("index name", NOT_AN_ARN, index_name));
    }
    Ok(index_name.into())
}

const NOT_AN_ARN: &str = "must be the name alone, not an ARN: give its region, account id, \
                          bucket and index name each by itself";

/// Whether `name` is a resource as in access policies, with any product name, because users type
/// `oss` instead of `ossvector`.
fn is_arn(name: &str) -> bool {
    name.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("acs:"))
}

/// The common rule for buckets and regions.
fn is_name(text: &str, length: RangeInclusive<usize>) -> bool {
    length.contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn request_uri(
    endpoint: &Endpoint,
    region: &str,
    account_id: &str,
    bucket: &str,
) -> Result<Uri, InvalidValue> {
    let scheme = endpoint.scheme();
    let authority = endpoint.authority(region);
    let uri = if endpoint.is_path_style() {
        format!("{scheme}://{authority}/{bucket}/?deleteVectors")
    } else {
        let prefix = format!("{bucket}-{account_id}.");
        if authority.starts_with(&prefix) {
            let rule = "must not name the bucket: it is put before the host";
            return Err(InvalidValue::new("endpoint", rule, &authority));
        }
        let host = format!("{prefix}{}", authority.split(':').next().unwrap_or_default());
        if !is_dns_name(&host) {
            let rule = "must be a DNS name: at most 63 characters between dots, 253 in all";
            return Err(InvalidValue::new("host", rule, &host));
        }
        format!("{scheme}://{prefix}{authority}/?deleteVectors")
    };
    Ok(uri.parse().expect("every part was checked"))
}
