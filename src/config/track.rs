//! `track` and `notify` of a `[[vrrp]]`: what else a router depends on, and who is told of its transitions.

pub(super) mod lint;
pub(super) mod read;
pub(super) mod show;

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

/// An item of `track`: something that a router depends on beyond its own interface and its frontends.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracker {
    /// What is looked at.
    pub what: Tracked,
    /// What a failure takes from the priority, 1..=253; `None`: a failure is a fault, and the router takes no part.
    pub cost: Option<u8>,
}

/// What a tracker looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Tracked {
    /// Another interface is up and has a carrier.
    Interface(String),
    /// At least this share of the servers of a pool is healthy.
    Pool {
        /// Index into [`super::Config::pools`].
        pool: usize,
        /// Its name.
        name: String,
        /// Percent, 1..=100.
        healthy: u8,
    },
    /// A program exits with 0.
    Script {
        /// What is run, and as whom.
        command: Command,
        /// How often, and how many results in a row count.
        pace: Pace,
    },
    /// A switch for people: the file is absent. An integer in it is added to the priority instead.
    File {
        /// Where it is.
        path: PathBuf,
        /// How often it is looked at. Default 1 s.
        interval: Duration,
    },
    /// A gateway answers an ICMP echo.
    Gateway {
        /// Its address.
        address: Ipv4Addr,
        /// How often it is asked, and how many results in a row count.
        pace: Pace,
    },
}

/// How often something is tried, and how many results in a row count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From the start of one attempt to the start of the next. Default 1 s.
    pub interval: Duration,
    /// How long an attempt may take. Default 1 s.
    pub timeout: Duration,
    /// Successes in a row that end a failure. Default 2.
    pub rise: u32,
    /// Failures in a row that are one. Default 3.
    pub fall: u32,
}

/// A program of the operator: no shell reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program's absolute path and its arguments; never empty.
    pub words: Vec<String>,
    /// Whom it runs as, never root. Default `nobody`.
    pub user: String,
}

/// `notify`: a program that is told of every transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// What is run, and as whom.
    pub command: Command,
    /// How long it may take. Default 10 s.
    pub timeout: Duration,
}

impl Command {
    /// The program.
    pub fn program(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }
}

impl fmt::Display for Tracked {
    /// What `status` and the log call it; unique in its router.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => write!(f, "interface {name}"),
            Self::Pool { name, .. } => write!(f, "pool {name}"),
            Self::Script { command, .. } => write!(f, "script {}", command.words.join(" ")),
            Self::File { path, .. } => write!(f, "file {}", path.display()),
            Self::Gateway { address, .. } => write!(f, "gateway {address}"),
        }
    }
}
