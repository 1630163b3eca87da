//! The bytes of a version 3 ADVERTISEMENT for IPv4 (RFC 9568 §5.1), both ways, and its two checksum dialects.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Version| Type  | Virtual Rtr ID|   Priority    |IPvX Addr Count|
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Reserve| Max Advertise Interval|           Checksum            |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                        IPv4 Address(es)                       |
//! ```
//!
//! Every byte may come from a stranger: nothing here may panic, whatever the input.

use std::net::Ipv4Addr;

use super::accept::Refusal;
use super::{Centis, Dialect, Priority, Vrid};

/// IP protocol number of VRRP (RFC 9568 §5.1.1.4).
pub const PROTOCOL: u8 = 112;
/// The group of IPv4 adverts (RFC 9568 §5.1.1.2).
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// The TTL that is sent and required (RFC 9568 §5.1.1.3).
pub const TTL: u8 = 255;
/// Type of service: internetwork control (RFC 9568 leaves it open; keepalived and FRR send it).
pub const TOS: u8 = 0xC0;

/// The fixed part in front of the addresses.
const HEADER: usize = 8;
/// Version 3 and type 1, ADVERTISEMENT (RFC 9568 §5.2.1, §5.2.2).
const VERSION: u8 = 3;
const TYPE_ADVERTISEMENT: u8 = 1;

/// The fields of an advert that decide something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advert {
    /// Which virtual router it speaks of.
    pub vrid: Vrid,
    /// The sender's priority; 0 resigns.
    pub priority: Priority,
    /// Max Advertise Interval of the sender.
    pub interval: Centis,
}

/// The addresses of the IP header around an advert; one checksum dialect covers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
}

/// An advert as it was found in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// Its deciding fields.
    pub advert: Advert,
    /// The addresses of the virtual router, as the sender lists them.
    pub addresses: &'a [[u8; 4]],
    /// The dialect in which the checksum is right.
    pub dialect: Dialect,
}

/// Appends the message to `out`. At most 255 of `addresses` go in (the count is one byte).
pub fn emit(advert: Advert, addresses: &[Ipv4Addr], path: Path, dialect: Dialect, out: &mut Vec<u8>) {
    let start = out.len();
    let count = u8::try_from(addresses.len()).unwrap_or(u8::MAX);
    let [high, low] = advert.interval.get().to_be_bytes();
    let first = VERSION << 4 | TYPE_ADVERTISEMENT;
    out.extend([first, advert.vrid.get(), advert.priority.get(), count, high, low, 0, 0]);
    for address in addresses.iter().take(count.into()) {
        out.extend(address.octets());
    }
    let message = &mut out[start..];
    let checksum = !folded_sum(message, path, dialect);
    message[6..HEADER].copy_from_slice(&checksum.to_be_bytes());
}

/// Reads one message: all the bytes behind the IP header, no more and no less.
///
/// # Errors
/// The first thing that is wrong, in the order of RFC 9568 §7.1.
pub fn parse(message: &[u8], path: Path) -> Result<Parsed<'_>, Refusal> {
    let (header, rest) = message.split_first_chunk::<HEADER>().ok_or(Refusal::Length)?;
    let [version_type, vrid, priority, count, high, low, ..] = *header;
    if version_type >> 4 != VERSION {
        return Err(Refusal::Version);
    }
    if version_type & 0x0F != TYPE_ADVERTISEMENT {
        return Err(Refusal::Type);
    }
    let (addresses, []) = rest.as_chunks::<4>() else {
        return Err(Refusal::Length);
    };
    if addresses.len() != usize::from(count) {
        return Err(Refusal::Length);
    }
    if addresses.is_empty() {
        return Err(Refusal::NoAddresses);
    }
    let dialect = dialect_of(message, path).ok_or(Refusal::Checksum)?;
    let vrid = Vrid::new(vrid).ok_or(Refusal::UnknownVrid)?;
    // "Reserve ... MUST be set to zero on transmission and ignored on reception" (RFC 9568 §5.2.6).
    let interval = Centis::new(u16::from_be_bytes([high & 0x0F, low])).ok_or(Refusal::Interval)?;
    Ok(Parsed { advert: Advert { vrid, priority: Priority::new(priority), interval }, addresses, dialect })
}

/// The dialect in which `message` sums to all ones; keepalived's first, since both can hold only by chance.
fn dialect_of(message: &[u8], path: Path) -> Option<Dialect> {
    [Dialect::Pseudo, Dialect::Message]
        .into_iter()
        .find(|dialect| folded_sum(message, path, *dialect) == u16::MAX)
}

/// The one's complement sum of RFC 1071 over the message and, in one dialect, the pseudo-header
/// (source, destination, zero, protocol, length) in front of it.
fn folded_sum(message: &[u8], path: Path, dialect: Dialect) -> u16 {
    let (words, odd) = message.as_chunks::<2>();
    let mut sum: u64 = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum();
    if let [last] = odd {
        sum += u64::from(*last) << 8;
    }
    match dialect {
        Dialect::Message => {}
        Dialect::Pseudo => {
            for address in [path.source, path.destination] {
                let bits = u64::from(address.to_bits());
                sum += (bits >> 16) + (bits & 0xFFFF);
            }
            sum += u64::from(PROTOCOL) + message.len() as u64;
        }
    }
    while sum > u64::from(u16::MAX) {
        sum = (sum >> 16) + (sum & 0xFFFF);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}
