use std::fmt;

use super::encode::percent_encode;
use crate::{InvalidValue, Target};

/// The resource that a request is signed for: a bucket of an account in a region.
///
/// The account and the bucket may be any strings, and the region any that fits into a scope. So
/// requests of other clients, whose rules may differ, can be signed and verified too. For requests
/// of this crate, convert a [`Target`] into a `Resource`.
///
/// ```
/// use oss_delete_vectors::signing::Resource;
///
/// let resource = Resource::new("cn-hangzhou", "1234567890123456", "examplebucket")?;
/// assert_eq!(resource.to_string(), "acs:ossvector:cn-hangzhou:1234567890123456:examplebucket");
/// # Ok::<_, oss_delete_vectors::InvalidValue>(())
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
    /// [`InvalidValue`] if `region` is empty, or contains anything but visible ASCII without `/`
    /// and `,`. These two separate the parts of an authorization.
    pub fn new(region: &str, account_id: &str, bucket: &str) -> Result<Self, InvalidValue> {
        if region.is_empty()
            || !region.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b','))
        {
            return Err(InvalidValue::new(
                "region",
                "must be visible ASCII without '/' and ','",
                region,
            ));
        }
        Ok(Self::of(region, account_id, bucket))
    }

    /// Skips the check of a region that is known to be valid, or is only compared.
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

    /// The region, which is also part of the scope.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// `/acs%3Aossvector%3A{region}%3A{account}%3A{bucket}/`, independent of the host and path.
    pub(super) fn canonical_uri(&self) -> &[u8] {
        &self.canonical_uri
    }
}

impl From<&Target> for Resource {
    fn from(target: &Target) -> Self {
        Self::of(target.region(), target.account_id(), target.bucket())
    }
}

// Not derived: the canonical URI would print as bytes, and adds nothing to the name.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("region", &self.region)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The name used in access policies: `acs:ossvector:{region}:{account id}:{bucket}`.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_of_a_name_stay_in_the_canonical_uri() {
        let resource = Resource::new("cn-hangzhou", "1", "a/b c/").unwrap();
        assert_eq!(resource.to_string(), "acs:ossvector:cn-hangzhou:1:a/b c/");
        assert_eq!(resource.canonical_uri(), b"/acs%3Aossvector%3Acn-hangzhou%3A1%3Aa/b%20c//");
    }
}
