//! What is on the wires: real bytes, made and read by the code under test. The one place that makes packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vipd::vrrp::wire::{self, Advert, Path};
use vipd::vrrp::{
    Centis, Dialect, Expected, Family, Priority, Received, Refusal, Version, Vrid, accept, accept_v6,
};

/// The addresses that move.
const ADDRESSES: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(10, 0, 1, 100)), IpAddr::V6(Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 0x100))];
/// The last octet of someone who is none of the nodes.
pub(crate) const STRANGER: u8 = 77;
/// An IPv4 header without options. Over IPv6 the kernel keeps the header.
const HEADER: usize = 20;

/// A packet on its way.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    source: IpAddr,
    hop_limit: u8,
    /// IPv4: from its header on. IPv6: what is behind it.
    pub(crate) bytes: Vec<u8>,
    /// It is to be believed.
    pub(crate) good: bool,
}

impl Letter {
    pub(crate) fn family(&self) -> Family {
        Family::of(self.source)
    }
}

/// The virtual router of every story.
pub(crate) fn vrid() -> Vrid {
    Vrid::new(51).expect("not zero")
}

/// A node's address on the wire of a family: numeric order is the order of the nodes.
pub(crate) fn source(family: Family, last: u8) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 0, 1, last).into(),
        Family::V6 => Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, last.into()).into(),
    }
}

/// Whether it is the address of someone who is none of the nodes.
pub(crate) fn is_stranger(source: IpAddr) -> bool {
    source == self::source(Family::of(source), STRANGER)
}

/// A good packet to the group.
pub(crate) fn emit(source: IpAddr, advert: Advert, dialect: Dialect) -> Letter {
    let path = Path::to_group(source);
    let mut bytes = Vec::with_capacity(64);
    if let (IpAddr::V4(from), IpAddr::V4(to)) = (path.source, path.destination) {
        bytes.extend([0x45, wire::TOS, 0, 0, 0, 1, 0, 0, wire::TTL, wire::PROTOCOL, 0, 0]);
        bytes.extend(from.octets());
        bytes.extend(to.octets());
    }
    wire::emit(advert, &ADDRESSES, path, dialect, None, &mut bytes);
    let mut letter = Letter { source, hop_limit: wire::TTL, bytes, good: true };
    if source.is_ipv4() {
        let length = u16::try_from(letter.bytes.len()).expect("short");
        letter.bytes[2..4].copy_from_slice(&length.to_be_bytes());
    }
    letter
}

/// What a node with this address makes of a letter: as `ha` does it.
pub(crate) fn judge(
    letter: &Letter,
    own: IpAddr,
    version: Version,
    interval: Centis,
) -> Result<Received, Refusal> {
    let accepted = match (letter.source, Path::to_group(letter.source).destination) {
        (IpAddr::V6(source), IpAddr::V6(group)) => accept_v6(source, group, letter.hop_limit, &letter.bytes)?,
        _ => accept(&letter.bytes)?,
    };
    if accepted.trailer.is_some() {
        return Err(Refusal::AuthUnexpected);
    }
    let received = accepted.advert;
    if received.vrid != vrid() {
        return Err(Refusal::UnknownVrid);
    }
    received.fits(&Expected { own, version, interval, password: None, peers: None })?;
    Ok(received)
}

/// The same with one wrong bit in the VRRP message: a checksum must see it.
pub(crate) fn corrupted(letter: &Letter, position: usize, bit: usize) -> Letter {
    let mut bytes = letter.bytes.clone();
    let message = if letter.source.is_ipv4() { &mut bytes[HEADER..] } else { &mut bytes };
    let length = message.len();
    message[position % length] ^= 1 << (bit % 8);
    Letter { bytes, good: false, ..*letter }
}

/// The same as if it had come through a router.
pub(crate) fn routed(mut letter: Letter) -> Letter {
    letter.hop_limit = wire::TTL - 1;
    if letter.source.is_ipv4() {
        letter.bytes[8] = wire::TTL - 1;
    }
    letter.good = false;
    letter
}

/// What a stranger says with the priority of an owner: of another virtual router, in another version, or from behind
/// a router.
pub(crate) fn foreign(kind: usize, source: IpAddr, version: Version, interval: Centis) -> Letter {
    let advert = Advert { version, vrid: vrid(), priority: Priority::OWNER, interval };
    let advert = match (kind, version, source) {
        (0, _, _) => Advert { vrid: Vrid::new(7).expect("not zero"), ..advert },
        (1, Version::V3, IpAddr::V4(_)) => Advert { version: Version::V2, ..advert },
        (1, Version::V2, _) => Advert { version: Version::V3, ..advert },
        _ => return routed(emit(source, advert, Dialect::Message)),
    };
    Letter { good: false, ..emit(source, advert, Dialect::Message) }
}
