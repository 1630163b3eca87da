//! The wires of the node: a VRRP socket for each family that a router needs, and the adverts that go out on them.

use std::io;
use std::net::IpAddr;

use crate::config::Router;
use crate::net::vrrp_socket::{Packet, VrrpSocket};
use crate::vrrp::wire::{self, Advert, Path};
use crate::vrrp::{Dialect, Family, Priority, Received, Refusal, accept, accept_v6};

use super::track::Link;

/// The sockets, and room for one message.
pub(crate) struct Wires {
    v4: Option<VrrpSocket>,
    v6: Option<VrrpSocket>,
    message: Vec<u8>,
}

impl Wires {
    /// Opens what `routers` need.
    pub(crate) fn open(routers: &[Router]) -> io::Result<Self> {
        let open = |family| {
            let needed = routers.iter().any(|router| speaks(router, family));
            needed.then(|| VrrpSocket::open(family)).transpose()
        };
        Ok(Self { v4: open(Family::V4)?, v6: open(Family::V6)?, message: Vec::with_capacity(8 + 16 * 255) })
    }

    /// Hears the groups on an interface.
    pub(crate) fn join(&self, interface: u32) -> io::Result<()> {
        [&self.v4, &self.v6].into_iter().flatten().try_for_each(|socket| socket.join(interface))
    }

    /// Waits until there may be a packet. May be dropped and called again.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        tokio::select! {
            ready = readable(self.v4.as_ref()) => ready,
            ready = readable(self.v6.as_ref()) => ready,
        }
    }

    /// The next packet, judged, with the interface it came in on; `None` when there is none.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<(u32, Result<Received, Refusal>)>> {
        for socket in [&self.v4, &self.v6].into_iter().flatten() {
            if let Some(packet) = socket.receive(buffer)? {
                return Ok(Some((packet.interface, judge(&packet))));
            }
        }
        Ok(None)
    }

    /// Sends a router's advert on each of its wires: to the group, or to each of `peers`. `dialect` says how a
    /// destination wants its checksum.
    pub(crate) fn advertise(
        &mut self,
        router: &Router,
        link: Link,
        priority: Priority,
        peers: Option<&[IpAddr]>,
        dialect: impl Fn(IpAddr) -> Dialect,
    ) -> io::Result<()> {
        let addresses: Vec<_> = router.addresses.iter().map(|cidr| cidr.address).collect();
        let advert =
            Advert { version: router.version, vrid: router.vrid, priority, interval: router.advert_interval };
        for source in link.sources() {
            let group = [Path::to_group(source).destination];
            let socket = match Family::of(source) {
                Family::V4 => &self.v4,
                Family::V6 => &self.v6,
            };
            let Some(socket) = socket else { continue };
            for destination in peers.unwrap_or(&group) {
                let path = Path { source, destination: *destination };
                self.message.clear();
                let dialect = dialect(*destination);
                wire::emit(advert, &addresses, path, dialect, router.password, &mut self.message);
                socket.send(&self.message, link.index, source, *destination)?;
            }
        }
        Ok(())
    }
}

/// Whether a router has addresses of a family.
pub(crate) fn speaks(router: &Router, family: Family) -> bool {
    router.addresses.iter().any(|cidr| cidr.family() == family)
}

fn judge(packet: &Packet<'_>) -> Result<Received, Refusal> {
    match packet.header {
        None => accept(packet.bytes),
        Some(header) => accept_v6(header.source, header.destination, header.hop_limit, packet.bytes),
    }
}

async fn readable(socket: Option<&VrrpSocket>) -> io::Result<()> {
    match socket {
        Some(socket) => socket.readable().await,
        None => std::future::pending().await,
    }
}
