//! `vipd release` without an agent: takes our addresses off whatever state they were left in, and tells the peers.

use std::io;

use crate::config::{Config, Router};
use crate::net::heartbeat_socket::HeartbeatSocket;
use crate::net::netlink::{Netlink, Route, Routes};
use crate::vrrp::auth::Auth;
use crate::vrrp::{Dialect, Priority};

use super::heartbeat::Heartbeat;
use super::instance;
use super::offers::Offers;
use super::place;
use super::vip::{self, Removed};
use super::vmac;
use super::ways;
use super::wires::{Outlet, Wires};

/// What was taken off and removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Addresses.
    pub addresses: Vec<Removed>,
    /// Routes.
    pub routes: Vec<Route>,
    /// The names of links with a virtual MAC address.
    pub links: Vec<String>,
}

/// Takes every address, route and link of ours off. A router of the config that had one was Active here: its peers hear priority 0.
/// Without a config only tagged addresses are found, and nobody is told. `auths` signs for the routers, in their order.
///
/// # Errors
/// `PermissionDenied` without CAP_NET_ADMIN; what else the kernel says.
pub async fn release(config: Option<(&Config, usize)>, auths: &mut [Option<Auth>]) -> io::Result<Cleared> {
    let netlink = Netlink::open()?;
    let interfaces = netlink.interfaces()?;
    let routes = ways::remove_stale(&Routes::open()?).await?;
    let addresses = vip::remove_stale(&netlink, config.map(|(config, _)| config), &interfaces).await?;
    let links = vmac::remove_stale(&netlink, &[], &interfaces).await?;
    let Some((config, node)) = config else {
        return Ok(Cleared { routes, addresses, links });
    };
    let mut offers = Offers::new(config, node);
    offers.look(&interfaces);
    let mut wires = Wires::open(&config.routers)?;
    let auths = auths.iter_mut().map(Option::as_mut).chain(std::iter::repeat_with(|| None));
    for (router, auth) in config.routers.iter().zip(auths) {
        let had = |removed: &Removed| {
            place::places(router).iter().any(|at| removed.name == at.on() && removed.address == at.cidr)
        };
        if !addresses.iter().any(had) {
            continue;
        }
        // A cable that is out is the usual reason to be here; nobody would hear us then.
        if let Err(error) = tell_over_udp(config, node, router, auth.as_deref()) {
            tracing::warn!("{}: the peers were not told over UDP: {error}", router.name);
        }
        let Ok(link) = offers.link(router) else {
            continue;
        };
        let peers = instance::peers(config, node, router);
        let outlet = |source| Outlet { source, interface: link.index };
        let outlets: Vec<_> = link.sources().map(outlet).collect();
        wires.advertise(router, &outlets, Priority::RESIGN, peers.as_deref(), auth, |_| Dialect::Pseudo)?;
    }
    Ok(Cleared { routes, addresses, links })
}

/// Over a path of its own, which may live when the cable is out. From any port: an agent that hangs has the right one.
fn tell_over_udp(config: &Config, node: usize, router: &Router, auth: Option<&Auth>) -> io::Result<()> {
    let Some(mut heartbeat) = Heartbeat::new(config, node, router, auth) else { return Ok(()) };
    let socket = HeartbeatSocket::open((config.nodes[node].heartbeat, 0).into())?;
    heartbeat.advertise(router, Priority::RESIGN, |bytes, to| socket.send(bytes, to))
}
