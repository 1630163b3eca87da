//! Gratuitous ARP through a packet socket: built with pnet, sent and never received.
//!
//! The request form (RFC 5227 §3, an ARP Announcement): sender and target address are the virtual IP, the target
//! hardware address is zero, the Ethernet destination is broadcast.

use std::io;
use std::net::Ipv4Addr;

use pnet::packet::arp::{ArpHardwareTypes, ArpOperations, MutableArpPacket};
use pnet::packet::ethernet::{EtherTypes, MutableEthernetPacket};
use pnet::util::MacAddr;
use socket2::{Domain, SockAddr, Socket, Type};

/// Ethernet header and an ARP body for IPv4 over Ethernet (RFC 826).
const ETHERNET: usize = 14;
const FRAME: usize = ETHERNET + 28;

/// A hardware address of an Ethernet interface.
pub type Mac = [u8; 6];

/// A packet socket that only sends.
#[derive(Debug)]
pub struct ArpSocket {
    socket: Socket,
}

impl ArpSocket {
    /// Opens the socket. Protocol 0 gives it no receive queue (packet(7)).
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    /// Says to everyone behind the interface that `address` is at `mac`.
    ///
    /// # Errors
    /// What sendto(2) says, for instance `ENETDOWN`.
    pub fn announce(&self, interface: u32, mac: Mac, address: Ipv4Addr) -> io::Result<()> {
        let frame = gratuitous(mac, address);
        self.socket.send_to(&frame, &link_address(interface)?).map(|_| ())
    }
}

/// The frame of an ARP Announcement.
pub fn gratuitous(mac: Mac, address: Ipv4Addr) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    let (ethernet, arp) = frame.split_at_mut(ETHERNET);
    if let Some(mut header) = MutableEthernetPacket::new(ethernet) {
        header.set_destination(MacAddr::broadcast());
        header.set_source(mac.into());
        header.set_ethertype(EtherTypes::Arp);
    }
    if let Some(mut body) = MutableArpPacket::new(arp) {
        body.set_hardware_type(ArpHardwareTypes::Ethernet);
        body.set_protocol_type(EtherTypes::Ipv4);
        body.set_hw_addr_len(6);
        body.set_proto_addr_len(4);
        body.set_operation(ArpOperations::Request);
        body.set_sender_hw_addr(mac.into());
        body.set_sender_proto_addr(address);
        body.set_target_hw_addr(MacAddr::zero());
        body.set_target_proto_addr(address);
    }
    frame
}

/// A `sockaddr_ll` that names an interface; the rest of the destination is in the frame (packet(7)).
fn link_address(interface: u32) -> io::Result<SockAddr> {
    let index = i32::try_from(interface).map_err(io::Error::other)?;
    let family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    let size = u32::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
    // SAFETY: the storage is zeroed and larger than `sockaddr_ll`, which is plain data; the length that is
    // returned is that of `sockaddr_ll`.
    #[expect(unsafe_code, reason = "no crate of ours builds a sockaddr_ll from an interface index")]
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let link = storage.cast::<libc::sockaddr_ll>();
            (*link).sll_family = family;
            (*link).sll_protocol = EtherTypes::Arp.0.to_be();
            (*link).sll_ifindex = index;
            (*link).sll_halen = 6;
            (*link).sll_addr = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0];
            *length = size;
            Ok(())
        })
    }?;
    Ok(address)
}
