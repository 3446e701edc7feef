//! `-v`: what the library tells, on stderr.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::console::Console;

/// Begins to log, where `verbose` is above 0. This library alone is heard: what HTTP clients log may hold a signature or a token.
pub(crate) fn start(verbose: u8, console: Console) {
    let (level, spans) = match verbose {
        0 => return,
        1 => (LevelFilter::INFO, FmtSpan::NONE),
        // A request is a span: it is told when it has its answer.
        _ => (LevelFilter::TRACE, FmtSpan::CLOSE),
    };
    let lines = fmt::layer().with_ansi(false).with_target(false).with_span_events(spans).with_writer(move || console.clone());
    tracing_subscriber::registry().with(lines).with(Targets::new().with_target("oss_delete_vectors", level)).init();
}
