//! What the kernel's answers to a look say: interfaces, and the addresses on them. No socket here: messages come in.

use std::collections::HashMap;
use std::net::IpAddr;

use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};

use super::{ADDRESS_PROTOCOL, Assigned, Interface, Macvlan};
use crate::vrrp::Cidr;

/// Collects the messages of one look, in any order.
#[derive(Debug, Default)]
pub struct Inventory {
    interfaces: Vec<Interface>,
    addresses: HashMap<u32, Vec<Assigned>>,
}

impl Inventory {
    /// Takes an RTM_NEWLINK in.
    pub fn link(&mut self, message: LinkMessage) {
        self.interfaces.push(interface(message));
    }

    /// Takes an RTM_NEWADDR in; one without an address is none.
    pub fn address(&mut self, message: &AddressMessage) {
        self.addresses.entry(message.header.index).or_default().extend(assigned(message));
    }

    /// Every interface with its addresses, in the order of their indexes.
    pub fn into_interfaces(mut self) -> Vec<Interface> {
        for interface in &mut self.interfaces {
            interface.addresses = self.addresses.remove(&interface.index).unwrap_or_default();
        }
        self.interfaces.sort_by_key(|interface| interface.index);
        self.interfaces
    }
}

fn interface(link: LinkMessage) -> Interface {
    let flags = link.header.flags;
    let mut interface = Interface {
        index: link.header.index,
        name: String::new(),
        mac: None,
        up: flags.contains(LinkFlags::Up),
        running: flags.contains(LinkFlags::Running),
        macvlan: Macvlan::of(&link.attributes),
        addresses: Vec::new(),
    };
    for attribute in link.attributes {
        if let LinkAttribute::IfName(name) = attribute {
            interface.name = name;
        } else if let LinkAttribute::Address(mac) = attribute {
            interface.mac = mac.try_into().ok();
        }
    }
    interface
}

/// An address of a dump. For IPv4, IFA_LOCAL is the address and IFA_ADDRESS the peer's on point-to-point links; IPv6
/// has only IFA_ADDRESS (linux/if_addr.h).
pub(super) fn assigned(message: &AddressMessage) -> Option<Assigned> {
    let mut address = None;
    let mut ours = false;
    let mut tentative = false;
    for attribute in &message.attributes {
        if let AddressAttribute::Local(found @ IpAddr::V4(_))
        | AddressAttribute::Address(found @ IpAddr::V6(_)) = attribute
        {
            address = Some(*found);
        } else if let AddressAttribute::Protocol(protocol) = attribute {
            ours = u8::from(*protocol) == ADDRESS_PROTOCOL;
        } else if let AddressAttribute::Flags(flags) = attribute {
            tentative = flags.intersects(AddressFlags::Tentative | AddressFlags::Dadfailed);
        }
    }
    let (address, prefix) = (address?, message.header.prefix_len);
    let bits = if address.is_ipv4() { 32 } else { 128 };
    (prefix <= bits).then_some(Assigned { cidr: Cidr { address, prefix }, ours, tentative })
}
