//! The question before an irreversible deletion.

use std::io::{self, BufRead, IsTerminal, Write};
use std::{error, fmt};

use oss_delete_vectors::DeleteVectors;

use crate::report::count;

/// Asks on the terminal whether to go on; whatever is not a yes is a no.
pub(crate) fn is_confirmed(call: &DeleteVectors) -> Result<bool, QuestionError> {
    // The question goes to stderr, to leave stdout to the report. Redirected, nobody would see it.
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(QuestionError::NoTerminal);
    }
    ask(call, io::stdin().lock(), io::stderr()).map_err(QuestionError::Io)
}

fn ask(call: &DeleteVectors, mut input: impl BufRead, mut output: impl Write) -> io::Result<bool> {
    let target = call.target();
    write!(
        output,
        "Delete {} from {} in bucket {} (account {}, region {}, host {})? [y/N] ",
        count(call.keys().len(), "vector"),
        target.index_name().unwrap_or_default().escape_debug(),
        target.bucket(),
        target.account_id(),
        target.region(),
        target.uri().authority().map_or("", |authority| authority.as_str()),
    )?;
    output.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
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
    use oss_delete_vectors::{KeyBatch, Target};

    use super::*;

    fn answered(index_name: &str, answer: &str) -> (bool, String) {
        let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name(index_name).build().unwrap();
        let call = DeleteVectors::new(&target, KeyBatch::new(["doc-001", "doc-002", "doc-003"]).unwrap());
        let mut output = Vec::new();
        let is_confirmed = ask(&call, answer.as_bytes(), &mut output).unwrap();
        (is_confirmed, String::from_utf8(output).unwrap())
    }

    #[test]
    fn names_the_target_and_how_many_vectors() {
        assert_eq!(
            answered("vectorindex1", "").1,
            "Delete 3 vectors from vectorindex1 in bucket examplebucket (account 1234567890123456, region cn-hangzhou, \
             host examplebucket-1234567890123456.cn-hangzhou.oss-vectors.aliyuncs.com)? [y/N] ",
        );
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        for answer in ["y\n", "Y\n", "yes\r\n", " YES \n", "y"] {
            assert!(answered("vectorindex1", answer).0, "{answer:?}");
        }
        for answer in ["", "\n", "n\n", "no\n", "yep\n", "n\ny\n", "да\n"] {
            assert!(!answered("vectorindex1", answer).0, "{answer:?}");
        }
    }

    #[test]
    fn an_index_name_cannot_rewrite_the_question() {
        let question = answered("harmless\r\x1b[2K", "").1;
        assert!(!question.contains(char::is_control), "{question:?}");
    }
}
