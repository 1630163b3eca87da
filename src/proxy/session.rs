//! One client's connection: its requests, one after the other, each to a server that answers.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use tokio::task::coop::consume_budget;

pub(super) use self::asked::Asked;
use self::asked::Instead;
use super::buffer::Buffer;
use super::core::{Core, Guest};
use super::deadline::Timer;
use super::door::Door;
use super::h2;
use super::stream::Stream;
use super::upstream::Own;
use super::visitor::Visitor;
use crate::http::Scan;

mod answer;
mod asked;
mod forward;

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Request,
    Close,
    /// Close, but the client may still be sending.
    Linger,
    /// Close so that the client cannot take what it got for the whole response.
    Abort,
}

/// A client's connection. While it is idle this is all there is of it, so it must stay small: what a request needs is
/// boxed for as long as the request lasts.
pub(super) struct Session {
    core: Rc<Core>,
    timer: Timer,
    stream: Stream,
    /// What the client sent beyond what was used.
    buffer: Buffer,
    visitor: Visitor,
    /// Its connections to servers that were told who it is.
    own: Vec<Own>,
    /// The client's address in text, for X-Forwarded-For.
    address: Rc<str>,
    door: Rc<Door>,
    /// A stream has none: its connection has.
    guest: Option<Guest>,
}

impl Session {
    pub(super) fn new(guest: Guest, stream: Stream, visitor: Visitor, door: Rc<Door>) -> Self {
        let core = guest.core();
        let (timer, address) = (core.timer(), visitor.peer.ip().to_string().into());
        Self {
            core,
            timer,
            stream,
            buffer: Buffer::default(),
            visitor,
            own: Vec::new(),
            address,
            door,
            guest: Some(guest),
        }
    }

    /// For a stream of a client that speaks HTTP/2: it is served [`Session::once`].
    pub(super) fn of_stream(
        core: Rc<Core>,
        stream: Stream,
        visitor: Visitor,
        address: Rc<str>,
        door: Rc<Door>,
    ) -> Self {
        let (timer, buffer) = (core.deadlines.timer(Waker::noop()), Buffer::default());
        Self { core, timer, stream, buffer, visitor, own: Vec::new(), address, door, guest: None }
    }

    /// Serves one request and says nothing about what comes next.
    pub(super) async fn once(&mut self) {
        self.wake_by_timer().await;
        self.turn().await;
        self.buffer.release(&self.core.buffers);
    }

    /// Serves the client until either side has enough.
    pub(super) async fn serve(&mut self) {
        self.wake_by_timer().await;
        let mut next = Next::Request;
        let mut begun = self.begins().await;
        if begun && self.door.h2 && self.buffer.data()[0] == h2::PREFACE[0] && Box::pin(self.is_h2()).await {
            return Box::pin(self.speak_h2()).await;
        }
        while next == Next::Request {
            next = if begun { Box::pin(self.turn()).await } else { Next::Close };
            if next == Next::Request {
                // Who stays is watched: the news of the servers' idle connections come with the news of the client's
                // next request. If it cannot be, reading fails.
                if matches!(self.stream, Stream::Lazy(_)) {
                    let _ = self.stream.watch();
                }
                // Requests that have come together can keep us busy without ever waiting.
                consume_budget().await;
                begun = self.begins().await;
            }
        }
        if next == Next::Linger || next == Next::Close && !self.buffer.is_empty() {
            Box::pin(self.linger()).await;
        }
        self.buffer.release(&self.core.buffers);
        if next == Next::Abort {
            std::mem::replace(&mut self.stream, Stream::Lost).abort();
        }
    }

    async fn wake_by_timer(&self) {
        let knows = poll_fn(|cx| {
            self.timer.wakes(cx.waker());
            Poll::Ready(())
        });
        knows.await;
    }

    /// Whether the client begins as HTTP/2 does, see [`h2::PREFACE`]. As little is read as tells.
    async fn is_h2(&mut self) -> bool {
        self.timer.set(self.core.patience.head);
        let told = poll_fn(|cx| {
            loop {
                let said = self.buffer.data();
                let told = said.len().min(h2::PREFACE.len());
                if said[..told] != h2::PREFACE[..told] || told == h2::PREFACE.len() {
                    return Poll::Ready(told == h2::PREFACE.len() && said.starts_with(h2::PREFACE));
                }
                match self.buffer.poll_fill(cx, &mut self.stream, &self.core.buffers) {
                    Poll::Ready(Ok(count)) if count > 0 => {}
                    Poll::Pending if !self.timer.expired() => {
                        self.buffer.park(&self.core.buffers);
                        return Poll::Pending;
                    }
                    // The reader of requests says what there is to say.
                    Poll::Ready(_) | Poll::Pending => return Poll::Ready(false),
                }
            }
        });
        told.await
    }

    async fn speak_h2(&mut self) {
        let Some(guest) = self.guest.take() else { return };
        let read = Vec::from(self.buffer.data());
        self.buffer.release(&self.core.buffers);
        let stream = std::mem::replace(&mut self.stream, Stream::Lost);
        h2::serve(guest, stream, &read, self.visitor.clone(), Rc::clone(&self.door)).await;
    }

    /// Waits for the next request; false when the client has closed or has been idle for too long.
    async fn begins(&mut self) -> bool {
        if !self.buffer.is_empty() {
            // Its beginning has come with the last one.
            return true;
        }
        self.timer.set(self.core.patience.idle);
        self.timer.set_idle(true);
        let begun = poll_fn(|cx| match self.buffer.poll_fill(cx, &mut self.stream, &self.core.buffers) {
            Poll::Ready(read) => Poll::Ready(read.is_ok_and(|count| count > 0)),
            Poll::Pending if self.timer.expired() => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        });
        let begun = begun.await;
        self.timer.set_idle(false);
        begun
    }

    /// One request that has begun.
    async fn turn(&mut self) -> Next {
        self.timer.set(self.core.patience.head);
        // It is written where it stays: what comes out of a wait is kept beside what it is taken apart into.
        let (mut scan, mut asked) = (Scan::request(), None);
        if let Err(problem) = poll_fn(|cx| self.poll_request(cx, &mut scan, &mut asked)).await {
            return Box::pin(self.answer(&problem, false, false)).await;
        }
        let Some(asked) = &mut asked else { return Next::Close };
        let next = self.forward(asked).await;
        std::mem::take(&mut asked.upload).release(&self.core.buffers);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the future that a call would give.
    fn size<'s, F>(_: impl FnOnce(&'s mut Session) -> F) -> usize {
        size_of::<F>()
    }

    /// It is allocated for every request. What is longer than 1032 bytes, glibc's malloc looks for in its arena
    /// (`tcache`).
    /// With a socket and an entry among the deadlines, this is all there is of it.
    #[test]
    fn an_idle_client_is_small() {
        let all = size_of::<Session>() + size(Session::serve);
        assert!(all <= 288, "{all} bytes");
    }

    #[test]
    fn a_request_is_small() {
        assert!(size(Session::turn) <= 1032, "{} bytes", size(Session::turn));
    }
}
