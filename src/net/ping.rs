//! ICMP echo over IPv4 (RFC 792): one question to one host, along the routes of this machine.
//!
//! A socket for each question: it picks its source address and its route when it is connected, and neither must
//! outlive a change of the network.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;

use super::watched::watched;

/// What tells an answer to us from an answer to another question on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The identifier.
    pub id: u16,
    /// The sequence number.
    pub sequence: u16,
}

/// Asks `host` and waits for its answer, for ever if need be. May be dropped. Needs a tokio runtime with I/O.
///
/// # Errors
/// `PermissionDenied` without CAP_NET_RAW, `NetworkUnreachable` without a route, and what else the kernel says.
pub async fn ask(host: Ipv4Addr, question: Question) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    socket.set_nonblocking(true)?;
    // Connected, it hears of nobody else (raw(7)).
    socket.connect(&SocketAddrV4::new(host, 0).into())?;
    socket.send(&request(question))?;
    let fd: AsyncFd<OwnedFd> = watched(socket.into())?;
    // The largest IPv4 header and the echo's own.
    let mut packet = [0; 60 + ECHO];
    loop {
        let mut guard = fd.readable().await?;
        match rustix::io::read(fd.get_ref(), &mut packet) {
            Ok(length) if answers(&packet[..length], question) => return Ok(()),
            Ok(_) => {}
            Err(rustix::io::Errno::AGAIN) => guard.clear_ready(),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Type, code, checksum, identifier, sequence number.
const ECHO: usize = 8;
const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;

fn request(question: Question) -> [u8; ECHO] {
    let mut message = [0; ECHO];
    message[0] = ECHO_REQUEST;
    message[4..6].copy_from_slice(&question.id.to_be_bytes());
    message[6..8].copy_from_slice(&question.sequence.to_be_bytes());
    let checksum = pnet::util::checksum(&message, 1);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    message
}

/// Whether a packet, IPv4 header first (raw(7)), is the reply. The kernel has checked its checksums.
fn answers(packet: &[u8], question: Question) -> bool {
    let header = packet.first().map_or(0, |first| usize::from(first & 0x0F) * 4);
    let Some(&[kind, code, _, _, id_high, id_low, sequence_high, sequence_low, ..]) = packet.get(header..)
    else {
        return false;
    };
    let id = u16::from_be_bytes([id_high, id_low]);
    let sequence = u16::from_be_bytes([sequence_high, sequence_low]);
    kind == ECHO_REPLY && code == 0 && Question { id, sequence } == question
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: Question = Question { id: 0x1234, sequence: 7 };

    #[test]
    fn a_request_is_that_of_rfc_792_with_a_checksum_that_verifies() {
        // 0x0800 + 0x1234 + 0x0007 = 0x1A3B, complemented.
        assert_eq!(request(QUESTION), [8, 0, 0xE5, 0xC4, 0x12, 0x34, 0, 7]);
    }

    #[test]
    fn only_the_reply_to_this_question_answers() {
        let reply = |kind: u8, last: u8, header: usize| {
            let mut packet = vec![0; header];
            packet[0] = 0x40 | u8::try_from(header / 4).expect("a small header");
            packet.extend([kind, 0, 0, 0, 0x12, 0x34, 0, last]);
            packet
        };
        assert!(answers(&reply(0, 7, 20), QUESTION) && answers(&reply(0, 7, 60), QUESTION));
        assert!(!answers(&reply(8, 7, 20), QUESTION), "our own question, over the loopback");
        assert!(!answers(&reply(0, 8, 20), QUESTION), "the answer to another question");
        for length in 0..28 {
            assert!(!answers(&reply(0, 7, 20)[..length], QUESTION), "{length} bytes");
        }
    }
}
