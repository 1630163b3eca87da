//! What must hold for any answers to a look at the kernel; the fuzz target and `integration/vectors.rs` share it.

use rtnetlink::packet_core::NetlinkPayload;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::AddressMessage;
use vipd::net::netlink::{ADDRESS_PROTOCOL, Inventory, messages};

/// Messages as the kernel sends them, one behind the other. Whatever they say, every interface is one of them, in order,
/// and has at most the addresses that were said to be on it, with a prefix that fits; an address that carries no tag is
/// not ours.
pub(crate) fn netlink(datagram: &[u8]) {
    let mut inventory = Inventory::default();
    let mut links = Vec::new();
    let mut addresses = Vec::new();
    for payload in messages(datagram) {
        let NetlinkPayload::InnerMessage(message) = payload else { continue };
        if let RouteNetlinkMessage::NewLink(link) = message {
            links.push(link.header.index);
            inventory.link(link);
        } else if let RouteNetlinkMessage::NewAddress(address) = message {
            inventory.address(&address);
            addresses.push(address);
        }
    }
    let interfaces = inventory.into_interfaces();
    links.sort_unstable();
    assert_eq!(interfaces.iter().map(|interface| interface.index).collect::<Vec<_>>(), links);
    for interface in &interfaces {
        let of: Vec<_> = addresses.iter().filter(|message| message.header.index == interface.index).collect();
        assert!(interface.addresses.len() <= of.len());
        for assigned in &interface.addresses {
            let bits = if assigned.cidr.address.is_ipv4() { 32 } else { 128 };
            assert!(assigned.cidr.prefix <= bits, "{}", assigned.cidr);
            assert!(
                !assigned.ours || of.iter().any(|message| tagged(message)),
                "{} is not ours",
                assigned.cidr
            );
        }
    }
}

fn tagged(message: &AddressMessage) -> bool {
    use rtnetlink::packet_route::address::AddressAttribute::Protocol;
    message
        .attributes
        .iter()
        .any(|attribute| matches!(attribute, Protocol(tag) if u8::from(*tag) == ADDRESS_PROTOCOL))
}
