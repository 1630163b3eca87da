//! From an IP packet to a believed advert: the checks of RFC 9568 §7.1, each refusal with a reason that is counted.
//!
//! Peer mistakes are never fatal and never change a role; this room only says which mistake it was.

use std::fmt;
use std::net::Ipv4Addr;

use super::wire::{self, Path};
use super::{Centis, Dialect, Priority, Vrid};

/// An advert that passed every check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Source address: the sender's primary address.
    pub source: Ipv4Addr,
    /// The virtual router it speaks of.
    pub vrid: Vrid,
    /// The sender's priority; 0 resigns.
    pub priority: Priority,
    /// The sender's advert interval.
    pub interval: Centis,
    /// The checksum dialect that the sender speaks.
    pub dialect: Dialect,
}

/// Why a packet was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// No IPv4 header, or one that lies about its own length.
    IpHeader,
    /// Sent to something else than the group.
    Destination,
    /// "MUST verify that the IPv4 TTL is 255": it came through a router, or was forged from afar.
    Ttl,
    /// Not version 3.
    Version,
    /// Not an ADVERTISEMENT.
    Type,
    /// Shorter or longer than its address count says.
    Length,
    /// An address count of 0.
    NoAddresses,
    /// Right in neither dialect.
    Checksum,
    /// A max advertise interval of 0 (RFC 9568 erratum 8301).
    Interval,
    /// A virtual router that is not configured on the interface it came in on.
    UnknownVrid,
    /// Our own advert came back, or someone uses our address.
    OwnSource,
}

impl Refusal {
    /// Every reason, in the order of the checks.
    pub const ALL: [Self; 11] = [
        Self::IpHeader,
        Self::Destination,
        Self::Ttl,
        Self::Version,
        Self::Type,
        Self::Length,
        Self::NoAddresses,
        Self::Checksum,
        Self::Interval,
        Self::UnknownVrid,
        Self::OwnSource,
    ];
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IpHeader => "malformed IP header",
            Self::Destination => "not sent to 224.0.0.18",
            Self::Ttl => "TTL is not 255",
            Self::Version => "not VRRP version 3",
            Self::Type => "not an ADVERTISEMENT",
            Self::Length => "length does not fit the address count",
            Self::NoAddresses => "address count is 0",
            Self::Checksum => "wrong checksum",
            Self::Interval => "advert interval is 0",
            Self::UnknownVrid => "VRID is not configured on the interface",
            Self::OwnSource => "source is our own address",
        })
    }
}

/// How often each reason was met since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals([u64; Refusal::ALL.len()]);

impl Refusals {
    /// Counts one packet and returns how many there were of this reason, itself included.
    pub fn count(&mut self, refusal: Refusal) -> u64 {
        let count = &mut self.0[refusal as usize];
        *count = count.saturating_add(1);
        *count
    }

    /// The reasons that were met, with their counts, in the order of the checks.
    pub fn seen(&self) -> impl Iterator<Item = (Refusal, u64)> + '_ {
        Refusal::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }
}

/// Judges one packet as a raw IPv4 socket delivers it: header first, padding already cut off by the kernel.
/// Whether its VRID is known on the interface and its source is ours is asked by the caller, who knows both.
///
/// # Errors
/// The first check that fails.
pub fn accept(packet: &[u8]) -> Result<Received, Refusal> {
    let ip = IpHeader::read(packet).ok_or(Refusal::IpHeader)?;
    if ip.path.destination != wire::GROUP {
        return Err(Refusal::Destination);
    }
    if ip.ttl != wire::TTL {
        return Err(Refusal::Ttl);
    }
    let parsed = wire::parse(ip.payload, ip.path)?;
    Ok(Received {
        source: ip.path.source,
        vrid: parsed.advert.vrid,
        priority: parsed.advert.priority,
        interval: parsed.advert.interval,
        dialect: parsed.dialect,
    })
}

/// What we need of an IPv4 header (RFC 791 §3.1).
struct IpHeader<'a> {
    ttl: u8,
    path: Path,
    payload: &'a [u8],
}

impl<'a> IpHeader<'a> {
    /// `None` unless the packet is IPv4, carries VRRP, and is as long as its header says.
    fn read(packet: &'a [u8]) -> Option<Self> {
        let fixed = packet.first_chunk::<20>()?;
        let header = usize::from(fixed[0] & 0x0F) * 4;
        let total = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        if fixed[0] >> 4 != 4 || header < fixed.len() || fixed[9] != wire::PROTOCOL {
            return None;
        }
        let payload = packet.get(header..total)?;
        let [.., s0, s1, s2, s3, d0, d1, d2, d3] = *fixed;
        let path = Path { source: Ipv4Addr::new(s0, s1, s2, s3), destination: Ipv4Addr::new(d0, d1, d2, d3) };
        Some(Self { ttl: fixed[8], path, payload })
    }
}
