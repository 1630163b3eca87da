//! ARP through a packet socket: built with pnet, sent and never received.
//!
//! Every frame is a broadcast. An announcement has the virtual IP as sender and as target. As a request (RFC 5227 §3)
//! its target hardware address is zero, as a reply the sender's own (RFC 5944 §4.6). A probe (RFC 5227 §1.1) asks who
//! has an address without saying anything about the sender, so that it changes nobody's cache.

use std::io;
use std::net::Ipv4Addr;

use pnet::packet::arp::{ArpHardwareTypes, ArpOperation, ArpOperations, MutableArpPacket};
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
    pub fn announce(&self, interface: u32, mac: Mac, address: Ipv4Addr, form: Form) -> io::Result<()> {
        self.broadcast(interface, &gratuitous(mac, address, form))
    }

    /// Asks everyone behind the interface whether `address` is theirs.
    ///
    /// # Errors
    /// As [`ArpSocket::announce`].
    pub fn probe(&self, interface: u32, mac: Mac, address: Ipv4Addr) -> io::Result<()> {
        self.broadcast(interface, &probe(mac, address))
    }

    fn broadcast(&self, interface: u32, frame: &[u8]) -> io::Result<()> {
        self.socket.send_to(frame, &link_address(interface)?).map(|_| ())
    }
}

/// The form of an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A request for the own address.
    Request,
    /// A reply that nobody asked for.
    Reply,
}

/// The frame of an announcement.
pub fn gratuitous(mac: Mac, address: Ipv4Addr, form: Form) -> [u8; FRAME] {
    match form {
        Form::Request => frame(ArpOperations::Request, (mac, address), (Mac::default(), address)),
        Form::Reply => frame(ArpOperations::Reply, (mac, address), (mac, address)),
    }
}

/// The frame of a probe.
pub fn probe(mac: Mac, address: Ipv4Addr) -> [u8; FRAME] {
    frame(ArpOperations::Request, (mac, Ipv4Addr::UNSPECIFIED), (Mac::default(), address))
}

fn frame(operation: ArpOperation, sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr)) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    let (ethernet, arp) = frame.split_at_mut(ETHERNET);
    if let Some(mut header) = MutableEthernetPacket::new(ethernet) {
        header.set_destination(MacAddr::broadcast());
        header.set_source(sender.0.into());
        header.set_ethertype(EtherTypes::Arp);
    }
    if let Some(mut body) = MutableArpPacket::new(arp) {
        body.set_hardware_type(ArpHardwareTypes::Ethernet);
        body.set_protocol_type(EtherTypes::Ipv4);
        body.set_hw_addr_len(6);
        body.set_proto_addr_len(4);
        body.set_operation(operation);
        body.set_sender_hw_addr(sender.0.into());
        body.set_sender_proto_addr(sender.1);
        body.set_target_hw_addr(target.0.into());
        body.set_target_proto_addr(target.1);
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

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = [2, 0, 10, 77, 0, 1];
    const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);

    /// RFC 826: operation, sender's addresses, target's addresses.
    fn body(frame: [u8; FRAME]) -> Vec<u8> {
        let ethernet = [&[0xFF; 6][..], &MAC, &[0x08, 0x06, 0, 1, 8, 0, 6, 4]].concat();
        assert_eq!(frame[..20], ethernet);
        frame[20..].to_vec()
    }

    #[test]
    fn announcements_and_probes_are_as_the_standards_want_them() {
        let vip = [10, 77, 0, 100];
        let request = body(gratuitous(MAC, VIP, Form::Request));
        assert_eq!(request, [&[0, 1], &MAC[..], &vip, &[0; 6], &vip].concat());
        let reply = body(gratuitous(MAC, VIP, Form::Reply));
        assert_eq!(reply, [&[0, 2], &MAC[..], &vip, &MAC, &vip].concat());
        assert_eq!(body(probe(MAC, VIP)), [&[0, 1], &MAC[..], &[0; 4], &[0; 6], &vip].concat());
    }
}
