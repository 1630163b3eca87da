//! What one source of clients may have of a frontend, for all cores: the table of `pool::sources` with a key and a clock.
//!
//! Only frontends with such limits have one; the others pay for a look at a pointer that is not there.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::core::Core;
use super::door::Door;
use super::problem::Problem;
use crate::config::{Frontend, PerSource};
use crate::net::clock;
use crate::pool::{Refusal, Seat, Sources};

/// The limits of a frontend.
#[derive(Debug)]
pub(super) struct Limiter {
    per_source: PerSource,
    sources: Arc<Sources>,
    /// Nobody outside knows it, so that nobody can choose which sources share a set of the table.
    key: RandomState,
}

impl Limiter {
    pub(super) fn new(settings: &Frontend) -> Option<Arc<Self>> {
        let per_source = settings.per_source.clone()?;
        let sources = Sources::new(per_source.bounds, per_source.table);
        Some(Arc::new(Self { per_source, sources, key: RandomState::new() }))
    }

    /// Counts a new connection; `None` if nobody limits who is there.
    fn connect(&self, address: IpAddr) -> Result<Option<Box<Seat>>, Refusal> {
        let Some(source) = self.per_source.source(address) else { return Ok(None) };
        let seat = self.sources.connect(self.key.hash_one(source), now())?;
        Ok(Some(Box::new(seat)))
    }

    /// Counts a request.
    fn request(&self, address: IpAddr) -> Result<(), Refusal> {
        let Some(source) = self.per_source.source(address) else { return Ok(()) };
        self.sources.request(self.key.hash_one(source), now())
    }
}

fn now() -> Duration {
    Duration::from_micros(clock::now().as_micros())
}

impl Core {
    /// Counts a new connection for its source, for as long as what this gives lives.
    pub(super) fn seat(&self, door: &Door, peer: SocketAddr) -> Result<Option<Box<Seat>>, Problem> {
        let Some(limiter) = &door.limiter else { return Ok(None) };
        limiter.connect(peer.ip()).map_err(|refusal| self.enough(door, refusal))
    }

    /// Counts a request for its source.
    pub(super) fn may_ask(&self, door: &Door, peer: SocketAddr) -> Result<(), Problem> {
        let Some(limiter) = &door.limiter else { return Ok(()) };
        limiter.request(peer.ip()).map_err(|refusal| self.enough(door, refusal))
    }

    #[cold]
    fn enough(&self, door: &Door, refusal: Refusal) -> Problem {
        let Refusal { over, wait } = refusal;
        self.counters.frontends[door.frontend].over_limit(over);
        Problem::Enough { over, wait }
    }
}

/// A client that is told that its source has enough. They stay a moment after that, so their number is bounded: a flood
/// of one source must not take the place of others.
pub(super) struct Telling(Rc<Core>);

impl Telling {
    /// `None` when enough clients are being told: this one is closed without a word.
    pub(super) fn begin(core: &Rc<Core>) -> Option<Self> {
        let most = (core.limits.connections / SHARE).max(1);
        core.telling().fetch_add(1, Ordering::Relaxed);
        // From here on it is taken back when it is dropped.
        let telling = Self(Rc::clone(core));
        (core.telling().load(Ordering::Relaxed) <= most).then_some(telling)
    }
}

/// The part of all connections that those may be.
const SHARE: usize = 8;

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.telling().fetch_sub(1, Ordering::Relaxed);
    }
}
