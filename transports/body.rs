//! Bodies, read whole and within a limit.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// Why there is no body.
pub(super) enum BodyError {
    TooLarge,
    #[cfg_attr(not(feature = "hyper"), expect(dead_code, reason = "a server has nobody to tell why"))]
    Broken(hyper::Error),
}

/// Reads `body` to its end, which comes after `limit` bytes at most.
///
/// Into one piece at once: kept apart until the end, as `http_body_util` does, chunks of one byte take a hundred times their size.
pub(super) async fn read_whole(mut body: Incoming, limit: usize) -> Result<Bytes, BodyError> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // What is no data is a trailer, which means nothing here.
        let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() else { continue };
        if data.len() > limit - whole.len() {
            return Err(BodyError::TooLarge);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
