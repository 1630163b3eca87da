//! Performs the effects of one router, in their order. One that fails comes back as a fault of the router.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use crate::config::{Config, Garp};
use crate::event::Event;
use crate::net::arp::{ArpSocket, Form};
use crate::net::ndp::NdpSocket;
use crate::net::netlink::{Netlink, Routes};
use crate::vrrp::{Effect, Priority};

use super::claims::Claims;
use super::heartbeat::sockets::Heartbeats;
use super::instance::Instance;
use super::place::Place;
use super::vmac;
use super::ways;
use super::wires::Wires;

/// Addresses that are set or removed with one round trip to the kernel. Its answers wait in the socket's buffer, which
/// has room for many more.
const AT_ONCE: usize = 32;

/// How long a link with a virtual MAC address waits for IPv6 addresses to be of use: a fraction of a millisecond, or some
/// ten while something else on this machine, a container for instance, has the network configuration locked.
const SETTLING: Duration = Duration::from_millis(100);

/// The adapters through which effects reach the kernel.
pub(crate) struct Hands {
    pub(crate) wires: Wires,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) netlink: Netlink,
    pub(crate) claims: Claims,
    pub(crate) routes: Routes,
    arp: ArpSocket,
    ndp: NdpSocket,
}

impl Hands {
    /// Opens every adapter.
    pub(crate) fn open(config: &Config, node: usize) -> io::Result<Self> {
        let routers = &config.routers;
        Ok(Self {
            wires: Wires::open(routers)?,
            heartbeats: Heartbeats::open(config, node)?,
            netlink: Netlink::open()?,
            claims: Claims::open(routers)?,
            routes: Routes::open()?,
            arp: ArpSocket::open()?,
            ndp: NdpSocket::open()?,
        })
    }

    /// Performs `effects` in order.
    ///
    /// # Errors
    /// The words for the fault when an address could not be claimed.
    pub(crate) async fn perform(
        &mut self,
        instance: &mut Instance,
        effects: &[Effect],
        events: &mut Vec<Event>,
    ) -> Result<(), String> {
        // What is sent with the virtual MAC address leads the switch here, and that begins when its link comes up: the
        // kernel tells of the groups of IPv6 addresses (MLD). So the addresses have to be of use before that.
        let early = effects.contains(&Effect::Claim) && !instance.vmacs.is_empty();
        if early {
            self.claim(instance).await?;
            let _in_time = timeout(SETTLING, self.settle(instance)).await;
            vmac::raise(&self.netlink, instance).await?;
            self.claim_once_more(instance).await?;
        }
        for effect in effects {
            match *effect {
                Effect::SendAdvert(priority) => self.advertise(instance, priority),
                Effect::Claim => {
                    if !early {
                        self.claim(instance).await?;
                    }
                    ways::add(&self.routes, instance, events).await;
                }
                // Nothing delays the first announcement of a takeover.
                Effect::Announce if effects.contains(&Effect::Claim) => self.announce(instance),
                Effect::Announce => instance.announces = true,
                Effect::Release => {
                    ways::remove(&self.routes, instance, events).await;
                    // Down first: leaving the groups of its addresses (MLD), it would lead the switch here again.
                    vmac::lower(&self.netlink, instance).await;
                    self.release(instance, events).await;
                }
                Effect::Moved { from, to, why } => events.push(instance.moved(from, to, why)),
            }
        }
        Ok(())
    }

    /// Lets nobody wait for an answer that the router's interfaces could not bring, because they did not work.
    pub(crate) async fn ask_anew(&self, instance: &Instance) {
        let seats = instance.places.iter().filter_map(|place| Some(place.seat?.card.index));
        let cards: BTreeSet<_> = seats.chain(instance.link.map(|link| link.index)).collect();
        for card in cards {
            if let Err(error) = self.netlink.forget_unanswered(card).await {
                tracing::debug!("neighbours that did not answer {}: {error}", instance.router.name);
            }
        }
    }

    /// Puts one address where it goes; says whether it was missing.
    pub(crate) async fn put(&self, place: &Place) -> Result<bool, String> {
        let Place { cidr, seat, .. } = place;
        let name = place.on();
        let seat = seat.ok_or("no interface")?;
        self.netlink
            .add(seat.index, *cidr, seat.brings_network)
            .await
            .map_err(|error| format!("{cidr} could not be put on {name}: {error}"))
    }

    /// Says on the wire where every address of the router is: gratuitous ARP, unsolicited neighbour advertisements.
    pub(crate) fn announce(&self, instance: &Instance) {
        for position in 0..instance.places.len() {
            self.announce_one(instance, position);
        }
    }

    /// The same for one of its addresses, where that is.
    pub(crate) fn announce_one(&self, instance: &Instance, position: usize) {
        let Place { cidr, name, seat, .. } = &instance.places[position];
        let Some((index, mac)) = seat.and_then(|seat| Some((seat.index, seat.mac?))) else { return };
        let announced = match cidr.address {
            IpAddr::V4(address) => forms(instance.router.garp)
                .iter()
                .try_for_each(|form| self.arp.announce(index, mac, address, *form)),
            IpAddr::V6(address) => self.ndp.announce(index, mac, address),
        };
        if let Err(error) = announced {
            tracing::warn!("announcing {} on {name}: {error}", cidr.address);
        }
    }

    /// Asks the network where one of the router's addresses goes who has it.
    pub(crate) fn probe_one(&self, instance: &Instance, position: usize) {
        let Place { cidr, name, seat, .. } = &instance.places[position];
        let Some(seat) = seat else { return };
        let asked = match (cidr.address, seat.card.mac, seat.source) {
            (IpAddr::V4(address), Some(mac), _) => self.arp.probe(seat.card.index, mac, address),
            (IpAddr::V6(address), Some(mac), Some(source)) => {
                self.ndp.probe(seat.card.index, mac, source, address)
            }
            // Nobody to ask, or nowhere to answer to.
            (IpAddr::V4(_), None, _) | (IpAddr::V6(_), ..) => return,
        };
        if let Err(error) = asked {
            tracing::debug!("asking for {} on {name}: {error}", cidr.address);
        }
    }

    /// Encoded anew each time, so that nothing stale is ever sent. A failure shows as silence to the peers, who
    /// then do what has to be done; the cause is an interface event that comes by itself.
    fn advertise(&mut self, instance: &mut Instance, priority: Priority) {
        let outlets = instance.outlets();
        if outlets.is_empty() {
            return;
        }
        // Signing counts on, so it is taken out for the moment.
        let mut auth = instance.auth.take();
        let (router, peers) = (&instance.router, instance.peers.as_deref());
        let dialect = |destination| instance.dialect_for(destination);
        let sent = self.wires.advertise(router, &outlets, priority, peers, auth.as_mut(), dialect);
        instance.auth = auth;
        let router = &instance.router;
        match sent {
            Ok(()) => instance.adverts_sent += 1,
            Err(error) => tracing::debug!("advert of {} on {}: {error}", router.name, router.interface),
        }
        let Some(heartbeat) = &mut instance.heartbeat else { return };
        let Some(socket) = self.heartbeats.socket(heartbeat.port()) else { return };
        if let Err(error) = heartbeat.advertise(router, priority, |bytes, to| socket.send(bytes, to)) {
            tracing::debug!("heartbeat of {}: {error}", router.name);
        }
    }

    async fn claim(&self, instance: &mut Instance) -> Result<(), String> {
        for places in instance.places.chunks_mut(AT_ONCE) {
            let results = join_all(places.iter().map(|place| self.put(place))).await;
            for (place, result) in places.iter_mut().zip(results) {
                result?;
                place.held = true;
            }
        }
        Ok(())
    }

    /// Waits until the kernel takes in what is sent to the router's IPv6 addresses.
    async fn settle(&self, instance: &Instance) {
        let settled = async |place: &Place| {
            let (Some(seat), IpAddr::V6(address)) = (place.seat, place.cidr.address) else { return };
            while !self.netlink.delivers(seat.index, address).await {
                sleep(Duration::from_millis(1)).await;
            }
        };
        for places in instance.places.chunks(AT_ONCE) {
            join_all(places.iter().map(settled)).await;
        }
    }

    /// A link that was down when its cable came back counts as without one for up to a second (net/core/link_watch.c), and
    /// coming up like that it gets no route to the groups of IPv6. It does with the next request for an address.
    async fn claim_once_more(&self, instance: &Instance) -> Result<(), String> {
        let is_v6 = |place: &&Place| place.vmac.is_some() && place.cidr.address.is_ipv6();
        match instance.places.iter().find(is_v6) {
            Some(place) => self.put(place).await.map(|_was_missing| ()),
            None => Ok(()),
        }
    }

    async fn release(&self, instance: &mut Instance, events: &mut Vec<Event>) {
        for places in instance.places.chunks_mut(AT_ONCE) {
            let results = join_all(places.iter().map(|place| self.take_off(place))).await;
            for (place, result) in places.iter_mut().zip(results) {
                match result {
                    Ok(()) => place.held = false,
                    Err(error) => events.push(Event::AddressFailed {
                        router: instance.router.name.clone(),
                        address: place.cidr,
                        why: format!("could not be taken off {}: {error}", place.on()),
                    }),
                }
            }
        }
    }

    /// Takes one address off; one that is nowhere is no error.
    pub(crate) async fn take_off(&self, place: &Place) -> io::Result<()> {
        let Some(seat) = place.seat else { return Ok(()) };
        self.netlink.remove(seat.index, place.cidr).await.map(|_was_there| ())
    }
}

/// The gratuitous ARPs of one announcement, in this order.
fn forms(garp: Garp) -> &'static [Form] {
    match garp {
        Garp::Request => &[Form::Request],
        Garp::Reply => &[Form::Reply],
        Garp::Both => &[Form::Request, Form::Reply],
    }
}
