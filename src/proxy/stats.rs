//! Counters: every core writes its own, whoever asks gets the sum.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was counted for a server or a frontend since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// A server: requests it answered. A frontend: requests that were answered, whatever the status.
    pub requests: u64,
    /// A server: requests it did not answer, or not to the end: connect failure, malformed or no answer. A frontend:
    /// requests that the proxy itself answered with an error.
    pub errors: u64,
}

/// The data plane in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// By [`crate::pool::ServerId`].
    pub servers: Vec<Count>,
    /// In the order of the settings.
    pub frontends: Vec<Count>,
    /// Handshakes of TLS that came to nothing, by frontend.
    pub handshakes_failed: Vec<u64>,
    /// Client connections open now.
    pub connections: u64,
}

impl Stats {
    /// The sum over all cores.
    pub(super) fn sum<'a>(cores: impl Iterator<Item = &'a Counters>, connections: u64) -> Self {
        let mut stats = Self { connections, ..Self::default() };
        for core in cores {
            add(&mut stats.servers, &core.servers);
            add(&mut stats.frontends, &core.frontends);
            stats.handshakes_failed.resize(core.frontends.len(), 0);
            for (sum, counter) in stats.handshakes_failed.iter_mut().zip(&core.frontends) {
                *sum += counter.handshakes_failed.load(Ordering::Relaxed);
            }
        }
        stats
    }
}

fn add(sums: &mut Vec<Count>, counters: &[Counter]) {
    sums.resize(counters.len(), Count::default());
    for (sum, counter) in sums.iter_mut().zip(counters) {
        sum.requests += counter.requests.load(Ordering::Relaxed);
        sum.errors += counter.errors.load(Ordering::Relaxed);
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
    requests: AtomicU64,
    errors: AtomicU64,
    handshakes_failed: AtomicU64,
}

impl Counter {
    pub(super) fn handshake_failed(&self) {
        bump(&self.handshakes_failed);
    }

    pub(super) fn request(&self) {
        bump(&self.requests);
    }

    pub(super) fn error(&self) {
        bump(&self.errors);
    }
}

/// One writer: a load and a store are enough, and cheaper than a locked addition.
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}
