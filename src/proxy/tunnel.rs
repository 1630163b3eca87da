//! Both directions between a client and a server as the bytes come, until both have ended: what TCP frontends are
//! made of, and connections that were upgraded.
//!
//! It never looks at what it passes on. The end of one direction is passed on as an end (a half-closed connection
//! goes on the other way); what breaks one breaks both. What was read is written before more is read, so that the
//! slower side sets the pace. Short messages are copied; once a read brings as much as it may, more is taken to follow
//! and the kernel moves it, until it has less.
//!
//! Either side may be silent for an hour, and the kernel asks it whether it is there, see [`keepalive`]: one that has vanished
//! breaks the tunnel after half a minute of silence, or when its kernel has not acknowledged something for so long that ours
//! gives up (`tcp_retries2`, a quarter of an hour).
//!
//! [`keepalive`]: crate::net::keepalive

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use super::buffer::{Buffer, Buffers};
use super::bulk::{BULK, Bulk};
use super::core::Core;
use super::deadline::Timer;
use super::pipe::Means;
use super::stream::Stream;

/// What a read takes at most: of what is longer, the rest is for the kernel to move.
const READ: usize = 16 * 1024;

/// How a tunnel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// Both sides said all they had to say.
    Whole,
    /// One side broke off, nobody said anything for too long, or it has lived for as long as it may. What broke off on
    /// one side must not look like an orderly end on the other: the server was told so, the client is still to be.
    Broken,
}

/// Passes on what client and server say, beginning with what was read already: `said` of the client for the server,
/// `answered` of the server for the client.
/// Not an async function: its future would have each of these twice.
pub(super) fn pass<'t>(
    core: &'t Core,
    timer: &'t Timer,
    (client, said): (&'t mut Stream, Buffer),
    (mut server, answered): (Stream, Buffer),
) -> impl Future<Output = Closed> + 't {
    let patience = core.patience.tunnel;
    if let Some(lifetime) = core.patience.lifetime {
        timer.bound(lifetime);
    }
    timer.set(patience);
    let mut tunnel = Tunnel { up: Direction::new(said), down: Direction::new(answered) };
    let means = Means { buffers: &core.buffers, timer, patience, pace: 0 };
    poll_fn(move |cx| {
        let closed = ready!(tunnel.poll(cx, client, &mut server, means));
        tunnel.release(means.buffers);
        if closed == Closed::Broken {
            std::mem::replace(&mut server, Stream::Lost).abort();
        }
        Poll::Ready(closed)
    })
}

/// A client and a server with all that lies between them: what an idle tunnel is made of.
#[derive(Debug)]
struct Tunnel {
    up: Direction,
    down: Direction,
}

#[derive(Debug)]
struct Direction {
    /// What was read and is not written yet.
    buffer: Buffer,
    /// What is in the kernel's hands.
    bulk: Bulk,
    /// The last read brought as much as it may: more will follow.
    long: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Passing,
    /// The source has ended; the sink is told.
    Ending,
    Ended,
}

impl Tunnel {
    /// Moves both directions on until they have ended. The timer is set anew whenever something moves.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Stream,
        server: &mut Stream,
        means: Means<'_>,
    ) -> Poll<Closed> {
        let up = self.up.poll(cx, client, server, means);
        let down = self.down.poll(cx, server, client, means);
        match (up, down) {
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => Poll::Ready(Closed::Broken),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Closed::Whole),
            _ if means.timer.expired() => Poll::Ready(Closed::Broken),
            _ => Poll::Pending,
        }
    }

    /// Gives the memory back.
    fn release(&mut self, buffers: &Buffers) {
        for direction in [&mut self.up, &mut self.down] {
            direction.buffer.release(buffers);
            direction.bulk.release(&buffers.pipes);
        }
    }
}

impl Direction {
    fn new(buffer: Buffer) -> Self {
        Self { buffer, bulk: Bulk::default(), long: false, stage: Stage::Passing }
    }

    /// Moves on until the source has ended and the sink knows; an error when either is broken.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        to: &mut Stream,
        means: Means<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.stage {
                Stage::Passing => {
                    ready!(self.poll_write(cx, to, means))?;
                    if ready!(self.poll_read(cx, from, to, means))? == 0 {
                        self.stage = Stage::Ending;
                    }
                    means.timer.set(means.patience);
                }
                Stage::Ending => {
                    ready!(to.poll_shutdown(cx))?;
                    self.stage = Stage::Ended;
                }
                Stage::Ended => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Writes what was read, all of it.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut Stream,
        means: Means<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.buffer.is_empty() {
            let Poll::Ready(written) = to.poll_write(cx, self.buffer.data()) else {
                // It may take long.
                self.buffer.park(means.buffers);
                return Poll::Pending;
            };
            match written? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.buffer.consume(count),
            }
            means.timer.set(means.patience);
        }
        while ready!(self.bulk.poll_drain(cx, to, &means.buffers.pipes))? {
            means.timer.set(means.patience);
        }
        let flushed = to.poll_flush(cx);
        if flushed.is_pending() {
            self.buffer.release(means.buffers);
        }
        flushed
    }

    /// Reads once, into the buffer or into the kernel's hands; 0 is the end. Everything before must be written.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        to: &Stream,
        means: Means<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.long && self.bulk.is_possible(from, to) {
            self.buffer.release(means.buffers);
            if let Some(count) = ready!(self.bulk.poll_fill(cx, from, usize::MAX, &means.buffers.pipes))? {
                self.long = count >= BULK;
                return Poll::Ready(Ok(count));
            }
        }
        let count = ready!(self.buffer.poll_fill_some(cx, from, means.buffers, READ))?;
        self.long = count == READ;
        Poll::Ready(Ok(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_tunnel_is_small() {
        assert!(size_of::<Tunnel>() <= 160, "{} bytes", size_of::<Tunnel>());
    }
}
