//! What the interfaces offer to routers: found once a look at the kernel, and asked by each router. A node may have
//! hundreds of routers with a thousand addresses on one interface, so a router must not go through the addresses. Pure.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::{Config, Router};
use crate::net::arp::Mac;
use crate::net::netlink::Interface;
use crate::vrrp::Family;

use super::track::Link;
use super::wires::speaks;

/// Every interface by name.
#[derive(Debug)]
pub(crate) struct Offers {
    /// The node's own address.
    preferred: IpAddr,
    /// Every address that moves; never a source of adverts.
    service: HashSet<IpAddr>,
    by_name: HashMap<String, Offer>,
}

#[derive(Clone, Copy, Debug)]
struct Offer {
    index: u32,
    up: bool,
    running: bool,
    mac: Option<Mac>,
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
}

impl Offers {
    /// For the routers of a config on one of its nodes. Nothing is offered before the first [`Offers::look`].
    pub(crate) fn new(config: &Config, node: usize) -> Self {
        let places = config.routers.iter().flat_map(Router::places);
        Self {
            preferred: config.nodes[node].address,
            service: places.map(|(cidr, _)| cidr.address).collect(),
            by_name: HashMap::new(),
        }
    }

    /// Takes in what the kernel has.
    pub(crate) fn look(&mut self, interfaces: &[Interface]) {
        let by_name = interfaces.iter().map(|interface| (interface.name.clone(), self.offer(interface)));
        self.by_name = by_name.collect();
    }

    /// What a router's interface offers it, or which fault it has.
    pub(crate) fn link(&self, router: &Router) -> Result<Link, String> {
        let name = &router.interface;
        let found = self.by_name.get(name).ok_or_else(|| format!("there is no interface {name}"))?;
        if !found.up {
            return Err(format!("interface {name} is down: `ip link set {name} up`"));
        }
        if !found.running {
            return Err(format!("interface {name} has no carrier: is the cable in?"));
        }
        let mac = found.mac.ok_or_else(|| format!("interface {name} is not an Ethernet"))?;
        let mut link = Link { index: found.index, mac, v4: None, v6: None };
        if speaks(router, Family::V4) {
            let missing = || format!("interface {name} has no IPv4 address to send adverts from");
            link.v4 = Some(found.v4.ok_or_else(missing)?);
        }
        if speaks(router, Family::V6) {
            let missing = || {
                format!("interface {name} has no link-local IPv6 address to send adverts from, or not yet")
            };
            link.v6 = Some(found.v6.ok_or_else(missing)?);
        }
        Ok(link)
    }

    fn offer(&self, interface: &Interface) -> Offer {
        let Interface { index, up, running, mac, .. } = *interface;
        Offer { index, up, running, mac, v4: self.source_v4(interface), v6: self.source_v6(interface) }
    }

    fn source_v4(&self, interface: &Interface) -> Option<Ipv4Addr> {
        let mut own = interface.addresses.iter().filter_map(|assigned| match assigned.cidr.address {
            IpAddr::V4(address) => Some(address).filter(|_| !self.service.contains(&address.into())),
            IpAddr::V6(_) => None,
        });
        let preferred = own.clone().find(|address| self.preferred == *address);
        preferred.or_else(|| own.next())
    }

    /// "the IPv6 link-local address of the interface the packet is being sent from" (RFC 9568 §5.1.2.1).
    fn source_v6(&self, interface: &Interface) -> Option<Ipv6Addr> {
        let usable = interface.addresses.iter().filter(|assigned| !assigned.tentative);
        let mut own = usable.filter_map(|assigned| match assigned.cidr.address {
            IpAddr::V6(address) => Some(address).filter(Ipv6Addr::is_unicast_link_local),
            IpAddr::V4(_) => None,
        });
        own.find(|address| !self.service.contains(&IpAddr::V6(*address)))
    }
}
