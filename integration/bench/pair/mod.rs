//! The two contenders, each on the hosts lb1 (priority 200) and lb2 (priority 100).

mod haproxy;
mod keepalived;
mod vipd;

use std::fmt;
use std::time::Duration;

use ::vipd::lab::{Error, Lab};

/// The priority of lb2, which takes over.
pub(crate) const BACKUP_PRIORITY: u32 = 100;

/// Which contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Vipd,
    Keepalived,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Vipd => "vipd",
            Self::Keepalived => "keepalived + HAProxy",
        })
    }
}

/// A running pair.
pub(crate) enum Pair {
    Vipd(vipd::Pair),
    Keepalived(keepalived::Pair),
}

impl Pair {
    /// Starts the pair with adverts every `interval`.
    pub(crate) fn start(kind: Kind, lab: &Lab, interval: Duration) -> Result<Self, Error> {
        match kind {
            Kind::Vipd => vipd::Pair::start(lab, interval).map(Self::Vipd),
            Kind::Keepalived => keepalived::Pair::start(lab, interval).map(Self::Keepalived),
        }
    }

    /// The ends of its logs.
    pub(crate) fn explain(&self) -> String {
        match self {
            Self::Vipd(pair) => pair.explain(),
            Self::Keepalived(pair) => pair.explain(),
        }
    }

    /// The processes that speak VRRP, of lb1 and of lb2.
    pub(crate) fn speakers(&self) -> Result<[Vec<u32>; 2], Error> {
        match self {
            Self::Vipd(pair) => Ok(pair.speakers()),
            Self::Keepalived(pair) => pair.speakers(),
        }
    }

    /// SIGTERM to what speaks VRRP on lb1; returns when it has ended.
    pub(crate) fn terminate(&mut self) -> Result<(), Error> {
        match self {
            Self::Vipd(pair) => pair.terminate(),
            Self::Keepalived(pair) => pair.terminate(),
        }
    }

    /// SIGKILL to the proxy of lb1.
    pub(crate) fn kill_proxy(&mut self) -> Result<(), Error> {
        match self {
            Self::Vipd(pair) => pair.kill_proxy(),
            Self::Keepalived(pair) => pair.kill_proxy(),
        }
    }

    /// Starts on lb1 whatever does not run there, as a service manager would; nothing that runs is touched.
    pub(crate) fn revive(&mut self, lab: &Lab) -> Result<(), Error> {
        match self {
            Self::Vipd(pair) => pair.revive(lab),
            Self::Keepalived(pair) => pair.revive(lab),
        }
    }
}
