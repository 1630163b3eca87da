//! The UDP heartbeat: the second path of a router's adverts.
//!
//! A datagram is one VRRP message (RFC 9568 §5.1, RFC 3768 §5.1) and the authentication trailer behind it, nothing
//! else, to the configured port:
//!
//! ```text
//! +----------------+---------------------------+----------------------------------+
//! | UDP header     | VRRP message              | trailer (vrrp::auth), 28 bytes   |
//! | to the port    | 8 + 4 * addresses bytes   |                                  |
//! +----------------+---------------------------+----------------------------------+
//! ```
//!
//! * The datagram goes between the nodes' heartbeat addresses, over IPv4 or IPv6. The sender is known by its source address; the source
//!   port is not looked at.
//! * The checksum of version 3 is that with a pseudo-header: from the sender's `address` to the receiver's `address`,
//!   whatever their heartbeat addresses, with protocol 112 and the length of the message without the trailer. That of
//!   version 2 covers the message alone.
//! * The signature binds version, VRID and the sender's `address`, as that of a multicast advert does. Its key is
//!   HMAC-SHA256 of the router's key over "vipd UDP heartbeat", and its sequences are its own, so a copy from the main
//!   path is refused. Unsigned datagrams are refused whatever the mode of the main path.
//! * It is an advert of the nodes' addresses, which are IPv4, and lists the IPv4 addresses of its router: none when that
//!   has only IPv6 ones. There is no requirement for the TTL: nodes may be routers apart.
//!
//! The machine hears an advert of either path alike, as one from the sender's `address`.

use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::config::{Config, Node, Router, Transport};
use crate::event::AdvertPath;
use crate::link::PathStatus;
use crate::net::clock;
use crate::vrrp::auth::{self, Auth, Binding};
use crate::vrrp::wire::{self, Advert, Path};
use crate::vrrp::{Accepted, Dialect, Expected, Priority, Received, Refusal, accept_heartbeat};

use order::Order;

use super::paths::Paths;

mod order;
pub(crate) mod sockets;

/// One router's end of the path.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    port: u16,
    group: Group,
    auth: Auth,
    pub(crate) paths: Paths,
    pub(crate) order: Order,
    sent: u64,
}

/// A node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    /// Its `address`, which is what its adverts come from for the machine.
    address: IpAddr,
    /// Where its heartbeats come from and go to.
    at: IpAddr,
}

/// The nodes of the config, as one of them sees them.
#[derive(Clone, Debug)]
struct Group {
    own: Member,
    peers: Vec<Member>,
}

impl Group {
    fn of(config: &Config, node: usize) -> Self {
        let member = |node: &Node| Member { address: node.address, at: node.heartbeat };
        let others = config.nodes.iter().enumerate().filter(|(position, _)| *position != node);
        let peers = others.map(|(_, node)| member(node)).collect();
        Self { own: member(&config.nodes[node]), peers }
    }

    /// Judges a datagram. Strangers are turned away before anything is read.
    fn judge<'b>(&self, from: IpAddr, datagram: &'b [u8]) -> Result<Accepted<'b>, Refusal> {
        if from == self.own.at {
            return Err(Refusal::OwnSource);
        }
        let peer = self.peers.iter().find(|peer| peer.at == from).ok_or(Refusal::Stranger)?;
        accept_heartbeat(peer.address, self.own.address, datagram)
    }
}

impl Heartbeat {
    /// `None` when the config has none for the router. `main` is the router's authentication on the main path.
    pub(crate) fn new(config: &Config, node: usize, router: &Router, main: Option<&Auth>) -> Option<Self> {
        let (heartbeat, main) = (router.heartbeat?, main?);
        let path = match router.transport {
            Transport::Multicast => AdvertPath::Multicast,
            Transport::Unicast => AdvertPath::Unicast,
        };
        Some(Self {
            port: heartbeat.port,
            group: Group::of(config, node),
            auth: main.for_heartbeat(),
            paths: Paths::new(path, clock::wall_ms()),
            order: Order::default(),
            sent: 0,
        })
    }

    /// The UDP port.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Has an advert sent to every peer. One that cannot be sent to a peer does not keep it from the others.
    ///
    /// # Errors
    /// The first that could not be sent.
    pub(crate) fn advertise(
        &mut self,
        router: &Router,
        priority: Priority,
        mut send: impl FnMut(&[u8], SocketAddr) -> io::Result<()>,
    ) -> io::Result<()> {
        let addresses: Vec<_> = router.addresses.iter().map(|cidr| cidr.address).collect();
        let Router { version, vrid, advert_interval: interval, .. } = *router;
        let advert = Advert { version, vrid, priority, interval };
        let mut message = Vec::with_capacity(8 + 4 * addresses.len() + auth::LENGTH);
        let (mut trailer, mut outcome) = (None, Ok(()));
        let source = self.group.own.address;
        for Member { address, at } in &self.group.peers {
            let path = Path { source, destination: *address };
            message.clear();
            wire::emit(advert, &addresses, path, Dialect::Pseudo, None, &mut message);
            // One for all peers: what it covers is the same for each.
            let binding = Binding { version, vrid, source };
            trailer = trailer.or_else(|| self.auth.sign(clock::utc(), binding, &message));
            let Some(trailer) = trailer else { continue };
            wire::seal(&mut message, trailer, path);
            outcome = outcome.and(send(&message, SocketAddr::new(*at, self.port)));
        }
        self.sent += u64::from(outcome.is_ok());
        outcome
    }

    /// Whether an advert of this port and VRID is one that the router believes. What costs a hash comes last.
    pub(crate) fn believes(&mut self, router: &Router, accepted: &Accepted<'_>) -> Result<(), Refusal> {
        accepted.advert.fits(&Expected {
            own: self.group.own.address,
            version: router.version,
            interval: router.advert_interval,
            password: None,
            // It would not be here if it came from anyone but a peer.
            peers: Some(&[accepted.advert.source]),
        })?;
        accepted.is_authentic(clock::utc(), Some(&mut self.auth))
    }

    /// The sequence that was verified last from a node.
    pub(crate) fn latest(&self, source: IpAddr) -> Option<auth::Sequence> {
        self.auth.latest(source)
    }

    /// Whether the main path has to decide instead: priorities are equal, and this node advertises there from another
    /// address than the one that heartbeats are compared by.
    pub(crate) fn leaves_it(&self, advert: &Received, own: Priority, main_source: Option<IpAddr>) -> bool {
        advert.priority == own && main_source != Some(self.group.own.address)
    }

    /// Both paths, given how often the main one was used.
    pub(crate) fn status(&self, main_sent: u64) -> Vec<PathStatus> {
        let [main, heartbeat] = self.paths.both().map(|path| PathStatus {
            path: path.path,
            port: None,
            state: path.state,
            since_ms: path.since_ms,
            sent: main_sent,
            received: path.received,
            losses: path.losses,
        });
        vec![main, PathStatus { port: Some(self.port), sent: self.sent, ..heartbeat }]
    }
}

#[cfg(test)]
mod tests;
