//! The question before an irreversible deletion.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::{error, fmt};

use oss_delete_vectors::Target;
use oss_delete_vectors::bulk::Report;

use crate::source::Source;
use crate::text::{count, grouped};

/// What is to be agreed to.
pub(crate) struct Question<'a> {
    pub(crate) target: &'a Target,
    pub(crate) source: &'a Source,
    /// What an earlier run did of it.
    pub(crate) resumed: Option<Report>,
}

/// Asks on the terminal whether to go on, wherever stdin comes from; whatever is not a yes is a no.
pub(crate) fn is_confirmed(question: &str) -> Result<bool, QuestionError> {
    let (input, output) = terminal().map_err(|_| QuestionError::NoTerminal)?;
    ask(question, BufReader::new(input), output).map_err(QuestionError::Io)
}

impl fmt::Display for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.target;
        f.write_str("Delete ")?;
        match self.source.count() {
            Some(keys) => f.write_str(&count(keys as u64, "vector"))?,
            None => write!(f, "the vectors of all keys in {}", self.source.names().escape_debug())?,
        }
        write!(
            f,
            " from {} in bucket {} (account {}, region {}, host {})",
            target.index_name().unwrap_or_default().escape_debug(),
            target.bucket(),
            target.account_id(),
            target.region(),
            target.uri().authority().map_or("", |authority| authority.as_str()),
        )?;
        if let Some(Report { pushed, .. }) = self.resumed {
            write!(f, ", going on after {} of them", grouped(pushed))?;
        }
        f.write_str("? [y/N] ")
    }
}

fn ask(question: &str, mut input: impl BufRead, mut output: impl Write) -> io::Result<bool> {
    output.write_all(question.as_bytes())?;
    output.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// The terminal that the program was started from.
fn terminal() -> io::Result<(File, File)> {
    let (input, output) = if cfg!(windows) { ("CONIN$", "CONOUT$") } else { ("/dev/tty", "/dev/tty") };
    Ok((File::open(input)?, File::options().write(true).open(output)?))
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum QuestionError {
    NoTerminal,
    Io(io::Error),
}

impl fmt::Display for QuestionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTerminal => {
                f.write_str("deleting is irreversible, and there is no terminal to ask on: use --force not to be asked")
            }
            Self::Io(error) => write!(f, "cannot ask whether to delete: {error}"),
        }
    }
}

impl error::Error for QuestionError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(index_name: &str, keys: &str, resumed: Option<Report>) -> String {
        let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name(index_name).build().unwrap();
        let source = Source::open(&[keys.to_owned()], &[], None).unwrap();
        Question { target: &target, source: &source, resumed }.to_string()
    }

    #[test]
    fn names_the_target_and_how_many_vectors() {
        assert_eq!(
            question("vectorindex1", r#"["doc-001","doc-002","doc-003"]"#, None),
            "Delete 3 vectors from vectorindex1 in bucket examplebucket (account 1234567890123456, region cn-hangzhou, \
             host examplebucket-1234567890123456.cn-hangzhou.oss-vectors.aliyuncs.com)? [y/N] ",
        );
    }

    #[test]
    fn names_the_inputs_where_nobody_knows_how_many_keys_they_hold_and_what_was_done() {
        let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("i").build().unwrap();
        let source = Source::open(&[], &["-".into()], None).unwrap();
        let mut report = Report::default();
        report.pushed = 1_234_567;
        let question = Question { target: &target, source: &source, resumed: Some(report) }.to_string();
        assert!(question.starts_with("Delete the vectors of all keys in stdin from i in bucket examplebucket ("), "{question}");
        assert!(question.ends_with("), going on after 1,234,567 of them? [y/N] "), "{question}");
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        let answered = |answer: &str| ask("?", answer.as_bytes(), io::sink()).unwrap();
        for answer in ["y\n", "Y\n", "yes\r\n", " YES \n", "y"] {
            assert!(answered(answer), "{answer:?}");
        }
        for answer in ["", "\n", "n\n", "no\n", "yep\n", "n\ny\n", "да\n"] {
            assert!(!answered(answer), "{answer:?}");
        }
    }

    #[test]
    fn an_index_name_cannot_rewrite_the_question() {
        let question = question("harmless\r\x1b[2K", r#"["doc-001"]"#, None);
        assert!(!question.contains(char::is_control), "{question:?}");
    }
}
