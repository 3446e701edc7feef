//! Deletes vectors from an index of an Alibaba Cloud OSS vector bucket: a thin shell over the library.

mod args;
mod config;
mod dry_run;
mod keys;
mod question;
mod rehearsal;
mod report;
mod transport;

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use oss_delete_vectors::DeleteVectors;
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::transports::TransportOptions;

use args::{Args, Format};
use config::Config;
use rehearsal::Rehearsal;
use report::Report;
use transport::Transport;

/// Some vectors are not deleted.
const INCOMPLETE: u8 = 1;
/// Bad usage or configuration; nothing was sent.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    run(&Args::parse()).unwrap_or_else(|error| {
        complain(format_args!("error: {error}"));
        ExitCode::from(UNUSABLE)
    })
}

/// An error means that nothing was sent.
fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    let Config { target, credentials, keys } = Config::read(args, |name| std::env::var_os(name))?;
    let signer = Signer::new(&target, credentials.clone());
    if args.how.dry_run {
        let time = args.how.signing_time.map_or_else(SystemTime::now, |seconds| UNIX_EPOCH + Duration::from_secs(seconds));
        return Ok(dry_run(&DeleteVectors::new(&target, keys), &signer, time));
    }

    let transport = Transport::new(args.how.transport, &TransportOptions::new().timeout(args.how.timeout))?;
    let rehearsal = args.place.emulator.then(|| Rehearsal::start(&target, credentials)).transpose()?;
    let call = DeleteVectors::new(rehearsal.as_ref().map_or(&target, Rehearsal::target), keys);
    let is_confirmed = args.how.force || rehearsal.is_some() || question::is_confirmed(&call)?;

    let start = Instant::now();
    let outcome = is_confirmed.then(|| transport.delete_vectors(&call, &signer));
    let elapsed = start.elapsed();
    let report = Report::new(&call, outcome, elapsed, rehearsal.as_ref().map(Rehearsal::vectors));
    Ok(tell(&report, args.output.output_format))
}

fn dry_run(call: &DeleteVectors, signer: &Signer, time: SystemTime) -> ExitCode {
    let mut request = call.to_request();
    signer.sign(&mut request, time);
    let token = if request.headers().contains_key("x-oss-security-token") { " and their security token" } else { "" };
    complain(format_args!(
        "warning: the request holds a signature by your credentials{token}: within 15 minutes of its date, whoever has it can send it"
    ));
    print(&dry_run::to_json(&request), ExitCode::SUCCESS)
}

fn tell(report: &Report<'_>, format: Format) -> ExitCode {
    for complaint in report.complaints() {
        complain(complaint);
    }
    let text = match format {
        Format::Text => report.to_text(),
        Format::Json => report.to_json(),
    };
    print(&text, if report.is_all_deleted() { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) })
}

/// A line for stdout. A reader that has gone away has seen what it wanted: no error.
fn print(line: &str, code: ExitCode) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(format_args!("error: cannot write the output: {error}"));
            ExitCode::from(INCOMPLETE)
        }
        _ => code,
    }
}

/// A line for stderr; where that fails, there is nobody left to tell.
fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
