//! The part of a body that nobody has to look at: the kernel moves it from one connection to the other.
//!
//! A pipe is held only while bytes are in it, as a buffer is. What was filled in is drained before more is taken, so
//! the sink sets the pace.

use std::io;
use std::task::{Context, Poll, ready};

use super::stream::Stream;
use crate::net::splice::{Pipe, Pipes};

/// A body of which less is left is copied: two calls for a move are dearer than one more copy.
pub(super) const BULK: usize = 32 * 1024;

/// Bytes in the kernel, on their way.
#[derive(Debug, Default)]
pub(super) struct Bulk {
    pipe: Option<Pipe>,
    /// There was no pipe to be had; this body is copied.
    refused: bool,
}

impl Bulk {
    /// Whether it may take bytes from one to the other.
    pub(super) fn is_possible(&self, from: &Stream, to: &Stream) -> bool {
        !self.refused && from.is_bare() && to.is_bare()
    }

    /// Takes up to `most` bytes; `None` when there is no pipe for it. Everything before must be drained.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        most: usize,
        pipes: &Pipes,
    ) -> Poll<io::Result<Option<usize>>> {
        let Some(mut pipe) = pipes.take() else {
            self.refused = true;
            return Poll::Ready(Ok(None));
        };
        let filled = from.poll_fill(cx, &mut pipe, most);
        if pipe.held() > 0 {
            self.pipe = Some(pipe);
        } else {
            pipes.give(pipe);
        }
        filled.map_ok(Some)
    }

    /// Passes on what was taken, once; whether there was anything.
    pub(super) fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut Stream,
        pipes: &Pipes,
    ) -> Poll<io::Result<bool>> {
        let Some(pipe) = &mut self.pipe else { return Poll::Ready(Ok(false)) };
        if ready!(to.poll_drain(cx, pipe))? == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        if pipe.held() == 0 {
            self.release(pipes);
        }
        Poll::Ready(Ok(true))
    }

    /// Gives the pipe back; with bytes in it, it is closed.
    pub(super) fn release(&mut self, pipes: &Pipes) {
        if let Some(pipe) = self.pipe.take() {
            pipes.give(pipe);
        }
    }
}
