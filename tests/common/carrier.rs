//! The transports behind one blocking interface.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use oss_delete_vectors::TransportError;
#[cfg(feature = "serve")]
use oss_delete_vectors::signing::Signer;
#[cfg(feature = "hyper")]
use oss_delete_vectors::transports::HyperTransport;
use oss_delete_vectors::transports::TransportOptions;
#[cfg(feature = "ureq")]
use oss_delete_vectors::transports::UreqTransport;
use oss_delete_vectors::{AttemptError, DeleteVectors, Deleted};

use super::own_transport;

pub(crate) type Outcome = Result<Response<Bytes>, TransportError>;

/// Any transport, for the tests of the contract in `transports`.
pub(crate) struct AnyTransport {
    name: &'static str,
    send: Box<dyn Fn(Request<Bytes>) -> Outcome + Sync>,
}

impl AnyTransport {
    pub(crate) const NAMES: [&str; 3] = ["hyper", "ureq", "own"];

    pub(crate) fn all() -> [Self; 3] {
        Self::NAMES.map(|name| Self::named(name, Duration::from_secs(60)))
    }

    pub(crate) fn named(name: &'static str, timeout: Duration) -> Self {
        if name == "own" {
            return Self {
                name,
                send: Box::new(move |request| own_transport::send(&request, timeout)),
            };
        }
        let carrier = Carrier::named(name, &TransportOptions::new().timeout(timeout));
        Self { name, send: Box::new(move |request| carrier.send(request)) }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn send(&self, request: Request<Bytes>) -> Outcome {
        (self.send)(request)
    }
}

/// A transport of the crate, for the tests of its options.
pub(crate) enum Carrier {
    Hyper(Box<HyperTransport>, Tokio),
    Ureq(UreqTransport),
}

impl Carrier {
    pub(crate) fn each(options: &TransportOptions) -> [Self; 2] {
        ["hyper", "ureq"].map(|name| Self::named(name, options))
    }

    pub(crate) fn named(name: &str, options: &TransportOptions) -> Self {
        match name {
            "hyper" => Self::Hyper(Box::new(HyperTransport::new(options)), Tokio::start()),
            "ureq" => Self::Ureq(UreqTransport::new(options)),
            other => panic!("unknown transport {other}"),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Hyper(..) => "hyper",
            Self::Ureq(_) => "ureq",
        }
    }

    pub(crate) fn send(&self, request: Request<Bytes>) -> Outcome {
        match self {
            // On the worker, beside the connection: otherwise each piece of a body wakes two threads.
            Self::Hyper(transport, tokio) => {
                let transport = transport.clone();
                let sent = tokio.runtime().spawn(async move { transport.send(request).await });
                tokio.runtime().block_on(sent).unwrap()
            }
            Self::Ureq(transport) => transport.send(request),
        }
    }

    #[cfg(feature = "serve")]
    pub(crate) fn delete_vectors(
        &self,
        call: &DeleteVectors,
        signer: &Signer,
    ) -> Result<Deleted, AttemptError> {
        match self {
            Self::Hyper(transport, tokio) => {
                tokio.runtime().block_on(transport.delete_vectors(call, signer))
            }
            Self::Ureq(transport) => transport.delete_vectors(call, signer),
        }
    }

    /// `lanes` senders at once, each sending `calls` requests one after another.
    pub(crate) fn send_many(&self, lanes: usize, calls: usize, request: &Request<Bytes>) {
        match self {
            Self::Hyper(transport, tokio) => tokio.runtime().block_on(async {
                let lanes: Vec<_> = (0..lanes)
                    .map(|_| {
                        let (transport, request) = (transport.clone(), request.clone());
                        tokio::spawn(async move {
                            for _ in 0..calls {
                                transport.send(request.clone()).await.unwrap();
                            }
                        })
                    })
                    .collect();
                for lane in lanes {
                    lane.await.unwrap();
                }
            }),
            Self::Ureq(transport) => std::thread::scope(|scope| {
                for _ in 0..lanes {
                    scope.spawn(|| {
                        for _ in 0..calls {
                            transport.send(request.clone()).unwrap();
                        }
                    });
                }
            }),
        }
    }
}

/// A runtime that does not wait for a slow name lookup when it is dropped.
pub(crate) struct Tokio(Option<tokio::runtime::Runtime>);

impl Tokio {
    fn start() -> Self {
        Self(Some(
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap(),
        ))
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime().block_on(future)
    }

    fn runtime(&self) -> &tokio::runtime::Runtime {
        self.0.as_ref().expect("taken on drop only")
    }
}

impl Drop for Tokio {
    fn drop(&mut self) {
        self.0.take().expect("dropped once").shutdown_background();
    }
}

/// A request as the signer makes it.
pub(crate) fn request(url: &str) -> Request<Bytes> {
    Request::post(format!("{url}/?deleteVectors"))
        .header("authorization", "OSS4-HMAC-SHA256 Credential=ak/20231216/r/oss,Signature=00ff")
        .header("content-md5", "7hUQEjKNfVfQPqjLoIFtxQ==")
        .header("content-type", "application/json")
        .header("date", "Sat, 16 Dec 2023 16:20:57 GMT")
        .header("x-oss-date", "20231216T162057Z")
        .body(Bytes::from_static(br#"{"indexName":"i","keys":["a","b"]}"#))
        .unwrap()
}
