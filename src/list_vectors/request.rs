use bytes::Bytes;
use http::Request;

use super::{Filter, Listed, Return};
use crate::operation::{self, Kind, Operation, read_body, write_string};
use crate::{InvalidValue, RequestError, Target};

/// One `ListVectors` call: a page of the vectors of an index.
///
/// The order of vectors is not documented, nor the lifetime of a token, nor whether a listing sees
/// concurrent puts and deletes. [`KeyLister`](crate::KeyLister) lists a whole index.
///
/// ```
/// use oss_delete_vectors::{ListVectors, Target};
///
/// let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
///     .bucket("examplebucket").index_name("vectorindex1").build()?;
/// let call = ListVectors::new(&target).max_results(1000)?.filter(r#"{"tenant":"acme"}"#.parse()?);
/// let request = call.to_request();
/// assert_eq!(
///     request.body(),
///     r#"{"indexName":"vectorindex1","maxResults":1000,"filter":{"tenant":"acme"}}"#,
/// );
/// assert_eq!(ListVectors::parse_request(&target, &request)?, call);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListVectors {
    target: Target,
    max_results: Option<u16>,
    next_token: Option<String>,
    segment: Option<(u8, u8)>,
    pub(crate) returns: Return,
    filter: Option<Filter>,
}

impl ListVectors {
    /// The maximum number of vectors in a page.
    pub const MAX_RESULTS: u16 = 1000;

    /// The maximum number of segments.
    pub const MAX_SEGMENTS: u8 = 16;

    /// The first page of the index of `target`: up to 500 keys, without data and metadata.
    #[must_use]
    pub fn new(target: &Target) -> Self {
        Self {
            target: target.clone(),
            max_results: None,
            next_token: None,
            segment: None,
            returns: Return::default(),
            filter: None,
        }
    }

    /// Sets the maximum number of vectors in the page, 500 by default.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if it is not 1 to 1000.
    pub fn max_results(mut self, max_results: u16) -> Result<Self, InvalidValue> {
        self.max_results =
            Some(checked("max results", "must be 1 to 1000", max_results.into(), 1..=1000)?);
        Ok(self)
    }

    /// Continues where the page with this token ended.
    #[must_use]
    pub fn next_token(mut self, token: impl Into<String>) -> Self {
        self.next_token = Some(token.into());
        self
    }

    /// Lists one of `count` segments that together are the index, counted from 0, to list them in
    /// parallel.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if `count` is not 1 to 16, or `index` not below it.
    pub fn segment(mut self, index: u8, count: u8) -> Result<Self, InvalidValue> {
        self.segment = Some(checked_segment(index.into(), count.into())?);
        Ok(self)
    }

    /// Requests the data of each vector.
    #[must_use]
    pub fn return_data(mut self) -> Self {
        self.returns.data = true;
        self
    }

    /// Requests the metadata of each vector.
    #[must_use]
    pub fn return_metadata(mut self) -> Self {
        self.returns.metadata = true;
        self
    }

    /// Lists only the vectors that match.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// The index to list.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The maximum number of vectors in the page. `None` means 500.
    #[must_use]
    pub fn limit(&self) -> Option<u16> {
        self.max_results
    }

    /// The token of the previous page.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.next_token.as_deref()
    }

    /// The index of the segment, and the number of segments.
    #[must_use]
    pub fn segment_of(&self) -> Option<(u8, u8)> {
        self.segment
    }

    /// The condition on metadata.
    #[must_use]
    pub fn condition(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    /// The unsigned request: `POST` with `content-type`, `content-md5`, `user-agent` and the JSON
    /// body.
    #[must_use]
    pub fn to_request(&self) -> Request<Bytes> {
        let mut json = b"{".to_vec();
        let mut member = |name: &str, value: &dyn Fn(&mut Vec<u8>)| {
            if json.len() > 1 {
                json.push(b',');
            }
            write_string(&mut json, name);
            json.push(b':');
            value(&mut json);
        };
        let text = |text: String| move |json: &mut Vec<u8>| json.extend_from_slice(text.as_bytes());
        if let Some(index_name) = self.target.index_name() {
            member("indexName", &|json| write_string(json, index_name));
        }
        if let Some(max_results) = self.max_results {
            member("maxResults", &text(max_results.to_string()));
        }
        if let Some(token) = &self.next_token {
            member("nextToken", &|json| write_string(json, token));
        }
        if self.returns.data {
            member("returnData", &text("true".to_owned()));
        }
        if self.returns.metadata {
            member("returnMetadata", &text("true".to_owned()));
        }
        if let Some((index, count)) = self.segment {
            member("segmentCount", &text(count.to_string()));
            member("segmentIndex", &text(index.to_string()));
        }
        if let Some(filter) = &self.filter {
            member("filter", &|json| json.extend_from_slice(filter.as_str().as_bytes()));
        }
        json.push(b'}');
        operation::build(Kind::ListVectors, &self.target, json)
    }

    /// Parses a request to the bucket of `target`, as the service does. Ignores the host, the path,
    /// the authorization, and unknown members.
    ///
    /// # Errors
    ///
    /// [`RequestError`]. Its variants are checked in the order of their declaration.
    pub fn parse_request<B: AsRef<[u8]>>(
        target: &Target,
        request: &Request<B>,
    ) -> Result<Self, RequestError> {
        let body = read_body(Kind::ListVectors, request)?;
        let (max_results, next_token) = (body.number("maxResults")?, body.text("nextToken")?);
        let segment = (body.number("segmentIndex")?, body.number("segmentCount")?);
        let returns = Return::of(&body)?;
        let filter = body.value("filter").map(|filter| filter.to_string().parse()).transpose();
        let invalid = RequestError::InvalidParameter;
        let max_results = max_results
            .map(|number| checked("maxResults", "must be 1 to 1000", number, 1..=1000))
            .transpose();
        let segment = match segment {
            (None, None) => Ok(None),
            (index, count) => {
                checked_segment(index.unwrap_or_default(), count.unwrap_or(1)).map(Some)
            }
        };
        Ok(Self {
            target: body.target(target)?,
            max_results: max_results.map_err(invalid)?,
            next_token: next_token.filter(|token| !token.is_empty()).map(str::to_owned),
            segment: segment.map_err(invalid)?,
            returns,
            filter: filter.map_err(invalid)?,
        })
    }
}

fn checked<T: TryFrom<i64>>(
    field: &'static str,
    rule: &'static str,
    number: i64,
    range: std::ops::RangeInclusive<i64>,
) -> Result<T, InvalidValue> {
    let valid = T::try_from(number).ok().filter(|_| range.contains(&number));
    valid.ok_or_else(|| InvalidValue::new(field, rule, &number.to_string()))
}

fn checked_segment(index: i64, count: i64) -> Result<(u8, u8), InvalidValue> {
    let most = ListVectors::MAX_SEGMENTS.into();
    let count = checked("segment count", "must be 1 to 16", count, 1..=most)?;
    let rule = "must be at least 0 and below the segment count";
    let index = checked("segment index", rule, index, 0..=i64::from(count) - 1)?;
    Ok((index, count))
}

impl Operation for ListVectors {
    type Output = Listed;

    fn to_request(&self) -> Request<Bytes> {
        Self::to_request(self)
    }
}
