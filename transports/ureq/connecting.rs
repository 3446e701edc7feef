//! Connecting in ureq: includes the name lookup, and has its own errors.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "an adapter looks names up"
)]

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::Builder;
use std::{fmt, io};

use http::Uri;
use ureq::Error::{HostNotFound, Other};
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport,
};

use super::heads::LenientHeads;

/// Marks an error of connecting. The same IO error means "surely not sent" here and "may have
/// arrived" later, and ureq does not distinguish them.
#[derive(Debug)]
pub(super) struct NotConnected(pub(super) ureq::Error);

impl fmt::Display for NotConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for NotConnected {}

/// The connector of ureq, with the name lookup as a part of connecting.
#[derive(Debug, Default)]
pub(super) struct Connecting {
    connector: DefaultConnector,
    resolver: Lookup,
}

impl Connector for Connecting {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<()>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let connected = if details.addrs.is_empty() {
            let connected =
                self.look_up(details).and_then(|details| self.connector.connect(&details, chained));
            connected
                .map(|transport| transport.map(|transport| LenientHeads::new(transport).boxed()))
        } else {
            // A connection to the proxy, which the call below has looked up.
            self.connector.connect(details, chained)
        };
        connected.map_err(|error| match error {
            Other(error) if error.is::<NotConnected>() => Other(error),
            error => Other(NotConnected(error).into()),
        })
    }
}

impl Connecting {
    fn look_up<'a>(
        &'a self,
        details: &ConnectionDetails<'a>,
    ) -> Result<ConnectionDetails<'a>, ureq::Error> {
        let ConnectionDetails { uri, config, request_level, now, timeout, .. } = *details;
        let direct =
            config.proxy().is_none_or(|proxy| proxy.is_no_proxy(uri) || proxy.resolve_target());
        let addrs = if direct {
            self.resolver.resolve(uri, config, timeout)?
        } else {
            self.resolver.empty()
        };
        Ok(ConnectionDetails {
            uri,
            addrs,
            config,
            request_level,
            resolver: &self.resolver,
            now,
            timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        })
    }
}

/// Looks up names on a thread, so that a timeout applies. If the system has no thread, the resolver
/// of ureq panics. This one then looks up on the sending thread, with the timeout of the system.
#[derive(Debug, Default)]
struct Lookup;

impl Resolver for Lookup {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(ureq::Error::BadUri(format!("no host in {uri}")));
        };
        let Some(name) = DefaultResolver::host_and_port(scheme, authority) else {
            return Err(ureq::Error::BadUri(format!("no port for {uri}")));
        };
        let found = match name.parse::<SocketAddr>() {
            Ok(addr) => vec![addr],
            Err(_) => look_up(&name, timeout, spawn)?,
        };
        let mut addrs = self.empty();
        for addr in config.ip_family().keep_wanted(found.into_iter()).take(MOST_ADDRS) {
            addrs.push(addr);
        }
        if addrs.is_empty() { Err(HostNotFound) } else { Ok(addrs) }
    }
}

/// The capacity of `ResolvedSocketAddrs`.
const MOST_ADDRS: usize = 16;

type Work = Box<dyn FnOnce() + Send>;

fn spawn(work: Work) -> io::Result<()> {
    Builder::new().name("lookup".to_owned()).spawn(work).map(drop)
}

fn look_up(
    name: &str,
    timeout: NextTimeout,
    spawn: impl FnOnce(Work) -> io::Result<()>,
) -> Result<Vec<SocketAddr>, ureq::Error> {
    let (found, lookup) = channel();
    let on_thread = name.to_owned();
    let work = Box::new(move || _ = found.send(on_thread.to_socket_addrs().map(Vec::from_iter)));
    if timeout.after.is_not_happening() || spawn(work).is_err() {
        return Ok(name.to_socket_addrs()?.collect());
    }
    match lookup.recv_timeout(*timeout.after) {
        Ok(found) => Ok(found?),
        Err(RecvTimeoutError::Timeout) => Err(ureq::Error::Timeout(timeout.reason)),
        Err(RecvTimeoutError::Disconnected) => {
            Err(io::Error::other("the name lookup ended without a result").into())
        }
    }
}

/// Finds no address. ureq asks before it looks into the pool, so that each call would cost a lookup
/// and its thread.
#[derive(Debug)]
pub(super) struct LookupWhenConnecting;

impl Resolver for LookupWhenConnecting {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ureq::Timeout;

    use super::*;

    fn timeout() -> NextTimeout {
        NextTimeout {
            after: Duration::from_secs(60).into(),
            reason: Timeout::Resolve,
            ..NextTimeout::default()
        }
    }

    #[test]
    fn lookup_without_a_thread_still_works() {
        let none = |_| Err(io::Error::from(io::ErrorKind::WouldBlock));
        for spawn in [spawn as fn(Work) -> io::Result<()>, none] {
            let addrs = look_up("localhost:80", timeout(), spawn).unwrap();
            assert!(
                addrs.iter().all(|addr| addr.ip().is_loopback() && addr.port() == 80),
                "{addrs:?}"
            );
            assert!(look_up("no such name:80", timeout(), spawn).is_err());
        }
    }

    #[test]
    fn lookup_ends_with_its_timeout_or_its_thread() {
        let at_once = NextTimeout { after: Duration::ZERO.into(), ..timeout() };
        let (keeper, kept) = channel();
        let kept_waiting = look_up("localhost:80", at_once, |work| {
            keeper.send(work).unwrap();
            Ok(())
        });
        assert!(
            matches!(kept_waiting, Err(ureq::Error::Timeout(Timeout::Resolve))),
            "{kept_waiting:?}"
        );
        drop(kept);
        let died = look_up("localhost:80", timeout(), |work| {
            drop(work);
            Ok(())
        });
        assert!(matches!(died, Err(ureq::Error::Io(_))), "{died:?}");
    }

    #[test]
    fn ip_addresses_need_no_lookup() {
        for (uri, expected) in [
            ("http://127.0.0.1:9000/", "127.0.0.1:9000"),
            ("https://127.0.0.1/", "127.0.0.1:443"),
            ("http://[::1]/", "[::1]:80"),
        ] {
            let addrs =
                Lookup.resolve(&uri.parse().unwrap(), &Config::default(), timeout()).unwrap();
            assert_eq!(addrs[..], [expected.parse().unwrap()], "{uri}");
        }
    }
}
