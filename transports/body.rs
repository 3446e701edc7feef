//! Reading whole bodies, within a limit.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// Reads `body` to its end. Calls `admit` with the new total size before it stores a chunk, and
/// stops if that fails.
///
/// Copies the chunks into one buffer. A list of chunks, as in `http_body_util`, takes a hundred
/// times the memory of a body in one-byte chunks.
pub(super) async fn read_whole<E>(
    mut body: Incoming,
    mut admit: impl FnMut(usize) -> Result<(), E>,
    broken: impl FnOnce(hyper::Error) -> E,
) -> Result<Bytes, E> {
    let mut whole = BytesMut::new();
    loop {
        let frame = match body.frame().await {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Err(broken(error)),
            None => return Ok(whole.freeze()),
        };
        // Ignores trailers.
        if let Ok(data) = frame.into_data() {
            admit(whole.len() + data.len())?;
            whole.extend_from_slice(&data);
        }
    }
}
