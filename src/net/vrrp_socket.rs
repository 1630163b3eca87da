//! The raw socket of IP protocol 112: one for all interfaces and all virtual routers of the node.
//!
//! It delivers and sends packets; it does not know what is in them. Received packets begin with their IPv4 header
//! (raw(7)). The interface of each comes from IP_PKTINFO, in both directions.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt, sockopt,
};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::watched::watched;
use crate::vrrp::wire;

/// A packet from the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// IPv4 header and payload.
    pub bytes: &'a [u8],
    /// Index of the interface it came in on.
    pub interface: u32,
}

/// A raw socket for VRRP over IPv4.
#[derive(Debug)]
pub struct VrrpSocket {
    fd: AsyncFd<OwnedFd>,
}

impl VrrpSocket {
    /// Opens the socket; it hears nothing before [`VrrpSocket::join`]. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(i32::from(wire::PROTOCOL))))?;
        socket.set_nonblocking(true)?;
        socket.set_multicast_all_v4(false)?;
        socket.set_multicast_loop_v4(false)?;
        socket.set_multicast_ttl_v4(wire::TTL.into())?;
        setsockopt(&socket, sockopt::Ipv4Tos, &i32::from(wire::TOS))?;
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        Ok(Self { fd: watched(socket.into())? })
    }

    /// Hears the group on an interface. Joining twice is no error.
    ///
    /// # Errors
    /// `ENODEV` when the interface has gone.
    pub fn join(&self, interface: u32) -> io::Result<()> {
        let socket = SockRef::from(self.fd.get_ref());
        let joined = socket.join_multicast_v4_n(&wire::GROUP, &InterfaceIndexOrAddress::Index(interface));
        match joined {
            Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => Ok(()),
            other => other,
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
        let mut control = cmsg_space!(libc::in_pktinfo);
        let mut iov = [IoSliceMut::new(buffer)];
        let fd = self.fd.get_ref().as_raw_fd();
        let message = match recvmsg::<SockaddrIn>(fd, &mut iov, Some(&mut control), MsgFlags::MSG_DONTWAIT) {
            Ok(message) => message,
            Err(Errno::EAGAIN) => {
                self.clear_readable();
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let interface = message
            .cmsgs()?
            .find_map(|control| {
                let ControlMessageOwned::Ipv4PacketInfo(info) = control else { return None };
                u32::try_from(info.ipi_ifindex).ok()
            })
            .unwrap_or(0);
        let length = message.bytes;
        Ok(Some(Packet { bytes: &buffer[..length], interface }))
    }

    /// Sends a message to the group out of one interface, with `source` in its IPv4 header.
    ///
    /// # Errors
    /// What sendmsg(2) says, for instance `ENETDOWN`, or `EINVAL` when `source` is not on this machine.
    pub fn send(&self, message: &[u8], interface: u32, source: Ipv4Addr) -> io::Result<()> {
        let info = libc::in_pktinfo {
            ipi_ifindex: i32::try_from(interface).map_err(io::Error::other)?,
            ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(source.octets()) },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        let [a, b, c, d] = wire::GROUP.octets();
        let group = SockaddrIn::new(a, b, c, d, 0);
        let control = [ControlMessage::Ipv4PacketInfo(&info)];
        let fd = self.fd.get_ref().as_raw_fd();
        sendmsg(fd, &[IoSlice::new(message)], &control, MsgFlags::MSG_DONTWAIT, Some(&group))?;
        Ok(())
    }

    /// The socket was empty: the next [`VrrpSocket::readable`] waits for the reactor. Packets are asked of the
    /// kernel and not of the reactor, which may not have looked since the timer rang.
    fn clear_readable(&self) {
        let _would_block = self
            .fd
            .try_io(Interest::READABLE, |_| -> io::Result<()> { Err(io::ErrorKind::WouldBlock.into()) });
    }
}
