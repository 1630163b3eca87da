//! Addresses as people write them. A node's own address is IPv4 in this release; IPv6 is recognised and refused there
//! by name. Its heartbeats may come from either family.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use crate::vrrp::{Cidr, Family};

use super::problem::Wrong;

/// The address of a node.
pub(super) fn host(text: &str) -> Result<IpAddr, Wrong> {
    if let Some((address, _)) = text.split_once('/') {
        return Err(Wrong::new(format!("`{text}` has a prefix length, a node's address has none"))
            .help(format!("write \"{address}\"")));
    }
    if text.parse::<SocketAddr>().is_ok() {
        return Err(Wrong::new(format!("`{text}` has a port, a node's address has none")));
    }
    let address = ipv4(text, "10.77.0.1")?;
    usable(IpAddr::V4(address))?;
    Ok(IpAddr::V4(address))
}

/// Where a node's heartbeats come from.
pub(super) fn heartbeat(text: &str) -> Result<IpAddr, Wrong> {
    let Ok(address) = text.parse::<Ipv6Addr>() else { return host(text) };
    if address.is_unicast_link_local() {
        return Err(Wrong::new(format!("{address} is an address on one link, and does not say on which"))
            .help("write one that is known beyond it: of fd00::/8, for instance"));
    }
    let address = address.to_canonical();
    usable(address).map(|()| address)
}

/// A virtual address with its prefix length.
pub(super) fn cidr(text: &str) -> Result<Cidr, Wrong> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address = match address.parse::<Ipv6Addr>() {
        Ok(address) => IpAddr::V6(address),
        Err(_) => IpAddr::V4(ipv4(address, "10.77.0.100/24")?),
    };
    let (most, usual) = if address.is_ipv4() { (32, 24) } else { (128, 64) };
    let Some(prefix) = prefix else {
        return Err(Wrong::new(format!("`{text}` has no prefix length")).help(format!(
            "write \"{text}/{usual}\" with the prefix length of its network, or \"{text}/{most}\""
        )));
    };
    let family = Family::of(address);
    let prefix = match prefix.parse::<u8>() {
        Ok(length) if (1..=most).contains(&length) && !prefix.starts_with(['0', '+']) => length,
        _ => {
            return Err(Wrong::new(format!("`/{prefix}` is no prefix length of {family}"))
                .help(format!("write a number from 1 to {most}: \"{address}/{usual}\"")));
        }
    };
    usable(address)?;
    if let IpAddr::V4(address) = address {
        a_host(address, prefix)?;
    }
    Ok(Cidr { address, prefix })
}

/// Not the network itself and not its broadcast address.
fn a_host(address: Ipv4Addr, prefix: u8) -> Result<(), Wrong> {
    let host_bits = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    let host = address.to_bits() & host_bits;
    if prefix < 31 && (host == 0 || host == host_bits) {
        let which = if host == 0 { "the network itself" } else { "its broadcast address" };
        return Err(Wrong::new(format!("{address} is {which}, no host of {address}/{prefix}"))
            .help("write the address that clients connect to, with the prefix length of its network"));
    }
    Ok(())
}

/// What a frontend listens on.
pub(super) fn bind(text: &str) -> Result<SocketAddr, Wrong> {
    socket(text, "10.77.0.100:80")
}

/// Where an application server listens.
pub(super) fn server(text: &str) -> Result<SocketAddr, Wrong> {
    let address = socket(text, "10.77.0.11:8080")?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() => {
            Err(Wrong::new(format!("{ip} is not the address of one server")))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => Ok(address),
    }
}

fn socket(text: &str, example: &str) -> Result<SocketAddr, Wrong> {
    if let Ok(SocketAddr::V6(address)) = text.parse()
        && address.port() != 0
    {
        return Ok(SocketAddr::V6(address));
    }
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Err(Wrong::new(format!("`{text}` has no port")).help(format!("write \"[{address}]:80\"")));
    }
    let Some((address, port)) = text.rsplit_once(':') else {
        ipv4(text, example)?;
        return Err(Wrong::new(format!("`{text}` has no port")).help(format!("write \"{text}:80\"")));
    };
    if let Some(inside) = address.strip_prefix('[') {
        let inside = inside.trim_end_matches(']');
        if inside.parse::<Ipv6Addr>().is_err() {
            return Err(Wrong::new(format!("`{inside}` is not an IPv6 address")));
        }
        return port_of(port).map(|_| SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)));
    }
    let address = ipv4(address, example)?;
    Ok(SocketAddr::V4(SocketAddrV4::new(address, port_of(port)?)))
}

fn port_of(port: &str) -> Result<u16, Wrong> {
    match port.parse::<u16>() {
        Ok(port @ 1..) => Ok(port),
        Ok(0) | Err(_) => {
            Err(Wrong::new(format!("`{port}` is no port")).help("write a number from 1 to 65535"))
        }
    }
}

fn ipv4(text: &str, example: &str) -> Result<Ipv4Addr, Wrong> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(no_ipv6(text));
    }
    let help = format!("write it like \"{example}\"");
    let looks_like_a_name = text.bytes().any(|byte| byte.is_ascii_alphabetic());
    Err(if looks_like_a_name {
        Wrong::new(format!("`{text}` is a name; names are not looked up")).help(help)
    } else {
        Wrong::new(format!("`{text}` is not an IPv4 address")).help(help)
    })
}

/// Whether one host can have it.
pub(super) fn usable(address: IpAddr) -> Result<(), Wrong> {
    let what = match address {
        _ if address.is_unspecified() => "no address at all",
        _ if address.is_multicast() => "a multicast address",
        IpAddr::V4(v4) if v4.is_broadcast() => "the broadcast address",
        _ if address.is_loopback() => "a loopback address, which no other machine can reach",
        IpAddr::V4(_) | IpAddr::V6(_) => return Ok(()),
    };
    Err(Wrong::new(format!("{address} is {what}")))
}

fn no_ipv6(text: &str) -> Wrong {
    Wrong::new(format!("`{text}` is IPv6, which this release does not have yet")).help("use an IPv4 address")
}
