//! The addresses, level-triggered: what is on the interfaces is compared with what should be, at start and after
//! every change, so that neither a crash nor another program leaves them wrong for long.

use std::collections::{HashMap, HashSet};
use std::io;

use crate::config::Config;
use crate::event::Event;
use crate::net::clock;
use crate::net::netlink::{Assigned, Interface, Netlink};
use crate::vrrp::{Cidr, Role};

use super::instance::Instance;
use super::perform::Hands;
use super::place::places;
use super::vmac;

/// An address that was taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Index of the interface it was on.
    pub interface: u32,
    /// The interface's name.
    pub name: String,
    /// The address.
    pub address: Cidr,
}

/// Takes off what an earlier run left behind: every address that carries our tag, and every address of the config
/// on the interface where it goes, because kernels before 5.18 keep no tag.
pub(crate) async fn remove_stale(
    netlink: &Netlink,
    config: Option<&Config>,
    interfaces: &[Interface],
) -> io::Result<Vec<Removed>> {
    let mut removed = Vec::new();
    for interface in interfaces {
        let stale = interface.addresses.iter().filter(|assigned| is_ours(config, interface, assigned));
        for Assigned { cidr, .. } in stale {
            if netlink.remove(interface.index, *cidr).await? {
                removed.push(Removed {
                    interface: interface.index,
                    name: interface.name.clone(),
                    address: *cidr,
                });
            }
        }
    }
    Ok(removed)
}

fn is_ours(config: Option<&Config>, interface: &Interface, assigned: &Assigned) -> bool {
    let routers = config.map_or(&[][..], |config| &config.routers);
    assigned.ours
        || routers.iter().any(|router| {
            places(router).iter().any(|at| at.on() == interface.name && at.cidr == assigned.cidr)
        })
}

/// What is on the interfaces and can be used, to be asked by address: a node may have a thousand of them.
pub(crate) struct There {
    /// Whether the address carries our tag.
    ours: HashMap<(u32, Cidr), bool>,
    /// The interfaces that are up.
    up: HashSet<u32>,
}

impl There {
    pub(crate) fn new(interfaces: &[Interface]) -> Self {
        let addresses = interfaces.iter().flat_map(|interface| {
            let there = interface.addresses.iter().filter(|assigned| assigned.ours || !assigned.tentative);
            there.map(|assigned| ((interface.index, assigned.cidr), assigned.ours))
        });
        let up = interfaces.iter().filter(|interface| interface.up).map(|interface| interface.index);
        Self { ours: addresses.collect(), up: up.collect() }
    }

    /// Whether a link with a virtual MAC address of a router is up, or is not.
    fn has_vmac(&self, instance: &Instance, up: bool) -> bool {
        let mut indexes = instance.vmacs.iter().filter_map(|vmac| vmac.index);
        indexes.any(|index| self.up.contains(&index) == up)
    }
}

/// Puts back what someone removed from an Active, and takes off what a router that is not Active should not have.
pub(crate) async fn reconcile(
    hands: &Hands,
    instance: &mut Instance,
    there: &There,
    events: &mut Vec<Event>,
) {
    let mut restored = false;
    if instance.machine.role() == Role::Active && there.has_vmac(instance, false) {
        restored = raise_again(hands, instance).await;
    }
    for position in 0..instance.places.len() {
        let place = &instance.places[position];
        let Some(seat) = place.seat else { continue };
        let found = there.ours.get(&(seat.index, place.cidr));
        match (instance.machine.role(), found) {
            (Role::Active, Some(_)) => {}
            (Role::Active, None) => restored |= put_back(hands, instance, position, events).await,
            (Role::Backup | Role::Initialize, Some(true)) => {
                let _absent = hands.take_off(place).await;
            }
            (Role::Backup | Role::Initialize, _) => {}
        }
        instance.places[position].held = instance.machine.role() == Role::Active;
    }
    if instance.machine.role() != Role::Active && there.has_vmac(instance, true) {
        vmac::lower(&hands.netlink, instance).await;
    }
    if restored {
        hands.announce(instance);
    }
}

/// The link of an Active was set down, or is another one than before.
async fn raise_again(hands: &Hands, instance: &mut Instance) -> bool {
    let raised = vmac::raise(&hands.netlink, instance).await;
    if let Err(why) = &raised {
        instance.refuse(clock::now(), why.clone());
    }
    raised.is_ok()
}

/// Says whether the address had been missing. A refusal of the kernel makes the router's next weighing a fault.
async fn put_back(hands: &Hands, instance: &mut Instance, position: usize, events: &mut Vec<Event>) -> bool {
    let place = &instance.places[position];
    let address = place.cidr;
    let router = instance.router.name.clone();
    match hands.put(place).await {
        Ok(true) => {
            instance.restored += 1;
            events.push(Event::Restored { router, address });
            true
        }
        Ok(false) => false,
        Err(why) => {
            events.push(Event::AddressFailed { router, address, why: why.clone() });
            instance.refuse(clock::now(), why);
            false
        }
    }
}
