//! Requests that wait until a server of their pool has a free place: first come, first served, over all cores.
//!
//! Nobody spins and nobody is woken in vain: who leaves a place gives it to the first who may have it, and wakes that
//! one alone. The lock is taken only while someone waits or begins to, never for a pool without limits. It is held
//! for a few pointers' work; the queue is bounded, and so is the search for one who may have the place.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::load::InFlight;
use super::server::ServerId;
use super::tried::Tried;

/// The queue of a pool.
#[derive(Debug)]
pub struct Queue {
    most: usize,
    patience: Duration,
    /// How many wait and have no place yet.
    waiting: AtomicUsize,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    next_ticket: u64,
    /// In the order in which they came, which is that of their tickets.
    waiters: VecDeque<Waiter>,
    /// Places for those who have not taken them yet.
    given: Vec<(u64, InFlight)>,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    /// The one server that it waits for; `None`: any that it has not tried.
    wants: Option<ServerId>,
    tried: Tried,
    /// The pool has changed.
    look: bool,
    waker: Waker,
}

impl Waiter {
    fn new(ticket: u64, wants: Option<ServerId>, tried: Tried) -> Self {
        Self { ticket, wants, tried, look: false, waker: Waker::noop().clone() }
    }
}

/// Why a waiter was woken.
#[derive(Debug)]
pub enum Woken {
    /// It has a place at this server, and waits no more.
    Place(ServerId, InFlight),
    /// The pool has changed: it should look for a place itself. It still waits.
    Look,
}

impl Queue {
    /// A queue for at most `most` requests, of which each waits at most for `patience`.
    #[must_use]
    pub fn new(most: usize, patience: Duration) -> Arc<Self> {
        Arc::new(Self { most, patience, waiting: AtomicUsize::new(0), line: Mutex::default() })
    }

    /// How long a request waits at most. Whoever waits keeps the time.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// How many wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// Queues up for a place at `wants`, or at any server that is not among `tried`; `None` when the queue is full.
    /// From now on places are given to it; it must look for one that was free before, and then [`Waiting::poll`].
    #[must_use]
    pub fn join(self: &Arc<Self>, wants: Option<ServerId>, tried: Tried) -> Option<Waiting> {
        let mut line = self.line();
        if line.waiters.len() >= self.most {
            return None;
        }
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        line.waiters.push_back(Waiter::new(ticket, wants, tried));
        self.waiting.fetch_add(1, SeqCst);
        Some(Waiting { queue: Arc::clone(self), ticket })
    }

    /// Gives what `place` makes to the first who may have a place at `server`; false when there is nobody or nothing.
    pub(super) fn give(&self, server: ServerId, place: impl FnOnce() -> Option<InFlight>) -> bool {
        if self.waiting() == 0 {
            return false;
        }
        let mut line = self.line();
        let suits = |waiter: &Waiter| {
            waiter.wants.is_none_or(|wants| wants == server) && !waiter.tried.contains(server)
        };
        let Some(at) = line.waiters.iter().position(suits) else { return false };
        let Some(place) = place() else { return false };
        let Some(Waiter { ticket, waker, .. }) = line.waiters.remove(at) else { return false };
        line.given.push((ticket, place));
        self.waiting.fetch_sub(1, SeqCst);
        drop(line);
        waker.wake();
        true
    }

    /// Has everyone look for a place: the servers in rotation have changed.
    pub(super) fn stir(&self) {
        let mut line = self.line();
        for waiter in &mut line.waiters {
            waiter.look = true;
            waiter.waker.wake_by_ref();
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Nothing that is done under the lock can be left half done by a panic.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits; when it is dropped it waits no more, and a place that it was given goes to the next.
#[derive(Debug)]
pub struct Waiting {
    queue: Arc<Queue>,
    ticket: u64,
}

impl Waiting {
    /// From now on it waits for a place at `wants`, or at any server that is not among `tried`. It keeps its turn, and has
    /// it back when the place that it was given was of no use; so the queue may be full. As after [`Queue::join`], it must
    /// look for a place that was free before.
    pub fn turn_to(&self, wants: Option<ServerId>, tried: &Tried) {
        let mut line = self.queue.line();
        match line.seek(self.ticket) {
            Ok(at) => {
                if let Some(waiter) = line.waiters.get_mut(at) {
                    waiter.wants = wants;
                }
            }
            // It has a place, and is about to hear of it.
            Err(_) if line.given.iter().any(|(given, _)| *given == self.ticket) => {}
            Err(at) => {
                line.waiters.insert(at, Waiter::new(self.ticket, wants, tried.clone()));
                self.queue.waiting.fetch_add(1, SeqCst);
            }
        }
    }

    /// Whether there is a place, or reason to look for one.
    pub fn poll(&self, cx: &Context<'_>) -> Poll<Woken> {
        let mut line = self.queue.line();
        if let Some((server, place)) = line.take(self.ticket) {
            return Poll::Ready(Woken::Place(server, place));
        }
        let Some(waiter) = line.find(self.ticket).and_then(|at| line.waiters.get_mut(at)) else {
            // It has had its place already.
            return Poll::Ready(Woken::Look);
        };
        if std::mem::take(&mut waiter.look) {
            return Poll::Ready(Woken::Look);
        }
        waiter.waker.clone_from(cx.waker());
        Poll::Pending
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut line = self.queue.line();
        if let Some(at) = line.find(self.ticket) {
            line.waiters.remove(at);
            self.queue.waiting.fetch_sub(1, SeqCst);
        }
        let given = line.take(self.ticket);
        // Leaving a place takes the lock.
        drop(line);
        drop(given);
    }
}

impl Line {
    fn find(&self, ticket: u64) -> Option<usize> {
        self.seek(ticket).ok()
    }

    /// Where it is, or would be.
    fn seek(&self, ticket: u64) -> Result<usize, usize> {
        self.waiters.binary_search_by_key(&ticket, |waiter| waiter.ticket)
    }

    fn take(&mut self, ticket: u64) -> Option<(ServerId, InFlight)> {
        let at = self.given.iter().position(|(given, _)| *given == ticket)?;
        let (_, place) = self.given.swap_remove(at);
        Some((place.server()?, place))
    }
}
