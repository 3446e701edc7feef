//! The `tracing` span of a call. Empty if the feature is off.

#[cfg(not(feature = "tracing"))]
pub(super) use self::off::CallSpan;
#[cfg(feature = "tracing")]
pub(super) use self::on::CallSpan;

#[cfg(feature = "tracing")]
mod on {
    use tracing::field::Empty;
    use tracing::{Span, debug_span};

    use super::super::DeleteError;
    use crate::bulk;

    /// Lasts from [`Call::new`](super::super::Call::new) until the call has its result. It is a
    /// child of the caller's span. The span of each request with keys of this call follows from it.
    #[derive(Debug)]
    pub(in super::super) struct CallSpan(Span);

    impl CallSpan {
        pub(in super::super) fn new(keys: usize) -> Self {
            let (not_deleted, error) = (Empty, Empty);
            Self(
                debug_span!(target: "oss_delete_vectors::calls", "delete", keys, not_deleted, error),
            )
        }

        pub(in super::super) fn is_cause_of(&self, request: &bulk::Span) {
            request.follows_from(&self.0);
        }

        pub(in super::super) fn conclude(&self, result: &Result<(), DeleteError>) {
            if let Err(error) = result {
                self.0.record("not_deleted", error.len());
                self.0.record("error", tracing::field::display(error));
            }
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use super::super::DeleteError;
    use crate::bulk;

    #[derive(Debug)]
    pub(in super::super) struct CallSpan;

    #[expect(clippy::unused_self, reason = "same interface as with the feature")]
    impl CallSpan {
        pub(in super::super) fn new(_keys: usize) -> Self {
            Self
        }

        pub(in super::super) fn is_cause_of(&self, _request: &bulk::Span) {}

        pub(in super::super) fn conclude(&self, _result: &Result<(), DeleteError>) {}
    }
}
