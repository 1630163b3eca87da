//! Neighbour discovery through a raw ICMPv6 socket: built with pnet, sent and never received. The kernel makes the
//! checksum.
//!
//! An announcement is an unsolicited neighbour advertisement, what gratuitous ARP is to IPv4: to all nodes, from the
//! virtual address, with Override set and the target link-layer option (RFC 4861 §7.2.6, RFC 9568 §8.2.2).
//!
//! A probe is the neighbour solicitation of address resolution (RFC 4861 §4.3), from an address of this host's own: who
//! has the address answers this host alone. The probe of duplicate address detection (RFC 4862 §5.4.2), which has no
//! source, is answered to all nodes, and Linux sets Override in that: it would lead everybody to the duplicate. This
//! host's kernel hears neither, as what the socket sends is not looped back.

use std::io::{self, IoSlice};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn6, sendmsg};
use pnet::packet::icmpv6::Icmpv6Types;
use pnet::packet::icmpv6::ndp::{
    Icmpv6Codes, MutableNeighborAdvertPacket, MutableNeighborSolicitPacket, NdpOption, NdpOptionType,
    NdpOptionTypes, NeighborAdvertFlags,
};
use socket2::{Domain, Protocol, Socket, Type};

use super::arp::Mac;

/// All nodes of the link (RFC 4291 §2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 1);
/// What every solicited-node group begins with (RFC 4291 §2.7.1).
const SOLICITED_NODE: Ipv6Addr = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 1, 0xFF00, 0);
/// Type, code, checksum, flags and target, then the option: type, length in units of 8, address.
const MESSAGE: usize = 24 + 8;
/// "MUST be 255" (RFC 4861 §7.1.2).
const HOP_LIMIT: u32 = 255;

/// A raw ICMPv6 socket that only sends.
#[derive(Debug)]
pub struct NdpSocket {
    socket: Socket,
}

impl NdpSocket {
    /// Opens the socket.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        socket.set_nonblocking(true)?;
        socket.set_multicast_hops_v6(HOP_LIMIT)?;
        socket.set_multicast_loop_v6(false)?;
        // Nothing is ever read: what the machine receives must not pile up here.
        socket.attach_filter(&[socket2::SockFilter::new(0x06, 0, 0, 0)])?;
        Ok(Self { socket })
    }

    /// Says to everyone behind the interface that `address`, which is on it, is at `mac`.
    ///
    /// # Errors
    /// What sendmsg(2) says, for instance `ENETDOWN`.
    pub fn announce(&self, interface: u32, mac: Mac, address: Ipv6Addr) -> io::Result<()> {
        self.send(interface, address, ALL_NODES, &unsolicited(mac, address))
    }

    /// Asks who behind the interface has `address`; `source` and `mac` are where answers go, and on the interface.
    ///
    /// # Errors
    /// As [`NdpSocket::announce`].
    pub fn probe(&self, interface: u32, mac: Mac, source: Ipv6Addr, address: Ipv6Addr) -> io::Result<()> {
        self.send(interface, source, solicited_node(address), &probe(mac, address))
    }

    fn send(&self, interface: u32, from: Ipv6Addr, to: Ipv6Addr, message: &[u8]) -> io::Result<()> {
        let info = libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr { s6_addr: from.octets() },
            ipi6_ifindex: interface,
        };
        let to = SockaddrIn6::from(SocketAddrV6::new(to, 0, 0, interface));
        let control = [ControlMessage::Ipv6PacketInfo(&info)];
        let fd = self.socket.as_raw_fd();
        sendmsg(fd, &[IoSlice::new(message)], &control, MsgFlags::MSG_DONTWAIT, Some(&to))?;
        Ok(())
    }
}

/// The group of everyone who may have an address (RFC 4291 §2.7.1).
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(SOLICITED_NODE.to_bits() | (address.to_bits() & 0x00FF_FFFF))
}

/// The message of an announcement, without its checksum.
pub fn unsolicited(mac: Mac, address: Ipv6Addr) -> [u8; MESSAGE] {
    let mut message = [0; MESSAGE];
    if let Some(mut advert) = MutableNeighborAdvertPacket::new(&mut message) {
        advert.set_icmpv6_type(Icmpv6Types::NeighborAdvert);
        advert.set_icmpv6_code(Icmpv6Codes::NoCode);
        advert.set_flags(NeighborAdvertFlags::Override);
        advert.set_target_addr(address);
        advert.set_options(&[option(NdpOptionTypes::TargetLLAddr, mac)]);
    }
    message
}

/// The message of a probe, without its checksum.
pub fn probe(mac: Mac, address: Ipv6Addr) -> [u8; MESSAGE] {
    let mut message = [0; MESSAGE];
    if let Some(mut solicit) = MutableNeighborSolicitPacket::new(&mut message) {
        solicit.set_icmpv6_type(Icmpv6Types::NeighborSolicit);
        solicit.set_icmpv6_code(Icmpv6Codes::NoCode);
        solicit.set_target_addr(address);
        solicit.set_options(&[option(NdpOptionTypes::SourceLLAddr, mac)]);
    }
    message
}

fn option(option_type: NdpOptionType, mac: Mac) -> NdpOption {
    NdpOption { option_type, length: 1, data: mac.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = [2, 0, 10, 77, 0, 1];
    const VIP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0x1234, 0x5678, 0x9ABC);

    #[test]
    fn announcements_and_probes_are_as_the_standards_want_them() {
        let target = VIP.octets();
        let advert = [&[136, 0, 0, 0, 0x20, 0, 0, 0][..], &target, &[2, 1], &MAC].concat();
        assert_eq!(unsolicited(MAC, VIP)[..], advert);
        let solicit = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target, &[1, 1], &MAC].concat();
        assert_eq!(probe(MAC, VIP)[..], solicit);
        assert_eq!(solicited_node(VIP), Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 1, 0xFF78, 0x9ABC));
    }
}
