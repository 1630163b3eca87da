//! What `status` tells of the paths of a router's adverts.

use serde::{Deserialize, Serialize};

use crate::event::AdvertPath;

/// One path of a router's adverts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathStatus {
    /// Which.
    pub path: AdvertPath,
    /// The UDP port of a heartbeat.
    pub port: Option<u16>,
    /// What a Backup knows of it.
    pub state: PathState,
    /// Since when, milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// Adverts sent on it since the start.
    pub sent: u64,
    /// Adverts received on it and believed since the start.
    pub received: u64,
    /// How often it was lost since the start.
    pub losses: u64,
}

/// What is known of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathState {
    /// Nothing: only a Backup hears adverts, and it has heard none on it yet.
    #[default]
    Unknown,
    /// Adverts come on it.
    Alive,
    /// None for an Active_Down_Interval, while some came on another path.
    Lost,
}
