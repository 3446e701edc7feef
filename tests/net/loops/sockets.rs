//! The service on a socket.

use std::net::Ipv4Addr;

use oss_delete_vectors::Target;
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
use oss_delete_vectors::transports::Server;

use crate::calls::credentials;
use crate::service::{Service, real_time};

/// A server, and a `BulkDelete` for it.
pub(crate) fn served(service: &Service, options: BulkOptions) -> (Server, BulkDelete) {
    let (server, target) = serve(service);
    (server, BulkDelete::new(&target, credentials(), options).unwrap())
}

/// A server, and its target.
pub(crate) fn serve(service: &Service) -> (Server, Target) {
    let served = service.clone();
    let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), move |request| served.respond(real_time(), &request)).unwrap();
    let (there, index_name) = (&service.target, service.target.index_name().unwrap());
    let target = Target::builder().region(there.region()).account_id(there.account_id()).bucket(there.bucket()).index_name(index_name);
    let target = target.endpoint(server.url().parse().unwrap()).build().unwrap();
    (server, target)
}
