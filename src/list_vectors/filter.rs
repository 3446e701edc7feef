use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::InvalidValue;

/// A condition on metadata, in the JSON of the service. The service evaluates it.
///
/// Operators: `$eq`, `$ne`, `$gt`, `$gte`, `$lt`, `$lte`, `$in`, `$nin`, `$exists`, `$and`, `$or`.
/// `{"tenant":"acme"}` is short for `{"tenant":{"$eq":"acme"}}`. The service rejects conditions on
/// metadata keys that the index declares as non-filterable.
///
/// ```
/// use oss_delete_vectors::Filter;
///
/// let filter: Filter = r#"{"$and":[{"tenant":"acme"},{"year":{"$lt":2020}}]}"#.parse()?;
/// assert_eq!(filter.as_str(), r#"{"$and":[{"tenant":"acme"},{"year":{"$lt":2020}}]}"#);
/// let error = "{}".parse::<Filter>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"filter must be a JSON object with a condition, such as {"tenant":"acme"}, not "{}""#,
/// );
/// # Ok::<_, oss_delete_vectors::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Filter(String);

impl Filter {
    /// The maximum length, in bytes: 64 KiB.
    pub const MAX_BYTES: usize = 64 * 1024;

    const RULE: &'static str =
        r#"must be a JSON object with a condition, such as {"tenant":"acme"}"#;

    /// The JSON, as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A filter that no vector matches, with any metadata. It uses a name from this filter, because
    /// the service rejects names that the index declares as non-filterable.
    pub(crate) fn contradiction(&self) -> Self {
        let filter: Value = serde_json::from_str(&self.0).expect("parsed before");
        let name = first_name(&filter).unwrap_or("key");
        let [is_there, is_missing] = [true, false].map(|exists| json!({name: {"$exists": exists}}));
        Self(json!({"$and": [is_there, is_missing]}).to_string())
    }
}

/// The first metadata name in a filter.
fn first_name(filter: &Value) -> Option<&str> {
    filter.as_object()?.iter().find_map(|(name, value)| match name.as_str() {
        "$and" | "$or" => value.as_array()?.iter().find_map(first_name),
        name => Some(name).filter(|name| !name.starts_with('$')),
    })
}

impl FromStr for Filter {
    type Err = InvalidValue;

    /// Parses the JSON of a filter. The service checks operators and types.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with the field `filter` if it is not JSON, not an object, longer than
    /// [`MAX_BYTES`](Self::MAX_BYTES), or without a condition, which would match everything (also
    /// inside of `$and` and `$or`).
    fn from_str(json: &str) -> Result<Self, InvalidValue> {
        let json = json.trim();
        if json.len() > Self::MAX_BYTES {
            return Err(InvalidValue::new("filter", "must be at most 65536 bytes", json));
        }
        match serde_json::from_str(json) {
            Ok(filter @ Value::Object(_)) if has_conditions(&filter) => Ok(Self(json.to_owned())),
            _ => Err(InvalidValue::new("filter", Self::RULE, json)),
        }
    }
}

/// Whether every object and list that must have conditions has one. The service rejects other
/// errors.
fn has_conditions(filter: &Value) -> bool {
    let Value::Object(members) = filter else { return true };
    let mut lists = members
        .iter()
        .filter(|(name, _)| matches!(name.as_str(), "$and" | "$or"))
        .filter_map(|(_, value)| value.as_array());
    !members.is_empty() && lists.all(|list| !list.is_empty() && list.iter().all(has_conditions))
}

/// The JSON, as it is sent.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({})", self.0)
    }
}
