//! Counts keys of the index before they are deleted, and asks for confirmation.

use std::fmt;
use std::time::{Duration, Instant};

use oss_delete_vectors::{ListError, Selection, Target};

use crate::key_lines::excerpt;
use crate::text::{clock, count, grouped};

/// How long keys are counted before the question.
const SURVEY_TIME: Duration = Duration::from_secs(2);

/// The number of keys in the question.
const EXAMPLES: usize = 3;

/// The keys that a listing found, completely or so far.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) keys: u64,
    /// The first keys in alphabetical order.
    pub(crate) examples: Vec<String>,
    /// Whether all keys were counted.
    pub(crate) is_all: bool,
    pub(crate) elapsed: Duration,
}

impl Counted {
    /// Counts for a moment, or to the end if `is_all`.
    pub(crate) fn count<E>(
        is_all: bool,
        list: impl FnOnce(&mut dyn FnMut(String) -> bool) -> Result<Result<(), ListError>, E>,
    ) -> Result<Result<Self, ListError>, E> {
        let begun = Instant::now();
        let mut counted = Self { is_all: true, ..Self::default() };
        let listed = list(&mut |key| {
            counted.keys += 1;
            let place = counted.examples.partition_point(|example| *example < key);
            if place < EXAMPLES {
                counted.examples.insert(place, key);
                counted.examples.truncate(EXAMPLES);
            }
            // Checks the clock only sometimes.
            let is_over =
                !is_all && counted.keys.is_multiple_of(100) && begun.elapsed() >= SURVEY_TIME;
            counted.is_all = !is_over;
            !is_over
        })?;
        counted.elapsed = begun.elapsed();
        Ok(listed.map(|()| counted))
    }

    pub(crate) fn show_examples(&self) -> String {
        let examples = self.examples.iter().map(|key| excerpt(key).to_string());
        let more = if self.keys > self.examples.len() as u64 { ", .." } else { "" };
        format!("{}{more}", examples.collect::<Vec<_>>().join(", "))
    }

    /// The expected rate in keys per second: the documented limit of the service, or less if the
    /// listing is slower.
    fn pace(&self) -> f64 {
        const DOCUMENTED: f64 = 2500.0;
        let listed = self.keys as f64 / self.elapsed.as_secs_f64().max(0.001);
        if self.keys < 1000 { DOCUMENTED } else { listed.min(DOCUMENTED) }
    }
}

/// The deletion to confirm.
pub(crate) struct Question<'a> {
    pub(crate) target: &'a Target,
    pub(crate) selection: &'a Selection,
    pub(crate) counted: &'a Counted,
}

impl Question<'_> {
    /// The text to type. `None` means a yes.
    pub(crate) fn password(&self) -> Option<&str> {
        self.selection.is_all().then(|| self.target.index_name().unwrap_or_default())
    }
}

impl fmt::Display for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, selection, counted } = self;
        let index_name = target.index_name().unwrap_or_default().escape_debug();
        if selection.is_all() {
            let faster = "is one call each, and takes seconds";
            writeln!(f, "Deleting the index {index_name} and creating it again {faster}.")?;
        }
        let pace = counted.pace();
        let time = |keys: f64| clock(Duration::from_secs_f64((keys / pace).ceil()));
        let (keys, rate) = (counted.keys as f64, grouped(pace as u64));
        let of_them = if counted.is_all { "" } else { " found so far" };
        writeln!(
            f,
            "At {rate} keys a second, {}{of_them} take {}, and a million {}.",
            count(counted.keys, "key"),
            time(keys),
            time(1e6),
        )?;
        let found = match counted.keys {
            0 => "none found".to_owned(),
            keys => {
                let more = if counted.is_all { "" } else { "more than " };
                format!("{more}{}: {}", grouped(keys), counted.show_examples())
            }
        };
        write!(
            f,
            "Delete {selection} ({found}) from {index_name} in bucket {} \
             (account {}, region {}, host {})? ",
            target.bucket(),
            target.account_id(),
            target.region(),
            target.uri().authority().map_or("", |authority| authority.as_str()),
        )?;
        match self.password() {
            None => f.write_str("[y/N] "),
            Some(_) => f.write_str("Type the name of the index: "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(selection: &Selection, keys: u64, is_all: bool) -> String {
        let target = Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name("vectorindex1")
            .build()
            .unwrap();
        let examples = ["doc-1", "doc-\u{1b}2"].map(str::to_owned).to_vec();
        let counted = Counted { keys, examples, is_all, elapsed: Duration::from_secs(2) };
        Question { target: &target, selection, counted: &counted }.to_string()
    }

    const PLACE: &str = " from vectorindex1 in bucket examplebucket (account 1234567890123456, \
                         region cn-hangzhou, host examplebucket-1234567890123456.cn-hangzhou.\
                         oss-vectors.aliyuncs.com)? ";

    #[test]
    fn the_question_shows_condition_count_and_time() {
        let prefix = Selection::all().prefix("doc-").unwrap();
        let expected = format!(
            "At 2,500 keys a second, 2 keys take 0:01, and a million 6:40.\n\
             Delete all keys that begin with \"doc-\" (2: doc-1, doc-\\u{{1b}}2){PLACE}[y/N] "
        );
        assert_eq!(question(&prefix, 2, true), expected);
        let filter = Selection::all().filter(r#"{"tenant":"acme"}"#.parse().unwrap());
        let expected = format!(
            "At 1,000 keys a second, 2,000 keys found so far take 0:02, and a million 16:40.\n\
             Delete all keys whose metadata match {{\"tenant\":\"acme\"}} (more than 2,000: doc-1, \
             doc-\\u{{1b}}2, ..){PLACE}[y/N] "
        );
        assert_eq!(question(&filter, 2000, false), expected);
    }

    #[test]
    fn all_suggests_deleting_the_index_and_asks_for_its_name() {
        let text = question(&Selection::all(), 40_000, true);
        let expected = format!(
            "Deleting the index vectorindex1 and creating it again is one call each, and takes \
             seconds.\n\
             At 2,500 keys a second, 40,000 keys take 0:16, and a million 6:40.\n\
             Delete all keys (40,000: doc-1, doc-\\u{{1b}}2, ..){PLACE}Type the name of the index: "
        );
        assert_eq!(text, expected);
    }
}
