use std::borrow::Cow;
use std::fmt;

/// An invalid value, detected before a request.
///
/// Contains the field, its rule and the value, but never a secret. Correct the value to fix it.
///
/// ```
/// use oss_delete_vectors::Target;
///
/// let target = Target::builder().region("cn-hangzhou").account_id("one").bucket("examplebucket");
/// let error = target.build().unwrap_err();
/// assert_eq!(error.field(), "account id");
/// assert_eq!(error.value(), Some("one"));
/// assert_eq!(error.to_string(), r#"account id must be 1 to 32 digits, not "one""#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue {
    field: Cow<'static, str>,
    rule: &'static str,
    value: Option<String>,
}

/// The maximum length of a value: enough to recognize it, too short to flood a log.
const SHOWN_CHARS: usize = 80;

impl InvalidValue {
    pub(crate) fn new(
        field: impl Into<Cow<'static, str>>,
        rule: &'static str,
        value: &str,
    ) -> Self {
        let mut shown: String = value.chars().take(SHOWN_CHARS).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        Self { field: field.into(), rule, value: Some(shown) }
    }

    /// Omits the value, because it is a secret or not a single value.
    pub(crate) fn without_value(field: &'static str, rule: &'static str) -> Self {
        Self { field: field.into(), rule, value: None }
    }

    /// The same without the value, which may contain a secret.
    pub(crate) fn hidden(self) -> Self {
        Self { value: None, ..self }
    }

    /// The same, for the key at `position` of several.
    pub(crate) fn of_key(self, position: usize) -> Self {
        Self { field: format!("keys[{position}]").into(), ..self }
    }

    /// The field, such as `bucket` or `keys[17]` (counted from 0).
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The rule that the value breaks, such as `must not be empty`.
    #[must_use]
    pub fn rule(&self) -> &str {
        self.rule
    }

    /// The value, cut after 80 characters. `None` if it is a secret, or not a single value.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.rule)?;
        match &self.value {
            Some(value) => write!(f, ", not {value:?}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for InvalidValue {}
