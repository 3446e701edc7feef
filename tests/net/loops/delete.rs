//! The shortest API of both transports.

use oss_delete_vectors::bulk::{BulkOptions, Report};
use oss_delete_vectors::transports::{RunError, RunErrorKind, TransportOptions};

use crate::calls::credentials;
use crate::service::{Service, key};

type Delete = fn(&oss_delete_vectors::Target, BulkOptions) -> Result<Report, RunError>;

const TRANSPORTS: &[Delete] = &[
    |target, options| {
        let transport =
            oss_delete_vectors::transports::UreqTransport::new(&TransportOptions::new());
        transport.delete(target, credentials(), (0..1234).map(key), options)
    },
    |target, options| {
        let transport =
            oss_delete_vectors::transports::HyperTransport::new(&TransportOptions::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(transport.delete(target, credentials(), (0..1234).map(key), options))
    },
    |target, options| {
        let transport =
            oss_delete_vectors::transports::HyperTransport::new(&TransportOptions::new());
        let keys = oss_delete_vectors::transports::stream_iter((0..1234).map(key));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(transport.delete_stream(target, credentials(), keys, options))
    },
];

#[test]
fn a_call_deletes_all_keys() {
    for delete in TRANSPORTS {
        let service = Service::with_keys(2000);
        let report = delete(&service.served_target(), BulkOptions::new()).unwrap();
        assert_eq!((report.deleted, service.gone()), (1234, 1234));
        // On a busy host, reading the keys may pause for long enough to close a batch early.
        assert!((3..=6).contains(&report.requests), "{report:?}");
    }
}

#[test]
fn invalid_options_fail_before_the_first_request() {
    for delete in TRANSPORTS {
        let service = Service::with_keys(1);
        let error =
            delete(&service.served_target(), BulkOptions::new().concurrency(0)).unwrap_err();
        assert!(
            matches!(error.kind(), RunErrorKind::Options(invalid) if invalid.field() == "concurrency")
        );
        assert_eq!(error.to_string(), "option: concurrency must be 1 to 10000, not \"0\"");
        assert_eq!(service.emulator().requests(), 0);
    }
}
