//! `--prefix`, `--filter`, `--all`: keys from a listing of the index.

mod question;

use std::fs::File;
use std::future::poll_fn;
use std::io::{self, Read};
use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Response};
use oss_delete_vectors::bulk::{Report, StopReason};
use oss_delete_vectors::transports::{
    AsyncProvider, BlockingProvider, HyperTransport, ListedKeys, Matching, Observer, Run, RunError,
    StopHandle, StreamedKeys, Timer, TransportOptions, UreqTransport, list_keys, stream_keys,
};
use oss_delete_vectors::{
    Filter, KeyLister, ListError, ListEvent, ListReport, Selection, Target, TransportError,
};
use tokio::runtime::Builder;

pub(crate) use self::question::{Counted, Question};
use crate::args::{Args, Client, OnBadKey};
use crate::console::Console;
use crate::text::clock;
use crate::usage_error::quoted;

/// The options that select vectors of the index instead of giving their keys.
#[derive(clap::Args)]
#[command(next_help_heading = "Keys")]
pub(crate) struct Selected {
    /// Delete every vector whose key begins with this text
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,

    #[arg(
        long,
        value_name = "JSON",
        help = "Delete every vector whose metadata match this JSON, or file://PATH of it"
    )]
    filter: Option<String>,

    /// Delete every vector of the index
    #[arg(long)]
    all: bool,

    /// Segments of the index to list at the same time; default: 4
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = segments)]
    segments: Option<u8>,

    /// Maximum times to list the index; default: 10; one gives no proof
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = passes)]
    passes: Option<u32>,
}

impl Selected {
    /// Whether one of the options is given.
    pub(crate) fn is_given(&self) -> bool {
        self.prefix.is_some() || self.filter.is_some() || self.all
    }

    /// The selection, if there is one.
    pub(crate) fn selection(&self) -> Result<Option<Selection>, String> {
        if !self.is_given() {
            return Ok(None);
        }
        let mut selection = Selection::all();
        if let Some(prefix) = &self.prefix {
            let invalid =
                |_| format!("--prefix: must be 1 to 1024 characters, not {}", quoted(prefix));
            selection = selection.prefix(prefix).map_err(invalid)?;
        }
        if let Some(filter) = &self.filter {
            selection = selection.filter(read_filter(filter)?);
        }
        let segments = self.segments.unwrap_or(4);
        Ok(Some(selection.segments(segments).expect("the argument was checked")))
    }

    pub(crate) fn passes(&self) -> u32 {
        self.passes.unwrap_or(10)
    }

    fn name(&self) -> &'static str {
        match self {
            Self { all: true, .. } => "--all",
            Self { prefix: Some(_), .. } => "--prefix",
            _ => "--filter",
        }
    }
}

fn segments(text: &str) -> Result<u8, &'static str> {
    text.parse().ok().filter(|number| (1..=16).contains(number)).ok_or("must be 1 to 16")
}

fn passes(text: &str) -> Result<u32, &'static str> {
    text.parse().ok().filter(|number| (1..=1000).contains(number)).ok_or("must be 1 to 1000")
}

fn read_filter(argument: &str) -> Result<Filter, String> {
    let json = match argument.strip_prefix("file://") {
        None => argument.to_owned(),
        Some(path) => {
            let mut json = String::new();
            let most = Filter::MAX_BYTES as u64 + 1024;
            File::open(path)
                .and_then(|file| file.take(most).read_to_string(&mut json))
                .map_err(|error| format!("--filter: cannot read {path:?}: {error}"))?;
            json.trim_start_matches('\u{feff}').to_owned()
        }
    };
    json.parse().map_err(|invalid: oss_delete_vectors::InvalidValue| {
        let value = invalid.value().map(|value| format!(", not {value:?}")).unwrap_or_default();
        format!("--filter: {}{value}", invalid.rule())
    })
}

/// Rejects options that cannot be combined.
///
/// # Errors
///
/// A text that names the options.
pub(crate) fn check(args: &Args) -> Result<(), String> {
    let Args { what, how, output_files, selected, .. } = args;
    let is_from_stdin = what.keys_from.iter().any(|path| path.as_os_str() == "-");
    let rejected = |option: &str, other: &str, reason: &str| {
        Err(format!("{option} cannot be used with {other}: {reason}"))
    };
    if how.verify && how.dry_run {
        return rejected("--verify", "--dry-run", "a dry run deletes nothing");
    }
    if how.verify && is_from_stdin {
        let reason = "the keys are read twice; write them to a file";
        return rejected("--verify", "--keys-from -", reason);
    }
    if !selected.is_given() {
        let given =
            [("--segments", selected.segments.is_some()), ("--passes", selected.passes.is_some())];
        return match given.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((option, _)) => Err(format!(
                "{option} needs --prefix, --filter or --all: it applies to listing the index"
            )),
        };
    }
    let name = selected.name();
    if selected.all && (selected.prefix.is_some() || selected.filter.is_some()) {
        let other = if selected.prefix.is_some() { "--prefix" } else { "--filter" };
        return rejected(name, other, "it selects every vector");
    }
    let other_keys = "keys come from the index or from you, not from both";
    for (other, is_given, reason) in [
        ("--keys", !what.keys.is_empty(), other_keys),
        ("--keys-from", !what.keys_from.is_empty(), other_keys),
        ("--keys-format", what.keys_format.is_some(), "no keys are read"),
        ("--on-bad-key", what.on_bad_key == OnBadKey::Skip, "no keys are read"),
        (
            "--checkpoint",
            output_files.checkpoint.is_some(),
            "a listing starts over; to continue after an interruption, run the same command again",
        ),
        ("--signing-time", how.signing_time.is_some(), "the dry run lists the index now"),
    ] {
        if is_given {
            return rejected(name, other, reason);
        }
    }
    Ok(())
}

/// A listing that is the source of a run.
pub(crate) struct Index {
    pub(crate) lister: KeyLister,
    pub(crate) matching: Matching,
}

/// Runs over a listing to the end. `renew` provides credentials to the listing if they expire.
pub(crate) fn drive<O, P, Q>(
    run: Run<'_, O, P>,
    (client, options): (Client, &TransportOptions),
    Index { lister, matching }: Index,
    renew: Option<Q>,
    console: Console,
) -> io::Result<Result<Report, RunError>>
where
    O: Observer,
    P: AsyncProvider + BlockingProvider,
    Q: AsyncProvider + BlockingProvider,
{
    let on_event = move |event| say(&console, &event);
    Ok(match client {
        Client::Hyper => {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let transport = HyperTransport::new(options);
            let send = |request| transport.send(request);
            let sleep = tokio::time::sleep;
            let listed = stream_keys(lister, send, sleep).on_event(on_event);
            let outcome = match renew {
                None => {
                    runtime.block_on(run.run_async(matching.stream(listed, sleep), send, sleep))
                }
                Some(renew) => {
                    let listed = listed.credentials_provider(renew);
                    runtime.block_on(run.run_async(matching.stream(listed, sleep), send, sleep))
                }
            };
            // The run does not wait for a credential process that is still running.
            runtime.shutdown_background();
            outcome
        }
        Client::Ureq => {
            let transport = UreqTransport::new(options);
            let lists = transport.clone();
            let send = move |request| transport.send(request);
            let listed = list_keys(lister, move |request| lists.send(request)).on_event(on_event);
            match renew {
                None => run.run_blocking(matching.keys(listed), send),
                Some(renew) => {
                    run.run_blocking(matching.keys(listed.credentials_provider(renew)), send)
                }
            }
        }
    })
}

/// Reports events that delay a listing.
fn say(console: &Console, event: &ListEvent) {
    match event {
        ListEvent::OutageBegan { error, lasted, .. } => {
            let lasted = clock(*lasted);
            console.say(format_args!("no page of the listing for {lasted}, still trying: {error}"));
        }
        ListEvent::OutageEnded { lasted, .. } => {
            console.say(format_args!("listing again after {}", clock(*lasted)));
        }
        ListEvent::Restarted { error, .. } => {
            console.say(format_args!("note: listing a segment from its beginning again: {error}"));
        }
        _ => {}
    }
}

/// The advice for a listing that stopped.
pub(crate) fn advice(error: &ListError, target: &Target) -> Option<String> {
    match error.reason() {
        StopReason::FilterIgnored => {
            Some("use --prefix or --keys-from, or another endpoint".to_owned())
        }
        _ => error.attempt_error()?.advice(target).map(Into::into),
    }
}

/// Passes the keys of a listing to `take` until it returns `false` or `stop` is used.
pub(crate) fn list(
    (client, options): (Client, &TransportOptions),
    lister: KeyLister,
    renew: Option<impl AsyncProvider + BlockingProvider>,
    console: &Console,
    stop: &StopHandle,
    take: impl FnMut(String) -> bool,
) -> io::Result<Result<ListReport, ListError>> {
    let on_event = {
        let console = console.clone();
        move |event| say(&console, &event)
    };
    match client {
        Client::Hyper => {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let transport = HyperTransport::new(options);
            let send = |request| transport.send(request);
            let listed = stream_keys(lister, send, tokio::time::sleep);
            let listed = listed.on_event(on_event).stop_handle(stop);
            let outcome = match renew {
                None => runtime.block_on(stream_to(listed, take)),
                Some(renew) => {
                    runtime.block_on(stream_to(listed.credentials_provider(renew), take))
                }
            };
            runtime.shutdown_background();
            Ok(outcome)
        }
        Client::Ureq => {
            let transport = UreqTransport::new(options);
            let send = move |request| transport.send(request);
            let listed = list_keys(lister, send).on_event(on_event).stop_handle(stop);
            Ok(match renew {
                None => list_to(listed, take),
                Some(renew) => list_to(listed.credentials_provider(renew), take),
            })
        }
    }
}

async fn stream_to<F, Fut, X, T: Timer, P: AsyncProvider>(
    mut listed: StreamedKeys<F, Fut, T, P>,
    mut take: impl FnMut(String) -> bool,
) -> Result<ListReport, ListError>
where
    F: Fn(Request<Bytes>) -> Fut,
    Fut: Future<Output = Result<Response<Bytes>, X>>,
    X: Into<TransportError>,
{
    while let Some(key) = poll_fn(|context| Pin::new(&mut listed).poll_next(context)).await {
        if !take(key?) {
            break;
        }
    }
    Ok(listed.lister().report())
}

fn list_to<F, X, P: BlockingProvider>(
    mut listed: ListedKeys<F, P>,
    mut take: impl FnMut(String) -> bool,
) -> Result<ListReport, ListError>
where
    F: Fn(Request<Bytes>) -> Result<Response<Bytes>, X> + Send + Sync + 'static,
    X: Into<TransportError>,
{
    for key in listed.by_ref() {
        if !take(key?) {
            break;
        }
    }
    Ok(listed.lister().report())
}
