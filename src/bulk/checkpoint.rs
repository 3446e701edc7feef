use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use super::{BulkDelete, BulkOptions, Report, Settled};
use crate::retry::History;
use crate::{Credentials, InvalidValue, Target};

/// The progress of a run, from which another run continues: after a stop or a crash, in another
/// process, on another day.
///
/// [`BulkDelete::checkpoint`] returns one at any time. [`BulkDelete::resume`] creates a run that
/// takes the same keys in the same order from the beginning, and skips those that are settled. Its
/// report continues that of the first run.
///
/// Keys without an outcome are sent again, which does no harm. So are these:
///
/// - keys that the end of the run interrupted: a stop left them unsent, or an abort left them
///   without a response;
/// - keys that were rejected before anything was deleted, unless a deletion followed in the same
///   run. With a wrong index or dimension every key is rejected, so that such a rejection says
///   nothing about the keys.
///
/// **A checkpoint does not know the keys**: store the size and a hash of their source with it. A
/// [`Run`](crate::transports::Run) fails if its source is shorter than what was settled, and cannot
/// notice any other change.
///
/// [`Display`](fmt::Display) and [`FromStr`] convert it to one line of JSON and back. To save it
/// safely, write it to a new file, sync that file, and rename it over the old one.
///
/// ```
/// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Checkpoint};
/// # use std::time::{Duration, UNIX_EPOCH};
/// # use oss_delete_vectors::{Credentials, Deleted, Key, Now, Target};
/// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
/// #     .bucket("examplebucket").index_name("vectorindex1").build()?;
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// # let now = Now::new(Duration::ZERO, UNIX_EPOCH + Duration::from_secs(1_702_743_657));
///
/// let mut bulk = BulkDelete::new(&target, credentials.clone(), BulkOptions::new())?;
/// for number in 0..1234 {
///     bulk.push(Key::new(&format!("doc-{number}"))?)?;
/// }
/// let transmit = bulk.poll_transmit(now).expect("500 keys are ready");
/// bulk.handle_response(now, transmit.id, &Deleted::new("some id").to_response());
/// let saved = bulk.checkpoint().to_string();
///
/// let saved: Checkpoint = saved.parse()?;
/// let mut bulk = BulkDelete::resume(&target, credentials, BulkOptions::new(), &saved)?;
/// for number in 0..1234 {
///     bulk.push(Key::new(&format!("doc-{number}"))?)?;
/// }
/// assert_eq!((bulk.report().deleted, bulk.report().pending()), (500, 734));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The result of [`target_name`].
    target: String,
    settled: Settled,
    /// Counts the settled keys, and the requests so far.
    report: Report,
}

/// The version of the text. It changes if the meaning of a member changes.
const VERSION: u64 = 1;

/// More than any run sends, with room for a resumed run to count on.
const MOST_REQUESTS: u64 = 1 << 53;

impl Checkpoint {
    fn new(target: &Target, settled: &Settled, report: Report) -> Self {
        let mut checkpoint = Self { target: target_name(target), settled: settled.clone(), report };
        checkpoint.report.pushed = settled.len();
        checkpoint.report.input_complete = false;
        checkpoint.report.duplicates =
            settled.len() - checkpoint.outcomes().expect("fewer than there are positions");
        checkpoint
    }

    /// The index that the run deletes from: `acs:ossvector:{region}:{account id}:{bucket}/{index}`,
    /// followed by ` at {host}` if the endpoint is not one of OSS.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The positions whose keys are settled.
    #[must_use]
    pub fn settled(&self) -> &Settled {
        &self.settled
    }

    /// The report on the settled keys. Nothing in it is pending.
    pub fn report(&self) -> Report {
        self.report
    }

    /// Checks that this is a checkpoint of a run that deletes from `target`.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with the field `target` if the index differs, or the host. The public and
    /// the internal endpoint of OSS do not differ: they lead to the same vectors.
    pub fn check_target(&self, target: &Target) -> Result<(), InvalidValue> {
        let name = target_name(target);
        if self.target == name {
            return Ok(());
        }
        Err(InvalidValue::new("target", "must be the one of the checkpoint", &name))
    }

    /// The number of keys that have an outcome; `None` if it overflows.
    fn outcomes(&self) -> Option<u64> {
        let Report { deleted, rejected, unconfirmed, not_attempted, .. } = self.report;
        [rejected, unconfirmed, not_attempted].into_iter().try_fold(deleted, u64::checked_add)
    }

    fn from_json(value: &Value) -> Option<Self> {
        let number = |name: &str| value.get(name)?.as_u64();
        let count = |name: &str| number(name).filter(|&count| count <= MOST_REQUESTS);
        let target = value.get("target")?.as_str()?.to_owned();
        let mut settled = Settled::default();
        settled.insert(0..number("prefix")?);
        for range in value.get("ranges")?.as_array()? {
            let [start, end] = range.as_array()?.as_slice() else { return None };
            let (start, end) = (start.as_u64()?, end.as_u64()?);
            if start >= end {
                return None;
            }
            settled.insert(start..end);
        }
        let report = Report {
            pushed: settled.len(),
            deleted: number("deleted")?,
            rejected: number("rejected")?,
            unconfirmed: number("unconfirmed")?,
            not_attempted: number("not_attempted")?,
            duplicates: 0,
            requests: count("requests")?,
            throttled: count("throttled")?,
            retries: count("retries")?,
            input_complete: false,
        };
        let mut checkpoint = Self { target, settled, report };
        checkpoint.report.duplicates = report.pushed.checked_sub(checkpoint.outcomes()?)?;
        Some(checkpoint)
    }
}

/// The index and, if it is not a host of OSS, the host: what two runs must have in common. Without
/// the host, a rehearsal against an emulator would pass for the real run. It is stored in
/// checkpoints, so it must not change.
fn target_name(target: &Target) -> String {
    let mut name =
        format!("acs:ossvector:{}:{}:{}", target.region(), target.account_id(), target.bucket());
    if let Some(index_name) = target.index_name() {
        name += &format!("/{index_name}");
    }
    if let Some(authority) = target.endpoint().custom_authority() {
        name += &format!(" at {authority}");
    }
    name
}

impl BulkDelete {
    /// Creates a run that continues an earlier one from `checkpoint`.
    ///
    /// Push the same keys in the same order, from the beginning: settled ones are skipped. The
    /// report counts both runs. If the first run deleted something, the target is known to be
    /// right. Then a response that is not from OSS is retried, and a rejection is about the keys.
    /// The service may still be out of reach: the run stops as a new one does if nothing is deleted
    /// at first.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the option that is out of its range, or the `target` if the
    /// checkpoint is for [another one](Checkpoint::check_target).
    pub fn resume(
        target: &Target,
        credentials: Credentials,
        options: BulkOptions,
        checkpoint: &Checkpoint,
    ) -> Result<Self, InvalidValue> {
        checkpoint.check_target(target)?;
        let Checkpoint { settled, report, .. } = checkpoint.clone();
        Ok(Self {
            settled_before: std::iter::once(0..settled.prefix()).chain(settled.ranges()).collect(),
            failed_for_good: [report.rejected, report.unconfirmed, report.not_attempted],
            history: History { had_success: report.deleted > 0, ..History::default() },
            report,
            settled,
            ..Self::new(target, credentials, options)?
        })
    }

    /// The progress so far, for another run to [resume](Self::resume). Take all events first, so
    /// that you have every failed key that the checkpoint covers.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        let [rejected, unconfirmed, not_attempted] = self.failed_for_good;
        Checkpoint::new(
            &self.target,
            &self.settled,
            Report { rejected, unconfirmed, not_attempted, ..self.report },
        )
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report {
            deleted,
            rejected,
            unconfirmed,
            not_attempted,
            requests,
            throttled,
            retries,
            ..
        } = self.report;
        let ranges: Vec<[u64; 2]> =
            self.settled.ranges().map(|range| [range.start, range.end]).collect();
        let value = json!({
            "version": VERSION,
            "target": self.target,
            "prefix": self.settled.prefix(),
            "ranges": ranges,
            "deleted": deleted,
            "rejected": rejected,
            "unconfirmed": unconfirmed,
            "not_attempted": not_attempted,
            "requests": requests,
            "throttled": throttled,
            "retries": retries,
        });
        value.fmt(f)
    }
}

impl FromStr for Checkpoint {
    type Err = InvalidValue;

    /// Reads what [`Display`](fmt::Display) wrote. Unknown members are skipped.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with the field `checkpoint` if the text is not a checkpoint or has another
    /// version. Resume with the version of this crate that wrote it, or start again: deleting twice
    /// does no harm.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let invalid = || InvalidValue::new("checkpoint", "must be a line that a run wrote", text);
        let value: Value = serde_json::from_str(text).map_err(|_| invalid())?;
        match value.as_object().ok_or_else(invalid)?.get("version") {
            Some(version) if version.as_u64() == Some(VERSION) => {
                Self::from_json(&value).ok_or_else(invalid)
            }
            Some(version) => {
                Err(InvalidValue::new("checkpoint", "must be of version 1", &version.to_string()))
            }
            None => {
                Err(InvalidValue::without_value("checkpoint", "must be of version 1, and has none"))
            }
        }
    }
}
