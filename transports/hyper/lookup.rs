//! Looks up names on a thread. The resolver of hyper panics if the system has no thread.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "an adapter looks names up"
)]

use std::future::Future;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::Builder;
use std::{io, vec};

use hyper_util::client::legacy::connect::dns::Name;
use tokio::sync::oneshot;
use tower_service::Service;

#[derive(Clone)]
pub(super) struct Lookup;

type Addrs = vec::IntoIter<SocketAddr>;
type Work = Box<dyn FnOnce() + Send>;

impl Service<Name> for Lookup {
    type Response = Addrs;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Addrs>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(look_up(name.as_str().to_owned(), |work| {
            Builder::new().name("lookup".to_owned()).spawn(work).map(drop)
        }))
    }
}

/// Fails without a thread. As with a name that is not found, nothing was sent.
async fn look_up(name: String, spawn: impl FnOnce(Work) -> io::Result<()>) -> io::Result<Addrs> {
    let (found, lookup) = oneshot::channel();
    let work =
        Box::new(move || _ = found.send((name.as_str(), 0).to_socket_addrs().map(Vec::from_iter)));
    spawn(work).map_err(|error| {
        io::Error::new(error.kind(), format!("no thread for the name lookup: {error}"))
    })?;
    let found =
        lookup.await.map_err(|_| io::Error::other("the name lookup ended without a result"))?;
    found.map(Vec::into_iter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lookup_without_a_thread_is_an_error() {
        let now = |work: Work| {
            work();
            Ok(())
        };
        let found = look_up("127.0.0.1".to_owned(), now).await.unwrap();
        assert_eq!(found.collect::<Vec<_>>(), ["127.0.0.1:0".parse().unwrap()]);
        let error = look_up("localhost".to_owned(), |_| Err(io::ErrorKind::WouldBlock.into()))
            .await
            .unwrap_err();
        assert!(error.to_string().starts_with("no thread for the name lookup: "), "{error}");
        let error = look_up("localhost".to_owned(), |_| Ok(())).await.unwrap_err();
        assert_eq!(error.to_string(), "the name lookup ended without a result");
    }
}
