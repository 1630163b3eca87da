//! Timeouts without timers: a connection writes down a tick, and one sweep per core looks at all of them.
//!
//! A timer of the runtime for every request costs more than reading its head. A tick is 100 ms, so a timeout strikes
//! up to 200 ms late and never early.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

/// How often the sweep comes.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// A duration in whole ticks, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticks(u64);

impl Ticks {
    pub(super) const fn new(duration: Duration) -> Self {
        let ticks = duration.as_millis().div_ceil(TICK.as_millis());
        #[expect(
            clippy::cast_possible_truncation,
            reason = "u64::MAX seconds are the longest duration there is"
        )]
        let ticks = if ticks > u64::MAX as u128 { u64::MAX } else { ticks as u64 };
        Self(ticks)
    }

    /// The rest of it after `spent`.
    pub(super) const fn after(self, spent: Self) -> Self {
        Self(self.0.saturating_sub(spent.0))
    }

    pub(super) const fn count(self) -> u64 {
        self.0
    }
}

/// One core's clock and what waits for it.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    now: Rc<Cell<u64>>,
    slots: RefCell<Vec<Rc<Slot>>>,
}

#[derive(Debug)]
struct Slot {
    at: Cell<u64>,
    idle: Cell<bool>,
    waker: RefCell<Waker>,
}

impl Deadlines {
    /// A timer that wakes `waker`, not set yet.
    pub(super) fn timer(&self, waker: &Waker) -> Timer {
        let slot =
            Slot { at: Cell::new(u64::MAX), idle: Cell::new(false), waker: RefCell::new(waker.clone()) };
        let slot = Rc::new(slot);
        self.slots.borrow_mut().push(Rc::clone(&slot));
        Timer { now: Rc::clone(&self.now), slot, bound: Cell::new(u64::MAX), retired: Cell::new(u64::MAX) }
    }

    /// Ticks since the core was started.
    pub(super) fn now(&self) -> u64 {
        self.now.get()
    }

    /// Moves the clock to `now` ticks, wakes whose time has come and forgets whose connection is gone. With
    /// `hurry` the time of every idle connection has come.
    pub(super) fn sweep(&self, now: u64, hurry: bool) {
        self.now.set(now);
        self.slots.borrow_mut().retain(|slot| {
            if hurry && slot.idle.get() {
                slot.at.set(now);
            }
            if slot.at.get() <= now {
                slot.waker.borrow().wake_by_ref();
            }
            // The other owner is the connection's timer.
            Rc::strong_count(slot) > 1
        });
    }
}

/// One connection's deadline. Setting it costs one store.
#[derive(Debug)]
pub(super) struct Timer {
    now: Rc<Cell<u64>>,
    slot: Rc<Slot>,
    /// The tick that no deadline is later than.
    bound: Cell<u64>,
    /// The tick from which on the connection takes no more requests.
    retired: Cell<u64>,
}

impl Drop for Timer {
    /// A waker keeps the memory of its task: the slot, which stays until the next sweep, must not keep that.
    fn drop(&mut self) {
        self.wakes(Waker::noop());
    }
}

impl Timer {
    /// Wakes this one instead.
    pub(super) fn wakes(&self, waker: &Waker) {
        self.slot.waker.borrow_mut().clone_from(waker);
    }

    /// Strikes after `ticks`, or earlier if the connection is idle and takes no more requests by then.
    pub(super) fn set(&self, ticks: Ticks) {
        let at = self.after(ticks).min(self.bound.get());
        self.slot.at.set(if self.slot.idle.get() { at.min(self.retired.get()) } else { at });
    }

    /// After `ticks` the connection takes no more requests.
    pub(super) fn retire_after(&self, ticks: Ticks) {
        self.retired.set(self.after(ticks));
    }

    /// Whether the connection takes no more requests.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.get() <= self.now.get()
    }

    /// From now on it strikes after `ticks` at the latest, whatever is set.
    pub(super) fn bound(&self, ticks: Ticks) {
        self.bound.set(self.after(ticks));
        self.slot.at.set(self.slot.at.get().min(self.bound.get()));
    }

    fn after(&self, ticks: Ticks) -> u64 {
        // The tick in hand is partly over already.
        self.now.get().saturating_add(ticks.0).saturating_add(1)
    }

    /// Whether the connection waits for nothing but its client's next request. Then it strikes as well when there may be
    /// none any more.
    pub(super) fn set_idle(&self, idle: bool) {
        self.slot.idle.set(idle);
        if idle {
            self.slot.at.set(self.slot.at.get().min(self.retired.get()));
        }
    }

    /// Whether the deadline has passed.
    pub(super) fn expired(&self) -> bool {
        self.slot.at.get() <= self.now.get()
    }
}
