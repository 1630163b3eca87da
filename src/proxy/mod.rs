//! The data plane: accept, pick, exchange. It does not know that VRRP exists.
//!
//! One thread a core, each with a current-thread runtime and its own listener on every address (`SO_REUSEPORT`), so
//! that a request never leaves its core and takes no lock. `core` accepts, `session` reads requests and finds a
//! server that answers, `exchange` streams both ways through two `pipe`s. For TCP frontends `relay` finds a server
//! and a `tunnel` passes on what comes. What the cores share is one snapshot of the
//! pools, each pool's turn, and the number of connections.
//!
//! The memory of a connection is its state machine: buffers belong to the core and are held only while bytes are in
//! them. Timeouts are ticks that one sweep per core looks at, see `deadline`.
//!
//! This room must never decide which server is healthy or which address is ours.

mod blame;
mod buffer;
mod bulk;
mod choose;
mod core;
mod deadline;
mod door;
mod exchange;
mod gone;
mod h2;
mod handshake;
mod leave;
mod limiter;
mod page;
mod pipe;
mod problem;
pub mod proxy_header;
mod queue;
mod reach;
mod redirect;
mod relay;
mod secured;
mod session;
mod stats;
mod stream;
#[cfg(test)]
mod tests;
mod tunnel;
mod upstream;
mod visitor;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::time::Instant;

use self::core::{Parts, Shared};
use self::door::Door;
pub use self::handshake::{Tls, ToServers};
use self::limiter::Limiter;
pub use self::page::Page;
use self::stats::Counters;
pub use self::stats::{Count, OverLimits, Ports, Stats};
use crate::config::{Frontend, Limits, Mode};
use crate::net;
use crate::pool::Snapshot;

/// What the data plane is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where clients connect; `pool` is an index into the snapshot.
    pub frontends: Vec<Frontend>,
    /// The maintenance pages of the frontends, as far as they have one.
    pub pages: Vec<Option<Arc<Page>>>,
    /// Bounds that keep a client from using up the proxy.
    pub limits: Limits,
    /// Core threads, at least 1.
    pub threads: usize,
    /// How many [`crate::pool::ServerId`]s there are: one more than the largest.
    pub servers: usize,
}

/// The running data plane. Dropping it stops it at once, as [`Proxy::join`] without grace does.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    cores: Vec<Thread>,
    addresses: Vec<Vec<SocketAddr>>,
}

#[derive(Debug)]
struct Thread {
    news: Arc<Notify>,
    counters: Arc<Counters>,
    /// Disconnects when the thread has ended.
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

/// Opens every address on every core and begins to serve. Returns once all of them listen.
///
/// # Errors
/// The address that cannot be listened on with what to do, or a thread that cannot be started. Nothing is left open.
pub fn start(settings: Settings, pools: Arc<ArcSwap<Snapshot>>) -> io::Result<Proxy> {
    start_with(settings, pools, &Tls::default())
}

/// As [`start`], with frontends and pools that speak TLS.
///
/// # Errors
/// As [`start`].
pub fn start_with(settings: Settings, pools: Arc<ArcSwap<Snapshot>>, tls: &Tls) -> io::Result<Proxy> {
    allow_files(&settings);
    net::heap::join_pieces();
    let (mut proxy, listeners) = open(&settings, tls)?;
    let names: Arc<[String]> = settings.frontends.iter().map(|frontend| frontend.name.clone()).collect();
    let (ready, opened) = mpsc::channel();
    for (at, listeners) in listeners.into_iter().enumerate() {
        let (alive, ended) = mpsc::channel();
        let news = Arc::new(Notify::new());
        let counters = Arc::new(Counters::new(settings.servers, settings.frontends.len()));
        let parts = Parts {
            shared: Arc::clone(&proxy.shared),
            news: Arc::clone(&news),
            pools: Arc::clone(&pools),
            limits: settings.limits.clone(),
            names: Arc::clone(&names),
            counters: Arc::clone(&counters),
            listeners,
            to_servers: tls.pools.clone(),
        };
        let ready = ready.clone();
        let run = move || {
            core::run(parts, ready);
            drop(alive);
        };
        let thread = std::thread::Builder::new().name(format!("core-{at}")).spawn(run)?;
        proxy.cores.push(Thread { news, counters, ended, thread: Some(thread) });
    }
    drop(ready);
    // The channel closes when every core has said its word.
    let opened = opened.iter().collect::<io::Result<Vec<()>>>()?;
    if opened.len() < proxy.cores.len() {
        return Err(io::Error::other("a core thread ended before it could listen"));
    }
    Ok(proxy)
}

/// How long a client may say nothing before it is accepted all the same: the least the kernel can do. From then on the
/// limits on time hold.
const SILENCE: Duration = Duration::from_secs(1);

type Listeners = Vec<(Door, std::net::TcpListener)>;

/// Binds on the caller's thread, so that errors come from one place.
fn open(settings: &Settings, tls: &Tls) -> io::Result<(Proxy, Vec<Listeners>)> {
    let mut cores: Vec<Listeners> = (0..settings.threads.max(1)).map(|_| Vec::new()).collect();
    let mut addresses = Vec::new();
    let Settings { frontends, pages, .. } = settings;
    for (frontend, settings) in frontends.iter().enumerate() {
        let mut bound = Vec::new();
        let limiter = Limiter::new(settings);
        let defer = settings.defer_accept.then_some(SILENCE);
        // Of HTTP the limits on time are shorter.
        let asks = settings.mode == Mode::Tcp;
        let fast_open = settings.fast_open;
        if fast_open {
            warn_of_slow_kernel(&settings.name);
        }
        let manner = net::listen::Manner { defer, asks, fast_open };
        for address in &settings.bind {
            // Port 0: the first core picks one, the others follow.
            let mut address = *address;
            for core in &mut cores {
                let listener = net::listen::listen(address, manner)?;
                address = listener.local_addr()?;
                let tls = tls.frontends.get(frontend).cloned().flatten();
                let page = pages.get(frontend).cloned().flatten();
                let limiter = limiter.clone();
                core.push((Door { tls, page, limiter, ..Door::new(frontend, settings, address) }, listener));
            }
            bound.push(address);
        }
        addresses.push(bound);
    }
    Ok((Proxy { shared: Arc::default(), cores: Vec::new(), addresses }, cores))
}

/// The kernel takes `TCP_FASTOPEN` and does nothing for it unless it is told to.
fn warn_of_slow_kernel(frontend: &str) {
    const SERVER: i64 = 2;
    if let Some(now) = net::sysctl::read("ipv4/tcp_fastopen").filter(|now| now & SERVER == 0) {
        tracing::warn!(
            "frontend {frontend}: fast_open does nothing while net.ipv4.tcp_fastopen is {now}: set it to {}",
            now | SERVER
        );
    }
}

/// Two files for every client and every pipe, some for the rest.
fn allow_files(settings: &Settings) {
    let pipes = buffer::PIPES * settings.threads * 2;
    let wanted = settings.limits.connections as u64 * 2 + pipes as u64 + 1024;
    match net::files::allow(wanted) {
        Ok(limit) if limit >= wanted => {}
        Ok(limit) => tracing::warn!(
            "{limit} open files are allowed, {wanted} are wanted for {} connections: raise LimitNOFILE or lower \
             `connections`",
            settings.limits.connections
        ),
        Err(error) => tracing::warn!("the limit on open files cannot be raised to {wanted}: {error}"),
    }
}

impl Proxy {
    /// What each frontend listens on, in the order of the settings, with the real port where 0 was asked for.
    #[must_use]
    pub fn addresses(&self) -> &[Vec<SocketAddr>] {
        &self.addresses
    }

    /// What was counted since the start, over all cores.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let connections = self.shared.connections.0.load(Ordering::Relaxed) as u64;
        Stats::sum(self.cores.iter().map(|core| &*core.counters), connections)
    }

    /// Stops accepting, once everyone who has got through is in, within two seconds. Running exchanges finish, every
    /// response from now on says `Connection: close`, and who stays idle for a second after that is disconnected. Returns at once; [`Proxy::join`] waits.
    pub fn drain(&self) {
        self.shared.draining.store(true, Ordering::Relaxed);
        self.tell();
    }

    /// Drains, waits up to `grace` until the last client is gone, then ends the cores with whatever still runs.
    /// Returns how many clients were cut off. Blocks: from async code call it in `spawn_blocking`.
    pub fn join(mut self, grace: Duration) -> usize {
        self.drain();
        let end = Instant::now() + grace;
        for core in &self.cores {
            // Either it has ended or the time is up.
            let _ = core.ended.recv_timeout(end.saturating_duration_since(Instant::now()));
        }
        self.stop()
    }

    fn tell(&self) {
        self.cores.iter().for_each(|core| core.news.notify_one());
    }

    fn stop(&mut self) -> usize {
        let left = self.shared.connections.0.load(Ordering::Relaxed);
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.tell();
        for core in &mut self.cores {
            if core.thread.take().is_some_and(|thread| thread.join().is_err()) {
                tracing::error!("a core panicked");
            }
        }
        left
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop();
    }
}
