//! Where the examples delete: from an emulator of their own, or, where `OSS_INDEX_NAME` names an index, from the service.
//!
//! Credentials alone do not lead to the service, for they may lie in any environment. It takes all of `OSS_INDEX_NAME`,
//! `OSS_BUCKET`, `OSS_ACCOUNT_ID`, `OSS_REGION`, `OSS_ACCESS_KEY_ID` and `OSS_ACCESS_KEY_SECRET`; `OSS_SESSION_TOKEN` and
//! `OSS_ENDPOINT` are read as well. The keys are `example-00000` and those that follow, there too, and no others.

use std::env;
use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oss_delete_vectors::emulator::Emulator;
use oss_delete_vectors::transports::Server;
use oss_delete_vectors::{Credentials, Endpoint, Target};

pub(crate) struct Place {
    pub(crate) target: Target,
    pub(crate) credentials: Credentials,
    emulated: Option<(Arc<Mutex<Emulator>>, Server)>,
}

impl Place {
    /// The index that the environment names, or else one of an emulator, with so many vectors in it.
    pub(crate) fn choose(vectors: usize) -> Result<Self, Box<dyn Error>> {
        let place = match variable("OSS_INDEX_NAME") {
            Some(index_name) => Self::service(index_name)?,
            None => Self::emulator(vectors)?,
        };
        let whose = if place.emulated.is_some() { "an emulator" } else { "the service" };
        println!("deletes from {whose}: {}, at {}", place.target, place.target.uri());
        Ok(place)
    }

    fn service(index_name: String) -> Result<Self, Box<dyn Error>> {
        let required = |name| variable(name).ok_or_else(|| format!("{name} is not set, and OSS_INDEX_NAME is"));
        let endpoint = match variable("OSS_ENDPOINT").as_deref() {
            None => Endpoint::public(),
            Some("internal") => Endpoint::internal(),
            Some(url) => url.parse()?,
        };
        let target = Target::builder(required("OSS_REGION")?, required("OSS_ACCOUNT_ID")?, required("OSS_BUCKET")?);
        let credentials = Credentials::new(required("OSS_ACCESS_KEY_ID")?, required("OSS_ACCESS_KEY_SECRET")?)?;
        Ok(Self {
            target: target.index_name(index_name).endpoint(endpoint).build()?,
            credentials: credentials.with_security_token(variable("OSS_SESSION_TOKEN").unwrap_or_default())?,
            emulated: None,
        })
    }

    fn emulator(vectors: usize) -> Result<Self, Box<dyn Error>> {
        let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("vectorindex1");
        let credentials = Credentials::new("example-id", "example-secret")?;
        let emulator = Emulator::with_vectors(&target.clone().build()?, credentials.clone(), (0..vectors).map(key))?;
        let emulator = Arc::new(Mutex::new(emulator));
        let server = Server::start_emulator((Ipv4Addr::LOCALHOST, 0).into(), Arc::clone(&emulator))?;
        let target = target.endpoint(server.url().parse()?).build()?;
        Ok(Self { target, credentials, emulated: Some((emulator, server)) })
    }

    /// The emulator, to be set up and looked into; `None` at the service.
    pub(crate) fn emulated(&self) -> Option<MutexGuard<'_, Emulator>> {
        let (emulator, _) = self.emulated.as_ref()?;
        Some(emulator.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Checks how many vectors are left, where that can be known.
    pub(crate) fn assert_left(&self, vectors: usize) {
        if let Some(emulator) = self.emulated() {
            let index_name = self.target.index_name().unwrap_or_default();
            assert_eq!(emulator.len(self.target.bucket(), index_name), Some(vectors), "vectors are left");
        }
    }
}

/// The key of a vector that is there to be deleted.
pub(crate) fn key(number: usize) -> String {
    format!("example-{number:05}")
}

/// The value of a variable; an empty one is as good as none.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
