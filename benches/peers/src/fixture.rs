//! Target, credentials and keys, the same for every client.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oss_delete_vectors::{Credentials, Endpoint, Target};

pub const REGION: &str = "cn-hangzhou";
pub const ACCOUNT_ID: &str = "1234567890123456";
pub const BUCKET: &str = "examplebucket";
pub const INDEX_NAME: &str = "vectorindex1";
pub const ACCESS_KEY_ID: &str = "LTAI5tConformanceKey0001";
pub const ACCESS_KEY_SECRET: &str = "yourAccessKeySecretForTests0001";

/// The target at its public endpoint.
#[must_use]
pub fn public_target() -> Target {
    Target::builder()
        .region(REGION)
        .account_id(ACCOUNT_ID)
        .bucket(BUCKET)
        .index_name(INDEX_NAME)
        .build()
        .unwrap()
}

/// The target behind a server on loopback.
#[must_use]
pub fn loopback_target(port: u16) -> Target {
    let endpoint: Endpoint = format!("http://127.0.0.1:{port}").parse().unwrap();
    Target::builder()
        .region(REGION)
        .account_id(ACCOUNT_ID)
        .bucket(BUCKET)
        .index_name(INDEX_NAME)
        .endpoint(endpoint)
        .build()
        .unwrap()
}

#[must_use]
pub fn credentials() -> Credentials {
    Credentials::new(ACCESS_KEY_ID, ACCESS_KEY_SECRET).unwrap()
}

/// 36 characters each, like a UUID.
#[must_use]
pub fn keys(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| {
            format!("{:08x}-7c4e-4d1b-9a57-{number:012x}", number * 2_654_435_761 % (1 << 32))
        })
        .collect()
}

#[must_use]
pub fn time() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_702_743_657)
}
