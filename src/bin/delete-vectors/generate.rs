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
    ("keys_format", "zcat keys.jsonl.gz | delete-vectors ... --keys-from - --keys-format jsonl"),
    ("on_bad_key", "--keys-from keys.txt --on-bad-key skip"),
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
        Generated::Man => return clap_mangen::Man::new(with_examples(command)).render(&mut output),
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
        for shell in [Generated::Bash, Generated::Elvish, Generated::Fish, Generated::PowerShell, Generated::Zsh] {
            let text = text(shell);
            for argument in Args::command().get_arguments() {
                assert!(text.contains(argument.get_long().unwrap()), "{argument}");
            }
        }
    }
}
