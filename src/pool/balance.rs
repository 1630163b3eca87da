//! The choice: how a pool spreads its requests. Each pick is a few atomics over an immutable picture, whatever the
//! number of servers.

use super::{Failures, SendProxy, Token};

/// How the next server of a pool is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// In turns, by weight.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in hand for its weight; among equals the one whose turn it is.
    ///
    /// Up to [`EXACT`] servers all are looked at. With more it is the least busy of the one whose turn it is and
    /// [`PROBES`] drawn ones: an exact answer over all cores would take a lock or a walk for each request, and a few
    /// draws already keep the busiest server within a constant of the others (Mitzenmacher, 2001).
    LeastConnections,
    /// The less busy of two that are drawn by weight.
    Random,
    /// By the request: the same key gets the same server for as long as it is eligible.
    Hash,
}

/// The largest pool in which least connections looks at every server.
pub const EXACT: usize = 16;
/// How many servers least connections draws in larger pools, beside the one whose turn it is.
pub const PROBES: usize = 3;

/// What of a request is hashed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Key {
    /// Nothing: the method does not hash.
    #[default]
    None,
    /// The client's address, without its port.
    Source,
    /// The path of the target, without its query.
    Path,
    /// The value of a header field.
    Header(String),
    /// The value of a cookie.
    Cookie(String),
}

/// How a pool chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The method.
    pub method: Method,
    /// What of a request it hashes.
    pub key: Key,
    /// The cookie by which a client stays with its server.
    pub sticky: Option<String>,
    /// What connections to its servers begin with; `None`: with what the client says.
    pub send_proxy: Option<SendProxy>,
    /// Answers that count as errors of their server.
    pub failures: Failures,
}

/// What a pick depends on beside the pool.
#[derive(Clone, Copy, Debug, Default)]
pub struct Draw {
    /// Random bits, new for every pick.
    pub random: u64,
    /// [`digest`](super::digest()) of the key; `None` when the request does not have it: then it is round robin.
    pub key: Option<u64>,
    /// The server that the client had.
    pub held: Option<Token>,
}
