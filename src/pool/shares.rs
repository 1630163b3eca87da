//! A line on which every server has as many points as its weight.

use std::sync::Arc;

/// The line; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    /// Where each server's points end.
    ends: Arc<[u64]>,
}

impl Shares {
    /// The line of servers with these weights, none of them 0.
    pub(super) fn new(weights: &[u16]) -> Self {
        let ends = weights.iter().scan(0, |end, weight| {
            *end += u64::from(*weight);
            Some(*end)
        });
        Self { ends: ends.collect() }
    }

    /// How many points there are.
    pub(super) fn total(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Whose point it is, by a search in log n steps; there must be such a point.
    pub(super) fn place(&self, point: u64) -> usize {
        self.ends.partition_point(|end| *end <= point)
    }

    /// Someone, each as likely as its weight is large. Takes 32 random bits.
    pub(super) fn draw(&self, random: u32) -> usize {
        // The high half of the product (Lemire): no division. Lines are shorter than 2^32, see `Order::place`.
        self.place((u64::from(random) * self.total()) >> 32)
    }

    /// Bytes that it takes beyond itself.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.ends[..])
    }
}
