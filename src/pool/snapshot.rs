//! What every core knows about the pools: one immutable picture, replaced as a whole.

use super::Rotation;

/// All pools at one moment, in the order of the config.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pools: Vec<Rotation>,
}

impl Snapshot {
    /// A snapshot of the pools, in the order of the config.
    #[must_use]
    pub fn new(pools: Vec<Rotation>) -> Self {
        Self { pools }
    }

    /// The rotation of one pool.
    ///
    /// # Panics
    /// When there is no such pool: a checked config names only pools that exist, and a snapshot has them all.
    #[must_use]
    pub fn pool(&self, index: usize) -> &Rotation {
        &self.pools[index]
    }
}
