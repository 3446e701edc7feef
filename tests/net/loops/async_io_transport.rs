//! A custom transport on a runtime other than tokio: one connection per request.

use std::net::{SocketAddr, TcpStream};

use async_io::Async;
use bytes::Bytes;
use futures_lite::io::{AsyncReadExt, AsyncWriteExt};
use http::{Request, Response};
use oss_delete_vectors::TransportError;

pub(crate) async fn send(request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
    let (head, body) = request.into_parts();
    let authority = head.uri.authority().unwrap().as_str();
    let addr: SocketAddr = authority.parse().map_err(TransportError::surely_not_sent)?;
    let mut stream =
        Async::<TcpStream>::connect(addr).await.map_err(TransportError::surely_not_sent)?;

    let mut message = format!(
        "{} {} HTTP/1.1\r\nhost: {authority}\r\n",
        head.method,
        head.uri.path_and_query().unwrap()
    );
    message += &format!("connection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in &head.headers {
        message += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    message += "\r\n";
    let exchange = async {
        stream.write_all(message.as_bytes()).await?;
        stream.write_all(&body).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        Ok::<_, std::io::Error>(response)
    };
    parse(&exchange.await.map_err(TransportError::may_have_arrived)?)
}

fn parse(response: &str) -> Result<Response<Bytes>, TransportError> {
    let (head, body) = response
        .split_once("\r\n\r\n")
        .ok_or_else(|| TransportError::may_have_arrived("truncated"))?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let mut response = Response::builder().status(status);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        response = response.header(name, value);
    }
    response.body(Bytes::copy_from_slice(body.as_bytes())).map_err(TransportError::may_have_arrived)
}
