//! Deletes vectors from an index of an Alibaba Cloud OSS vector bucket. A thin layer over the library.

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
mod key_stream;
mod keys;
mod lock;
mod log;
mod manual;
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

use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{CommandFactory, Parser};
use oss_delete_vectors::bulk::{Adaptive, BulkOptions, Report};
use oss_delete_vectors::transports::StopHandle;

use args::{Args, Format, When};
use config::Config;
use console::complain;
use exit::Exit;
use job::{Ended, Job};
use keys::{Keys, Reading};
use manual::MANUAL;
use output_files::{BoxError, OutputFiles};
use progress::Progress;
use question::Question;
use rehearsal::Rehearsal;
use source::Source;
use summary::{Stopped, Summary};
use text::count;

/// How long `BulkDelete` waits beyond the timeout of the transport, whose error says more.
const BEYOND_TIMEOUT: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    let args = Args::try_parse().unwrap_or_else(|error| {
        match usage_error::invalid_value(&error) {
            Some(text) => complain(format_args!("error: {text}")),
            None => _ = error.print(),
        }
        // `--help` and `--version` come as errors as well.
        if error.use_stderr() { Exit::Usage.now() } else { Exit::Done.now() }
    });
    run(&args).map_or_else(
        |error| {
            complain(format_args!("error: {error}"));
            Exit::Usage.into()
        },
        ExitCode::from,
    )
}

/// Runs the program. An error means that nothing was sent.
fn run(args: &Args) -> Result<Exit, BoxError> {
    if let Some(what) = args.output.generate {
        return Ok(print(Exit::Done, |stdout| {
            generate::generate(what, Args::command(), &MANUAL, stdout)
        }));
    }
    let config = Config::read(args, |name| std::env::var_os(name))?;
    paths::check(args)?;
    let source = Source::open(&args.what.keys, &args.what.keys_from, args.what.rules())?;
    if args.how.dry_run { dry_run(args, config, source) } else { delete(args, config, source) }
}

fn delete(args: &Args, config: Config, source: Source) -> Result<Exit, BoxError> {
    let Config { target, credentials: credential_source, transport } = config;
    let transport_options = transport.timeout(args.how.timeout);
    let credentials = credential_source.credentials()?;
    let rehearsal =
        args.place.emulator.then(|| Rehearsal::start(&target, credentials.clone())).transpose()?;
    let target = rehearsal.as_ref().map_or(&target, Rehearsal::target);
    let reading = Arc::new(Reading::default());
    let mut output_files = OutputFiles::open(&args.output_files, &args.what, Arc::clone(&reading))?;
    let mut bulk = output_files.new_run(target, credentials, bulk_options(args))?;
    let is_asked = !args.how.force && rehearsal.is_none();
    let survey = if is_asked { source.survey()? } else { None };
    // Without keys there is nothing to confirm.
    let is_asked = is_asked && survey.as_ref().is_none_or(|survey| survey.keys > 0);
    let question =
        Question { target, source: &source, survey, resumed: output_files.resumed() }.to_string();
    let mut progress = Progress::new(args.output.progress, &source, Arc::clone(&reading));
    let console = progress.console();
    log::start(args.output.verbose, console.clone());
    let stop = StopHandle::new();
    let mut keys =
        Keys::new(source, args.what.on_bad_key, stop.clone(), console, Arc::clone(&reading));
    output_files.check_keys(&mut keys)?;
    let is_confirmed = !is_asked || question::is_confirmed(&question)?;
    let requests_before = bulk.report().requests;
    let stopped = if is_confirmed {
        output_files.begin(&bulk)?;
        let job = Job {
            client: args.how.transport,
            options: &transport_options,
            bulk: &mut bulk,
            keys,
            credentials: credential_source,
            output_files: &mut output_files,
            progress: &mut progress,
            stop,
        };
        let Ended { outcome, unwritten, was_interrupted } = job.run()?;
        let unwritten = unwritten.map(|error| Stopped::Unwritten(error.to_string()));
        match (unwritten.or_else(|| reading.error().map(Stopped::reading)), outcome) {
            (Some(stopped), _) => Some(stopped),
            (None, Err(_)) if was_interrupted => Some(Stopped::Interrupted),
            (None, Err(error)) => Some(Stopped::Run(error)),
            (None, Ok(_)) => None,
        }
    } else {
        Some(Stopped::Declined)
    };

    let was_sent = bulk.report().requests > requests_before;
    let mut summary = Summary {
        target,
        report: bulk.report(),
        stopped,
        input_complete: reading.is_complete(bulk.position()),
        bad_lines: reading.bad_lines(),
        elapsed: output_files.elapsed(),
        output_files: &mut output_files,
        emulator: rehearsal.as_ref().map(Rehearsal::vectors),
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
    Ok(print(exit, |stdout| writeln!(stdout, "{text}")))
}

fn rate(args: &Args) -> Adaptive {
    let rate = args
        .how
        .max_qps
        .map_or(Adaptive::new(), |requests| Adaptive::new().max_requests_per_second(requests));
    args.how.max_keys_per_second.map_or(rate, |keys| rate.max_keys_per_second(keys))
}

fn bulk_options(args: &Args) -> BulkOptions {
    let options = BulkOptions::new()
        .concurrency(args.how.concurrency)
        .rate(rate(args))
        .max_attempts(args.how.max_attempts)
        .response_timeout(args.how.timeout + BEYOND_TIMEOUT)
        // Runs that share a limit must not have the same jitter.
        .seed(RandomState::new().hash_one(()));
    match args.how.give_up_after {
        Some(outage) => options.outage_timeout(outage),
        None => options,
    }
}

fn dry_run(args: &Args, config: Config, source: Source) -> Result<Exit, BoxError> {
    let Config { target, credentials, .. } = config;
    let credentials = credentials.credentials()?;
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
    let keys =
        Keys::new(source, args.what.on_bad_key, StopHandle::new(), console, Arc::clone(&reading));
    let mut written = None;
    let exit = print(Exit::Done, |stdout| {
        written = Some(dry_run::write_requests(
            &target,
            credentials,
            time,
            keys,
            BufWriter::new(stdout),
        )?);
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
