//! What every core knows about the pools, and whether frontends use them: one immutable picture, replaced as a whole.

use std::sync::Arc;

use super::Rotation;

/// All pools at one moment, in the order of the config. Pools that have not changed are shared with the snapshot
/// before.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pools: Vec<Arc<Rotation>>,
    /// By frontend; empty when none is.
    closed: Vec<bool>,
}

impl Snapshot {
    /// A snapshot of the pools, in the order of the config.
    #[must_use]
    pub fn new(pools: impl IntoIterator<Item = impl Into<Arc<Rotation>>>) -> Self {
        Self { pools: pools.into_iter().map(Into::into).collect(), closed: Vec::new() }
    }

    /// The same with these frontends, in the order of the config, closed by an operator or not.
    #[must_use]
    pub fn with_closed(mut self, closed: impl IntoIterator<Item = bool>) -> Self {
        self.closed = closed.into_iter().collect();
        if !self.closed.contains(&true) {
            self.closed = Vec::new();
        }
        self
    }

    /// Whether an operator has closed a frontend: nothing that it gets is for a pool.
    #[must_use]
    pub fn is_closed(&self, frontend: usize) -> bool {
        self.closed.get(frontend).is_some_and(|closed| *closed)
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
