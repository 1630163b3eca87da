//! Closing a listener so that nobody is lost who got through to it.
//!
//! What the kernel holds for a listener dies with it, by a reset: connections that nobody has accepted yet, those that
//! wait for their first byte (`TCP_DEFER_ACCEPT`, tcp(7)), and handshakes that lack their last packet. So first
//! nobody is waited for any more, then nobody new may begin, and the queue is emptied last.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};

use socket2::SockRef;

use super::listen::{Listener, accept, defer_accept, least_hops};

impl Listener {
    /// From now on clients are accepted before they have said anything. Those that are waited for already come in
    /// when the kernel repeats its SYN-ACK, a second after the client came.
    ///
    /// # Errors
    /// Never for an open listener.
    pub fn stop_waiting(&self) -> io::Result<()> {
        defer_accept(self.as_fd().as_raw_fd(), 0)
    }

    /// From now on nobody new gets through: their SYNs are dropped, so that they try again, and find either another
    /// process that listens or nobody. Handshakes that have begun go on; who comes out of one has to be
    /// [let through](let_through).
    ///
    /// For this the listener takes only what has crossed no router and began with a TTL of 255, as no common system
    /// begins; the kernel does not hold handshakes that have begun to it. A filter of our own takes a privilege since
    /// Linux 6.18, which the data plane has given up.
    ///
    /// # Errors
    /// Never for an open listener.
    pub fn let_nobody_begin(&self) -> io::Result<()> {
        let address = SockRef::from(&self.as_fd()).local_addr()?;
        least_hops(self.as_fd().as_raw_fd(), !address.is_ipv6(), i32::from(u8::MAX))
    }

    /// Hands over everyone who has connected, without a look at what the reactor knows.
    ///
    /// # Errors
    /// What accept(2) says, but not that there is nobody left.
    pub fn take_queued(&self, mut admit: impl FnMut(TcpStream, SocketAddr)) -> io::Result<()> {
        loop {
            match accept(self.as_fd()) {
                Ok((stream, peer)) => admit(stream, peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Takes what comes on a connection that was accepted after [`Listener::let_nobody_begin`], whose terms it has inherited.
/// What has come before is sent again.
///
/// # Errors
/// Never for an open connection.
pub fn let_through(accepted: &TcpStream, peer: SocketAddr) -> io::Result<()> {
    least_hops(accepted.as_raw_fd(), peer.is_ipv4(), 0)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::thread;
    use std::time::Duration;

    use socket2::{Domain, Socket, Type};
    use tokio::runtime::Builder;

    use super::super::listen::{Manner, listen};
    use super::*;

    /// Has this thread alone give up what it is allowed as root. If it is not root, it has nothing to give up.
    fn become_nobody() {
        const NOBODY: libc::uid_t = 65_534;
        // SAFETY: the call takes three numbers.
        #[expect(unsafe_code, reason = "the library's function changes every thread of the process")]
        let _ = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
    }

    /// Someone whose segments come with this TTL.
    fn comer(address: SocketAddr, ttl: u32) -> Socket {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
        set_ttl(&socket, address, ttl);
        socket
    }

    fn set_ttl(socket: &Socket, address: SocketAddr, ttl: u32) {
        let set = if address.is_ipv4() { socket.set_ttl_v4(ttl) } else { socket.set_unicast_hops_v6(ttl) };
        set.expect("it is a socket");
    }

    /// Nobody begins, and whoever gets through all the same, as those who have begun before do, is heard.
    fn closes(address: &str) {
        become_nobody();
        let address = address.parse().expect("an address");
        let listener = listen(address, Manner::default()).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let listener = Listener::new(listener).expect("a watch");
        listener.let_nobody_begin().expect("it takes no privilege");
        let late = comer(address, 64).connect_timeout(&address.into(), Duration::from_millis(300));
        assert_eq!(late.expect_err("its SYN is dropped").kind(), io::ErrorKind::TimedOut);
        let begun = comer(address, 255);
        begun.connect(&address.into()).expect("it gets through");
        set_ttl(&begun, address, 64);
        begun.send(b"hello").expect("it is connected");
        let mut accepted = Vec::new();
        while accepted.is_empty() {
            listener.take_queued(|tcp, peer| accepted.push((tcp, peer))).expect("a queue");
        }
        let (mut tcp, peer) = accepted.remove(0);
        let_through(&tcp, peer).expect("it is open");
        tcp.set_nonblocking(false).expect("it is a socket");
        tcp.set_read_timeout(Some(Duration::from_secs(20))).expect("it is a socket");
        let mut said = [0; 5];
        tcp.read_exact(&mut said).expect("it is sent again");
        assert_eq!(&said, b"hello");
    }

    #[test]
    fn nobody_begins_any_more_and_who_has_begun_is_let_through() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let closing = thread::spawn(move || {
                let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async { closes(address) });
            });
            closing.join().expect("it closes as it should");
        }
    }
}
