use super::{Filter, ListVectors};
use crate::{InvalidValue, Target};

/// A selection of vectors of an index: all of them, or those whose key begins with a prefix, whose
/// metadata match a filter, or both. It also has the number of segments in which the index is
/// listed.
///
/// The service filters by metadata, but not by prefix. For a prefix, all vectors are listed, or all
/// that match the filter.
///
/// ```
/// use oss_delete_vectors::Selection;
///
/// let chunks = Selection::all().prefix("doc-42#")?;
/// let tenant = Selection::all().filter(r#"{"tenant":"acme"}"#.parse()?).segments(4)?;
/// assert_eq!(tenant.to_string(), r#"all keys whose metadata match {"tenant":"acme"}"#);
/// assert!(Selection::all().prefix("").is_err(), "an empty prefix would select everything");
/// # Ok::<_, oss_delete_vectors::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    pub(crate) prefix: Option<String>,
    pub(crate) filter: Option<Filter>,
    pub(crate) segments: u8,
}

impl Selection {
    /// Every vector, listed in one segment.
    #[must_use]
    pub fn all() -> Self {
        Self { prefix: None, filter: None, segments: 1 }
    }

    /// Only vectors whose key begins with `prefix`.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if `prefix` is empty or longer than a key can be.
    pub fn prefix(mut self, prefix: &str) -> Result<Self, InvalidValue> {
        if crate::Key::new(prefix).is_err() {
            return Err(InvalidValue::new("prefix", "must be 1 to 1024 characters", prefix));
        }
        self.prefix = Some(prefix.to_owned());
        Ok(self)
    }

    /// Only vectors whose metadata match `filter`, which the service evaluates. ListVectors
    /// supports filters since June 2026. An endpoint that ignores them would list every vector, so
    /// [`KeyLister`](crate::KeyLister) first checks that, with one request.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Lists this many segments of the index at the same time, 1 to 16. 1 by default.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if `segments` is not 1 to 16.
    pub fn segments(mut self, segments: u8) -> Result<Self, InvalidValue> {
        if !(1..=ListVectors::MAX_SEGMENTS).contains(&segments) {
            return Err(InvalidValue::new("segments", "must be 1 to 16", &segments.to_string()));
        }
        self.segments = segments;
        Ok(self)
    }

    /// Whether it selects every vector of an index.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.prefix.is_none() && self.filter.is_none()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.prefix.as_ref().is_none_or(|prefix| key.starts_with(&**prefix))
    }

    /// The call for a page of a segment.
    pub(crate) fn page(&self, target: &Target, segment: u8, token: Option<&str>) -> ListVectors {
        let call = ListVectors::new(target).max_results(ListVectors::MAX_RESULTS);
        let mut call = call.expect("the maximum is valid");
        if self.segments > 1 {
            call = call.segment(segment, self.segments).expect("the segment is one of them");
        }
        if let Some(filter) = &self.filter {
            call = call.filter(filter.clone());
        }
        match token {
            Some(token) => call.next_token(token),
            None => call,
        }
    }
}

/// A phrase such as `all keys that begin with "doc-42#"`.
impl std::fmt::Display for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("all keys")?;
        if let Some(prefix) = &self.prefix {
            write!(f, " that begin with {prefix:?}")?;
        }
        match &self.filter {
            Some(filter) if self.prefix.is_some() => {
                write!(f, " and whose metadata match {}", crate::escape::escape(filter.as_str()))
            }
            Some(filter) => {
                write!(f, " whose metadata match {}", crate::escape::escape(filter.as_str()))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_are_phrases_and_page_requests() {
        let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456");
        let target = target.bucket("examplebucket").index_name("i").build().unwrap();
        let filter = || r#"{"a":1}"#.parse().unwrap();
        let prefix = || Selection::all().prefix("doc-\"").unwrap();
        for (selection, is_all, text, filter) in [
            (Selection::all(), true, "all keys", ""),
            (prefix(), false, r#"all keys that begin with "doc-\"""#, ""),
            (
                Selection::all().filter(filter()),
                false,
                r#"all keys whose metadata match {"a":1}"#,
                r#","filter":{"a":1}"#,
            ),
            (
                prefix().filter(filter()),
                false,
                r#"all keys that begin with "doc-\"" and whose metadata match {"a":1}"#,
                r#","filter":{"a":1}"#,
            ),
        ] {
            assert_eq!((selection.to_string().as_str(), selection.is_all()), (text, is_all));
            let body = |selection: &Selection, segment, token| {
                selection.page(&target, segment, token).to_request().into_body()
            };
            let first = r#"{"indexName":"i","maxResults":1000"#;
            assert_eq!(body(&selection, 0, None), format!("{first}{filter}}}"));
            let second = r#","nextToken":"t","segmentCount":2,"segmentIndex":1"#;
            let selection = selection.segments(2).unwrap();
            assert_eq!(body(&selection, 1, Some("t")), format!("{first}{second}{filter}}}"));
        }
    }
}
