//! Signing and verifying requests with OSS4-HMAC-SHA256, in the variant for vector buckets.
//!
//! Each file holds one step of the specification, in this order:
//!
//! 1. `canonical_request`: the signed parts of a request in their canonical form;
//! 2. `string_to_sign`: the date, the scope and the hash of the canonical request;
//! 3. `signing_key`: the key derived from the secret for one day, region and product;
//! 4. `signer` writes the signature into the `Authorization` header or the query, `verify` checks
//!    it.
//!
//! A signature does not cover the payload. It covers `Content-MD5`, which ties the body to the
//! signature if it is sent. Nothing is derived from the host: a request is signed for a
//! [`Resource`].
//!
//! Reference: Alibaba Cloud OSS, *Signature V4* and *Common headers of vector bucket operations*.

mod canonical_request;
mod date;
mod encode;
mod resource;
mod signer;
mod signing_key;
mod string_to_sign;
mod verify;

pub(crate) use date::RequestDate;
pub(crate) use encode::{hex, percent_encode};
pub use resource::Resource;
pub use signer::{Signature, Signer};
pub(crate) use signing_key::on_wiped_stack;
pub use verify::{Authorization, AuthorizationForm, VerifyError};

/// The name of the algorithm on the wire.
const ALGORITHM: &str = "OSS4-HMAC-SHA256";

/// Stands for the payload, which is not signed.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// Names on the wire, in lower case: headers in the header form, parameters in the query form.
mod name {
    pub(super) const ADDITIONAL_HEADERS: &str = "x-oss-additional-headers";
    pub(super) const CONTENT_MD5: &str = "content-md5";
    pub(super) const CONTENT_SHA256: &str = "x-oss-content-sha256";
    pub(super) const CREDENTIAL: &str = "x-oss-credential";
    pub(super) const DATE: &str = "x-oss-date";
    pub(super) const EXPIRES: &str = "x-oss-expires";
    pub(super) const SECURITY_TOKEN: &str = "x-oss-security-token";
    pub(super) const SIGNATURE: &str = "x-oss-signature";
    pub(super) const SIGNATURE_VERSION: &str = "x-oss-signature-version";

    /// All parameters of the query form.
    pub(super) const QUERY_FORM: [&str; 7] = [
        SIGNATURE_VERSION,
        DATE,
        EXPIRES,
        CREDENTIAL,
        SECURITY_TOKEN,
        ADDITIONAL_HEADERS,
        SIGNATURE,
    ];
}
