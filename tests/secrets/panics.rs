//! Panics that print the values at hand contain no secret: neither the message nor the backtrace.

use std::backtrace::Backtrace;
use std::convert::Infallible;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event};
use oss_delete_vectors::signing::{Authorization, Resource, Signer};
use oss_delete_vectors::transports::{Observer, Run};
use oss_delete_vectors::{Credentials, Deleted, ServiceError, TransportError, code};

use crate::calls::{ACCESS_KEY_ID, SECRET, TOKEN, call, target, time, with_token};
use crate::canary::{self, WRONG_SECRET, WRONG_TOKEN};

/// The text of the panics.
static PRINTED: Mutex<String> = Mutex::new(String::new());

type Case = (&'static str, fn(&mut BulkDelete));

const RUNS: [Case; 4] = [
    ("the transport", |bulk| {
        let send = |request: Request<Bytes>| -> Result<_, TransportError> {
            panic!("the transport: {request:#?}")
        };
        drop(Run::new(bulk).run_blocking(["a"], send));
    }),
    ("the events", |bulk| {
        let send = |_| Ok::<_, TransportError>(Deleted::new("id").to_response());
        drop(
            Run::new(bulk)
                .on_event(|event: Event| panic!("the events: {event:#?}"))
                .run_blocking(["a"], send),
        );
    }),
    ("the progress", |bulk| {
        let send = |_| Ok::<_, TransportError>(Deleted::new("id").to_response());
        drop(Run::new(bulk).observer(Panics).run_blocking(["a"], send));
    }),
    ("the provider", |bulk| {
        let refused =
            ServiceError::new(StatusCode::FORBIDDEN, code::INVALID_ACCESS_KEY_ID, "unknown");
        let signer = Signer::new(&target(), with_token());
        let provider =
            move || -> Result<Credentials, Infallible> { panic!("the provider: {signer:#?}") };
        drop(
            Run::new(bulk)
                .credentials_provider(provider)
                .run_blocking(["a"], move |_| Ok::<_, TransportError>(refused.to_response())),
        );
    }),
];

struct Panics;

impl Observer for Panics {
    fn event(&mut self, _: Event) {}

    fn progress(&mut self, bulk: &BulkDelete) {
        panic!("the progress: {bulk:#?}")
    }
}

const UNWRAPPED: [fn(); 6] = [
    || drop(Credentials::new(ACCESS_KEY_ID, format!("{SECRET}\n")).unwrap()),
    || drop(with_token().with_security_token(format!(" {TOKEN}")).unwrap()),
    || {
        drop(
            Signer::new(&target(), with_token())
                .presign(&mut without_path(), time(), Duration::ZERO)
                .unwrap(),
        );
    },
    || drop(Authorization::parse(&call(&["a"])).unwrap()),
    || {
        let mut request = call(&["a"]);
        Signer::new(&target(), with_token()).sign(&mut request, time());
        let others = Credentials::new(ACCESS_KEY_ID, WRONG_SECRET)
            .unwrap()
            .with_security_token(WRONG_TOKEN)
            .unwrap();
        Authorization::parse(&request)
            .unwrap()
            .verify(&request, &Resource::from(&target()), &others)
            .unwrap();
    },
    || drop(BulkDelete::new(&target(), with_token(), BulkOptions::new().concurrency(0)).unwrap()),
];

fn without_path() -> Request<Bytes> {
    let mut request = call(&["a"]);
    *request.uri_mut() = Uri::from_static("example.com");
    request
}

#[test]
fn panics_contain_no_secret() {
    let default = take_hook();
    set_hook(Box::new(move |panic| {
        writeln!(PRINTED.lock().unwrap(), "{panic}\n{}", Backtrace::force_capture()).unwrap();
        default(panic);
    }));
    let printed = || std::mem::take(&mut *PRINTED.lock().unwrap());
    for (name, run) in RUNS {
        let mut bulk = BulkDelete::new(&target(), with_token(), BulkOptions::new()).unwrap();
        catch_unwind(AssertUnwindSafe(|| run(&mut bulk))).unwrap_err();
        let printed = printed();
        assert!(printed.contains(&format!("{name}: ")), "{printed}");
        canary::assert_not_in(&printed);
    }
    for unwrap in UNWRAPPED {
        catch_unwind(unwrap).unwrap_err();
        let printed = printed();
        assert!(printed.contains("called `Result::unwrap()` on an `Err` value: "), "{printed}");
        canary::assert_not_in(&printed);
    }
}
