//! Where a request goes: what of it decides, and the server that it gets.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};

use super::core::{Core, Door};
use crate::http::{Request, RequestFacts};
use crate::pool::{Draw, InFlight, Key, ServerId, Tried, digest};

/// What a request says about where it goes, read once, before its head is rewritten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    /// Index of the pool.
    pub(super) pool: usize,
    /// The digest of what the pool hashes.
    key: Option<u64>,
}

/// A server for a request. It counts as busy for as long as this lives.
#[derive(Debug)]
pub(super) struct Picked {
    pub(super) id: ServerId,
    pub(super) address: SocketAddr,
    _in_flight: InFlight,
}

impl Core {
    /// Reads what the choice depends on.
    pub(super) fn choose(
        &self,
        door: &Door,
        peer: SocketAddr,
        request: &Request<'_, '_>,
        facts: &RequestFacts<'_>,
    ) -> Choice {
        let pool = door.pool;
        self.snapshot(|snapshot| {
            let key = match &snapshot.pool(pool).rule().key {
                Key::None => None,
                Key::Source => Some(of_source(peer.ip())),
                Key::Path => Some(digest(request.path(facts).as_bytes())),
                Key::Header(name) => request.field(name).map(digest),
                Key::Cookie(name) => request.cookie(name).map(digest),
            };
            Choice { pool, key }
        })
    }

    /// As [`Core::choose`], for a connection of which nothing but its source is known.
    pub(super) fn choose_blindly(&self, door: &Door, peer: SocketAddr) -> Choice {
        let pool = door.pool;
        let by_source = self.snapshot(|snapshot| snapshot.pool(pool).rule().key == Key::Source);
        Choice { pool, key: by_source.then(|| of_source(peer.ip())) }
    }

    /// The next server for the request; `None` when no server is left.
    pub(super) fn pick(&self, choice: &Choice, tried: &Tried) -> Option<Picked> {
        let draw = Draw { random: self.dice.roll(), key: choice.key, held: None };
        self.snapshot(|snapshot| {
            let server = snapshot.pool(choice.pool).pick(draw, tried)?;
            Some(Picked { id: server.id, address: server.address, _in_flight: server.load.enter() })
        })
    }
}

fn of_source(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => digest(&address.octets()),
        IpAddr::V6(address) => digest(&address.octets()),
    }
}

/// One core's random numbers: SplitMix64, which is fast, even, and no secret.
#[derive(Debug)]
pub(super) struct Dice(Cell<u64>);

impl Dice {
    /// Begins somewhere else in every core and process.
    pub(super) fn new() -> Self {
        Self(Cell::new(RandomState::new().hash_one(0)))
    }

    fn roll(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}
