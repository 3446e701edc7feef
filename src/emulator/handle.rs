use bytes::Bytes;
use http::header::DATE;
use http::{HeaderValue, Request, Response, StatusCode};

use super::{Emulator, address, check_index_name};
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
    /// | the index exists | 404 `NoSuchVectorIndex` |
    /// | the rate limit | 503 `QpsLimitExceeded` |
    ///
    /// Then it deletes, and answers `204`. A guess, where the reference is silent: that the index name must not be missing, and
    /// that what is wrong with an authorization is `AccessDenied`.
    pub fn handle<B: AsRef<[u8]>>(&mut self, now: Now, request: &Request<B>) -> Response<Bytes> {
        self.requests += 1;
        let request_id = format!("{:024X}", self.requests);
        match self.delete(now, request) {
            Ok(()) => {
                let mut response = Deleted::new(request_id).to_response();
                let date = HeaderValue::try_from(RequestDate::new(now.wall).rfc1123()).expect("a date is ASCII");
                response.headers_mut().insert(DATE, date);
                response
            }
            Err(error) => error.with_request_id(request_id).with_date(now.wall).to_response(),
        }
    }

    fn delete<B: AsRef<[u8]>>(&mut self, now: Now, request: &Request<B>) -> Result<(), ServiceError> {
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

        let indexes = &mut self.buckets.get_mut(name).expect("it was there above").indexes;
        let Some(index) = indexes.get_mut(index_name) else {
            return Err(not_found(code::NO_SUCH_VECTOR_INDEX, format!("there is no index {index_name} in {resource}")));
        };
        if self.rate_limit.as_mut().is_some_and(|limit| !limit.admits(now.monotonic)) {
            let message = "the limit of requests a second is exceeded";
            return Err(ServiceError::new(StatusCode::SERVICE_UNAVAILABLE, code::QPS_LIMIT_EXCEEDED, message));
        }
        let failure = self.failures.pop_front();
        let deleted_keys = failure.as_ref().map_or(call.keys().len(), |failure| failure.deleted_keys);
        for key in call.keys().iter().take(deleted_keys).map(Key::as_str) {
            index.remove(key);
        }
        failure.map_or(Ok(()), |failure| Err(failure.error))
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
