//! How busy a server is, counted over all cores, and how busy it may become.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed, Ordering::SeqCst};

use super::queue::Queue;
use super::server::ServerId;

/// The requests that a server has in hand now, over all cores. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct Load(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    in_flight: AtomicU32,
    /// Only of a server with a limit.
    places: Option<Places>,
}

/// What a server with a limit has besides.
#[derive(Debug)]
struct Places {
    server: ServerId,
    most: u32,
    /// It is in rotation: a place that becomes free may be given to who waits.
    open: AtomicBool,
    queue: Arc<Queue>,
}

impl Load {
    /// That of `server`, which has at most `most` requests in hand; the others wait in its pool's `queue`.
    #[must_use]
    pub fn limited(server: ServerId, most: u32, queue: Arc<Queue>) -> Self {
        let places = Places { server, most, open: AtomicBool::new(true), queue };
        Self(Arc::new(Shared { in_flight: AtomicU32::new(0), places: Some(places) }))
    }

    /// How many there are.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        // Relaxed, here and in `enter`: without a limit the counter orders nothing but itself.
        self.0.in_flight.load(Relaxed)
    }

    /// The most there may be; `None`: no limit.
    #[must_use]
    pub fn most(&self) -> Option<u32> {
        self.0.places.as_ref().map(|places| places.most)
    }

    /// Where requests wait that find no place; `None`: there is no limit.
    #[must_use]
    pub fn queue(&self) -> Option<&Arc<Queue>> {
        self.0.places.as_ref().map(|places| &places.queue)
    }

    /// One more, whatever the limit, until what this gives is dropped: by the end of the exchange, an early return or
    /// a panic.
    pub fn enter(&self) -> InFlight {
        self.0.in_flight.fetch_add(1, Relaxed);
        InFlight(Arc::clone(&self.0))
    }

    /// One more if the limit allows it.
    pub fn try_enter(&self) -> Option<InFlight> {
        Shared::try_enter(&self.0)
    }

    /// Whether the limit allows one more at this moment.
    #[must_use]
    pub fn has_room(&self) -> bool {
        // Sequentially consistent, here and where places are taken and left: who queues looks for a place after it
        // is seen waiting, and who leaves looks for who waits after the place is free, so that one sees the other.
        self.most().is_none_or(|most| self.0.in_flight.load(SeqCst) < most)
    }

    /// Says whether the server is in rotation, so that its places may be given to who waits.
    pub(super) fn set_open(&self, open: bool) {
        if let Some(places) = &self.0.places {
            places.open.store(open, SeqCst);
        }
    }

    /// Whether a server of this load and `weight` is less busy than another. As HAProxy has it: idle servers are
    /// equal whatever their weight; a busy one counts what it would have with one more request, divided by its weight.
    #[must_use]
    pub fn is_below(&self, weight: u16, other: &Self, other_weight: u16) -> bool {
        let next = |load: &Self| match u64::from(load.in_flight()) {
            0 => 0,
            busy => busy + 1,
        };
        let (mine, its) = (next(self) * u64::from(other_weight), next(other) * u64::from(weight));
        mine.cmp(&its) == Ordering::Less
    }
}

impl Shared {
    fn try_enter(shared: &Arc<Self>) -> Option<InFlight> {
        let most = shared.places.as_ref().map_or(u32::MAX, |places| places.most);
        let more = |busy: u32| (busy < most).then_some(busy + 1);
        let entered = shared.in_flight.fetch_update(SeqCst, SeqCst, more).is_ok();
        entered.then(|| InFlight(Arc::clone(shared)))
    }
}

/// A request that a server has in hand.
#[derive(Debug)]
#[must_use = "it counts for as long as it lives"]
pub struct InFlight(Arc<Shared>);

impl InFlight {
    /// Whose it is; `None` for servers without a limit.
    pub(super) fn server(&self) -> Option<ServerId> {
        self.0.places.as_ref().map(|places| places.server)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let shared = &self.0;
        let Some(places) = &shared.places else {
            shared.in_flight.fetch_sub(1, Relaxed);
            return;
        };
        let Places { server, most, open, queue } = places;
        // Passed on as it is, so that nobody who comes now is faster than who waits.
        let pass_on = || (shared.in_flight.load(SeqCst) <= *most).then(|| Self(Arc::clone(shared)));
        if open.load(SeqCst) && queue.give(*server, pass_on) {
            return;
        }
        shared.in_flight.fetch_sub(1, SeqCst);
        // Someone may have queued up between the two.
        if open.load(SeqCst) {
            queue.give(*server, || Shared::try_enter(shared));
        }
    }
}
