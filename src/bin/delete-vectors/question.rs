//! The confirmation prompt before the irreversible deletion.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::{error, fmt};

use oss_delete_vectors::Target;
use oss_delete_vectors::bulk::Report;

use crate::key_lines::excerpt;
use crate::source::{Source, Survey};
use crate::text::{count, grouped};

/// The deletion to confirm.
pub(crate) struct Question<'a> {
    pub(crate) target: &'a Target,
    pub(crate) source: &'a Source,
    /// The keys of the source, if known.
    pub(crate) survey: Option<Survey>,
    /// The report of the resumed run.
    pub(crate) resumed: Option<Report>,
}

/// Whether there is a terminal for the question.
pub(crate) fn has_terminal() -> bool {
    terminal().is_ok()
}

/// Asks on the terminal whether to continue, even if stdin is redirected. The answer must be a yes,
/// or `password` if there is one.
pub(crate) fn is_confirmed(question: &str, password: Option<&str>) -> Result<bool, QuestionError> {
    let (input, output) = terminal().map_err(|_| QuestionError::NoTerminal)?;
    ask(question, password, BufReader::new(input), output).map_err(QuestionError::Io)
}

impl fmt::Display for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.target;
        let names = self.source.names();
        match &self.survey {
            Some(Survey { keys, ends }) => {
                write!(f, "Delete {}", count(*keys, "key"))?;
                if !names.is_empty() {
                    write!(f, " from {}", names.escape_debug())?;
                }
                match ends {
                    Some((first, last)) if *keys > 1 => {
                        write!(f, ", {} .. {},", excerpt(first), excerpt(last))?;
                    }
                    Some((first, _)) => write!(f, ", {},", excerpt(first))?,
                    None => {}
                }
            }
            // Keys on the command line would be counted.
            None => write!(f, "Delete all keys in {}", names.escape_debug())?,
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
            write!(f, ", resuming after {} of them", grouped(pushed))?;
        }
        f.write_str("? [y/N] ")
    }
}

fn ask(
    question: &str,
    password: Option<&str>,
    mut input: impl BufRead,
    mut output: impl Write,
) -> io::Result<bool> {
    output.write_all(question.as_bytes())?;
    output.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    Ok(match password {
        Some(password) => answer.trim() == password,
        None => matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"),
    })
}

/// The controlling terminal of the program.
fn terminal() -> io::Result<(File, File)> {
    let (input, output) =
        if cfg!(windows) { ("CONIN$", "CONOUT$") } else { ("/dev/tty", "/dev/tty") };
    Ok((File::open(input)?, File::options().write(true).open(output)?))
}

/// The reason why the prompt got no answer.
#[derive(Debug)]
pub(crate) enum QuestionError {
    NoTerminal,
    Io(io::Error),
}

impl fmt::Display for QuestionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTerminal => {
                f.write_str("deleting is irreversible, and there is no terminal for the question: use --force to skip it")
            }
            Self::Io(error) => write!(f, "cannot ask whether to delete: {error}"),
        }
    }
}

impl error::Error for QuestionError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_lines::Rules;

    fn question(index_name: &str, source: &Source, resumed: Option<Report>) -> String {
        let target = Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name(index_name)
            .build()
            .unwrap();
        let survey = source.survey().unwrap();
        Question { target: &target, source, survey, resumed }.to_string()
    }

    fn array(keys: &str) -> Source {
        Source::open(&[keys.to_owned()], &[], Rules::default()).unwrap()
    }

    const PLACE: &str = " from vectorindex1 in bucket examplebucket (account 1234567890123456, region cn-hangzhou, \
                         host examplebucket-1234567890123456.cn-hangzhou.oss-vectors.aliyuncs.com)? [y/N] ";

    #[test]
    fn names_the_target_and_the_keys() {
        let long = format!(r#"["a","{}"]"#, "x".repeat(1000));
        for (keys, expected) in [
            (r#"["doc-001","b","doc-003"]"#, "Delete 3 keys, doc-001 .. doc-003,"),
            (r#"["doc-001"]"#, "Delete 1 key, doc-001,"),
            (r#"["a\u001b[2K\r","\u202eb"]"#, "Delete 2 keys, a\\u{1b}[2K\\r .. \\u{202e}b,"),
            (&long, &format!("Delete 2 keys, a .. {}…,", "x".repeat(40))),
        ] {
            assert_eq!(question("vectorindex1", &array(keys), None), format!("{expected}{PLACE}"));
        }
    }

    #[test]
    fn names_files_with_the_count_of_their_keys() {
        let path = std::env::temp_dir().join(format!("question-{}.txt", std::process::id()));
        std::fs::write(
            &path,
            (1..=200_000).map(|number| format!("doc-{number:06}\n")).collect::<String>(),
        )
        .unwrap();
        let source = Source::open(
            &[r#"["first"]"#.to_owned()],
            std::slice::from_ref(&path),
            Rules::default(),
        )
        .unwrap();
        let expected =
            format!("Delete 200,001 keys from {}, first .. doc-200000,{PLACE}", path.display());
        assert_eq!(question("vectorindex1", &source, None), expected);
        // The survey does not consume keys of the run.
        assert_eq!(source.count(), 200_001);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn names_inputs_of_unknown_length_and_resumed_runs() {
        let null = Source::open(&[], &["/dev/null".into()], Rules::default()).unwrap();
        let mut report = Report::default();
        report.pushed = 1_234_567;
        let question = question("i", &null, Some(report));
        assert!(
            question.starts_with("Delete all keys in /dev/null from i in bucket examplebucket ("),
            "{question}"
        );
        assert!(question.ends_with("), resuming after 1,234,567 of them? [y/N] "), "{question}");
    }

    #[test]
    fn only_yes_confirms() {
        let answered = |answer: &str| ask("?", None, answer.as_bytes(), io::sink()).unwrap();
        for answer in ["y\n", "Y\n", "yes\r\n", " YES \n", "y"] {
            assert!(answered(answer), "{answer:?}");
        }
        for answer in ["", "\n", "n\n", "no\n", "yep\n", "n\ny\n", "да\n"] {
            assert!(!answered(answer), "{answer:?}");
        }
    }

    #[test]
    fn only_the_index_name_confirms_all() {
        let typed = |answer: &str| ask("?", Some("docs"), answer.as_bytes(), io::sink()).unwrap();
        assert!(typed("docs\n") && typed(" docs \r\n"));
        for answer in ["", "\n", "y\n", "yes\n", "Docs\n", "docs2\n"] {
            assert!(!typed(answer), "{answer:?}");
        }
    }

    #[test]
    fn an_index_name_cannot_rewrite_the_question() {
        let question = question("harmless\r\x1b[2K", &array(r#"["doc-001"]"#), None);
        assert!(!question.contains(char::is_control), "{question:?}");
    }
}
