//! Counters: every core writes its own, whoever asks gets the sum.

use std::sync::atomic::{AtomicU64, Ordering};

use super::problem::Culprit;
use crate::pool::Over;

/// What was counted for a server or a frontend since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// A server: requests it answered. A frontend: requests that were answered, whatever the status.
    pub requests: u64,
    /// A server: requests it did not answer, or not to the end: connect failure, malformed or no answer. A frontend:
    /// requests that the proxy itself answered with an error, or whose response it had to break off.
    pub errors: u64,
    /// Of a frontend's errors those that are the client's fault,
    pub by_client: u64,
    /// those that are a server's,
    pub by_server: u64,
    /// and those that are ours: a limit, or something that we ran out of.
    pub by_us: u64,
    /// Of a server's requests those that it answered with a status that counts as an error.
    pub failed: u64,
    /// Of a frontend's requests those that got its maintenance page, which is no error. Of a TCP frontend: clients that
    /// were disconnected because it is in maintenance.
    pub pages: u64,
}

/// What a frontend refused because its source had enough, by the limit. These are errors by clients as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OverLimits {
    /// Connections, because of how many there are.
    pub connections: u64,
    /// Connections, because of how fast they come.
    pub connection_rate: u64,
    /// Requests.
    pub request_rate: u64,
}

/// The local ports that connections to a server take, beside those of the requests that it has in hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// Connections that are kept for the next request, as of a second ago.
    pub kept: u64,
    /// Connections that there was no port for, since the start.
    pub missing: u64,
}

/// The data plane in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// By [`crate::pool::ServerId`].
    pub servers: Vec<Count>,
    /// By [`crate::pool::ServerId`].
    pub ports: Vec<Ports>,
    /// In the order of the settings.
    pub frontends: Vec<Count>,
    /// Handshakes of TLS that came to nothing, by frontend.
    pub handshakes_failed: Vec<u64>,
    /// Refused because of their source, by frontend.
    pub over_limits: Vec<OverLimits>,
    /// Requests whose client left before they were answered to the end, or stopped reading, by frontend.
    pub left: Vec<u64>,
    /// Client connections open now.
    pub connections: u64,
}

impl Stats {
    /// The sum over all cores.
    pub(super) fn sum<'a>(cores: impl Iterator<Item = &'a Counters>, connections: u64) -> Self {
        let mut stats = Self { connections, ..Self::default() };
        for core in cores {
            add(&mut stats.servers, &core.servers);
            stats.ports.resize(core.servers.len(), Ports::default());
            for (sum, counter) in stats.ports.iter_mut().zip(&core.servers) {
                sum.kept += counter.kept.load(Ordering::Relaxed);
                sum.missing += counter.portless.load(Ordering::Relaxed);
            }
            add(&mut stats.frontends, &core.frontends);
            stats.handshakes_failed.resize(core.frontends.len(), 0);
            for (sum, counter) in stats.handshakes_failed.iter_mut().zip(&core.frontends) {
                *sum += counter.handshakes_failed.load(Ordering::Relaxed);
            }
            stats.left.resize(core.frontends.len(), 0);
            for (sum, counter) in stats.left.iter_mut().zip(&core.frontends) {
                *sum += counter.left.load(Ordering::Relaxed);
            }
            stats.over_limits.resize(core.frontends.len(), OverLimits::default());
            for (sum, counter) in stats.over_limits.iter_mut().zip(&core.frontends) {
                sum.connections += counter.over_connections.load(Ordering::Relaxed);
                sum.connection_rate += counter.over_connection_rate.load(Ordering::Relaxed);
                sum.request_rate += counter.over_request_rate.load(Ordering::Relaxed);
            }
        }
        stats
    }
}

fn add(sums: &mut Vec<Count>, counters: &[Counter]) {
    sums.resize(counters.len(), Count::default());
    for (sum, counter) in sums.iter_mut().zip(counters) {
        // Apart in the cores, so that what is read between the two stays true: neither ever goes down.
        let failed = counter.failed.load(Ordering::Relaxed);
        sum.requests += counter.requests.load(Ordering::Relaxed) + failed;
        sum.failed += failed;
        sum.errors += counter.errors.load(Ordering::Relaxed);
        sum.by_client += counter.by_client.load(Ordering::Relaxed);
        sum.by_server += counter.by_server.load(Ordering::Relaxed);
        sum.by_us += counter.by_us.load(Ordering::Relaxed);
        sum.pages += counter.pages.load(Ordering::Relaxed);
    }
}

/// One core's counters.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) servers: Box<[Counter]>,
    pub(super) frontends: Box<[Counter]>,
}

impl Counters {
    pub(super) fn new(servers: usize, frontends: usize) -> Self {
        let counters = |count| (0..count).map(|_| Counter::default()).collect();
        Self { servers: counters(servers), frontends: counters(frontends) }
    }
}

/// Written by one core only, on cache lines that no other core writes.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Counter {
    /// Without those that failed.
    requests: AtomicU64,
    failed: AtomicU64,
    errors: AtomicU64,
    by_client: AtomicU64,
    by_server: AtomicU64,
    by_us: AtomicU64,
    pages: AtomicU64,
    handshakes_failed: AtomicU64,
    over_connections: AtomicU64,
    over_connection_rate: AtomicU64,
    over_request_rate: AtomicU64,
    left: AtomicU64,
    portless: AtomicU64,
    /// How many there are, not how many there were.
    kept: AtomicU64,
}

impl Counter {
    pub(super) fn handshake_failed(&self) {
        bump(&self.handshakes_failed);
    }

    /// A connection that there was no local port for.
    pub(super) fn portless(&self) {
        bump(&self.portless);
    }

    /// So many connections are kept now.
    pub(super) fn keeps(&self, count: usize) {
        self.kept.store(count as u64, Ordering::Relaxed);
    }

    pub(super) fn left(&self) {
        bump(&self.left);
    }

    pub(super) fn over_limit(&self, over: Over) {
        bump(match over {
            Over::Connections => &self.over_connections,
            Over::ConnectionRate => &self.over_connection_rate,
            Over::RequestRate => &self.over_request_rate,
        });
    }

    pub(super) fn request(&self) {
        bump(&self.requests);
    }

    /// A request that was answered with a status that counts as an error.
    pub(super) fn failed(&self) {
        bump(&self.failed);
    }

    pub(super) fn error(&self) {
        bump(&self.errors);
    }

    /// A request that is answered by the maintenance page.
    pub(super) fn page(&self) {
        self.request();
        bump(&self.pages);
    }

    /// A request that the proxy itself answers with an error, and whose fault that is.
    pub(super) fn refused(&self, culprit: Culprit) {
        self.request();
        self.broke_off(culprit);
    }

    /// A request that was counted as answered before its response broke off, and whose fault that is.
    pub(super) fn broke_off(&self, culprit: Culprit) {
        self.error();
        bump(match culprit {
            Culprit::Client => &self.by_client,
            Culprit::Server => &self.by_server,
            Culprit::Us => &self.by_us,
        });
    }
}

/// One writer: a load and a store are enough, and cheaper than a locked addition.
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}
