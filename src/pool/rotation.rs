//! The servers of a pool that may get requests, and the choice among them.

use std::fmt;
use std::sync::Arc;

use super::balance::{Draw, EXACT, Method, PROBES, Rule};
use super::digest::mix;
use super::maglev::Table;
use super::order::Order;
use super::queue::Queue;
use super::shares::Shares;
use super::{InFlight, Server, ServerId, Token, Tried, Turn};

/// Steps from the first choice to one that was not tried yet, before the rest is searched in a row.
const STEPS: usize = 64;
/// The most servers that a pool can have in rotation: their places are 16 bits, one of which means "nobody".
const MOST: usize = u16::MAX as usize;

/// The servers of a pool that may get requests, and how the next one is chosen.
#[derive(Clone)]
pub struct Rotation {
    /// The backups behind the others.
    servers: Vec<Server>,
    rule: Rule,
    /// Those that are no backups, and the backups.
    tiers: [Tier; 2],
    /// Places in `servers` by token, sorted; only when clients stay with their servers.
    tokens: Vec<(Token, u16)>,
    turn: Arc<Turn>,
    /// Where requests wait; only when a server has a limit.
    queue: Option<Arc<Queue>>,
}

/// What became of the choice of a server.
#[derive(Debug)]
pub enum Taken<'r> {
    /// This one, and a place at it.
    Place(&'r Server, InFlight),
    /// Those that may be tried have no free place: wait for this one, or for any.
    Busy(Option<ServerId>),
    /// There is none that was not tried, or enough were tried.
    Nobody,
}

/// How often a choice is made again when another core was faster to take the last place.
const RACES: usize = 4;

/// Servers among which a choice is made.
#[derive(Clone)]
struct Tier {
    /// Its first place in `servers`.
    first: usize,
    count: usize,
    order: Order,
    choice: Choice,
}

/// What a method needs beside the order.
#[derive(Clone)]
enum Choice {
    InTurn,
    LeastOfAll,
    LeastOfSome(Shares),
    Random(Shares),
    Hash(Arc<Table>),
}

impl Rotation {
    /// A rotation of the eligible servers of a pool. Servers beyond the 65,535th are left out.
    #[must_use]
    pub fn new(mut servers: Vec<Server>, rule: Rule, turn: Arc<Turn>) -> Self {
        servers.truncate(MOST);
        // Stable: the order of the config stays.
        servers.sort_by_key(|server| server.backup);
        let first = servers.partition_point(|server| !server.backup);
        let tier = |first, servers| Tier::new(first, servers, rule.method);
        let tiers = [tier(0, &servers[..first]), tier(first, &servers[first..])];
        let mut tokens = Vec::new();
        if rule.sticky.is_some() {
            let place = |(token, place)| Some((token, u16::try_from(place).ok()?));
            tokens.extend(servers.iter().map(|server| server.token).zip(0_usize..).filter_map(place));
            tokens.sort_unstable();
        }
        let queue = servers.iter().find_map(|server| server.load.queue()).map(Arc::clone);
        Self { servers, rule, tiers, tokens, turn, queue }
    }

    /// The server that a request should try next; `None` when there is none that it has not tried, or it has tried
    /// enough. A backup only when no other server is left, or when the client had it already.
    #[must_use]
    pub fn pick(&self, draw: Draw, tried: &Tried) -> Option<&Server> {
        if tried.is_full() {
            return None;
        }
        let held = self.held(draw, tried);
        held.or_else(|| {
            self.tiers.iter().find_map(|tier| self.choose(tier, draw, |server| !tried.contains(server.id)))
        })
    }

    /// As [`Rotation::pick`], with a place at the server. Where servers have limits, the choice is made among those that
    /// have a free place; but a client that holds a server waits for that one. A backup does not help a full server
    /// out: that one is eligible.
    #[must_use]
    pub fn take(&self, draw: Draw, tried: &Tried) -> Taken<'_> {
        if self.queue.is_some() {
            return self.take_free(draw, tried);
        }
        self.pick(draw, tried).map_or(Taken::Nobody, |server| Taken::Place(server, server.load.enter()))
    }

    fn take_free(&self, draw: Draw, tried: &Tried) -> Taken<'_> {
        if tried.is_full() {
            return Taken::Nobody;
        }
        if let Some(server) = self.held(draw, tried) {
            let place = server.load.try_enter();
            return place.map_or(Taken::Busy(Some(server.id)), |place| Taken::Place(server, place));
        }
        let untried = |server: &Server| !tried.contains(server.id);
        let Some(tier) = self.tiers.iter().find(|tier| tier.of(&self.servers).iter().any(untried)) else {
            return Taken::Nobody;
        };
        for _ in 0..RACES {
            let free = |server: &Server| untried(server) && server.load.has_room();
            let Some(server) = self.choose(tier, draw, free) else { break };
            if let Some(place) = server.load.try_enter() {
                return Taken::Place(server, place);
            }
        }
        Taken::Busy(None)
    }

    /// The server that the client has, unless it was tried.
    fn held(&self, draw: Draw, tried: &Tried) -> Option<&Server> {
        draw.held.and_then(|token| self.holder(token)).filter(|server| !tried.contains(server.id))
    }

    /// Where requests wait for a place; `None` when no server has a limit.
    #[must_use]
    pub const fn queue(&self) -> Option<&Arc<Queue>> {
        self.queue.as_ref()
    }

    /// Takes the place of `before`, once the cores can see it: who waits gets no place at a server that has left, and
    /// looks for one at those that have come.
    pub fn succeed(&self, before: &Self) {
        before.servers.iter().for_each(|server| server.load.set_open(false));
        self.servers.iter().for_each(|server| server.load.set_open(true));
        // One of the two at most differs: a pool has one queue.
        if let Some(queue) = self.queue.as_ref().or(before.queue.as_ref()) {
            queue.stir();
        }
    }

    /// The eligible servers, the backups behind the others.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// How it chooses.
    #[must_use]
    pub const fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Whether this is the rotation of these servers, with these weights, so that it need not be made anew.
    #[must_use]
    pub fn is_of(&self, servers: &[Server]) -> bool {
        let same = |(a, b): (&Server, &Server)| {
            (a.id, a.weight, a.address, a.backup) == (b.id, b.weight, b.address, b.backup)
        };
        let (plain, backups): (Vec<_>, Vec<_>) = servers.iter().partition(|server| !server.backup);
        servers.len() == self.servers.len() && plain.into_iter().chain(backups).zip(&self.servers).all(same)
    }

    fn holder(&self, token: Token) -> Option<&Server> {
        let found = self.tokens.binary_search_by_key(&token, |(token, _)| *token).ok()?;
        Some(&self.servers[usize::from(self.tokens[found].1)])
    }

    fn choose(&self, tier: &Tier, draw: Draw, usable: impl Fn(&Server) -> bool) -> Option<&Server> {
        let servers = tier.of(&self.servers);
        if servers.is_empty() {
            return None;
        }
        let usable = |place: &usize| usable(&servers[*place]);
        let chosen = match (&tier.choice, draw.key) {
            (Choice::Hash(table), Some(key)) => first(|step| table.place(key, step), usable),
            (Choice::InTurn | Choice::Hash(_), _) => self.in_turn(tier, usable),
            (Choice::LeastOfAll, _) => {
                let turn = self.in_turn(tier, usable);
                let all = (0..servers.len()).filter(usable);
                turn.map(|turn| all.fold(turn, |least, place| less_busy(servers, least, place)))
            }
            (Choice::LeastOfSome(shares), _) => {
                let drawn = drawn(shares, draw.random, PROBES).filter(usable);
                self.in_turn(tier, usable)
                    .map(|turn| drawn.fold(turn, |least, place| less_busy(servers, least, place)))
            }
            (Choice::Random(shares), _) => {
                let mut two = drawn(shares, draw.random, STEPS).filter(usable).take(2);
                let one = two.next();
                one.map(|one| two.fold(one, |least, place| less_busy(servers, least, place)))
            }
        };
        let place = chosen.or_else(|| {
            let begin = tier.order.place(usize::try_from(draw.random >> 32).unwrap_or(0));
            (begin..servers.len()).chain(0..begin).find(usable)
        });
        place.map(|place| &servers[place])
    }

    /// Whose turn it is among the usable; every call takes a turn.
    fn in_turn(&self, tier: &Tier, usable: impl Fn(&usize) -> bool) -> Option<usize> {
        let turn = self.turn.next();
        first(|step| tier.order.place(turn.wrapping_add(step)), usable)
    }

    /// Bytes of the schedules.
    #[cfg(test)]
    pub(super) fn schedule_bytes(&self) -> usize {
        self.tiers.iter().map(|tier| tier.order.bytes()).sum()
    }
}

impl Tier {
    fn new(first: usize, servers: &[Server], method: Method) -> Self {
        let weights: Vec<u16> = servers.iter().map(|server| server.weight).collect();
        let choice = match method {
            Method::RoundRobin => Choice::InTurn,
            Method::LeastConnections if servers.len() <= EXACT => Choice::LeastOfAll,
            Method::LeastConnections => Choice::LeastOfSome(Shares::new(&weights)),
            Method::Random => Choice::Random(Shares::new(&weights)),
            Method::Hash => Choice::Hash(Arc::new(Table::new(servers))),
        };
        Self { first, count: servers.len(), order: Order::new(&weights), choice }
    }

    fn of<'s>(&self, servers: &'s [Server]) -> &'s [Server] {
        &servers[self.first..self.first + self.count]
    }
}

/// The first usable place of a walk; `None` when a tried server is met again and again.
fn first(walk: impl Fn(usize) -> usize, usable: impl Fn(&usize) -> bool) -> Option<usize> {
    (0..STEPS).map(walk).find(usable)
}

/// Places drawn by weight.
fn drawn(shares: &Shares, random: u64, count: usize) -> impl Iterator<Item = usize> {
    let numbers = std::iter::successors(Some(mix(random)), |random| Some(mix(random.wrapping_add(GOLDEN))));
    numbers.take(count).map(|random| shares.draw(u32::try_from(random >> 32).unwrap_or(0)))
}

/// Weyl's step of SplitMix64: `mix` alone would stay at 0.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The less busy of two; the first one when they are equal.
fn less_busy(servers: &[Server], one: usize, other: usize) -> usize {
    let (a, b) = (&servers[one], &servers[other]);
    if b.load.is_below(b.weight, &a.load, a.weight) { other } else { one }
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { servers, rule, .. } = self;
        f.debug_struct("Rotation").field("servers", servers).field("rule", rule).finish_non_exhaustive()
    }
}
