//! A packet socket that hears what a filter lets in.
//!
//! The kernel gives it what comes in and never what this host sends (packet(7): only ETH_P_ALL hears both ways); a
//! firewall of this host comes behind it. What came in before the filter was there gets past it, so a reader looks at
//! everything itself.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{LinkAddr, MsgFlags, recvmsg};
use pnet::packet::ethernet::EtherType;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::bpf::Instruction;
use super::watched::watched;

/// The socket.
#[derive(Debug)]
pub(super) struct PacketWatch {
    fd: AsyncFd<OwnedFd>,
}

impl PacketWatch {
    /// Listens on every interface for frames of a protocol that pass the filter. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW.
    pub(super) fn open(protocol: EtherType, filter: Vec<Instruction>) -> io::Result<Self> {
        let protocol = Protocol::from(i32::from(protocol.0.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
        socket.set_nonblocking(true)?;
        let filter: Vec<_> = filter.into_iter().map(Instruction::for_kernel).collect();
        socket.attach_filter(&filter)?;
        Ok(Self { fd: watched(socket.into())? })
    }

    /// Waits until there may be a frame. May be dropped and called again.
    ///
    /// # Errors
    /// The reactor is gone.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.fd.readable().await.map(|mut guard| guard.retain_ready())
    }

    /// Takes one frame without waiting: the index of the interface it came in on, and its length in `frame`, which
    /// cuts it off; `None` when there is none. The kernel is asked when the reactor has heard of one.
    ///
    /// # Errors
    /// What recvmsg(2) says, for instance `ENETDOWN` when an interface went down.
    pub(super) fn receive(&self, frame: &mut [u8]) -> io::Result<Option<(u32, usize)>> {
        let mut buffers = [IoSliceMut::new(frame)];
        let receive = |fd: &OwnedFd| {
            let message = recvmsg::<LinkAddr>(fd.as_raw_fd(), &mut buffers, None, MsgFlags::MSG_DONTWAIT)?;
            let interface = message.address.map_or(0, |from| from.ifindex());
            Ok((u32::try_from(interface).unwrap_or(0), message.bytes))
        };
        match self.fd.try_io(Interest::READABLE, receive) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            taken => taken.map(Some),
        }
    }
}
