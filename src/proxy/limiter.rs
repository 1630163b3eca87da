//! What one source of clients may have of a frontend, for all cores: the table of `pool::sources` with a key, a clock and
//! a mouth.
//!
//! Only frontends with such limits have one; the others pay for a look at a pointer that is not there.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::core::Core;
use super::door::Door;
use super::problem::Problem;
use crate::config::{Frontend, PerSource};
use crate::net::clock;
use crate::pool::{Over, Refusal, Seat, Sources};

/// Between two lines of one frontend about sources that had enough.
const PAUSE_US: u64 = 1_000_000;

/// The limits of a frontend.
#[derive(Debug)]
pub(super) struct Limiter {
    frontend: String,
    per_source: PerSource,
    sources: Arc<Sources>,
    /// Nobody outside knows it, so that nobody can choose which sources share a set of the table.
    key: RandomState,
    /// When the next line may be logged, µs.
    next_line: AtomicU64,
    /// Refused since the last line.
    unsaid: AtomicU64,
}

impl Limiter {
    pub(super) fn new(settings: &Frontend) -> Option<Arc<Self>> {
        let per_source = settings.per_source.clone()?;
        let sources = Sources::new(per_source.bounds, per_source.table);
        let frontend = settings.name.clone();
        let (next_line, unsaid) = (AtomicU64::new(0), AtomicU64::new(0));
        Some(Arc::new(Self { frontend, per_source, sources, key: RandomState::new(), next_line, unsaid }))
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

    /// Says who had enough, once a second at most, and how many were refused besides.
    fn say(&self, address: IpAddr, over: Over) {
        let (now, relaxed) = (clock::now().as_micros(), Ordering::Relaxed);
        let due = |next: u64| (now >= next).then_some(now + PAUSE_US);
        if self.next_line.fetch_update(relaxed, relaxed, due).is_err() {
            self.unsaid.fetch_add(1, relaxed);
            return;
        }
        let besides = self.unsaid.swap(0, relaxed);
        let (frontend, limit) = (&self.frontend, name(over));
        tracing::info!(source = %address, "{frontend}: over `{limit}` of `per_source`; {besides} more refused before");
    }
}

/// As the config calls it.
fn name(over: Over) -> &'static str {
    match over {
        Over::Connections => "connections",
        Over::ConnectionRate => "connection_rate",
        Over::RequestRate => "request_rate",
    }
}

fn now() -> Duration {
    Duration::from_micros(clock::now().as_micros())
}

impl Core {
    /// Counts a new connection for its source, for as long as what this gives lives.
    pub(super) fn seat(&self, door: &Door, peer: SocketAddr) -> Result<Option<Box<Seat>>, Problem> {
        let Some(limiter) = &door.limiter else { return Ok(None) };
        limiter.connect(peer.ip()).map_err(|refusal| self.enough(limiter, door, peer, refusal))
    }

    /// Counts a request for its source.
    pub(super) fn may_ask(&self, door: &Door, peer: SocketAddr) -> Result<(), Problem> {
        let Some(limiter) = &door.limiter else { return Ok(()) };
        limiter.request(peer.ip()).map_err(|refusal| self.enough(limiter, door, peer, refusal))
    }

    #[cold]
    fn enough(&self, limiter: &Limiter, door: &Door, peer: SocketAddr, refusal: Refusal) -> Problem {
        let Refusal { over, wait } = refusal;
        self.counters.frontends[door.frontend].over_limit(over);
        limiter.say(peer.ip(), over);
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
