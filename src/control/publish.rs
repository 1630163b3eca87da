//! The cores' snapshots: from what the desk says to who may get requests, and how they are chosen.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::desk::Desk;
use crate::config::{Balance, Config, HashKey, Pool};
use crate::pool::{Key, Method, Rotation, Rule, Server, Snapshot, Turn};

/// Gives the cores their snapshots. A pool's turn outlives them, so that a server that comes or goes does not start
/// the round again, and a pool that has not changed is not made anew.
pub(super) struct Publisher {
    pools: Vec<(Rule, Arc<Turn>)>,
    snapshot: Arc<ArcSwap<Snapshot>>,
}

impl Publisher {
    /// A publisher whose first snapshot is what the desk knows now.
    pub(super) fn new(config: &Config, desk: &Desk) -> Self {
        let pools = config.pools.iter().map(|pool| (rule(pool), Arc::default())).collect();
        let publisher = Self { pools, snapshot: Arc::new(ArcSwap::from_pointee(Snapshot::default())) };
        publisher.publish(desk);
        publisher
    }

    /// What the cores read.
    pub(super) fn snapshot(&self) -> Arc<ArcSwap<Snapshot>> {
        Arc::clone(&self.snapshot)
    }

    /// Gives the cores what the desk knows now.
    pub(super) fn publish(&self, desk: &Desk) {
        let before = self.snapshot.load();
        let rotations = desk.rotation().zip(&self.pools).enumerate();
        let rotations =
            rotations.map(|(at, (servers, pool))| rotation(before.pools().get(at), servers, pool));
        let now = Arc::new(Snapshot::new(rotations).with_closed(desk.closed()));
        self.snapshot.store(Arc::clone(&now));
        let changed =
            before.pools().iter().zip(now.pools()).filter(|(before, now)| !Arc::ptr_eq(before, now));
        changed.for_each(|(before, now)| now.succeed(before));
    }
}

fn rotation(
    before: Option<&Arc<Rotation>>,
    servers: Vec<Server>,
    (rule, turn): &(Rule, Arc<Turn>),
) -> Arc<Rotation> {
    match before.filter(|before| before.is_of(&servers)) {
        Some(before) => Arc::clone(before),
        None => Arc::new(Rotation::new(servers, rule.clone(), Arc::clone(turn))),
    }
}

/// What the config says, in the words of the cores.
fn rule(pool: &Pool) -> Rule {
    let (method, key) = match &pool.balance {
        Balance::RoundRobin => (Method::RoundRobin, Key::None),
        Balance::LeastConnections => (Method::LeastConnections, Key::None),
        Balance::Random => (Method::Random, Key::None),
        Balance::Hash(HashKey::Source) => (Method::Hash, Key::Source),
        Balance::Hash(HashKey::Path) => (Method::Hash, Key::Path),
        Balance::Hash(HashKey::Header(name)) => (Method::Hash, Key::Header(name.clone())),
        Balance::Hash(HashKey::Cookie(name)) => (Method::Hash, Key::Cookie(name.clone())),
    };
    let failures = pool.passive.as_ref().map(|passive| passive.statuses).unwrap_or_default();
    Rule { method, key, sticky: pool.sticky.clone(), send_proxy: pool.send_proxy, failures }
}
