//! Scouts go and look at what trackers depend on: one task each, on the agent's own thread, which they never hold up.
//! What may wait (a fork, a file system, a name service) waits on a thread for blocking work.
//!
//! They decide nothing: what they find goes through one bounded queue to the desk, and from there to
//! [`super::Ha::set_tracker`]. A scout whose finding is not taken yet waits with the next one.

mod file;
mod gateway;
mod script;

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::config::{Config, Tracked};
use crate::net::ping::Question;

use super::track::Finding;

/// What a scout found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The router, by its place in the config.
    pub router: usize,
    /// The tracker, by its place in the router.
    pub tracker: usize,
    /// What was seen.
    pub finding: Finding,
}

/// Findings that may wait for the desk.
const QUEUE: usize = 64;

/// The scouts of all routers, and what they found. Dropping it calls them back.
#[derive(Debug)]
pub struct Scouts {
    found: mpsc::Receiver<Found>,
    _tasks: JoinSet<()>,
}

impl Scouts {
    /// Sends them out. Needs a tokio runtime with I/O.
    pub fn send_out(config: &Config, node: usize) -> Self {
        let (out, found) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        for (router, owner) in config.routers.iter().enumerate() {
            for (tracker, item) in owner.track.iter().enumerate() {
                let news = News { router, tracker, out: out.clone() };
                match item.what.clone() {
                    // The agent knows these without asking anyone.
                    Tracked::Interface(_) | Tracked::Pool { .. } => {}
                    Tracked::Script { command, pace } => {
                        let names = [("VIPD_NODE", &config.nodes[node].name), ("VIPD_ROUTER", &owner.name)];
                        let environment = names.map(|(name, value)| (name, value.clone())).into();
                        tasks.spawn(script::watch(command, environment, pace, news));
                    }
                    Tracked::File { path, interval } => {
                        tasks.spawn(file::watch(path, interval, news));
                    }
                    Tracked::Gateway { address, pace } => {
                        let first = Question { id: question_id(router, tracker), sequence: 0 };
                        tasks.spawn(gateway::watch(address, first, pace, news));
                    }
                }
            }
        }
        Self { found, _tasks: tasks }
    }

    /// Waits for the next finding, for ever when there is nobody to find anything. May be dropped and called again.
    pub async fn next(&mut self) -> Found {
        match self.found.recv().await {
            Some(found) => found,
            None => std::future::pending().await,
        }
    }
}

/// Tells the echoes of one tracker from those of another, and from those of another program.
fn question_id(router: usize, tracker: usize) -> u16 {
    let number =
        std::process::id().wrapping_mul(31).wrapping_add(u32::try_from(router * 61 + tracker).unwrap_or(0));
    u16::try_from(number & 0xFFFF).unwrap_or(0)
}

/// The way back for one scout.
#[derive(Clone, Debug)]
struct News {
    router: usize,
    tracker: usize,
    out: mpsc::Sender<Found>,
}

impl News {
    async fn send(&self, finding: Finding) {
        let found = Found { router: self.router, tracker: self.tracker, finding };
        // The desk is gone: so is this task, soon.
        let _stopping = self.out.send(found).await;
    }

    async fn passed(&self, why: impl Into<String>) {
        self.send(Finding::Attempt { passed: true, why: why.into() }).await;
    }

    async fn failed(&self, why: impl Into<String>) {
        self.send(Finding::Attempt { passed: false, why: why.into() }).await;
    }
}

/// Does `attempt` now and every `interval` from start to start; one that takes longer delays the next.
async fn every<F: Future<Output = ()>>(interval: Duration, mut attempt: impl FnMut() -> F) {
    loop {
        let next = Instant::now() + interval;
        attempt().await;
        sleep_until(next).await;
    }
}
