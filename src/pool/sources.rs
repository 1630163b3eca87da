//! What each source of clients may have: connections at a time, new ones in a time, requests in a time. Over all cores.
//!
//! A table of fixed size, however many sources come. It is cut into sets of [`WAYS`] places; a source belongs to one set,
//! and the digest that says to which is keyed, so that nobody can choose whom to share a set with. A set is locked for
//! as long as it takes to look through its places.
//!
//! What holds whoever comes, and however many:
//!
//! * **No flood makes a rate any looser.** A place whose source owes nothing is free: to forget that is to forget
//!   nothing. When no place of a set is free, the source that would be done first is forgotten, and the set remembers
//!   the most that it has ever forgotten: whoever gets a place begins with that much debt. So a source that was
//!   forgotten owes at least as much when it comes again, and no more than a set's places times the rate get through it.
//! * **Nobody is kept out for ever.** The debt of a set is about the past: when a burst's time has passed without
//!   newcomers, it is nothing. Until then, a newcomer is behind who was forgotten last, and waits as long as that one.
//! * **Connections are counted exactly.** A place whose source has connections is never given away. If all of a set's
//!   places have, a newcomer counts with the source that has the fewest, and owes together with all that were forgotten:
//!   it gets less than it may, but nothing only while each of those sources is at its limit, and the set never has more
//!   than its places times the limit. With four places for every connection that there may be, one set in a million comes
//!   to that.
//!
//! Who is refused owes no more than before: a client that hammers gets what its rate allows, and the rest refused.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::rate::{Debt, Rate};

/// Places of a set.
const WAYS: usize = 16;

/// What a source may have; `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at a time.
    pub connections: Option<u32>,
    /// New connections.
    pub connection_rate: Option<Rate>,
    /// Requests.
    pub request_rate: Option<Rate>,
}

/// Which limit a source is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Connections at a time.
    Connections,
    /// New connections.
    ConnectionRate,
    /// Requests.
    RequestRate,
}

/// A source gets no more for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub over: Over,
    /// When it will get more, at the earliest. Nobody knows when a connection ends: then zero.
    pub wait: Duration,
}

/// The sources of one frontend. They are told apart by a digest of 64 bits that the caller keys; time is on any clock
/// that does not go back.
#[derive(Debug)]
pub struct Sources {
    bounds: Bounds,
    sets: Box<[Mutex<Set>]>,
}

#[derive(Debug, Default)]
struct Set {
    places: [Place; WAYS],
    /// The most that is owed by a source without a place.
    forgotten: Debts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    source: u64,
    connections: u32,
    debts: Debts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Debts {
    connections: Debt,
    requests: Debt,
}

/// Where a source is in its set.
enum Found {
    /// It has a place.
    Own(usize),
    /// It can have this one: nobody there has a connection.
    Free(usize),
    /// Its connections count with those of the source there.
    Shared(usize),
}

impl Sources {
    /// A table with at least so many `places`. A place takes 32 bytes.
    #[must_use]
    pub fn new(bounds: Bounds, places: usize) -> Arc<Self> {
        let sets = places.div_ceil(WAYS).max(1);
        Arc::new(Self { bounds, sets: (0..sets).map(|_| Mutex::default()).collect() })
    }

    /// Lets a connection of `source` in: it counts for as long as what this gives lives.
    ///
    /// # Errors
    /// The limit that it is over. Then nothing is counted.
    pub fn connect(self: &Arc<Self>, source: u64, now: Duration) -> Result<Seat, Refusal> {
        let at = self.set_of(source);
        let mut set = self.lock(at);
        let found = set.find(source);
        let mut place = set.as_it_would_be(&found, source);
        if self.bounds.connections.is_some_and(|most| place.connections >= most) {
            return Err(Refusal { over: Over::Connections, wait: Duration::ZERO });
        }
        if let Some(rate) = self.bounds.connection_rate {
            let debt = rate.admit(place.debts.connections, now);
            place.debts.connections = debt.map_err(|wait| Refusal { over: Over::ConnectionRate, wait })?;
        }
        // No overflow: there are fewer connections than files.
        place.connections = place.connections.saturating_add(1);
        let way = set.put(&found, place);
        Ok(Seat { sources: Arc::clone(self), set: at, way })
    }

    /// Lets a request of `source` in.
    ///
    /// # Errors
    /// That it is over its limit. Then nothing is counted.
    pub fn request(&self, source: u64, now: Duration) -> Result<(), Refusal> {
        let Some(rate) = self.bounds.request_rate else { return Ok(()) };
        let mut set = self.lock(self.set_of(source));
        let found = set.find(source);
        let mut place = set.as_it_would_be(&found, source);
        let debt = rate.admit(place.debts.requests, now);
        place.debts.requests = debt.map_err(|wait| Refusal { over: Over::RequestRate, wait })?;
        set.put(&found, place);
        Ok(())
    }

    /// The sets are as even as the digests.
    fn set_of(&self, source: u64) -> usize {
        // The upper half of the product is below the number of sets.
        let product = u128::from(source) * self.sets.len() as u128;
        usize::try_from(product >> 64).unwrap_or(0)
    }

    fn lock(&self, set: usize) -> MutexGuard<'_, Set> {
        // Nothing that is done under the lock can be left half done by a panic.
        self.sets[set].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Set {
    fn find(&self, source: u64) -> Found {
        if let Some(way) = self.places.iter().position(|place| place.source == source) {
            return Found::Own(way);
        }
        let of_least = |(_, place): &(usize, &Place)| (place.connections, place.debts.latest());
        let least = self.places.iter().enumerate().min_by_key(of_least);
        least.map_or(Found::Own(0), |(way, place)| match place.connections {
            0 => Found::Free(way),
            _ => Found::Shared(way),
        })
    }

    /// What is known of the source that was `found`.
    fn as_it_would_be(&self, found: &Found, source: u64) -> Place {
        match *found {
            Found::Own(way) => self.places[way],
            Found::Shared(way) => Place { debts: self.forgotten, ..self.places[way] },
            Found::Free(way) => {
                let debts = self.forgotten.and(self.places[way].debts);
                Place { source, connections: 0, debts }
            }
        }
    }

    /// Writes down what it is from now on, and says where.
    fn put(&mut self, found: &Found, place: Place) -> usize {
        match *found {
            Found::Own(way) => {
                self.places[way] = place;
                way
            }
            Found::Free(way) => {
                self.forgotten = self.forgotten.and(self.places[way].debts);
                self.places[way] = place;
                way
            }
            Found::Shared(way) => {
                // It has no account of its own, now or when it comes again.
                self.forgotten = place.debts;
                self.places[way].connections = place.connections;
                way
            }
        }
    }
}

impl Debts {
    /// When there is nothing left of them.
    fn latest(&self) -> Debt {
        self.connections.max(self.requests)
    }

    /// The greater of each.
    fn and(self, other: Self) -> Self {
        Self {
            connections: self.connections.max(other.connections),
            requests: self.requests.max(other.requests),
        }
    }
}

/// A connection that counts for its source until this is dropped.
#[derive(Debug)]
#[must_use = "it counts for as long as it lives"]
pub struct Seat {
    sources: Arc<Sources>,
    set: usize,
    way: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut set = self.sources.lock(self.set);
        // Nobody gets a place that has connections: it is still the same.
        let place = &mut set.places[self.way];
        place.connections = place.connections.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests;
