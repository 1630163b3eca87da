//! The checksum of an advert, in each of the dialects that are spoken.

use std::net::IpAddr;

use super::wire::{GROUP, PROTOCOL, Path};
use super::{Dialect, Family, Version};

/// The dialect that is sent when `wanted` is asked for: only version 3 over IPv4 leaves a choice.
pub(crate) const fn spoken(version: Version, family: Family, wanted: Dialect) -> Dialect {
    match (version, family, wanted) {
        (Version::V2, ..) => Dialect::Message,
        (Version::V3, Family::V6, _) => Dialect::Ipv6,
        (Version::V3, Family::V4, Dialect::Ipv6) => Dialect::Pseudo,
        (Version::V3, Family::V4, wanted) => wanted,
    }
}

/// The dialect in which `message` sums to all ones; keepalived's first, since two can hold only by chance.
pub(crate) fn dialect_of(message: &[u8], path: Path, version: Version) -> Option<Dialect> {
    let dialects: &[Dialect] = match (version, Family::of(path.source)) {
        (Version::V2, _) => &[Dialect::Message],
        (Version::V3, Family::V6) => &[Dialect::Ipv6],
        (Version::V3, Family::V4) => &[Dialect::Pseudo, Dialect::Message, Dialect::GroupPseudo],
    };
    dialects.iter().copied().find(|dialect| folded_sum(message, path, *dialect) == u16::MAX)
}

/// The one's complement sum of RFC 1071 over the message and, in most dialects, a pseudo-header in front of it
/// (source, destination, length, zero, protocol: the same sum for RFC 768 and RFC 8200 §8.1).
pub(crate) fn folded_sum(message: &[u8], path: Path, dialect: Dialect) -> u16 {
    let destination = match dialect {
        Dialect::Message => None,
        Dialect::Pseudo | Dialect::Ipv6 => Some(path.destination),
        Dialect::GroupPseudo => Some(IpAddr::V4(GROUP)),
    };
    let mut sum = words(message);
    if let Some(destination) = destination {
        sum += address(path.source) + address(destination) + u64::from(PROTOCOL) + message.len() as u64;
    }
    while sum > u64::from(u16::MAX) {
        sum = (sum >> 16) + (sum & 0xFFFF);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}

fn words(bytes: &[u8]) -> u64 {
    let (words, odd) = bytes.as_chunks::<2>();
    let whole: u64 = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum();
    whole + odd.first().map_or(0, |last| u64::from(*last) << 8)
}

fn address(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => words(&address.octets()),
        IpAddr::V6(address) => words(&address.octets()),
    }
}
