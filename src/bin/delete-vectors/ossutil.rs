//! What users of ossutil type, and what to type here.

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

const PAIR: &str = "the AccessKey comes from the environment or the configuration file, because other \
                    users of the host can see a command line: set OSS_ACCESS_KEY_ID and \
                    OSS_ACCESS_KEY_SECRET; for STS, OSS_SESSION_TOKEN, too";

const HELP: &[(&str, &str)] = &[
    ("-i", PAIR),
    ("--access-key-id", PAIR),
    ("-k", PAIR),
    ("--access-key-secret", PAIR),
    ("-t", PAIR),
    ("--sts-token", PAIR),
    ("--mode", "write the mode into the profile of the configuration file"),
    ("--loglevel", "use --verbose, or -vv for each request"),
    ("--sign-version", "leave it out: every request is signed with version 4"),
    ("-y", "use --force"),
    ("--yes", "use --force"),
    ("vectors-api", "leave out the command: this program has only one"),
    ("delete-vectors", "leave out the command: this program has only one"),
];

/// `--yes: is not an option of this program`, with the advice. `None` for other errors. Shows no
/// value, because it may be a secret.
pub(crate) fn unknown(error: &Error) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let ContextValue::String(argument) = error.get(ContextKind::InvalidArg)? else { return None };
    let name = argument.split('=').next()?;
    let (name, help) = HELP.iter().find(|(known, _)| *known == name)?;
    let kind = if name.starts_with('-') { "an option" } else { "an argument" };
    Some(format!("{name}: is not {kind} of this program\nhelp: {help}"))
}
