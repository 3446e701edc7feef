//! `aws-sdk-s3vectors`: one client, and one task per call in flight. The SDK leaves batching and
//! accounting to its user; this one does the minimum.

use std::sync::Arc;

use aws_sdk_s3vectors::config::retry::RetryConfig;

use super::{Left, runtime};
use crate::aws;

/// Returns how many batches failed.
pub(super) fn run(port: u16, concurrency: usize, batches: usize, retries: RetryConfig) -> usize {
    let left = Arc::new(Left::new(batches));
    runtime().block_on(async {
        let client = aws::on_loopback(port, retries);
        let tasks: Vec<_> = (0..concurrency)
            .map(|_| {
                let (left, client) = (Arc::clone(&left), client.clone());
                tokio::spawn(async move {
                    let mut lost = 0;
                    while let Some(keys) = left.next() {
                        lost +=
                            usize::from(aws::delete_vectors(&client, keys.to_vec()).await.is_err());
                    }
                    lost
                })
            })
            .collect();
        let mut lost = 0;
        for task in tasks {
            lost += task.await.unwrap();
        }
        lost
    })
}
