use bytes::Bytes;
use http::header::DATE;
use http::{Request, Response, StatusCode};

use super::filter::Condition;
use super::{Emulator, PlannedFailure, address, check_index_name};
use crate::operation::Kind;
use crate::signing::{Authorization, RequestDate, Resource, VerifyError};
use crate::{
    DeleteVectors, Deleted, Found, GetVectors, Key, ListVectors, Listed, Now, PutVectors,
    RequestError, ServiceError, Stored, Target, Vector, code,
};

/// A call that passed all checks.
enum Call {
    Delete(DeleteVectors),
    List(ListVectors, Option<Condition>),
    Get(GetVectors),
    Put(PutVectors),
}

impl Call {
    fn parse<B: AsRef<[u8]>>(
        kind: Kind,
        target: &Target,
        request: &Request<B>,
        ignores_filters: bool,
    ) -> Result<Self, RequestError> {
        Ok(match kind {
            Kind::DeleteVectors => Self::Delete(DeleteVectors::parse_request(target, request)?),
            Kind::ListVectors => {
                let call = ListVectors::parse_request(target, request)?;
                let filter = call.condition().filter(|_| !ignores_filters);
                let condition = filter.map(Condition::parse).transpose();
                Self::List(call, condition.map_err(RequestError::InvalidParameter)?)
            }
            Kind::GetVectors => Self::Get(GetVectors::parse_request(target, request)?),
            Kind::PutVectors => Self::Put(PutVectors::parse_request(target, request)?),
        })
    }

    fn target(&self) -> &Target {
        match self {
            Self::Delete(call) => call.target(),
            Self::List(call, _) => call.target(),
            Self::Get(call) => call.target(),
            Self::Put(call) => call.target(),
        }
    }

    /// The keys to delete.
    fn deletes(&self) -> usize {
        if let Self::Delete(call) = self { call.keys().len() } else { 0 }
    }

    /// The vectors that count for the rate limit: those to put or delete.
    fn writes(&self) -> usize {
        if let Self::Put(call) = self { call.vectors().len() } else { self.deletes() }
    }

    /// The keys of the call.
    fn keys(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Delete(call) => Box::new(call.keys().iter().map(Key::as_str)),
            Self::List(..) => Box::new(std::iter::empty()),
            Self::Get(call) => Box::new(call.keys().iter().map(Key::as_str)),
            Self::Put(call) => Box::new(call.vectors().iter().map(Vector::key)),
        }
    }
}

impl Emulator {
    /// Handles one request at the time `now`. Every response has a request id and a date.
    ///
    /// The first check that fails decides the response:
    ///
    /// | check | response |
    /// |---|---|
    /// | `deleteVectors`, `listVectors`, `getVectors` or `putVectors` | 501 `NotImplemented` |
    /// | `POST` | 405 `MethodNotAllowed` |
    /// | the authorization is present and well-formed | 403 `AccessDenied` |
    /// | if signed in the header, within 15 minutes of its date | 403 `RequestTimeTooSkewed` |
    /// | if presigned, within its validity | 403 `AccessDenied` |
    /// | the AccessKey id is known | 403 `InvalidAccessKeyId` |
    /// | the scope and the signature match | 403 `SignatureDoesNotMatch`, with the string to sign |
    /// | the security token belongs to the id | 403 `InvalidSecurityToken` |
    /// | the security token has not expired | 403 `SecurityTokenExpired` |
    /// | the user is not disabled | 403 `UserDisable` |
    /// | the bucket exists | 404 `NoSuchBucket` |
    /// | the action is allowed | 403 `AccessDenied`, with action and resource |
    /// | `Content-MD5`, if present, matches the body | 400 `InvalidDigest` |
    /// | the body is JSON with members of the right types | 400 `MalformedJson` |
    /// | valid keys and other parameters, as many as are allowed | 400 `VectorIndexParameterInvalid` |
    /// | a valid index name | 400 `VectorIndexParameterInvalid` |
    /// | no key is in [`reject_keys`](Self::reject_keys) | 400 `VectorIndexParameterInvalid` |
    /// | the index exists | 404 `NoSuchVectorIndex` |
    /// | the request is within the rate limit | 503 `QpsLimitExceeded` |
    /// | the token of a listing is valid and has not expired | 400 `VectorIndexParameterInvalid` |
    ///
    /// If all checks pass, executes the call. A page of a listing examines at most 10,000 vectors,
    /// so that with a filter or segments it may be short or empty although more pages follow.
    ///
    /// Guesses, because the reference does not document them: the responses to a missing index
    /// name, to a malformed authorization and to an invalid token; that all members of an object in
    /// a filter must hold; and that `$ne` and `$nin` hold for missing metadata.
    pub fn handle<B: AsRef<[u8]>>(&mut self, now: Now, request: &Request<B>) -> Response<Bytes> {
        self.handle_failing(now, request, |_| None).0
    }

    /// As [`handle`](Self::handle), except that `fail` decides whether a request fails that passes
    /// all checks. `fail` gets the number of keys that the request deletes. Also returns the
    /// number of keys deleted, counted from the first.
    pub(super) fn handle_failing<B: AsRef<[u8]>>(
        &mut self,
        now: Now,
        request: &Request<B>,
        fail: impl FnOnce(usize) -> Option<PlannedFailure>,
    ) -> (Response<Bytes>, usize) {
        self.requests += 1;
        let request_id = format!("{:024X}", self.requests);
        let respond = |error: ServiceError| {
            error.with_request_id(&request_id).with_date(now.wall).to_response()
        };
        let call = match self.admit(now, request) {
            Ok(call) => call,
            Err(error) => return (respond(error), 0),
        };
        let planned = self.failures.pop_front().or_else(|| fail(call.deletes()));
        if let Some(PlannedFailure { error, deleted_keys }) = planned {
            let deleted = match &call {
                Call::Delete(call) => self.delete(now, call, deleted_keys),
                _ => 0,
            };
            return (respond(error), deleted);
        }
        let deleted = call.deletes();
        let mut response = match self.execute(now, call, &request_id) {
            Ok(response) => response,
            Err(error) => return (respond(error), 0),
        };
        response.headers_mut().insert(DATE, RequestDate::new(now.wall).rfc1123());
        (response, deleted)
    }

    fn execute(
        &mut self,
        now: Now,
        call: Call,
        request_id: &str,
    ) -> Result<Response<Bytes>, ServiceError> {
        let target = call.target();
        let index_name = target.index_name().unwrap_or_default().to_owned();
        let bucket = self.buckets.get_mut(target.bucket()).expect("the call was admitted");
        let index = bucket.indexes.get_mut(&index_name).expect("the call was admitted");
        Ok(match call {
            Call::Delete(call) => {
                self.delete(now, &call, call.keys().len());
                Deleted::new(request_id).to_response()
            }
            Call::List(call, condition) => {
                let page = index.list(now.monotonic, &call, condition.as_ref(), self.listings);
                let (vectors, token) = page.map_err(RequestError::InvalidParameter)?;
                Listed::new(request_id, vectors)
                    .with_next_token(token.unwrap_or_default())
                    .to_response()
            }
            Call::Get(call) => {
                let keys = call.keys().iter();
                let found = keys.filter_map(|key| index.get(key.as_str(), call.returns)).collect();
                Found::new(request_id, found).to_response()
            }
            Call::Put(call) => {
                call.into_vectors().into_iter().for_each(|vector| index.put(vector));
                Stored::new(request_id).to_response()
            }
        })
    }

    /// Deletes the first `keys` keys of the call. Returns how many were deleted.
    fn delete(&mut self, now: Now, call: &DeleteVectors, keys: usize) -> usize {
        let (bucket, index_name) =
            (call.target().bucket(), call.target().index_name().unwrap_or_default());
        let bucket = self.buckets.get_mut(bucket).expect("the call was admitted");
        let index = bucket.indexes.get_mut(index_name).expect("the call was admitted");
        let delay = Some(self.listings.delay).filter(|delay| !delay.is_zero());
        let listed_until = delay.map(|delay| now.monotonic.saturating_add(delay));
        for key in call.keys().iter().take(keys) {
            self.deleted_vectors += u64::from(index.remove(key.as_str(), listed_until));
        }
        let executed = keys.min(call.keys().len());
        self.deleted_keys += executed as u64;
        executed
    }

    /// Makes all checks, and returns the parsed call.
    fn admit<B: AsRef<[u8]>>(
        &mut self,
        now: Now,
        request: &Request<B>,
    ) -> Result<Call, ServiceError> {
        let kind = kind_of(request)?;
        let name = &*address::bucket(request, &self.account_id);
        let resource = Resource::of(&self.region, &self.account_id, name);
        let identity = self.authenticate(now, request, &resource)?;
        let Some(bucket) = self.buckets.get(name) else {
            return Err(not_found(code::NO_SUCH_BUCKET, format!("there is no bucket {resource}"))
                .with_field("BucketName", name));
        };
        if !identity.may_use(name) {
            let message = format!("{} is not allowed on {resource}", kind.action());
            return Err(forbidden(code::ACCESS_DENIED, message).with_field("BucketName", name));
        }
        let call = Call::parse(kind, &bucket.target, request, self.ignores_filters)?;
        let index_name = call.target().index_name().unwrap_or_default();
        check_index_name(index_name).map_err(RequestError::InvalidParameter)?;

        if !self.rejected_keys.is_empty()
            && let Some(key) = call.keys().find(|key| self.rejected_keys.contains(*key))
        {
            let message = format!("the key {key:?} is not allowed");
            return Err(ServiceError::new(
                StatusCode::BAD_REQUEST,
                code::VECTOR_INDEX_PARAMETER_INVALID,
                message,
            ));
        }
        if !bucket.indexes.contains_key(index_name) {
            return Err(not_found(
                code::NO_SUCH_VECTOR_INDEX,
                format!("there is no index {index_name} in {resource}"),
            ));
        }
        if self.rate_limit.as_mut().is_some_and(|limit| !limit.admits(now.monotonic, call.writes()))
        {
            let message = "too many requests per second";
            return Err(ServiceError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                code::QPS_LIMIT_EXCEEDED,
                message,
            ));
        }
        if !self.failing_keys.is_empty() && call.keys().any(|key| self.failing_keys.contains(key)) {
            return Err(ServiceError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                code::INTERNAL_ERROR,
                "a key always fails",
            ));
        }
        Ok(call)
    }

    /// The identity that signed the request.
    fn authenticate<B>(
        &self,
        now: Now,
        request: &Request<B>,
        resource: &Resource,
    ) -> Result<&super::Identity, ServiceError> {
        let authorization = Authorization::parse(request).map_err(unauthorized)?;
        authorization.check_date(now.wall).map_err(unauthorized)?;
        let Some(identity) = self.identities.get(authorization.access_key_id()) else {
            return Err(forbidden(code::INVALID_ACCESS_KEY_ID, "the AccessKey id is unknown"));
        };
        authorization.verify(request, resource, &identity.credentials).map_err(unauthorized)?;
        if identity.credentials.expiration().is_some_and(|expiration| expiration <= now.wall) {
            return Err(forbidden(code::SECURITY_TOKEN_EXPIRED, "the security token has expired"));
        }
        if identity.is_disabled {
            return Err(forbidden(code::USER_DISABLE, "the user is disabled"));
        }
        Ok(identity)
    }
}

/// The operation of a request.
fn kind_of<B>(request: &Request<B>) -> Result<Kind, ServiceError> {
    let mut named = Kind::ALL.iter().copied().filter(|kind| kind.is_named_by(request));
    match (named.next(), named.next()) {
        (Some(kind), None) if kind.is_call(request) => Ok(kind),
        (Some(kind), None) => {
            Err(RequestError::OtherOperation { expected: kind.sub_resource() }.into())
        }
        _ => {
            let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.sub_resource()).collect();
            let message = format!("the emulator implements POST ?{}", names.join(", ?"));
            Err(ServiceError::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message))
        }
    }
}

fn unauthorized(reason: VerifyError) -> ServiceError {
    let code = match &reason {
        VerifyError::TimeTooSkewed => code::REQUEST_TIME_TOO_SKEWED,
        VerifyError::ScopeMismatch { .. } | VerifyError::SignatureMismatch { .. } => {
            code::SIGNATURE_DOES_NOT_MATCH
        }
        VerifyError::SecurityTokenMismatch => code::INVALID_SECURITY_TOKEN,
        VerifyError::Missing | VerifyError::Malformed { .. } | VerifyError::OutsideValidity => {
            code::ACCESS_DENIED
        }
    };
    let error = forbidden(code, reason.to_string());
    match reason {
        VerifyError::SignatureMismatch { string_to_sign } => {
            error.with_field("StringToSign", string_to_sign)
        }
        _ => error,
    }
}

fn forbidden(code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError::new(StatusCode::FORBIDDEN, code, message)
}

fn not_found(code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError::new(StatusCode::NOT_FOUND, code, message)
}
