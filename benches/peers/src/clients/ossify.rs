//! `ossify`: one client, and one task per call in flight. It does not read the response: a call that
//! the server rejected returns `Ok`, too.

use ossify::ops::vector_bucket::{DeleteVectorsOps, DeleteVectorsRequest};
use ossify::{Client, UrlStyle};

use crate::fixture::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, BUCKET, INDEX_NAME, REGION};

/// Returns how many batches failed.
pub(super) fn run(port: u16, concurrency: usize, batches: usize) -> usize {
    super::in_tasks(concurrency, batches, || {
        let client = Client::builder()
            .endpoint(format!("http://127.0.0.1:{port}"))
            .region(REGION)
            .bucket(BUCKET)
            .access_key_id(ACCESS_KEY_ID)
            .access_key_secret(ACCESS_KEY_SECRET)
            .url_style(UrlStyle::Path)
            .build()
            .unwrap();
        async move |keys: &[String]| {
            let (index_name, keys) = (INDEX_NAME.to_owned(), keys.to_vec());
            let request = DeleteVectorsRequest { index_name, keys };
            client.delete_vectors(request).await.is_ok()
        }
    })
}
