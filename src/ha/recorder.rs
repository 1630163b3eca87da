//! The flight recorder: the last inputs of every machine with their times, and the effects they had.
//!
//! Beside them it keeps each machine as it was before the oldest of its inputs, so that a dump can be played again and
//! has to give the same effects. Memory is bounded: an entry that leaves is played into the machine that it is kept
//! from.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::vrrp::{Effect, Input, Machine, Time};

/// Inputs that are kept, over all routers of the node.
const ENTRIES: usize = 4_096;

/// An input and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// Which router: an index into [`Dump::routers`].
    pub router: usize,
    /// What was said to its machine.
    pub input: Input,
    /// What the machine wanted done.
    pub effects: Box<[Effect]>,
}

/// A router of a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its name in the config.
    pub name: String,
    /// Its machine before the first entry.
    pub machine: Machine,
}

/// Everything that is needed to play it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dump {
    /// The routers of the node.
    pub routers: Vec<Recorded>,
    /// What happened, the oldest first.
    pub entries: VecDeque<Entry>,
}

/// An entry that did not come out as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differs {
    /// Its place in [`Dump::entries`].
    pub entry: usize,
    /// The effects that it had this time.
    pub effects: Vec<Effect>,
}

impl Dump {
    /// Plays every entry through the machines; these are returned as they are after the last one.
    ///
    /// # Errors
    /// The first entry that has other effects than it had.
    pub fn replay(&self) -> Result<Vec<Machine>, Differs> {
        let mut machines: Vec<_> = self.routers.iter().map(|router| router.machine.clone()).collect();
        for (place, entry) in self.entries.iter().enumerate() {
            let mut effects = Vec::new();
            if let Some(machine) = machines.get_mut(entry.router) {
                machine.handle(entry.at, entry.input, &mut effects);
            }
            if effects[..] != entry.effects[..] {
                return Err(Differs { entry: place, effects });
            }
        }
        Ok(machines)
    }
}

/// Records the machines of a node.
#[derive(Debug)]
pub(super) struct Recorder {
    dump: Dump,
    effects: Vec<Effect>,
}

impl Recorder {
    /// Begins with `routers` as they are now.
    pub(super) fn new(routers: Vec<Recorded>) -> Self {
        let entries = VecDeque::with_capacity(ENTRIES);
        Self { dump: Dump { routers, entries }, effects: Vec::new() }
    }

    /// Takes an input and its effects in; the oldest one leaves when there is no more room.
    pub(super) fn note(&mut self, at: Time, router: usize, input: Input, effects: &[Effect]) {
        if self.dump.entries.len() == ENTRIES {
            self.forget();
        }
        self.dump.entries.push_back(Entry { at, router, input, effects: effects.into() });
    }

    /// What it has now.
    pub(super) fn dump(&self) -> Dump {
        self.dump.clone()
    }

    fn forget(&mut self) {
        let Some(Entry { at, router, input, .. }) = self.dump.entries.pop_front() else { return };
        self.effects.clear();
        if let Some(router) = self.dump.routers.get_mut(router) {
            router.machine.handle(at, input, &mut self.effects);
        }
    }
}

#[cfg(test)]
mod tests;
