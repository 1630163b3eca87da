//! Listening sockets of the data plane: one per core and address, bound whether or not the address is here.

use std::net::{SocketAddr, TcpListener};
use std::{fmt, io};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Opens a non-blocking listener on `address`; port 0 picks a free one.
///
/// `SO_REUSEPORT`: every core has its own listener and the kernel spreads the connections. `IP_FREEBIND`: the address
/// may be held by another node now. `TCP_NODELAY` is inherited by what is accepted. IPv6 means IPv6 only.
///
/// # Errors
/// With the address and what to do about it.
pub fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    open(address).map_err(|source| ListenError { address, source })
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
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
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
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
        let first = listen(([127, 0, 0, 1], 0).into()).expect("a free port");
        let address = first.local_addr().expect("it is bound");
        assert!(listen(address).is_ok());
        assert!(listen(([192, 0, 2, 1], 0).into()).is_ok(), "TEST-NET-1 is on no machine");
    }

    #[test]
    fn a_port_in_use_is_named_with_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("it is bound");
        let said = listen(address).expect_err("it is taken").to_string();
        assert!(said.contains(&address.to_string()) && said.contains("change `bind`"), "{said}");
    }
}
