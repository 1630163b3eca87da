//! Clients are counted while they are inside.

use std::rc::Rc;
use std::sync::atomic::Ordering;

use super::Core;
use crate::pool::Seat;

/// A client inside; counted until it is dropped.
pub(in crate::proxy) struct Guest {
    core: Rc<Core>,
    /// Its place among the connections of its source, if those are limited.
    pub(super) seat: Option<Box<Seat>>,
}

impl Guest {
    /// With how many were inside before, over all cores.
    pub(super) fn enter(core: &Rc<Core>) -> (Self, usize) {
        core.sessions.set(core.sessions.get() + 1);
        let others = core.shared.connections.0.fetch_add(1, Ordering::Relaxed);
        (Self { core: Rc::clone(core), seat: None }, others)
    }

    pub(in crate::proxy) fn core(&self) -> Rc<Core> {
        Rc::clone(&self.core)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.core.sessions.set(self.core.sessions.get() - 1);
        self.core.shared.connections.0.fetch_sub(1, Ordering::Relaxed);
    }
}
