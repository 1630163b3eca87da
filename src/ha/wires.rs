//! The wires of the node: a VRRP socket for each family that a router needs, and the adverts that go out on them.

use std::io;
use std::net::IpAddr;

use crate::config::{Router, Transport};
use crate::net::clock;
use crate::net::vrrp_filter::{Filter, Ours, SAMPLE};
use crate::net::vrrp_socket::{HeaderV6, Packet, VrrpSocket};
use crate::vrrp::auth::{self, Auth, Binding};
use crate::vrrp::wire::{self, Advert, Path};
use crate::vrrp::{Accepted, Dialect, Family, Priority, Refusal, accept, accept_v6};

/// Where the adverts of one family leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outlet {
    /// Their source address.
    pub(crate) source: IpAddr,
    /// Index of the interface.
    pub(crate) interface: u32,
}

/// The sockets, and room for one message.
pub(crate) struct Wires {
    v4: Option<Wire>,
    v6: Option<Wire>,
    message: Vec<u8>,
}

/// A socket, and what the kernel does with what comes in on it.
struct Wire {
    socket: VrrpSocket,
    /// Samples what cannot be ours.
    filter: Option<Filter>,
    /// The queue has been read to its end since the filter was set: what comes now came through it.
    through: bool,
}

impl Wires {
    /// Opens what `routers` need.
    pub(crate) fn open(routers: &[Router]) -> io::Result<Self> {
        let open = |family| {
            let needed = routers.iter().any(|router| speaks(router, family));
            needed.then(|| Wire::open(family)).transpose()
        };
        Ok(Self {
            v4: open(Family::V4)?,
            v6: open(Family::V6)?,
            message: Vec::with_capacity(8 + 16 * 255 + auth::LENGTH),
        })
    }

    /// Hears the groups on an interface.
    pub(crate) fn join(&self, interface: u32) -> io::Result<()> {
        [&self.v4, &self.v6].into_iter().flatten().try_for_each(|wire| wire.socket.join(interface))
    }

    /// From now on the kernel samples what none of `routers` could take; `None`: everything is read.
    pub(crate) fn sample(&mut self, routers: Option<&[Router]>) -> io::Result<()> {
        for (wire, family) in [(&mut self.v4, Family::V4), (&mut self.v6, Family::V6)] {
            let Some(wire) = wire else { continue };
            let filter = routers.map(|routers| filter_for(routers, family));
            wire.socket.filter(filter.as_ref())?;
            (wire.filter, wire.through) = (filter, false);
        }
        Ok(())
    }

    /// Waits until there may be a packet. May be dropped and called again.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        tokio::select! {
            ready = readable(self.v4.as_ref()) => ready,
            ready = readable(self.v6.as_ref()) => ready,
        }
    }

    /// The next packet, now in `buffer`; `None` when there is none.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<Arrival>> {
        for wire in [&mut self.v4, &mut self.v6].into_iter().flatten() {
            if let Some(packet) = wire.socket.receive(buffer)? {
                let sampled = wire.through && samples(wire.filter.as_ref(), &packet);
                let stands_for = if sampled { u64::from(SAMPLE) } else { 1 };
                let Packet { bytes, interface, header } = packet;
                return Ok(Some(Arrival { interface, length: bytes.len(), header, stands_for }));
            }
            wire.through = wire.filter.is_some();
        }
        Ok(None)
    }

    /// Sends a router's advert on each of its wires: to the group, or to each of `peers`. `auth` signs it; `dialect`
    /// says how a destination wants its checksum.
    pub(crate) fn advertise(
        &mut self,
        router: &Router,
        outlets: &[Outlet],
        priority: Priority,
        peers: Option<&[IpAddr]>,
        mut auth: Option<&mut Auth>,
        dialect: impl Fn(IpAddr) -> Dialect,
    ) -> io::Result<()> {
        let addresses: Vec<_> = router.addresses.iter().map(|cidr| cidr.address).collect();
        let advert =
            Advert { version: router.version, vrid: router.vrid, priority, interval: router.advert_interval };
        for Outlet { source, interface } in outlets.iter().copied() {
            let group = [Path::to_group(source).destination];
            let socket = match Family::of(source) {
                Family::V4 => &self.v4,
                Family::V6 => &self.v6,
            };
            let Some(Wire { socket, .. }) = socket else { continue };
            // One for all peers: what it covers is the same for each.
            let mut trailer = None;
            for destination in peers.unwrap_or(&group) {
                let path = Path { source, destination: *destination };
                self.message.clear();
                let dialect = dialect(*destination);
                wire::emit(advert, &addresses, path, dialect, router.password, &mut self.message);
                if let Some(auth) = auth.as_deref_mut() {
                    let binding = Binding { version: router.version, vrid: router.vrid, source };
                    trailer = trailer.or_else(|| auth.sign(clock::utc(), binding, &self.message));
                }
                if let Some(trailer) = trailer {
                    wire::seal(&mut self.message, trailer, path);
                }
                socket.send(&self.message, interface, source, *destination)?;
            }
        }
        Ok(())
    }
}

impl Wire {
    fn open(family: Family) -> io::Result<Self> {
        Ok(Self { socket: VrrpSocket::open(family)?, filter: None, through: false })
    }
}

/// What only `routers` could take. Who teaches them to take more has to say so here.
fn filter_for(routers: &[Router], family: Family) -> Filter {
    let routers = routers.iter().filter(|router| speaks(router, family));
    let vrids: Vec<_> = routers.clone().map(|router| router.vrid).collect();
    let mut versions: Vec<_> = routers.clone().map(|router| router.version).collect();
    versions.sort_unstable();
    versions.dedup();
    let unicast = routers.clone().any(|router| router.transport == Transport::Unicast);
    let trailers = routers.clone().any(|router| router.auth.is_some());
    Filter::new(Ours { family, vrids: &vrids, unicast, versions: &versions, trailers })
}

fn samples(filter: Option<&Filter>, packet: &Packet<'_>) -> bool {
    let hop_limit = packet.header.map(|header| header.hop_limit);
    filter.is_some_and(|filter| filter.samples(packet.bytes, hop_limit))
}

/// A packet that lies in a buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// Index of the interface it came in on.
    pub(crate) interface: u32,
    /// How many of its like it stands for when it is not believed.
    pub(crate) stands_for: u64,
    length: usize,
    header: Option<HeaderV6>,
}

impl Arrival {
    /// Judges it; `buffer` is what it was received into.
    pub(crate) fn judge(self, buffer: &[u8]) -> Result<Accepted<'_>, Refusal> {
        let bytes = buffer.get(..self.length).unwrap_or(buffer);
        match self.header {
            None => accept(bytes),
            Some(header) => accept_v6(header.source, header.destination, header.hop_limit, bytes),
        }
    }
}

/// Whether a router has addresses of a family.
pub(crate) fn speaks(router: &Router, family: Family) -> bool {
    router.addresses.iter().any(|cidr| cidr.family() == family)
}

async fn readable(wire: Option<&Wire>) -> io::Result<()> {
    match wire {
        Some(wire) => wire.socket.readable().await,
        None => std::future::pending().await,
    }
}
