//! Shared by the programs: the peers, a hand-written floor, a bare server, and the measurement.

pub mod aws;
pub mod bulk_cases;
pub mod clients;
pub mod fixture;
pub mod floor;
pub mod measure;
pub mod request_cases;
pub mod series;
pub mod server;
pub mod table;
