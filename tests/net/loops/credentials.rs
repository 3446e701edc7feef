//! Credentials that expire: renewed, missing, and with a provider that fails.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::UNIX_EPOCH;

use oss_delete_vectors::Credentials;
use oss_delete_vectors::bulk::StopReason;
use oss_delete_vectors::emulator::Identity;
use oss_delete_vectors::transports::RunErrorKind;

use super::options;
use super::ways::{Job, Way};
use crate::calls::credentials;
use crate::canary::{WRONG_SECRET, WRONG_TOKEN};
use crate::enough_time::with_enough_time;
use crate::service::{Service, key};

/// A service that no longer accepts the run's credentials, and accepts others.
fn expired(keys: usize) -> Service {
    let service = Service::with_keys(keys);
    service.emulator().add_identity(Identity::new(credentials().with_expiration(UNIX_EPOCH)));
    service.emulator().add_identity(Identity::new(renewed()));
    service
}

fn renewed() -> Credentials {
    Credentials::new("STS.renewed", WRONG_SECRET).unwrap().with_security_token(WRONG_TOKEN).unwrap()
}

#[test]
fn expired_credentials_are_renewed_once() {
    for way in Way::all() {
        let service = expired(3000);
        let asked = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&asked);
        let job = Job::new((0..3000).map(key)).credentials(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(renewed())
        });
        let report = way.run(&service, &options(), job).unwrap();
        assert_eq!((report.deleted, service.gone()), (3000, 3000), "{way:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{way:?}");
    }
}

#[test]
fn errors_of_the_provider_stop_the_run() {
    for way in Way::all() {
        let error = with_enough_time(|timeout| {
            let job =
                Job::new((0..600).map(key)).credentials(|| Err("the vault is sealed".to_owned()));
            let service = expired(600);
            let error =
                way.run(&service, &options().credentials_timeout(timeout), job).unwrap_err();
            let stopped = error.kind();
            assert!(
                matches!(stopped, RunErrorKind::Stopped(StopReason::CredentialsMissing)),
                "{way:?}: {error}"
            );
            let report = error.report();
            assert_eq!(
                (report.rejected + report.not_attempted, service.gone()),
                (report.pushed, 0),
                "{way:?}"
            );
            // The provider must have failed before the timeout.
            error.source().map(ToString::to_string)
        });
        assert_eq!(error, "the vault is sealed", "{way:?}");
    }
}
