//! Listening sockets of the data plane: one per core and address, bound whether or not the address is here.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;
use std::{fmt, io};

use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;

use super::keepalive;
use super::watched::watched;

/// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// Clients that may have said something before their handshake is complete; the others begin as ever.
const FAST: libc::c_int = 1024;

/// How clients are taken in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// A connection is accepted when its first bytes are there, or once the client has said nothing for that long:
    /// `TCP_DEFER_ACCEPT` (tcp(7)), which the kernel counts in repetitions of its SYN-ACK: 1 s, 3 s, 7 s and so on. Not for
    /// protocols where the server may speak first.
    pub defer: Option<Duration>,
    /// Clients that are silent are asked whether they are there, see [`keepalive`]; else once they
    /// [begin to be](keepalive::begin_accepted).
    pub asks: bool,
    /// The first bytes of a client that was here before may come with its SYN: `TCP_FASTOPEN` (tcp(7), RFC 7413), where
    /// `net.ipv4.tcp_fastopen` has the bit for it. They may come twice.
    pub fast_open: bool,
}

/// Opens a non-blocking listener on `address`; port 0 picks a free one.
///
/// `SO_REUSEPORT`: every core has its own listener and the kernel spreads the connections. `IP_FREEBIND`: the address
/// may be held by another node now. `TCP_NODELAY` is inherited by what is accepted. IPv6 means IPv6 only.
///
/// # Errors
/// With the address and what to do about it.
pub fn listen(address: SocketAddr, manner: Manner) -> Result<TcpListener, ListenError> {
    open(address, manner).map_err(|source| ListenError { address, source })
}

fn open(address: SocketAddr, manner: Manner) -> io::Result<TcpListener> {
    let Manner { defer, asks, fast_open } = manner;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    if address.is_ipv4() {
        socket.set_freebind_v4(true)?;
    } else {
        socket.set_freebind_v6(true)?;
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_tcp_nodelay(true)?;
    keepalive::bequeath(&socket, asks)?;
    if let Some(silence) = defer {
        let seconds = libc::c_int::try_from(silence.as_millis().div_ceil(1000)).unwrap_or(libc::c_int::MAX);
        defer_accept(socket.as_raw_fd(), seconds)?;
    }
    if fast_open {
        set(socket.as_raw_fd(), (libc::IPPROTO_TCP, libc::TCP_FASTOPEN), FAST)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// `TCP_DEFER_ACCEPT` for up to so many seconds; 0 turns it off.
pub(super) fn defer_accept(socket: RawFd, seconds: libc::c_int) -> io::Result<()> {
    set(socket, (libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT), seconds)
}

/// Segments that come with a smaller TTL or hop limit are dropped, by `IP_MINTTL` (ip(7)) or `IPV6_MINHOPCOUNT`
/// (linux/in6.h); 0 takes them all.
pub(super) fn least_hops(socket: RawFd, is_ipv4: bool, least: libc::c_int) -> io::Result<()> {
    let v4 = (libc::IPPROTO_IP, libc::IP_MINTTL);
    set(socket, if is_ipv4 { v4 } else { (libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT) }, least)
}

fn set(socket: RawFd, (level, name): (libc::c_int, libc::c_int), value: libc::c_int) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of_val(&value)).unwrap_or(0);
    // SAFETY: the socket is open, and the kernel reads `length` bytes of an integer that outlives the call.
    #[expect(unsafe_code, reason = "no crate of ours has these options")]
    let result = unsafe { libc::setsockopt(socket, level, name, (&raw const value).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A listener that the reactor watches. What it accepts is non-blocking and not watched yet: a client that has its say
/// at once and leaves never needs to be.
#[derive(Debug)]
pub struct Listener(AsyncFd<OwnedFd>);

impl Listener {
    /// Has the reactor of this runtime watch a listener of [`listen`].
    ///
    /// # Errors
    /// Out of memory or of epoll watches.
    pub fn new(listener: TcpListener) -> io::Result<Self> {
        watched(listener.into()).map(Self)
    }

    /// Waits until someone has connected and hands over up to `most` of those who have. Whether there may be more; may
    /// be dropped while it waits.
    ///
    /// # Errors
    /// What accept(2) says: the connection at the front has gone wrong, or we are out of files or memory.
    pub async fn accept(
        &self,
        most: usize,
        mut admit: impl FnMut(TcpStream, SocketAddr),
    ) -> io::Result<bool> {
        let mut ready = self.0.readable().await?;
        for _ in 0..most {
            match ready.try_io(|listener| accept(listener.get_ref().as_fd())) {
                Ok(accepted) => {
                    let (stream, peer) = accepted?;
                    admit(stream, peer);
                }
                Err(_would_block) => return Ok(false),
            }
        }
        Ok(true)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

/// One accept4(2).
pub(super) fn accept(listener: BorrowedFd<'_>) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
    let peer = peer.ok_or_else(|| io::Error::other("a client of an unknown address family"))?;
    Ok((stream.into(), peer))
}

/// An address that could not be listened on.
#[derive(Debug)]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// What the kernel said.
    pub source: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, self.source)?;
        let port = self.address.port();
        let kind = self.source.kind();
        if kind == io::ErrorKind::AddrInUse {
            write!(
                f,
                "; another program has the port: see `ss -ltnp 'sport = :{port}'`, stop it or change `bind`"
            )?;
        } else if kind == io::ErrorKind::PermissionDenied && port < 1024 {
            f.write_str("; ports below 1024 need CAP_NET_BIND_SERVICE")?;
        }
        Ok(())
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl From<ListenError> for io::Error {
    fn from(error: ListenError) -> Self {
        Self::new(error.source.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_share_a_port_and_a_foreign_address_can_be_bound() {
        let first = listen(([127, 0, 0, 1], 0).into(), Manner::default()).expect("a free port");
        let address = first.local_addr().expect("it is bound");
        assert!(listen(address, Manner { defer: Some(Duration::from_secs(1)), ..Manner::default() }).is_ok());
        assert!(listen(([192, 0, 2, 1], 0).into(), Manner::default()).is_ok(), "TEST-NET-1 is on no machine");
    }

    #[test]
    fn fast_open_is_for_whom_it_was_asked() {
        for fast_open in [false, true] {
            let listener = listen(([127, 0, 0, 1], 0).into(), Manner { fast_open, ..Manner::default() });
            let listener = listener.expect("a free port");
            let (mut length, mut size) = (0, libc::socklen_t::try_from(size_of::<libc::c_int>()).expect("4"));
            let (level, name) = (libc::IPPROTO_TCP, libc::TCP_FASTOPEN);
            // SAFETY: the socket is open, and the kernel writes an integer and its size, which outlive the call.
            #[expect(unsafe_code, reason = "no crate of ours has TCP_FASTOPEN")]
            let result = unsafe {
                let to = (&raw mut length).cast();
                libc::getsockopt(listener.as_raw_fd(), level, name, to, &raw mut size)
            };
            assert_eq!((result, length), (0, if fast_open { FAST } else { 0 }));
        }
    }

    #[test]
    fn a_port_in_use_is_named_with_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("it is bound");
        let said = listen(address, Manner::default()).expect_err("it is taken").to_string();
        assert!(said.contains(&address.to_string()) && said.contains("change `bind`"), "{said}");
    }
}
