//! What a node is fit for: from the interface, the proxy, the pools and the trackers to one verdict a router. Pure.
//!
//! A **fault** takes the router out: nothing could answer at the address. **Unfit** lets it compete at priority 1:
//! any fit node is better, but half a service is better than none. A tracker is a fault, or **adjusts** the priority.

mod trackers;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::{Config, Frontend, Router};
use crate::link::{PoolReport, Report, ServerState};
use crate::net::arp::Mac;
use crate::vrrp::{Family, Span, Time};

use super::flap::Flaps;

pub use trackers::{Finding, Standing};
pub(crate) use trackers::{Trackers, adjusted};

/// How long a proxy that is alive may say nothing before it is taken to be stuck. It reports once a second.
const REPORT_LIMIT: Span = Span::from_millis(3_000);

/// The reasons that time alone takes away; the status says how much of it.
const BOOTED: &str = "the machine has just booted (start_delay)";
const HELD: &str = "held down: it lost the Active role by faults of its own too often lately (hold_down)";

/// What a router may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Compete at the configured priority.
    Fit(Link),
    /// Compete with this added to the configured priority, for these reasons.
    Adjusted(Link, i32, Vec<String>),
    /// Compete at priority 1, for these reasons.
    Unfit(Link, Vec<String>),
    /// Take no part, for these reasons.
    Fault(Vec<String>),
}

/// What an interface offers to a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its index.
    pub(crate) index: u32,
    /// Its hardware address.
    pub(crate) mac: Mac,
    /// The source of adverts over IPv4, when the router has IPv4 addresses.
    pub(crate) v4: Option<Ipv4Addr>,
    /// The source of adverts over IPv6, a link-local address, when the router has IPv6 addresses.
    pub(crate) v6: Option<Ipv6Addr>,
}

impl Link {
    /// The sources of adverts, one a wire. The first decides between equal priorities.
    pub(crate) fn sources(self) -> impl Iterator<Item = IpAddr> {
        self.v4.map(IpAddr::V4).into_iter().chain(self.v6.map(IpAddr::V6))
    }

    /// The source on the wire of a family.
    pub(crate) fn source(self, family: Family) -> Option<IpAddr> {
        self.sources().find(|source| Family::of(*source) == family)
    }
}

/// The proxy process, as the agent knows it.
#[derive(Clone, Debug, PartialEq)]
pub enum DataPlane {
    /// The config has no frontends.
    NotNeeded,
    /// It does not run, for this reason.
    Down(String),
    /// It was started and has not said anything yet.
    Starting,
    /// It said this, then.
    Reporting(Report, Time),
}

/// What one router depends on, and what an operator asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Track {
    /// Indexes of the pools behind the frontends on the router's addresses; empty when it has no frontend.
    pools: Vec<usize>,
    /// When the network was last seen to be there again: health seen before that proves nothing.
    linked_since: Option<Time>,
    /// `vipd handover`: let the others go first.
    pub(crate) standing_back: bool,
    /// `vipd release`: take no part.
    pub(crate) released: bool,
    /// The kernel refused an address; tried again then.
    pub(crate) refused: Option<(String, Time)>,
    /// The machine has just booted: no part before then.
    not_before: Option<Time>,
    /// How often the Active role was lost by faults lately.
    pub(crate) flaps: Flaps,
    /// What else it depends on by its operator's wish.
    pub(crate) trackers: Trackers,
}

impl Track {
    pub(crate) fn new(config: &Config, router: &Router) -> Self {
        let serves = |bind: &std::net::SocketAddr| {
            bind.ip().is_unspecified() || router.places().any(|(cidr, _)| bind.ip() == cidr.address)
        };
        let mut pools: Vec<_> = config
            .frontends
            .iter()
            .filter(|front| front.bind.iter().any(serves))
            .flat_map(Frontend::pools)
            .collect();
        pools.sort_unstable();
        pools.dedup();
        Self {
            pools,
            linked_since: None,
            standing_back: false,
            released: false,
            refused: None,
            trackers: Trackers::default(),
            // The clock began with the machine.
            not_before: Some(Time::ZERO + router.start_delay),
            flaps: Flaps::new(router.hold_down),
        }
    }

    /// A reason for the status: with the time that is left, when time takes it away.
    pub(crate) fn with_time(&self, now: Time, reason: &str) -> String {
        let until = match reason {
            BOOTED => self.not_before,
            HELD => self.flaps.held_until(now),
            _ => None,
        };
        until.map_or_else(|| reason.to_owned(), |until| format!("{reason}, for {} more", until.since(now)))
    }

    /// Weighs everything that is known.
    pub(crate) fn verdict(&mut self, now: Time, link: Result<Link, String>, plane: &DataPlane) -> Verdict {
        self.linked_since = link.as_ref().ok().map(|_| self.linked_since.unwrap_or(now));
        let mut faults = Vec::new();
        if self.released {
            faults.push("released by an operator: `vipd handover --undo` competes again".to_owned());
        }
        faults.extend(self.refused.as_ref().map(|(why, _)| why.clone()));
        self.not_before.take_if(|at| now >= *at);
        faults.extend(self.not_before.map(|_| BOOTED.to_owned()));
        faults.extend(self.proxy_fault(plane));
        faults.extend(self.trackers.faults());
        let link = match link {
            Ok(link) if faults.is_empty() => link,
            Ok(_) => return Verdict::Fault(faults),
            Err(why) => {
                faults.insert(0, why);
                return Verdict::Fault(faults);
            }
        };
        let mut reasons = Vec::new();
        if self.standing_back {
            reasons.push("handed over by an operator: `vipd handover --undo` competes again".to_owned());
        }
        reasons.extend(self.flaps.held_until(now).map(|_| HELD.to_owned()));
        self.weigh_pools(now, plane, &mut reasons);
        let (by, adjustments) = self.trackers.adjustment();
        match (reasons.is_empty(), adjustments.is_empty()) {
            (true, true) => Verdict::Fit(link),
            (true, false) => Verdict::Adjusted(link, by, adjustments),
            (false, _) => {
                reasons.extend(adjustments);
                Verdict::Unfit(link, reasons)
            }
        }
    }

    /// When the verdict may change without anything else happening.
    pub(crate) fn deadline(&self, now: Time, plane: &DataPlane) -> Option<Time> {
        let retry = self.refused.as_ref().map(|(_, retry)| *retry);
        let silent = match plane {
            DataPlane::Reporting(_, at) if !self.pools.is_empty() || self.trackers.depend_on_the_proxy() => {
                Some(*at + REPORT_LIMIT)
            }
            DataPlane::Reporting(..) | DataPlane::NotNeeded | DataPlane::Down(_) | DataPlane::Starting => {
                None
            }
        };
        [retry, silent, self.not_before, self.flaps.held_until(now)]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    /// No address without a listener.
    fn proxy_fault(&self, plane: &DataPlane) -> Option<String> {
        match plane {
            _ if self.pools.is_empty() => None,
            DataPlane::NotNeeded => None,
            DataPlane::Down(why) => Some(format!("the proxy {why}")),
            DataPlane::Starting => Some("the proxy is starting".to_owned()),
            DataPlane::Reporting(report, _) if report.listening => None,
            DataPlane::Reporting(..) => Some("the proxy does not listen".to_owned()),
        }
    }

    fn weigh_pools(&self, now: Time, plane: &DataPlane, reasons: &mut Vec<String>) {
        let DataPlane::Reporting(report, at) = plane else { return };
        if self.pools.is_empty() {
            return;
        }
        if now.since(*at) >= REPORT_LIMIT {
            reasons.push(format!("the proxy runs but has said nothing for {REPORT_LIMIT}"));
        }
        reasons.extend(self.pools.iter().filter_map(|pool| self.weigh_pool(report.pools.get(*pool)?)));
    }

    fn weigh_pool(&self, pool: &PoolReport) -> Option<String> {
        let name = &pool.name;
        if pool.healthy == 0 {
            let checking = pool.servers.iter().all(|server| server.state == ServerState::Checking);
            let servers = pool.servers.len();
            return Some(if checking {
                format!("pool {name}: its servers are being checked")
            } else {
                format!("pool {name}: none of its {servers} servers is healthy")
            });
        }
        let seen = pool.verified_us.map(Time::from_micros);
        let verified = self.linked_since.is_some_and(|since| seen.is_some_and(|seen| seen >= since));
        (!verified).then(|| format!("pool {name}: not checked yet since this node came back"))
    }
}

#[cfg(test)]
mod tests;
