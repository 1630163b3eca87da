//! What must hold for any answers to a look at the kernel; the fuzz target and `integration/vectors.rs` share it.

use rtnetlink::packet_core::{NetlinkBuffer, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::AddressMessage;
use vipd::net::netlink::{ADDRESS_PROTOCOL, Inventory};

/// Messages as the kernel sends them, one behind the other. Whatever they say, every interface is one of them, in order,
/// and has at most the addresses that were said to be on it, with a prefix that fits; an address that carries no tag is
/// not ours.
pub(crate) fn netlink(datagram: &[u8]) {
    let mut inventory = Inventory::default();
    let mut links = Vec::new();
    let mut addresses = Vec::new();
    for message in messages(datagram) {
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

/// As the connection takes a datagram apart: a message that cannot be read is left out, behind a wrong length is nothing.
fn messages(mut datagram: &[u8]) -> impl Iterator<Item = RouteNetlinkMessage> {
    std::iter::from_fn(move || {
        loop {
            let length = usize::try_from(NetlinkBuffer::new_checked(datagram).ok()?.length()).ok()?;
            let (message, rest) = datagram.split_at_checked(length)?;
            datagram = rest;
            let read = NetlinkMessage::deserialize(message).map(|message| message.payload);
            if let Ok(NetlinkPayload::InnerMessage(inner)) = read {
                return Some(inner);
            }
        }
    })
}

fn tagged(message: &AddressMessage) -> bool {
    use rtnetlink::packet_route::address::AddressAttribute::Protocol;
    message
        .attributes
        .iter()
        .any(|attribute| matches!(attribute, Protocol(tag) if u8::from(*tag) == ADDRESS_PROTOCOL))
}
