//! A raw socket of IP protocol 112: one a family for all interfaces and all virtual routers of the node.
//!
//! It delivers and sends packets; it does not know what is in them. The interface of each comes from packet
//! information, in both directions. Over IPv4 a packet begins with its header (raw(7)); over IPv6 the kernel keeps the
//! header and says beside the packet what was in it (ipv6(7)).

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrStorage, recvmsg,
    sendmsg, setsockopt, sockopt,
};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::vrrp_filter::Filter;
use super::watched::watched;
use crate::vrrp::{Family, wire};

/// A packet from the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// IPv4: header and payload. IPv6: the payload.
    pub bytes: &'a [u8],
    /// Index of the interface it came in on.
    pub interface: u32,
    /// What the header said, over IPv6.
    pub header: Option<HeaderV6>,
}

/// What is needed of an IPv6 header (RFC 8200 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderV6 {
    /// Source address.
    pub source: Ipv6Addr,
    /// Destination address.
    pub destination: Ipv6Addr,
    /// Hop limit.
    pub hop_limit: u8,
}

/// A raw socket for VRRP over one family.
#[derive(Debug)]
pub struct VrrpSocket {
    fd: AsyncFd<OwnedFd>,
    family: Family,
}

impl VrrpSocket {
    /// Opens the socket; it hears nothing of the group before [`VrrpSocket::join`]. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW.
    pub fn open(family: Family) -> io::Result<Self> {
        let domain = match family {
            Family::V4 => Domain::IPV4,
            Family::V6 => Domain::IPV6,
        };
        let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(i32::from(wire::PROTOCOL))))?;
        socket.set_nonblocking(true)?;
        match family {
            Family::V4 => prepare_v4(&socket)?,
            Family::V6 => prepare_v6(&socket)?,
        }
        Ok(Self { fd: watched(socket.into())?, family })
    }

    /// Hears the group on an interface. Joining twice is no error.
    ///
    /// # Errors
    /// `ENODEV` when the interface has gone.
    pub fn join(&self, interface: u32) -> io::Result<()> {
        let socket = SockRef::from(self.fd.get_ref());
        let joined = match self.family {
            Family::V4 => {
                socket.join_multicast_v4_n(&wire::GROUP, &InterfaceIndexOrAddress::Index(interface))
            }
            Family::V6 => socket.join_multicast_v6(&wire::GROUP_V6, interface),
        };
        match joined {
            Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => Ok(()),
            other => other,
        }
    }

    /// Lets the kernel throw away what `filter` does not take; `None` takes everything again. Packets that wait already
    /// have passed.
    ///
    /// # Errors
    /// `ENOMEM` when the kernel has no room for the program.
    pub fn filter(&self, filter: Option<&Filter>) -> io::Result<()> {
        let socket = SockRef::from(self.fd.get_ref());
        match filter {
            Some(filter) => socket.attach_filter(&filter.instructions()),
            None => socket.detach_filter(),
        }
    }

    /// Waits until there may be a packet. May be dropped and called again.
    ///
    /// # Errors
    /// The reactor is gone.
    pub async fn readable(&self) -> io::Result<()> {
        self.fd.readable().await.map(|mut guard| guard.retain_ready())
    }

    /// Takes one packet without waiting; `None` when there is none. What does not fit into `buffer` is cut off.
    ///
    /// # Errors
    /// What recvmsg(2) says, for instance `ENETDOWN` when an interface went down.
    pub fn receive<'b>(&self, buffer: &'b mut [u8]) -> io::Result<Option<Packet<'b>>> {
        let mut control = cmsg_space!(libc::in6_pktinfo, libc::c_int);
        let mut iov = [IoSliceMut::new(buffer)];
        let fd = self.fd.get_ref().as_raw_fd();
        let message =
            match recvmsg::<SockaddrStorage>(fd, &mut iov, Some(&mut control), MsgFlags::MSG_DONTWAIT) {
                Ok(message) => message,
                Err(Errno::EAGAIN) => {
                    self.clear_readable();
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            };
        let mut notes = Notes::default();
        message.cmsgs()?.for_each(|note| notes.take(&note));
        let source =
            message.address.as_ref().and_then(|address| address.as_sockaddr_in6()).map(SockaddrIn6::ip);
        let length = message.bytes;
        let header = source.map(|source| HeaderV6 {
            source,
            destination: notes.destination.unwrap_or(Ipv6Addr::UNSPECIFIED),
            hop_limit: notes.hop_limit,
        });
        Ok(Some(Packet { bytes: &buffer[..length], interface: notes.interface, header }))
    }

    /// Sends a message out of one interface, with `source` in its header.
    ///
    /// # Errors
    /// What sendmsg(2) says, for instance `ENETDOWN`, or `EINVAL` when `source` is not on this machine.
    pub fn send(
        &self,
        message: &[u8],
        interface: u32,
        source: IpAddr,
        destination: IpAddr,
    ) -> io::Result<()> {
        let fd = self.fd.get_ref().as_raw_fd();
        let message = [IoSlice::new(message)];
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: i32::try_from(interface).map_err(io::Error::other)?,
                    ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(source.octets()) },
                    ipi_addr: libc::in_addr { s_addr: u32::from_ne_bytes(Ipv4Addr::UNSPECIFIED.octets()) },
                };
                let to = SockaddrIn::from(SocketAddrV4::new(destination, 0));
                let control = [ControlMessage::Ipv4PacketInfo(&info)];
                sendmsg(fd, &message, &control, MsgFlags::MSG_DONTWAIT, Some(&to))?;
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr { s6_addr: source.octets() },
                    ipi6_ifindex: interface,
                };
                let to = SockaddrIn6::from(SocketAddrV6::new(destination, 0, 0, interface));
                let control = [ControlMessage::Ipv6PacketInfo(&info)];
                sendmsg(fd, &message, &control, MsgFlags::MSG_DONTWAIT, Some(&to))?;
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                return Err(io::ErrorKind::InvalidInput.into());
            }
        }
        Ok(())
    }

    /// The socket was empty: the next [`VrrpSocket::readable`] waits for the reactor. Packets are asked of the
    /// kernel and not of the reactor, which may not have looked since the timer rang.
    fn clear_readable(&self) {
        let empty = |_: &OwnedFd| -> io::Result<()> { Err(io::ErrorKind::WouldBlock.into()) };
        let _would_block = self.fd.try_io(Interest::READABLE, empty);
    }
}

fn prepare_v4(socket: &Socket) -> io::Result<()> {
    socket.set_multicast_all_v4(false)?;
    socket.set_multicast_loop_v4(false)?;
    socket.set_multicast_ttl_v4(wire::TTL.into())?;
    socket.set_ttl_v4(wire::TTL.into())?;
    setsockopt(socket, sockopt::Ipv4Tos, &i32::from(wire::TOS))?;
    setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?;
    Ok(())
}

fn prepare_v6(socket: &Socket) -> io::Result<()> {
    socket.set_multicast_loop_v6(false)?;
    socket.set_multicast_hops_v6(wire::TTL.into())?;
    socket.set_unicast_hops_v6(wire::TTL.into())?;
    // The source is a link-local address of the interface, also when a link on top of that sends.
    socket.set_freebind_v6(true)?;
    socket.set_tclass_v6(wire::TOS.into())?;
    socket.set_recv_hoplimit_v6(true)?;
    setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    Ok(())
}

/// What came beside a packet.
#[derive(Default)]
struct Notes {
    interface: u32,
    destination: Option<Ipv6Addr>,
    hop_limit: u8,
}

impl Notes {
    fn take(&mut self, note: &ControlMessageOwned) {
        if let ControlMessageOwned::Ipv4PacketInfo(info) = note {
            self.interface = u32::try_from(info.ipi_ifindex).unwrap_or(0);
        } else if let ControlMessageOwned::Ipv6PacketInfo(info) = note {
            self.interface = info.ipi6_ifindex;
            self.destination = Some(info.ipi6_addr.s6_addr.into());
        } else if let ControlMessageOwned::Ipv6HopLimit(limit) = note {
            self.hop_limit = u8::try_from(*limit).unwrap_or(0);
        }
    }
}
