//! `-v`: logs of the library, on stderr.

use std::time::{Duration, Instant};

use oss_delete_vectors::bulk::BulkDelete;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::console::Console;

/// Starts logging if `verbose` is above 0. Only this library logs, because logs of HTTP clients may
/// contain a signature or a token.
pub(crate) fn start(verbose: u8, console: Console) {
    let (level, spans) = match verbose {
        0 => return,
        1 => (LevelFilter::INFO, FmtSpan::NONE),
        // A request is a span, which is logged after its response.
        _ => (LevelFilter::TRACE, FmtSpan::CLOSE),
    };
    let lines = fmt::layer()
        .with_ansi(false)
        .with_target(false)
        .with_span_events(spans)
        .with_writer(move || console.clone());
    tracing_subscriber::registry()
        .with(lines)
        .with(Targets::new().with_target("oss_delete_vectors", level))
        .init();
}

/// The minimum interval of logs of the pace. A run may be throttled several times per second.
const PACE_INTERVAL: Duration = Duration::from_secs(10);

/// Logs the number of throttled requests and the current pace.
#[derive(Default)]
pub(crate) struct Pace {
    throttled: u64,
    logged_at: Option<Instant>,
}

impl Pace {
    /// Logs if the run was throttled since the last line, and that line is old enough.
    pub(crate) fn log(&mut self, bulk: &BulkDelete) {
        if self.logged_at.is_none_or(|at| at.elapsed() >= PACE_INTERVAL) {
            self.log_last(bulk);
        }
    }

    /// Logs if the run was throttled since the last line.
    pub(crate) fn log_last(&mut self, bulk: &BulkDelete) {
        let (throttled, requests) = (bulk.report().throttled, bulk.report().requests);
        if std::mem::replace(&mut self.throttled, throttled) == throttled {
            return;
        }
        self.logged_at = Some(Instant::now());
        let (pace, text) = (bulk.pace(), |per_second: f64| format!("{per_second:.1}"));
        let (requests_per_second, keys_per_second) =
            (pace.requests_per_second.map(text), pace.keys_per_second.map(text));
        tracing::info!(target: "oss_delete_vectors", requests, throttled, requests_per_second, keys_per_second, "pace");
    }
}
