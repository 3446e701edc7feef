use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::call::CallKeys;
use crate::bulk::{KeyOutcome, StopReason};
use crate::{AttemptError, InvalidValue, Target};

/// Some keys of a call are not confirmed as deleted. Lists them, with the reasons.
///
/// | [`kind`](Self::kind) | what happened | what to do |
/// |---|---|---|
/// | `InvalidKey` | a key is empty or too long; nothing was sent | fix the key |
/// | `NotDeleted` | some keys were rejected or not confirmed | see each key's outcome and error |
/// | `Stopped` | the service rejects all requests or cannot be reached, or there are no credentials | follow the reason's advice, then call again |
/// | `TimedOut` | the timeout of the call expired | call again, or with a longer timeout |
/// | `Closed` | the client is closed | create another client |
///
/// All keys that [`not_deleted`](Self::not_deleted) does not return are deleted, except with
/// `InvalidKey`: then nothing was sent. Deleting a key twice is harmless, unless the vector was put
/// again.
///
/// ```
/// use oss_delete_vectors::bulk::KeyOutcome;
/// use oss_delete_vectors::calls::DeleteError;
///
/// /// The keys to send again.
/// fn again(error: &DeleteError) -> Vec<String> {
///     let keys = error.not_deleted().filter(|key| key.outcome != KeyOutcome::Rejected);
///     keys.map(|key| key.key.to_owned()).collect()
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DeleteError(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    kind: DeleteErrorKind,
    /// The keys of the call.
    total: usize,
    /// The keys that are not certainly deleted.
    keys: CallKeys,
    /// The outcomes of these keys, in their order.
    parts: Vec<Part>,
    provider: ProviderError,
}

/// The reason why the provider returned no credentials.
#[derive(Clone, Default)]
struct ProviderError(Option<Arc<dyn Error + Send + Sync>>);

/// Not compared, because it says nothing about the keys.
impl PartialEq for ProviderError {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for ProviderError {}

/// Keys of a call that are not certainly deleted and share an outcome: some of the call's keys
/// while it waits, some of the error's keys later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) keys: Range<usize>,
    pub(super) outcome: KeyOutcome,
    pub(super) error: Option<AttemptError>,
}

/// Why a call did not delete all its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeleteErrorKind {
    /// A key is invalid. The field is `keys[n]`. Nothing of the call was sent.
    InvalidKey(InvalidValue),
    /// Some keys were rejected, or all their attempts failed. Each has its own error.
    NotDeleted,
    /// Deleting stopped for all calls. The next call tries again.
    Stopped(StopReason),
    /// The call waited this long. Keys that are *not attempted* will not be sent. Keys that are
    /// *unconfirmed* may be deleted now or later.
    TimedOut(Duration),
    /// The client was closed before the call, or it ended while the call waited: its runtime shut
    /// down, its driver was dropped, or the process is a fork of the one that created it.
    Closed,
}

/// A key of a call that is not confirmed as deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotDeleted<'a> {
    /// The key. A duplicate key is returned once per occurrence.
    pub key: &'a str,
    /// Its outcome.
    pub outcome: KeyOutcome,
    /// The last error of its batch; `None` if there was none.
    pub error: Option<&'a AttemptError>,
}

impl DeleteError {
    /// `parts` are ranges of `keys`, in any order.
    pub(super) fn new(kind: DeleteErrorKind, keys: &CallKeys, mut parts: Vec<Part>) -> Self {
        parts.sort_unstable_by_key(|part| part.keys.start);
        let mut left = CallKeys::default();
        for part in &mut parts {
            let start = left.len();
            left.extend(keys.range(part.keys.clone()));
            part.keys = start..left.len();
        }
        let provider = ProviderError::default();
        Self(Box::new(Inner { kind, total: keys.len(), keys: left, parts, provider }))
    }

    /// The error of a call that has not begun, because its client is closed.
    #[must_use]
    pub fn closed(call: super::Call) -> Self {
        let keys = call.keys;
        let all = Part { keys: 0..keys.len(), outcome: KeyOutcome::NotAttempted, error: None };
        Self::new(DeleteErrorKind::Closed, &keys, vec![all])
    }

    /// The reason why the call failed.
    #[must_use]
    pub fn kind(&self) -> &DeleteErrorKind {
        &self.0.kind
    }

    /// The keys that are not confirmed as deleted, in the order of the call.
    pub fn not_deleted(&self) -> impl Iterator<Item = NotDeleted<'_>> {
        let Inner { keys, parts, .. } = &*self.0;
        parts.iter().flat_map(move |Part { keys: range, outcome, error }| {
            let not_deleted = |key| NotDeleted { key, outcome: *outcome, error: error.as_ref() };
            keys.range(range.clone()).map(not_deleted)
        })
    }

    /// The number of keys with this outcome.
    #[must_use]
    pub fn count(&self, outcome: KeyOutcome) -> usize {
        self.0.parts.iter().filter(|part| part.outcome == outcome).map(|part| part.keys.len()).sum()
    }

    /// The number of keys in the call; 0 with [`InvalidKey`](DeleteErrorKind::InvalidKey), whose
    /// field is the position of the key.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.total
    }

    /// The keys that are not certainly deleted.
    pub(crate) fn len(&self) -> usize {
        self.0.keys.len()
    }

    /// Whether all keys that it does not list are deleted.
    pub(crate) fn is_about_keys(&self) -> bool {
        matches!(self.kind(), DeleteErrorKind::NotDeleted)
    }

    /// The same, for a call with this many keys.
    pub(crate) fn of_total(mut self, total: usize) -> Self {
        self.0.total = total;
        self
    }

    /// Whether some of the listed keys may be deleted, now or later.
    #[must_use]
    pub fn may_have_deleted(&self) -> bool {
        self.count(KeyOutcome::Unconfirmed) > 0
    }

    /// Whether the same call may succeed later without a fix.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.kind() {
            DeleteErrorKind::InvalidKey(_) | DeleteErrorKind::Closed => false,
            DeleteErrorKind::NotDeleted => self.count(KeyOutcome::Rejected) < self.len(),
            DeleteErrorKind::TimedOut(_) => true,
            DeleteErrorKind::Stopped(reason) => matches!(
                reason,
                StopReason::Unreachable(_)
                    | StopReason::NoSuccess(_)
                    | StopReason::CredentialsMissing
                    | StopReason::Outage(_)
            ),
        }
    }

    /// The most informative error of an attempt: the one that stopped deleting, or else the first
    /// one of a key.
    #[must_use]
    pub fn attempt_error(&self) -> Option<&AttemptError> {
        match self.kind() {
            DeleteErrorKind::Stopped(reason) => reason.attempt_error(),
            _ => self.0.parts.iter().find_map(|part| part.error.as_ref()),
        }
    }

    /// Advice on what to do, for calls that delete from `target`. `None` if the message says
    /// everything.
    #[must_use]
    pub fn advice(&self, target: &Target) -> Option<Cow<'static, str>> {
        match self.kind() {
            DeleteErrorKind::InvalidKey(_) => Some("fix the key, or leave it out".into()),
            DeleteErrorKind::TimedOut(_) => Some("call again, or with a longer timeout".into()),
            DeleteErrorKind::Closed => Some("create another client in this process".into()),
            DeleteErrorKind::Stopped(StopReason::CredentialsMissing) => {
                Some("check the credentials provider".into())
            }
            DeleteErrorKind::NotDeleted | DeleteErrorKind::Stopped(_) => {
                self.attempt_error()?.advice(target)
            }
        }
    }

    /// Sets the last error of the credentials provider as the source, if deleting stopped because
    /// of missing credentials, or if the call timed out while the provider failed.
    #[must_use]
    pub fn with_provider_error(mut self, error: Arc<dyn Error + Send + Sync>) -> Self {
        use DeleteErrorKind::{Stopped, TimedOut};
        use StopReason::{Credentials, CredentialsMissing};
        if let Stopped(Credentials(_) | CredentialsMissing) | TimedOut(_) = self.kind() {
            self.0.provider.0 = Some(error);
        }
        self
    }

    /// Merges the errors of two parts of one caller's keys. The kind is the first one other than
    /// [`NotDeleted`](DeleteErrorKind::NotDeleted).
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        let Inner { kind, total, keys, parts, .. } = &mut *self.0;
        let start = keys.len();
        if *kind == DeleteErrorKind::NotDeleted {
            *kind = other.0.kind;
        }
        *total += other.0.total;
        keys.extend(other.0.keys.range(0..other.0.keys.len()));
        let moved =
            |part: Part| Part { keys: start + part.keys.start..start + part.keys.end, ..part };
        parts.extend(other.0.parts.into_iter().map(moved));
        self
    }
}

impl CallKeys {
    fn extend<'a>(&mut self, keys: impl Iterator<Item = &'a str>) {
        keys.for_each(|key| self.push(key));
    }
}

impl From<InvalidValue> for DeleteError {
    fn from(invalid: InvalidValue) -> Self {
        Self::new(DeleteErrorKind::InvalidKey(invalid), &CallKeys::default(), Vec::new())
    }
}

/// One line: the reason, then the numbers of keys by outcome.
impl fmt::Display for DeleteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            DeleteErrorKind::InvalidKey(invalid) => return invalid.fmt(f),
            DeleteErrorKind::NotDeleted => match self.attempt_error() {
                Some(error) => error.fmt(f)?,
                None => f.write_str("not deleted")?,
            },
            DeleteErrorKind::Stopped(reason) => reason.fmt(f)?,
            DeleteErrorKind::TimedOut(timeout) => write!(f, "not done after {timeout:?}")?,
            DeleteErrorKind::Closed => f.write_str("the client is closed")?,
        }
        write!(f, " ({} of {} keys not deleted", self.len(), self.total())?;
        let outcomes = [KeyOutcome::Rejected, KeyOutcome::Unconfirmed, KeyOutcome::NotAttempted];
        let mut separator = ": ";
        for (outcome, name) in
            outcomes.into_iter().zip(["rejected", "unconfirmed", "not attempted"])
        {
            let count = self.count(outcome);
            if count > 0 {
                write!(f, "{separator}{count} {name}")?;
                separator = ", ";
            }
        }
        f.write_str(")")
    }
}

impl fmt::Debug for DeleteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeleteError")
            .field("kind", self.kind())
            .field("total", &self.total())
            .field("not_deleted", &self.not_deleted().collect::<Vec<_>>())
            .finish()
    }
}

/// The source is the error of the credentials provider, if deleting stopped because of missing
/// credentials, or if the call timed out while the provider failed. Everything else is in the text.
impl Error for DeleteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let error = self.0.provider.0.as_ref()?;
        Some(&**error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::Call;

    /// A call with three keys, of which the last two have these outcomes.
    fn error(kind: DeleteErrorKind, names: [&str; 3], outcomes: [KeyOutcome; 2]) -> DeleteError {
        let keys = Call::new(names).unwrap().keys;
        let part = |(key, outcome)| Part { keys: key..key + 1, outcome, error: None };
        DeleteError::new(kind, &keys, (1..).zip(outcomes).map(part).collect())
    }

    #[test]
    fn merged_errors_have_all_keys_and_one_reason() {
        use DeleteErrorKind::{Closed, NotDeleted};
        use KeyOutcome::{NotAttempted, Rejected, Unconfirmed};
        let first = |kind| error(kind, ["a", "b", "c"], [Rejected, Unconfirmed]);
        let second = |kind| error(kind, ["d", "e", "f"], [Unconfirmed, NotAttempted]);
        for (kinds, kind) in [
            ([NotDeleted, NotDeleted], NotDeleted),
            ([NotDeleted, Closed], Closed),
            ([Closed, NotDeleted], Closed),
        ] {
            let [one, other] = kinds;
            let merged = first(one).merge(second(other));
            assert_eq!((merged.kind(), merged.total()), (&kind, 6));
            assert_eq!(merged.is_about_keys(), kind == NotDeleted);
            let keys: Vec<_> = merged.not_deleted().map(|key| (key.key, key.outcome)).collect();
            let expected =
                [("b", Rejected), ("c", Unconfirmed), ("e", Unconfirmed), ("f", NotAttempted)];
            assert_eq!(keys, expected);
        }
    }

    #[test]
    fn error_of_a_provider_is_the_source_but_not_compared() {
        let timed_out = DeleteErrorKind::TimedOut(Duration::from_secs(1));
        for (kind, has_source) in [(timed_out, true), (DeleteErrorKind::Closed, false)] {
            let error = || error(kind.clone(), ["a", "b", "c"], [KeyOutcome::NotAttempted; 2]);
            let source: Box<dyn Error + Send + Sync> = "no role".into();
            let with_source = error().with_provider_error(source.into());
            let text = with_source.source().map(ToString::to_string);
            assert_eq!(text.as_deref(), has_source.then_some("no role"));
            assert!(with_source == error() && error().source().is_none());
        }
    }
}
