/// Where every pushed key is: at any time,
/// `deleted + rejected + unconfirmed + not_attempted + duplicates + pending = pushed`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[must_use = "a run that ends well may have deleted only a part: see `is_all_deleted`"]
#[non_exhaustive]
pub struct Report {
    /// Keys pushed, duplicates among them.
    pub pushed: u64,
    /// Keys that the service confirmed, whether they were there before or not.
    pub deleted: u64,
    /// See [`KeyOutcome::Rejected`](super::KeyOutcome::Rejected).
    pub rejected: u64,
    /// See [`KeyOutcome::Unconfirmed`](super::KeyOutcome::Unconfirmed).
    pub unconfirmed: u64,
    /// See [`KeyOutcome::NotAttempted`](super::KeyOutcome::NotAttempted).
    pub not_attempted: u64,
    /// Keys dropped because their batch held them already.
    pub duplicates: u64,
    /// Requests handed out.
    pub requests: u64,
    /// Requests that were throttled.
    pub throttled: u64,
    /// Batches that were to be sent again because an attempt failed.
    pub retries: u64,
    /// Whether the run was given every key of its input: [`finish`](super::BulkDelete::finish) was
    /// called before it stopped.
    pub input_complete: bool,
}

impl Report {
    /// Keys that have no outcome yet.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.pushed
            - self.deleted
            - self.rejected
            - self.unconfirmed
            - self.not_attempted
            - self.duplicates
    }

    /// Whether every key of the input is deleted. `false` while more may come, and where the run
    /// stopped before the end of its input: those keys were never pushed.
    #[must_use]
    pub fn is_all_deleted(&self) -> bool {
        self.input_complete && self.deleted + self.duplicates == self.pushed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_deleted_only_if_every_key_is_deleted() {
        let all = Report {
            pushed: 7,
            deleted: 5,
            duplicates: 2,
            input_complete: true,
            ..Report::default()
        };
        assert!(
            all.is_all_deleted()
                && Report { input_complete: true, ..Report::default() }.is_all_deleted()
        );
        for other in [
            Report { pushed: 8, ..all },
            Report { input_complete: false, ..all },
            Report { pushed: 8, rejected: 1, ..all },
            Report { pushed: 8, unconfirmed: 1, ..all },
            Report { pushed: 8, not_attempted: 1, ..all },
        ] {
            assert!(!other.is_all_deleted(), "{other:?}");
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn it_is_stored_by_its_members() {
        let report = Report {
            pushed: 7,
            deleted: 5,
            duplicates: 2,
            requests: 1,
            input_complete: true,
            ..Report::default()
        };
        let text = serde_json::to_string(&report).unwrap();
        assert!(text.starts_with(r#"{"pushed":7,"deleted":5,"rejected":0,"#), "{text}");
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
