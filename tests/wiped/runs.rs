//! Runs leave no copies of renewed credentials, in either loop, with and without sockets.

use std::convert::Infallible;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};

use oss_delete_vectors::transports::{
    HyperTransport, Run, Timer, TransportOptions, UreqTransport, stream_iter,
};
use oss_delete_vectors::{Credentials, Now, TransportError};

use crate::calls::{REGION, time};
use crate::derived::derived;
use crate::memory::{Needle, copies, left_alone};
use crate::service::Service;

const KEYS: [&str; 2] = ["a", "b"];

/// Always the same day, so that the derived keys are known.
fn now() -> Now {
    static START: OnceLock<Instant> = OnceLock::new();
    Now::new(START.get_or_init(Instant::now).elapsed(), time())
}

/// The timer of tokio, with the clock of [`now`].
struct SameDay;

impl Timer for SameDay {
    type Sleep = tokio::time::Sleep;

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        tokio::time::sleep(duration)
    }

    fn now(&self) -> Now {
        now()
    }
}

fn credentials(id: &str, secret: &Needle) -> Credentials {
    Credentials::new(id, secret.text()).unwrap()
}

/// Starts `run` with credentials that the service does not know, and checks which secrets it
/// leaves.
fn check(run: impl FnOnce(&mut BulkDelete, &Service, Credentials) + Send) {
    let [earlier, later] = [(); 2].map(|()| Needle::random(55));
    let scope = format!("20231216/{REGION}/oss/aliyun_v4_request");
    let [earlier_keys, later_keys] = [&earlier, &later].map(|secret| derived(secret, &scope));
    let found = || [copies([&earlier, &later]), copies(&earlier_keys), copies(&later_keys)];
    let work = || {
        let known = credentials("later", &later);
        let service = Service::new(known.clone(), KEYS).clock(now);
        let options = BulkOptions::new().credentials_timeout(Duration::from_secs(60));
        let mut bulk =
            BulkDelete::new(&service.served_target(), credentials("earlier", &earlier), options)
                .unwrap();
        run(&mut bulk, &service, known);
        (service, bulk)
    };
    left_alone(work, |(service, bulk)| {
        assert_eq!((bulk.report().deleted, bulk.report().requests), (2, 2));
        assert_eq!(found(), [vec![0, 1], vec![0; 6], vec![0, 0, 0, 0, 1, 1]]);
        drop(bulk);
        assert_eq!(found(), [vec![0, 1], vec![0; 6], vec![0; 6]]);
        drop(service);
        assert_eq!(found(), [vec![0, 0], vec![0; 6], vec![0; 6]]);
    });
}

#[test]
fn with_threads() {
    check(|bulk, service, known| {
        let service = service.clone();
        let run = Run::new(bulk).credentials_provider(move || Ok::<_, Infallible>(known.clone()));
        let report = run
            .run_blocking_with_clock(
                KEYS,
                move |request| Ok::<_, TransportError>(service.respond(now(), &request)),
                now,
            )
            .unwrap();
        assert!(report.is_all_deleted());
    });
}

#[test]
fn over_ureq() {
    check(|bulk, _, known| {
        let transport = UreqTransport::new(&TransportOptions::new());
        let run = Run::new(bulk).credentials_provider(move || Ok::<_, Infallible>(known.clone()));
        let report =
            run.run_blocking_with_clock(KEYS, move |request| transport.send(request), now).unwrap();
        assert!(report.is_all_deleted());
    });
}

#[test]
fn over_hyper() {
    check(|bulk, _, known| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let transport = HyperTransport::new(&TransportOptions::new());
        let run = Run::new(bulk)
            .credentials_provider(|| std::future::ready(Ok::<_, Infallible>(known.clone())));
        let run = run.run_async(stream_iter(KEYS), |request| transport.send(request), SameDay);
        assert!(runtime.block_on(run).unwrap().is_all_deleted());
    });
}
