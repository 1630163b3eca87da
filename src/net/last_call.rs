//! Closing a listener so that nobody is lost who got through to it.
//!
//! What the kernel holds for a listener dies with it, by a reset: connections that nobody has accepted yet, those that
//! wait for their first byte (`TCP_DEFER_ACCEPT`, tcp(7)), and handshakes that lack their last packet. So first
//! nobody is waited for any more, then nobody new may begin, and the queue is emptied last.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};

use socket2::SockRef;

use super::bpf::{Assembler, Instruction, code};
use super::listen::{Listener, accept, defer_accept};

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
    /// process that listens or nobody. Handshakes that have begun go on.
    ///
    /// # Errors
    /// Out of memory for socket options (`net.core.optmem_max`).
    pub fn let_nobody_begin(&self) -> io::Result<()> {
        let program: Vec<_> = begun().into_iter().map(Instruction::for_kernel).collect();
        SockRef::from(&self.as_fd()).attach_filter(&program)
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

#[derive(Clone, Copy, PartialEq)]
enum Label {
    Drop,
}

/// Takes every segment but a SYN without an ACK; to a listener's filter a packet begins with its TCP header (RFC 9293
/// §3.1).
fn begun() -> Vec<Instruction> {
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    let mut program = Assembler::new();
    program.then(code::LOAD_BYTE, FLAGS);
    program.then(code::AND_K, SYN | ACK);
    program.jump_if(code::IF_EQUAL_K, SYN, Label::Drop);
    program.then(code::RETURN, u32::MAX);
    program.place(Label::Drop);
    program.then(code::RETURN, 0);
    program.finish()
}

#[cfg(test)]
mod tests {
    use super::super::bpf::run;
    use super::*;

    #[test]
    fn only_what_begins_a_connection_is_dropped() {
        let taken = |flags: u8| {
            let mut segment = [0; 20];
            segment[13] = flags;
            run(&begun(), &segment, &[], 0) > 0
        };
        // SYN, and SYN with ECN; ACK, data, FIN, RST, SYN-ACK.
        assert!(!taken(0x02) && !taken(0xC2));
        assert!([0x10, 0x18, 0x11, 0x04, 0x12].into_iter().all(taken));
    }
}
