//! What a client that does not read can have us hold of its responses.
//!
//! All streams of a connection share [`MOST`] bytes that are written and not sent. Who finds none left waits in a queue
//! before it reads on; what becomes free is set aside for the first in it, [`TURN`] for each. Only bytes that the client
//! has opened its windows for are written, and they leave whenever it reads: no stream waits for one that the client has
//! no room for. What was read from a server for such a one waits with it, and makes us read less at a time for all.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};

/// Bytes of one connection that are written and not sent: more than a fast client lets gather between two writes.
pub(super) const MOST: usize = 512 * 1024;
/// What a lane gets in its turn when others wait: two frames.
pub(super) const TURN: usize = 32 * 1024;
/// What may be read for a lane however much is held: a head, or the end of a body that no window has to be open for.
pub(super) const LEAST: usize = 2 * 1024;
/// What a piece takes besides its bytes: a server can send a response byte by byte.
const PIECE: usize = 256;

/// What one connection holds.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    /// Written and not sent.
    bytes: Cell<usize>,
    /// Read from servers and not written.
    parked: Cell<usize>,
    /// Set aside for lanes whose turn it is.
    due: Cell<usize>,
    queue: RefCell<VecDeque<Rc<RefCell<Place>>>>,
    /// Some was sent since this was asked for.
    moved: Cell<bool>,
}

/// Where a lane stands that has had to wait.
#[derive(Debug)]
enum Place {
    Queued(Waker),
    /// It is its turn; what is left of that.
    Due(usize),
}

impl Unsent {
    /// Whether nothing waits to be sent.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.get() == 0
    }

    /// Whether some was sent since the last call.
    pub(super) fn has_moved(&self) -> bool {
        self.moved.take()
    }

    fn left(&self) -> usize {
        MOST.saturating_sub(self.bytes.get() + self.due.get())
    }

    /// Gives turns for what is left.
    fn turn(&self) {
        while self.left() >= TURN {
            let Some(place) = self.queue.borrow_mut().pop_front() else { return };
            self.due.set(self.due.get() + TURN);
            if let Place::Queued(waker) = place.replace(Place::Due(TURN)) {
                waker.wake();
            }
        }
    }
}

/// A lane's part in it.
#[derive(Debug)]
pub(super) struct Share {
    unsent: Rc<Unsent>,
    /// None while it stands aside, as most do for all of their lives.
    place: RefCell<Option<Rc<RefCell<Place>>>>,
    parked: Cell<usize>,
}

impl Share {
    pub(super) fn new(unsent: &Rc<Unsent>) -> Self {
        Self { unsent: Rc::clone(unsent), place: RefCell::default(), parked: Cell::new(0) }
    }

    /// How much may be read for this lane without waiting.
    pub(super) fn gulp(&self) -> usize {
        if self.unsent.left() < TURN { LEAST } else { self.most() }
    }

    /// Waits until there is room for what is read next, and says how much of it. If nothing can be read, it is to
    /// [`Share::pass`].
    pub(super) fn poll_gulp(&self, cx: &Context<'_>) -> Poll<usize> {
        self.poll_room(cx).map(|room| room.min(self.most()))
    }

    fn most(&self) -> usize {
        (MOST.saturating_sub(self.unsent.parked.get()) / 8).max(LEAST)
    }

    /// So many bytes that were read for this lane wait to be written.
    pub(super) fn park(&self, count: usize) {
        let others = self.unsent.parked.get() - self.parked.replace(count);
        self.unsent.parked.set(others + count);
    }

    /// Waits until more may be written, and says how much.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<usize> {
        if let Some(place) = &*self.place.borrow() {
            return match &mut *place.borrow_mut() {
                Place::Due(left) => Poll::Ready(*left),
                Place::Queued(waker) => {
                    waker.clone_from(cx.waker());
                    Poll::Pending
                }
            };
        }
        // While others wait there is less.
        let left = self.unsent.left();
        if left >= TURN {
            return Poll::Ready(left);
        }
        let place = Rc::new(RefCell::new(Place::Queued(cx.waker().clone())));
        self.unsent.queue.borrow_mut().push_back(Rc::clone(&place));
        self.place.replace(Some(place));
        Poll::Pending
    }

    /// A copy of bytes that there is room for. It counts until it is sent or dropped.
    pub(super) fn piece(&self, data: &[u8]) -> Piece {
        let piece = Piece {
            bytes: Bytes::copy_from_slice(data),
            cost: data.len() + PIECE,
            unsent: Rc::clone(&self.unsent),
        };
        self.unsent.bytes.set(self.unsent.bytes.get() + piece.cost);
        self.use_up(piece.cost);
        piece
    }

    /// Takes from its turn. What is left of that is not worth another read if it is too little.
    fn use_up(&self, cost: usize) {
        if let Some(place) = &*self.place.borrow()
            && let Place::Due(left) = &mut *place.borrow_mut()
        {
            let used = cost.min(*left);
            *left -= used;
            self.unsent.due.set(self.unsent.due.get() - used);
            if *left >= LEAST {
                return;
            }
        }
        self.pass();
    }

    /// What is left of its turn, when it has one.
    fn due(&self) -> Option<usize> {
        match *self.place.borrow().as_ref()?.borrow() {
            Place::Due(left) => Some(left),
            Place::Queued(_) => None,
        }
    }

    /// Its turn is over, used or not.
    pub(super) fn pass(&self) {
        let Some(left) = self.due() else { return };
        self.place.replace(None);
        self.unsent.due.set(self.unsent.due.get() - left);
        self.unsent.turn();
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.park(0);
        self.pass();
        if let Some(own) = &*self.place.borrow() {
            self.unsent.queue.borrow_mut().retain(|place| !Rc::ptr_eq(place, own));
        }
    }
}

/// Bytes of a response on their way.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    cost: usize,
    unsent: Rc<Unsent>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.unsent.moved.set(true);
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.unsent.bytes.set(self.unsent.bytes.get() - self.cost);
        self.unsent.turn();
    }
}
