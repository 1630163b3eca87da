//! Interfaces, their addresses and our routes through rtnetlink (rtnetlink(7)).
//!
//! Requests and events use two connections: on one, the kernel's echo of a change of ours would be taken for the
//! reply to it and never reach the events. What there is, is asked on a third socket.

mod dump;
mod inventory;
mod macvlan;
mod neighbours;
mod requests;
mod routes;
mod watch;

pub use dump::messages;
pub use inventory::Inventory;
pub use macvlan::Macvlan;
pub use requests::Netlink;
pub use routes::{MAIN_TABLE, ROUTE_PROTOCOL, Route, Routes};
pub use watch::Watch;

use super::arp::Mac;
use crate::vrrp::Cidr;

/// The address protocol (IFA_PROTO, linux/if_addr.h, since Linux 5.18) of addresses that are ours: `v`.
pub const ADDRESS_PROTOCOL: u8 = b'v';

/// An interface as the kernel has it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its index; a re-created interface gets another.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its hardware address; `None` when it is not an Ethernet.
    pub mac: Option<Mac>,
    /// IFF_UP: an administrator wants it up.
    pub up: bool,
    /// IFF_RUNNING: there is a carrier, and it passes traffic.
    pub running: bool,
    /// What it is on top of; `None` when it is no macvlan.
    pub macvlan: Option<Macvlan>,
    /// Its addresses, IPv4 and IPv6.
    pub addresses: Vec<Assigned>,
}

/// An address on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// The address with its prefix length.
    pub cidr: Cidr,
    /// It carries [`ADDRESS_PROTOCOL`].
    pub ours: bool,
    /// IPv6: duplicate address detection is not over, or has failed (RFC 4862 §5.4): it cannot be used.
    pub tentative: bool,
}
