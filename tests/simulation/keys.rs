//! The pushed keys as the simulation counts them: the duplicates, and the batch of each key.

use std::collections::HashSet;

use oss_delete_vectors::bulk::Positions;

/// The maximum number of unique keys in a batch.
const BATCH_SIZE: usize = 500;

pub(crate) struct Pushed {
    /// By key number: as JSON and as text.
    texts: Vec<(String, String)>,
    /// By position.
    pub(crate) keys: Vec<usize>,
    pub(crate) is_original: Vec<bool>,
    /// The batch of each position, counted from 0.
    pub(crate) batch: Vec<usize>,
    filling: HashSet<usize>,
    is_flushed: bool,
    batches: usize,
    pub(crate) duplicates: u64,
}

impl Pushed {
    pub(crate) fn new(keys: usize) -> Self {
        let text = |number: usize| match number % 50 {
            // Keys that JSON has to escape, non-ASCII keys, and long ones.
            7 => (format!("\\\"{number}\\n\\\\"), format!("\"{number}\n\\")),
            13 => (format!("键-{number}-🔑"), format!("键-{number}-🔑")),
            29 => (format!("{number}{}", "x".repeat(200)), format!("{number}{}", "x".repeat(200))),
            _ => (format!("k{number}"), format!("k{number}")),
        };
        Self {
            texts: (0..keys).map(text).collect(),
            keys: Vec::new(),
            is_original: Vec::new(),
            batch: Vec::new(),
            filling: HashSet::new(),
            is_flushed: false,
            batches: 0,
            duplicates: 0,
        }
    }

    pub(crate) fn text(&self, key: usize) -> &str {
        &self.texts[key].1
    }

    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|(_, text)| text.as_str())
    }

    pub(crate) fn push(&mut self, key: usize) {
        let is_original = self.filling.insert(key);
        self.keys.push(key);
        self.is_original.push(is_original);
        self.batch.push(self.batches);
        self.duplicates += u64::from(!is_original);
        if self.filling.len() == BATCH_SIZE {
            self.end_batch();
        }
    }

    /// The open batch may be sent, and takes more keys until then.
    pub(crate) fn flush(&mut self) {
        self.is_flushed = !self.filling.is_empty();
    }

    /// A request for `positions` is sent. If they are the open batch, it was flushed, and is now
    /// closed.
    pub(crate) fn sent(&mut self, positions: &Positions) {
        if self.batch[indexes(positions)[0]] == self.batches {
            assert!(self.is_flushed, "{positions:?} was sent before it was full or flushed");
            self.end_batch();
        }
    }

    pub(crate) fn end_batch(&mut self) {
        self.is_flushed = false;
        if !self.filling.is_empty() {
            self.filling.clear();
            self.batches += 1;
        }
    }

    /// The positions in `positions` that are not duplicates.
    pub(crate) fn originals(&self, positions: &Positions) -> impl Iterator<Item = usize> + use<'_> {
        indexes(positions).into_iter().filter(|&position| self.is_original[position])
    }

    /// The body of a request for `positions`.
    pub(crate) fn body(&self, positions: &Positions) -> String {
        let mut body = String::from(r#"{"indexName":"vectorindex1","keys":["#);
        for (count, position) in self.originals(positions).enumerate() {
            body.push_str(if count > 0 { ",\"" } else { "\"" });
            body.push_str(&self.texts[self.keys[position]].0);
            body.push('"');
        }
        body.push_str("]}");
        body
    }

    /// The number of closed batches that contain one of `positions`.
    pub(crate) fn closed_batches(&self, positions: impl Iterator<Item = usize>) -> usize {
        let open = (!self.filling.is_empty()).then_some(self.batches);
        let mut count = 0;
        let mut last = None;
        for batch in
            positions.map(|position| self.batch[position]).filter(|&batch| Some(batch) != open)
        {
            count += usize::from(last != Some(batch));
            last = Some(batch);
        }
        count
    }
}

pub(crate) fn indexes(positions: &Positions) -> Vec<usize> {
    positions.iter().map(|position| usize::try_from(position).unwrap()).collect()
}
