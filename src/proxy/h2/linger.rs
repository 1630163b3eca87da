//! The end of a connection, as with HTTP/1.1: closing while the client still says something, be it only that its windows
//! are open again, resets the connection and takes along what is on the way to it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::proxy::buffer::Buffer;
use crate::proxy::core::Core;
use crate::proxy::deadline::{Ticks, Timer};
use crate::proxy::stream::Stream;

/// How long a client that was told to go may take to answer or to close, when nothing runs any more; and how long it may
/// take nothing of what is on the way to it.
pub(super) const LINGER: Ticks = Ticks::new(Duration::from_secs(2));

/// What is said to a client, seen from the kernel's end.
#[derive(Debug)]
pub(super) struct Outlet {
    stream: Rc<RefCell<Stream>>,
    /// What the client had not taken when that was last asked.
    queued: usize,
}

impl Outlet {
    pub(super) fn new(stream: Rc<RefCell<Stream>>) -> Self {
        Self { stream, queued: 0 }
    }

    /// Whether less is queued than when this was last asked.
    pub(super) fn has_sunk(&mut self) -> bool {
        let queued = self.stream.borrow().queued();
        queued < std::mem::replace(&mut self.queued, queued)
    }

    /// Says that nothing more will come, and reads on until the client closes, or neither does nor takes anything.
    pub(super) async fn linger(mut self, core: &Core, timer: &Timer) {
        let (mut buffer, mut said) = (Buffer::default(), false);
        self.has_sunk();
        timer.set(LINGER);
        poll_fn(|cx| {
            // A failure means that the client is gone, which the read below will tell.
            said = said || self.stream.borrow_mut().poll_shutdown(cx).is_ready();
            loop {
                buffer.consume(buffer.len());
                let read = buffer.poll_fill(cx, &mut self.stream.borrow_mut(), &core.buffers);
                match read {
                    Poll::Ready(Ok(count)) if count > 0 => {}
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending if !timer.expired() => return Poll::Pending,
                    Poll::Pending if self.has_sunk() => timer.set(LINGER),
                    Poll::Pending => return Poll::Ready(()),
                }
            }
        })
        .await;
        buffer.release(&core.buffers);
    }
}
