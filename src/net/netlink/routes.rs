//! Routes of ours in the kernel's tables (rtnetlink(7)). Those of others are never read, changed or removed.
//!
//! A connection of its own: the kernel picks our routes out of what may be a million (NETLINK_GET_STRICT_CHK, since
//! Linux 4.20; before that they are picked here).

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::TryStreamExt;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteScope, RouteType};
use rtnetlink::{Handle, new_connection, new_connection_with_strict_check};

use super::requests::{done_unless, into_io};
use crate::vrrp::Cidr;

/// The protocol (rtm_protocol, linux/rtnetlink.h) of routes that are ours, the same as of addresses: `v`. The kernel
/// gives it no meaning, and no routing daemon of iproute2's list uses it.
pub const ROUTE_PROTOCOL: u8 = b'v';

/// The table `main` (linux/rtnetlink.h).
pub const MAIN_TABLE: u32 = 254;

/// A unicast route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// Where it leads to; 0.0.0.0/0 and ::/0 lead everywhere.
    pub to: Cidr,
    /// The next hop; `None` when `to` is on the link.
    pub via: Option<IpAddr>,
    /// Index of the interface.
    pub interface: u32,
    /// The source address of what this host sends there.
    pub source: Option<IpAddr>,
    /// The lower of two routes wins.
    pub metric: u32,
    /// The table it is in.
    pub table: u32,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to)?;
        if let Some(via) = self.via {
            write!(f, " via {via}")?;
        }
        if self.table == MAIN_TABLE { Ok(()) } else { write!(f, " in table {}", self.table) }
    }
}

/// A connection for routes. Its socket belongs to the network namespace in which it was opened.
#[derive(Clone, Debug)]
pub struct Routes {
    handle: Handle,
}

impl Routes {
    /// Opens it and lets the current tokio runtime drive it.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn open() -> io::Result<Self> {
        let (connection, handle, _) = new_connection_with_strict_check().or_else(|_| new_connection())?;
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    /// Every route of ours.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn list(&self) -> io::Result<Vec<Route>> {
        let mut found = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut ask = RouteMessage::default();
            ask.header.address_family = family;
            ask.header.protocol = ROUTE_PROTOCOL.into();
            let mut dump = std::pin::pin!(self.handle.route().get(ask).execute());
            while let Some(message) = dump.try_next().await.map_err(into_io)? {
                found.extend(is_ours(&message).then(|| route(&message)).flatten());
            }
        }
        Ok(found)
    }

    /// Adds a route; says whether it was missing.
    ///
    /// # Errors
    /// `AlreadyExists` when there is another one to the same network with the same metric in the same table,
    /// `NetworkUnreachable` when its next hop is in no network of the interface, and what else the kernel says.
    pub async fn add(&self, route: &Route) -> io::Result<bool> {
        let Err(error) = self.insert(route).await else { return Ok(true) };
        if error.raw_os_error() != Some(libc::EEXIST) {
            return Err(error);
        }
        let there = self.list().await?;
        if there.contains(route) {
            return Ok(false);
        }
        // IPv6: with an address the kernel takes it out of the routes whose source it was, and leaves them
        // (`fib6_remove_prefsrc` in net/ipv6/route.c).
        let bare = Route { source: None, ..*route };
        if !there.contains(&bare) {
            return Err(error);
        }
        self.remove(&bare).await?;
        self.insert(route).await.map(|()| true)
    }

    async fn insert(&self, route: &Route) -> io::Result<()> {
        self.handle.route().add(message(route)).execute().await.map_err(into_io)
    }

    /// Removes a route of ours; says whether it was there.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_ADMIN, and what else the kernel says.
    pub async fn remove(&self, route: &Route) -> io::Result<bool> {
        let removed = self.handle.route().del(message(route)).execute().await;
        match done_unless(removed, libc::ESRCH) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(false),
            other => other,
        }
    }
}

/// Whether a message is about a route of ours.
pub(super) fn is_ours(message: &RouteMessage) -> bool {
    u8::from(message.header.protocol) == ROUTE_PROTOCOL
}

fn message(route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family =
        if route.to.address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    header.destination_prefix_length = route.to.prefix;
    header.protocol = ROUTE_PROTOCOL.into();
    header.kind = RouteType::Unicast;
    // What ip-route(8) does: without a next hop the network is on the link. IPv6 has no scopes here.
    if route.via.is_none() && route.to.address.is_ipv4() {
        header.scope = RouteScope::Link;
    }
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Destination(route.to.address.into()));
    attributes.push(RouteAttribute::Oif(route.interface));
    attributes.push(RouteAttribute::Priority(route.metric));
    attributes.push(RouteAttribute::Table(route.table));
    attributes.extend(route.via.map(|via| RouteAttribute::Gateway(via.into())));
    attributes.extend(route.source.map(|source| RouteAttribute::PrefSource(source.into())));
    message
}

/// A route of a dump; `None` when it has several next hops, or none of an interface: no route of ours has.
fn route(message: &RouteMessage) -> Option<Route> {
    let is_v4 = message.header.address_family == AddressFamily::Inet;
    let unspecified = if is_v4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let to = Cidr { address: unspecified, prefix: message.header.destination_prefix_length };
    let table = message.header.table.into();
    let mut route = Route { to, via: None, interface: 0, source: None, metric: 0, table };
    for attribute in &message.attributes {
        if let RouteAttribute::Destination(address) = attribute {
            route.to.address = ip(address)?;
        } else if let RouteAttribute::Gateway(address) = attribute {
            route.via = Some(ip(address)?);
        } else if let RouteAttribute::PrefSource(address) = attribute {
            route.source = Some(ip(address)?);
        } else if let RouteAttribute::Oif(index) = attribute {
            route.interface = *index;
        } else if let RouteAttribute::Priority(metric) = attribute {
            route.metric = *metric;
        } else if let RouteAttribute::Table(table) = attribute {
            route.table = *table;
        }
    }
    (route.interface != 0).then_some(route)
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    if let RouteAddress::Inet(v4) = address {
        return Some(IpAddr::V4(*v4));
    }
    let RouteAddress::Inet6(v6) = address else { return None };
    Some(IpAddr::V6(*v6))
}

#[cfg(test)]
mod tests;
