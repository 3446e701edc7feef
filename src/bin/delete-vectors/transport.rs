//! The HTTP client that was asked for.

use std::io;

use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::transports::{CallError, HyperTransport, TransportOptions, UreqTransport};
use oss_delete_vectors::{DeleteVectors, Deleted};
use tokio::runtime::{Builder, Runtime};

use crate::args::Client;

#[allow(clippy::large_enum_variant, reason = "there is one of it; how large a runtime is depends on tokio's features")]
pub(crate) enum Transport {
    Hyper(Runtime, HyperTransport),
    Ureq(UreqTransport),
}

impl Transport {
    pub(crate) fn new(client: Client, options: &TransportOptions) -> io::Result<Self> {
        Ok(match client {
            Client::Hyper => Self::Hyper(Builder::new_current_thread().enable_all().build()?, HyperTransport::new(options)),
            Client::Ureq => Self::Ureq(UreqTransport::new(options)),
        })
    }

    /// One attempt.
    pub(crate) fn delete_vectors(&self, call: &DeleteVectors, signer: &Signer) -> Result<Deleted, CallError> {
        match self {
            Self::Hyper(runtime, transport) => runtime.block_on(transport.delete_vectors(call, signer)),
            Self::Ureq(transport) => transport.delete_vectors(call, signer),
        }
    }
}
