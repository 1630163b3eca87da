//! The desk: the single writer of who may get requests, and of what the agent is told.
//!
//! Pure: it takes one input at a time and says what follows from it; [`super::task`] performs it. It must never read
//! a clock, touch a socket or look at the checks' configuration again.

use std::sync::Arc;

use crate::check::Seen;
use crate::config::Config;
use crate::event::Event;
use crate::link::{FrontendReport, OverLimits, PoolReport, Report, ServerReport, ServerState};
use crate::pool::{Change, Health, Load, Observation, Queue, STEPS, Server, ServerId, Standing, Token, ramp};
use crate::proxy::{Count, Stats};
use crate::vrrp::{Span, Time};

use passive::Passive;

/// What the desk is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Every core listens on every address of every frontend.
    Listening,
    /// We were asked to stop: nothing new is accepted from now on.
    Draining,
    /// A check ended.
    Observed(Seen),
    /// What the cores have counted for each server, by [`ServerId`].
    Counted(Vec<Count>),
    /// The agent says which frontends an operator has put in maintenance, and no others.
    Maintenance(Vec<String>),
    /// The deadline may have come.
    Timer,
}

/// What follows. Many inputs may be handled before it is performed, so that a thousand servers that come up at once
/// are one snapshot and one report.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effects {
    /// The cores need a new snapshot of the servers in rotation.
    pub(super) publish: bool,
    /// The agent needs a report.
    pub(super) report: bool,
    /// What is worth telling a human, in order.
    pub(super) events: Vec<Event>,
}

/// The state of the data plane as the desk knows it.
#[derive(Debug)]
pub(super) struct Desk {
    listening: bool,
    frontends: Vec<Front>,
    pools: Vec<Pool>,
    /// Of which pool a server is, and which of its servers, by [`ServerId`].
    places: Vec<(usize, usize)>,
    next_report: Time,
    /// Servers on their way to their full share.
    ramping: Vec<ServerId>,
    /// When one of them gets more.
    next_step: Option<Time>,
    /// When the counters are looked at again.
    next_count: Time,
}

#[derive(Debug)]
struct Front {
    name: String,
    /// In maintenance by an operator's command.
    closed: bool,
}

#[derive(Debug)]
struct Pool {
    name: String,
    /// No checks: its servers are taken to be up.
    unchecked: bool,
    slow_start: Span,
    queue: Arc<Queue>,
    servers: Vec<Watched>,
    passive: Passive,
}

#[derive(Debug)]
struct Watched {
    server: Server,
    health: Health,
    since_ms: u64,
    /// The last check's result in words.
    reason: String,
    /// What it calls itself in its answers, as far as it was heard.
    own_name: Option<String>,
    /// Why it is left out, while it is.
    left_out: String,
    /// Whether the last check failed.
    failing: bool,
    /// When the latest check that passed was started.
    passed: Option<Time>,
    /// When it came back, while it has less than its full share.
    back: Option<Time>,
    /// How many parts of its weight it gets, of [`STEPS`].
    parts: u16,
}

impl Desk {
    /// Nothing listens and nothing has been checked yet. `wall_ms` is milliseconds since the Unix epoch.
    pub(super) fn new(config: &Config, now: Time, wall_ms: u64) -> Self {
        let mut places = Vec::new();
        let pools = config.pools.iter().enumerate().map(|(nth, pool)| {
            let queue = Queue::new(pool.queue.length, pool.queue.timeout);
            let servers = pool.servers.iter().enumerate().map(|(place, server)| {
                let id = ServerId(places.len());
                places.push((nth, place));
                Watched::new((pool, &queue), server, id, wall_ms)
            });
            let servers = servers.collect();
            let slow_start =
                Span::from_micros(u64::try_from(pool.slow_start.as_micros()).unwrap_or(u64::MAX));
            Pool {
                name: pool.name.clone(),
                unchecked: pool.check.is_none(),
                slow_start,
                queue,
                servers,
                passive: Passive::new(pool),
            }
        });
        let pools = pools.collect();
        let frontends = config.frontends.iter();
        let frontends = frontends.map(|frontend| Front { name: frontend.name.clone(), closed: false });
        let frontends = frontends.collect();
        let next_report = now + REPORT_EVERY;
        let (ramping, next_step) = (Vec::new(), None);
        Self { listening: false, frontends, pools, places, next_report, next_count: now, ramping, next_step }
    }

    /// Takes `input` in and adds what follows to `out`.
    pub(super) fn handle(&mut self, now: Time, wall_ms: u64, input: Input, out: &mut Effects) {
        match input {
            Input::Listening => {
                self.listening = true;
                out.report = true;
            }
            Input::Draining => {
                self.listening = false;
                out.report = true;
            }
            Input::Observed(seen) => self.observed(now, wall_ms, seen, out),
            Input::Counted(counts) => {
                self.next_count = now + COUNT_EVERY;
                self.pools.iter_mut().for_each(|pool| pool.counted(now, wall_ms, &counts, out));
            }
            // A report all the same: the agent waits for what it said to be so.
            Input::Maintenance(names) => {
                out.publish |= self.close(&names);
                out.report = true;
            }
            Input::Timer => out.report |= now >= self.next_report,
        }
        if self.next_step.is_some_and(|at| now >= at) {
            self.climb(now, out);
        }
        self.pools.iter_mut().for_each(|pool| pool.calm_or_panic(out));
        if out.report {
            self.next_report = now + REPORT_EVERY;
        }
    }

    /// When to call back with [`Input::Timer`].
    pub(super) fn deadline(&self) -> Time {
        let counts = self.pools.iter().any(|pool| pool.passive.counts());
        let looks = [self.next_step, counts.then_some(self.next_count)];
        looks.into_iter().flatten().fold(self.next_report, Time::min)
    }

    /// The servers of each pool that may get requests, pools and servers in the order of the config. In a panic these
    /// are all.
    pub(super) fn rotation(&self) -> impl Iterator<Item = Vec<Server>> {
        let servers = |pool: &Pool| {
            let gets =
                |(place, watched): &(usize, &Watched)| pool.passive.panics || pool.serves(*place, watched);
            let servers = pool.servers.iter().enumerate().filter(gets);
            servers.map(|(_, watched)| watched.in_rotation()).collect()
        };
        self.pools.iter().map(servers)
    }

    /// Puts these frontends in maintenance, and no others; whether that changes anything.
    pub(super) fn close(&mut self, names: &[String]) -> bool {
        let changes = self.frontends.iter_mut().map(|front| {
            let closed = names.contains(&front.name);
            std::mem::replace(&mut front.closed, closed) != closed
        });
        changes.fold(false, |any, changed| any | changed)
    }

    /// Whether each frontend is in maintenance by an operator's command, in the order of the config.
    pub(super) fn closed(&self) -> impl Iterator<Item = bool> {
        self.frontends.iter().map(|front| front.closed)
    }

    /// What the agent is told at this moment.
    pub(super) fn report(&self, now: Time, stats: &Stats) -> Report {
        let frontend = |(nth, Front { name, closed }): (usize, &Front)| {
            let count = stats.frontends.get(nth).copied().unwrap_or_default();
            let over = stats.over_limits.get(nth).copied().unwrap_or_default();
            let handshakes_failed = stats.handshakes_failed.get(nth).copied().unwrap_or_default();
            FrontendReport {
                name: name.clone(),
                requests: count.requests,
                errors: count.errors,
                client_errors: count.by_client,
                server_errors: count.by_server,
                proxy_errors: count.by_us,
                handshakes_failed,
                left: stats.left.get(nth).copied().unwrap_or_default(),
                over_limits: OverLimits {
                    connections: over.connections,
                    connection_rate: over.connection_rate,
                    request_rate: over.request_rate,
                },
                maintenance: *closed,
                pages: count.pages,
            }
        };
        Report {
            listening: self.listening,
            pools: self.pools.iter().map(|pool| pool.report(now, stats)).collect(),
            frontends: self.frontends.iter().enumerate().map(frontend).collect(),
            connections: stats.connections,
        }
    }

    fn observed(&mut self, now: Time, wall_ms: u64, seen: Seen, out: &mut Effects) {
        let (pool, place) = self.places[seen.server.0];
        let pool = &mut self.pools[pool];
        let watched = &mut pool.servers[place];
        let passes = seen.observation == Observation::Pass;
        // The first success after a failure is news even before it changes anything: the agent may be waiting for
        // checks that were started after the cable was plugged in again.
        out.report |= passes && watched.failing;
        watched.failing = !passes;
        watched.reason = seen.why;
        if seen.own_name.is_some() {
            watched.own_name = seen.own_name;
        }
        if passes {
            watched.passed = watched.passed.max(Some(seen.started));
        }
        let was = watched.health.standing();
        let Some(change) = watched.health.handle(seen.observation) else { return };
        // Not after the first check: when we start, every server does.
        let ramps = change == Change::Up && was == Standing::Down && pool.slow_start > Span::ZERO;
        watched.back = ramps.then_some(now);
        watched.parts = STEPS;
        if ramps {
            if !self.ramping.contains(&seen.server) {
                self.ramping.push(seen.server);
            }
            self.next_step = Some(now);
        }
        watched.since_ms = wall_ms;
        let (pool, server, why) = (pool.name.clone(), watched.server.name.clone(), watched.reason.clone());
        out.events.push(match change {
            Change::Up => Event::ServerUp { pool, server, why },
            Change::Down => Event::ServerDown { pool, server, why },
        });
        out.publish = true;
        out.report = true;
    }

    /// Gives servers that came back the share that they have earned by now.
    fn climb(&mut self, now: Time, out: &mut Effects) {
        let Self { pools, places, ramping, .. } = self;
        let mut next_step: Option<Time> = None;
        ramping.retain(|server| {
            let (pool, place) = places[server.0];
            let pool = &mut pools[pool];
            let watched = &mut pool.servers[place];
            // None: it is down again.
            let Some(back) = watched.back else { return false };
            let (parts, next) = ramp(now.since(back).as_micros(), pool.slow_start.as_micros());
            out.publish |= parts != watched.parts;
            watched.parts = parts;
            let next = next.map(|after| back + Span::from_micros(after));
            next_step = next_step.into_iter().chain(next).min();
            if next.is_none() {
                watched.back = None;
            }
            next.is_some()
        });
        self.next_step = next_step;
    }
}

impl Pool {
    fn healthy(&self) -> impl Iterator<Item = &Watched> {
        let servers = self.servers.iter().enumerate();
        servers.filter(|(place, watched)| self.serves(*place, watched)).map(|(_, watched)| watched)
    }

    fn report(&self, now: Time, stats: &Stats) -> PoolReport {
        let seen = |watched: &Watched| if self.unchecked { Some(now) } else { watched.passed };
        PoolReport {
            name: self.name.clone(),
            healthy: self.healthy().count(),
            panics: self.passive.panics,
            queued: self.queue.waiting(),
            verified_us: self.healthy().filter_map(seen).max().map(Time::as_micros),
            servers: self.reports(stats),
        }
    }
}

impl Watched {
    fn new(
        (pool, queue): (&crate::config::Pool, &Arc<Queue>),
        server: &crate::config::Server,
        id: ServerId,
        wall_ms: u64,
    ) -> Self {
        let (health, reason) = match &pool.check {
            Some(check) => (Health::new(check.rise, check.fall), "not checked yet"),
            None => (Health::unchecked(), "its pool has no checks"),
        };
        let token = Token::of(&pool.name, &server.name);
        let backup = server.backup;
        let plain = Server::new(id, &server.name, server.address, server.weight);
        let limited = |most| Load::limited(id, most, Arc::clone(queue));
        let load = server.max_connections.map(limited).unwrap_or_default();
        let server = Server { token, backup, load, ..plain };
        Self {
            server,
            health,
            since_ms: wall_ms,
            reason: reason.into(),
            own_name: None,
            left_out: String::new(),
            failing: false,
            passed: None,
            back: None,
            parts: STEPS,
        }
    }

    /// As the cores see it: with its weight in parts, so that a small weight can be divided as well.
    fn in_rotation(&self) -> Server {
        Server { weight: self.server.weight * self.parts, ..self.server.clone() }
    }

    /// Whether it has been checked, if it is checked at all.
    fn is_known(&self) -> bool {
        self.health.standing() != Standing::Checking
    }

    fn report(&self, stats: &Stats) -> ServerReport {
        let count = stats.servers.get(self.server.id.0).copied().unwrap_or_default();
        ServerReport {
            name: self.server.name.clone(),
            address: self.server.address,
            weight: self.server.weight,
            state: match self.health.standing() {
                Standing::Checking => ServerState::Checking,
                Standing::Unchecked => ServerState::Unchecked,
                Standing::Up => ServerState::Up,
                Standing::Down => ServerState::Down,
            },
            since_ms: self.since_ms,
            reason: self.reason.clone(),
            own_name: self.own_name.clone(),
            requests: count.requests,
            failed: count.failed,
            errors: count.errors,
            backup: self.server.backup,
            effective_weight: f64::from(self.server.weight) * f64::from(self.parts) / f64::from(STEPS),
            in_flight: self.server.load.in_flight(),
        }
    }
}

/// How long a server that fails requests may do so unnoticed, and how often the counters are summed up.
const COUNT_EVERY: Span = Span::from_millis(100);

/// The agent hears from us at least this often.
const REPORT_EVERY: Span = Span::from_millis(1_000);

mod passive;
#[cfg(test)]
mod tests;
