//! The command line.

mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, Command, CommandFactory, Parser, ValueEnum};

use values::{attempts, concurrency, duration, keys_a_second, requests_a_second, unix_time};
pub(crate) use values::{retries, seconds};

use crate::exit::CODES;
use crate::generate::Generated;
use crate::key_lines::{Format as KeyFormat, Rules};
use crate::matching::Selected;

const NOTES: &str = r#"Credentials come from the first of these that is configured; sources are never mixed:
  --credential-process, a program that prints JSON as for ossutil or the Alibaba Cloud CLI
  OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET, OSS_SESSION_TOKEN; or ALIBABA_CLOUD_ACCESS_KEY_ID, ..
  ALIBABA_CLOUD_OIDC_TOKEN_FILE with _ROLE_ARN and _OIDC_PROVIDER_ARN, as in a pod of ACK
  the profile in ~/.ossutilconfig, by its mode: AK, StsToken, EcsRamRole, oidcRoleArn, Process,
    CredentialsURI, External, RamRoleArn; source-profile names who assumes the role
  ALIBABA_CLOUD_CREDENTIALS_URI, or the RAM role of the ECS instance
The profile, or [buckets NAME], also sets region, endpoint, account-id, addressing-style, timeouts.

--prefix, --filter, --all: keys are deleted while the index is listed, in passes, until one finds
  none. The filter is the JSON of ListVectors: {"$and":[{"tenant":"acme"},{"year":{"$lt":2020}}]}
  A first request checks that the endpoint applies filters. To finish a run that was interrupted,
  run the same command again. --all: deleting the index and creating it again is faster.

--keys-from: UTF-8 text with one key per line, or JSON in .jsonl and .ndjson files and in those of
  --failed-keys. Input that looks like something else is rejected; --keys-format says what it is.

Examples:
  delete-vectors --emulator --index-name vectorindex1 --keys doc-001,doc-002
  delete-vectors ... --prefix doc-42# --dry-run
  delete-vectors ... --filter '{"tenant":"acme"}' --deleted-keys receipt.jsonl
  delete-vectors --profile prod --bucket examplebucket --index-name vectorindex1 --keys doc-001
  delete-vectors ... --keys-from keys.txt --checkpoint keys.checkpoint
  delete-vectors ... --force --output-format json | tail -n 1 | jq .deleted"#;

const BRIEF_NOTES: &str = r#"Example: delete-vectors --emulator --index-name vectorindex1 --keys doc-001,doc-002
--help has all options and the sources of credentials, --generate man more about each."#;

/// The options that are only in `--help`.
const RARE: &[&str] = &[
    "keys_format",
    "on_bad_key",
    "segments",
    "passes",
    "addressing_style",
    "ca_file",
    "config_file",
    "credential_process",
    "signing_time",
    "max_keys_per_second",
    "max_attempts",
    "give_up_after",
    "timeout",
    "connect_timeout",
    "transport",
    "progress",
    "generate",
];

/// The command line with only the most used options, for `-h`.
pub(crate) fn brief() -> Command {
    let hide = |option: Arg| {
        let is_rare = RARE.contains(&option.get_id().as_str());
        if is_rare { option.hide(true) } else { option }
    };
    Args::command().mut_args(hide).after_help(with_codes(BRIEF_NOTES))
}

/// The notes, and the table of exit codes.
fn with_codes(notes: &str) -> String {
    let rows = CODES.iter().map(|(code, text)| format!("\n  {code}  {text}"));
    format!("{notes}\n\nExit status:{}", rows.collect::<String>())
}

/// Delete vectors from an index of an Alibaba Cloud OSS vector bucket. This cannot be undone.
#[derive(Parser)]
#[command(
    name = "delete-vectors",
    version,
    override_usage = "delete-vectors [OPTIONS] --index-name <NAME> <KEYS>",
    after_help = with_codes(NOTES),
    disable_help_flag = true,
    disable_version_flag = true
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) what: What,
    #[command(flatten)]
    pub(crate) selected: Selected,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) how: How,
    #[command(flatten)]
    pub(crate) output_files: OutputPaths,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Keys")]
pub(crate) struct What {
    /// Index to delete from, such as vectorindex1
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    pub(crate) index_name: Option<String>,

    #[arg(
        long,
        value_name = "KEYS",
        help = "Keys: key,key1 or JSON, or file://PATH or - of them; can be repeated"
    )]
    pub(crate) keys: Vec<String>,

    /// File with one key per line, or - for stdin; can be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) keys_from: Vec<PathBuf>,

    /// Format of each line; by default detected from the name and content of each file
    #[arg(long, value_name = "lines|jsonl", hide_possible_values = true)]
    pub(crate) keys_format: Option<KeyFormat>,

    /// What to do with a line without a key
    #[arg(long, value_name = "fail|skip", hide_possible_values = true, default_value = "fail")]
    pub(crate) on_bad_key: OnBadKey,
}

impl What {
    /// The options that select the keys. Keys given on the command line are shown as `[..]`.
    pub(crate) fn to_options(&self) -> String {
        let arrays = self.keys.iter().map(|keys| {
            format!("--keys {}", if keys.starts_with("file://") { keys } else { "[..]" })
        });
        let paths = self.keys_from.iter().map(|path| format!("--keys-from {}", path.display()));
        let format = self.keys_format.and_then(|format| {
            Some(format!("--keys-format {}", format.to_possible_value()?.get_name()))
        });
        let skip = (self.on_bad_key == OnBadKey::Skip).then(|| "--on-bad-key skip".to_owned());
        arrays.chain(paths).chain(format).chain(skip).collect::<Vec<_>>().join(" ")
    }

    /// How the lines of `--keys-from` are read.
    pub(crate) fn rules(&self) -> Rules {
        Rules { format: self.keys_format, skips_bad_lines: self.on_bad_key == OnBadKey::Skip }
    }
}

#[derive(clap::Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct Place {
    #[arg(long, help = "Region, such as cn-hangzhou [env: OSS_REGION]")]
    pub(crate) region: Option<String>,

    /// Account that owns the bucket, such as 1234567890123456
    #[arg(long, value_name = "ID")]
    pub(crate) account_id: Option<String>,

    /// Vector bucket, without the account id
    #[arg(long)]
    pub(crate) bucket: Option<String>,

    #[arg(
        long,
        short,
        value_name = "URL",
        help = "Endpoint URL, or internal; default: public [env: OSS_ENDPOINT]"
    )]
    pub(crate) endpoint: Option<String>,

    /// path or virtual: the bucket in the path of the URL or before the host
    #[arg(long, value_name = "STYLE")]
    pub(crate) addressing_style: Option<String>,

    #[arg(
        long,
        value_name = "URL|none",
        help = "http:// or socks5:// proxy [env: HTTPS_PROXY, .., as for curl]"
    )]
    pub(crate) proxy: Option<String>,

    /// Rejected, with an alternative.
    #[arg(long, hide = true)]
    pub(crate) skip_verify_cert: bool,

    /// PEM file of certificates to trust in addition to the public ones
    #[arg(long, value_name = "PATH")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Delete from a built-in emulator, whose index has doc-001 to doc-999
    #[arg(long)]
    pub(crate) emulator: bool,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Credentials")]
pub(crate) struct Who {
    #[arg(
        long,
        value_name = "NAME",
        help = "Profile in the configuration file [env: OSSUTIL_PROFILE]"
    )]
    pub(crate) profile: Option<String>,

    #[arg(
        long,
        short,
        value_name = "PATH",
        help = "Its file; default: ~/.ossutilconfig [env: OSSUTIL_CONFIG_FILE]"
    )]
    pub(crate) config_file: Option<PathBuf>,

    /// Program that prints credentials as JSON
    #[arg(long, value_name = "COMMAND")]
    pub(crate) credential_process: Option<String>,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct How {
    /// Delete without asking for confirmation
    #[arg(long, short)]
    pub(crate) force: bool,

    #[arg(
        long,
        short = 'n',
        help = "Delete nothing: print the requests, or count keys of the index"
    )]
    pub(crate) dry_run: bool,

    /// Look the keys up after the run, and report those still there
    #[arg(long)]
    pub(crate) verify: bool,

    /// Sign the dry run for this Unix time instead of now
    #[arg(long, value_name = "UNIX", requires = "dry_run", allow_negative_numbers = true, value_parser = unix_time)]
    pub(crate) signing_time: Option<u64>,

    /// Maximum number of requests in flight
    #[arg(long, short = 'j', visible_alias = "job", value_name = "N", default_value = "16", allow_negative_numbers = true, value_parser = concurrency)]
    pub(crate) concurrency: usize,

    /// Maximum requests per second, for deletes and for listings each
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = requests_a_second)]
    pub(crate) max_qps: Option<f64>,

    /// Maximum keys to delete per second
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = keys_a_second)]
    pub(crate) max_keys_per_second: Option<f64>,

    /// Maximum attempts for each batch of keys; default: 10
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = attempts)]
    pub(crate) max_attempts: Option<u32>,

    /// The same, counted without the first attempt.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = retries, conflicts_with = "max_attempts", hide = true)]
    pub(crate) retry_times: Option<u32>,

    /// Stop after an outage of this length, such as 90, 30m, 2h or 1d; default: never
    #[arg(long, visible_alias = "outage-timeout", value_name = "DURATION", allow_negative_numbers = true, value_parser = duration)]
    pub(crate) give_up_after: Option<Duration>,

    /// Timeout of each request; default: 60
    #[arg(long, visible_alias = "read-timeout", value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,

    /// Time to connect; default: 10
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    pub(crate) connect_timeout: Option<Duration>,

    /// HTTP client
    #[arg(long, value_name = "hyper|ureq", hide_possible_values = true, default_value = "hyper")]
    pub(crate) transport: Client,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputPaths {
    /// Save progress to this file; the same command resumes the run
    #[arg(long, value_name = "PATH", conflicts_with = "emulator")]
    pub(crate) checkpoint: Option<PathBuf>,

    /// Write keys that were not deleted to this file, as JSON Lines
    #[arg(long, value_name = "PATH")]
    pub(crate) failed_keys: Option<PathBuf>,

    /// Write keys that were deleted to this file: a receipt
    #[arg(long, value_name = "PATH")]
    pub(crate) deleted_keys: Option<PathBuf>,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Format of the summary
    #[arg(long, value_name = "text|json", hide_possible_values = true, default_value = "text")]
    pub(crate) output_format: Format,

    /// A bar on a terminal; with always, a line every 10 seconds
    #[arg(
        long,
        value_name = "auto|always|never",
        hide_possible_values = true,
        default_value = "auto"
    )]
    pub(crate) progress: When,

    /// Print only errors
    #[arg(long, short, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Log to stderr; given twice, log every request
    #[arg(long, short, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Print this; -h prints the most used options
    #[arg(long, short, action = ArgAction::Help)]
    help: Option<bool>,

    #[arg(long, short = 'V', action = ArgAction::Version, help = "Print the version")]
    version: Option<bool>,

    /// Print the man page, or completions for bash, elvish, fish, power-shell or zsh
    #[arg(long, value_name = "man|SHELL", exclusive = true, hide_possible_values = true)]
    pub(crate) generate: Option<Generated>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Client {
    Hyper,
    Ureq,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnBadKey {
    Fail,
    Skip,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}
