//! What agent, proxy and command line say to each other: typed messages, one JSON object a line.
//!
//! This room must never open a socket; [`frame`] works on bytes.

pub mod frame;
mod maintenance;
mod message;
mod moving;
mod path;
mod report;

pub use maintenance::{FrontendMaintenance, MaintenanceStatus};
pub use message::{
    AgentStatus, AlarmStatus, AuthStatus, HookStatus, LagStatus, PeerStatus, ProxyStatus, Reply, Request,
    RouterStatus, Status, TrackerEffect, TrackerState, TrackerStatus,
};
pub use moving::{AddressStatus, RouteStatus, VmacStatus};
pub use path::{PathState, PathStatus};
pub use report::{FrontendReport, OverLimits, PoolReport, Report, ServerReport, ServerState};
