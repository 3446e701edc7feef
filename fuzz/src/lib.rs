//! The fuzz targets: functions that accept any bytes, and panic if an invariant of the crate is
//! violated.

mod bulk_delete;
mod checkpoint_file;
mod config_file;
mod credential_source;
mod filter;
mod key_file;
mod listing;
mod request;
mod response;
mod values;
mod wire;

#[allow(dead_code, reason = "the tests of the crate use more of it")]
#[path = "../../tests/common/fixtures.rs"]
mod fixtures;
#[allow(dead_code, reason = "the tests of the crate use more of it")]
#[path = "../../tests/common/random.rs"]
mod random;
#[path = "../../tests/common/signed_content.rs"]
mod signed_content;

/// The modules of the program that parse files, and what they depend on.
#[allow(dead_code, unused_imports, reason = "only part of the program is included")]
#[path = "../../src/bin/delete-vectors"]
mod program {
    pub(crate) mod checkpoint;
    pub(crate) mod errors;
    pub(crate) mod fingerprint;
    #[path = "../input_text.rs"]
    pub(crate) mod input_text;
    #[path = "../key_lines.rs"]
    pub(crate) mod key_lines;
    pub(crate) mod key_list;
    #[path = "config/ossutilconfig.rs"]
    pub(crate) mod ossutilconfig;
    pub(crate) mod text;
    #[path = "../usage_error.rs"]
    pub(crate) mod usage_error;
}
// At the same paths as in the program.
use program::{errors, fingerprint, input_text, text, usage_error};

pub use bulk_delete::bulk_delete;
pub use checkpoint_file::checkpoint_file;
pub use config_file::config_file;
pub use credential_source::credential_source;
pub use filter::filter;
pub use key_file::key_file;
pub use listing::listing;
pub use request::request;
pub use response::response;
pub use values::values;

/// A target. Any bytes are valid input.
pub type Target = fn(&[u8]);

/// All targets, with the names of their binaries and of their folders in `seeds`.
pub const TARGETS: [(&str, Target); 10] = [
    ("bulk_delete", bulk_delete),
    ("checkpoint_file", checkpoint_file),
    ("config_file", config_file),
    ("credential_source", credential_source),
    ("filter", filter),
    ("key_file", key_file),
    ("listing", listing),
    ("request", request),
    ("response", response),
    ("values", values),
];

/// Example values for targets and credentials.
mod example {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use oss_delete_vectors::{Credentials, Target};

    pub(crate) fn target() -> Target {
        Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name("exampleindex")
            .build()
            .unwrap()
    }

    /// The credentials of the conformance cases. Most of those have the time below.
    pub(crate) fn credentials() -> Credentials {
        Credentials::new("LTAI5tConformanceKey0001", "yourAccessKeySecretForTests0001").unwrap()
    }

    /// Sat, 16 Dec 2023 16:20:57 GMT.
    pub(crate) fn time() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_702_743_657)
    }
}
