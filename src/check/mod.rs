//! Health checks: says what each check of each server saw, and decides nothing.
//!
//! This room must never know what an observation leads to: whether a server is in rotation is the desk's decision,
//! made with [`crate::pool::Health`]. It runs as one task on the control thread; a check is a task of its own. One
//! bounded channel leads out, and the desk empties it.

mod answer;
mod connect;
mod exec;
mod grpc;
mod h2;
mod http;
mod postgres;
mod probe;
mod redis;
mod schedule;
mod words;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::config::{Check, Config};
use crate::net::clock;
use crate::pool::{Health, Observation, SendProxy, ServerId};
use crate::vrrp::{Span, Time};

use self::connect::Connectors;
use self::http::Kept;
use self::probe::Sight;

pub use schedule::{Input, Rhythm, Schedule, Start};

/// A server and how it is checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Which server.
    pub server: ServerId,
    /// Its name in the config.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// What is asked, how often, and what counts as success.
    pub check: Check,
    /// What a connection to it begins with.
    pub send_proxy: Option<SendProxy>,
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
    /// What the server calls itself in its answer, if it does.
    pub own_name: Option<String>,
}

/// The servers of `config` that have checks, each with its identity.
pub fn targets(config: &Config) -> Vec<Target> {
    let servers = config.pools.iter().flat_map(|pool| pool.servers.iter().map(move |server| (pool, server)));
    let target = |(id, (pool, server)): (usize, (&crate::config::Pool, &crate::config::Server))| {
        let check = pool.check.clone()?;
        let (name, address, send_proxy) = (server.name.clone(), server.address, pool.send_proxy);
        Some(Target { server: ServerId(id), name, address, check, send_proxy })
    };
    servers.enumerate().filter_map(target).collect()
}

/// Checks `targets` for ever and sends what each check saw; ends when the receiver is gone.
pub async fn run(targets: Vec<Target>, seen: mpsc::Sender<Seen>) {
    let rhythms: Vec<_> = targets.iter().map(|it| Rhythm::new(&it.check)).collect();
    // The desk has trackers of its own and decides; these only say how soon to look again.
    let mut trackers: Vec<_> = targets.iter().map(|it| Health::new(it.check.rise, it.check.fall)).collect();
    let targets: Vec<_> = targets.into_iter().map(Arc::new).collect();
    let mut schedule = Schedule::new(clock::now(), &rhythms);
    // The connection to each server that its next check may use; with the check while one is under way.
    let mut lines: Vec<Option<Kept>> = targets.iter().map(|_| None).collect();
    let connectors = Arc::new(Connectors::default());
    let mut running = JoinSet::new();
    let mut starts = Vec::new();
    let mut complaint = Complaint::default();
    let mut input = Input::Timer;
    loop {
        schedule.handle(clock::now(), input, &mut starts);
        for start in starts.drain(..) {
            let line = lines[start.server].take();
            running.spawn(check(Arc::clone(&targets[start.server]), Arc::clone(&connectors), line, start));
        }
        input = tokio::select! {
            // An answer that has come wins over a timer: results first.
            biased;
            Some(done) = running.join_next() => {
                let (server, line, result) = done.unwrap_or_else(|bug| std::panic::resume_unwind(bug.into_panic()));
                lines[server] = line;
                match result {
                    Ok(result) => {
                        trackers[server].handle(result.observation);
                        if seen.send(result).await.is_err() {
                            return;
                        }
                    }
                    Err(why) => complaint.say(clock::now(), &targets[server].name, &why),
                }
                Input::Finished(server, trackers[server].trend())
            }
            () = until(schedule.deadline()) => Input::Timer,
            () = seen.closed() => return,
        };
    }
}

/// What is said when nothing was seen of a server, for want of something on this node. Its state stays as it is.
#[derive(Debug, Default)]
struct Complaint {
    next: Option<Time>,
}

/// From one complaint to the next.
const PAUSE: Span = Span::from_millis(10_000);

impl Complaint {
    fn say(&mut self, now: Time, server: &str, why: &str) {
        if self.next.is_none_or(|next| now >= next) {
            self.next = Some(now + PAUSE);
            tracing::warn!("{server} could not be checked, its state stays as it is: {why}");
        }
    }
}

/// What was seen, or why nothing could be.
async fn check(
    target: Arc<Target>,
    connectors: Arc<Connectors>,
    mut line: Option<Kept>,
    start: Start,
) -> (usize, Option<Kept>, Result<Seen, String>) {
    let started = clock::now();
    let limit = start.deadline.since(started).as_duration();
    let Sight { observation, why, own_name } = probe::probe(&target, &connectors, &mut line, limit).await;
    let Some(observation) = observation else { return (start.server, line, Err(why)) };
    (start.server, line, Ok(Seen { server: target.server, started, observation, why, own_name }))
}

async fn until(deadline: Option<Time>) {
    match deadline {
        Some(deadline) => tokio::time::sleep(deadline.since(clock::now()).as_duration()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
