//! Sets up the examples: each deletes from its own emulator, or from OSS if `OSS_INDEX_NAME` is
//! set.
//!
//! Credentials in the environment are not enough to use OSS: set `OSS_INDEX_NAME`, `OSS_BUCKET`,
//! `OSS_ACCOUNT_ID`, `OSS_REGION`, `OSS_ACCESS_KEY_ID` and `OSS_ACCESS_KEY_SECRET`.
//! `OSS_SESSION_TOKEN` and `OSS_ENDPOINT` are optional. In both cases the keys are `example-00000`,
//! `example-00001` and so on.

use std::env;
use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oss_delete_vectors::emulator::Emulator;
use oss_delete_vectors::transports::Server;
use oss_delete_vectors::{Credentials, Endpoint, Target};

pub(crate) struct Setup {
    pub(crate) target: Target,
    pub(crate) credentials: Credentials,
    emulator: Option<(Arc<Mutex<Emulator>>, Server)>,
}

impl Setup {
    /// The index in the environment, or that of an emulator with `vectors` vectors.
    pub(crate) fn new(vectors: usize) -> Result<Self, Box<dyn Error>> {
        let setup = match variable("OSS_INDEX_NAME") {
            Some(index_name) => Self::with_oss(index_name)?,
            None => Self::with_emulator(vectors)?,
        };
        let service = if setup.emulator.is_some() { "an emulator" } else { "OSS" };
        println!("deleting from {service}: {}, {}", setup.target, setup.target.uri());
        Ok(setup)
    }

    fn with_oss(index_name: String) -> Result<Self, Box<dyn Error>> {
        let required = |name| {
            variable(name).ok_or_else(|| format!("{name} must be set together with OSS_INDEX_NAME"))
        };
        let endpoint = match variable("OSS_ENDPOINT").as_deref() {
            None => Endpoint::public(),
            Some("internal") => Endpoint::internal(),
            Some(url) => url.parse()?,
        };
        let target = Target::builder()
            .region(required("OSS_REGION")?)
            .account_id(required("OSS_ACCOUNT_ID")?)
            .bucket(required("OSS_BUCKET")?);
        let credentials =
            Credentials::new(required("OSS_ACCESS_KEY_ID")?, required("OSS_ACCESS_KEY_SECRET")?)?;
        Ok(Self {
            target: target.index_name(index_name).endpoint(endpoint).build()?,
            credentials: credentials
                .with_security_token(variable("OSS_SESSION_TOKEN").unwrap_or_default())?,
            emulator: None,
        })
    }

    fn with_emulator(vectors: usize) -> Result<Self, Box<dyn Error>> {
        let target = Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name("vectorindex1");
        let credentials = Credentials::new("example-id", "example-secret")?;
        let emulator = Emulator::with_vectors(
            &target.clone().build()?,
            credentials.clone(),
            (0..vectors).map(key),
        )?;
        let emulator = Arc::new(Mutex::new(emulator));
        let server =
            Server::start_emulator((Ipv4Addr::LOCALHOST, 0).into(), Arc::clone(&emulator))?;
        let target = target.endpoint(server.url().parse()?).build()?;
        Ok(Self { target, credentials, emulator: Some((emulator, server)) })
    }

    /// The emulator, to configure and inspect it. `None` for OSS.
    pub(crate) fn emulator(&self) -> Option<MutexGuard<'_, Emulator>> {
        let (emulator, _) = self.emulator.as_ref()?;
        Some(emulator.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asserts the number of vectors that are left in the emulator.
    pub(crate) fn assert_left(&self, vectors: usize) {
        if let Some(emulator) = self.emulator() {
            let index_name = self.target.index_name().unwrap_or_default();
            assert_eq!(
                emulator.len(self.target.bucket(), index_name),
                Some(vectors),
                "unexpected vectors are left"
            );
        }
    }
}

/// The key of a vector to delete.
pub(crate) fn key(number: usize) -> String {
    format!("example-{number:05}")
}

/// The value of a variable. An empty one counts as unset.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
