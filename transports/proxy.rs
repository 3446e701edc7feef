//! A proxy that both transports send through.

use std::fmt;

use http::uri::Authority;
use zeroize::Zeroizing;

use crate::InvalidValue;

/// A proxy for [`TransportOptions::proxy`](super::TransportOptions::proxy):
/// `http://user:password@proxy.example.com:8080`.
///
/// | scheme | protocol | default port |
/// |---|---|---|
/// | `http`, the default | HTTP `CONNECT` | 80 |
/// | `https` | the same, over TLS to the proxy | 443 |
/// | `socks5`, `socks5h` | SOCKS 5 | 1080 |
///
/// An HTTP proxy gets a `CONNECT` for every URI, also for `http`, so that signed requests pass
/// unchanged. A SOCKS proxy resolves host names. User and password are percent-encoded. `Debug` and
/// `Display` show neither.
///
/// ```
/// use oss_delete_vectors::transports::Proxy;
///
/// let proxy = Proxy::parse("socks5://user:hidden@proxy.example.com")?;
/// assert_eq!(proxy.to_string(), "socks5://proxy.example.com:1080");
/// # Ok::<_, oss_delete_vectors::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(super) kind: ProxyKind,
    pub(super) authority: Authority,
    /// A user and a password. Both may be empty.
    pub(super) user: Option<(Zeroizing<String>, Zeroizing<String>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ProxyKind {
    Http,
    Https,
    Socks5,
}

impl Proxy {
    /// Parses the URL of a proxy.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the field `proxy`, without its value, which may contain a password.
    pub fn parse(url: &str) -> Result<Self, InvalidValue> {
        let rule = "must be [http|https|socks5|socks5h://][user:password@]host[:port]";
        Self::read(url).ok_or(InvalidValue::without_value("proxy", rule))
    }

    fn read(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let (kind, port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (ProxyKind::Http, 80),
            "https" => (ProxyKind::Https, 443),
            "socks5" | "socks5h" => (ProxyKind::Socks5, 1080),
            _ => return None,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let place: Authority = place.parse().ok()?;
        let authority = match place.port() {
            Some(port) if port.as_u16() == 0 => return None,
            Some(_) => place,
            None if place.as_str().ends_with(':') => return None,
            None => format!("{place}:{port}").parse().ok()?,
        };
        let user = match user.map(|user| user.split_once(':').unwrap_or((user, ""))) {
            Some((user, password)) => Some((decoded(user)?, decoded(password)?)),
            None => None,
        };
        (!authority.host().is_empty()).then_some(Self { kind, authority, user })
    }

    #[cfg(feature = "ureq")]
    pub(super) fn host(&self) -> &str {
        self.authority.host()
    }

    #[cfg(feature = "ureq")]
    pub(super) fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or_default()
    }
}

/// Decodes percent-encoding. `None` if the result is not UTF-8, or would end a header.
fn decoded(text: &str) -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = || u8::from_str_radix(str::from_utf8(tail.get(..2)?).ok()?, 16).ok();
        let is_escape = *first == b'%';
        bytes.push(if is_escape { escaped()? } else { *first });
        rest = if is_escape { &tail[2..] } else { tail };
    }
    let text = str::from_utf8(&bytes).ok().filter(|text| !text.contains(char::is_control))?;
    Some(Zeroizing::new(text.to_owned()))
}

/// The URL without user and password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            ProxyKind::Http => "http",
            ProxyKind::Https => "https",
            ProxyKind::Socks5 => "socks5",
        };
        write!(f, "{scheme}://{}", self.authority)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("url", &format_args!("{self}"))
            .field("has_user", &self.user.is_some())
            .finish()
    }
}
