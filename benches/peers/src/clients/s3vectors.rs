//! `aws-sdk-s3vectors`: one client, and one task per call in flight. The SDK leaves batching and
//! accounting to its user; this one does the minimum.

use aws_sdk_s3vectors::config::retry::RetryConfig;

use crate::aws;

/// Returns how many batches failed.
pub(super) fn run(port: u16, concurrency: usize, batches: usize, retries: RetryConfig) -> usize {
    super::in_tasks(concurrency, batches, || {
        let client = aws::on_loopback(port, retries);
        async move |keys: &[String]| aws::delete_vectors(&client, keys.to_vec()).await.is_ok()
    })
}
