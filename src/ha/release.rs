//! `vipd release` without an agent: takes our addresses off whatever state they were left in, and tells the peers.

use std::io;

use crate::config::Config;
use crate::net::netlink::Netlink;
use crate::net::vrrp_socket::VrrpSocket;
use crate::vrrp::wire::{self, Advert, Path};
use crate::vrrp::{Dialect, Priority};

use super::track;
use super::vip::{self, Removed};

/// Takes every address of ours off. A router of the config that had one was Active here: its peers hear priority 0.
/// Without a config only tagged addresses are found, and nobody is told.
///
/// # Errors
/// `PermissionDenied` without CAP_NET_ADMIN; what else the kernel says.
pub async fn release(config: Option<(&Config, usize)>) -> io::Result<Vec<Removed>> {
    let netlink = Netlink::open()?;
    let interfaces = netlink.interfaces().await?;
    let removed = vip::remove_stale(&netlink, config.map(|(config, _)| config), &interfaces).await?;
    let Some((config, node)) = config else {
        return Ok(removed);
    };
    let service: Vec<_> =
        config.routers.iter().flat_map(|router| &router.addresses).map(|cidr| cidr.address).collect();
    for router in &config.routers {
        let had = |removed: &Removed| {
            removed.name == router.interface && router.addresses.contains(&removed.address)
        };
        if !removed.iter().any(had) {
            continue;
        }
        // A cable that is out is the usual reason to be here; nobody would hear us then.
        let Ok(link) = track::link(&interfaces, router, config.nodes[node].address, &service) else {
            continue;
        };
        let advert =
            Advert { vrid: router.vrid, priority: Priority::RESIGN, interval: router.advert_interval };
        let addresses: Vec<_> = router.addresses.iter().map(|cidr| cidr.address).collect();
        let path = Path { source: link.source, destination: wire::GROUP };
        let mut message = Vec::new();
        wire::emit(advert, &addresses, path, Dialect::Pseudo, &mut message);
        VrrpSocket::open()?.send(&message, link.index, link.source)?;
    }
    Ok(removed)
}
