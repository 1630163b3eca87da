//! What a router depends on by its operator's wish: how each stands, and what that does to the router. Pure.
//!
//! What has not been looked at yet counts as failed: a node must not claim an address and find out afterwards that it
//! may not. The first attempt decides at once; after that `rise` and `fall` do (see [`crate::pool::Health`]).

use crate::config::{self, Pace};
use crate::event::Event;
use crate::link::{PoolReport, TrackerEffect, TrackerState, TrackerStatus};
use crate::net::netlink::Interface;
use crate::pool::{Health, Observation};
use crate::vrrp::{Priority, Time};

use super::{DataPlane, REPORT_LIMIT};

/// What was seen of something tracked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// An attempt passed or failed; so many in a row decide.
    Attempt {
        /// Whether it passed.
        passed: bool,
        /// What it saw, a few words.
        why: String,
    },
    /// So it is, without a doubt.
    Fact {
        /// How it stands.
        standing: Standing,
        /// What was seen, a few words.
        why: String,
    },
}

/// How something tracked stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As it should be.
    Passing,
    /// Not as it should be.
    Failing,
    /// As it should be, and this is to be added to the priority.
    Adjusting(i16),
}

/// The trackers of one router, in the order of the config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trackers {
    list: Vec<Tracker>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tracker {
    name: String,
    what: What,
    cost: Option<u8>,
    /// `None` before the first look.
    standing: Option<Standing>,
    since_ms: u64,
    /// What was seen last.
    latest: String,
    /// What was seen when it came to stand so: attempts that fail in turns for two reasons are no news.
    cause: String,
    /// Whether that was a fact.
    certain: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Interface(String),
    Pool { position: usize, healthy: u8 },
    Tried { health: Health, pace: Pace },
    Fact,
}

impl Trackers {
    /// Nothing has been looked at. `wall_ms` is milliseconds since the Unix epoch.
    pub(crate) fn new(track: &[config::Tracker], wall_ms: u64) -> Self {
        Self { list: track.iter().map(|tracker| Tracker::new(tracker, wall_ms)).collect() }
    }

    /// Takes in what was seen of the tracker at `position`; an event when that changes how it stands or why it fails.
    pub(crate) fn observe(
        &mut self,
        wall_ms: u64,
        router: &str,
        position: usize,
        finding: Finding,
    ) -> Option<Event> {
        let tracker = self.list.get_mut(position)?;
        let changed = tracker.observe(wall_ms, finding);
        changed.then(|| tracker.event(router))
    }

    /// Looks at what the agent knows without asking anyone.
    pub(crate) fn look(
        &mut self,
        now: Time,
        wall_ms: u64,
        router: &str,
        interfaces: &[Interface],
        plane: &DataPlane,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for tracker in &mut self.list {
            let seen = match &tracker.what {
                What::Interface(name) => look_at_interface(interfaces, name),
                What::Pool { position, healthy } => look_at_pool(now, plane, *position, *healthy),
                What::Tried { .. } | What::Fact => continue,
            };
            let (standing, why) = match seen {
                Ok(why) => (Standing::Passing, why),
                Err(why) => (Standing::Failing, why),
            };
            if tracker.observe(wall_ms, Finding::Fact { standing, why }) {
                events.push(tracker.event(router));
            }
        }
        events
    }

    /// Why the router may take no part.
    pub(crate) fn faults(&self) -> impl Iterator<Item = String> {
        self.list.iter().filter(|tracker| tracker.effect() == TrackerEffect::Fault).map(Tracker::reason)
    }

    /// What is to be added to the priority, and why.
    pub(crate) fn adjustment(&self) -> (i32, Vec<String>) {
        let mut sum = 0;
        let mut reasons = Vec::new();
        for tracker in &self.list {
            if let TrackerEffect::Priority(by) = tracker.effect() {
                sum += i32::from(by);
                reasons.push(format!("{} ({by:+})", tracker.reason()));
            }
        }
        (sum, reasons)
    }

    /// Whether the proxy's silence would matter.
    pub(crate) fn depend_on_the_proxy(&self) -> bool {
        self.list.iter().any(|tracker| matches!(tracker.what, What::Pool { .. }))
    }

    pub(crate) fn status(&self) -> Vec<TrackerStatus> {
        self.list.iter().map(Tracker::status).collect()
    }
}

/// The priority that a router competes with, `by` added to its own: at least 1, which yields to any fit node, and at
/// most 254. The owner's stays (RFC 9568 §5.2.4: the owner's "MUST be 255").
pub(crate) fn adjusted(own: Priority, by: i32) -> Priority {
    if own == Priority::OWNER {
        return own;
    }
    let sum = i32::from(own.get()).saturating_add(by).clamp(1, 254);
    u8::try_from(sum).map_or(own, Priority::new)
}

impl Tracker {
    fn new(tracker: &config::Tracker, wall_ms: u64) -> Self {
        let tried = |pace: &Pace| What::Tried { health: Health::new(pace.rise, pace.fall), pace: *pace };
        let what = match &tracker.what {
            config::Tracked::Interface(name) => What::Interface(name.clone()),
            config::Tracked::Pool { pool, healthy, .. } => What::Pool { position: *pool, healthy: *healthy },
            config::Tracked::Script { pace, .. } | config::Tracked::Gateway { pace, .. } => tried(pace),
            config::Tracked::File { .. } => What::Fact,
        };
        let unseen = "not looked at yet".to_owned();
        Self {
            name: tracker.what.to_string(),
            what,
            cost: tracker.cost,
            standing: None,
            since_ms: wall_ms,
            latest: unseen.clone(),
            cause: unseen,
            certain: true,
        }
    }

    /// Says whether it stands differently now, or fails for another reason.
    fn observe(&mut self, wall_ms: u64, finding: Finding) -> bool {
        let (standing, why, certain, bad) = match finding {
            Finding::Attempt { passed, why } => (self.count(passed), why, false, !passed),
            Finding::Fact { standing, why } => {
                self.forget();
                (standing, why, true, standing == Standing::Failing)
            }
        };
        let moved = self.standing != Some(standing);
        let fails_on = !moved && bad && standing == Standing::Failing;
        let other_reason = fails_on && (certain || self.certain) && why != self.cause;
        self.latest = why;
        if moved {
            self.standing = Some(standing);
            self.since_ms = wall_ms;
        }
        if moved || other_reason {
            self.cause.clone_from(&self.latest);
            self.certain = certain;
        }
        moved || other_reason
    }

    /// One attempt more.
    fn count(&mut self, passed: bool) -> Standing {
        let What::Tried { health, .. } = &mut self.what else {
            return if passed { Standing::Passing } else { Standing::Failing };
        };
        health.handle(if passed { Observation::Pass } else { Observation::Fail });
        if health.eligible() { Standing::Passing } else { Standing::Failing }
    }

    /// A program that was refused counts as down from now on: it takes `rise` successes to mend.
    fn forget(&mut self) {
        if let What::Tried { health, pace } = &mut self.what {
            *health = Health::new(pace.rise, pace.fall);
            health.handle(Observation::Fail);
        }
    }

    fn effect(&self) -> TrackerEffect {
        match (self.standing, self.cost) {
            (Some(Standing::Passing | Standing::Adjusting(0)), _) => TrackerEffect::None,
            (Some(Standing::Adjusting(by)), _) => TrackerEffect::Priority(by),
            (Some(Standing::Failing) | None, Some(cost)) => TrackerEffect::Priority(-i16::from(cost)),
            (Some(Standing::Failing) | None, None) => TrackerEffect::Fault,
        }
    }

    fn reason(&self) -> String {
        format!("{}: {}", self.name, self.cause)
    }

    fn event(&self, router: &str) -> Event {
        Event::Tracked {
            router: router.to_owned(),
            tracker: self.name.clone(),
            passes: !matches!(self.standing, Some(Standing::Failing) | None),
            effect: self.effect().to_string(),
            why: self.cause.clone(),
        }
    }

    fn status(&self) -> TrackerStatus {
        TrackerStatus {
            name: self.name.clone(),
            state: match self.standing {
                None => TrackerState::Checking,
                Some(Standing::Passing | Standing::Adjusting(_)) => TrackerState::Passing,
                Some(Standing::Failing) => TrackerState::Failing,
            },
            since_ms: self.since_ms,
            reason: self.latest.clone(),
            effect: self.effect(),
        }
    }
}

fn look_at_interface(interfaces: &[Interface], name: &str) -> Result<String, String> {
    match interfaces.iter().find(|interface| interface.name == name) {
        None => Err("there is no such interface".to_owned()),
        Some(interface) if !interface.up => Err(format!("it is down: `ip link set {name} up`")),
        Some(interface) if !interface.running => Err("it has no carrier: is the cable in?".to_owned()),
        Some(_) => Ok("it is up".to_owned()),
    }
}

fn look_at_pool(now: Time, plane: &DataPlane, position: usize, bound: u8) -> Result<String, String> {
    let (report, at) = match plane {
        DataPlane::NotNeeded => return Err("there is no proxy".to_owned()),
        DataPlane::Down(why) => return Err(format!("the proxy {why}")),
        DataPlane::Starting => return Err("the proxy is starting".to_owned()),
        DataPlane::Reporting(report, at) => (report, *at),
    };
    if now.since(at) >= REPORT_LIMIT {
        return Err(format!("the proxy has said nothing for {REPORT_LIMIT}"));
    }
    let Some(PoolReport { healthy, servers, .. }) = report.pools.get(position) else {
        return Err("the proxy does not know it".to_owned());
    };
    let all = servers.len();
    // healthy / all >= bound / 100, in integers.
    let enough = healthy * 100 >= usize::from(bound) * all;
    let share = format!("{healthy} of its {all} servers healthy, {bound}% wanted");
    if enough { Ok(share) } else { Err(share) }
}

#[cfg(test)]
mod tests;
