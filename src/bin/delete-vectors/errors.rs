//! Keys that were not deleted, counted by error.

use std::collections::BTreeMap;

use oss_delete_vectors::{AttemptError, Target, code};
use serde_json::{Value, json};

use crate::text::{count, printable};

/// The maximum number of distinct kinds, because a server may send any number of error codes.
const MAX_KINDS: usize = 100;

/// The number of keys for each kind of last error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Errors {
    kinds: BTreeMap<Kind, Seen>,
    /// The latest error of this run.
    last: Option<AttemptError>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    /// `None`: there was no response.
    status: Option<u16>,
    code: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    keys: u64,
    /// The message of the latest error.
    message: String,
    request_id: Option<String>,
}

impl Errors {
    pub(crate) fn add(&mut self, error: &AttemptError, keys: usize) {
        let mut kind = Kind {
            status: error.status().map(|status| status.as_u16()),
            code: error.code().map(str::to_owned),
        };
        if self.kinds.len() >= MAX_KINDS && !self.kinds.contains_key(&kind) {
            kind = Kind { status: None, code: Some("(others)".to_owned()) };
        }
        self.last = Some(error.clone());
        let met = Seen {
            keys: keys as u64,
            message: error.message().into_owned(),
            request_id: error.request_id().map(str::to_owned),
        };
        let keys = self.kinds.get(&kind).map_or(0, |met| met.keys);
        // The count of earlier runs comes from a file and may be any number.
        self.kinds.insert(kind, Seen { keys: keys.saturating_add(met.keys), ..met });
    }

    /// Whether all errors are responses of the service, or all are not. `None` if they differ, or
    /// without an error.
    pub(crate) fn are_of_service(&self) -> Option<bool> {
        // A page of a gateway has a status, but neither a code nor a request id.
        let is_of_service = |(kind, seen): (&Kind, &Seen)| {
            let is_named =
                kind.code.as_deref().is_some_and(|code| code != code::BAD_ERROR_RESPONSE);
            kind.status.is_some() && (is_named || seen.request_id.is_some())
        };
        let mut kinds = self.kinds.iter().map(is_of_service);
        let first = kinds.next()?;
        kinds.all(|kind| kind == first).then_some(first)
    }

    /// The advice, if all keys failed for one reason, and sending them again is not enough.
    pub(crate) fn advice(&self, target: &Target) -> Option<String> {
        let error = self.last.as_ref()?;
        let is_from_oss = !matches!(error, AttemptError::Service(error) if !error.is_from_oss());
        if is_from_oss && error.may_have_deleted() {
            return None;
        }
        let advice = error.advice(target).filter(|_| self.kinds.len() == 1)?;
        Some(advice.into_owned())
    }

    pub(crate) fn to_json(&self) -> Value {
        let kinds = self.kinds.iter().map(|(Kind { status, code }, Seen { keys, message, request_id })| {
            json!({ "code": code, "status": status, "count": keys, "message": message, "request_id": request_id })
        });
        kinds.collect()
    }

    /// Returns `None` unless `to_json` could have written `value`.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let kinds = value.as_array()?.iter().map(|kind| {
            let status = match kind.get("status")? {
                Value::Null => None,
                status => Some(u16::try_from(status.as_u64()?).ok()?),
            };
            let met = Seen {
                keys: kind.get("count")?.as_u64()?,
                message: text(kind.get("message")?)?,
                request_id: text(kind.get("request_id")?),
            };
            Some((Kind { status, code: text(kind.get("code")?) }, met))
        });
        Some(Self { kinds: kinds.collect::<Option<_>>()?, last: None })
    }

    /// A line for each kind.
    pub(crate) fn to_lines(&self) -> impl Iterator<Item = String> {
        self.kinds.iter().map(|(Kind { status, code }, Seen { keys, message, request_id })| {
            let status = status.map(|status| format!("{status} "));
            let code = code.as_ref().map(|code| format!("{}: ", code.escape_debug()));
            let request_id =
                request_id.as_ref().map(|id| format!(" (request id {})", id.escape_debug()));
            format!(
                "  {}: {}{}{}{}",
                count(*keys, "key"),
                status.unwrap_or_default(),
                code.unwrap_or_default(),
                printable(message),
                request_id.unwrap_or_default(),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event};
    use oss_delete_vectors::{Credentials, Key, Now, Target, TransportError};

    use super::*;

    #[test]
    fn counts_saturate() {
        let target = Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name("vectorindex1")
            .build()
            .unwrap();
        let options = BulkOptions::new().max_attempts(1);
        let mut bulk = BulkDelete::new(
            &target,
            Credentials::new("id", "yourAccessKeySecretForTests0001").unwrap(),
            options,
        )
        .unwrap();
        bulk.push(Key::new("a").unwrap()).unwrap();
        bulk.finish();
        let now = Now::new(std::time::Duration::ZERO, UNIX_EPOCH);
        let transmit = bulk.poll_transmit(now).unwrap();
        bulk.handle_failure(now, transmit.id, TransportError::may_have_arrived("reset"));
        let Some(Event::Failed(failed)) = bulk.poll_event() else {
            panic!("the only attempt failed")
        };

        let kind = |count: u64| json!([{ "code": null, "status": null, "count": count, "message": "no response, but the request may have arrived: reset", "request_id": null }]);
        let mut errors = Errors::from_json(&kind(u64::MAX - 5)).unwrap();
        for expected in [u64::MAX - 2, u64::MAX, u64::MAX] {
            errors.add(failed.error.as_ref().unwrap(), 3);
            assert_eq!(errors.to_json(), kind(expected));
        }
    }
}
