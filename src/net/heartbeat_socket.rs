//! The UDP socket of a heartbeat: one a port, bound to the node's own address for it.
//!
//! It delivers and sends datagrams; it does not know what is in them, nor who may send some.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::task::{Context, Poll, ready};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockaddrStorage, recvfrom, sendto, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::bpf::code::{AND_K, IF_EQUAL_K, LOAD_WORD, RETURN};
use super::bpf::{Assembler, Instruction, NETWORK, RANDOM};
use super::vrrp_filter::SAMPLE;
use super::watched::watched;
use crate::vrrp::wire;

/// Offset in an IPv4 header (RFC 791 §3.1).
const IP_SOURCE: u32 = 12;
/// Offset in an IPv6 header (RFC 8200 §3).
const IPV6_SOURCE: u32 = 8;

/// A UDP socket over IPv4 or IPv6.
#[derive(Debug)]
pub struct HeartbeatSocket {
    fd: AsyncFd<OwnedFd>,
}

impl HeartbeatSocket {
    /// Binds `address`, on this machine already or not yet (`IP_FREEBIND`, `IPV6_FREEBIND`); port 0 picks a free one.
    /// Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// With the address: another program has the port.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        bind(address).map_err(|error| {
            let what = remedy(&error, address.port());
            io::Error::new(error.kind(), format!("no UDP heartbeat on {address}: {error}{what}"))
        })
    }

    /// Where it is bound.
    ///
    /// # Errors
    /// None that the kernel documents for a bound socket.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        let address = SockRef::from(self.fd.get_ref()).local_addr()?;
        address.as_socket().ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    /// Whether there may be a datagram; wakes the task when there may be one later.
    ///
    /// # Errors
    /// The reactor is gone.
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut guard = ready!(self.fd.poll_read_ready(context))?;
        guard.retain_ready();
        Poll::Ready(Ok(()))
    }

    /// Takes one datagram without waiting: its length in `buffer` and who sent it; `None` when there is none. What does
    /// not fit is cut off.
    ///
    /// # Errors
    /// What recvfrom(2) says.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        match recvfrom::<SockaddrStorage>(self.fd.get_ref().as_raw_fd(), buffer) {
            Ok((length, from)) => {
                let from = from.as_ref().and_then(sender);
                let from = from.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
                Ok(Some((length, from)))
            }
            Err(Errno::EAGAIN) => {
                // The next wait asks the reactor, which may not have looked since the timer rang.
                let empty = |_: &OwnedFd| -> io::Result<()> { Err(io::ErrorKind::WouldBlock.into()) };
                let _would_block = self.fd.try_io(Interest::READABLE, empty);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// From now on the kernel lets everything through that comes from `peers`, and of the rest one in [`SAMPLE`], chosen
    /// by its dice; `None`: everything again. What waits already has passed.
    ///
    /// # Errors
    /// `ENOMEM` when the kernel has no room for the program.
    pub fn prefer(&self, peers: Option<&[IpAddr]>) -> io::Result<()> {
        let socket = SockRef::from(self.fd.get_ref());
        let Some(peers) = peers else { return socket.detach_filter() };
        let program: Vec<_> = preferring(peers).into_iter().map(Instruction::for_kernel).collect();
        socket.attach_filter(&program)
    }

    /// Sends a datagram.
    ///
    /// # Errors
    /// What sendto(2) says, for instance `EINVAL` while the bound address is not on this machine.
    pub fn send(&self, message: &[u8], to: SocketAddr) -> io::Result<()> {
        let to = SockaddrStorage::from(to);
        sendto(self.fd.get_ref().as_raw_fd(), message, &to, MsgFlags::MSG_DONTWAIT)?;
        Ok(())
    }
}

fn sender(from: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = from.as_sockaddr_in() {
        return Some(SocketAddr::new(v4.ip().into(), v4.port()));
    }
    from.as_sockaddr_in6().map(|v6| SocketAddr::new(v6.ip().into(), v6.port()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Take,
    /// It is not this peer.
    Not(IpAddr),
}

/// The program of [`HeartbeatSocket::prefer`]. A UDP socket's filter sees the datagram from its UDP header on; the IP
/// header is behind [`NETWORK`].
fn preferring(peers: &[IpAddr]) -> Vec<Instruction> {
    let mut asm = Assembler::new();
    for peer in peers {
        let (at, octets) = match peer {
            IpAddr::V4(peer) => (NETWORK + IP_SOURCE, peer.octets().to_vec()),
            IpAddr::V6(peer) => (NETWORK + IPV6_SOURCE, peer.octets().to_vec()),
        };
        for (at, word) in (at..).step_by(4).zip(octets.chunks_exact(4)) {
            let word = word.iter().fold(0, |word, octet| word << 8 | u32::from(*octet));
            asm.then(LOAD_WORD, at);
            asm.jump_unless(IF_EQUAL_K, word, Label::Not(*peer));
        }
        asm.jump(Label::Take);
        asm.place(Label::Not(*peer));
    }
    asm.then(LOAD_WORD, RANDOM);
    asm.then(AND_K, SAMPLE - 1);
    asm.jump_if(IF_EQUAL_K, 0, Label::Take);
    asm.then(RETURN, 0);
    asm.place(Label::Take);
    asm.then(RETURN, 0x0004_0000);
    asm.finish()
}

fn remedy(error: &io::Error, port: u16) -> String {
    let kind = error.kind();
    if kind == io::ErrorKind::AddrInUse {
        return format!(
            "; another program has the port: see `ss -lunp 'sport = :{port}'`, stop it or change the heartbeat's `port`"
        );
    }
    if kind == io::ErrorKind::PermissionDenied && port < 1024 {
        return "; ports below 1024 need CAP_NET_BIND_SERVICE".to_owned();
    }
    String::new()
}

fn bind(address: SocketAddr) -> io::Result<HeartbeatSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    match address {
        SocketAddr::V4(_) => {
            socket.set_freebind_v4(true)?;
            setsockopt(&socket, sockopt::Ipv4Tos, &i32::from(wire::TOS))?;
        }
        SocketAddr::V6(_) => {
            socket.set_freebind_v6(true)?;
            socket.set_tclass_v6(wire::TOS.into())?;
        }
    }
    socket.bind(&address.into())?;
    Ok(HeartbeatSocket { fd: watched(socket.into())? })
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::Ipv6Addr;

    use super::super::bpf::run;
    use super::*;

    #[test]
    fn a_datagram_arrives_with_its_sender_and_an_empty_socket_says_so() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            for own in [IpAddr::from([127, 0, 0, 1]), Ipv6Addr::LOCALHOST.into()] {
                let open = || HeartbeatSocket::open((own, 0).into()).expect("a free port");
                let (one, other) = (open(), open());
                let [from, to] = [&one, &other].map(|socket| socket.local_address().expect("bound"));
                let mut buffer = [0; 8];
                assert_eq!(other.receive(&mut buffer).expect("read"), None);
                one.send(b"advert and more", to).expect("sent");
                poll_fn(|context| other.poll_readable(context)).await.expect("readable");
                assert_eq!(other.receive(&mut buffer).expect("read"), Some((8, from)), "the rest is cut off");
                assert_eq!(&buffer, b"advert a");
                assert_eq!(other.receive(&mut buffer).expect("read"), None);
            }
        });
    }

    #[test]
    fn peers_pass_the_filter_and_strangers_are_sampled() {
        let peers = [[10, 77, 0, 2], [10, 77, 0, 3]].map(IpAddr::from);
        let takes = |source: [u8; 4], random| {
            let mut header = [0; 20];
            header[12..16].copy_from_slice(&source);
            run(&preferring(&peers), b"datagram", &header, random) > 0
        };
        assert!(takes([10, 77, 0, 2], 1) && takes([10, 77, 0, 3], 1));
        assert!(!takes([10, 77, 0, 1], 1) && !takes([10, 77, 0, 1], SAMPLE - 1));
        assert!(takes([10, 77, 0, 1], 0) && takes([10, 77, 0, 1], SAMPLE * 7));
    }

    #[test]
    fn an_ipv6_peer_passes_the_filter_and_who_differs_from_it_anywhere_is_sampled() {
        let peers = ["fd00:9::2", "fd00:9::3"].map(|peer| peer.parse::<Ipv6Addr>().expect("an address"));
        let takes = |source: Ipv6Addr| {
            let mut header = [0; 40];
            header[8..24].copy_from_slice(&source.octets());
            run(&preferring(&peers.map(IpAddr::from)), b"datagram", &header, 1) > 0
        };
        assert!(peers.into_iter().all(takes));
        for bit in 1..128 {
            assert!(!takes(Ipv6Addr::from_bits(peers[0].to_bits() ^ 1 << bit)), "bit {bit}");
        }
    }

    /// The kernel takes the program, and finds the source where the program looks for it.
    #[test]
    fn the_kernel_lets_a_peer_through_the_filter() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            for own in [IpAddr::from([127, 0, 0, 1]), Ipv6Addr::LOCALHOST.into()] {
                let open = || HeartbeatSocket::open((own, 0).into()).expect("a free port");
                let (one, other) = (open(), open());
                let to = other.local_address().expect("bound");
                let mut buffer = [0; 8];
                let mut heard = |count: u8| {
                    (0..count).for_each(|_| one.send(b"advert", to).expect("sent"));
                    // Over the loopback a datagram is in the queue when sendto(2) returns.
                    (0..count).filter(|_| other.receive(&mut buffer).expect("read").is_some()).count()
                };
                other.prefer(Some(&[own])).expect("attached");
                assert_eq!(heard(64), 64);
                other.prefer(Some(&[[127, 0, 0, 2].into(), Ipv6Addr::UNSPECIFIED.into()])).expect("attached");
                assert!(heard(64) < 32, "one in {SAMPLE}");
                other.prefer(None).expect("detached");
                assert_eq!(heard(64), 64);
            }
        });
    }

    #[test]
    fn an_address_of_another_machine_can_be_bound_and_a_port_in_use_is_named() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let _inside = runtime.enter();
        assert!(HeartbeatSocket::open(([192, 0, 2, 1], 0).into()).is_ok(), "TEST-NET-1 is on no machine");
        let taken = HeartbeatSocket::open(([127, 0, 0, 1], 0).into()).expect("a free port");
        let address = taken.local_address().expect("bound");
        let said = HeartbeatSocket::open(address).expect_err("it is taken").to_string();
        assert!(said.contains(&address.to_string()) && said.contains("change the heartbeat"), "{said}");
    }
}
