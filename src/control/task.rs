//! The control thread's one task: feeds the desk, performs what it says, and stops in order.

use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::client;
use super::desk::{Desk, Effects, Input};
use super::publish::Publisher;
use super::scarce::Scarce;
use super::tls::Store;
use crate::check::{self, Seen};
use crate::config::Config;
use crate::net::clock;
use crate::net::tls::watch::LOOK;
use crate::proxy::{Proxy, Stats};

/// What the process is made of, once it listens.
pub(super) struct Parts {
    pub(super) desk: Desk,
    pub(super) publisher: Publisher,
    pub(super) proxy: Proxy,
    pub(super) signals: Signals,
    /// The certificates and their files.
    pub(super) store: Store,
}

/// Serves until a signal comes, then lets the running exchanges finish, up to `proxy.grace` or a second signal.
pub(super) async fn run(config: &Config, parts: Parts, agent_sock: PathBuf) {
    let Parts { desk, publisher, proxy, mut signals, store } = parts;
    let stats = proxy.stats();
    let (reports, latest) = watch::channel(desk.report(clock::now(), &stats));
    let (seen, observations) = mpsc::channel(OBSERVATIONS);
    let (said, maintenance) = watch::channel(Vec::new());
    tokio::spawn(async move { client::run(&agent_sock, latest, &said).await });
    tokio::spawn(check::run(check::targets(config), seen));
    if store.is_needed() {
        tokio::spawn(look_after(store));
    }

    let effects = Effects::default();
    let mut task = Task {
        desk,
        publisher,
        proxy: Some(proxy),
        stats,
        reports,
        observations,
        maintenance,
        effects,
        scarce: Scarce::default(),
    };
    task.handle(Input::Listening);
    let signal = task.serve_until(signals.next()).await;
    tracing::info!("{signal}: accepting nothing new, finishing what runs");
    let drained = task.drain(config.proxy.grace);
    let end = async {
        tokio::select! {
            end = drained => end,
            signal = signals.next() => format!("{signal} again: leaving at once"),
        }
    };
    let end = task.serve_until(end).await;
    tracing::info!("{end}");
}

/// How many observations may wait for the desk. They are handled as they come; this is room for a thousand servers
/// that answer in the same millisecond, not a buffer that ever fills.
const OBSERVATIONS: usize = 1_024;

/// The checks end with their receiver and never before. If a bug ends them, nobody knows any more which server is
/// alive: then the process ends as well, and the agent starts another.
const CHECKS_RUN: &str = "the checks run for as long as the desk";

/// Looks at the files of TLS for as long as the process runs.
async fn look_after(mut store: Store) {
    let mut clock = tokio::time::interval(LOOK);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        store.look();
    }
}

struct Task {
    desk: Desk,
    publisher: Publisher,
    /// Gone once it drains.
    proxy: Option<Proxy>,
    /// The latest counters.
    stats: Stats,
    reports: watch::Sender<crate::link::Report>,
    observations: mpsc::Receiver<Seen>,
    /// The frontends that are to be in maintenance, as the agent said last.
    maintenance: watch::Receiver<Vec<String>>,
    effects: Effects,
    scarce: Scarce,
}

impl Task {
    /// Runs the desk until `stop` is there.
    async fn serve_until<T>(&mut self, stop: impl Future<Output = T>) -> T {
        tokio::pin!(stop);
        loop {
            self.perform();
            let wait = self.desk.deadline().since(clock::now()).as_duration();
            tokio::select! {
                stopped = &mut stop => return stopped,
                seen = self.observations.recv() => self.observe(seen.expect(CHECKS_RUN)),
                Ok(()) = self.maintenance.changed() => {
                    let names = self.maintenance.borrow_and_update().clone();
                    self.handle(Input::Maintenance(names));
                }
                () = tokio::time::sleep(wait) => self.count(),
            }
        }
    }

    /// Stops accepting, tells the agent so, and lets the cores finish. What it gives ends when they have, with how.
    fn drain(&mut self, grace: Duration) -> impl Future<Output = String> + use<> {
        self.handle(Input::Draining);
        self.perform();
        let (say, drained) = oneshot::channel();
        let proxy = self.proxy.take();
        // Not on the runtime's own threads for blocking work: those are waited for when we leave at once.
        std::thread::spawn(move || say.send(proxy.map_or(0, |proxy| proxy.join(grace))));
        async move {
            match drained.await {
                Ok(0) => "every exchange has finished".to_owned(),
                Ok(left) => {
                    let grace = grace.as_millis();
                    format!("client connections cut off after proxy.grace, {grace} ms: {left}")
                }
                Err(_) => "the cores ended in disorder".to_owned(),
            }
        }
    }

    /// Takes in everything that has been observed by now, so that it becomes one snapshot and one report.
    fn observe(&mut self, first: Seen) {
        self.handle(Input::Observed(first));
        while let Ok(seen) = self.observations.try_recv() {
            self.handle(Input::Observed(seen));
        }
    }

    /// Looks at what the cores have counted, and at what is due.
    fn count(&mut self) {
        if let Some(proxy) = &self.proxy {
            self.stats = proxy.stats();
        }
        self.handle(Input::Counted(self.stats.servers.clone()));
        self.handle(Input::Timer);
    }

    fn handle(&mut self, input: Input) {
        self.desk.handle(clock::now(), clock::wall_ms(), input, &mut self.effects);
    }

    /// In this order: the cores first, then the agent, then the log.
    fn perform(&mut self) {
        let Effects { publish, report, events } = std::mem::take(&mut self.effects);
        if publish {
            self.publisher.publish(&self.desk);
        }
        if report {
            if let Some(proxy) = &self.proxy {
                self.stats = proxy.stats();
            }
            let report = self.desk.report(clock::now(), &self.stats);
            self.scarce.look(clock::now(), &report, &self.stats.ports);
            self.reports.send_replace(report);
        }
        for event in events {
            event.log();
        }
    }
}

/// The signals that ask to stop.
pub(super) struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    /// From here on SIGTERM and SIGINT do not kill but are waited for.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    /// The name of the next one.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }
}
