//! The endpoint of the service.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::uri::Scheme;

use crate::InvalidValue;

/// The host of the service: its public or internal one, which depends on the region, or a custom
/// one.
///
/// Requests have virtual-hosted-style addresses, `https://{bucket}-{account id}.{host}/`. IP
/// addresses and hosts of one label, such as `localhost`, have no subdomains, so they get
/// path-style addresses, `http://127.0.0.1:9000/{bucket}/`.
///
/// ```
/// use oss_delete_vectors::Endpoint;
///
/// let gateway: Endpoint = "https://vectors.example.com:8443".parse()?;
/// assert_eq!(gateway.to_string(), "https://vectors.example.com:8443");
/// assert_eq!("ftp://example.com".parse::<Endpoint>().unwrap_err().field(), "endpoint");
/// # Ok::<_, oss_delete_vectors::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    scheme: Scheme,
    host: Host,
    path_style: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Host {
    Public,
    Internal,
    /// The host, in brackets if it is an IPv6 address, and `:port` if one was given.
    Custom(String),
}

impl Endpoint {
    const DOMAIN: &'static str = "oss-vectors.aliyuncs.com";
    const RULE: &'static str =
        "must be [http[s]://]host[:port], the host a DNS name or an IP address";

    /// `https://{region}.oss-vectors.aliyuncs.com`, reachable from anywhere. The default.
    #[must_use]
    pub const fn public() -> Self {
        Self { scheme: Scheme::HTTPS, host: Host::Public, path_style: false }
    }

    /// `https://{region}-internal.oss-vectors.aliyuncs.com`, reachable from the network of the
    /// region.
    #[must_use]
    #[doc(alias = "vpc")]
    pub const fn internal() -> Self {
        Self { scheme: Scheme::HTTPS, host: Host::Internal, path_style: false }
    }

    /// The same host over `http`. Without TLS, keys and security tokens cross the network in plain
    /// text.
    #[must_use]
    pub fn with_plain_http(mut self) -> Self {
        self.scheme = Scheme::HTTP;
        self
    }

    /// The same host with path-style addresses, for a gateway without subdomains.
    #[must_use]
    pub fn with_path_style(mut self) -> Self {
        self.path_style = true;
        self
    }

    /// The same host with the bucket and the account id before it, for a gateway with a single
    /// label that has subdomains for buckets. Not possible for an IP address.
    #[must_use]
    pub fn with_virtual_hosted_style(mut self) -> Self {
        self.path_style = false;
        self
    }

    pub(crate) fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    pub(crate) fn is_path_style(&self) -> bool {
        self.path_style
    }

    /// Host and port without the bucket. `None` for a host of OSS.
    pub(crate) fn custom_authority(&self) -> Option<&str> {
        match &self.host {
            Host::Custom(authority) => Some(authority),
            Host::Public | Host::Internal => None,
        }
    }

    /// Host and port, without the bucket.
    pub(crate) fn authority(&self, region: &str) -> String {
        match &self.host {
            Host::Public => format!("{region}.{}", Self::DOMAIN),
            Host::Internal => format!("{region}-internal.{}", Self::DOMAIN),
            Host::Custom(authority) => authority.clone(),
        }
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self::public()
    }
}

/// Parses `[http[s]://]host[:port]`. The default scheme is `https`, and a path is dropped, as in
/// the official SDKs.
impl FromStr for Endpoint {
    type Err = InvalidValue;

    /// # Errors
    ///
    /// [`InvalidValue`] naming the field `endpoint`: another scheme, user information, a query, an
    /// empty or malformed host, or a port outside 1 to 65535. A name that is not ASCII must be in
    /// its `xn--` form.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let refused = || {
            if text.contains('@') {
                // User information may contain a password.
                InvalidValue::without_value("endpoint", Self::RULE)
            } else {
                InvalidValue::new("endpoint", Self::RULE, text)
            }
        };
        let (scheme, rest) = match text.split_once("://") {
            None => (Scheme::HTTPS, text),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::HTTPS, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::HTTP, rest),
            Some(_) => return Err(refused()),
        };
        if rest.contains(['?', '#', '@', '\\']) {
            return Err(refused());
        }
        let authority = rest.split('/').next().unwrap_or_default().to_ascii_lowercase();
        // Not a colon inside an IPv6 address.
        let port_at = authority.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match authority[port_at..].find(':') {
            None => (authority.as_str(), None),
            Some(colon) => (&authority[..port_at + colon], Some(&authority[port_at + colon + 1..])),
        };
        // Leading zeros could make the URI too long.
        let is_port = |port: &str| {
            port.len() <= 5
                && port.bytes().all(|b| b.is_ascii_digit())
                && port.parse::<u16>().is_ok_and(|n| n != 0)
        };
        if !port.is_none_or(is_port) {
            return Err(refused());
        }
        let ipv6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_ip = ipv6.map_or_else(
            || host.parse::<Ipv4Addr>().is_ok(),
            |host| host.parse::<Ipv6Addr>().is_ok(),
        );
        if !is_ip && !is_dns_name(host) {
            return Err(refused());
        }
        // A name with one label, such as `localhost` or that of a container, has no subdomains.
        let path_style = is_ip || !host.trim_end_matches('.').contains('.');
        Ok(Self { scheme, host: Host::Custom(authority), path_style })
    }
}

/// For messages. It cannot always be parsed: a host that depends on the region contains `{region}`,
/// and path style is not shown.
impl fmt::Display for Endpoint {
    /// The URL, with `{region}` instead of the region.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority("{region}"))
    }
}

/// Whether `host` is a DNS name: at most 253 characters in labels of 1 to 63. The last label must
/// not be a number, because some resolvers parse `127.1` as an address.
pub(crate) fn is_dns_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= 253
        && host.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}
