use bytes::Bytes;
use http::header::DATE;
use http::{Request, Response, StatusCode};

use super::{Emulator, PlannedAnswer, address, check_index_name};
use crate::signing::{Authorization, RequestDate, Resource, Unauthorized};
use crate::{DeleteVectors, Deleted, Key, Now, RequestError, ServiceError, code};

impl Emulator {
    /// Answers one request at the time `now`. Every answer carries a request id and a date.
    ///
    /// Checks, the first that fails being the answer:
    ///
    /// | check | answer |
    /// |---|---|
    /// | `POST ?deleteVectors` | 405 `MethodNotAllowed` |
    /// | an authorization, and one that can be read | 403 `AccessDenied` |
    /// | signed within 15 minutes; presigned: not expired | 403 `RequestTimeTooSkewed`; `AccessDenied` |
    /// | the AccessKey id is known | 403 `InvalidAccessKeyId` |
    /// | scope and signature | 403 `SignatureDoesNotMatch`, with the string to sign |
    /// | the security token is that of the id; it has not expired | 403 `InvalidSecurityToken`; `SecurityTokenExpired` |
    /// | the user is not disabled | 403 `UserDisable` |
    /// | the bucket exists | 404 `NoSuchBucket` |
    /// | `oss:DeleteVectors` is allowed on it | 403 `AccessDenied`, with action and resource |
    /// | `Content-MD5`, where there is one | 400 `InvalidDigest` |
    /// | the body is JSON of the right shape | 400 `MalformedJson` |
    /// | 1 to 500 unique keys of 1 to 1024 characters; an index name, and a valid one | 400 `VectorIndexParameterInvalid` |
    /// | none of the keys is [refused](Self::refuse_keys) | 400 `VectorIndexParameterInvalid` |
    /// | the index exists | 404 `NoSuchVectorIndex` |
    /// | the rate limit | 503 `QpsLimitExceeded` |
    ///
    /// Then it deletes, and answers `204`. A guess, where the reference is silent: that the index name must not be missing, and
    /// that what is wrong with an authorization is `AccessDenied`.
    pub fn handle<B: AsRef<[u8]>>(&mut self, now: Now, request: &Request<B>) -> Response<Bytes> {
        self.handle_failing(now, request, |_| None).0
    }

    /// As [`handle`](Self::handle), but a request that passes every check fails where `fail` says so, which is told how many keys
    /// it holds. Also how many keys were executed: the first so many of the request are gone.
    pub(super) fn handle_failing<B: AsRef<[u8]>>(
        &mut self,
        now: Now,
        request: &Request<B>,
        fail: impl FnOnce(usize) -> Option<PlannedAnswer>,
    ) -> (Response<Bytes>, usize) {
        self.requests += 1;
        let request_id = format!("{:024X}", self.requests);
        let refused = |error: ServiceError| error.with_request_id(&request_id).with_date(now.wall).to_response();
        let call = match self.admit(now, request) {
            Ok(call) => call,
            Err(error) => return (refused(error), 0),
        };
        let Some(PlannedAnswer { error, deleted_keys }) = self.failures.pop_front().or_else(|| fail(call.keys().len())) else {
            let executed = self.execute(&call, call.keys().len());
            let mut response = Deleted::new(request_id).to_response();
            response.headers_mut().insert(DATE, RequestDate::new(now.wall).rfc1123());
            return (response, executed);
        };
        let executed = self.execute(&call, deleted_keys);
        (refused(error), executed)
    }

    /// Deletes the first `keys` of the call; how many that were.
    fn execute(&mut self, call: &DeleteVectors, keys: usize) -> usize {
        let (bucket, index_name) = (call.target().bucket(), call.target().index_name().unwrap_or_default());
        let bucket = self.buckets.get_mut(bucket).expect("the call was admitted");
        let index = bucket.indexes.get_mut(index_name).expect("the call was admitted");
        for key in call.keys().iter().take(keys).map(Key::as_str) {
            index.remove(key);
        }
        let executed = keys.min(call.keys().len());
        self.deleted_keys += executed as u64;
        executed
    }

    /// The call that passes every check.
    fn admit<B: AsRef<[u8]>>(&mut self, now: Now, request: &Request<B>) -> Result<DeleteVectors, ServiceError> {
        if !DeleteVectors::is_call(request) {
            return Err(RequestError::NotDeleteVectors.into());
        }
        let name = address::bucket(request, &self.account_id);
        let resource = Resource::of(&self.region, &self.account_id, name);
        let identity = self.authenticate(now, request, &resource)?;
        let Some(bucket) = self.buckets.get(name) else {
            return Err(not_found(code::NO_SUCH_BUCKET, format!("there is no bucket {resource}")).with_field("BucketName", name));
        };
        if !identity.may_delete_from(name) {
            let message = format!("oss:DeleteVectors is not allowed on {resource}");
            return Err(forbidden(code::ACCESS_DENIED, message).with_field("BucketName", name));
        }
        let call = DeleteVectors::parse_request(&bucket.target, request)?;
        let index_name = call.target().index_name().unwrap_or_default();
        check_index_name(index_name).map_err(RequestError::InvalidParameter)?;

        if let Some(key) = call.keys().iter().find(|key| self.refused_keys.contains(key.as_str())) {
            let message = format!("the key {:?} is refused", key.as_str());
            return Err(ServiceError::new(StatusCode::BAD_REQUEST, code::VECTOR_INDEX_PARAMETER_INVALID, message));
        }
        if !bucket.indexes.contains_key(index_name) {
            return Err(not_found(code::NO_SUCH_VECTOR_INDEX, format!("there is no index {index_name} in {resource}")));
        }
        if self.rate_limit.as_mut().is_some_and(|limit| !limit.admits(now.monotonic, call.keys().len())) {
            let message = "the limit of requests a second is exceeded";
            return Err(ServiceError::new(StatusCode::SERVICE_UNAVAILABLE, code::QPS_LIMIT_EXCEEDED, message));
        }
        Ok(call)
    }

    /// Who sent the request, for sure.
    fn authenticate<B>(&self, now: Now, request: &Request<B>, resource: &Resource) -> Result<&super::Identity, ServiceError> {
        let authorization = Authorization::parse(request).map_err(refusal)?;
        authorization.check_date(now.wall).map_err(refusal)?;
        let Some(identity) = self.identities.get(authorization.access_key_id()) else {
            return Err(forbidden(code::INVALID_ACCESS_KEY_ID, "the AccessKey id is unknown"));
        };
        authorization.verify(request, resource, &identity.credentials).map_err(refusal)?;
        if identity.credentials.expiration().is_some_and(|expiration| expiration <= now.wall) {
            return Err(forbidden(code::SECURITY_TOKEN_EXPIRED, "the security token has expired"));
        }
        if identity.is_disabled {
            return Err(forbidden(code::USER_DISABLE, "the user is disabled"));
        }
        Ok(identity)
    }
}

fn refusal(why: Unauthorized) -> ServiceError {
    let code = match &why {
        Unauthorized::TimeTooSkewed => code::REQUEST_TIME_TOO_SKEWED,
        Unauthorized::ScopeMismatch { .. } | Unauthorized::SignatureMismatch { .. } => code::SIGNATURE_DOES_NOT_MATCH,
        Unauthorized::SecurityTokenMismatch => code::INVALID_SECURITY_TOKEN,
        Unauthorized::Missing | Unauthorized::Malformed { .. } | Unauthorized::OutsideValidity => code::ACCESS_DENIED,
    };
    let error = forbidden(code, why.to_string());
    match why {
        Unauthorized::SignatureMismatch { string_to_sign } => error.with_field("StringToSign", string_to_sign),
        _ => error,
    }
}

fn forbidden(code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError::new(StatusCode::FORBIDDEN, code, message)
}

fn not_found(code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError::new(StatusCode::NOT_FOUND, code, message)
}
