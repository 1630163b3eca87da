//! From an IP packet to a believed advert: the checks of RFC 9568 §7.1, each refusal with a reason that is counted.
//!
//! Peer mistakes are never fatal and never change a role; this room only says which mistake it was.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::auth::{self, Auth, Binding, Utc};
use serde::{Deserialize, Serialize};

use super::wire::{self, Password, Path};
use super::{AddressSet, Centis, Dialect, Priority, Version, Vrid};

/// An advert that passed every check that needs no config; [`Received::fits`] asks the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Source address: the sender's primary or link-local address.
    pub source: IpAddr,
    /// Whether it went to the group, and not to one node.
    pub multicast: bool,
    /// The protocol version it speaks.
    pub version: Version,
    /// The virtual router it speaks of.
    pub vrid: Vrid,
    /// The sender's priority; 0 resigns.
    pub priority: Priority,
    /// The sender's advert interval.
    pub interval: Centis,
    /// The checksum dialect that the sender speaks.
    pub dialect: Dialect,
    /// The password of version 2, if it has one. Decides nothing once the advert is believed, and is written nowhere.
    #[serde(skip)]
    pub password: Option<Password>,
    /// The addresses it lists.
    pub addresses: AddressSet,
}

/// An advert as a packet brought it, with the bytes that its authentication covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted<'p> {
    /// The advert.
    pub advert: Received,
    /// Its bytes, without the trailer.
    pub pdu: &'p [u8],
    /// The authentication trailer behind it.
    pub trailer: Option<[u8; auth::LENGTH]>,
}

impl Accepted<'_> {
    /// Verifies its authentication with what the router has for that, or that there is nothing to verify.
    ///
    /// # Errors
    /// As [`Auth::verify`], and a trailer where none is expected.
    pub fn is_authentic(&self, now: Utc, auth: Option<&mut Auth>) -> Result<(), Refusal> {
        let Received { version, vrid, source, .. } = self.advert;
        match auth {
            Some(auth) => auth.verify(now, Binding { version, vrid, source }, self.pdu, self.trailer),
            None if self.trailer.is_some() => Err(Refusal::AuthUnexpected),
            None => Ok(()),
        }
    }
}

/// What the config says of the adverts of a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected<'a> {
    /// Our own source address in the advert's family.
    pub own: IpAddr,
    /// The version that is spoken.
    pub version: Version,
    /// The interval; version 2 has no other.
    pub interval: Centis,
    /// The password of version 2.
    pub password: Option<Password>,
    /// Unicast: the peers that may speak. `None`: multicast, anyone on the link may.
    pub peers: Option<&'a [IpAddr]>,
}

impl Received {
    /// Whether it is what the config expects.
    ///
    /// # Errors
    /// The first thing that is not.
    pub fn fits(&self, expected: &Expected<'_>) -> Result<(), Refusal> {
        if self.source == expected.own {
            return Err(Refusal::OwnSource);
        }
        if self.version != expected.version {
            return Err(Refusal::Version);
        }
        match expected.peers {
            None if !self.multicast => return Err(Refusal::Destination),
            Some(_) if self.multicast => return Err(Refusal::Destination),
            Some(peers) if !peers.contains(&self.source) => return Err(Refusal::Stranger),
            None | Some(_) => {}
        }
        if self.version == Version::V2 {
            if !same_password(self.password, expected.password) {
                return Err(Refusal::Password);
            }
            // "MUST verify that the Adver Interval in the packet is the same as the locally configured" (RFC 3768 §7.1).
            if self.interval != expected.interval {
                return Err(Refusal::Interval);
            }
        }
        Ok(())
    }
}

/// In a time that does not tell where they differ.
fn same_password(theirs: Option<Password>, ours: Option<Password>) -> bool {
    let (theirs_given, ours_given) = (theirs.is_some(), ours.is_some());
    let pairs = theirs.unwrap_or_default().into_iter().zip(ours.unwrap_or_default());
    !pairs.fold(theirs_given != ours_given, |differs, (a, b)| differs | (a != b))
}

/// Why a packet was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// No IPv4 header, or one that lies about its own length.
    IpHeader,
    /// Sent to something else than the group, or to the group where peers speak to one another alone.
    Destination,
    /// "MUST verify that the IPv4 TTL is 255": it came through a router, or was forged from afar.
    Ttl,
    /// Not a version that is spoken here.
    Version,
    /// Not an ADVERTISEMENT.
    Type,
    /// Shorter or longer than its address count says.
    Length,
    /// An address count of 0.
    NoAddresses,
    /// Right in neither dialect.
    Checksum,
    /// An interval of 0 (RFC 9568 erratum 8301), or in version 2 another one than ours.
    Interval,
    /// An authentication type of version 2 that nobody speaks any more.
    AuthType,
    /// The password of version 2 is missing, wrong, or not expected.
    Password,
    /// Over IPv6, a source that is not link-local (RFC 9568 §5.1.2.1).
    Source,
    /// Unicast from an address that is no node of ours.
    Stranger,
    /// A virtual router that is not configured on the interface it came in on.
    UnknownVrid,
    /// Our own advert came back, or someone uses our address.
    OwnSource,
    /// It carries an authentication trailer, and the router has no keys.
    AuthUnexpected,
    /// No authentication trailer, where one is enforced.
    AuthMissing,
    /// An authentication trailer of another type, or with its reserved field set.
    AuthMalformed,
    /// Signed with a key that is not in our key file.
    AuthUnknownKey,
    /// Signed at a time that is too far from ours: an old capture, or clocks that are not in step.
    AuthStale,
    /// Signed by someone who has another key of that id, or changed on the way.
    AuthForged,
    /// Believed before, or older than what was believed.
    AuthReplay,
}

impl Refusal {
    /// Every reason, in the order of the checks.
    pub const ALL: [Self; 22] = [
        Self::IpHeader,
        Self::Destination,
        Self::Ttl,
        Self::Version,
        Self::Type,
        Self::Length,
        Self::NoAddresses,
        Self::Checksum,
        Self::Interval,
        Self::AuthType,
        Self::Password,
        Self::Source,
        Self::Stranger,
        Self::UnknownVrid,
        Self::OwnSource,
        Self::AuthUnexpected,
        Self::AuthMissing,
        Self::AuthMalformed,
        Self::AuthUnknownKey,
        Self::AuthStale,
        Self::AuthForged,
        Self::AuthReplay,
    ];
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IpHeader => "malformed IP header",
            Self::Destination => "sent to another address than adverts go to",
            Self::Ttl => "TTL is not 255",
            Self::Version => "another VRRP version than configured",
            Self::Type => "not an ADVERTISEMENT",
            Self::Length => "length does not fit the address count",
            Self::NoAddresses => "address count is 0",
            Self::Checksum => "wrong checksum",
            Self::Interval => "advert interval is 0, or differs in version 2",
            Self::AuthType => "unknown authentication type",
            Self::Password => "password missing or wrong",
            Self::Source => "source is not a link-local address",
            Self::Stranger => "source is no node of the config",
            Self::UnknownVrid => "VRID is not configured on the interface",
            Self::OwnSource => "source is our own address",
            Self::AuthUnexpected => "authentication trailer, but the router has no `auth`",
            Self::AuthMissing => "no authentication trailer",
            Self::AuthMalformed => "malformed authentication trailer",
            Self::AuthUnknownKey => "signed with a key id that our key file does not have",
            Self::AuthStale => "signed outside the time window: is a clock wrong?",
            Self::AuthForged => "wrong signature: forged, or another key of the same id",
            Self::AuthReplay => "replay of an advert",
        })
    }
}

/// How often each reason was met since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals([u64; Refusal::ALL.len()]);

impl Refusals {
    /// Counts `times` packets and returns how many there were of this reason, themselves included.
    pub fn count(&mut self, refusal: Refusal, times: u64) -> u64 {
        let count = &mut self.0[refusal as usize];
        *count = count.saturating_add(times);
        *count
    }

    /// The reasons that were met, with their counts, in the order of the checks.
    pub fn seen(&self) -> impl Iterator<Item = (Refusal, u64)> + '_ {
        Refusal::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }
}

/// Judges one packet as a raw IPv4 socket delivers it: header first, padding already cut off by the kernel.
/// Which router it is for, whether it [fits](Received::fits) and [is authentic](Accepted::is_authentic), is asked by
/// the caller, who knows the config.
///
/// # Errors
/// The first check that fails.
pub fn accept(packet: &[u8]) -> Result<Accepted<'_>, Refusal> {
    let ip = IpHeader::read(packet).ok_or(Refusal::IpHeader)?;
    judge(ip.path, ip.ttl, ip.payload)
}

/// Judges one message as a raw IPv6 socket delivers it, with what its header said.
///
/// # Errors
/// The first check that fails.
pub fn accept_v6(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hop_limit: u8,
    message: &[u8],
) -> Result<Accepted<'_>, Refusal> {
    let path = Path { source: source.into(), destination: destination.into() };
    if destination.is_multicast() && !source.is_unicast_link_local() {
        return Err(Refusal::Source);
    }
    judge(path, hop_limit, message)
}

/// Judges one message as a datagram of the UDP heartbeat brings it, alone and without an IP header of VRRP's.
/// `source` and `destination` are the addresses of the two nodes, which its checksum covers whatever addresses the
/// datagram itself went between. It may list no address.
///
/// # Errors
/// The first check that fails.
pub fn accept_heartbeat(
    source: IpAddr,
    destination: IpAddr,
    message: &[u8],
) -> Result<Accepted<'_>, Refusal> {
    let path = Path { source, destination };
    Ok(accepted(path, wire::parse_listing(message, path, 0)?))
}

fn judge(path: Path, ttl: u8, message: &[u8]) -> Result<Accepted<'_>, Refusal> {
    let multicast = path.destination.is_multicast();
    if multicast && path != Path::to_group(path.source) {
        return Err(Refusal::Destination);
    }
    // Between nodes that are routers apart, a unicast advert arrives with less.
    if multicast && ttl != wire::TTL {
        return Err(Refusal::Ttl);
    }
    Ok(accepted(path, wire::parse(message, path)?))
}

fn accepted(path: Path, parsed: wire::Parsed<'_>) -> Accepted<'_> {
    let width = if path.source.is_ipv4() { 4 } else { 16 };
    let advert = Received {
        source: path.source,
        multicast: path.destination.is_multicast(),
        version: parsed.advert.version,
        vrid: parsed.advert.vrid,
        priority: parsed.advert.priority,
        interval: parsed.advert.interval,
        dialect: parsed.dialect,
        password: parsed.password,
        addresses: AddressSet::listed(parsed.addresses, width),
    };
    Accepted { advert, pdu: parsed.pdu, trailer: parsed.trailer }
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
        let path = Path {
            source: Ipv4Addr::new(s0, s1, s2, s3).into(),
            destination: Ipv4Addr::new(d0, d1, d2, d3).into(),
        };
        Some(Self { ttl: fixed[8], path, payload })
    }
}
