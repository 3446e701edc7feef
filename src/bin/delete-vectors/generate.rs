//! `--generate`: the man page and the completions, from the definitions of the command line.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use crate::args::{Args, Generated};

/// An example for each option, for the man page; `--help` is to fit a screen.
const EXAMPLES: &[(&str, &str)] = &[
    ("index_name", "--index-name vectorindex1"),
    ("keys", r#"--keys '["doc-001","doc-002"]', or --keys file://keys.json"#),
    ("keys_from", "--keys-from keys.txt --keys-from more.jsonl; or grep ^old- keys.txt | delete-vectors ... --keys-from -"),
    (
        "keys_format",
        "zcat keys.jsonl.gz | delete-vectors ... --keys-from - --keys-format jsonl; --keys-format lines takes any line",
    ),
    ("on_bad_key", "--keys-from keys.txt --on-bad-key skip, to leave out and count lines that hold no key"),
    ("region", "--region cn-hangzhou"),
    ("account_id", "--account-id 1234567890123456"),
    ("bucket", "--bucket examplebucket"),
    ("endpoint", "--endpoint internal, or --endpoint http://127.0.0.1:9000"),
    ("ca_file", "--endpoint https://vectors.example.com --ca-file ca.pem"),
    ("emulator", r#"--emulator --index-name vectorindex1 --keys '["doc-001"]'"#),
    ("profile", "--profile prod, for the section [profile prod]"),
    ("config_file", "--config-file ./ossutilconfig"),
    ("credential_process", "--credential-process 'vault-credentials --role vectors'"),
    ("force", "--force, in a script that has asked already"),
    ("dry_run", "--dry-run | jq .headers"),
    ("signing_time", "--dry-run --signing-time 1702743657"),
    ("concurrency", "--concurrency 64, or -j 64"),
    ("max_qps", "--max-qps 5, to leave the rest of the limit to others"),
    ("max_keys_per_second", "--max-keys-per-second 1000, to leave the rest of the limit to a writer"),
    ("max_attempts", "--max-attempts 3"),
    ("give_up_after", "--give-up-after 2h"),
    ("timeout", "--timeout 20"),
    ("transport", "--transport ureq"),
    ("checkpoint", "--keys-from keys.txt --checkpoint keys.checkpoint"),
    ("failed_keys", "--failed-keys failed.jsonl; then delete-vectors ... --keys-from failed.jsonl"),
    ("output_format", "--output-format json | jq .deleted"),
    ("progress", "--progress always 2>progress.log"),
    ("verbose", "--verbose, or -vv"),
    ("generate", "--generate man | man -l -; or --generate bash >/etc/bash_completion.d/delete-vectors"),
];

pub(crate) fn generate(what: Generated, mut output: impl Write) -> io::Result<()> {
    let mut command = Args::command();
    let shell = match what {
        Generated::Man => return man(with_examples(command), &mut output),
        Generated::Bash => Shell::Bash,
        Generated::Elvish => Shell::Elvish,
        Generated::Fish => Shell::Fish,
        Generated::PowerShell => Shell::PowerShell,
        Generated::Zsh => Shell::Zsh,
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, "delete-vectors", &mut text);
    output.write_all(&text)
}

/// What stands in the place of the section EXTRA, which clap makes of the notes under `--help`.
const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "CREDENTIALS",
        &[(
            "Sources",
            "The first of these that has any, and never parts of two: --credential-process; the environment; the profile.",
        )],
    ),
    (
        "ENVIRONMENT",
        &[
            ("OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET", "The AccessKey pair. Never given by option."),
            ("OSS_SESSION_TOKEN", "The security token of STS credentials."),
            ("OSS_REGION", "Region, where --region is not given."),
            ("OSS_ENDPOINT", "Endpoint, where --endpoint is not given."),
            ("OSSUTIL_CONFIG_FILE", "Configuration file, where --config-file is not given."),
            ("OSSUTIL_PROFILE", "Profile, where --profile is not given."),
        ],
    ),
    (
        "FILES",
        &[
            ("~/.ossutilconfig", "Region, endpoint, account id and credentials, by profile; the file of ossutil."),
            ("--checkpoint PATH", "How far the run is. Removed once all is deleted."),
            ("--failed-keys PATH", "A line of JSON for each key that was read and not deleted; --keys-from reads it."),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "The service confirmed every key of the input as deleted. A key that does not exist is confirmed too."),
            ("1", "Some keys are not deleted, or the question was answered with no."),
            ("2", "Bad usage or configuration; nothing was sent."),
            ("130", "Interrupted."),
        ],
    ),
    (
        "SUMMARY",
        &[
            ("keys_read", "Keys that were read. Each is in one of the next five."),
            ("deleted", "Keys that the service confirmed, whether there was a vector or not."),
            ("rejected", "Refused, and surely not deleted."),
            ("unconfirmed", "May have been deleted; no response confirmed it."),
            ("not_attempted", "Never sent, or surely not sent."),
            ("duplicates", "Given before in the same batch."),
            ("bad_lines", "Lines that were skipped because they hold no key."),
            ("input_complete", "Whether the input was read to its end. If not, the rest is in no count and no file."),
            ("requests, throttled, retries", "Requests sent; of these throttled; batches sent again after a failure."),
            ("errors", "Keys that were not deleted by their last error: code, status, count, message, request_id."),
            ("elapsed_seconds", "How long the run took, with those that it resumed."),
            ("request_id", "The service's id of the latest request. Left out where there is none."),
            ("error", "Why the run stopped. Left out where it did not."),
            ("emulator", "With --emulator: vectors_before, vectors_after."),
        ],
    ),
];

fn man(command: Command, output: &mut impl Write) -> io::Result<()> {
    let man = clap_mangen::Man::new(command);
    man.render_title(output)?;
    man.render_name_section(output)?;
    man.render_synopsis_section(output)?;
    man.render_description_section(output)?;
    man.render_options_section(output)?;
    for (title, entries) in SECTIONS {
        writeln!(output, ".SH {title:?}")?;
        for (name, text) in *entries {
            let (name, text) = (name.replace('-', r"\-"), text.replace('-', r"\-"));
            writeln!(output, ".TP\n\\fB{name}\\fR\n{text}")?;
        }
    }
    man.render_version_section(output)
}

fn with_examples(command: Command) -> Command {
    command.mut_args(|argument| {
        let Some((_, example)) = EXAMPLES.iter().find(|(id, _)| argument.get_id() == *id) else { return argument };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        argument.long_help(format!("{help}\n\nExample: {example}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_an_example_that_names_it() {
        let command = Args::command();
        assert_eq!(command.get_arguments().count(), EXAMPLES.len());
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            let long = format!("--{}", argument.get_long().unwrap());
            let example = EXAMPLES.iter().find(|(of, _)| *of == id);
            assert!(example.is_some_and(|(_, example)| example.contains(&long)), "{id}: {example:?}");
        }
    }

    #[test]
    fn the_man_page_has_every_example_and_completions_every_option() {
        let text = |what| {
            let mut text = Vec::new();
            generate(what, &mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        // Man pages escape what would be markup.
        let man = text(Generated::Man).replace(r"\*(Aq", "'").replace('\\', "");
        for (_, example) in EXAMPLES {
            assert!(man.contains(&format!("Example: {example}")), "{example}");
        }
        assert!(!man.contains("EXTRA"));
        for section in ["ENVIRONMENT", "FILES", "EXIT STATUS", "SUMMARY"] {
            assert!(man.contains(&format!(".SH \"{section}\"\n")), "{section}");
        }
        for shell in [Generated::Bash, Generated::Elvish, Generated::Fish, Generated::PowerShell, Generated::Zsh] {
            let text = text(shell);
            for argument in Args::command().get_arguments() {
                assert!(text.contains(argument.get_long().unwrap()), "{argument}");
            }
        }
    }
}
