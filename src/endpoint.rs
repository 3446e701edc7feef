//! Where the service answers.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::uri::Scheme;

use crate::InvalidValue;

/// Where the service answers: its public or internal host, which follow from the region, or a host of your own.
///
/// Requests are addressed virtual-hosted style, `https://{bucket}-{account id}.{host}/`, except to an IP address or
/// `localhost`, which can have no names below them and get path style, `http://127.0.0.1:9000/{bucket}/`.
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
    /// Host, in brackets where it is an IPv6 address, and `:port` where one was given.
    Custom(String),
}

impl Endpoint {
    const DOMAIN: &'static str = "oss-vectors.aliyuncs.com";
    const RULE: &'static str =
        "must be [http[s]://]host[:port], the host a DNS name or an IP address";

    /// `https://{region}.oss-vectors.aliyuncs.com`: reached from anywhere. The default.
    #[must_use]
    pub const fn public() -> Self {
        Self { scheme: Scheme::HTTPS, host: Host::Public, path_style: false }
    }

    /// `https://{region}-internal.oss-vectors.aliyuncs.com`: reached from inside the region's network.
    #[must_use]
    #[doc(alias = "vpc")]
    pub const fn internal() -> Self {
        Self { scheme: Scheme::HTTPS, host: Host::Internal, path_style: false }
    }

    /// The same host over `http`, without TLS: keys and security tokens then cross the network in the clear.
    #[must_use]
    pub fn with_plain_http(mut self) -> Self {
        self.scheme = Scheme::HTTP;
        self
    }

    /// The same host addressed in path style, for a gateway that has no names for buckets.
    #[must_use]
    pub fn with_path_style(mut self) -> Self {
        self.path_style = true;
        self
    }

    pub(crate) fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    pub(crate) fn is_path_style(&self) -> bool {
        self.path_style
    }

    /// Host and port, without the bucket, where they are none of the service's own.
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

/// `[http[s]://]host[:port]`; `https` where no scheme is given, and a path is dropped, as the official SDKs do it.
impl FromStr for Endpoint {
    type Err = InvalidValue;

    /// # Errors
    ///
    /// [`InvalidValue`] naming the field `endpoint`: another scheme, user information, a query, an empty or malformed host, a port
    /// outside 1 to 65535. Names outside ASCII are taken in their `xn--` form alone.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let refused = || {
            if text.contains('@') {
                // User information may hold a password.
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
        // The colons of an IPv6 address are no port's.
        let port_at = authority.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match authority[port_at..].find(':') {
            None => (authority.as_str(), None),
            Some(colon) => (&authority[..port_at + colon], Some(&authority[port_at + colon + 1..])),
        };
        // Zeros before a port of five digits could make a URI too long to be one.
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
        let path_style = is_ip || host == "localhost";
        Ok(Self { scheme, host: Host::Custom(authority), path_style })
    }
}

/// For people, and not to be read back: where the host follows from the region it is no URL, and path style does not show.
impl fmt::Display for Endpoint {
    /// The URL; `{region}` stands for the region where the host follows from it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority("{region}"))
    }
}

/// Whether `host` is a DNS name: 253 characters in labels of 1 to 63, the last of which is not a number (`127.1` is an
/// address to some and a name to others).
pub(crate) fn is_dns_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= 253
        && host.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}
