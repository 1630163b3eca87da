//! How busy a server is, counted over all cores.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The requests that a server has in hand now, over all cores. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct Load(Arc<AtomicU32>);

impl Load {
    /// How many there are.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        // Relaxed, here and below: the counter orders nothing but itself.
        self.0.load(Relaxed)
    }

    /// One more, until what this gives is dropped: by the end of the exchange, an early return or a panic.
    pub fn enter(&self) -> InFlight {
        self.0.fetch_add(1, Relaxed);
        InFlight(Arc::clone(&self.0))
    }

    /// Whether a server of this load and `weight` is less busy than another. As HAProxy has it: idle servers are
    /// equal whatever their weight; a busy one counts what it would have with one more request, divided by its weight.
    #[must_use]
    pub fn is_below(&self, weight: u16, other: &Self, other_weight: u16) -> bool {
        let next = |load: &Self| match u64::from(load.in_flight()) {
            0 => 0,
            busy => busy + 1,
        };
        let (mine, its) = (next(self) * u64::from(other_weight), next(other) * u64::from(weight));
        mine.cmp(&its) == Ordering::Less
    }
}

/// A request that a server has in hand.
#[derive(Debug)]
#[must_use = "it counts for as long as it lives"]
pub struct InFlight(Arc<AtomicU32>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
