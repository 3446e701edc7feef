use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Duration;

use base64ct::{Base64Url, Encoding};
use foldhash::fast::FixedState;
use serde_json::{Map, Value};

use super::filter::Condition;
use crate::list_vectors::Return;
use crate::{InvalidValue, ListVectors, Vector};

/// The vectors of an index. One that was put as a key alone has no content.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    vectors: BTreeMap<Box<str>, Option<Box<Content>>>,
    /// Deleted vectors that listings still return, and until when.
    ghosts: BTreeMap<Box<str>, (Duration, Option<Box<Content>>)>,
}

#[derive(Debug, Clone)]
struct Content {
    data: Option<Vec<f32>>,
    metadata: Option<Map<String, Value>>,
}

/// The configured behaviour of listings.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Listings {
    /// How long they return a vector after its deletion.
    pub(super) delay: Duration,
    /// How long a token is valid.
    pub(super) token_lifetime: Option<Duration>,
}

/// The start of a page, and the parameters for which its token was issued.
struct Token {
    segment: (u8, u8),
    filter: u64,
    issued_at: Duration,
    after: String,
}

/// The maximum size of the vectors in a page, in bytes. With the longest token, the page has 1 MB.
const PAGE_BYTES: usize = 990_000;

/// The number of vectors examined for a page. If few of them match, the page is short or even
/// empty.
const EXAMINED: usize = 10_000;

/// The default number of vectors in a page.
const PAGE: u16 = 500;

impl Index {
    pub(super) fn len(&self) -> usize {
        self.vectors.len()
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.vectors.contains_key(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.vectors.keys().map(|key| &**key)
    }

    pub(super) fn put_key(&mut self, key: &str) {
        self.vectors.insert(key.into(), None);
    }

    pub(super) fn put(&mut self, Vector { key, data, metadata }: Vector) {
        self.ghosts.remove(&*key);
        let has_content = data.is_some() || metadata.is_some();
        self.vectors.insert(key.into(), has_content.then(|| Box::new(Content { data, metadata })));
    }

    /// Deletes a vector. Listings return it until `listed_until`, if given. Returns whether it
    /// existed.
    pub(super) fn remove(&mut self, key: &str, listed_until: Option<Duration>) -> bool {
        let Some((key, content)) = self.vectors.remove_entry(key) else { return false };
        if let Some(until) = listed_until {
            self.ghosts.insert(key, (until, content));
        }
        true
    }

    pub(super) fn get(&self, key: &str, returns: Return) -> Option<Vector> {
        let (key, content) = self.vectors.get_key_value(key)?;
        Some(vector(key, content.as_deref(), returns))
    }

    /// A page of the listing, and the token of the next one. In the order of keys, but clients
    /// cannot rely on that.
    pub(super) fn list(
        &mut self,
        now: Duration,
        call: &ListVectors,
        condition: Option<&Condition>,
        listings: Listings,
    ) -> Result<(Vec<Vector>, Option<String>), InvalidValue> {
        let segment = call.segment_of().unwrap_or((0, 1));
        let filter = call.condition().map_or(0, |filter| hash(filter.as_str()));
        let token = call.token().map(|text| Token::parse(text, segment, filter)).transpose()?;
        let has_expired = |token: &Token| {
            listings.token_lifetime.is_some_and(|lifetime| token.issued_at + lifetime <= now)
        };
        if token.as_ref().is_some_and(has_expired) {
            let text = call.token().unwrap_or_default();
            return Err(InvalidValue::new("nextToken", "must not have expired", text));
        }
        if token.is_none() {
            self.ghosts.retain(|_, (until, _)| *until > now);
        }
        let limit = usize::from(call.limit().unwrap_or(PAGE));
        let after = token.as_ref().map(|token| token.after.as_str());
        let (mut page, mut bytes, mut last) = (Vec::new(), 0, None);
        let mut rest = self.listed(now, after).peekable();
        let mut examined = 0;
        while page.len() < limit
            && examined < EXAMINED
            && let Some(&(key, content)) = rest.peek()
        {
            let metadata = content.and_then(|content| content.metadata.as_ref());
            let is_in_segment =
                segment.1 == 1 || hash(key) % u64::from(segment.1) == u64::from(segment.0);
            if is_in_segment && condition.is_none_or(|condition| condition.holds(metadata)) {
                let vector = vector(key, content, call.returns);
                bytes += vector.to_json().to_string().len() + 1;
                if bytes > PAGE_BYTES && !page.is_empty() {
                    break;
                }
                page.push(vector);
            }
            last = Some(key);
            rest.next();
            examined += 1;
        }
        let next = last.filter(|_| rest.peek().is_some()).map(|after| {
            Token { segment, filter, issued_at: now, after: after.to_owned() }.to_text()
        });
        Ok((page, next))
    }

    /// The vectors that listings see after a key, in the order of keys.
    fn listed(
        &self,
        now: Duration,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&str, Option<&Content>)> {
        let range = (after.map_or(Unbounded, Excluded), Unbounded);
        let live = self.vectors.range::<str, _>(range);
        let mut live = live.map(|(key, content)| (&**key, content.as_deref())).peekable();
        let ghosts = self.ghosts.range::<str, _>(range).filter(move |(_, (until, _))| *until > now);
        let mut ghosts = ghosts.map(|(key, (_, content))| (&**key, content.as_deref())).peekable();
        std::iter::from_fn(move || match (live.peek(), ghosts.peek()) {
            (Some((key, _)), Some((ghost, _))) if ghost < key => ghosts.next(),
            (None, Some(_)) => ghosts.next(),
            _ => live.next(),
        })
    }
}

fn vector(key: &str, content: Option<&Content>, returns: Return) -> Vector {
    let data = content.filter(|_| returns.data).and_then(|content| content.data.clone());
    let metadata = content.filter(|_| returns.metadata);
    let metadata = metadata.and_then(|content| content.metadata.clone());
    Vector { key: key.to_owned(), data, metadata }
}

fn hash(text: &str) -> u64 {
    FixedState::default().hash_one(text)
}

impl Token {
    fn to_text(&self) -> String {
        let Self { segment: (index, count), filter, issued_at, after } = self;
        let text = format!("{index}.{count}.{filter}.{}.{after}", issued_at.as_millis());
        Base64Url::encode_string(text.as_bytes())
    }

    /// Parses a token. It must have been issued for the same segment and filter.
    fn parse(text: &str, segment: (u8, u8), filter: u64) -> Result<Self, InvalidValue> {
        let parse = || {
            let decoded = String::from_utf8(Base64Url::decode_vec(text).ok()?).ok()?;
            let mut parts = decoded.splitn(5, '.');
            let segment = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            let filter = parts.next()?.parse().ok()?;
            let issued_at = Duration::from_millis(parts.next()?.parse().ok()?);
            Some(Self { segment, filter, issued_at, after: parts.next()?.to_owned() })
        };
        let token = parse().filter(|token| (token.segment, token.filter) == (segment, filter));
        let rule = "must be the token of the page before, with the same segment and filter";
        token.ok_or_else(|| InvalidValue::new("nextToken", rule, text))
    }
}
