//! How ureq comes by a connection: with name lookup as a part of it, and with errors that say so.

use std::fmt;

use http::Uri;
use ureq::Error::Other;
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport};

use super::heads::LenientHeads;

/// Marks what fails while connecting: the same IO error means "surely not sent" here and "may have
/// arrived" later, and ureq returns both in one form.
#[derive(Debug)]
pub(super) struct NotConnected(pub(super) ureq::Error);

impl fmt::Display for NotConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for NotConnected {}

/// ureq's connector, with name lookup made a part of connecting.
#[derive(Debug, Default)]
pub(super) struct Connecting {
    connector: DefaultConnector,
    resolver: DefaultResolver,
}

impl Connector for Connecting {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<()>) -> Result<Option<Self::Out>, ureq::Error> {
        let connected = if details.addrs.is_empty() {
            let connected = self.look_up(details).and_then(|details| self.connector.connect(&details, chained));
            connected.map(|transport| transport.map(|transport| LenientHeads::new(transport).boxed()))
        } else {
            // To the proxy itself, on behalf of the call below that looked it up.
            self.connector.connect(details, chained)
        };
        connected.map_err(|error| match error {
            Other(error) if error.is::<NotConnected>() => Other(error),
            error => Other(NotConnected(error).into()),
        })
    }
}

impl Connecting {
    fn look_up<'a>(&'a self, details: &ConnectionDetails<'a>) -> Result<ConnectionDetails<'a>, ureq::Error> {
        let ConnectionDetails { uri, config, request_level, now, timeout, .. } = *details;
        let direct = config.proxy().is_none_or(|proxy| proxy.is_no_proxy(uri) || proxy.resolve_target());
        let addrs = if direct { self.resolver.resolve(uri, config, timeout)? } else { self.resolver.empty() };
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

/// Finds nothing: ureq asks before it looks into the pool, which would cost every call a lookup and
/// a thread for it.
#[derive(Debug)]
pub(super) struct LookupWhenConnecting;

impl Resolver for LookupWhenConnecting {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}
