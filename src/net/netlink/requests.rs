//! The connection for requests: look, add, remove.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::TryStreamExt;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage, RouteType};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{AddressMessageBuilder, Error, Handle, new_connection};

use super::dump::Dump;
use super::inventory::assigned;
use super::{ADDRESS_PROTOCOL, Interface, Inventory};
use crate::vrrp::Cidr;

/// A connection for requests. Its sockets belong to the network namespace in which it was opened.
#[derive(Debug)]
pub struct Netlink {
    pub(super) handle: Handle,
    dump: Dump,
}

impl Netlink {
    /// Opens it and lets the current tokio runtime drive it.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn open() -> io::Result<Self> {
        let (connection, handle, _) = new_connection()?;
        tokio::spawn(connection);
        Ok(Self { handle, dump: Dump::open()? })
    }

    /// Every interface with its addresses, in the order of their indexes.
    ///
    /// # Errors
    /// What the kernel says, twice: it may have had no memory for a part of the answer.
    pub fn interfaces(&self) -> io::Result<Vec<Interface>> {
        self.look().or_else(|_once_more| self.look())
    }

    fn look(&self) -> io::Result<Vec<Interface>> {
        let mut inventory = Inventory::default();
        let mut links = LinkMessage::default();
        // IPv6's counters of each interface, added up over all cores: nobody here reads them.
        links.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        let questions =
            [RouteNetlinkMessage::GetLink(links), RouteNetlinkMessage::GetAddress(AddressMessage::default())];
        for question in questions {
            self.dump.ask(question, |message| {
                if let RouteNetlinkMessage::NewLink(link) = message {
                    inventory.link(link);
                } else if let RouteNetlinkMessage::NewAddress(address) = message {
                    inventory.address(&address);
                }
            })?;
        }
        Ok(inventory.into_interfaces())
    }

    /// Puts an address on an interface, tagged as ours; says whether it was missing. One that others put there and that
    /// the detection of duplicates keeps from being used counts as missing. `brings_network`: the kernel adds a route
    /// to its network, and removes that with the address.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_ADMIN, `ENODEV` when the interface has gone, and what else the kernel says.
    pub async fn add(&self, interface: u32, cidr: Cidr, brings_network: bool) -> io::Result<bool> {
        if self.insert(interface, cidr, brings_network).await? {
            return Ok(true);
        }
        if !self.is_held_up(interface, cidr).await? {
            return Ok(false);
        }
        // Its flags could be changed, but not its state.
        self.remove(interface, cidr).await?;
        self.insert(interface, cidr, brings_network).await
    }

    async fn insert(&self, interface: u32, cidr: Cidr, brings_network: bool) -> io::Result<bool> {
        let mut request = self.handle.address().add(interface, cidr.address, cidr.prefix);
        let attributes = &mut request.message_mut().attributes;
        attributes.retain(|attribute| !matches!(attribute, AddressAttribute::Broadcast(_)));
        attributes.push(AddressAttribute::Protocol(ADDRESS_PROTOCOL.into()));
        attributes.push(AddressAttribute::Flags(flags(cidr, brings_network)));
        done_unless(request.execute().await, libc::EEXIST)
    }

    /// Whether an address that is on an interface cannot be used, or not yet.
    async fn is_held_up(&self, interface: u32, cidr: Cidr) -> io::Result<bool> {
        if cidr.address.is_ipv4() {
            return Ok(false);
        }
        let mut dump = std::pin::pin!(self.handle.address().get().set_link_index_filter(interface).execute());
        while let Some(message) = dump.try_next().await.map_err(into_io)? {
            if let Some(found) = assigned(&message).filter(|found| found.cidr == cidr) {
                return Ok(found.tentative);
            }
        }
        Ok(false)
    }

    /// Whether the kernel takes in what is sent to an IPv6 address that was put on an interface. Even without duplicate
    /// address detection it adds the local route later than it answers the request, in a work of its own that waits for
    /// the lock of the network configuration (`addrconf_dad_work` in net/ipv6/addrconf.c). `false` as well when it does
    /// not say.
    pub async fn delivers(&self, interface: u32, address: Ipv6Addr) -> bool {
        let mut ask = RouteMessage::default();
        ask.header.address_family = AddressFamily::Inet6;
        ask.header.destination_prefix_length = 128;
        ask.attributes = vec![RouteAttribute::Destination(address.into()), RouteAttribute::Oif(interface)];
        let mut answer = std::pin::pin!(self.handle.route().get(ask).execute());
        let found = answer.try_next().await.ok().flatten();
        found.is_some_and(|route| route.header.kind == RouteType::Local)
    }

    /// Takes an address off an interface; says whether it was there.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_ADMIN, and what else the kernel says.
    pub async fn remove(&self, interface: u32, cidr: Cidr) -> io::Result<bool> {
        let message = match cidr.address {
            IpAddr::V4(address) => AddressMessageBuilder::<Ipv4Addr>::new()
                .index(interface)
                .address(address, cidr.prefix)
                .build(),
            IpAddr::V6(address) => AddressMessageBuilder::<Ipv6Addr>::new()
                .index(interface)
                .address(address, cidr.prefix)
                .build(),
        };
        match done_unless(self.handle.address().del(message).execute().await, libc::EADDRNOTAVAIL) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(false),
            other => other,
        }
    }
}

/// The route to the network belongs to the interface's own address there, if it has one, and must not come and go with
/// ours. IPv6: the address is known to be ours alone, and duplicate address detection would keep it silent for a second.
fn flags(cidr: Cidr, brings_network: bool) -> AddressFlags {
    let (whole, nodad) = match cidr.address {
        IpAddr::V4(_) => (32, AddressFlags::empty()),
        IpAddr::V6(_) => (128, AddressFlags::Nodad),
    };
    let route = if brings_network || cidr.prefix == whole {
        AddressFlags::empty()
    } else {
        AddressFlags::Noprefixroute
    };
    route | nodad
}

/// `false` when the kernel answered `unchanged`: things already were as asked.
pub(super) fn done_unless(result: Result<(), Error>, unchanged: i32) -> io::Result<bool> {
    match result.map_err(into_io) {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(unchanged) => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) fn into_io(error: Error) -> io::Error {
    if let Error::NetlinkError(message) = error { message.to_io() } else { io::Error::other(error) }
}
