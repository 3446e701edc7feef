use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use crate::{Filter, InvalidValue};

/// A parsed filter.
#[derive(Debug)]
pub(super) enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    /// All tests must hold for the metadata with this name.
    Field(String, Vec<Test>),
}

#[derive(Debug)]
pub(super) enum Test {
    /// Equal to one of these values, or to none if negated.
    OneOf {
        values: Vec<Value>,
        is_negated: bool,
    },
    /// A number with one of these orderings.
    Compared {
        number: Number,
        ways: [Ordering; 2],
    },
    Exists(bool),
}

const OPERATORS: &str =
    "must have $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin or $exists as its operators";

impl Condition {
    /// Parses a filter.
    ///
    /// Guesses where the reference is silent: all members of an object must hold, and `$ne` and
    /// `$nin` hold for missing metadata.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with the field `filter`, or `filter.{name}` for metadata.
    pub(super) fn parse(filter: &Filter) -> Result<Self, InvalidValue> {
        match serde_json::from_str(filter.as_str()) {
            Ok(Value::Object(members)) => Self::all_of(&members),
            _ => Err(invalid("filter", "must be a JSON object", filter.as_str())),
        }
    }

    fn all_of(members: &Map<String, Value>) -> Result<Self, InvalidValue> {
        if members.is_empty() {
            return Err(invalid("filter", "must have a condition in each object", "{}"));
        }
        let mut conditions = Vec::new();
        for (name, value) in members {
            conditions.push(match name.as_str() {
                "$and" => Self::All(list_of(name, value)?),
                "$or" => Self::Any(list_of(name, value)?),
                name if name.starts_with('$') => {
                    return Err(invalid("filter", "must begin with a name, $and or $or", name));
                }
                name => Self::Field(name.to_owned(), tests_of(name, value)?),
            });
        }
        Ok(Self::All(conditions))
    }

    pub(super) fn holds(&self, metadata: Option<&Map<String, Value>>) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(metadata)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(metadata)),
            Self::Field(name, tests) => {
                let value = metadata.and_then(|metadata| metadata.get(name));
                tests.iter().all(|test| test.holds(value))
            }
        }
    }
}

fn list_of(name: &str, value: &Value) -> Result<Vec<Condition>, InvalidValue> {
    let conditions = value.as_array().filter(|conditions| !conditions.is_empty());
    let rule = "must be an array of one or more objects";
    let conditions = conditions.ok_or_else(|| invalid(&field(name), rule, &value.to_string()))?;
    let parse = |condition: &Value| match condition {
        Value::Object(members) => Condition::all_of(members),
        other => Err(invalid(&field(name), rule, &other.to_string())),
    };
    conditions.iter().map(parse).collect()
}

fn tests_of(name: &str, value: &Value) -> Result<Vec<Test>, InvalidValue> {
    let Value::Object(operators) = value else {
        return Ok(vec![Test::one_of(vec![scalar(name, value)?], false)]);
    };
    if operators.is_empty() {
        return Err(invalid(&field(name), OPERATORS, "{}"));
    }
    operators.iter().map(|(operator, value)| Test::parse(name, operator, value)).collect()
}

impl Test {
    fn parse(name: &str, operator: &str, value: &Value) -> Result<Self, InvalidValue> {
        use Ordering::{Equal, Greater, Less};
        let compared = |ways| match value {
            Value::Number(number) => Ok(Self::Compared { number: number.clone(), ways }),
            other => {
                Err(invalid(&field(name), "must be compared with a number", &other.to_string()))
            }
        };
        match operator {
            "$eq" | "$ne" => Ok(Self::one_of(vec![scalar(name, value)?], operator == "$ne")),
            "$in" | "$nin" => {
                let rule = "must have an array of one or more values for $in and $nin";
                let values = value.as_array().filter(|values| !values.is_empty());
                let values =
                    values.ok_or_else(|| invalid(&field(name), rule, &value.to_string()))?;
                let values = values.iter().map(|value| scalar(name, value));
                Ok(Self::one_of(values.collect::<Result<_, _>>()?, operator == "$nin"))
            }
            "$gt" => compared([Greater; 2]),
            "$gte" => compared([Greater, Equal]),
            "$lt" => compared([Less; 2]),
            "$lte" => compared([Less, Equal]),
            "$exists" => value.as_bool().map(Self::Exists).ok_or_else(|| {
                invalid(&field(name), "must have true or false for $exists", &value.to_string())
            }),
            other => Err(invalid(&field(name), OPERATORS, other)),
        }
    }

    fn one_of(values: Vec<Value>, is_negated: bool) -> Self {
        Self::OneOf { values, is_negated }
    }

    fn holds(&self, value: Option<&Value>) -> bool {
        match self {
            Self::OneOf { values, is_negated } => {
                let is_one = |value: &Value| values.iter().any(|other| is_equal(value, other));
                let holds = match value {
                    None => false,
                    Some(Value::Array(members)) => members.iter().any(is_one),
                    Some(value) => is_one(value),
                };
                holds != *is_negated
            }
            Self::Compared { number, ways } => match value {
                Some(Value::Number(value)) => {
                    compare(value, number).is_some_and(|way| ways.contains(&way))
                }
                _ => false,
            },
            Self::Exists(exists) => value.is_some() == *exists,
        }
    }
}

fn scalar(name: &str, value: &Value) -> Result<Value, InvalidValue> {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(value.clone()),
        other => {
            let rule = "must be compared with a string, a number or a boolean";
            Err(invalid(&field(name), rule, &other.to_string()))
        }
    }
}

fn is_equal(value: &Value, other: &Value) -> bool {
    match (value, other) {
        (Value::Number(value), Value::Number(other)) => {
            compare(value, other) == Some(Ordering::Equal)
        }
        _ => value == other,
    }
}

/// Compares whole numbers exactly, and all others as floating point.
fn compare(value: &Number, other: &Number) -> Option<Ordering> {
    if let (Some(value), Some(other)) = (whole(value), whole(other)) {
        return Some(value.cmp(&other));
    }
    value.as_f64()?.partial_cmp(&other.as_f64()?)
}

fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

fn field(name: &str) -> String {
    format!("filter.{name}")
}

fn invalid(field: &str, rule: &'static str, value: &str) -> InvalidValue {
    InvalidValue::new(field.to_owned(), rule, value)
}
