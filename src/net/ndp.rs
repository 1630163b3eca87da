//! Unsolicited neighbour advertisements: what gratuitous ARP is to IPv4. Built with pnet, sent and never received.
//!
//! To all nodes, from the virtual address, with Override set and the target link-layer option (RFC 4861 §7.2.6,
//! RFC 9568 §8.2.2). The kernel makes the ICMPv6 checksum.

use std::io::{self, IoSlice};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn6, sendmsg};
use pnet::packet::icmpv6::Icmpv6Types;
use pnet::packet::icmpv6::ndp::{
    Icmpv6Codes, MutableNeighborAdvertPacket, NdpOption, NdpOptionTypes, NeighborAdvertFlags,
};
use socket2::{Domain, Protocol, Socket, Type};

use super::arp::Mac;

/// All nodes of the link (RFC 4291 §2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 1);
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
        let info = libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr { s6_addr: address.octets() },
            ipi6_ifindex: interface,
        };
        let to = SockaddrIn6::from(SocketAddrV6::new(ALL_NODES, 0, 0, interface));
        let message = unsolicited(mac, address);
        let control = [ControlMessage::Ipv6PacketInfo(&info)];
        sendmsg(
            self.socket.as_raw_fd(),
            &[IoSlice::new(&message)],
            &control,
            MsgFlags::MSG_DONTWAIT,
            Some(&to),
        )?;
        Ok(())
    }
}

/// The message without its checksum.
pub fn unsolicited(mac: Mac, address: Ipv6Addr) -> [u8; MESSAGE] {
    let mut message = [0; MESSAGE];
    if let Some(mut advert) = MutableNeighborAdvertPacket::new(&mut message) {
        advert.set_icmpv6_type(Icmpv6Types::NeighborAdvert);
        advert.set_icmpv6_code(Icmpv6Codes::NoCode);
        advert.set_flags(NeighborAdvertFlags::Override);
        advert.set_target_addr(address);
        advert.set_options(&[NdpOption {
            option_type: NdpOptionTypes::TargetLLAddr,
            length: 1,
            data: mac.to_vec(),
        }]);
    }
    message
}
