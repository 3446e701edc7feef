//! Counts the events of all runs, to check that each kind occurred.

use std::collections::BTreeMap;
use std::fmt;

use oss_delete_vectors::bulk::{Event, Report, StopReason};
use oss_delete_vectors::emulator::Fault;

#[derive(Default)]
pub(crate) struct Tally {
    counts: BTreeMap<(Kind, &'static str), u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Total,
    Keys,
    End,
    Fault,
    Event,
    Script,
}

impl Tally {
    pub(crate) fn total(&mut self, name: &'static str, count: u64) {
        self.add(Kind::Total, name, count);
    }

    pub(crate) fn fault(&mut self, fault: Fault, count: u64) {
        self.add(Kind::Fault, fault.as_str(), count);
    }

    pub(crate) fn script(&mut self, name: &'static str) {
        self.add(Kind::Script, name, 1);
    }

    pub(crate) fn event(&mut self, event: &Event) {
        let name = match event {
            Event::Deleted { .. } => "deleted",
            Event::Failed(_) => "failed",
            Event::Throttled { .. } => "throttled",
            Event::Retrying { .. } => "retrying",
            Event::Split { .. } => "split",
            Event::ClockCorrected => "clock corrected",
            Event::CredentialsNeeded => "credentials needed",
            Event::OutageBegan { .. } => "outage began",
            Event::OutageEnded { .. } => "outage ended",
            Event::Stopped(_) => "stopped",
            _ => "another",
        };
        self.add(Kind::Event, name, 1);
    }

    pub(crate) fn end(&mut self, report: Report, stopped: Option<&StopReason>) {
        let end = match stopped {
            None => "finished",
            Some(StopReason::Requested) => "requested",
            Some(StopReason::Rejected(_)) => "rejected",
            Some(StopReason::Unreachable(_)) => "unreachable",
            Some(StopReason::NoSuccess(_)) => "no success",
            Some(StopReason::KeysRejected(_)) => "keys rejected",
            Some(StopReason::Clock(_)) => "clock",
            Some(StopReason::Credentials(_)) => "credentials",
            Some(StopReason::CredentialsMissing) => "credentials missing",
            Some(StopReason::Outage(_)) => "outage",
            Some(_) => "another",
        };
        self.add(Kind::End, end, 1);
        for (name, keys) in [
            ("pushed", report.pushed),
            ("deleted", report.deleted),
            ("rejected", report.rejected),
            ("unconfirmed", report.unconfirmed),
            ("not attempted", report.not_attempted),
            ("duplicates", report.duplicates),
        ] {
            self.add(Kind::Keys, name, keys);
        }
        self.total("transmits", report.requests);
        self.total("retries", report.retries);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for ((kind, name), count) in other.counts {
            self.add(kind, name, count);
        }
    }

    /// Every kind of fault, outcome, event and stop reason.
    pub(crate) fn assert_complete(&self) {
        let events = [
            "deleted",
            "failed",
            "throttled",
            "retrying",
            "split",
            "clock corrected",
            "credentials needed",
            "outage began",
        ];
        let events =
            events.into_iter().chain(["outage ended", "stopped"]).map(|name| (Kind::Event, name));
        let ends = [
            "finished",
            "requested",
            "rejected",
            "unreachable",
            "keys rejected",
            "clock",
            "credentials",
            "credentials missing",
        ];
        let ends = ends.into_iter().chain(["outage", "no success"]).map(|name| (Kind::End, name));
        let keys = ["deleted", "rejected", "unconfirmed", "not attempted", "duplicates"]
            .map(|name| (Kind::Keys, name));
        let faults = Fault::ALL.iter().copied().map(|fault| (Kind::Fault, fault.as_str()));
        for expected in events.chain(ends).chain(keys).chain(faults) {
            assert!(
                self.counts.get(&expected).is_some_and(|&count| count > 0),
                "never seen: {expected:?}"
            );
        }
    }

    fn add(&mut self, kind: Kind, name: &'static str, count: u64) {
        *self.counts.entry((kind, name)).or_default() += count;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = None;
        for (&(kind, name), count) in &self.counts {
            if last != Some(kind) {
                write!(f, "\n  {kind:?}:").and(Ok(()))?;
                last = Some(kind);
            }
            write!(f, " {name} {count},")?;
        }
        Ok(())
    }
}
