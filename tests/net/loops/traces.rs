//! The spans of a run for `tracing`: one per request with its outcome, which contains what happens
//! while it is sent, and no secret.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use http::StatusCode;
use oss_delete_vectors::bulk::Report;
use oss_delete_vectors::emulator::{Identity, RateLimit};
use oss_delete_vectors::transports::{Run, stream_iter};
use oss_delete_vectors::{Credentials, ServiceError, code};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Metadata, Subscriber};

use super::options;
use super::virtual_time::VirtualTime;
use super::ways::respond_in_virtual_time;
use crate::calls::ACCESS_KEY_ID;
use crate::canary::{self, WRONG_SECRET, WRONG_TOKEN};
use crate::service::{Service, key};

/// Records everything as text, on one thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    spans: Vec<String>,
    entered: Vec<u64>,
    events: Vec<String>,
}

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("oss_delete_vectors") || metadata.target() == "test"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = span.metadata().name().to_owned();
        span.record(&mut Text(&mut text));
        let mut state = self.0.lock().unwrap();
        state.spans.push(text);
        Id::from_u64(state.spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut state = self.0.lock().unwrap();
        values.record(&mut Text(&mut state.spans[span_index(span)]));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut state = self.0.lock().unwrap();
        let mut text = if state.entered.is_empty() { "outside:" } else { "inside:" }.to_owned();
        event.record(&mut Text(&mut text));
        state.events.push(text);
    }

    fn enter(&self, span: &Id) {
        self.0.lock().unwrap().entered.push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        assert_eq!(self.0.lock().unwrap().entered.pop(), Some(span.into_u64()));
    }
}

fn span_index(span: &Id) -> usize {
    usize::try_from(span.into_u64()).unwrap() - 1
}

#[test]
fn run_logs_requests_and_events_without_secrets() {
    // Once without a log: a call site that another test is just meeting for the first time may miss
    // the log.
    assert_eq!(delete().deleted, 2000);
    let log = Log::default();
    let report = with_default(log.clone(), delete);
    assert_eq!(report.deleted, 2000);

    let State { spans, events, .. } = &*log.0.lock().unwrap();
    let requests = usize::try_from(report.requests).unwrap();
    assert_eq!(spans.len(), requests);
    assert!(
        spans[0].starts_with(
            "transmit id=0 keys=500 attempt=1 status=403 code=\"InvalidAccessKeyId\" request_id="
        ),
        "{}",
        spans[0]
    );
    assert!(spans.iter().all(|span| span.contains(" request_id=")), "{spans:#?}");
    assert!(
        spans.iter().any(|span| span.contains(" status=503 code=\"QpsLimitExceeded\"")),
        "{spans:#?}"
    );
    let count = |text: &str| events.iter().filter(|event| event.contains(text)).count();
    assert_eq!(
        count("inside: message=carried"),
        requests,
        "logs of a transport must be inside its request"
    );
    assert_eq!((count("credentials needed"), count("will be sent again")), (1, 1), "{events:#?}");
    assert_eq!(count("outside: message=throttled"), usize::try_from(report.throttled).unwrap());
    assert_eq!(count("message=deleted"), 4);
    let everything = format!("{spans:?}{events:?}");
    canary::assert_not_in(&everything);
    assert!(!everything.contains("Signature"), "{everything}");
}

/// A run with rejected credentials, throttled requests and server errors.
fn delete() -> Report {
    let (service, time) = (Service::with_keys(2000), VirtualTime::default());
    let renewed = Credentials::new("STS.renewed", WRONG_SECRET)
        .unwrap()
        .with_security_token(WRONG_TOKEN)
        .unwrap();
    {
        let mut emulator = service.emulator();
        emulator.remove_identity(ACCESS_KEY_ID);
        emulator.add_identity(Identity::new(renewed.clone()));
        emulator.set_rate_limit(Some(RateLimit::new(20.0, 1).unwrap()));
        emulator.fail_next(
            ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "oops"),
            3,
        );
    }
    let mut bulk = service.bulk(options());
    let run = Run::new(&mut bulk);
    let run =
        run.credentials_provider(|| std::future::ready(Ok::<_, std::io::Error>(renewed.clone())));
    let send = async |request| {
        let response = respond_in_virtual_time(&service, &time, request).await;
        tracing::debug!(target: "test", "carried");
        response
    };
    let run = run.run_async(stream_iter((0..2000).map(key)), send, time.clone());
    time.block_on(run).unwrap()
}
