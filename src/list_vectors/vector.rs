use std::str::FromStr;

use serde_json::{Map, Value, json};

use crate::operation::{Body, member};
use crate::{InvalidValue, Key, RequestError};

/// A vector: its key, and its data and metadata if they are known.
///
/// ```
/// use oss_delete_vectors::Vector;
///
/// let vector = Vector::new("doc-001")?
///     .with_data([0.5, 0.25])
///     .with_metadata(r#"{"tenant":"acme"}"#)?;
/// assert_eq!((vector.key(), vector.data()), ("doc-001", Some(&[0.5, 0.25][..])));
/// # Ok::<_, oss_delete_vectors::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Vector {
    pub(crate) key: String,
    pub(crate) data: Option<Vec<f32>>,
    pub(crate) metadata: Option<Map<String, Value>>,
}

impl Vector {
    /// A vector without data and metadata.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if `key` is not a valid [`Key`].
    pub fn new(key: &str) -> Result<Self, InvalidValue> {
        Ok(Self { key: Key::new(key)?.as_str().to_owned(), data: None, metadata: None })
    }

    /// Sets the components, which are sent as `float32`. A component that is not finite is sent as
    /// 0, because JSON has no such number.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Vec<f32>>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// Sets the metadata, a JSON object.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with the field `metadata` if it is anything else.
    pub fn with_metadata(mut self, json: &str) -> Result<Self, InvalidValue> {
        match serde_json::from_str(json) {
            Ok(Value::Object(metadata)) => self.metadata = Some(metadata),
            _ => return Err(InvalidValue::new("metadata", "must be a JSON object", json)),
        }
        Ok(self)
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The components. `None` if they were not requested.
    #[must_use]
    pub fn data(&self) -> Option<&[f32]> {
        self.data.as_deref()
    }

    /// The metadata as JSON. `None` if the vector has no metadata, or if it was not requested.
    #[must_use]
    pub fn metadata(&self) -> Option<String> {
        self.metadata.as_ref().map(|metadata| Value::Object(metadata.clone()).to_string())
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut vector = json!({ "key": self.key });
        if let Some(data) = &self.data {
            let finite = |component: &f32| if component.is_finite() { *component } else { 0.0 };
            vector["data"] = json!({ "float32": data.iter().map(finite).collect::<Vec<_>>() });
        }
        if let Some(metadata) = &self.metadata {
            vector["metadata"] = Value::Object(metadata.clone());
        }
        vector
    }

    /// Finds members in any case. The error has the name of the invalid member, and its rule.
    pub(crate) fn from_json(vector: Value) -> Result<Self, InvalidValue> {
        let invalid = |name: &'static str, rule| InvalidValue::without_value(name, rule);
        let Value::Object(mut members) = vector else {
            return Err(invalid("vector", "must be an object"));
        };
        let Some(Value::String(key)) = take(&mut members, "key") else {
            return Err(invalid("key", "must be a string"));
        };
        Key::new(&key)?;
        let data = match take(&mut members, "data") {
            None => None,
            Some(Value::Object(data)) => Some(components(&data)?),
            Some(_) => return Err(invalid("data", "must be an object")),
        };
        let metadata = match take(&mut members, "metadata") {
            None => None,
            Some(Value::Object(metadata)) => Some(metadata),
            Some(_) => return Err(invalid("metadata", "must be an object")),
        };
        Ok(Self { key, data, metadata })
    }
}

/// Parses the JSON of the service: `{"key":"doc-001","data":{"float32":[0.5]},"metadata":{"t":1}}`.
/// Data and metadata may be missing, and member names may have any case.
impl FromStr for Vector {
    type Err = InvalidValue;

    /// # Errors
    ///
    /// [`InvalidValue`] with the invalid field: `vector`, `key`, `data`, `data.float32` or
    /// `metadata`.
    fn from_str(json: &str) -> Result<Self, InvalidValue> {
        let vector = serde_json::from_str(json);
        Self::from_json(vector.map_err(|_| InvalidValue::new("vector", "must be JSON", json))?)
    }
}

/// Removes a member that is not null, with this name or else with this name in any case.
fn take(members: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let name = match members.get(name) {
        Some(_) => name.to_owned(),
        None => members.keys().find(|member| member.eq_ignore_ascii_case(name))?.clone(),
    };
    members.remove(&name).filter(|value| !value.is_null())
}

#[expect(clippy::cast_possible_truncation, reason = "components are single precision")]
fn components(data: &Map<String, Value>) -> Result<Vec<f32>, InvalidValue> {
    let numbers = member(data, "float32").and_then(Value::as_array);
    let numbers = numbers.and_then(|numbers| {
        numbers.iter().map(|number| number.as_f64().map(|number| number as f32)).collect()
    });
    numbers
        .ok_or_else(|| InvalidValue::without_value("data.float32", "must be an array of numbers"))
}

/// The vectors of a response. Empty if the member is missing or null.
pub(crate) fn vectors(members: &mut Map<String, Value>) -> Result<Vec<Vector>, InvalidValue> {
    match take(members, "vectors") {
        None => Ok(Vec::new()),
        Some(Value::Array(vectors)) => vectors.into_iter().map(Vector::from_json).collect(),
        Some(_) => Err(InvalidValue::without_value("vectors", "must be an array")),
    }
}

/// The requested parts of vectors besides the keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Return {
    pub(crate) data: bool,
    pub(crate) metadata: bool,
}

impl Return {
    pub(crate) fn of(body: &Body) -> Result<Self, RequestError> {
        Ok(Self { data: body.flag("returnData")?, metadata: body.flag("returnMetadata")? })
    }

    pub(crate) fn write(self, members: &mut Map<String, Value>) {
        for (name, is_set) in [("returnData", self.data), ("returnMetadata", self.metadata)] {
            if is_set {
                members.insert(name.to_owned(), true.into());
            }
        }
    }
}
