//! The messages on `agent.sock`. The agent answers; the proxy, the command line and tests ask.
//!
//! A connection carries any number of requests. [`Request::Watch`] turns it into a stream: one [`Reply::Status`],
//! then every [`Reply::Event`] until either side closes. [`Request::Report`] gets no reply.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Report;
use super::maintenance::MaintenanceStatus;
use super::moving::{AddressStatus, RouteStatus, VmacStatus};
use crate::event::{Alarm, Stamped};
use crate::vrrp::auth::{KeyId, Mode, Window};
use crate::vrrp::{Centis, Dialect, Priority, Role, Version, Vrid};

use super::path::PathStatus;

/// What a client of `agent.sock` may say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// How things stand.
    Status,
    /// How things stand, then everything that happens.
    Watch,
    /// Let another node take the addresses over, or compete again after that. Root or the agent's own user only.
    Handover {
        /// Only this router; all of them otherwise.
        router: Option<String>,
        /// Compete again at the configured priority.
        undo: bool,
    },
    /// Give the addresses up and take no part until a `Handover` with `undo`. Root or the agent's own user only.
    Release,
    /// Let frontends of this node answer their maintenance page only, or serve again. Root or the agent's own user only.
    Maintenance {
        /// Which; empty: all of them.
        frontends: Vec<String>,
        /// Whether it begins.
        on: bool,
    },
    /// What the flight recorder has. Root or the agent's own user only.
    Dump,
    /// The data plane's health. From the agent's own proxy process only.
    Report(Report),
}

/// What the agent answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// To `Status` and, first, to `Watch`.
    Status(Box<Status>),
    /// To `Watch`, once for everything that happens.
    Event(Stamped),
    /// To `Dump`: a `Flight` as JSON. Made by another thread than the one that answers.
    Dump {
        /// The JSON.
        json: String,
    },
    /// To `Maintenance`: how it stands now.
    Maintenance(MaintenanceStatus),
    /// To the proxy, at any time behind its first `Report`: these frontends are in maintenance and no others.
    Close {
        /// Their names.
        frontends: Vec<String>,
    },
    /// The command was carried out.
    Done {
        /// What was done, for a human.
        message: String,
    },
    /// Whoever asks may not ask for this, and nothing has changed.
    Forbidden {
        /// Who may, and what to do.
        why: String,
    },
    /// The command was not carried out, and nothing has changed.
    Refused {
        /// Why, and what to do.
        why: String,
    },
}

/// How this node stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The node's name in the config.
    pub node: String,
    /// Version of the daemon.
    pub version: String,
    /// Process id of the agent.
    pub pid: u32,
    /// When the agent was started, milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// The agent itself: what its punctuality rests on.
    #[serde(default)]
    pub agent: AgentStatus,
    /// The virtual routers in the order of the config.
    pub routers: Vec<RouterStatus>,
    /// The proxy process; `None` when the config has no frontends.
    pub proxy: Option<ProxyStatus>,
    /// How often the kernel was asked what there is though no event told to: a lost event is mended then.
    #[serde(default)]
    pub sweeps: u64,
    /// Packets refused since the start, by reason; reasons that never happened are left out.
    pub refused: Vec<(String, u64)>,
}

/// What the agent's punctuality rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Why the kernel does not schedule it in real time, and what to do; `None` when it does.
    pub not_realtime: Option<String>,
    /// Why its memory may be paged out, and what to do; `None` when it is locked.
    pub not_locked: Option<String>,
    /// While refused packets are a flood: how many each one that is read stands for in the counts.
    #[serde(default)]
    pub sampling: Option<u32>,
    /// How late its loop served its timer.
    #[serde(default)]
    pub lag: LagStatus,
}

/// How late a timer was served, since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LagStatus {
    /// The longest, in microseconds.
    pub longest_us: u64,
    /// How often by class: an upper bound in microseconds, which is `None` for the last one, and a count.
    pub classes: Vec<(Option<u64>, u64)>,
}

/// How one virtual router stands on this node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouterStatus {
    /// Its name in the config.
    pub name: String,
    /// The interface of its adverts.
    pub interface: String,
    /// Its VRID.
    pub vrid: Vrid,
    /// The protocol version it speaks.
    pub version: Version,
    /// Its role on this node.
    pub role: Role,
    /// Since when, milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// Why it came to this role, one sentence.
    pub why: String,
    /// The priority of the config.
    pub priority: Priority,
    /// The priority it competes with now.
    pub effective_priority: Priority,
    /// What keeps it from competing at its own priority; empty when nothing does.
    pub reasons: Vec<String>,
    /// The configured advert interval.
    pub advert_interval: Centis,
    /// Its addresses, and whether this node holds each.
    pub addresses: Vec<AddressStatus>,
    /// Its routes, in the order of the config.
    #[serde(default)]
    pub routes: Vec<RouteStatus>,
    /// The links with its virtual MAC addresses, when it has any.
    #[serde(default)]
    pub vmacs: Vec<VmacStatus>,
    /// Kernel settings that are in its way: what goes wrong and what to write.
    #[serde(default)]
    pub advice: Vec<String>,
    /// The peer that was heard last.
    pub peer: Option<PeerStatus>,
    /// How often it became Active since the start.
    pub takeovers: u64,
    /// Adverts sent since the start.
    pub adverts_sent: u64,
    /// Adverts of this router received and believed since the start.
    pub adverts_received: u64,
    /// Addresses put back after someone else had removed them.
    pub restored: u64,
    /// How its adverts are authenticated; `None` when they are not.
    pub auth: Option<AuthStatus>,
    /// What else it depends on, in the order of the config.
    pub trackers: Vec<TrackerStatus>,
    /// The latest run of its hook; `None` when it has none, or before the first.
    pub hook: Option<HookStatus>,
    /// The conflicts that go on, in the order in which they were seen first.
    #[serde(default)]
    pub alarms: Vec<AlarmStatus>,
    /// The paths of its adverts when there is more than one; empty otherwise.
    #[serde(default)]
    pub paths: Vec<PathStatus>,
}

/// The authentication of a router's adverts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthStatus {
    /// How strict it is.
    pub mode: Mode,
    /// The key that adverts are signed with.
    pub active: KeyId,
    /// How far clocks may be apart, in seconds.
    pub window: Window,
    /// Adverts believed for a good signature since the start.
    pub verified: u64,
    /// Adverts believed without one.
    pub unsigned: u64,
    /// Seconds that our clock was ahead of the sender's in the last good signature; negative when behind.
    pub ahead_seconds: i32,
}

/// How something that a router depends on stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerStatus {
    /// What it is: `script /usr/local/bin/check`.
    pub name: String,
    /// How it stands.
    pub state: TrackerState,
    /// Since when, milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// What was seen last, a few words.
    pub reason: String,
    /// What it does to the router now.
    pub effect: TrackerEffect,
}

/// How a tracker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrackerState {
    /// Not looked at yet: counts as failing.
    Checking,
    /// As it should be.
    Passing,
    /// Not as it should be.
    Failing,
}

impl fmt::Display for TrackerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checking => "checking",
            Self::Passing => "passing",
            Self::Failing => "failing",
        })
    }
}

/// What a tracker does to its router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrackerEffect {
    /// Nothing.
    None,
    /// It takes no part.
    Fault,
    /// This is added to its priority.
    Priority(i16),
}

impl fmt::Display for TrackerEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no effect"),
            Self::Fault => f.write_str("a fault"),
            Self::Priority(by) => write!(f, "priority {by:+}"),
        }
    }
}

/// One run of a router's hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookStatus {
    /// Which transition it was told of, counted from 1 since the agent was started.
    pub sequence: u64,
    /// The role that the router went to.
    pub to: Role,
    /// When it was started, milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// How long it took, milliseconds; `None` while it runs.
    pub took_ms: Option<u64>,
    /// Whether it ended with exit code 0.
    pub succeeded: bool,
    /// How it ended, with the first line that it said; `running` until then.
    pub how: String,
}

/// A conflict that goes on; it is left out once it has not been seen for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmStatus {
    /// Which.
    pub alarm: Alarm,
    /// When it was seen first, milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// How often it was seen.
    pub count: u64,
    /// What was seen last and what to do, one sentence.
    pub what: String,
}

/// The peer that was heard last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Source address of its adverts.
    pub address: IpAddr,
    /// Its name, when the address is that of a configured node.
    pub name: Option<String>,
    /// The priority it advertised last; 0 when it resigned.
    pub priority: Priority,
    /// The interval it advertised.
    pub interval: Centis,
    /// The checksum dialect it speaks.
    pub dialect: Dialect,
    /// When it was heard last, milliseconds since the Unix epoch.
    pub heard_ms: u64,
}

/// The proxy process as the agent sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProxyStatus {
    /// Its process id while it runs.
    pub pid: Option<u32>,
    /// Since when it runs or has been down, milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// How often it died since the agent was started.
    pub deaths: u64,
    /// One sentence: serving, starting, or why it is down and when it is started again.
    pub state: String,
    /// What it said last; `None` before its first report and after its death.
    pub report: Option<Report>,
    /// The frontends that an operator has put in maintenance, in the order of the config.
    #[serde(default)]
    pub maintenance: Vec<String>,
}
