//! One core: a thread with its own runtime, listeners, buffers, idle connections and counters. Cores share nothing
//! but the snapshot of the pools, the turn of each pool, and the number of connections.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::task::Waker;
use std::time::Duration;

use arc_swap::ArcSwap;
use arc_swap::cache::Cache;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};

use super::blame::Blame;
use super::buffer::Buffers;
use super::choose::Dice;
use super::deadline::{Deadlines, TICK, Ticks, Timer};
use super::door::Door;
use super::handshake::{self, ToServers};
use super::limiter::Telling;
use super::problem::Problem;
use super::relay;
use super::session::Session;
use super::stats::Counters;
use super::stream::Stream;
use super::upstream::{Upstream, Upstreams};
use super::visitor::{Visitor, introduce};
use crate::config::{Limits, Mode};
use crate::http::Date;
use crate::net::clock;
use crate::net::listen::Listener;
use crate::pool::{ServerId, Snapshot};

pub(super) use self::guest::Guest;

mod guest;
#[cfg(test)]
mod tests;

/// How long an idle connection may still bring a request once the doors are closed, to be told that it is the last one.
const LAST_CALL: Ticks = Ticks::new(Duration::from_secs(1));
/// Connections that are accepted before those inside get a turn.
pub(super) const BATCH: usize = 64;

/// What all cores share, and how they are told to stop.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Client connections open now.
    pub(super) connections: Connections,
    /// Clients that are told that their source has enough.
    pub(super) telling: AtomicUsize,
    pub(super) draining: AtomicBool,
    pub(super) stopping: AtomicBool,
}

/// On a cache line of its own: written at every connection, by every core.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Connections(pub(super) AtomicUsize);

/// What a core is made of.
pub(super) struct Parts {
    pub(super) shared: Arc<Shared>,
    /// Wakes the core when `shared` says something new.
    pub(super) news: Arc<Notify>,
    pub(super) pools: Arc<ArcSwap<Snapshot>>,
    pub(super) limits: Limits,
    /// Of the frontends.
    pub(super) names: Arc<[String]>,
    pub(super) counters: Arc<Counters>,
    pub(super) listeners: Vec<(Door, TcpListener)>,
    /// By pool.
    pub(super) to_servers: Vec<Option<ToServers>>,
}

/// The limits on time, in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) head: Ticks,
    pub(super) idle: Ticks,
    pub(super) connect: Ticks,
    pub(super) response: Ticks,
    pub(super) tunnel: Ticks,
    pub(super) lifetime: Option<Ticks>,
    /// How long a client's connection may take requests.
    pub(super) connection: Option<Ticks>,
}

/// A running core.
pub(super) struct Core {
    pub(super) limits: Limits,
    pub(super) patience: Patience,
    pub(super) buffers: Buffers,
    pub(super) deadlines: Deadlines,
    pub(super) upstreams: Upstreams,
    pub(super) counters: Arc<Counters>,
    pub(super) dice: Dice,
    /// The last response had a long body.
    pub(super) long: Cell<bool>,
    /// The time of day, for responses; as of the last tick, so that no request costs a look at the clock.
    pub(super) date: Cell<Date>,
    to_servers: Vec<Option<ToServers>>,
    shared: Arc<Shared>,
    news: Arc<Notify>,
    pools: RefCell<Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>>,
    /// Clients being served by this core.
    sessions: Cell<usize>,
    /// Listeners that still accept.
    doors: Cell<usize>,
    /// Tells the doors to close.
    closing: Notify,
    /// What is said of whatever goes wrong.
    pub(super) blame: Blame,
}

/// Runs a core until it is told to stop or has drained. Says on `ready` once whether its listeners are open.
pub(super) fn run(parts: Parts, ready: Sender<io::Result<()>>) {
    let mut builder = Builder::new_current_thread();
    let runtime = match builder.enable_all().build_local(LocalOptions::default()) {
        Ok(runtime) => runtime,
        Err(error) => {
            // Whoever started us has given up if it does not listen any more.
            let _ = ready.send(Err(error));
            return;
        }
    };
    runtime.block_on(async move {
        let (opened, core) = match Core::open(parts) {
            Ok(core) => (Ok(()), Some(core)),
            Err(error) => (Err(error), None),
        };
        let _ = ready.send(opened);
        drop(ready);
        if let Some(core) = core {
            core.oversee().await;
        }
    });
}

impl Core {
    fn open(parts: Parts) -> io::Result<Rc<Self>> {
        let Parts { shared, news, pools, limits, names, counters, listeners, to_servers } = parts;
        let core = Rc::new(Self {
            patience: Patience {
                head: Ticks::new(limits.head_timeout),
                idle: Ticks::new(limits.idle_timeout),
                connect: Ticks::new(limits.connect_timeout),
                response: Ticks::new(limits.response_timeout),
                tunnel: Ticks::new(limits.tunnel_timeout),
                lifetime: limits.tunnel_lifetime.map(Ticks::new),
                connection: limits.connection_lifetime.map(Ticks::new),
            },
            buffers: Buffers::new(limits.head),
            deadlines: Deadlines::default(),
            upstreams: Upstreams::new(counters.servers.len()),
            counters,
            dice: Dice::new(),
            long: Cell::new(false),
            date: Cell::new(today()),
            to_servers,
            limits,
            shared,
            news,
            pools: RefCell::new(Cache::new(pools)),
            sessions: Cell::new(0),
            doors: Cell::new(listeners.len()),
            closing: Notify::new(),
            blame: Blame::new(names),
        });
        for (door, listener) in listeners {
            let listener = Listener::new(listener)?;
            tokio::task::spawn_local(Rc::clone(&core).accept(listener, Rc::new(door)));
        }
        Ok(core)
    }

    /// Accepts until the core drains, then takes in whoever has connected already.
    async fn accept(self: Rc<Self>, listener: Listener, door: Rc<Door>) {
        let mut closing = pin!(self.closing.notified());
        // While there are always more who wait, `closing` has no turn.
        while !self.is_draining() {
            let accepted = tokio::select! {
                biased;
                accepted = listener.accept(BATCH, |tcp, peer| self.admit(tcp, peer, &door)) => accepted,
                () = &mut closing => break,
            };
            match accepted {
                // Who is inside has a turn before the next are let in.
                Ok(true) => tokio::task::yield_now().await,
                Ok(false) => {}
                Err(error) => self.accept_failed(&door, &error).await,
            }
        }
        self.let_the_last_in(&listener, &door).await;
        drop(listener);
        self.doors.set(self.doors.get() - 1);
        self.news.notify_one();
    }

    /// Serves a client, or tells it that there are too many.
    pub(super) fn admit(self: &Rc<Self>, tcp: TcpStream, peer: SocketAddr, door: &Rc<Door>) {
        let (guest, others) = Guest::enter(self);
        let full = others >= self.limits.connections;
        // Those turned away linger for a moment; when they are as many as the limit, nobody gets an answer.
        if others >= self.limits.connections.saturating_mul(2) {
            return self.refused(peer, door.frontend, &Problem::Full);
        }
        let (stream, visitor, door) = (Stream::accepted(tcp), Visitor::new(peer), Rc::clone(door));
        // Who is turned away need not say who it is.
        if !full && door.accept_proxy.iter().any(|network| network.contains(peer.ip())) {
            tokio::task::spawn_local(Rc::clone(self).introduced(guest, stream, visitor, door));
        } else {
            self.settle(guest, stream, visitor, door, full);
        }
    }

    /// Serves a client once the proxy in front has said who it is.
    async fn introduced(self: Rc<Self>, guest: Guest, mut stream: Stream, visitor: Visitor, door: Rc<Door>) {
        let peer = visitor.peer;
        match introduce(&self, &mut stream, visitor).await {
            Ok(Some(visitor)) => self.settle(guest, stream, visitor, door, false),
            Ok(None) => {}
            Err(problem) => relay::refuse(&self, stream, peer, &door, &problem),
        }
    }

    fn settle(
        self: &Rc<Self>,
        mut guest: Guest,
        stream: Stream,
        visitor: Visitor,
        door: Rc<Door>,
        full: bool,
    ) {
        if full {
            return self.turn_away(guest, stream, visitor, door, Problem::Full);
        }
        match self.seat(&door, visitor.peer) {
            Ok(seat) => guest.seat = seat,
            Err(problem) => return self.turn_away(guest, stream, visitor, door, problem),
        }
        if let Some(tls) = door.tls.clone() {
            tokio::task::spawn_local(handshake::serve(guest, stream, tls, visitor, door));
            return;
        }
        match door.mode {
            Mode::Http => {
                let mut session = Session::new(guest, stream, visitor, door);
                tokio::task::spawn_local(async move { session.serve().await });
            }
            Mode::Tcp => {
                let core = Rc::clone(self);
                tokio::task::spawn_local(async move {
                    relay::serve(core, stream, visitor, door).await;
                    drop(guest);
                });
            }
        }
    }

    /// Tells a client that there are too many, if that can be told at little cost.
    #[cold]
    fn turn_away(
        self: &Rc<Self>,
        guest: Guest,
        stream: Stream,
        visitor: Visitor,
        door: Rc<Door>,
        problem: Problem,
    ) {
        let is_full = matches!(problem, Problem::Full);
        let telling = if is_full { None } else { Telling::begin(self) };
        let can_be_told = is_full || telling.is_some();
        // A handshake is more work than the client's request: when there are too many, there is none.
        if door.tls.is_some() || door.mode == Mode::Tcp || !can_be_told {
            return relay::refuse(self, stream, visitor.peer, &door, &problem);
        }
        let mut session = Session::new(guest, stream, visitor, door);
        tokio::task::spawn_local(async move {
            session.refuse(&problem).await;
            drop(telling);
        });
    }

    /// Clients that are told that their source has enough, over all cores.
    pub(super) fn telling(&self) -> &AtomicUsize {
        &self.shared.telling
    }

    /// The core's own task: the clock, the sweep, the drain.
    async fn oversee(self: Rc<Self>) {
        let started = Instant::now();
        let mut clock = tokio::time::interval(TICK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut last_call = None;
        while !self.shared.stopping.load(Ordering::Relaxed) {
            tokio::select! {
                _ = clock.tick() => {}
                () = self.news.notified() => {}
            }
            let now = Ticks::new(started.elapsed()).count();
            self.date.set(today());
            if self.is_draining() {
                self.closing.notify_waiters();
                if self.doors.get() == 0 {
                    last_call = last_call.or(Some(now + LAST_CALL.count()));
                }
            }
            self.deadlines.sweep(now, last_call.is_some_and(|at| now >= at));
            if now.is_multiple_of(10) {
                let since = now.saturating_sub(self.patience.idle.count());
                self.upstreams.sweep(since, &self.counters.servers);
            }
            self.blame.turn(now);
            if self.doors.get() == 0 && self.sessions.get() == 0 {
                return;
            }
        }
    }

    /// Whether clients are asked to leave.
    pub(super) fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::Relaxed)
    }

    /// What `read` makes of the pools as they are now.
    pub(super) fn snapshot<T>(&self, read: impl FnOnce(&Snapshot) -> T) -> T {
        read(self.pools.borrow_mut().load())
    }

    /// A server's name, for messages.
    pub(super) fn name(&self, pool: usize, id: ServerId) -> String {
        self.snapshot(|snapshot| {
            let found = snapshot.pool(pool).servers().iter().find(|server| server.id == id);
            // It may have left the rotation since it was picked.
            found.map_or_else(|| "a server".into(), |server| server.name.clone())
        })
    }

    /// The timer of a client's connection; it wakes nobody yet.
    pub(super) fn timer(&self) -> Timer {
        let timer = self.deadlines.timer(Waker::noop());
        if let Some(ticks) = self.patience.connection {
            timer.retire_after(ticks);
        }
        timer
    }

    /// An idle connection to the server, used within the last `fresh` if that matters.
    pub(super) fn idle_connection(
        &self,
        id: ServerId,
        address: SocketAddr,
        fresh: Option<Duration>,
    ) -> Option<Upstream> {
        self.upstreams.take(id, address, self.oldest(fresh))
    }

    /// The tick of the oldest use that is within the last `fresh`.
    pub(super) fn oldest(&self, fresh: Option<Duration>) -> u64 {
        fresh.map_or(0, |fresh| self.deadlines.now().saturating_sub(Ticks::new(fresh).count()))
    }

    /// How the servers of a pool are spoken to in TLS.
    pub(super) fn to_servers(&self, pool: usize) -> Option<&ToServers> {
        self.to_servers.get(pool)?.as_ref()
    }
}

/// The time of day.
fn today() -> Date {
    Date::at(clock::wall_ms() / 1000)
}
