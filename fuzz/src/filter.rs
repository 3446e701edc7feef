//! Filters of the emulator: an error names the invalid part, and matching follows the rules of
//! sets.

use std::collections::BTreeSet;
use std::time::Duration;

use oss_delete_vectors::emulator::Emulator;
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::{
    Filter, ListVectors, Now, Operation, Selection, ServiceError, Vector, code,
};
use serde_json::{Map, Value, json};

use crate::example::{credentials, target, time};

/// The input is lines: a filter, then the metadata of one vector per line.
pub fn filter(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default();
    let filter: Filter = match first.parse() {
        Ok(filter) => filter,
        Err(error) => {
            assert_eq!(error.field(), "filter");
            assert!(!error.to_string().contains(char::is_control));
            assert!(!is_condition(first), "{first}");
            return;
        }
    };
    assert_eq!(filter.as_str(), first.trim());
    assert_eq!(filter.to_string().parse().as_ref(), Ok(&filter));
    let shown = Selection::all().filter(filter.clone()).to_string();
    assert!(!shown.contains(char::is_control));

    let mut index = Index::new(lines);
    let json = filter.as_str();
    let matching = match index.matching(json) {
        Ok(matching) => matching,
        Err(error) => {
            assert_eq!(error.code(), code::VECTOR_INDEX_PARAMETER_INVALID);
            assert!(error.message().starts_with("filter"), "{error}");
            assert!(!error.to_string().contains(char::is_control));
            return;
        }
    };
    let all = &index.all.clone();
    for same in [
        format!(r#"{{"$and":[{json}]}}"#),
        format!(r#"{{"$or":[{json}]}}"#),
        format!(r#"{{"$and":[{json},{json}]}}"#),
        format!(r#"{{"$or":[{json},{{"$and":[{json},{{"a":1}}]}}]}}"#),
        format!(
            r#"{{"$or":[{{"$and":[{json},{{"a":1}}]}},{{"$and":[{json},{{"a":{{"$ne":1}}}}]}}]}}"#
        ),
    ] {
        // A longer filter may be too long.
        if same.len() <= Filter::MAX_BYTES {
            assert_eq!(index.matching(&same).as_ref(), Ok(&matching), "{same}");
        }
    }

    // All members must match, with all their operators, and each operator has an opposite.
    let Ok(Value::Object(members)) = serde_json::from_str(json) else {
        panic!("a valid filter is an object")
    };
    let mut in_all = all.clone();
    for (name, value) in &members {
        let alone = index.of(&json!({ name: value }));
        in_all.retain(|key| alone.contains(key));
        let Value::Object(operators) = value else {
            if !name.starts_with('$') {
                assert_eq!(alone, index.of(&json!({ name: { "$eq": value } })));
            }
            continue;
        };
        let mut in_each = all.clone();
        for (operator, value) in operators {
            let one = index.of(&json!({ name: { operator: value } }));
            in_each.retain(|key| one.contains(key));
            check_operator(&mut index, &one, name, operator, value);
        }
        assert_eq!(in_each, alone);
    }
    assert_eq!(in_all, matching);
}

fn check_operator(
    index: &mut Index,
    one: &BTreeSet<String>,
    name: &str,
    operator: &str,
    value: &Value,
) {
    let mut of = |operator: &str| index.of(&json!({ name: { operator: value } }));
    let opposite = match operator {
        "$eq" => of("$ne"),
        "$ne" => of("$eq"),
        "$in" => of("$nin"),
        "$nin" => of("$in"),
        "$exists" => index.of(&json!({ name: { "$exists": *value == json!(false) } })),
        "$gt" | "$lt" => {
            assert!(of(&format!("{operator}e")).is_superset(one));
            return;
        }
        "$gte" | "$lte" => {
            // A single value that is equal is neither less nor greater.
            let strict = of(&operator[..3]);
            assert!(one.is_superset(&strict) && strict.is_disjoint(&of("$eq")));
            return;
        }
        other => panic!("{other} is not an operator"),
    };
    assert!(opposite.is_disjoint(one) && opposite.len() + one.len() == index.all.len());
}

/// Whether this is a filter that must be accepted: only names with values.
fn is_condition(text: &str) -> bool {
    let is_plain = |(name, value): (&String, &Value)| !name.starts_with('$') && !value.is_object();
    text.len() <= Filter::MAX_BYTES
        && serde_json::from_str::<Map<String, Value>>(text.trim())
            .is_ok_and(|members| !members.is_empty() && members.iter().all(is_plain))
}

/// An index with a vector for each metadata, and one vector without metadata.
struct Index {
    emulator: Emulator,
    all: BTreeSet<String>,
}

impl Index {
    fn new<'a>(metadata: impl Iterator<Item = &'a str>) -> Self {
        let mut emulator = Emulator::with_vectors(&target(), credentials(), ["bare"]).unwrap();
        let vectors = metadata.take(20).zip(0..).filter_map(|(metadata, number)| {
            Vector::new(&format!("{number}")).unwrap().with_metadata(metadata).ok()
        });
        let vectors: Vec<Vector> = vectors.collect();
        let keys = vectors.iter().map(|vector| vector.key().to_owned());
        let all = keys.chain(["bare".to_owned()]).collect();
        let (bucket, index) = ("examplebucket", "exampleindex");
        emulator.put_whole_vectors(bucket, index, vectors).unwrap();
        Self { emulator, all }
    }

    fn of(&mut self, filter: &Value) -> BTreeSet<String> {
        self.matching(&filter.to_string()).expect("part of a valid filter")
    }

    fn matching(&mut self, filter: &str) -> Result<BTreeSet<String>, ServiceError> {
        let filter = filter.parse().expect("a filter");
        let call = ListVectors::new(&target()).filter(filter);
        let mut request = call.to_request();
        Signer::new(&target(), credentials()).sign(&mut request, time());
        let now = Now::new(Duration::ZERO, time());
        let page = ListVectors::parse_response(&self.emulator.handle(now, &request))?;
        Ok(page.into_vectors().into_iter().map(|vector| vector.key().to_owned()).collect())
    }
}
