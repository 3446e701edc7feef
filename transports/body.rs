//! Bodies, read whole and within a limit.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// Reads `body` to its end, or until `admit` refuses it, which is told how many bytes it would have by then.
///
/// Into one piece at once: kept apart until the end, as `http_body_util` does, chunks of one byte take a hundred times their size.
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
        // What is no data is a trailer, which means nothing here.
        if let Ok(data) = frame.into_data() {
            admit(whole.len() + data.len())?;
            whole.extend_from_slice(&data);
        }
    }
}
