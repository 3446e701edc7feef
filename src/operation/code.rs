//! The known error codes of the service, and what to do about each. Other codes are kept unchanged.
//!
//! What a run does about them is [on the crate page](crate#what-to-do-about-an-error).

/// 400: `Content-MD5` is not the base64 of 16 bytes, or does not match the body. Send it again.
pub const INVALID_DIGEST: &str = "InvalidDigest";
/// 400: the body arrived too slowly. Send it again: some of the keys may be deleted.
pub const REQUEST_TIMEOUT: &str = "RequestTimeout";
/// 400: the service does not understand the request. Send it again, as the official SDKs do.
pub const BAD_REQUEST: &str = "BadRequest";
/// 400: a parameter is invalid: too many keys, a bad key, a bad index name. Check the last two.
pub const VECTOR_INDEX_PARAMETER_INVALID: &str = "VectorIndexParameterInvalid";
/// 400: the body is not the expected JSON. Check the proxies that the request passes.
pub const MALFORMED_JSON: &str = "MalformedJson";
/// 403: the access policy of the user or of the bucket does not allow it, the request is not
/// signed, or it is presigned and has expired. Allow `oss:DeleteVectors`, or sign it.
pub const ACCESS_DENIED: &str = "AccessDenied";
/// 403: the AccessKey id is unknown. Check it.
pub const INVALID_ACCESS_KEY_ID: &str = "InvalidAccessKeyId";
/// 403: the security token does not belong to the AccessKey id. Get new STS credentials.
pub const INVALID_SECURITY_TOKEN: &str = "InvalidSecurityToken";
/// 403: the security token has expired. Get new STS credentials.
pub const SECURITY_TOKEN_EXPIRED: &str = "SecurityTokenExpired";
/// 403: the signature does not match the request. Check the AccessKey secret, the region and the
/// account id.
pub const SIGNATURE_DOES_NOT_MATCH: &str = "SignatureDoesNotMatch";
/// 403: the date of the request is more than 15 minutes off. Set the clock, and sign it again.
pub const REQUEST_TIME_TOO_SKEWED: &str = "RequestTimeTooSkewed";
/// 403: the account or the user is disabled. Enable it, or pay the bill.
pub const USER_DISABLE: &str = "UserDisable";
/// 404: there is no such bucket. Check region, account id, bucket and endpoint.
pub const NO_SUCH_BUCKET: &str = "NoSuchBucket";
/// 404: there is no such index. Check its name.
pub const NO_SUCH_VECTOR_INDEX: &str = "NoSuchVectorIndex";
/// 405: the service does not have this method or sub-resource. Check the endpoint.
pub const METHOD_NOT_ALLOWED: &str = "MethodNotAllowed";
/// 413: the body is too large. Send fewer keys at once.
pub const ENTITY_TOO_LARGE: &str = "EntityTooLarge";
/// 500: the service failed. Send it again: some of the keys may be deleted.
pub const INTERNAL_ERROR: &str = "InternalError";
/// 503: too many requests per second for this operation. Send it again, more slowly.
pub const QPS_LIMIT_EXCEEDED: &str = "QpsLimitExceeded";
/// 503: too many requests per second for all operations together. Send it again, more slowly.
pub const TOTAL_QPS_LIMIT_EXCEEDED: &str = "TotalQpsLimitExceeded";
/// 503: too many requests per second for metadata operations. Send it again, more slowly.
pub const META_OPERATION_QPS_LIMIT_EXCEEDED: &str = "MetaOperationQpsLimitExceeded";
/// 503: too many requests at once. Send it again, with fewer in flight.
pub const ACTIVE_REQUEST_LIMIT_EXCEEDED: &str = "ActiveRequestLimitExceeded";
/// 503: too much work at once. Send it again, more slowly.
pub const CPU_LIMIT_EXCEEDED: &str = "CpuLimitExceeded";
/// 503: too many requests. Send it again, more slowly.
pub const SLOW_DOWN: &str = "SlowDown";
/// 400, 429 or 503 from the API gateway: too many requests. The same goes for `Throttling.User`,
/// `Throttling.Api` and every other code that begins with `Throttling.`. Send it again, more
/// slowly.
pub const THROTTLING: &str = "Throttling";

/// Not a code of OSS: the code of a response that has none, as in the official SDKs. Check the
/// endpoint.
pub const BAD_ERROR_RESPONSE: &str = "BadErrorResponse";

/// Whether `code` means that requests come too fast, with any status.
pub(super) fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        QPS_LIMIT_EXCEEDED
            | TOTAL_QPS_LIMIT_EXCEEDED
            | META_OPERATION_QPS_LIMIT_EXCEEDED
            | ACTIVE_REQUEST_LIMIT_EXCEEDED
            | CPU_LIMIT_EXCEEDED
            | SLOW_DOWN
            | THROTTLING
    ) || code.strip_prefix(THROTTLING).is_some_and(|rest| rest.starts_with('.'))
}

/// Advice for `code`, if it does not depend on the target.
pub(super) fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        INVALID_ACCESS_KEY_ID => "check the AccessKey id",
        SIGNATURE_DOES_NOT_MATCH => "check the AccessKey secret, the region and the account id",
        SECURITY_TOKEN_EXPIRED | INVALID_SECURITY_TOKEN => "get new STS credentials",
        REQUEST_TIME_TOO_SKEWED => "set the clock: it is more than 15 minutes off",
        USER_DISABLE => "enable the account or the user, or pay the bill",
        VECTOR_INDEX_PARAMETER_INVALID => "check the index name and the keys",
        INVALID_DIGEST => "send again: the body was changed on the way",
        _ => return None,
    })
}
