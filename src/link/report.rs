//! The data plane as its process tells of it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The data plane's health, from the proxy to the agent: on every change, and once a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Every core listens on every address of every frontend.
    pub listening: bool,
    /// The pools in the order of the config.
    pub pools: Vec<PoolReport>,
    /// The frontends in the order of the config.
    pub frontends: Vec<FrontendReport>,
    /// Client connections open now.
    pub connections: u64,
}

/// One frontend.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrontendReport {
    /// Its name.
    pub name: String,
    /// Requests answered since the proxy was started, whatever the status.
    pub requests: u64,
    /// Requests that the proxy itself answered with an error (400, 408, 413, 429, 431, 502, 503, 504), or whose response it
    /// had to break off.
    pub errors: u64,
    /// Those of them that are the client's fault: a malformed request, one that does not come in time, or one too many.
    #[serde(default)]
    pub client_errors: u64,
    /// Those that are a server's: none that is healthy or free, no answer, a malformed one, half of one.
    #[serde(default)]
    pub server_errors: u64,
    /// Those that are the proxy's: a limit of its own, or something that it ran out of.
    #[serde(default)]
    pub proxy_errors: u64,
    /// Handshakes of TLS that came to nothing. They are no requests, unless a client that speaks plain was told so.
    #[serde(default)]
    pub handshakes_failed: u64,
    /// Requests whose client left before they were answered to the end, or stopped reading. Nobody's error.
    #[serde(default)]
    pub left: u64,
    /// What was refused because its source had enough. A connection counts as one request.
    #[serde(default)]
    pub over_limits: OverLimits,
    /// In maintenance by an operator's command: no server gets its requests.
    #[serde(default)]
    pub maintenance: bool,
    /// Of its requests those that got its maintenance page, which is no error; of a TCP frontend: clients that were
    /// disconnected because it is in maintenance.
    #[serde(default)]
    pub pages: u64,
}

/// What a frontend refused because of `per_source`, by the limit. These are errors by clients as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverLimits {
    /// Connections, because of how many the source had.
    pub connections: u64,
    /// Connections, because of how fast they came.
    pub connection_rate: u64,
    /// Requests, because of how fast they came.
    pub request_rate: u64,
}

/// One pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PoolReport {
    /// Its name.
    pub name: String,
    /// How many of its servers may get requests.
    pub healthy: usize,
    /// These are so few that requests go to all of them, whatever their state.
    #[serde(default)]
    pub panics: bool,
    /// Requests that wait because its servers have as many as they may.
    #[serde(default)]
    pub queued: usize,
    /// The latest moment at which a server of it was seen healthy, microseconds on CLOCK_BOOTTIME. Pools without
    /// checks say the moment of the report; `None` when no server is healthy.
    pub verified_us: Option<u64>,
    /// Its servers in the order of the config.
    pub servers: Vec<ServerReport>,
}

/// One server of a pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerReport {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its configured share.
    pub weight: u16,
    /// What the checks think of it.
    pub state: ServerState,
    /// Since when, milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// The last check's result in words: `HTTP 200 in 1 ms`, `connection refused`.
    pub reason: String,
    /// What it calls itself in its health answers: the `server` of `{"status":"healthy","server":"us-east"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_name: Option<String>,
    /// Requests it answered since the proxy was started.
    pub requests: u64,
    /// Of these requests those that it answered with a status that counts as an error, `statuses` of `passive`.
    #[serde(default)]
    pub failed: u64,
    /// Requests it did not answer: connect failure, malformed or no answer.
    pub errors: u64,
    /// Gets requests only when no other server of its pool is eligible.
    #[serde(default)]
    pub backup: bool,
    /// Its share now: less than `weight` for a while after it came back, when its pool has `slow_start`.
    #[serde(default)]
    pub effective_weight: f64,
    /// Requests that it has in hand now.
    #[serde(default)]
    pub in_flight: u32,
}

#[cfg(test)]
impl ServerReport {
    /// For tests: one that is up, and that nobody has asked anything yet.
    pub(crate) fn fresh(name: &str, address: SocketAddr) -> Self {
        Self {
            name: name.to_owned(),
            address,
            weight: 1,
            state: ServerState::Up,
            since_ms: 0,
            reason: String::new(),
            own_name: None,
            requests: 0,
            failed: 0,
            errors: 0,
            backup: false,
            effective_weight: 1.0,
            in_flight: 0,
        }
    }
}

/// What the checks think of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerState {
    /// Not checked yet; gets no requests.
    Checking,
    /// Its pool has no checks: taken to be up.
    Unchecked,
    /// In rotation.
    Up,
    /// Out of rotation.
    Down,
    /// Healthy by its checks, but left out for a while: it failed requests.
    Ejected,
}
