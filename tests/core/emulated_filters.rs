//! The emulator's filters: a table of the grammar, and random filters compared with set operations.

use std::collections::BTreeSet;
use std::time::Duration;

use oss_delete_vectors::emulator::Emulator;
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::{Filter, ListVectors, Operation, ServiceError, Vector};
use serde_json::{Value, json};

use crate::calls::{BUCKET, INDEX, credentials, now, target};
use crate::random::Random;

fn emulator(metadata: &[Value]) -> Emulator {
    let mut emulator = Emulator::with_vectors(&target(), credentials(), ["bare"]).unwrap();
    let vectors = metadata.iter().enumerate().map(|(number, metadata)| {
        Vector::new(&number.to_string()).unwrap().with_metadata(&metadata.to_string()).unwrap()
    });
    emulator.put_whole_vectors(BUCKET, INDEX, vectors).unwrap();
    emulator
}

fn matching(emulator: &mut Emulator, filter: &str) -> Result<BTreeSet<String>, ServiceError> {
    let filter: Filter = filter.parse().unwrap();
    let call = ListVectors::new(&target()).max_results(1000).unwrap().filter(filter);
    let mut request = call.to_request();
    Signer::new(&target(), credentials()).sign(&mut request, now(Duration::ZERO).wall);
    let page = ListVectors::parse_response(&emulator.handle(now(Duration::ZERO), &request))?;
    assert_eq!(page.next_token(), None);
    Ok(page.vectors().iter().map(|vector| vector.key().to_owned()).collect())
}

#[test]
fn every_operator_and_type() {
    let mut emulator = emulator(&[
        json!({"type": "comedy", "year": 2020, "new": true, "tags": ["a", "b"]}),
        json!({"type": "documentary", "year": "2020", "score": 1.5, "tags": []}),
        json!({"type": "drama", "year": 1999, "score": -2, "tags": ["b", 7, true]}),
        json!({"year": 2020.0, "nested": {"type": "comedy"}, "type": null}),
    ]);
    for (filter, expected) in [
        (r#"{"type":"comedy"}"#, "0"),
        (r#"{"type":{"$eq":"comedy"}}"#, "0"),
        (r#"{"type":"Comedy"}"#, ""),
        (r#"{"year":2020}"#, "0 3"),
        (r#"{"year":"2020"}"#, "1"),
        (r#"{"year":2020.0}"#, "0 3"),
        (r#"{"new":true}"#, "0"),
        (r#"{"new":{"$eq":false}}"#, ""),
        (r#"{"tags":"b"}"#, "0 2"),
        (r#"{"tags":7}"#, "2"),
        (r#"{"tags":true}"#, "2"),
        (r#"{"type":{"$ne":"comedy"}}"#, "1 2 3 bare"),
        (r#"{"tags":{"$ne":"a"}}"#, "1 2 3 bare"),
        (r#"{"year":{"$gt":1999}}"#, "0 3"),
        (r#"{"year":{"$gte":1999}}"#, "0 2 3"),
        (r#"{"year":{"$lt":2020}}"#, "2"),
        (r#"{"year":{"$lte":2020}}"#, "0 2 3"),
        (r#"{"score":{"$gte":-2,"$lt":1.5}}"#, "2"),
        (r#"{"tags":{"$gt":1}}"#, ""),
        (r#"{"type":{"$in":["comedy","documentary"]}}"#, "0 1"),
        (r#"{"tags":{"$in":["a",7]}}"#, "0 2"),
        (r#"{"type":{"$nin":["comedy","documentary"]}}"#, "2 3 bare"),
        (r#"{"score":{"$exists":true}}"#, "1 2"),
        (r#"{"score":{"$exists":false}}"#, "0 3 bare"),
        (r#"{"type":{"$exists":true}}"#, "0 1 2 3"),
        (r#"{"$and":[{"type":{"$in":["comedy","documentary"]}},{"year":{"$eq":"2020"}}]}"#, "1"),
        (r#"{"$or":[{"type":"comedy"},{"score":{"$lt":0}}]}"#, "0 2"),
        (r#"{"$or":[{"$and":[{"year":2020},{"new":true}]},{"$and":[{"tags":7}]}]}"#, "0 2"),
        (r#"{"type":"comedy","year":2020}"#, "0"),
        (r#"{"type":"comedy","year":1999}"#, ""),
        (r#"{"nested":"comedy"}"#, ""),
        (r#"{"a.b":1}"#, ""),
    ] {
        let found = matching(&mut emulator, filter).unwrap();
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found.join(" "), expected, "{filter}");
    }
}

#[test]
fn invalid_filters_are_rejected_with_the_reason() {
    let mut emulator = emulator(&[]);
    let operators =
        "must have $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin or $exists as its operators";
    let scalar = "must be compared with a string, a number or a boolean";
    let list = "must be an array of one or more objects";
    for (filter, field, rule) in [
        (r#"{"$not":[{"a":1}]}"#, "filter", "must begin with a name, $and or $or"),
        (r#"{"$eq":1}"#, "filter", "must begin with a name, $and or $or"),
        (r#"{"a":{"$regex":"x"}}"#, "filter.a", operators),
        (r#"{"a":{"b":1}}"#, "filter.a", operators),
        (r#"{"a":{}}"#, "filter.a", operators),
        (r#"{"a":null}"#, "filter.a", scalar),
        (r#"{"a":[1]}"#, "filter.a", scalar),
        (r#"{"a":{"$eq":[1]}}"#, "filter.a", scalar),
        (r#"{"a":{"$ne":null}}"#, "filter.a", scalar),
        (r#"{"a":{"$in":[{}]}}"#, "filter.a", scalar),
        (
            r#"{"a":{"$in":[]}}"#,
            "filter.a",
            "must have an array of one or more values for $in and $nin",
        ),
        (
            r#"{"a":{"$nin":1}}"#,
            "filter.a",
            "must have an array of one or more values for $in and $nin",
        ),
        (r#"{"a":{"$gt":"1"}}"#, "filter.a", "must be compared with a number"),
        (r#"{"a":{"$lte":true}}"#, "filter.a", "must be compared with a number"),
        (r#"{"a":{"$exists":1}}"#, "filter.a", "must have true or false for $exists"),
        (r#"{"$and":{"a":1}}"#, "filter.$and", list),
        (r#"{"$or":[1]}"#, "filter.$or", list),
        (
            r#"{"$or":[{"a":1},{"a":{"$in":1}}]}"#,
            "filter.a",
            "must have an array of one or more values for $in and $nin",
        ),
    ] {
        let error = matching(&mut emulator, filter).unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (400, "VectorIndexParameterInvalid"));
        assert!(error.message().starts_with(&format!("{field} {rule}")), "{filter}: {error}");
    }
}

#[test]
fn a_filter_without_a_condition_is_never_sent() {
    for filter in [
        "{}",
        r#"{"$and":[]}"#,
        r#"{"$or":[{}]}"#,
        r#"{"a":1,"$or":[{"b":2},{"$and":[]}]}"#,
        r#"{"$and":[{"a":1},{"$or":[{"$and":[{}]}]}]}"#,
    ] {
        let error = filter.parse::<Filter>().unwrap_err();
        assert!(error.rule().contains("with a condition"), "{filter}: {error}");
    }
}

#[test]
fn filters_are_limited_to_64_kib() {
    let mut emulator = emulator(&[json!({"a": "x"})]);
    let wide = |count: usize| {
        let values: Vec<String> = (0..count).map(|number| format!("{number:06}")).collect();
        json!({"a": {"$nin": values}}).to_string()
    };
    // 9 bytes per value, and 16 bytes around them.
    let largest = wide(7280);
    assert!(largest.len() <= Filter::MAX_BYTES && wide(7281).len() + 9 > Filter::MAX_BYTES);
    assert_eq!(matching(&mut emulator, &largest).unwrap().len(), 2);
    let deep = format!(r#"{}{{"a":"x"}}{}"#, r#"{"$and":["#.repeat(40), "]}".repeat(40));
    assert_eq!(matching(&mut emulator, &deep).unwrap().len(), 1);
}

/// The expected result of a random filter: a set of vectors for each comparison, combined as in the
/// filter.
struct Reference<'a> {
    metadata: &'a [Value],
}

impl Reference<'_> {
    fn all(&self) -> BTreeSet<usize> {
        (0..self.metadata.len()).collect()
    }

    fn with_field(&self, name: &str, test: impl Fn(&Value) -> bool) -> BTreeSet<usize> {
        let has = |number: &usize| self.metadata[*number].get(name).is_some_and(&test);
        self.all().into_iter().filter(has).collect()
    }

    /// Compares by text: the data has no two spellings of a number, such as `2020` and `2020.0`.
    fn equal(&self, name: &str, wanted: &Value) -> BTreeSet<usize> {
        let text = wanted.to_string();
        self.with_field(name, |value| {
            let whole = value.to_string();
            let members = value.as_array().map(|members| members.iter().map(Value::to_string));
            whole == text || members.is_some_and(|mut members| members.any(|member| member == text))
        })
    }

    fn between(&self, name: &str, low: f64, high: f64) -> BTreeSet<usize> {
        self.with_field(name, |value| {
            value.as_f64().is_some_and(|value| value >= low && value <= high)
        })
    }

    fn without(&self, numbers: &BTreeSet<usize>) -> BTreeSet<usize> {
        &self.all() - numbers
    }

    /// A random filter, and the vectors that it matches.
    fn draw(&self, random: &mut Random, depth: usize) -> (Value, BTreeSet<usize>) {
        if depth > 0 && random.chance(0.5) {
            let parts: Vec<_> =
                (0..random.size(1..4)).map(|_| self.draw(random, depth - 1)).collect();
            let filters: Vec<_> = parts.iter().map(|(filter, _)| filter.clone()).collect();
            let sets = parts.into_iter().map(|(_, set)| set);
            return if random.chance(0.5) {
                (json!({"$and": filters}), sets.fold(self.all(), |all, set| &all & &set))
            } else {
                (json!({"$or": filters}), sets.fold(BTreeSet::new(), |any, set| &any | &set))
            };
        }
        let name = random.pick(&["a", "b", "c"]);
        let number = random.size(0..4) as f64 + 0.5;
        let wanted = value(random);
        let (test, set) = match random.below(10) {
            0 => (wanted.clone(), self.equal(name, &wanted)),
            1 => (json!({"$eq": wanted}), self.equal(name, &wanted)),
            2 => (json!({"$ne": wanted}), self.without(&self.equal(name, &wanted))),
            3 => (
                json!({"$gt": number}),
                &self.between(name, number, f64::MAX) - &self.between(name, number, number),
            ),
            4 => (json!({"$gte": number}), self.between(name, number, f64::MAX)),
            5 => (
                json!({"$lt": number}),
                &self.between(name, f64::MIN, number) - &self.between(name, number, number),
            ),
            6 => (json!({"$lte": number}), self.between(name, f64::MIN, number)),
            7 | 8 => {
                let values: Vec<Value> = (0..random.size(1..4)).map(|_| value(random)).collect();
                let any = values
                    .iter()
                    .fold(BTreeSet::new(), |any, value| &any | &self.equal(name, value));
                if random.chance(0.5) {
                    (json!({"$in": values}), any)
                } else {
                    (json!({"$nin": values}), self.without(&any))
                }
            }
            _ => {
                let exists = random.chance(0.5);
                let with = self.with_field(name, |_| true);
                (json!({"$exists": exists}), if exists { with } else { self.without(&with) })
            }
        };
        (json!({name: test}), set)
    }
}

fn value(random: &mut Random) -> Value {
    match random.below(4) {
        0 => json!(random.pick(&["x", "y", "0.5"])),
        1 => json!(random.chance(0.5)),
        _ => json!(random.size(0..4) as f64 + 0.5),
    }
}

#[test]
fn random_filters_match_the_reference() {
    let mut random = Random::new(19);
    let metadata: Vec<Value> = (0..60)
        .map(|_| {
            let mut members = serde_json::Map::new();
            for name in ["a", "b", "c"] {
                if random.chance(0.7) {
                    let member = if random.chance(0.3) {
                        (0..random.size(0..3)).map(|_| value(&mut random)).collect()
                    } else {
                        value(&mut random)
                    };
                    members.insert(name.to_owned(), member);
                }
            }
            Value::Object(members)
        })
        .collect();
    let mut emulator = emulator(&metadata);
    emulator.remove_index(BUCKET, INDEX);
    let vectors = metadata.iter().enumerate().map(|(number, metadata)| {
        Vector::new(&number.to_string()).unwrap().with_metadata(&metadata.to_string()).unwrap()
    });
    emulator.put_whole_vectors(BUCKET, INDEX, vectors).unwrap();
    let reference = Reference { metadata: &metadata };
    let mut found_some = 0;
    for _ in 0..2000 {
        let (filter, expected) = reference.draw(&mut random, 3);
        let expected: BTreeSet<String> = expected.iter().map(usize::to_string).collect();
        assert_eq!(matching(&mut emulator, &filter.to_string()).unwrap(), expected, "{filter}");
        found_some += usize::from(!expected.is_empty() && expected.len() < metadata.len());
    }
    assert!(found_some > 1500, "{found_some} filters matched some vectors but not all");
}
