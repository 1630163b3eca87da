//! Connections to servers: idle ones kept per server, new ones opened when there is none.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;

use tokio::net::TcpStream;

use super::deadline::{TICK, Ticks, Timer};
use super::gone::{Gone, Patient};
use super::stats::Counter;
use super::stream::Stream;
use crate::net::keepalive;
use crate::net::tcp::Tcp;
use crate::pool::ServerId;

/// Idle connections that a core keeps to one server.
const KEEP: usize = 256;

/// A connection to a server that speaks HTTP. Whatever ends it, a client that leaves included, its local port is free at
/// once: see [`Stream::set_leave`].
#[derive(Debug)]
pub(super) struct Upstream(Stream);

impl Upstream {
    pub(super) fn new(stream: Stream) -> Self {
        Self(stream)
    }

    pub(super) fn stream(&mut self) -> &mut Stream {
        &mut self.0
    }

    /// For something else than HTTP, which has an end of its own.
    pub(super) fn into_stream(mut self) -> Stream {
        std::mem::replace(&mut self.0, Stream::Lost)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.0.set_leave();
    }
}

/// A connection that its server was told belongs to one client, while it waits for that client's next request.
#[derive(Debug)]
pub(super) struct Own {
    server: ServerId,
    idle: Idle,
}

impl Own {
    pub(super) fn new(server: ServerId, address: SocketAddr, upstream: Upstream, since: u64) -> Self {
        Self { server, idle: Idle { upstream, address, since } }
    }

    /// Whether it leads to the server.
    pub(super) fn is_to(&self, server: ServerId) -> bool {
        self.server == server
    }

    /// The connection, on the same terms as [`Upstreams::take`].
    pub(super) fn take(self, address: SocketAddr, since: u64) -> Option<Upstream> {
        let mut idle = self.idle;
        let fits = idle.address == address && idle.since >= since && idle.upstream.stream().is_quiet();
        fits.then_some(idle.upstream)
    }
}

/// One core's idle connections, by server. Last in, first out: the busiest stay warm, the others age.
#[derive(Debug)]
pub(super) struct Upstreams {
    idle: RefCell<Vec<Vec<Idle>>>,
}

#[derive(Debug)]
struct Idle {
    upstream: Upstream,
    /// Where it leads; a new config may give a server another address.
    address: SocketAddr,
    /// The tick of its last use.
    since: u64,
}

impl Upstreams {
    pub(super) fn new(servers: usize) -> Self {
        Self { idle: RefCell::new((0..servers).map(|_| Vec::new()).collect()) }
    }

    /// An idle connection that was last used at tick `since` or later and that the server has not closed.
    pub(super) fn take(&self, server: ServerId, address: SocketAddr, since: u64) -> Option<Upstream> {
        let mut idle = self.idle.borrow_mut();
        let idle = idle.get_mut(server.0)?;
        while idle.last().is_some_and(|idle| idle.since >= since) {
            if let Some(mut idle) = idle.pop()
                && idle.address == address
                && idle.upstream.stream().is_quiet()
            {
                return Some(idle.upstream);
            }
        }
        None
    }

    /// Keeps a connection whose exchange is over.
    pub(super) fn put(&self, server: ServerId, address: SocketAddr, upstream: Upstream, now: u64) {
        let mut idle = self.idle.borrow_mut();
        if let Some(idle) = idle.get_mut(server.0).filter(|idle| idle.len() < KEEP) {
            idle.push(Idle { upstream, address, since: now });
        }
    }

    /// Drops what was last used before tick `since` or what its server has closed, and counts the rest.
    pub(super) fn sweep(&self, since: u64, counters: &[Counter]) {
        for (idle, counter) in self.idle.borrow_mut().iter_mut().zip(counters) {
            idle.retain_mut(|idle| idle.since >= since && idle.upstream.stream().is_quiet());
            counter.keeps(idle.len());
        }
    }
}

/// Until a connection takes so long that its client is watched: to watch it costs more than most connections.
const SOON: Ticks = Ticks::new(TICK);

/// Connects within `limit`, unless the client leaves; `TimedOut` when it takes longer.
pub(super) async fn connect(
    address: SocketAddr,
    timer: &Timer,
    limit: Ticks,
    client: Patient<'_>,
) -> Result<io::Result<Stream>, Gone> {
    let mut connecting = pin!(TcpStream::connect(address));
    let mut within = async |limit| {
        timer.set(limit);
        let connected = poll_fn(|cx| match connecting.as_mut().poll(cx) {
            Poll::Pending if timer.expired() => Poll::Ready(None),
            connected @ (Poll::Ready(_) | Poll::Pending) => connected.map(Some),
        });
        connected.await
    };
    let mut connected = within(limit.min(SOON)).await;
    if connected.is_some() {
        // For what else has to be done in this time.
        timer.set(limit);
    } else if limit > SOON {
        // What is rare must not make what is not any larger.
        connected = Box::pin(client.unless_gone(within(limit.after(SOON)))).await?;
    }
    let connected = connected.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()));
    Ok(connected.and_then(|stream| {
        stream.set_nodelay(true)?;
        keepalive::begin(&stream)?;
        Ok(Stream::Plain(Tcp::watch(stream.into_std()?)?))
    }))
}

/// Says `header` before all else, within what is left of the time to connect.
pub(super) async fn greet(stream: &mut Stream, header: &[u8], timer: &Timer) -> io::Result<()> {
    let mut rest = header;
    let said = poll_fn(|cx| {
        while !rest.is_empty() {
            match stream.poll_write(cx, rest) {
                Poll::Ready(written) => rest = &rest[written?..],
                Poll::Pending if timer.expired() => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    });
    said.await
}
