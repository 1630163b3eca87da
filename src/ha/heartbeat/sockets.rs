//! The node's UDP sockets for heartbeats, one a port, and what came in on them and was not believed.
//!
//! In a flood the kernel samples what comes from strangers, so that the peers' datagrams find room in the queue; each
//! one that is read stands for many then, as on the main path.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;

use super::Group;
use crate::config::Config;
use crate::ha::flood::{Change, Flood};
use crate::net::heartbeat_socket::HeartbeatSocket;
use crate::net::vrrp_filter::SAMPLE;
use crate::vrrp::{Accepted, Refusal, Refusals, Time};

/// The sockets.
#[derive(Debug)]
pub(crate) struct Heartbeats {
    sockets: Vec<(u16, HeartbeatSocket)>,
    group: Group,
    refusals: Refusals,
    strangers: Flood,
    /// The queues have been read to their end since the kernel began to sample: what comes now was sampled.
    through: bool,
}

/// A datagram that lies in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    /// The port it came to.
    pub(crate) port: u16,
    from: IpAddr,
    length: usize,
}

impl Heartbeats {
    /// Opens what the routers of the config need.
    pub(crate) fn open(config: &Config, node: usize) -> io::Result<Self> {
        let group = Group::of(config, node);
        let mut ports: Vec<_> =
            config.routers.iter().filter_map(|router| Some(router.heartbeat?.port)).collect();
        ports.sort_unstable();
        ports.dedup();
        let open =
            |port| HeartbeatSocket::open(SocketAddr::new(group.own.at, port)).map(|socket| (port, socket));
        Ok(Self {
            sockets: ports.into_iter().map(open).collect::<io::Result<_>>()?,
            group,
            refusals: Refusals::default(),
            strangers: Flood::default(),
            through: false,
        })
    }

    /// The socket of a port.
    pub(crate) fn socket(&self, port: u16) -> Option<&HeartbeatSocket> {
        self.sockets.iter().find(|(known, _)| *known == port).map(|(_, socket)| socket)
    }

    /// Waits until there may be a datagram. May be dropped and called again.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        poll_fn(|context| {
            let mut polled = self.sockets.iter().map(|(_, socket)| socket.poll_readable(context));
            polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
        })
        .await
    }

    /// The next datagram, now in `buffer`; `None` when there is none.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
        for (port, socket) in &self.sockets {
            if let Some((length, from)) = socket.receive(buffer)? {
                return Ok(Some(Datagram { port: *port, from: from.ip(), length }));
            }
        }
        self.through = self.strangers.is_on();
        Ok(None)
    }

    /// Judges a datagram; `buffer` is what it was received into.
    pub(crate) fn judge<'b>(&self, datagram: Datagram, buffer: &'b [u8]) -> Result<Accepted<'b>, Refusal> {
        let Datagram { from, length, .. } = datagram;
        self.group.judge(from, buffer.get(..length).unwrap_or(buffer))
    }

    /// Counted always, logged when the count passes a power of two: a flood costs a line now and then.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        let strange = matches!(refusal, Refusal::Stranger | Refusal::OwnSource);
        let times = if strange && self.through { u64::from(SAMPLE) } else { 1 };
        if strange {
            self.strangers.refused(times);
        }
        let count = self.refusals.count(refusal, times);
        if (count - times).checked_ilog2() != Some(count.ilog2()) {
            tracing::warn!("refused a UDP heartbeat, {refusal} ({count} so far)");
        }
    }

    /// Has the kernel sample what comes from strangers while there is a flood of it.
    pub(crate) fn check(&mut self, now: Time) {
        let Some(change) = self.strangers.check(now) else { return };
        let peers: Vec<_> = self.group.peers.iter().map(|peer| peer.at).collect();
        let peers = (change == Change::Begins).then_some(&peers[..]);
        self.through = false;
        for (port, socket) in &self.sockets {
            match socket.prefer(peers) {
                Ok(()) if peers.is_some() => {
                    tracing::warn!(
                        "a flood from strangers on UDP port {port}: 1 in {SAMPLE} is read and counted for all"
                    );
                }
                Ok(()) => {
                    tracing::info!("the flood on UDP port {port} is over: each datagram is counted again")
                }
                Err(error) => {
                    tracing::warn!("the kernel does not change the filter of UDP port {port}: {error}")
                }
            }
        }
    }

    /// In a flood from strangers, how many of them each one that is read stands for.
    pub(crate) fn sampling(&self) -> Option<u32> {
        self.strangers.is_on().then_some(SAMPLE)
    }

    /// Datagrams refused since the start, by reason; estimates of strangers for the time of a flood.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (String, u64)> + '_ {
        self.refusals.seen().map(|(refusal, count)| (format!("heartbeat: {refusal}"), count))
    }
}
