//! Where a request goes: what of it decides, and the server that it gets.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::core::Core;
use super::door::Door;
use crate::config::RequestRoute;
use crate::http::{Request, RequestFacts, hide_cookie, set_cookie};
use crate::pool::{
    Draw, InFlight, Key, Queue, Rotation, SendProxy, Server, ServerId, Snapshot, Taken, Token, Tried, digest,
};

/// What a request says about where it goes, read once, before its head is rewritten.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choice {
    /// Index of the pool.
    pub(super) pool: usize,
    /// The digest of what the pool hashes.
    key: Option<u64>,
    /// The server that the client had, by its cookie.
    held: Option<Token>,
    /// The client sent that cookie, whatever it says.
    has_cookie: bool,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// To a server of a pool.
    Pool(Choice),
    /// To another address: no pool is for it.
    Elsewhere,
    /// Nowhere: the frontend is in maintenance.
    Closed,
}

/// A server for a request. It counts as busy for as long as this lives.
#[derive(Debug)]
pub(super) struct Picked {
    pub(super) id: ServerId,
    pub(super) address: SocketAddr,
    /// The client must be told that it has this server from now on.
    pub(super) tell: Option<Token>,
    /// It wants to be told who the client is, by a header in front of all else.
    pub(super) send_proxy: Option<SendProxy>,
    _in_flight: InFlight,
}

/// What the pool has for a request.
#[derive(Debug)]
pub(super) enum Pick {
    /// This server.
    Server(Picked),
    /// Its servers have as many requests as they may: wait for this one, or for any.
    Busy { queue: Arc<Queue>, wants: Option<ServerId> },
    /// No server is left.
    Nobody,
}

impl Picked {
    fn new(pool: &Rotation, server: &Server, place: InFlight, choice: &Choice) -> Self {
        let is_news = pool.rule().sticky.is_some() && choice.held != Some(server.token);
        let tell = is_news.then_some(server.token);
        let send_proxy = pool.rule().send_proxy;
        Self { id: server.id, address: server.address, tell, send_proxy, _in_flight: place }
    }
}

impl Core {
    /// Reads where a request goes, and what the choice of a server depends on.
    pub(super) fn choose(
        &self,
        door: &Door,
        peer: SocketAddr,
        request: &Request<'_, '_>,
        facts: &RequestFacts<'_>,
    ) -> Way {
        let takes = |route: &&RequestRoute| route.pattern.matches(facts.host, request.path(facts));
        let pool = door.routes.iter().find(takes).map(|route| route.pool).or(door.pool);
        self.snapshot(|snapshot| {
            if snapshot.is_closed(door.frontend) {
                return Way::Closed;
            }
            let Some(pool) = pool else { return Way::Elsewhere };
            let pool = open(snapshot, door, pool);
            let rule = snapshot.pool(pool).rule();
            let key = match &rule.key {
                Key::None => None,
                Key::Source => Some(of_source(peer.ip())),
                Key::Path => Some(digest(request.path(facts).as_bytes())),
                Key::Header(name) => request.field(name).map(digest),
                Key::Cookie(name) => request.cookie(name).map(digest),
            };
            let cookie = rule.sticky.as_ref().and_then(|name| request.cookie(name));
            let held = cookie.and_then(Token::parse);
            Way::Pool(Choice { pool, key, held, has_cookie: cookie.is_some() })
        })
    }

    /// Whether an operator has put a frontend in maintenance.
    pub(super) fn is_closed(&self, frontend: usize) -> bool {
        self.snapshot(|snapshot| snapshot.is_closed(frontend))
    }

    /// As [`Core::choose`], for a connection of which nothing but its source is known.
    pub(super) fn choose_blindly(&self, door: &Door, peer: SocketAddr) -> Choice {
        self.snapshot(|snapshot| {
            // A frontend that speaks TCP has a pool: a checked config has no redirect for it.
            let pool = open(snapshot, door, door.pool.unwrap_or_default());
            let by_source = snapshot.pool(pool).rule().key == Key::Source;
            let key = by_source.then(|| of_source(peer.ip()));
            Choice { pool, key, held: None, has_cookie: false }
        })
    }

    /// Whether an answer with this status counts as an error of its server.
    pub(super) fn is_failure(&self, choice: &Choice, status: u16) -> bool {
        status >= 500 && self.snapshot(|snapshot| snapshot.pool(choice.pool).rule().failures.has(status))
    }

    /// The next server for the request, with what the pool says when there is none.
    pub(super) fn pick(&self, choice: &Choice, tried: &Tried) -> Pick {
        let draw = Draw { random: self.dice.roll(), key: choice.key, held: choice.held };
        self.snapshot(|snapshot| {
            let pool = snapshot.pool(choice.pool);
            match pool.take(draw, tried) {
                Taken::Place(server, place) => Pick::Server(Picked::new(pool, server, place, choice)),
                Taken::Busy(wants) => {
                    pool.queue().map_or(Pick::Nobody, |queue| Pick::Busy { queue: Arc::clone(queue), wants })
                }
                Taken::Nobody => Pick::Nobody,
            }
        })
    }

    /// The server at which the request was given a place; `None` when it has left the rotation.
    pub(super) fn seated(&self, choice: &Choice, id: ServerId, place: InFlight) -> Option<Picked> {
        self.snapshot(|snapshot| {
            let pool = snapshot.pool(choice.pool);
            let server = pool.servers().iter().find(|server| server.id == id)?;
            Some(Picked::new(pool, server, place, choice))
        })
    }

    /// Takes our cookie out of the head that a server gets: it means nothing to it, and a server that answered it
    /// would take it for its own.
    pub(super) fn hide(&self, choice: &Choice, head: &mut Vec<u8>) {
        if choice.has_cookie {
            self.snapshot(|snapshot| {
                if let Some(name) = &snapshot.pool(choice.pool).rule().sticky {
                    hide_cookie(head, name);
                }
            });
        }
    }

    /// Tells the client in the head of a response which server it has from now on.
    pub(super) fn tell(&self, choice: &Choice, server: Token, secure: bool, head: &mut Vec<u8>) {
        self.snapshot(|snapshot| {
            if let Some(name) = &snapshot.pool(choice.pool).rule().sticky {
                set_cookie(head, name, &server.text(), secure);
            }
        });
    }
}

/// The pool, or the one that stands in for it while none of its servers is eligible.
fn open(snapshot: &Snapshot, door: &Door, pool: usize) -> usize {
    match door.sorry_pool {
        Some(sorry) if snapshot.pool(pool).servers().is_empty() => sorry,
        Some(_) | None => pool,
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
