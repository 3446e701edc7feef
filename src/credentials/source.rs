//! The common interface of all sources: steps and replies.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use std::{fmt, io};

use bytes::Bytes;
use http::{Request, Response};

use super::assume_role::AssumeRole;
use super::ecs_role::EcsRole;
use super::error::SourceError;
use super::oidc::Oidc;
use super::uri::CredentialsUri;
use super::{Credentials, response};
use crate::TransportError;

/// A source of credentials: a small state machine without IO.
///
/// [`start`](Self::start) begins a fetch and returns its first [`Step`]. Carry it out and pass the
/// [`Reply`] to [`handle`](Self::handle), which returns the next step, until [`Step::Done`]. A
/// fetch takes at most three requests. Each role that is assumed with other credentials adds one,
/// or two if the clock is wrong. `start` may be called at any time; an unfinished fetch is dropped.
///
/// [`SourceProvider`](crate::transports::SourceProvider) does this over any transport, for a run or
/// a client. To cache credentials, see [`Renewal`](super::Renewal).
///
/// ```
/// use std::time::SystemTime;
/// use oss_delete_vectors::credentials::{EcsRole, Reply, Source, Step};
/// # use bytes::Bytes;
/// # use http::{Request, Response};
/// # use oss_delete_vectors::TransportError;
/// # let now = SystemTime::now;
/// # // In place of a client and the metadata service.
/// # let send = |request: Request<Bytes>| {
/// #     let body = match request.uri().path() {
/// #         "/latest/api/token" => "a-token".into(),
/// #         path if path.ends_with('/') => "my-role".into(),
/// #         _ => r#"{"Code": "Success", "AccessKeyId": "STS.Example", "AccessKeySecret": "my-secret"}"#.into(),
/// #     };
/// #     Ok::<_, TransportError>(Response::new(Bytes::from_owner::<String>(body)))
/// # };
///
/// let mut source = Source::from(EcsRole::new());
/// let mut step = source.start(now());
/// let credentials = loop {
///     step = match step {
///         Step::Send(request) => source.handle(now(), Reply::from(send(request))),
///         Step::Read(path) => source.handle(now(), Reply::File(std::fs::read(path))),
///         Step::Done(result) => break result?,
///     };
/// };
/// assert_eq!(credentials.access_key_id(), "STS.Example");
/// # Ok::<_, oss_delete_vectors::credentials::SourceError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Source(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Fixed(Credentials),
    EcsRole(EcsRole),
    Oidc(Oidc),
    Uri(CredentialsUri),
    AssumeRole(Box<AssumeRole>),
}

impl Source {
    /// Begins a fetch. `now` is used for timestamps, and for expirations if the response has no
    /// date.
    pub fn start(&mut self, now: SystemTime) -> Step {
        match &mut self.0 {
            Kind::Fixed(credentials) => Step::Done(Ok(credentials.clone())),
            Kind::EcsRole(source) => source.start(),
            Kind::Oidc(source) => source.start(),
            Kind::Uri(source) => source.start(),
            Kind::AssumeRole(source) => source.start(now),
        }
    }

    /// Handles the result of the last step. An unexpected reply ends the fetch with an error.
    pub fn handle(&mut self, now: SystemTime, reply: Reply) -> Step {
        match &mut self.0 {
            Kind::Fixed(credentials) => Step::Done(Ok(credentials.clone())),
            Kind::EcsRole(source) => source.handle(now, reply),
            Kind::Oidc(source) => source.handle(now, reply),
            Kind::Uri(source) => source.handle(now, reply),
            Kind::AssumeRole(source) => source.handle(now, reply),
        }
    }
}

/// The name of the source, for messages.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Fixed(credentials) => write!(f, "the AccessKey {}", credentials.access_key_id()),
            Kind::EcsRole(source) => source.fmt(f),
            Kind::Oidc(source) => source.fmt(f),
            Kind::Uri(source) => source.fmt(f),
            Kind::AssumeRole(source) => source.fmt(f),
        }
    }
}

impl From<Credentials> for Source {
    fn from(credentials: Credentials) -> Self {
        Self(Kind::Fixed(credentials))
    }
}

impl From<EcsRole> for Source {
    fn from(source: EcsRole) -> Self {
        Self(Kind::EcsRole(source))
    }
}

impl From<Oidc> for Source {
    fn from(source: Oidc) -> Self {
        Self(Kind::Oidc(source))
    }
}

impl From<CredentialsUri> for Source {
    fn from(source: CredentialsUri) -> Self {
        Self(Kind::Uri(source))
    }
}

impl From<AssumeRole> for Source {
    fn from(source: AssumeRole) -> Self {
        Self(Kind::AssumeRole(Box::new(source)))
    }
}

/// The next step of a [`Source`].
#[must_use]
pub enum Step {
    /// Send this request and pass the response, or the error of the transport. Do not follow
    /// redirects, and read at most [`MAX_RESPONSE_BODY`](crate::MAX_RESPONSE_BODY). Requests to
    /// services of the host itself have the extension [`Direct`].
    Send(Request<Bytes>),
    /// Read this file again and pass its content, or the error.
    Read(PathBuf),
    /// The fetch is over.
    Done(Result<Credentials, SourceError>),
}

/// Shows no token: no headers, no bodies, and no queries of URIs.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(request) => {
                write!(f, "Send({} {})", request.method(), response::shown(request.uri()))
            }
            Self::Read(path) => f.debug_tuple("Read").field(path).finish(),
            Self::Done(result) => f.debug_tuple("Done").field(result).finish(),
        }
    }
}

/// The result of a [`Step`].
pub enum Reply {
    /// A response, of any status. Its body is wiped, unless there are clones of it.
    Response(Response<Bytes>),
    /// No response.
    Failure(TransportError),
    /// The content of the file. It is wiped.
    File(io::Result<Vec<u8>>),
}

impl From<Result<Response<Bytes>, TransportError>> for Reply {
    fn from(response: Result<Response<Bytes>, TransportError>) -> Self {
        response.map_or_else(Self::Failure, Self::Response)
    }
}

/// Shows no content.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response(response) => write!(f, "Response({})", response.status()),
            Self::Failure(error) => f.debug_tuple("Failure").field(error).finish(),
            Self::File(Ok(_)) => f.write_str("File(..)"),
            Self::File(Err(error)) => f.debug_tuple("File").field(error).finish(),
        }
    }
}

/// Marks a request to a service of this host, such as the ECS metadata service. It is an extension
/// of the request in [`Step::Send`].
///
/// Send it directly, even if there is a proxy, because the proxy's host has its own metadata
/// service. The transports of this crate do so, with this timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Direct {
    /// The timeout of the call, including connecting.
    pub timeout: Duration,
}
