//! Deletes vectors from an index of an Alibaba Cloud OSS vector bucket. A thin layer over the
//! library.

mod args;
mod checkpoint;
mod config;
mod console;
mod dry_run;
mod errors;
mod exit;
mod failed_keys;
mod fingerprint;
#[path = "../generate.rs"]
mod generate;
#[path = "../input_text.rs"]
mod input_text;
mod interrupt;
mod job;
#[path = "../key_lines.rs"]
mod key_lines;
mod key_list;
mod key_stream;
mod keys;
mod lock;
mod log;
mod manual;
mod matching;
mod ossutil;
mod outage_lines;
mod output_files;
mod paths;
mod progress;
mod question;
mod rehearsal;
mod source;
mod summary;
mod text;
#[path = "../usage_error.rs"]
mod usage_error;
mod verify;

use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use oss_delete_vectors::bulk::{Adaptive, BulkOptions, Report};
use oss_delete_vectors::transports::{Matching, StopHandle};
use oss_delete_vectors::{Passes, Selection};

use args::{Args, Format, When};
use config::Config;
use console::complain;
use exit::Exit;
use interrupt::Interrupts;
use job::{Ended, Job, JobKeys};
use keys::{Keys, Reading};
use manual::MANUAL;
use matching::Index;
use output_files::{BoxError, OutputFiles};
use progress::Progress;
use question::Question;
use rehearsal::Rehearsal;
use source::Source;
use summary::{Listing, Stopped, Summary};
use text::count;
use verify::Lookups;

/// How much longer `BulkDelete` waits than the transport, whose error is more precise.
const BEYOND_TIMEOUT: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    let args = Args::try_parse().unwrap_or_else(|error| {
        match usage_error::invalid_value(&error).or_else(|| ossutil::unknown(&error)) {
            Some(text) => complain(format_args!("error: {text}")),
            None if error.kind() == ErrorKind::DisplayHelp && !wants_all() => {
                _ = args::brief().print_help();
            }
            None => _ = error.print(),
        }
        // `--help` and `--version` are errors in clap, too.
        if error.use_stderr() { Exit::Usage.now() } else { Exit::Done.now() }
    });
    run(&args).map_or_else(
        |error| {
            complain(format_args!("error: {error}"));
            Exit::without_run(&error).into()
        },
        ExitCode::from,
    )
}

/// Whether `--help` was given, not `-h`.
fn wants_all() -> bool {
    std::env::args_os().any(|argument| argument == "--help")
}

/// Runs the program. An error means that nothing was sent.
fn run(args: &Args) -> Result<Exit, BoxError> {
    if let Some(what) = args.output.generate {
        return Ok(print(Exit::Done, |stdout| {
            generate::generate(what, Args::command(), &MANUAL, stdout)
        }));
    }
    if args.place.skip_verify_cert {
        return Err(
            "--skip-verify-cert: is not supported; --ca-file trusts a private authority".into()
        );
    }
    let interrupts = Interrupts::handle()?;
    let config = Config::read(args, |name| std::env::var_os(name))?;
    for warning in &config.warnings {
        complain(format_args!("warning: {warning}"));
    }
    paths::check(args)?;
    matching::check(args)?;
    let selection = args.selected.selection()?;
    let source = Source::open(&args.what.keys, &args.what.keys_from, args.what.rules())?;
    match (selection.as_ref(), args.how.dry_run) {
        (None, true) => dry_run(args, config, source),
        (Some(selection), true) => count_matching(args, config, selection, &interrupts),
        (selection, false) => delete(args, config, source, selection, &interrupts),
    }
}

/// Deletes the keys of the source, or the selected keys of the index.
fn delete(
    args: &Args,
    config: Config,
    source: Source,
    selection: Option<&Selection>,
    interrupts: &Interrupts,
) -> Result<Exit, BoxError> {
    let options = bulk_options(args, &config);
    let Config { target, credentials: credential_source, transport, proxy, .. } = config;
    let credentials = credential_source.credentials()?;
    let rehearsal =
        args.place.emulator.then(|| Rehearsal::start(&target, credentials.clone())).transpose()?;
    let target = rehearsal.as_ref().map_or(&target, Rehearsal::target);
    let reading = Arc::new(Reading::default());
    let mut output_files = OutputFiles::open(&args.output_files, &args.what, Arc::clone(&reading))?;
    let mut bulk = output_files.new_run(target, credentials.clone(), options.clone())?;
    // Without a terminal, keys on the command line are deleted without a question, because scripts
    // for ossutil expect that.
    let is_named = selection.is_none()
        && args.what.keys_from.is_empty()
        && args.what.keys.iter().all(|keys| is_literal(keys));
    let is_asked =
        !args.how.force && rehearsal.is_none() && (!is_named || question::has_terminal());
    let mut progress = Progress::new(progress_when(args), &source, Arc::clone(&reading));
    let console = progress.console();
    log::start(args.output.verbose, console.clone());
    if let Some(proxy) = proxy {
        tracing::info!(target: "oss_delete_vectors", %proxy, "requests go through a proxy");
    }
    let stop = StopHandle::new();
    let lookups = Lookups {
        target,
        credentials: &credential_source,
        client: args.how.transport,
        options: &transport,
        bulk_options: options,
        max_qps: args.how.max_qps,
        console: console.clone(),
        interrupts,
        stop: stop.clone(),
    };
    let again = if args.how.verify && selection.is_none() {
        let again = source.again()?;
        let reason = "the keys are read twice, and one of the inputs can be read only once; write it to a file";
        Some(again.ok_or_else(|| format!("--verify: {reason}"))?)
    } else {
        None
    };
    let mut listing = None;
    // The error, if keys could not be counted for the question.
    let mut unlisted = None;
    let (keys, is_confirmed) = match selection {
        None => {
            let survey = if is_asked { source.survey()? } else { None };
            // Without keys there is no question.
            let is_asked = is_asked && survey.as_ref().is_none_or(|survey| survey.keys > 0);
            let question =
                Question { target, source: &source, survey, resumed: output_files.resumed() };
            let question = question.to_string();
            let (stop, reading) = (stop.clone(), Arc::clone(&reading));
            let console = (!args.output.quiet).then_some(console);
            let mut keys = Keys::new(source, args.what.on_bad_key, stop, console, reading);
            output_files.check_keys(&mut keys)?;
            let is_confirmed = !is_asked || question::is_confirmed(&question, None)?;
            (JobKeys::Given(Box::new(keys)), is_confirmed)
        }
        Some(selection) => {
            let matching = Matching::with_passes(&stop, Passes::new(args.selected.passes()));
            listing = Some(matching.clone());
            let lister = lookups.lister(selection.clone())?;
            if is_asked && !question::has_terminal() {
                return Err(question::QuestionError::NoTerminal.into());
            }
            let is_confirmed = if is_asked { lookups.is_confirmed(selection)? } else { Ok(true) };
            let is_confirmed = is_confirmed.unwrap_or_else(|error| {
                unlisted = Some(error);
                false
            });
            (JobKeys::Listed(Box::new(Index { lister, matching })), is_confirmed)
        }
    };
    if args.how.verify {
        output_files.remember_failed_positions();
    }
    let requests_before = bulk.report().requests;
    let stopped = if is_confirmed {
        output_files.begin(&bulk)?;
        let job = Job {
            client: args.how.transport,
            options: &transport,
            bulk: &mut bulk,
            keys,
            credentials: credential_source.clone(),
            output_files: &mut output_files,
            progress: &mut progress,
            stop,
            interrupts,
        };
        let Ended { outcome, unwritten, was_interrupted } = job.run()?;
        let unwritten = unwritten.map(|error| Stopped::Unwritten(error.to_string()));
        let failed = listing.as_ref().and_then(Matching::error).map(Stopped::Listing);
        let unread = reading.error().map(Stopped::reading);
        match (unwritten.or(unread), outcome) {
            (Some(stopped), _) => Some(stopped),
            (None, Err(_)) if was_interrupted => Some(Stopped::Interrupted),
            (None, Err(error)) => failed.or(Some(Stopped::Run(error))),
            (None, Ok(_)) => None,
        }
    } else {
        Some(unlisted.map_or(Stopped::Declined, Stopped::Listing))
    };

    let was_sent = bulk.report().requests > requests_before;
    let index = listing.map(|matching| Listing {
        passes: matching.pass(),
        is_clear: stopped.is_none() && matching.is_clear(),
    });
    let input_complete = match index {
        None => reading.is_complete(bulk.position()),
        Some(_) => stopped.is_none(),
    };
    let verified = match (&stopped, selection) {
        (None, None) if args.how.verify => {
            Some(lookups.verify(again, bulk.position(), &mut output_files))
        }
        (None, Some(selection)) if args.how.verify => {
            let is_clear = index.is_some_and(|index| index.is_clear);
            Some(lookups.verify_listing(selection, is_clear, &mut output_files))
        }
        _ => None,
    };
    let verified = verified.map(|verified| verified.map_err(|error| error.to_string()));
    let mut summary = Summary {
        target,
        report: bulk.report(),
        stopped,
        input_complete,
        bad_lines: reading.bad_lines(),
        elapsed: output_files.elapsed(),
        output_files: &mut output_files,
        emulator: rehearsal.as_ref().map(Rehearsal::vectors),
        index,
        verified,
    };
    let closed = if is_confirmed { summary.close_output_files(&bulk) } else { Ok(()) };
    for complaint in summary.complaints() {
        complain(complaint);
    }
    let exit = match summary.exit(was_sent) {
        Exit::Done if closed.is_err() => Exit::Usage,
        exit => exit,
    };
    if let Err(error) = closed.map_err(|error| error.to_string())
        && !summary.stopped.as_ref().is_some_and(|stopped| stopped.is_because(&error))
    {
        complain(format_args!("error: {error}"));
    }
    let text = match args.output.output_format {
        Format::Text => summary.to_text(),
        Format::Json => summary.to_json(),
    };
    if args.output.quiet {
        let skipped = count(reading.bad_lines(), "bad line");
        if reading.bad_lines() > 0 {
            complain(format_args!("warning: {skipped} skipped"));
        }
        return Ok(exit);
    }
    Ok(print(exit, |stdout| writeln!(stdout, "{text}")))
}

/// Whether an argument of `--keys` contains the keys themselves.
fn is_literal(keys: &str) -> bool {
    keys != "-" && !keys.starts_with("file://")
}

fn progress_when(args: &Args) -> When {
    if args.output.quiet { When::Never } else { args.output.progress }
}

/// `--dry-run` with keys of the index: counts them, and deletes nothing.
fn count_matching(
    args: &Args,
    config: Config,
    selection: &Selection,
    interrupts: &Interrupts,
) -> Result<Exit, BoxError> {
    let bulk_options = bulk_options(args, &config);
    let Config { target, credentials, transport, .. } = config;
    let pair = credentials.credentials()?;
    let rehearsal = args.place.emulator.then(|| Rehearsal::start(&target, pair)).transpose()?;
    let target = rehearsal.as_ref().map_or(&target, Rehearsal::target);
    let reading = Arc::new(Reading::default());
    let source = Source::open(&[], &[], args.what.rules())?;
    let console = Progress::new(When::Never, &source, reading).console();
    log::start(args.output.verbose, console.clone());
    let lookups = Lookups {
        target,
        credentials: &credentials,
        client: args.how.transport,
        options: &transport,
        bulk_options,
        max_qps: args.how.max_qps,
        console,
        interrupts,
        stop: StopHandle::new(),
    };
    let counted = match lookups.count(selection, true)? {
        Ok(counted) => counted,
        Err(error) => {
            complain(format_args!("error: {error}"));
            if let Some(advice) = matching::advice(&error, target) {
                complain(format_args!("help: {advice}"));
            }
            return Ok(Exit::because_listing_stopped(&error));
        }
    };
    complain("nothing was deleted");
    let index_name = target.index_name().unwrap_or_default().escape_debug();
    let text = match args.output.output_format {
        Format::Json => text::json_line(&serde_json::json!({
            "dry_run": true,
            "selection": selection.to_string(),
            "keys": counted.keys,
            "examples": counted.examples,
        })),
        Format::Text if counted.keys == 0 => {
            format!("Would delete no key from {index_name}: {selection}")
        }
        Format::Text => format!(
            "Would delete {} from {index_name}, {}: {selection}",
            count(counted.keys, "key"),
            counted.show_examples()
        ),
    };
    Ok(print(Exit::Done, |stdout| writeln!(stdout, "{text}")))
}

fn rate(args: &Args) -> Adaptive {
    let rate = args
        .how
        .max_qps
        .map_or(Adaptive::new(), |requests| Adaptive::new().max_requests_per_second(requests));
    args.how.max_keys_per_second.map_or(rate, |keys| rate.max_keys_per_second(keys))
}

fn bulk_options(args: &Args, config: &Config) -> BulkOptions {
    let options = BulkOptions::new()
        .concurrency(args.how.concurrency)
        .rate(rate(args))
        .max_attempts(config.max_attempts)
        .response_timeout(config.timeout + BEYOND_TIMEOUT)
        // Concurrent runs under one limit must not have the same jitter.
        .seed(RandomState::new().hash_one(()));
    match args.how.give_up_after {
        Some(outage) => options.outage_timeout(outage),
        None => options,
    }
}

fn dry_run(args: &Args, config: Config, source: Source) -> Result<Exit, BoxError> {
    let Config { target, credentials, .. } = config;
    let credentials = credentials.credentials()?;
    let rehearsal =
        args.place.emulator.then(|| Rehearsal::start(&target, credentials.clone())).transpose()?;
    let target = rehearsal.as_ref().map_or(&target, Rehearsal::target);
    let time = args
        .how
        .signing_time
        .map_or_else(SystemTime::now, |seconds| UNIX_EPOCH + Duration::from_secs(seconds));
    complain(
        "warning: each request holds a signature by your credentials, and their security token if there is one: \
         anyone who has it can send it within 15 minutes of its date",
    );
    let reading = Arc::new(Reading::default());
    let console = Progress::new(When::Never, &source, Arc::clone(&reading)).console();
    let on_bad_key = args.what.on_bad_key;
    let keys =
        Keys::new(source, on_bad_key, StopHandle::new(), Some(console), Arc::clone(&reading));
    let mut written = None;
    let exit = print(Exit::Done, |stdout| {
        written =
            Some(dry_run::write_requests(target, credentials, time, keys, BufWriter::new(stdout))?);
        Ok(())
    });
    if let Some(error) = reading.error() {
        return Err(error.into());
    }
    // Incomplete output has no total.
    let total = written.map_or(
        "the output is not complete".to_owned(),
        |Report { requests, pushed, duplicates, .. }| {
            format!("{} for {}", count(requests, "request"), count(pushed - duplicates, "key"))
        },
    );
    complain(format_args!("{total}; nothing was sent"));
    Ok(exit)
}

/// Writes to stdout. A closed pipe is not an error: the reader has what it needs.
fn print(exit: Exit, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Exit {
    let mut stdout = io::stdout().lock();
    match write(&mut stdout).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(format_args!("error: cannot write the output: {error}"));
            Exit::Usage
        }
        _ => exit,
    }
}
