//! The spans of a call for `tracing`: one inside the caller's span, and one per request that
//! follows from it.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Metadata, Subscriber, info_span};

use super::*;
use crate::canary;

/// Records everything as text, on one thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    spans: Vec<String>,
    entered: Vec<u64>,
}

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() != "request_id" {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target().starts_with("oss_delete_vectors")
            || metadata.target() == "test"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut state = self.0.lock().unwrap();
        let mut text = span.metadata().name().to_owned();
        span.record(&mut Text(&mut text));
        if let Some(parent) = state.entered.last().filter(|_| span.is_contextual()) {
            write!(text, " in {parent}").unwrap();
        }
        state.spans.push(text);
        Id::from_u64(state.spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut state = self.0.lock().unwrap();
        values.record(&mut Text(&mut state.spans[index(span)]));
    }

    fn record_follows_from(&self, span: &Id, cause: &Id) {
        let mut state = self.0.lock().unwrap();
        write!(state.spans[index(span)], " follows {}", cause.into_u64()).unwrap();
    }

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, span: &Id) {
        self.0.lock().unwrap().entered.push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        assert_eq!(self.0.lock().unwrap().entered.pop(), Some(span.into_u64()));
    }
}

fn index(span: &Id) -> usize {
    usize::try_from(span.into_u64()).unwrap() - 1
}

#[test]
fn the_span_of_a_request_follows_from_its_calls() {
    // Once without a log: a call site that another test is just meeting for the first time may miss
    // the log.
    delete();
    let log = Log::default();
    with_default(log.clone(), delete);
    let spans = log.0.lock().unwrap().spans.clone();
    assert_eq!(spans[0], r#"handler name="a""#);
    assert_eq!(spans[1], "delete keys=1 in 1");
    assert!(spans[3].starts_with("delete keys=2 in 3 not_deleted=1 error="), "{spans:#?}");
    assert!(spans[4].starts_with("transmit id=0 keys=3 attempt=1"), "{spans:#?}");
    assert!(spans[4].contains(" follows 2") && spans[4].contains(" follows 4"), "{spans:#?}");
    assert!(spans.iter().skip(5).all(|span| span.contains(" follows ")), "{spans:#?}");
    canary::assert_not_in(&spans.join("\n"));
}

/// Two calls that share a request, of which one key is rejected.
fn delete() {
    let service = Service::with_keys(9);
    service.emulator().reject_keys(["doc-3"]);
    let (client, driver) = client(&service);
    let call = |name: &'static str, keys: &'static [&str]| {
        let span = info_span!(target: "test", "handler", name);
        span.in_scope(|| client.delete(keys))
    };
    let calls = [call("a", &["doc-0"]), call("b", &["doc-1", "doc-3"])];
    let app = async {
        let mut calls = calls.map(Box::pin);
        for call in &mut calls {
            futures_lite::future::poll_once(call).await;
        }
        for call in calls {
            let _ = call.await;
        }
        client.close().await;
    };
    async_io::block_on(futures_lite::future::zip(app, driver));
}
