//! Signatures: OSS4-HMAC-SHA256 in its vectors flavour, both made and verified.
//!
//! One step of the specification a file, in the order in which they run:
//!
//! 1. `canonical_request`: what is signed of a request, written in one way only;
//! 2. `string_to_sign`: the date, the scope and the hash of the canonical request;
//! 3. `signing_key`: the secret, narrowed to a day, a region and the product;
//! 4. `signer` puts the signature into the `Authorization` header or into the query, `verify` reads it from there and holds
//!    it against the request.
//!
//! The payload is not part of a signature; `Content-MD5`, which is, ties the body to it where it is sent. Nothing is derived
//! from the host: what a request is signed for is a [`Resource`].
//!
//! Reference: *Signature V4* of Alibaba Cloud OSS, *Common headers of vector bucket operations*.

mod canonical_request;
mod date;
mod encode;
mod resource;
mod signer;
mod signing_key;
mod string_to_sign;
mod verify;

pub(crate) use date::RequestDate;
pub use resource::Resource;
pub use signer::{Signature, Signer};
pub use verify::{Authorization, AuthorizationForm, Unauthorized};

/// The algorithm, as it is named on the wire.
const ALGORITHM: &str = "OSS4-HMAC-SHA256";

/// Says that the payload is not part of the signature.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// Names on the wire, in lower case: as headers in the header form, as parameters in the query form.
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
    pub(super) const QUERY_FORM: [&str; 7] =
        [SIGNATURE_VERSION, DATE, EXPIRES, CREDENTIAL, SECURITY_TOKEN, ADDITIONAL_HEADERS, SIGNATURE];
}
