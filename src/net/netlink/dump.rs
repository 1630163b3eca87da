//! Everything of one kind that the kernel has (NLM_F_DUMP, netlink(7)).
//!
//! On a socket of its own and past the reactor: the kernel writes each part of its answer while it is being asked for it,
//! so nobody ever waits, and a look is a handful of system calls.

use std::io;

use rtnetlink::packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, SocketAddr};

/// Room for a part of an answer: 32 KiB (`netlink_dump` in net/netlink/af_netlink.c), or one message that is larger.
const PART: usize = 64 << 10;

/// A socket for such questions. It belongs to the network namespace in which it was opened.
#[derive(Debug)]
pub(super) struct Dump {
    socket: Socket,
}

impl Dump {
    /// Opens it.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.set_non_blocking(true)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket })
    }

    /// Asks, and hands each message of the answer to `take`.
    ///
    /// # Errors
    /// What the kernel says. Nothing of the answer is left for the next question.
    pub(super) fn ask(
        &self,
        question: RouteNetlinkMessage,
        take: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        let answered = self.converse(question, take);
        if answered.is_err() {
            // A question behind one whose answer has not been read is refused (EBUSY).
            while self.socket.recv_from_full().is_ok() {}
        }
        answered
    }

    fn converse(
        &self,
        question: RouteNetlinkMessage,
        mut take: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        let mut question = NetlinkMessage::from(question);
        question.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        question.finalize();
        let mut bytes = vec![0; question.buffer_len()];
        question.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        let mut part = Vec::with_capacity(PART);
        loop {
            part.clear();
            self.socket.recv(&mut part, 0)?;
            for payload in messages(&part) {
                if let NetlinkPayload::InnerMessage(message) = payload {
                    take(message);
                } else if let NetlinkPayload::Error(error) = payload {
                    return Err(error.to_io());
                } else if let NetlinkPayload::Done(_) = payload {
                    return Ok(());
                }
            }
        }
    }
}

/// The messages of a datagram. One that cannot be read is left out; behind a wrong length is nothing.
pub fn messages(mut datagram: &[u8]) -> impl Iterator<Item = NetlinkPayload<RouteNetlinkMessage>> {
    let one = move || {
        let length = usize::try_from(NetlinkBuffer::new_checked(datagram).ok()?.length()).ok()?;
        let (message, rest) = datagram.split_at_checked(length)?;
        datagram = rest;
        Some(NetlinkMessage::deserialize(message).ok().map(|message| message.payload))
    };
    std::iter::from_fn(one).flatten()
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::link::LinkMessage;

    use super::*;

    fn links() -> RouteNetlinkMessage {
        RouteNetlinkMessage::GetLink(LinkMessage::default())
    }

    #[test]
    fn a_question_that_fails_leaves_nothing_behind() {
        let dump = Dump::open().expect("a socket");
        let mut question = NetlinkMessage::from(links());
        question.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        question.finalize();
        let mut bytes = vec![0; question.buffer_len()];
        question.serialize(&mut bytes);
        dump.socket.send(&bytes, 0).expect("asked, and nobody reads the answer");
        assert!(dump.ask(links(), drop).is_err(), "it is refused");
        let mut seen = 0;
        dump.ask(links(), |_| seen += 1).expect("the kernel answers");
        assert!(seen > 0, "there is lo");
    }
}
