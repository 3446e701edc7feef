//! Providers of credentials.

use std::fmt;
#[cfg(feature = "async")]
use std::future::{Ready, ready};

use super::super::BoxError;
use crate::Credentials;

/// Gives credentials to [`run_blocking`](super::Run::run_blocking): any closure `FnMut() ->
/// Result<Credentials, _>`.
///
/// It is called on a thread of its own, and may block.
pub trait BlockingProvider: Send + 'static {
    /// Why there are no credentials. If the run stops for lack of credentials, the last error is
    /// the source of the [`RunError`](super::RunError).
    type Error: Into<BoxError>;

    /// Credentials that are valid from now on.
    ///
    /// # Errors
    ///
    /// [`Self::Error`]; it is asked again 10 seconds later.
    fn provide(&mut self) -> Result<Credentials, Self::Error>;
}

impl<F, E> BlockingProvider for F
where
    F: FnMut() -> Result<Credentials, E> + Send + 'static,
    E: Into<BoxError>,
{
    type Error = E;

    fn provide(&mut self) -> Result<Credentials, E> {
        self()
    }
}

/// Gives credentials to [`run_async`](super::Run::run_async): any closure that returns a future of
/// `Result<Credentials, _>`.
///
/// The future is polled in the task of the run.
#[cfg(feature = "async")]
pub trait AsyncProvider {
    /// Why there are no credentials. If the run stops for lack of credentials, the last error is
    /// the source of the [`RunError`](super::RunError).
    type Error: Into<BoxError>;

    /// Returns credentials that are valid from then on, or an error. After an error it is asked
    /// again 10 seconds later.
    type Future: Future<Output = Result<Credentials, Self::Error>>;

    /// Starts to get credentials.
    fn provide(&mut self) -> Self::Future;
}

#[cfg(feature = "async")]
impl<F, Fut, E> AsyncProvider for F
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Credentials, E>>,
    E: Into<BoxError>,
{
    type Error = E;
    type Future = Fut;

    fn provide(&mut self) -> Fut {
        self()
    }
}

/// No provider: credentials that expire stop the run. Also the error if the options say that
/// credentials are renewed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoProvider;

impl BlockingProvider for NoProvider {
    type Error = Self;

    fn provide(&mut self) -> Result<Credentials, Self> {
        Err(Self)
    }
}

#[cfg(feature = "async")]
impl AsyncProvider for NoProvider {
    type Error = Self;
    type Future = Ready<Result<Credentials, Self>>;

    fn provide(&mut self) -> Self::Future {
        ready(Err(Self))
    }
}

impl fmt::Display for NoProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the run was given no credentials provider")
    }
}

impl std::error::Error for NoProvider {}
