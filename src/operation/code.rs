//! The known error codes of the service, and what to do about each. Other codes are kept unchanged.
//!
//! What a run does about them is [on the crate page](crate#what-to-do-about-an-error).

use super::Meaning::{
    self, BadKeys, Failed, Final, Passing, Throttled, WrongCredentials, WrongDate,
};

/// What the crate knows about a code.
struct Known {
    code: &'static str,
    meaning: Meaning,
    /// What to do, if it follows neither from the meaning nor from the target.
    advice: Option<&'static str>,
}

/// Defines the codes: documentation that begins with the status, name, code, meaning, advice.
macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal, $meaning:ident, $advice:expr;)*) => {
        $($(#[doc = $doc])* pub const $name: &str = $code;)*

        const KNOWN: &[Known] =
            &[$(Known { code: $code, meaning: $meaning, advice: $advice }),*];

        /// The codes and their documentation.
        #[cfg(test)]
        pub(crate) const DOCUMENTED: &[(&str, &str)] = &[$(($code, concat!($($doc),*))),*];
    };
}

codes! {
    /// 400: `Content-MD5` is not the base64 of 16 bytes, or does not match the body. Send it again.
    INVALID_DIGEST = "InvalidDigest", Passing, Some("send again: the body was changed on the way");
    /// 400: the body arrived too slowly. Send it again: some of the keys may be deleted.
    REQUEST_TIMEOUT = "RequestTimeout", Failed, None;
    /// 400: the service does not understand the request. Send it again, as the official SDKs do.
    BAD_REQUEST = "BadRequest", Passing, None;
    /// 400: a parameter is invalid: too many keys, a bad key, a bad index name. Check the last two.
    VECTOR_INDEX_PARAMETER_INVALID = "VectorIndexParameterInvalid", BadKeys,
        Some("check the index name and the keys");
    /// 400: the body is not the expected JSON. Check the proxies that the request passes.
    MALFORMED_JSON = "MalformedJson", BadKeys, None;
    /// 403: the access policy of the user or of the bucket does not allow it, the request is not
    /// signed, or it is presigned and has expired. Allow `oss:DeleteVectors`, or sign it.
    ACCESS_DENIED = "AccessDenied", Final, None;
    /// 403: the AccessKey id is unknown. Check it.
    INVALID_ACCESS_KEY_ID = "InvalidAccessKeyId", WrongCredentials, Some("check the AccessKey id");
    /// 403: the security token does not belong to the AccessKey id. Get new STS credentials.
    INVALID_SECURITY_TOKEN = "InvalidSecurityToken", WrongCredentials,
        Some("get new STS credentials");
    /// 403: the security token has expired. Get new STS credentials.
    SECURITY_TOKEN_EXPIRED = "SecurityTokenExpired", WrongCredentials,
        Some("get new STS credentials");
    /// 403: the signature does not match the request. Check the AccessKey secret, the region and
    /// the account id.
    SIGNATURE_DOES_NOT_MATCH = "SignatureDoesNotMatch", Final,
        Some("check the AccessKey secret, the region and the account id");
    /// 403: the date of the request is more than 15 minutes off. Set the clock, and sign it again.
    REQUEST_TIME_TOO_SKEWED = "RequestTimeTooSkewed", WrongDate,
        Some("set the clock: it is more than 15 minutes off");
    /// 403: the account or the user is disabled. Enable it, or pay the bill.
    USER_DISABLE = "UserDisable", Final, Some("enable the account or the user, or pay the bill");
    /// 404: there is no such bucket. Check region, account id, bucket and endpoint.
    NO_SUCH_BUCKET = "NoSuchBucket", Final, None;
    /// 404: there is no such index. Check its name.
    NO_SUCH_VECTOR_INDEX = "NoSuchVectorIndex", Final, None;
    /// 413: the body is too large. Send fewer keys at once.
    ENTITY_TOO_LARGE = "EntityTooLarge", BadKeys, None;
    /// 500: the service failed. Send it again: some of the keys may be deleted.
    INTERNAL_ERROR = "InternalError", Failed, None;
    /// 503: too many requests per second for this operation. Send it again, more slowly.
    QPS_LIMIT_EXCEEDED = "QpsLimitExceeded", Throttled, None;
    /// 503: too many requests per second for all operations together. Send it again, more slowly.
    TOTAL_QPS_LIMIT_EXCEEDED = "TotalQpsLimitExceeded", Throttled, None;
    /// 503: too many requests per second for metadata operations. Send it again, more slowly.
    META_OPERATION_QPS_LIMIT_EXCEEDED = "MetaOperationQpsLimitExceeded", Throttled, None;
    /// 503: too many requests at once. Send it again, with fewer in flight.
    ACTIVE_REQUEST_LIMIT_EXCEEDED = "ActiveRequestLimitExceeded", Throttled, None;
    /// 503: too much work at once. Send it again, more slowly.
    CPU_LIMIT_EXCEEDED = "CpuLimitExceeded", Throttled, None;
    /// 503: too many requests. Send it again, more slowly.
    SLOW_DOWN = "SlowDown", Throttled, None;
    /// 400, 429 or 503 from the API gateway: too many requests. The same goes for
    /// `Throttling.User`, `Throttling.Api` and every other code that begins with `Throttling.`.
    /// Send it again, more slowly.
    THROTTLING = "Throttling", Throttled, None;
}

/// 405: the service does not have this method or sub-resource. Check the endpoint.
// Not in the table: the status says it, with any code.
pub const METHOD_NOT_ALLOWED: &str = "MethodNotAllowed";

/// Not a code of OSS: the code of a response that has none, as in the official SDKs. Check the
/// endpoint.
pub const BAD_ERROR_RESPONSE: &str = "BadErrorResponse";

fn known(code: &str) -> Option<&'static Known> {
    // All codes of the API gateway that begin so mean the same.
    let code = if code.starts_with("Throttling.") { THROTTLING } else { code };
    KNOWN.iter().find(|known| known.code == code)
}

/// The meaning of `code`, if it is known.
pub(super) fn meaning(code: &str) -> Option<Meaning> {
    known(code).map(|known| known.meaning)
}

/// Advice for `code`, if it does not depend on the target.
pub(super) fn advice(code: &str) -> Option<&'static str> {
    known(code)?.advice
}
