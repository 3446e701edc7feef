//! The outcomes of keys: deleted, rejected, throttled but not lost, unreachable.

use oss_delete_vectors::bulk::{BulkOptions, Event, KeyOutcome, StopReason};
use oss_delete_vectors::emulator::RateLimit;
use oss_delete_vectors::transports::RunErrorKind;

use super::options;
use super::ways::{Job, Way};
use crate::service::{Service, key};

#[test]
fn keys_are_deleted_and_counted_despite_duplicates() {
    for way in Way::all() {
        let service = Service::with_keys(5000);
        let keys = (0..5000).flat_map(|number| [key(number), key(number / 10 * 10)]);
        let mut deleted = 0;
        let job = Job::new(keys).on_event(|event| {
            if let Event::Deleted { keys, .. } = event {
                deleted += keys as u64;
            }
        });
        let report = way.run(&service, &options(), job).unwrap();
        assert_eq!((report.pushed, report.pending(), service.gone()), (10_000, 0, 5000), "{way:?}");
        assert_eq!(report.deleted + report.duplicates, 10_000, "{way:?}: {report:?}");
        assert_eq!(report.deleted, deleted, "{way:?}");
        assert!(report.deleted >= 5000 && report.duplicates > 4900, "{way:?}: {report:?}");
        assert_eq!(service.emulator().requests(), report.requests, "{way:?}");
    }
}

/// The source is read to its end long before the last key is pushed.
#[test]
fn keys_read_ahead_are_not_lost_at_the_end() {
    for way in Way::all() {
        let service = Service::with_keys(20_000);
        let report =
            way.run(&service, &options().concurrency(1), Job::new((0..20_000).map(key))).unwrap();
        assert_eq!(
            (report.pushed, report.deleted, service.gone()),
            (20_000, 20_000, 20_000),
            "{way:?}"
        );
    }
}

#[test]
fn one_key_is_one_request() {
    for way in Way::all() {
        let service = Service::with_keys(2);
        let report = way.run(&service, &options(), Job::new([key(0)])).unwrap();
        assert_eq!((report.requests, report.deleted, service.gone()), (1, 1, 1), "{way:?}");
    }
}

#[test]
fn no_keys_send_no_request() {
    for way in Way::all() {
        let service = Service::with_keys(1);
        let report = way.run(&service, &options(), Job::new([])).unwrap();
        assert_eq!((report.requests, report.pushed), (0, 0), "{way:?}");
    }
}

#[test]
fn bad_keys_are_rejected_and_others_deleted() {
    for way in Way::all() {
        let service = Service::with_keys(2000);
        service.emulator().reject_keys(["bad-650", "bad-1350"]);
        let keys = (0..2000).flat_map(|number| {
            (number % 700 == 650).then(|| format!("bad-{number}")).into_iter().chain([key(number)])
        });
        let mut rejected = Vec::new();
        let job = Job::new(keys).on_event(|event| {
            if let Event::Failed(failed) = event {
                assert_eq!(failed.outcome, KeyOutcome::Rejected);
                rejected.extend(failed.keys.iter().map(|key| key.to_string()));
            }
        });
        let report = way.run(&service, &options(), job).unwrap();
        rejected.sort();
        assert_eq!(rejected, ["bad-1350", "bad-650"], "{way:?}");
        assert_eq!((report.deleted, report.rejected, service.gone()), (2000, 2, 2000), "{way:?}");
    }
}

#[test]
fn throttled_batches_are_not_lost() {
    for way in Way::all() {
        let service = Service::with_keys(3000);
        service.emulator().set_rate_limit(Some(RateLimit::new(20.0, 1).unwrap()));
        let mut throttled = 0;
        let job = Job::new((0..3000).map(key))
            .on_event(|event| throttled += u64::from(matches!(event, Event::Throttled { .. })));
        let report = way.run(&service, &BulkOptions::new(), job).unwrap();
        assert_eq!((report.deleted, service.gone(), report.retries), (3000, 3000, 0), "{way:?}");
        assert!(report.throttled > 0 && report.throttled == throttled, "{way:?}: {report:?}");
    }
}

#[test]
fn wrong_index_stops_after_a_few_requests() {
    for way in Way::all() {
        let mut service = Service::with_keys(1);
        service.target = service.target.with_index_name(Some("other")).unwrap();
        let error = way.run(&service, &options(), Job::new((0..1_000_000).map(key))).unwrap_err();
        assert!(
            matches!(error.kind(), RunErrorKind::Stopped(StopReason::Rejected(_))),
            "{way:?}: {error}"
        );
        assert!(error.report().requests <= 16, "{way:?}: {:?}", error.report());
        service.check(error.report(), &format!("{way:?}"));
    }
}
