use std::fmt;

use super::encode::percent_encode;
use crate::{Invalid, Target};

/// What a request is signed for: a bucket of an account in a region.
///
/// Account and bucket may be any strings, the region any that a scope can hold, so that requests of other clients, whose rules
/// may differ, can be signed and verified too. For requests of this crate, make it from a [`Target`].
///
/// ```
/// use oss_delete_vectors::signing::Resource;
///
/// let resource = Resource::new("cn-hangzhou", "1234567890123456", "examplebucket")?;
/// assert_eq!(resource.to_string(), "acs:ossvector:cn-hangzhou:1234567890123456:examplebucket");
/// # Ok::<_, oss_delete_vectors::Invalid>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Resource {
    region: String,
    name: String,
    canonical_uri: Vec<u8>,
}

impl Resource {
    /// The bucket `bucket` of the account `account_id` in `region`.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when `region` is empty or has anything but visible ASCII, or one of the characters `/` and `,`, which end
    /// the part of the authorization that it stands in.
    pub fn new(region: &str, account_id: &str, bucket: &str) -> Result<Self, Invalid> {
        if region.is_empty() || !region.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b',')) {
            return Err(Invalid::new("region", "must be visible ASCII without '/' and ','", region));
        }
        Ok(Self::of(region, account_id, bucket))
    }

    /// With a region that was checked before, or that is only held against others.
    pub(crate) fn of(region: &str, account_id: &str, bucket: &str) -> Self {
        let name = format!("acs:ossvector:{region}:{account_id}:{bucket}");
        let mut canonical_uri = vec![b'/'];
        for (position, segment) in name.split('/').enumerate() {
            if position > 0 {
                canonical_uri.push(b'/');
            }
            percent_encode(segment.as_bytes(), &mut canonical_uri);
        }
        canonical_uri.push(b'/');
        Self { region: region.to_owned(), name, canonical_uri }
    }

    /// The region, which is also a part of the scope.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// `/acs%3Aossvector%3A{region}%3A{account}%3A{bucket}/`, whatever host and path the request goes to.
    pub(super) fn canonical_uri(&self) -> &[u8] {
        &self.canonical_uri
    }
}

impl From<&Target> for Resource {
    fn from(target: &Target) -> Self {
        Self::of(target.region(), target.account_id(), target.bucket())
    }
}

// By hand, because the canonical URI is bytes, and says nothing that the name does not.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource").field("region", &self.region).field("name", &self.name).finish_non_exhaustive()
    }
}

/// The name that access policies use: `acs:ossvector:{region}:{account id}:{bucket}`.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
