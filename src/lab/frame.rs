//! What the capture understands of an Ethernet frame: VRRP adverts, ARP and neighbour discovery.
//!
//! Reads the few bytes by itself instead of asking `vrrp::wire`: a test's eye must not share the mistakes of what it
//! looks at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Mac, Moment};

/// A frame that the client's card received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When the kernel received it.
    pub at: Moment,
    /// The card that sent it.
    pub source: Mac,
    /// The card or group that it went to.
    pub destination: Mac,
    /// What it says.
    pub content: Content,
}

/// What a captured frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A VRRP advert, version 2 or 3.
    Advert(Advert),
    /// An ARP request or reply for IPv4.
    Arp(Arp),
    /// A neighbour advertisement of IPv6.
    Neighbour(NeighbourAdvert),
    /// A neighbour solicitation of IPv6, for this address.
    Solicitation(Ipv6Addr),
}

/// A VRRP advert as it is on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// Source address of the packet.
    pub source: IpAddr,
    /// Destination address of the packet.
    pub destination: IpAddr,
    /// IP time to live, or hop limit.
    pub ttl: u8,
    /// IP type of service, or traffic class.
    pub tos: u8,
    /// VRRP version.
    pub version: u8,
    /// Virtual Router Identifier.
    pub vrid: u8,
    /// Priority; 0 resigns.
    pub priority: u8,
    /// Version 3: Max Advertise Interval in centiseconds. Version 2: Adver Int in seconds.
    pub interval: u16,
    /// The addresses of the virtual router.
    pub addresses: Vec<IpAddr>,
}

/// An ARP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Whether it is a reply (operation 2) and not a request (operation 1).
    pub reply: bool,
    /// ar$sha.
    pub sender_mac: Mac,
    /// ar$spa.
    pub sender: Ipv4Addr,
    /// ar$tpa.
    pub target: Ipv4Addr,
}

/// A neighbour advertisement (RFC 4861 §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourAdvert {
    /// Whether it answers somebody.
    pub solicited: bool,
    /// Whether it replaces what is known.
    pub overrides: bool,
    /// Whose card it tells.
    pub target: Ipv6Addr,
    /// The card, from the target link-layer address option.
    pub mac: Mac,
}

impl Frame {
    /// The frame's advert, if it is one.
    pub const fn advert(&self) -> Option<&Advert> {
        match &self.content {
            Content::Advert(advert) => Some(advert),
            Content::Arp(_) | Content::Neighbour(_) | Content::Solicitation(_) => None,
        }
    }

    /// The address that the frame asks for, to know who has it: a neighbour solicitation, or an ARP request that
    /// announces nothing.
    pub fn question(&self) -> Option<IpAddr> {
        match &self.content {
            Content::Solicitation(target) => Some((*target).into()),
            Content::Arp(arp) if !arp.reply && arp.sender != arp.target => Some(arp.target.into()),
            Content::Arp(_) | Content::Advert(_) | Content::Neighbour(_) => None,
        }
    }

    /// Which address the frame says is at which card, asked for by nobody: gratuitous ARP, or an unsolicited neighbour
    /// advertisement that replaces what is known.
    pub fn announcement(&self) -> Option<(IpAddr, Mac)> {
        match &self.content {
            Content::Advert(_) | Content::Solicitation(_) => None,
            Content::Arp(_) => self.gratuitous().map(|arp| (arp.sender.into(), arp.sender_mac)),
            Content::Neighbour(told) if told.overrides && !told.solicited => {
                Some((told.target.into(), told.mac))
            }
            Content::Neighbour(_) => None,
        }
    }

    /// The frame's gratuitous ARP, if it is one: "I am at this card", asked for by nobody (RFC 5227 §3).
    pub fn gratuitous(&self) -> Option<&Arp> {
        match &self.content {
            Content::Arp(arp) if arp.sender == arp.target => Some(arp),
            Content::Arp(_) | Content::Advert(_) | Content::Neighbour(_) | Content::Solicitation(_) => None,
        }
    }

    /// The frame in `bytes`, received at `at`; `None` when it is something else or cut short.
    pub fn parse(at: Moment, bytes: &[u8]) -> Option<Self> {
        let destination = Mac(array(bytes, 0)?);
        let source = Mac(array(bytes, 6)?);
        let content = match u16::from_be_bytes(array(bytes, 12)?) {
            ETHERTYPE_ARP => Content::Arp(parse_arp(bytes.get(14..)?)?),
            ETHERTYPE_IPV4 => Content::Advert(parse_ipv4(bytes.get(14..)?)?),
            ETHERTYPE_IPV6 => parse_ipv6(bytes.get(14..)?)?,
            _ => return None,
        };
        Some(Self { at, source, destination, content })
    }
}

/// RFC 826, for IPv4 over Ethernet.
fn parse_arp(bytes: &[u8]) -> Option<Arp> {
    if bytes.get(..6)? != [0, 1, 8, 0, 6, 4] {
        return None;
    }
    let operation = u16::from_be_bytes(array(bytes, 6)?);
    if !(1..=2).contains(&operation) {
        return None;
    }
    Some(Arp {
        reply: operation == 2,
        sender_mac: Mac(array(bytes, 8)?),
        sender: ip(bytes, 14)?,
        target: ip(bytes, 24)?,
    })
}

fn parse_ipv4(bytes: &[u8]) -> Option<Advert> {
    let first = *bytes.first()?;
    let total = usize::from(u16::from_be_bytes(array(bytes, 2)?));
    if first >> 4 != 4 || *bytes.get(9)? != IPPROTO_VRRP {
        return None;
    }
    // Short frames are padded to 60 bytes: the packet ends where IP says.
    let message = bytes.get(usize::from(first & 0x0f) * 4..total)?;
    let outside = Outside {
        source: ip(bytes, 12)?.into(),
        destination: ip(bytes, 16)?.into(),
        ttl: *bytes.get(8)?,
        tos: *bytes.get(1)?,
    };
    parse_vrrp(outside, message, |n| Some(ip(message, 8 + 4 * n)?.into()))
}

/// RFC 8200, without extension headers.
fn parse_ipv6(bytes: &[u8]) -> Option<Content> {
    let first = u16::from_be_bytes(array(bytes, 0)?);
    let length = usize::from(u16::from_be_bytes(array(bytes, 4)?));
    let message = bytes.get(40..40 + length)?;
    let outside = Outside {
        source: ip6(bytes, 8)?.into(),
        destination: ip6(bytes, 24)?.into(),
        ttl: *bytes.get(7)?,
        tos: (first >> 4).to_be_bytes()[1],
    };
    match *bytes.get(6)? {
        _ if first >> 12 != 6 => None,
        IPPROTO_VRRP => {
            parse_vrrp(outside, message, |n| Some(ip6(message, 8 + 16 * n)?.into())).map(Content::Advert)
        }
        IPPROTO_ICMPV6 if message.first() == Some(&NEIGHBOUR_SOLICITATION) => {
            ip6(message, 8).map(Content::Solicitation)
        }
        IPPROTO_ICMPV6 => parse_neighbour(message).map(Content::Neighbour),
        _ => None,
    }
}

/// RFC 4861 §4.4; the link-layer address option comes first where there is one, and an announcement has it.
fn parse_neighbour(message: &[u8]) -> Option<NeighbourAdvert> {
    if *message.first()? != NEIGHBOUR_ADVERT || message.get(24..26)? != [TARGET_CARD, 1] {
        return None;
    }
    let flags = *message.get(4)?;
    let (solicited, overrides) = (flags & 0x40 != 0, flags & 0x20 != 0);
    Some(NeighbourAdvert { solicited, overrides, target: ip6(message, 8)?, mac: Mac(array(message, 26)?) })
}

/// What an IP header says about an advert.
struct Outside {
    source: IpAddr,
    destination: IpAddr,
    ttl: u8,
    tos: u8,
}

/// The message, which has its addresses at `address`.
fn parse_vrrp(outside: Outside, message: &[u8], address: impl Fn(usize) -> Option<IpAddr>) -> Option<Advert> {
    let (version, interval) = match *message.first()? {
        0x31 => (3, u16::from_be_bytes(array(message, 4)?) & 0x0fff),
        0x21 => (2, u16::from(*message.get(5)?)),
        _ => return None,
    };
    let count = usize::from(*message.get(3)?);
    let Outside { source, destination, ttl, tos } = outside;
    Some(Advert {
        source,
        destination,
        ttl,
        tos,
        version,
        vrid: *message.get(1)?,
        priority: *message.get(2)?,
        interval,
        addresses: (0..count).map(address).collect::<Option<_>>()?,
    })
}

fn array<const N: usize>(bytes: &[u8], from: usize) -> Option<[u8; N]> {
    bytes.get(from..)?.first_chunk().copied()
}

fn ip(bytes: &[u8], from: usize) -> Option<Ipv4Addr> {
    array::<4>(bytes, from).map(Ipv4Addr::from)
}

fn ip6(bytes: &[u8], from: usize) -> Option<Ipv6Addr> {
    array::<16>(bytes, from).map(Ipv6Addr::from)
}

/// IEEE 802 numbers (`linux/if_ether.h`).
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// RFC 4443 §1.
const IPPROTO_ICMPV6: u8 = 58;
/// RFC 4861 §4.3, §4.4, §4.6.1.
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERT: u8 = 136;
const TARGET_CARD: u8 = 2;
/// RFC 9568 §5.1.1.4.
const IPPROTO_VRRP: u8 = 112;
