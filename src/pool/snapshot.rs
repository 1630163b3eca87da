//! What every core knows about the pools: one immutable picture, replaced as a whole.

use std::sync::Arc;

use super::Rotation;

/// All pools at one moment, in the order of the config. Pools that have not changed are shared with the snapshot
/// before.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pools: Vec<Arc<Rotation>>,
}

impl Snapshot {
    /// A snapshot of the pools, in the order of the config.
    #[must_use]
    pub fn new(pools: impl IntoIterator<Item = impl Into<Arc<Rotation>>>) -> Self {
        Self { pools: pools.into_iter().map(Into::into).collect() }
    }

    /// The rotation of one pool.
    ///
    /// # Panics
    /// When there is no such pool: a checked config names only pools that exist, and a snapshot has them all.
    #[must_use]
    pub fn pool(&self, index: usize) -> &Rotation {
        &self.pools[index]
    }

    /// All of them.
    #[must_use]
    pub fn pools(&self) -> &[Arc<Rotation>] {
        &self.pools
    }
}
