//! `--generate`: the man page and shell completions, generated from the command line definition.

use std::io::{self, Write};

use clap::{Command, ValueEnum};
use clap_complete::Shell;

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Generated {
    Man,
    Bash,
    Elvish,
    Fish,
    PowerShell,
    Zsh,
}

/// Parts of the man page that are too long for `--help`.
pub(crate) struct Manual {
    /// An example for each option id.
    pub(crate) examples: &'static [(&'static str, &'static str)],
    /// Titles, each with names and texts. They replace the section EXTRA, which clap generates from
    /// the notes of `--help`.
    pub(crate) sections: &'static [(&'static str, &'static [(&'static str, &'static str)])],
}

pub(crate) fn generate(
    what: Generated,
    mut command: Command,
    manual: &Manual,
    mut output: impl Write,
) -> io::Result<()> {
    let shell = match what {
        Generated::Man => return man(command, manual, &mut output),
        Generated::Bash => Shell::Bash,
        Generated::Elvish => Shell::Elvish,
        Generated::Fish => Shell::Fish,
        Generated::PowerShell => Shell::PowerShell,
        Generated::Zsh => Shell::Zsh,
    };
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut text);
    output.write_all(&text)
}

fn man(command: Command, manual: &Manual, output: &mut impl Write) -> io::Result<()> {
    let man = clap_mangen::Man::new(with_examples(command, manual));
    man.render_title(output)?;
    man.render_name_section(output)?;
    man.render_synopsis_section(output)?;
    man.render_description_section(output)?;
    man.render_options_section(output)?;
    for (title, entries) in manual.sections {
        writeln!(output, ".SH {title:?}")?;
        for (name, text) in *entries {
            let (name, text) = (name.replace('-', r"\-"), text.replace('-', r"\-"));
            writeln!(output, ".TP\n\\fB{name}\\fR\n{text}")?;
        }
    }
    man.render_version_section(output)
}

fn with_examples(command: Command, manual: &Manual) -> Command {
    command.mut_args(|argument| {
        let Some((_, example)) = manual.examples.iter().find(|(id, _)| argument.get_id() == *id)
        else {
            return argument;
        };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        argument.long_help(format!("{help}\n\nExample: {example}"))
    })
}

/// Runs in both programs.
#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Args;
    use crate::manual::MANUAL;

    #[test]
    fn every_option_has_an_example_with_its_name() {
        let command = Args::command();
        assert_eq!(command.get_arguments().count(), MANUAL.examples.len());
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            let long = format!("--{}", argument.get_long().unwrap());
            let example = MANUAL.examples.iter().find(|(of, _)| *of == id);
            assert!(
                example.is_some_and(|(_, example)| example.contains(&long)),
                "{id}: {example:?}"
            );
        }
    }

    #[test]
    fn the_man_page_has_every_example_and_completions_every_option() {
        let text = |what| {
            let mut text = Vec::new();
            generate(what, Args::command(), &MANUAL, &mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        // Man pages escape characters of their markup.
        let man = text(Generated::Man).replace(r"\*(Aq", "'").replace('\\', "");
        let is_hidden = |id: &str| {
            Args::command()
                .get_arguments()
                .any(|option| option.get_id() == id && option.is_hide_set())
        };
        for (id, example) in MANUAL.examples {
            let is_there = man.contains(&format!("Example: {example}"));
            assert_eq!(is_there, !is_hidden(id), "{example}");
        }
        assert!(!man.contains("EXTRA"));
        for (section, _) in MANUAL.sections {
            assert!(man.contains(&format!(".SH {section:?}\n")), "{section}");
        }
        for shell in [
            Generated::Bash,
            Generated::Elvish,
            Generated::Fish,
            Generated::PowerShell,
            Generated::Zsh,
        ] {
            let text = text(shell);
            for argument in Args::command().get_arguments() {
                assert!(text.contains(argument.get_long().unwrap()), "{argument}");
            }
        }
    }
}
