//! Who a client is: what its socket says, or what a proxy in front that is believed says in a PROXY header.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;

use super::core::Core;
use super::problem::Problem;
use super::proxy_header::{self, Header};
use super::stream::Stream;
use crate::pool::SendProxy;

/// A client.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    /// Where it is.
    pub(super) peer: SocketAddr,
    /// What it connected to, when that is not what its socket says.
    destination: Option<Box<SocketAddr>>,
}

impl Visitor {
    /// A client that is who its socket says.
    pub(super) const fn new(peer: SocketAddr) -> Self {
        Self { peer, destination: None }
    }

    /// The same as `header` has it.
    fn told_by(self, header: Header) -> Self {
        match header {
            Header::Nobody => self,
            Header::Client { source, destination } => {
                Self { peer: source, destination: Some(Box::new(destination)) }
            }
        }
    }

    /// What a server is told of the client, whose connection is `stream`.
    pub(super) fn header(&self, version: SendProxy, stream: &Stream) -> Vec<u8> {
        let destination = match &self.destination {
            Some(destination) => Some(**destination),
            None => stream.local_addr().ok(),
        };
        let mut out = Vec::new();
        proxy_header::emit(version, destination.map(|destination| (self.peer, destination)), &mut out);
        out
    }
}

/// Reads the PROXY header that a connection begins with, and not a byte more: TLS may follow. `None` when the other side
/// closes without a word, which is how it checks whether we are there, or is asked to leave before it has said one.
pub(super) async fn introduce(
    core: &Core,
    stream: &mut Stream,
    visitor: Visitor,
) -> Result<Option<Visitor>, Problem> {
    let timer = poll_fn(|cx| Poll::Ready(core.deadlines.timer(cx.waker()))).await;
    timer.set(core.patience.head);
    timer.set_idle(true);
    let mut held = Vec::new();
    let header = poll_fn(|cx| {
        let read = poll_header(cx, stream, &mut held);
        match read {
            Poll::Pending if !timer.expired() => Poll::Pending,
            Poll::Pending if held.is_empty() && core.is_draining() => Poll::Ready(Ok(None)),
            Poll::Pending => Poll::Ready(Err(Problem::HeaderTimeout)),
            Poll::Ready(header) => Poll::Ready(header),
        }
    });
    Ok(header.await?.map(|header| visitor.told_by(header)))
}

/// Looks at what has come before it takes what belongs to the header.
fn poll_header(
    cx: &mut Context<'_>,
    stream: &mut Stream,
    held: &mut Vec<u8>,
) -> Poll<Result<Option<Header>, Problem>> {
    let mut space = [0; 512];
    loop {
        let mut seen = ReadBuf::new(&mut space);
        let ended = ready!(stream.poll_peek(cx, &mut seen)).is_err() || seen.filled().is_empty();
        if ended {
            let silent = held.is_empty();
            return Poll::Ready(if silent { Ok(None) } else { Err(Problem::HeaderCutShort) });
        }
        let (before, seen) = (held.len(), seen.filled().len());
        held.extend_from_slice(&space[..seen]);
        let parsed = proxy_header::parse(held)?;
        let end = parsed.map_or(held.len(), |(_, end)| end);
        // Only what is taken counts: a read may be put off even now.
        held.truncate(before);
        let mut taken = ReadBuf::new(&mut space[..end - before]);
        if ready!(stream.poll_read(cx, &mut taken)).is_err() {
            return Poll::Ready(Err(Problem::HeaderCutShort));
        }
        held.extend_from_slice(taken.filled());
        if let Some((header, _)) = parsed.filter(|_| held.len() == end) {
            return Poll::Ready(Ok(Some(header)));
        }
    }
}
