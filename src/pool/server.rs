//! A server as the cores see it: an address with an identity and counters.

use std::net::SocketAddr;

/// Identity of a server in this process: its place among all servers of all pools, in the order of the config.
/// Counters, pools of idle connections and health trackers are kept by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub usize);

/// A server that may get requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its identity.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its share, 1..=256.
    pub weight: u16,
}
