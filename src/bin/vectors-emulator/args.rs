//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use oss_delete_vectors::emulator::Faults;

use crate::generate::Generated;
use crate::key_lines::Format;

const NOTES: &str = r#"The AccessKey pair that clients must sign with comes from the environment:
  OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET, and OSS_SESSION_TOKEN if clients must send a token

Examples:
  OSS_ACCESS_KEY_ID=example-id OSS_ACCESS_KEY_SECRET=example-secret vectors-emulator --listen 127.0.0.1:9000
  vectors-emulator --index-name vectorindex1 --keys-from keys.txt --max-qps 50
  vectors-emulator --vectors-from vectors.jsonl --late-listing 5
  vectors-emulator --faults lost-response=0.05,server-error=0.1 --seed 7

--vectors-from reads a JSON object on each line: {"key":"doc-001","data":[0.5],"metadata":{"t":1}}.
Data has any dimension; data and metadata can be left out.
DeleteVectors, ListVectors, GetVectors and PutVectors are served; other operations get 501.

Keys are read like --keys-from of delete-vectors: one per line, JSON in .jsonl and .ndjson files.
Input that looks like another format is rejected; --keys-format lines takes each line as is.

Faults:
  in the request    connection-refused, lost-request, late-request, corrupted-request, repeated-request, outage
  in the service    throttle, server-error, rejection
  in the response   lost-response, late-response, repeated-response, truncated-response, page, flipped-status

SIGTERM and SIGINT end it: requests in flight get 5 seconds, then it prints a summary as JSON.

Exit status:
  0  ended by a signal
  1  the output could not be written
  2  bad usage or configuration; nothing was served"#;

/// Serve an emulator of Alibaba Cloud OSS vector buckets, to test applications through any SDK.
#[derive(Parser)]
#[command(name = "vectors-emulator", version, after_help = NOTES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) vectors: Vectors,
    #[command(flatten)]
    pub(crate) fault_injection: FaultInjection,

    /// Print the man page or shell completions: bash, elvish, fish, power-shell, zsh
    #[arg(
        long,
        value_name = "man|SHELL",
        exclusive = true,
        hide_possible_values = true,
        help_heading = "Output"
    )]
    pub(crate) generate: Option<Generated>,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct Place {
    /// Address to serve on; port 0 picks a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = address)]
    pub(crate) listen: SocketAddr,

    /// Allow an address that other hosts can reach, without TLS
    #[arg(long)]
    pub(crate) allow_remote: bool,

    /// Region that clients sign for
    #[arg(long, default_value = "cn-hangzhou")]
    pub(crate) region: String,

    /// Account that owns the bucket
    #[arg(long, value_name = "ID", default_value = "1234567890123456")]
    pub(crate) account_id: String,

    /// Vector bucket, without the account id
    #[arg(long, default_value = "examplebucket")]
    pub(crate) bucket: String,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Vectors")]
pub(crate) struct Vectors {
    /// Index that holds the vectors
    #[arg(long, value_name = "NAME", default_value = "vectorindex1")]
    pub(crate) index_name: String,

    /// File with one key per line, or - for stdin; can be repeated [default: doc-001 to doc-999]
    #[arg(long, value_name = "PATH")]
    pub(crate) keys_from: Vec<String>,

    /// File with one vector per line as JSON, or - for stdin; can be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) vectors_from: Vec<String>,

    /// Format of each line; by default detected from the name and content of each file
    #[arg(long, value_name = "lines|jsonl", hide_possible_values = true, requires = "keys_from")]
    pub(crate) keys_format: Option<Format>,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Fault injection")]
pub(crate) struct FaultInjection {
    /// Maximum requests per second; the others are throttled
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = a_second)]
    pub(crate) max_qps: Option<f64>,

    /// Maximum keys per second; bursts of at least 500 keys are allowed
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = a_second)]
    pub(crate) max_keys_per_second: Option<f64>,

    /// Maximum keys in flight; each request counts for 100 ms
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = at_least_one)]
    pub(crate) max_keys_in_flight: Option<usize>,

    /// Listings return deleted vectors for this many seconds
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    pub(crate) late_listing: Option<Duration>,

    /// Listings ignore filters, as those of an endpoint without filters do
    #[arg(long)]
    pub(crate) ignore_filters: bool,

    /// Faults to inject and their probabilities; a round trip then takes 5 to 15 ms
    #[arg(long, value_name = "FAULT=P,...")]
    pub(crate) faults: Option<Faults>,

    /// Seed of the injected faults
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        default_value_t = 0,
        requires = "faults"
    )]
    pub(crate) seed: u64,
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "must be an IP address and a port, such as 127.0.0.1:9000")
}

fn at_least_one(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|&number| number > 0).ok_or("must be a whole number above 0")
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or("must be a number of seconds, 0 to 86400")
}

fn a_second(text: &str) -> Result<f64, &'static str> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("must be a number above 0"),
    }
}
