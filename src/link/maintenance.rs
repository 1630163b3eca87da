//! The maintenance of a node's frontends by command, as its agent tells of it.

use serde::{Deserialize, Serialize};

/// What a command has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceStatus {
    /// The node that was asked; no other one knows of it.
    pub node: String,
    /// The frontends that were named, or all, in the order of the config.
    pub frontends: Vec<FrontendMaintenance>,
    /// The other nodes of the config.
    pub others: Vec<String>,
}

/// How one frontend stands on this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontendMaintenance {
    /// Its name.
    pub name: String,
    /// It speaks TCP: nobody is shown a page, new connections are closed.
    pub tcp: bool,
    /// It is in maintenance by an operator's command.
    pub maintenance: bool,
    /// Every request from now on is treated so. If not: once the proxy listens.
    pub in_effect: bool,
}
