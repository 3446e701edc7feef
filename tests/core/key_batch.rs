//! A batch keeps each key once, in the order of first occurrence, and at most 500.

use std::cell::Cell;
use std::collections::HashSet;

use crate::random::Random;
use oss_delete_vectors::{Key, KeyBatch, Keys};

fn texts(batch: &KeyBatch) -> Vec<&str> {
    batch.iter().map(Key::as_str).collect()
}

fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("key-{number}"))
}

#[test]
fn duplicates_are_dropped_like_in_a_naive_model() {
    let mut random = Random::new(1);
    let mut sizes = [0; 3];
    for _ in 0..300 {
        let different = 1 + random.below(KeyBatch::MAX_KEYS);
        let keys: Vec<String> =
            (0..random.below(2000) + 1).map(|_| format!("k{}", random.below(different))).collect();

        let mut model: Vec<&str> = Vec::new();
        for key in &keys {
            if !model.contains(&key.as_str()) {
                model.push(key);
            }
        }
        let batch = KeyBatch::new(&keys).unwrap();
        // An iterator of unknown length makes the hash set grow.
        assert_eq!(KeyBatch::new(keys.iter().filter(|_| true)).unwrap(), batch);
        assert_eq!(texts(&batch), model);
        assert_eq!((batch.len(), batch.duplicates()), (model.len(), keys.len() - model.len()));
        sizes[batch.len() * 3 / (KeyBatch::MAX_KEYS + 1)] += 1;
    }
    assert!(
        sizes.iter().all(|&batches| batches > 30),
        "small, medium and large batches: {sizes:?}"
    );
}

/// Keys are concatenated in memory, but must stay separate.
#[test]
fn keys_with_common_prefixes_stay_apart() {
    let keys = ["a", "aa", "aaa", "é", "e\u{301}", "ab", "b", "\0", " ", "  ", "😀", "A"];
    let batch = KeyBatch::new(keys).unwrap();
    assert_eq!(texts(&batch), keys);
    assert_eq!(batch.duplicates(), 0);
    assert_ne!(KeyBatch::new(["ab", "c"]), KeyBatch::new(["a", "bc"]));
}

#[test]
fn batch_iterates_from_both_ends() {
    let batch = KeyBatch::new(["a", "b", "c"]).unwrap();
    let mut keys = batch.iter();
    assert_eq!(keys.len(), 3);
    assert_eq!(keys.next_back().map(Key::as_str), Some("c"));
    assert_eq!(keys.clone().map(Key::as_str).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(format!("{batch:?}"), r#"["a", "b", "c"]"#);
}

#[test]
fn dropped_duplicates_do_not_affect_equality() {
    let batch = KeyBatch::new(["a", "b", "a"]).unwrap();
    assert_eq!(batch, KeyBatch::new(["a", "b"]).unwrap());
    assert_ne!(batch, KeyBatch::new(["b", "a"]).unwrap());
    assert_eq!(KeyBatch::from(Key::new("a").unwrap()), KeyBatch::new(["a", "a", "a"]).unwrap());
}

#[test]
fn batch_takes_at_most_500_unique_keys() {
    assert_eq!(KeyBatch::new(numbered(500)).unwrap().len(), 500);
    let with_duplicates = KeyBatch::new(numbered(500).chain(numbered(500))).unwrap();
    assert_eq!((with_duplicates.len(), with_duplicates.duplicates()), (500, 500));

    let error = KeyBatch::new(numbered(501)).unwrap_err();
    assert_eq!(error.to_string(), r#"keys must be 1 to 500 unique keys, got more"#);
    let error = KeyBatch::new::<[&str; 0]>([]).unwrap_err();
    assert_eq!(error.to_string(), r#"keys must be 1 to 500 unique keys, got none"#);
}

#[test]
fn reading_stops_at_the_501st_key() {
    let read = Cell::new(0);
    let endless = (0_u64..).map(|number| {
        read.set(read.get() + 1);
        number.to_string()
    });
    assert_eq!(KeyBatch::new(endless).unwrap_err().field(), "keys");
    assert_eq!(read.get(), 501);
}

#[test]
fn invalid_key_is_reported_with_its_position() {
    let too_long = "é".repeat(1025);
    let error = KeyBatch::new(["a", "a", &too_long]).unwrap_err();
    assert_eq!(error.field(), "keys[2]");
    assert_eq!(
        error.to_string(),
        format!("keys[2] must be 1 to 1024 characters, not \"{}…\"", "é".repeat(80))
    );
    assert_eq!(
        KeyBatch::new([""]).unwrap_err().to_string(),
        r#"keys[0] must be 1 to 1024 characters, not """#
    );
}

#[test]
fn largest_batch_holds_the_longest_keys() {
    let keys: Vec<String> =
        (0..500).map(|number| format!("{number:04}{}", "\u{10ffff}".repeat(1020))).collect();
    assert_eq!(texts(&KeyBatch::new(&keys).unwrap()), keys);
}

#[test]
fn keys_iterator_is_exact_and_double_ended() {
    let batch = KeyBatch::new(["a", "b", "c", "d"]).unwrap();
    let mut keys: Keys<'_> = (&batch).into_iter();
    assert_eq!((keys.len(), format!("{keys:?}")), (4, r#"["a", "b", "c", "d"]"#.to_owned()));
    assert_eq!((keys.next(), keys.next_back()), (Key::new("a").ok(), Key::new("d").ok()));
    assert_eq!((keys.len(), keys.clone().nth(1)), (2, Key::new("c").ok()));
    assert!(keys.by_ref().map(Key::as_str).eq(["b", "c"]));
    assert_eq!((keys.next(), keys.next_back(), keys.len()), (None, None, 0));
    let mut texts = Vec::new();
    for key in &batch {
        texts.push(key.as_str());
    }
    assert_eq!(texts, ["a", "b", "c", "d"]);
}

#[test]
fn equal_batches_have_equal_hashes() {
    let set = HashSet::from(
        [["a", "b"], ["b", "a"], ["ab", "c"], ["a", "bc"]].map(|keys| KeyBatch::new(keys).unwrap()),
    );
    assert_eq!(set.len(), 4);
    assert!(
        set.contains(&KeyBatch::new(["a", "b", "a"]).unwrap())
            && !set.contains(&KeyBatch::new(["a"]).unwrap())
    );
}

#[test]
fn key_from_str_is_checked() {
    let key = Key::try_from("doc-001").unwrap();
    assert_eq!((key, AsRef::<str>::as_ref(&key)), (Key::new("doc-001").unwrap(), "doc-001"));
    assert_eq!(Key::try_from("").unwrap_err(), Key::new("").unwrap_err());
}
