//! The `tracing` output of a listing: its requests and events. Empty if the feature is off.
//!
//! It contains no keys and no credentials. Errors contain the texts of the service.

#[cfg(not(feature = "tracing"))]
pub(super) use self::off::{event, request};
#[cfg(feature = "tracing")]
pub(super) use self::on::{event, request};

#[cfg(feature = "tracing")]
mod on {
    use tracing::{debug, info, trace, warn};

    use crate::ListEvent;

    const TARGET: &str = "oss_delete_vectors::list";

    pub(in super::super) fn request(id: u64, segment: usize) {
        trace!(target: TARGET, id, segment, "request");
    }

    pub(in super::super) fn event(event: &ListEvent) {
        match event {
            ListEvent::Throttled => debug!(target: TARGET, "throttled"),
            ListEvent::Retrying { error } => info!(target: TARGET, %error, "will be sent again"),
            ListEvent::Restarted { error } => {
                info!(target: TARGET, %error, "segment listed from its beginning");
            }
            ListEvent::ClockCorrected => info!(target: TARGET, "clock corrected"),
            ListEvent::CredentialsNeeded => info!(target: TARGET, "credentials needed"),
            ListEvent::OutageBegan { error, .. } => warn!(target: TARGET, %error, "outage began"),
            ListEvent::OutageEnded { lasted } => {
                info!(target: TARGET, lasted = lasted.as_secs(), "outage ended");
            }
            ListEvent::Stopped(error) => warn!(target: TARGET, %error, "stopped"),
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use crate::ListEvent;

    pub(in super::super) fn request(_id: u64, _segment: usize) {}

    pub(in super::super) fn event(_event: &ListEvent) {}
}
