//! What moves with a router, as `status` tells it.

use serde::{Deserialize, Serialize};

use crate::vrrp::Cidr;

/// A route that moves with a router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStatus {
    /// The route, for a human.
    pub route: String,
    /// Whether this node has it.
    pub held: bool,
    /// Why it could not be added, and what to do.
    pub problem: Option<String>,
}

/// One address of a router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressStatus {
    /// The interface it goes on, when that is another than the router's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The address with its prefix length.
    pub address: Cidr,
    /// Whether it is on this node's interface.
    pub held: bool,
}

/// A link with a virtual MAC address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmacStatus {
    /// Its name.
    pub link: String,
    /// Its MAC address.
    pub mac: String,
    /// It is up, as it is while the router is Active.
    pub up: bool,
}
