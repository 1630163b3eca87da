//! What the capture understands of an Ethernet frame: VRRP adverts and ARP.
//!
//! Reads the few bytes by itself instead of asking `vrrp::wire`: a test's eye must not share the mistakes of what it
//! looks at.

use std::net::Ipv4Addr;

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
}

/// A VRRP advert as it is on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// Source address of the packet.
    pub source: Ipv4Addr,
    /// Destination address of the packet.
    pub destination: Ipv4Addr,
    /// IP time to live.
    pub ttl: u8,
    /// IP type of service.
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
    pub addresses: Vec<Ipv4Addr>,
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

impl Frame {
    /// The frame's advert, if it is one.
    pub const fn advert(&self) -> Option<&Advert> {
        match &self.content {
            Content::Advert(advert) => Some(advert),
            Content::Arp(_) => None,
        }
    }

    /// The frame's gratuitous ARP, if it is one: "I am at this card", asked for by nobody (RFC 5227 §3).
    pub fn gratuitous(&self) -> Option<&Arp> {
        match &self.content {
            Content::Arp(arp) if arp.sender == arp.target => Some(arp),
            Content::Arp(_) | Content::Advert(_) => None,
        }
    }

    /// The frame in `bytes`, received at `at`; `None` when it is something else or cut short.
    pub fn parse(at: Moment, bytes: &[u8]) -> Option<Self> {
        let destination = Mac(array(bytes, 0)?);
        let source = Mac(array(bytes, 6)?);
        let content = match u16::from_be_bytes(array(bytes, 12)?) {
            ETHERTYPE_ARP => Content::Arp(parse_arp(bytes.get(14..)?)?),
            ETHERTYPE_IPV4 => Content::Advert(parse_ipv4(bytes.get(14..)?)?),
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
    let (version, interval) = match *message.first()? {
        0x31 => (3, u16::from_be_bytes(array(message, 4)?) & 0x0fff),
        0x21 => (2, u16::from(*message.get(5)?)),
        _ => return None,
    };
    let count = usize::from(*message.get(3)?);
    Some(Advert {
        source: ip(bytes, 12)?,
        destination: ip(bytes, 16)?,
        ttl: *bytes.get(8)?,
        tos: *bytes.get(1)?,
        version,
        vrid: *message.get(1)?,
        priority: *message.get(2)?,
        interval,
        addresses: (0..count).map(|n| ip(message, 8 + 4 * n)).collect::<Option<_>>()?,
    })
}

fn array<const N: usize>(bytes: &[u8], from: usize) -> Option<[u8; N]> {
    bytes.get(from..)?.first_chunk().copied()
}

fn ip(bytes: &[u8], from: usize) -> Option<Ipv4Addr> {
    array::<4>(bytes, from).map(Ipv4Addr::from)
}

/// IEEE 802 numbers (`linux/if_ether.h`).
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
/// RFC 9568 §5.1.1.4.
const IPPROTO_VRRP: u8 = 112;
