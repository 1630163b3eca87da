//! Where the addresses of a router go: one interface for those that adverts list, others for the rest. Pure.

use std::net::{IpAddr, Ipv6Addr};

use crate::config::Router;
use crate::net::arp::Mac;
use crate::net::netlink::Interface;
use crate::vrrp::Cidr;

use super::vmac;

/// One address of a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The address.
    pub(crate) cidr: Cidr,
    /// The name of the interface it goes on.
    pub(crate) name: String,
    /// The link with the virtual MAC address on top of that one, when it goes on that.
    pub(crate) vmac: Option<String>,
    /// That interface as it was when the router last could take part; kept through a fault, so that the address can
    /// still be taken off.
    pub(crate) seat: Option<Seat>,
    /// Whether it is there.
    pub(crate) held: bool,
}

/// What an interface is for an address that goes on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    /// Its index.
    pub(crate) index: u32,
    /// Its hardware address; `None` when there is nobody to announce to.
    pub(crate) mac: Option<Mac>,
    /// Through which card the network is asked who has the address: with a virtual MAC address the one below, which is
    /// where answers are sure to come, whatever port the switch has learned.
    pub(crate) card: Card,
    /// The interface's own link-local IPv6 address, where answers to a question go.
    pub(crate) source: Option<Ipv6Addr>,
    /// No other address there has its network, so that the route to that has to come and go with this one.
    pub(crate) brings_network: bool,
}

/// A card, or what stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    /// Its index.
    pub(crate) index: u32,
    /// Its hardware address; `None` when there is nobody to ask.
    pub(crate) mac: Option<Mac>,
}

impl Place {
    /// The name of the link it is put on.
    pub(crate) fn on(&self) -> &str {
        self.vmac.as_ref().unwrap_or(&self.name)
    }
}

/// The addresses of a router, of which none is anywhere yet.
pub(crate) fn places(router: &Router) -> Vec<Place> {
    let own = router.addresses.len();
    let place = |(position, (cidr, name)): (usize, (Cidr, &str))| {
        let has_vmac = router.use_vmac && position < own;
        let vmac = has_vmac.then(|| vmac::name(router.vrid, cidr.family()));
        Place { cidr, name: name.to_owned(), vmac, seat: None, held: false }
    };
    router.places().enumerate().map(place).collect()
}

/// The seat of each of `places`, in their order.
///
/// # Errors
/// The fault of the first interface that cannot take its address.
pub(crate) fn seats(places: &[Place], interfaces: &[Interface]) -> Result<Vec<Seat>, String> {
    let mut seats = Vec::with_capacity(places.len());
    let mut found: Option<Ground<'_>> = None;
    for place in places {
        let ground = match found.take().filter(|ground| ground.interface.name == place.name) {
            Some(ground) => ground,
            None => Ground::find(place, interfaces)?,
        };
        seats.push(match &place.vmac {
            Some(name) => ground.above(name, place.cidr, interfaces)?,
            None => ground.seat(place.cidr),
        });
        found = Some(ground);
    }
    Ok(seats)
}

/// An interface that works, and what is on it that is not ours.
struct Ground<'i> {
    interface: &'i Interface,
    others: Vec<Cidr>,
    source: Option<Ipv6Addr>,
}

impl<'i> Ground<'i> {
    fn find(Place { cidr, name, .. }: &Place, interfaces: &'i [Interface]) -> Result<Self, String> {
        let found = interfaces.iter().find(|interface| interface.name == *name);
        let interface = found.ok_or_else(|| format!("there is no interface {name}, where {cidr} goes"))?;
        if !interface.up {
            return Err(format!("interface {name}, where {cidr} goes, is down: `ip link set {name} up`"));
        }
        if !interface.running {
            return Err(format!("interface {name}, where {cidr} goes, has no carrier: is the cable in?"));
        }
        let others = interface.addresses.iter().filter(|assigned| !assigned.ours);
        let usable = others.clone().filter(|assigned| !assigned.tentative);
        let mut local = usable.filter_map(|assigned| match assigned.cidr.address {
            IpAddr::V6(address) if address.is_unicast_link_local() => Some(address),
            IpAddr::V6(_) | IpAddr::V4(_) => None,
        });
        let source = local.next();
        Ok(Self { interface, others: others.map(|assigned| assigned.cidr).collect(), source })
    }

    fn seat(&self, cidr: Cidr) -> Seat {
        let covers = |other: &Cidr| other.address != cidr.address && other.contains(cidr);
        // A loopback's is all zero.
        let mac = self.interface.mac.filter(|mac| *mac != Mac::default());
        let index = self.interface.index;
        Seat {
            index,
            mac,
            card: Card { index, mac },
            source: self.source,
            brings_network: !self.others.iter().any(covers),
        }
    }

    /// The seat on the link of this name on top of it. What is sent to a network goes through the interface below, if
    /// that has an address there; link-local addresses have a network of their own on each link.
    fn above(&self, name: &str, cidr: Cidr, interfaces: &[Interface]) -> Result<Seat, String> {
        let is_it = |at: &&Interface| {
            at.name == name && at.macvlan.is_some_and(|link| link.below == self.interface.index)
        };
        let link = interfaces.iter().find(is_it);
        let link = link.ok_or_else(|| format!("there is no {name}, where {cidr} goes, or not yet"))?;
        let local = matches!(cidr.address, IpAddr::V6(address) if address.is_unicast_link_local());
        let below = self.seat(cidr);
        Ok(Seat { index: link.index, mac: link.mac, brings_network: local || below.brings_network, ..below })
    }
}

#[cfg(test)]
mod tests;
