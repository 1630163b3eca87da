//! Both directions between a client and a server as the bytes come, until both have ended: what TCP frontends are
//! made of, and connections that were upgraded.
//!
//! It never looks at what it passes on. The end of one direction is passed on as an end (a half-closed connection
//! goes on the other way); what breaks one breaks both.

use std::task::{Context, Poll, ready};

use super::buffer::{Buffer, Buffers};
use super::pipe::{Broken, Means, Pipe};
use super::stream::Stream;
use crate::http::{Body, Delivery};

/// How a tunnel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// Both sides said all they had to say.
    Whole,
    /// The client broke off.
    ByClient,
    /// The server broke off.
    ByServer,
    /// Nobody said anything for too long, or it has lived for as long as it may.
    Expired,
}

/// A client and a server with all that lies between them.
#[derive(Debug)]
pub(super) struct Tunnel {
    up: Direction,
    down: Direction,
}

#[derive(Debug)]
struct Direction {
    pipe: Pipe,
    /// What was read and is not written yet.
    buffer: Buffer,
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
    /// Begins with what was read already: `said` of the client for the server, `answered` of the server for the
    /// client.
    pub(super) fn new(said: Buffer, answered: Buffer) -> Self {
        Self { up: Direction::new(said), down: Direction::new(answered) }
    }

    /// Moves both directions on until they have ended. `timer` is set anew whenever something moves.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Stream,
        server: &mut Stream,
        means: Means<'_>,
    ) -> Poll<Closed> {
        let up = self.up.poll(cx, client, server, means);
        if let Poll::Ready(Err(broken)) = up {
            return Poll::Ready(if broken == Side::Source { Closed::ByClient } else { Closed::ByServer });
        }
        let down = self.down.poll(cx, server, client, means);
        if let Poll::Ready(Err(broken)) = down {
            return Poll::Ready(if broken == Side::Source { Closed::ByServer } else { Closed::ByClient });
        }
        if up.is_ready() && down.is_ready() {
            return Poll::Ready(Closed::Whole);
        }
        if means.timer.expired() { Poll::Ready(Closed::Expired) } else { Poll::Pending }
    }

    /// Gives the memory back.
    pub(super) fn release(self, buffers: &Buffers) {
        for mut direction in [self.up, self.down] {
            direction.buffer.release(buffers);
            direction.pipe.release(buffers);
        }
    }
}

/// Which end of a direction broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Source,
    Sink,
}

impl Direction {
    fn new(buffer: Buffer) -> Self {
        let pipe = Pipe::new(Vec::new(), Body::UntilClose, Delivery::Raw, None);
        Self { pipe, buffer, stage: Stage::Passing }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        to: &mut Stream,
        means: Means<'_>,
    ) -> Poll<Result<(), Side>> {
        loop {
            match self.stage {
                Stage::Passing => {
                    let passed = ready!(self.pipe.poll(cx, &mut self.buffer, from, to, means));
                    passed.map_err(|broken| match broken {
                        Broken::Sink => Side::Sink,
                        Broken::Source | Broken::Malformed(_) | Broken::TooLarge => Side::Source,
                    })?;
                    self.stage = Stage::Ending;
                }
                Stage::Ending => {
                    ready!(to.poll_shutdown(cx)).map_err(|_| Side::Sink)?;
                    self.stage = Stage::Ended;
                }
                Stage::Ended => return Poll::Ready(Ok(())),
            }
        }
    }
}
