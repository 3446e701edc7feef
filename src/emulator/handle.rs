use bytes::Bytes;
use http::header::DATE;
use http::{Request, Response, StatusCode};

use super::{Emulator, PlannedAnswer, address, check_index_name};
use crate::signing::{Authorization, RequestDate, Resource, VerifyError};
use crate::{DeleteVectors, Deleted, Key, Now, RequestError, ServiceError, code};

impl Emulator {
    /// Handles one request at the time `now`. Every response has a request id and a date.
    ///
    /// The first check that fails decides the response:
    ///
    /// | check | response |
    /// |---|---|
    /// | `POST ?deleteVectors` | 405 `MethodNotAllowed` |
    /// | the authorization is present and well-formed | 403 `AccessDenied` |
    /// | if signed in the header, within 15 minutes of its date | 403 `RequestTimeTooSkewed` |
    /// | if presigned, within its validity | 403 `AccessDenied` |
    /// | the AccessKey id is known | 403 `InvalidAccessKeyId` |
    /// | the scope and the signature match | 403 `SignatureDoesNotMatch`, with the string to sign |
    /// | the security token belongs to the id | 403 `InvalidSecurityToken` |
    /// | the security token has not expired | 403 `SecurityTokenExpired` |
    /// | the user is not disabled | 403 `UserDisable` |
    /// | the bucket exists | 404 `NoSuchBucket` |
    /// | `oss:DeleteVectors` is allowed | 403 `AccessDenied`, with action and resource |
    /// | `Content-MD5`, if present, matches the body | 400 `InvalidDigest` |
    /// | the body is JSON with members of the right types | 400 `MalformedJson` |
    /// | 1 to 500 unique keys of 1 to 1024 characters | 400 `VectorIndexParameterInvalid` |
    /// | a valid index name | 400 `VectorIndexParameterInvalid` |
    /// | no key is in [`reject_keys`](Self::reject_keys) | 400 `VectorIndexParameterInvalid` |
    /// | the index exists | 404 `NoSuchVectorIndex` |
    /// | the request is within the rate limit | 503 `QpsLimitExceeded` |
    ///
    /// If all checks pass, deletes the keys and returns 204. Two responses are guesses, because the
    /// reference does not document them: those to a missing index name and to a malformed
    /// authorization.
    pub fn handle<B: AsRef<[u8]>>(&mut self, now: Now, request: &Request<B>) -> Response<Bytes> {
        self.handle_failing(now, request, |_| None).0
    }

    /// Like [`handle`](Self::handle), but for a request that passes all checks, `fail` decides
    /// whether it fails, given its number of keys. Also returns the number of keys deleted, counted
    /// from the first.
    pub(super) fn handle_failing<B: AsRef<[u8]>>(
        &mut self,
        now: Now,
        request: &Request<B>,
        fail: impl FnOnce(usize) -> Option<PlannedAnswer>,
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
        let Some(PlannedAnswer { error, deleted_keys }) =
            self.failures.pop_front().or_else(|| fail(call.keys().len()))
        else {
            let executed = self.execute(&call, call.keys().len());
            let mut response = Deleted::new(request_id).to_response();
            response.headers_mut().insert(DATE, RequestDate::new(now.wall).rfc1123());
            return (response, executed);
        };
        let executed = self.execute(&call, deleted_keys);
        (respond(error), executed)
    }

    /// Deletes the first `keys` keys of the call. Returns how many there were.
    fn execute(&mut self, call: &DeleteVectors, keys: usize) -> usize {
        let (bucket, index_name) =
            (call.target().bucket(), call.target().index_name().unwrap_or_default());
        let bucket = self.buckets.get_mut(bucket).expect("the call was admitted");
        let index = bucket.indexes.get_mut(index_name).expect("the call was admitted");
        for key in call.keys().iter().take(keys).map(Key::as_str) {
            index.remove(key);
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
    ) -> Result<DeleteVectors, ServiceError> {
        if !DeleteVectors::is_call(request) {
            return Err(RequestError::NotDeleteVectors.into());
        }
        let name = &*address::bucket(request, &self.account_id);
        let resource = Resource::of(&self.region, &self.account_id, name);
        let identity = self.authenticate(now, request, &resource)?;
        let Some(bucket) = self.buckets.get(name) else {
            return Err(not_found(code::NO_SUCH_BUCKET, format!("there is no bucket {resource}"))
                .with_field("BucketName", name));
        };
        if !identity.may_delete_from(name) {
            let message = format!("oss:DeleteVectors is not allowed on {resource}");
            return Err(forbidden(code::ACCESS_DENIED, message).with_field("BucketName", name));
        }
        let call = DeleteVectors::parse_request(&bucket.target, request)?;
        let index_name = call.target().index_name().unwrap_or_default();
        check_index_name(index_name).map_err(RequestError::InvalidParameter)?;

        if let Some(key) = call.keys().iter().find(|key| self.rejected_keys.contains(key.as_str()))
        {
            let message = format!("the key {:?} is not allowed", key.as_str());
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
        if self
            .rate_limit
            .as_mut()
            .is_some_and(|limit| !limit.admits(now.monotonic, call.keys().len()))
        {
            let message = "too many requests per second";
            return Err(ServiceError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                code::QPS_LIMIT_EXCEEDED,
                message,
            ));
        }
        if call.keys().iter().any(|key| self.failing_keys.contains(key.as_str())) {
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
