//! The bytes of an ADVERTISEMENT, both ways: version 3 (RFC 9568 §5.1) and version 2 (RFC 3768 §5.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Version| Type  | Virtual Rtr ID|   Priority    |IPvX Addr Count|
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! v3: |Reserve| Max Advertise Interval|           Checksum            |
//! v2: |   Auth Type   |   Adver Int   |           Checksum            |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                       IPvX Address(es)                        |
//! v2: |                  Authentication Data (8 bytes)                |
//! ```
//!
//! Every byte may come from a stranger: nothing here may panic, whatever the input.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::accept::Refusal;
use super::auth;
use super::checksum::{self, folded_sum};
use super::{Centis, Dialect, Family, Priority, Version, Vrid};

/// IP protocol number of VRRP (RFC 9568 §5.1.1.4, §5.1.2.4).
pub const PROTOCOL: u8 = 112;
/// The group of IPv4 adverts (RFC 9568 §5.1.1.2).
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// The group of IPv6 adverts (RFC 9568 §5.1.2.2).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 0x12);
/// The TTL or hop limit that is sent, and required of multicast (RFC 9568 §5.1.1.3, §5.1.2.3).
pub const TTL: u8 = 255;
/// Type of service: internetwork control (RFC 9568 leaves it open; keepalived and FRR send it).
pub const TOS: u8 = 0xC0;

/// The fixed part in front of the addresses.
const HEADER: usize = 8;
/// Type 1, ADVERTISEMENT (RFC 9568 §5.2.2).
const TYPE_ADVERTISEMENT: u8 = 1;
/// Authentication data of version 2, "always present" (RFC 3768 §5.3.10).
const AUTH_DATA: usize = 8;
/// Auth Type 1: a password in clear (RFC 2338 §5.3.6.2, kept by keepalived; RFC 3768 has only 0).
const AUTH_PASS: u8 = 1;

/// The fields of an advert that decide something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advert {
    /// Protocol version.
    pub version: Version,
    /// Which virtual router it speaks of.
    pub vrid: Vrid,
    /// The sender's priority; 0 resigns.
    pub priority: Priority,
    /// The sender's advert interval; whole seconds in version 2.
    pub interval: Centis,
}

/// The addresses of the IP header around an advert; most checksum dialects cover them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
}

impl Path {
    /// From `source` to the group of its family.
    pub const fn to_group(source: IpAddr) -> Self {
        let destination = match Family::of(source) {
            Family::V4 => IpAddr::V4(GROUP),
            Family::V6 => IpAddr::V6(GROUP_V6),
        };
        Self { source, destination }
    }
}

/// A version 2 password, filled up with zeros (RFC 2338 §5.3.6.2).
pub type Password = [u8; AUTH_DATA];

/// An advert as it was found in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// Its deciding fields.
    pub advert: Advert,
    /// The addresses of the virtual router as bytes, 4 or 16 each.
    pub addresses: &'a [u8],
    /// The dialect in which the checksum is right.
    pub dialect: Dialect,
    /// Version 2 with a password.
    pub password: Option<Password>,
    /// The advert itself, without a trailer.
    pub pdu: &'a [u8],
    /// The authentication trailer behind it.
    pub trailer: Option<[u8; auth::LENGTH]>,
}

/// Appends the message to `out`. Those of `addresses` that are of the path's family go in, at most 255 (the count is
/// one byte). `dialect` counts for version 3 over IPv4, `password` for version 2.
pub fn emit(
    advert: Advert,
    addresses: &[IpAddr],
    path: Path,
    dialect: Dialect,
    password: Option<Password>,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    let family = Family::of(path.source);
    let listed = addresses.iter().filter(|address| Family::of(**address) == family).take(u8::MAX.into());
    let count = u8::try_from(listed.clone().count()).unwrap_or(u8::MAX);
    let [high, low] = match advert.version {
        Version::V3 => advert.interval.get().to_be_bytes(),
        Version::V2 => [if password.is_some() { AUTH_PASS } else { 0 }, whole_seconds(advert.interval)],
    };
    let first = advert.version.number() << 4 | TYPE_ADVERTISEMENT;
    out.extend([first, advert.vrid.get(), advert.priority.get(), count, high, low, 0, 0]);
    for address in listed {
        match address {
            IpAddr::V4(address) => out.extend(address.octets()),
            IpAddr::V6(address) => out.extend(address.octets()),
        }
    }
    if advert.version == Version::V2 {
        out.extend(password.unwrap_or_default());
    }
    let dialect = checksum::spoken(advert.version, family, dialect);
    let message = &mut out[start..];
    let checksum = !folded_sum(message, path, dialect);
    message[6..HEADER].copy_from_slice(&checksum.to_be_bytes());
}

/// Puts an authentication trailer behind the one message in `message`. Over IPv6 the checksum covers it; over IPv4
/// it does not.
pub fn seal(message: &mut Vec<u8>, trailer: [u8; auth::LENGTH], path: Path) {
    message.extend(trailer);
    if Family::of(path.source) == Family::V6 && message.len() >= HEADER {
        message[6..HEADER].fill(0);
        let checksum = !folded_sum(message, path, Dialect::Ipv6);
        message[6..HEADER].copy_from_slice(&checksum.to_be_bytes());
    }
}

/// Reads one message: all the bytes behind the IP header, no more and no less.
///
/// # Errors
/// The first thing that is wrong, in the order of RFC 9568 §7.1.
pub fn parse(message: &[u8], path: Path) -> Result<Parsed<'_>, Refusal> {
    parse_listing(message, path, 1)
}

/// The same with at least so many addresses: one is the minimum of RFC 9568 §5.2.5, and a UDP heartbeat may do without.
pub(super) fn parse_listing(message: &[u8], path: Path, least: u8) -> Result<Parsed<'_>, Refusal> {
    let (header, rest) = message.split_first_chunk::<HEADER>().ok_or(Refusal::Length)?;
    let [version_type, vrid, priority, count, high, low, ..] = *header;
    let family = Family::of(path.source);
    let version = match (version_type >> 4, family) {
        (3, _) => Version::V3,
        (2, Family::V4) => Version::V2,
        _ => return Err(Refusal::Version),
    };
    if version_type & 0x0F != TYPE_ADVERTISEMENT {
        return Err(Refusal::Type);
    }
    let (width, data) = (width(family), if version == Version::V2 { AUTH_DATA } else { 0 });
    let (pdu, trailer) = split(message, HEADER + usize::from(count) * width + data)?;
    let (addresses, data) = rest[..pdu.len() - HEADER].split_at(usize::from(count) * width);
    if count < least {
        return Err(Refusal::NoAddresses);
    }
    let covered = match family {
        Family::V4 => pdu,
        Family::V6 => message,
    };
    let dialect = checksum::dialect_of(covered, path, version).ok_or(Refusal::Checksum)?;
    let vrid = Vrid::new(vrid).ok_or(Refusal::UnknownVrid)?;
    let (interval, password) = match version {
        // "Reserve ... MUST be set to zero on transmission and ignored on reception" (RFC 9568 §5.2.6).
        Version::V3 => (Centis::new(u16::from_be_bytes([high & 0x0F, low])), None),
        Version::V2 => (Centis::new(u16::from(low) * 100), password(high, data)?),
    };
    let interval = interval.ok_or(Refusal::Interval)?;
    let advert = Advert { version, vrid, priority: Priority::new(priority), interval };
    Ok(Parsed { advert, addresses, dialect, password, pdu, trailer })
}

/// Bytes of an address.
const fn width(family: Family) -> usize {
    match family {
        Family::V4 => 4,
        Family::V6 => 16,
    }
}

/// An advert of `length` bytes and the authentication trailer behind it, when there is one.
fn split(message: &[u8], length: usize) -> Result<(&[u8], Option<[u8; auth::LENGTH]>), Refusal> {
    let (pdu, rest) = message.split_at_checked(length).ok_or(Refusal::Length)?;
    match rest.split_first_chunk() {
        None if rest.is_empty() => Ok((pdu, None)),
        Some((trailer, [])) => Ok((pdu, Some(*trailer))),
        None | Some(_) => Err(Refusal::Length),
    }
}

fn password(auth_type: u8, data: &[u8]) -> Result<Option<Password>, Refusal> {
    match auth_type {
        0 => Ok(None),
        AUTH_PASS => data.try_into().map(Some).map_err(|_| Refusal::Length),
        _ => Err(Refusal::AuthType),
    }
}

/// Adver Int of version 2, 1..=40 here (RFC 3768 §5.3.7 has 1..=255; longer than 40.95 s version 3 cannot say).
fn whole_seconds(interval: Centis) -> u8 {
    u8::try_from(interval.get().div_ceil(100)).unwrap_or(u8::MAX)
}
