//! Health checks: says what each check of each server saw, and decides nothing.
//!
//! This room must never know what an observation leads to: whether a server is in rotation is the desk's decision,
//! made with [`crate::pool::Health`]. It runs as one task on the control thread; a check is a task of its own. One
//! bounded channel leads out, and the desk empties it.

mod probe;
mod schedule;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::config::{Check, Config};
use crate::net::clock;
use crate::pool::{Observation, ServerId};
use crate::vrrp::Time;

pub use schedule::{Input, Rhythm, Schedule, Start};

/// A server and how it is checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Which server.
    pub server: ServerId,
    /// Where it listens.
    pub address: SocketAddr,
    /// What is asked, how often, and what counts as success.
    pub check: Check,
}

/// What one check saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which server.
    pub server: ServerId,
    /// When the check was started: what it saw is true for a moment after this one.
    pub started: Time,
    /// Whether the server answered as expected.
    pub observation: Observation,
    /// The result in words: `HTTP 200 in 1 ms`, `connection refused`.
    pub why: String,
}

/// The servers of `config` that have checks, each with its identity.
pub fn targets(config: &Config) -> Vec<Target> {
    let servers = config.pools.iter().flat_map(|pool| pool.servers.iter().map(move |server| (pool, server)));
    let target = |(id, (pool, server)): (usize, (&crate::config::Pool, &crate::config::Server))| {
        let check = pool.check.clone()?;
        Some(Target { server: ServerId(id), address: server.address, check })
    };
    servers.enumerate().filter_map(target).collect()
}

/// Checks `targets` for ever and sends what each check saw; ends when the receiver is gone.
pub async fn run(targets: Vec<Target>, seen: mpsc::Sender<Seen>) {
    let rhythms: Vec<_> = targets.iter().map(|it| Rhythm::new(it.check.interval, it.check.timeout)).collect();
    let targets: Vec<_> = targets.into_iter().map(Arc::new).collect();
    let mut schedule = Schedule::new(clock::now(), &rhythms);
    let mut running = JoinSet::new();
    let mut starts = Vec::new();
    let mut input = Input::Timer;
    loop {
        schedule.handle(clock::now(), input, &mut starts);
        for start in starts.drain(..) {
            running.spawn(check(Arc::clone(&targets[start.server]), start));
        }
        input = tokio::select! {
            // An answer that has come wins over a timer: results first.
            biased;
            Some(done) = running.join_next() => {
                let (server, result) = done.unwrap_or_else(|bug| std::panic::resume_unwind(bug.into_panic()));
                if seen.send(result).await.is_err() {
                    return;
                }
                Input::Finished(server)
            }
            () = until(schedule.deadline()) => Input::Timer,
            () = seen.closed() => return,
        };
    }
}

async fn check(target: Arc<Target>, start: Start) -> (usize, Seen) {
    let started = clock::now();
    let (observation, why) = probe::probe(&target, start.deadline.since(started).as_duration()).await;
    (start.server, Seen { server: target.server, started, observation, why })
}

async fn until(deadline: Option<Time>) {
    match deadline {
        Some(deadline) => tokio::time::sleep(deadline.since(clock::now()).as_duration()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
