//! Serves an emulator of the service on a socket, to test deletes through any SDK. A thin layer
//! over the library.

mod args;
mod config;
#[path = "../generate.rs"]
mod generate;
#[path = "../input_text.rs"]
mod input_text;
#[allow(dead_code, unused_imports, reason = "delete-vectors uses the rest")]
#[path = "../key_lines.rs"]
mod key_lines;
mod keys;
mod manual;
mod service;
#[path = "../usage_error.rs"]
mod usage_error;
mod vectors;

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::mpsc;

use clap::{CommandFactory, Parser};

use args::Args;
use config::Config;
use manual::MANUAL;
use service::Service;

/// The output could not be written.
const OUTPUT_ERROR: u8 = 1;
/// Bad usage or configuration; nothing was served.
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let args = Args::try_parse().unwrap_or_else(|error| match usage_error::invalid_value(&error) {
        Some(text) => {
            complain(format_args!("error: {text}"));
            std::process::exit(USAGE_ERROR.into());
        }
        None => error.exit(),
    });
    run(&args).unwrap_or_else(|error| {
        complain(format_args!("error: {error}"));
        ExitCode::from(USAGE_ERROR)
    })
}

/// Runs the program. An error means that nothing was served.
fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(what) = args.generate {
        let mut text = Vec::new();
        generate::generate(what, Args::command(), &MANUAL, &mut text)?;
        return Ok(print(String::from_utf8(text)?.trim_end())
            .map_or_else(|error| output_error(&error), |()| ExitCode::SUCCESS));
    }
    let Config { addr, target, credentials } = Config::read(args, |name| std::env::var_os(name))?;
    let mut emulator = service::emulator(&target, credentials, &args.vectors)?;
    emulator.set_ignores_filters(args.fault_injection.ignore_filters);
    emulator.set_listing_delay(args.fault_injection.late_listing.unwrap_or_default());
    emulator.set_rate_limit(service::rate_limit(&args.fault_injection));

    let (signal, signalled) = mpsc::channel();
    ctrlc::set_handler(move || {
        // An error means that the program is already ending.
        let _ = signal.send(());
    })
    .map_err(|_| "cannot handle signals: no thread can be started")?;
    let service = Service::start(addr, target, emulator, &args.fault_injection)?;
    if let Err(error) = print(&format!("listening on {}", service.url())) {
        return Ok(output_error(&error));
    }
    signalled.recv()?;
    Ok(print(&service.end()).map_or_else(|error| output_error(&error), |()| ExitCode::SUCCESS))
}

/// Prints a line to stdout. A closed pipe is not an error: the reader has what it needs.
fn print(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

fn output_error(error: &io::Error) -> ExitCode {
    complain(format_args!("error: cannot write the output: {error}"));
    ExitCode::from(OUTPUT_ERROR)
}

/// Prints a line to stderr. A failure is ignored: there is nowhere to report it.
fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
