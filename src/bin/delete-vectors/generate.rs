//! `--generate`: the man page and the completions, from the definitions of the command line.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use crate::args::{Args, Generated};

/// An example for each option, for the man page; `--help` is to fit a screen.
const EXAMPLES: &[(&str, &str)] = &[];

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
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            let long = format!("--{}", argument.get_long().unwrap());
            let example = EXAMPLES.iter().find(|(of, _)| *of == id);
            assert!(example.is_some_and(|(_, example)| example.contains(&long)), "{id}: {example:?}");
        }
    }
}
