use crate::Credentials;

/// Credentials that the emulator accepts, and their permissions.
///
/// They are valid until their [expiration](Credentials::with_expiration).
#[derive(Debug, Clone)]
pub struct Identity {
    pub(super) credentials: Credentials,
    /// `None` allows all buckets.
    buckets: Option<Vec<String>>,
    pub(super) is_disabled: bool,
}

impl Identity {
    /// An identity that may use every index of the account.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, buckets: None, is_disabled: false }
    }

    /// Allows all actions on these buckets only. An empty list allows none.
    #[must_use]
    pub fn allowed_on<I>(mut self, buckets: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.buckets = Some(buckets.into_iter().map(Into::into).collect());
        self
    }

    /// Disables the user: all requests are rejected with `UserDisable`.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.is_disabled = true;
        self
    }

    /// The AccessKey id.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        self.credentials.access_key_id()
    }

    pub(super) fn may_use(&self, bucket: &str) -> bool {
        self.buckets.as_ref().is_none_or(|buckets| buckets.iter().any(|allowed| allowed == bucket))
    }
}
