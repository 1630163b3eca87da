//! What this machine is: its name, its addresses, its interfaces.

use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nameindex;

use crate::config::{Clues, Outline, Unidentified};

use super::args::Global;

/// The index of the node that this machine is, by `--node`, `$VIPD_NODE`, hostname or address.
///
/// # Errors
/// What was tried, and the nodes of the config.
pub(crate) fn identify(outline: &Outline, global: &Global) -> Result<usize, Unidentified> {
    let variable = std::env::var("VIPD_NODE").ok();
    let hostname = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    outline.identify(&Clues {
        flag: global.node.as_deref(),
        variable: variable.as_deref(),
        hostname: hostname.as_deref(),
        addresses: &addresses(),
    })
}

/// The interfaces of this machine by name; none when the kernel does not say.
pub(crate) fn interfaces() -> Vec<String> {
    let list = if_nameindex()
        .map(|list| list.iter().map(|interface| interface.name().to_string_lossy().into_owned()).collect());
    list.unwrap_or_default()
}

/// The addresses of this machine that others can reach.
fn addresses() -> Vec<IpAddr> {
    let Ok(list) = getifaddrs() else { return Vec::new() };
    let ip = |address: nix::sys::socket::SockaddrStorage| {
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    };
    list.filter_map(|entry| ip(entry.address?)).filter(|ip| !ip.is_loopback()).collect()
}
