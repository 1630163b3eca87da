//! What someone on the wire says of an address.

use std::net::IpAddr;

use super::arp::Mac;

/// Someone says that an address is theirs: by asking from it, by answering for it, or unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The address.
    pub address: IpAddr,
    /// The hardware address it is said to be at.
    pub mac: Mac,
}
