//! Round robin: whose turn it is, over all cores, without a lock.
//!
//! The weights are turned into a schedule once, when the rotation is made: Nginx's smooth weighted round robin, with
//! the weights divided by their greatest common divisor. A pick then is one step of a counter that all cores share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Server, ServerId};

/// A pool's place in its schedule, shared by all cores. It survives the snapshots, so that a server that comes or
/// goes does not send the next request back to the first one.
#[derive(Debug, Default)]
// On a cache line of its own: every core writes it at every request.
#[repr(align(64))]
pub struct Turn(AtomicUsize);

impl Turn {
    /// The beginning of a schedule.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// The servers of a pool that may get requests, and whose turn it is.
#[derive(Clone)]
pub struct Rotation {
    servers: Vec<Server>,
    /// Places in `servers`, one round of turns.
    schedule: Vec<u16>,
    turn: Arc<Turn>,
}

impl Rotation {
    /// A rotation of the eligible servers of a pool. Servers beyond the 65,536th are left out.
    #[must_use]
    pub fn new(servers: Vec<Server>, turn: Arc<Turn>) -> Self {
        let weights: Vec<u16> = servers.iter().map(|server| server.weight).collect();
        Self { schedule: smooth(&weights), servers, turn }
    }

    /// The next server in turn that this request has not tried; `None` when there is none. Every call takes a turn.
    #[must_use]
    pub fn pick(&self, tried: &Tried) -> Option<&Server> {
        if self.schedule.is_empty() {
            return None;
        }
        // Relaxed: the counter orders nothing but itself.
        let first = self.turn.0.fetch_add(1, Ordering::Relaxed) % self.schedule.len();
        let places = self.schedule[first..].iter().chain(&self.schedule[..first]);
        places.map(|place| &self.servers[usize::from(*place)]).find(|server| !tried.contains(server.id))
    }

    /// The eligible servers, in the order of the config.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotation").field("servers", &self.servers).finish_non_exhaustive()
    }
}

/// The servers that one request has tried in vain. Empty, as it nearly always is, it owns no memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried(Vec<ServerId>);

impl Tried {
    /// Adds a server.
    pub fn add(&mut self, server: ServerId) {
        self.0.push(server);
    }

    /// Whether the server was tried.
    #[must_use]
    pub fn contains(&self, server: ServerId) -> bool {
        self.0.contains(&server)
    }

    /// Whether none was tried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One round of smooth weighted round robin, as Nginx plays it: each turn everyone gains its weight, the richest is
/// served and pays the sum of all weights. Weights 5, 1, 1 give a a b a c a a, not a a a a a b c.
fn smooth(weights: &[u16]) -> Vec<u16> {
    let divisor = weights.iter().fold(0, |divisor, weight| gcd(divisor, *weight)).max(1);
    let weights: Vec<i64> = weights.iter().map(|weight| i64::from(weight / divisor)).collect();
    let sum: i64 = weights.iter().sum();
    let mut credit = vec![0; weights.len()];
    let mut schedule = Vec::new();
    for _ in 0..sum {
        let mut richest = 0;
        for place in 0..weights.len() {
            credit[place] += weights[place];
            if credit[place] > credit[richest] {
                richest = place;
            }
        }
        credit[richest] -= sum;
        schedule.extend(u16::try_from(richest));
    }
    schedule
}

fn gcd(a: u16, b: u16) -> u16 {
    if b == 0 { a } else { gcd(b, a % b) }
}
