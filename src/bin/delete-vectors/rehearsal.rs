//! `--emulator`: the library's emulator on a loopback socket of this process.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use oss_delete_vectors::emulator::Emulator;
use oss_delete_vectors::transports::Server;
use oss_delete_vectors::{Credentials, Target};

use crate::output_files::BoxError;

/// The initial number of vectors in the index.
const VECTORS: u64 = 999;

/// An emulator that is served until this is dropped.
pub(crate) struct Rehearsal {
    emulator: Arc<Mutex<Emulator>>,
    target: Target,
    _server: Server,
}

impl Rehearsal {
    /// Serves the bucket of `target` with doc-001 to doc-999 in its index. `credentials` may delete
    /// them.
    pub(crate) fn start(target: &Target, credentials: Credentials) -> Result<Self, BoxError> {
        let keys = (1..=VECTORS).map(|number| format!("doc-{number:03}"));
        let emulator = Arc::new(Mutex::new(Emulator::with_vectors(target, credentials, keys)?));
        let server =
            Server::start_emulator((Ipv4Addr::LOCALHOST, 0).into(), Arc::clone(&emulator))?;
        let target = Target::builder()
            .region(target.region())
            .account_id(target.account_id())
            .bucket(target.bucket())
            .index_name(target.index_name().unwrap_or_default())
            .endpoint(server.url().parse()?)
            .build()?;
        Ok(Self { emulator, target, _server: server })
    }

    /// The same index at the emulator's address.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// The number of vectors in the index, initially and now.
    pub(crate) fn vectors(&self) -> Vectors {
        let index_name = self.target.index_name().unwrap_or_default();
        let emulator = self.emulator.lock().unwrap_or_else(PoisonError::into_inner);
        let after = emulator.len(self.target.bucket(), index_name).unwrap_or_default();
        Vectors { before: VECTORS, after: after as u64 }
    }
}

/// The number of vectors in the emulator's index, before and now.
pub(crate) struct Vectors {
    pub(crate) before: u64,
    pub(crate) after: u64,
}
