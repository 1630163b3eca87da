//! Everything worth telling a human. One place turns it into words, log lines and the event stream.
//!
//! A change is an event once; a repeated fact is a counter. Packets and requests are never events.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::vrrp::{Cidr, Priority, Role};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A router changed its role on this node.
    Moved {
        /// The router's name.
        router: String,
        /// The role it had.
        from: Role,
        /// The role it has.
        to: Role,
        /// Why, one sentence.
        why: String,
    },
    /// A router competes with another priority from now on.
    Competes {
        /// The router's name.
        router: String,
        /// The priority from now on.
        priority: Priority,
        /// Why, one sentence.
        why: String,
    },
    /// A router does not take part, for other reasons than before.
    TakesNoPart {
        /// The router's name.
        router: String,
        /// Why, one sentence.
        why: String,
    },
    /// Someone else removed an address of ours; it is back.
    Restored {
        /// The router's name.
        router: String,
        /// The address.
        address: Cidr,
    },
    /// An address could not be set or removed.
    AddressFailed {
        /// The router's name.
        router: String,
        /// The address.
        address: Cidr,
        /// The kernel's words and what to do.
        why: String,
    },
    /// A route of a router could not be added or removed; its addresses serve all the same.
    RouteFailed {
        /// The router's name.
        router: String,
        /// The route as the config has it.
        route: String,
        /// The kernel's words and what to do.
        why: String,
    },
    /// A route had gone, or could not be added before; it is there again.
    RouteRestored {
        /// The router's name.
        router: String,
        /// The route as the config has it.
        route: String,
    },
    /// A kernel setting is in the way of a router.
    Advised {
        /// The router's name.
        router: String,
        /// What goes wrong and what to write.
        what: String,
    },
    /// A kernel setting that was in the way of a router has been changed.
    Tuned {
        /// The router's name.
        router: String,
        /// The setting as sysctl(8) writes it.
        setting: String,
        /// What went wrong before.
        what: String,
    },
    /// Something that a router depends on stands differently.
    Tracked {
        /// The router's name.
        router: String,
        /// What it depends on.
        tracker: String,
        /// Whether it is as it should be.
        passes: bool,
        /// What that does to the router, a few words.
        effect: String,
        /// What was seen, a few words.
        why: String,
    },
    /// A router's hook was told of a transition.
    Hooked {
        /// The router's name.
        router: String,
        /// Which transition, counted from 1 since the agent was started.
        sequence: u64,
        /// The role that the router went to.
        to: Role,
        /// Whether it ended with exit code 0.
        succeeded: bool,
        /// How it ended, with the first line that it said.
        how: String,
        /// How long it took, milliseconds.
        took_ms: u64,
    },
    /// One of several paths of a router's adverts is silent while another one is not.
    PathLost {
        /// The router's name.
        router: String,
        /// Which path.
        path: AdvertPath,
        /// What to do, a few words.
        what: String,
    },
    /// Adverts come on it again.
    PathBack {
        /// The router's name.
        router: String,
        /// Which path.
        path: AdvertPath,
    },
    /// A conflict was seen that it takes a human to end.
    AlarmRaised {
        /// The router's name.
        router: String,
        /// Which.
        alarm: Alarm,
        /// What was seen and what to do.
        what: String,
    },
    /// It has not been seen for a while.
    AlarmCleared {
        /// The router's name.
        router: String,
        /// Which.
        alarm: Alarm,
        /// How often it was seen.
        count: u64,
    },
    /// The proxy process was started.
    ProxyStarted {
        /// Its process id.
        pid: u32,
    },
    /// Every listener of the proxy is open.
    ProxyReady {
        /// Its process id.
        pid: u32,
    },
    /// The proxy process ended.
    ProxyDied {
        /// Its process id.
        pid: u32,
        /// `killed by SIGKILL`, `exited with code 1`.
        how: String,
        /// Milliseconds until it is started again.
        restart_ms: u64,
    },
    /// An operator has put a frontend in maintenance, or ended that.
    Maintenance {
        /// The frontend's name.
        frontend: String,
        /// It begins.
        begins: bool,
    },
    /// A server came into rotation.
    ServerUp {
        /// The pool's name.
        pool: String,
        /// The server's name.
        server: String,
        /// The check's result in words.
        why: String,
    },
    /// A server that failed requests is left out for a while.
    ServerEjected {
        /// The pool's name.
        pool: String,
        /// The server's name.
        server: String,
        /// How many errors, and for how long.
        why: String,
    },
    /// A server that was left out gets requests again.
    ServerReturned {
        /// The pool's name.
        pool: String,
        /// The server's name.
        server: String,
    },
    /// So few servers of a pool are left that requests go to all of them; or no longer.
    Panic {
        /// The pool's name.
        pool: String,
        /// It begins.
        begins: bool,
    },
    /// A server went out of rotation.
    ServerDown {
        /// The pool's name.
        pool: String,
        /// The server's name.
        server: String,
        /// The check's result in words.
        why: String,
    },
}

/// A way that adverts take from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdvertPath {
    /// The group of the protocol, IP protocol 112.
    Multicast,
    /// From node to node, IP protocol 112.
    Unicast,
    /// From node to node over UDP.
    Heartbeat,
}

impl fmt::Display for AdvertPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Multicast => "multicast",
            Self::Unicast => "unicast",
            Self::Heartbeat => "heartbeat",
        })
    }
}

/// A conflict around a virtual router that it takes a human to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alarm {
    /// Another host answers for an address that this node holds.
    DuplicateAddress,
    /// Another node advertises while this one is Active, and goes on.
    TwoActives,
    /// Someone who is no node of the config advertises the VRID.
    Stranger,
    /// A peer's adverts list other addresses.
    AddressesDiffer,
    /// A peer advertises at another interval.
    IntervalDiffers,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DuplicateAddress => "duplicate-address",
            Self::TwoActives => "two-actives",
            Self::Stranger => "stranger",
            Self::AddressesDiffer => "addresses-differ",
            Self::IntervalDiffers => "interval-differs",
        })
    }
}

impl Event {
    /// Writes the event to the log: trouble as a warning, the rest as information.
    pub fn log(&self) {
        match self {
            Self::AddressFailed { .. }
            | Self::PathLost { .. }
            | Self::Advised { .. }
            | Self::RouteFailed { .. }
            | Self::RouteRestored { .. }
            | Self::AlarmRaised { .. }
            | Self::ProxyDied { .. }
            | Self::ServerDown { .. }
            | Self::ServerEjected { .. }
            | Self::Panic { begins: true, .. }
            | Self::Tracked { passes: false, .. }
            | Self::Hooked { succeeded: false, .. }
            | Self::Restored { .. } => {
                tracing::warn!("{self}");
            }
            Self::Moved { .. }
            | Self::Competes { .. }
            | Self::TakesNoPart { .. }
            | Self::Tuned { .. }
            | Self::Tracked { .. }
            | Self::Hooked { .. }
            | Self::PathBack { .. }
            | Self::AlarmCleared { .. }
            | Self::ProxyStarted { .. }
            | Self::ProxyReady { .. }
            | Self::Maintenance { .. }
            | Self::ServerReturned { .. }
            | Self::Panic { .. }
            | Self::ServerUp { .. } => tracing::info!("{self}"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moved { router, from, to, why } => write!(f, "{router}: {from} → {to}: {why}"),
            Self::Competes { router, priority, why } => write!(f, "{router}: priority {priority}: {why}"),
            Self::TakesNoPart { router, why } => write!(f, "{router}: takes no part: {why}"),
            Self::Restored { router, address } => {
                write!(f, "{router}: {address} had been removed by someone else, put back")
            }
            Self::AddressFailed { router, address, why } => write!(f, "{router}: {address}: {why}"),
            Self::Advised { router, what } => write!(f, "{router}: {what}"),
            Self::Tuned { router, setting, what } => write!(f, "{router}: `{setting}` is set now: {what}"),
            Self::RouteFailed { router, route, why } => write!(f, "{router}: route {route}: {why}"),
            Self::RouteRestored { router, route } => {
                write!(f, "{router}: route {route} was missing, put back")
            }
            Self::Tracked { router, tracker, passes, effect, why } => {
                let verb = if *passes { "passes" } else { "fails" };
                write!(f, "{router}: {tracker} {verb}, {effect}: {why}")
            }
            Self::Hooked { router, sequence, to, how, took_ms, .. } => {
                write!(f, "{router}: hook for {to} (number {sequence}) {how}, after {took_ms} ms")
            }
            Self::PathLost { router, path, what } => write!(f, "{router}: path {path} is lost: {what}"),
            Self::PathBack { router, path } => write!(f, "{router}: path {path} is back"),
            Self::AlarmRaised { router, alarm, what } => write!(f, "{router}: alarm {alarm}: {what}"),
            Self::AlarmCleared { router, alarm, count } => {
                write!(f, "{router}: alarm {alarm} is over, it was seen {count} times")
            }
            Self::ProxyStarted { pid } => write!(f, "proxy started, pid {pid}"),
            Self::ProxyReady { pid } => write!(f, "proxy listens, pid {pid}"),
            Self::ProxyDied { pid, how, restart_ms } => {
                write!(f, "proxy {how} (pid {pid}), started again in {restart_ms} ms")
            }
            Self::Maintenance { frontend, begins: true } => {
                write!(f, "{frontend} is in maintenance by command: no server gets its requests")
            }
            Self::Maintenance { frontend, begins: false } => {
                write!(f, "{frontend} is no longer in maintenance")
            }
            Self::ServerUp { pool, server, why } => write!(f, "{pool}/{server} is up: {why}"),
            Self::ServerEjected { pool, server, why } => write!(f, "{pool}/{server} is left out: {why}"),
            Self::ServerReturned { pool, server } => write!(f, "{pool}/{server} is no longer left out"),
            Self::Panic { pool, begins: true } => {
                write!(f, "{pool}: too few servers are left, requests go to all of them")
            }
            Self::Panic { pool, begins: false } => write!(f, "{pool}: enough servers are in rotation again"),
            Self::ServerDown { pool, server, why } => write!(f, "{pool}/{server} is down: {why}"),
        }
    }
}

/// An event with its place and time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped {
    /// When, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The node it happened on.
    pub node: String,
    /// What happened.
    pub event: Event,
}
