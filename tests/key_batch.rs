//! A batch keeps each key once, in the order in which they first came, and never more than 500.

#[path = "common/xorshift.rs"]
mod xorshift;

use std::cell::Cell;
use std::collections::HashSet;

use oss_delete_vectors::{Key, KeyBatch, Keys};
use xorshift::Xorshift;

fn texts(batch: &KeyBatch) -> Vec<&str> {
    batch.iter().map(Key::as_str).collect()
}

fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("key-{number}"))
}

#[test]
fn duplicates_are_dropped_as_a_naive_model_drops_them() {
    let mut random = Xorshift::new(1);
    let mut sizes = [0; 3];
    for _ in 0..300 {
        let different = 1 + random.below(KeyBatch::MAX_KEYS);
        let keys: Vec<String> = (0..random.below(2000) + 1).map(|_| format!("k{}", random.below(different))).collect();

        let mut model: Vec<&str> = Vec::new();
        for key in &keys {
            if !model.contains(&key.as_str()) {
                model.push(key);
            }
        }
        let batch = KeyBatch::new(&keys).unwrap();
        // An iterator that does not know its length makes the index grow on the way.
        assert_eq!(KeyBatch::new(keys.iter().filter(|_| true)).unwrap(), batch);
        assert_eq!(texts(&batch), model);
        assert_eq!((batch.len(), batch.duplicates()), (model.len(), keys.len() - model.len()));
        sizes[batch.len() * 3 / (KeyBatch::MAX_KEYS + 1)] += 1;
    }
    assert!(sizes.iter().all(|&batches| batches > 30), "small, middling and large batches: {sizes:?}");
}

/// Keys lie one after another in one piece of text: where one ends and the next begins must not be forgotten.
#[test]
fn keys_that_run_into_one_another_stay_apart() {
    let keys = ["a", "aa", "aaa", "é", "e\u{301}", "ab", "b", "\0", " ", "  ", "😀", "A"];
    let batch = KeyBatch::new(keys).unwrap();
    assert_eq!(texts(&batch), keys);
    assert_eq!(batch.duplicates(), 0);
    assert_ne!(KeyBatch::new(["ab", "c"]), KeyBatch::new(["a", "bc"]));
}

#[test]
fn a_batch_is_read_from_both_ends() {
    let batch = KeyBatch::new(["a", "b", "c"]).unwrap();
    let mut keys = batch.iter();
    assert_eq!(keys.len(), 3);
    assert_eq!(keys.next_back().map(Key::as_str), Some("c"));
    assert_eq!(keys.clone().map(Key::as_str).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(format!("{batch:?}"), r#"["a", "b", "c"]"#);
}

#[test]
fn batches_are_equal_whatever_was_dropped() {
    let batch = KeyBatch::new(["a", "b", "a"]).unwrap();
    assert_eq!(batch, KeyBatch::new(["a", "b"]).unwrap());
    assert_ne!(batch, KeyBatch::new(["b", "a"]).unwrap());
    assert_eq!(KeyBatch::from(Key::new("a").unwrap()), KeyBatch::new(["a", "a", "a"]).unwrap());
}

#[test]
fn five_hundred_unique_keys_fit_and_no_more() {
    assert_eq!(KeyBatch::new(numbered(500)).unwrap().len(), 500);
    let with_duplicates = KeyBatch::new(numbered(500).chain(numbered(500))).unwrap();
    assert_eq!((with_duplicates.len(), with_duplicates.duplicates()), (500, 500));

    let refused = KeyBatch::new(numbered(501)).unwrap_err();
    assert_eq!(refused.to_string(), r#"keys must be 1 to 500 unique keys, but there are more"#);
    let refused = KeyBatch::new::<[&str; 0]>([]).unwrap_err();
    assert_eq!(refused.to_string(), r#"keys must be 1 to 500 unique keys, but there are none"#);
}

#[test]
fn what_comes_after_the_501st_key_is_not_read() {
    let read = Cell::new(0);
    let endless = (0_u64..).map(|number| {
        read.set(read.get() + 1);
        number.to_string()
    });
    assert_eq!(KeyBatch::new(endless).unwrap_err().field(), "keys");
    assert_eq!(read.get(), 501);
}

#[test]
fn a_key_that_is_none_is_named_by_its_place() {
    let too_long = "é".repeat(1025);
    let refused = KeyBatch::new(["a", "a", &too_long]).unwrap_err();
    assert_eq!(refused.field(), "keys[2]");
    assert_eq!(refused.to_string(), format!("keys[2] must be 1 to 1024 characters, not \"{}…\"", "é".repeat(80)));
    assert_eq!(KeyBatch::new([""]).unwrap_err().to_string(), r#"keys[0] must be 1 to 1024 characters, not """#);
}

#[test]
fn the_longest_batch_holds_the_longest_keys() {
    let keys: Vec<String> = (0..500).map(|number| format!("{number:04}{}", "\u{10ffff}".repeat(1020))).collect();
    assert_eq!(texts(&KeyBatch::new(&keys).unwrap()), keys);
}

#[test]
fn keys_are_counted_and_taken_from_both_ends() {
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
fn equal_batches_have_one_hash_whatever_was_dropped() {
    let set = HashSet::from([["a", "b"], ["b", "a"], ["ab", "c"], ["a", "bc"]].map(|keys| KeyBatch::new(keys).unwrap()));
    assert_eq!(set.len(), 4);
    assert!(set.contains(&KeyBatch::new(["a", "b", "a"]).unwrap()) && !set.contains(&KeyBatch::new(["a"]).unwrap()));
}

#[test]
fn a_text_is_tried_as_a_key() {
    assert_eq!(Key::try_from("doc-001"), Key::new("doc-001"));
    assert_eq!(Key::try_from("").unwrap_err(), Key::new("").unwrap_err());
}
