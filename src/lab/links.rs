//! Links, addresses and neighbours of a namespace, by rtnetlink. Each call opens its own connection inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::RawFd;

use futures_util::stream::TryStreamExt;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{InfoBridge, InfoData, InfoVeth, LinkAttribute, LinkMessage, Stats64};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use rtnetlink::{
    AddressMessageBuilder, Handle, LinkBridge, LinkBridgePort, LinkMessageBuilder, LinkUnspec, LinkVeth,
};

use super::host::{Counters, Neighbour};
use super::{Error, Mac, Netns};
use crate::vrrp::Cidr;

/// The name of every host's card.
pub(super) const CARD: &str = "eth0";

/// A bridge called `name`, up.
pub(super) fn create_bridge(netns: &Netns, name: &str) -> Result<(), Error> {
    ask(netns, "creating the switch", async |netlink| {
        let bridge = LinkBridge::new(name)
            .append_info_data(InfoBridge::ForwardDelay(0))
            .append_info_data(InfoBridge::MulticastSnooping(false))
            .build();
        netlink.link().add(bridge).execute().await
    })
}

/// A veth pair: `port` on `bridge` in `netns`, up, and [`CARD`] with `mac` in the namespace behind `host`.
pub(super) fn create_cable(
    netns: &Netns,
    bridge: &str,
    port: &str,
    host: RawFd,
    mac: Mac,
) -> Result<(), Error> {
    ask(netns, format_args!("connecting {port}"), async |netlink| {
        let bridge = index_of(&netlink, bridge).await?;
        let card = LinkMessageBuilder::<LinkUnspec>::new()
            .name(CARD)
            .address(mac.0.to_vec())
            .setns_by_fd(host)
            .build();
        let pair = LinkVeth::new(port, CARD)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(card)))
            .controller(bridge)
            .up()
            .build();
        netlink.link().add(pair).execute().await
    })
}

/// Takes the link `name` up or down.
pub(super) fn set_up(netns: &Netns, name: &str, up: bool) -> Result<(), Error> {
    let what = format!("taking {name} {}", if up { "up" } else { "down" });
    ask(netns, what, async |netlink| {
        let link = LinkUnspec::new_with_name(name);
        let link = if up { link.up() } else { link.down() };
        netlink.link().set(link.build()).execute().await
    })
}

/// Keeps the bridge's port `name` from hearing other isolated ports, or no longer.
pub(super) fn set_isolated(netns: &Netns, name: &str, isolated: bool) -> Result<(), Error> {
    ask(netns, format_args!("isolating {name}"), async |netlink| {
        let port = LinkBridgePort::new(index_of(&netlink, name).await?).isolated(isolated);
        netlink.link().set_port(port.build()).execute().await
    })
}

/// Deletes the link `name`, and the other end of a cable with it.
pub(super) fn delete(netns: &Netns, name: &str) -> Result<(), Error> {
    ask(netns, format_args!("deleting {name}"), async |netlink| {
        let index = index_of(&netlink, name).await?;
        netlink.link().del(index).execute().await
    })
}

/// Puts `address` on the link `name`.
pub(super) fn add_address(netns: &Netns, name: &str, address: Cidr) -> Result<(), Error> {
    ask(netns, format_args!("adding {address} to {name}"), async |netlink| {
        let index = index_of(&netlink, name).await?;
        netlink.address().add(index, address.address, address.prefix).execute().await
    })
}

/// Takes `address` off the link `name`.
pub(super) fn delete_address(netns: &Netns, name: &str, address: Cidr) -> Result<(), Error> {
    ask(netns, format_args!("deleting {address} from {name}"), async |netlink| {
        let index = index_of(&netlink, name).await?;
        let message = match address.address {
            IpAddr::V4(ip) => {
                AddressMessageBuilder::<Ipv4Addr>::new().index(index).address(ip, address.prefix).build()
            }
            IpAddr::V6(ip) => {
                AddressMessageBuilder::<Ipv6Addr>::new().index(index).address(ip, address.prefix).build()
            }
        };
        netlink.address().del(message).execute().await
    })
}

/// The addresses of the link `name`, of both families.
pub(super) fn addresses(netns: &Netns, name: &str) -> Result<Vec<Cidr>, Error> {
    ask(netns, format_args!("listing the addresses of {name}"), async |netlink| {
        let index = index_of(&netlink, name).await?;
        let found: Vec<_> =
            netlink.address().get().set_link_index_filter(index).execute().try_collect().await?;
        Ok(found.iter().filter_map(cidr_of).collect())
    })
}

/// The neighbour tables of the link `name`, of both families.
pub(super) fn neighbours(netns: &Netns, name: &str) -> Result<Vec<Neighbour>, Error> {
    ask(netns, format_args!("listing the neighbours of {name}"), async |netlink| {
        let index = index_of(&netlink, name).await?;
        let table = |family| netlink.neighbours().get().set_address_family(family).execute().try_collect();
        let mut found: Vec<_> = table(AddressFamily::Inet).await?;
        found.extend::<Vec<_>>(table(AddressFamily::Inet6).await?);
        let here = found.iter().filter(|entry| entry.header.ifindex == index);
        Ok(here.filter_map(neighbour_of).collect())
    })
}

/// What went over the link `name` since it was created.
pub(super) fn counters(netns: &Netns, name: &str) -> Result<Counters, Error> {
    ask(netns, format_args!("reading the counters of {name}"), async |netlink| {
        let link = link_called(&netlink, name).await?;
        let stats = link.attributes.into_iter().find_map(|attribute| {
            let LinkAttribute::Stats64(stats) = attribute else { return None };
            Some(stats)
        });
        Ok(stats.map(|stats| counters_of(&stats)).unwrap_or_default())
    })
}

/// Whether the link `name` is up and has carrier.
pub(super) fn has_carrier(netns: &Netns, name: &str) -> Result<bool, Error> {
    ask(netns, format_args!("reading the state of {name}"), async |netlink| {
        let link = link_called(&netlink, name).await?;
        Ok(link.attributes.iter().any(|attribute| matches!(attribute, LinkAttribute::Carrier(1))))
    })
}

/// Runs one conversation with the kernel inside `netns`.
fn ask<R: Send>(
    netns: &Netns,
    what: impl std::fmt::Display,
    talk: impl AsyncFnOnce(Handle) -> Result<R, rtnetlink::Error> + Send,
) -> Result<R, Error> {
    let answer = netns.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(async {
            let (connection, netlink, _) = rtnetlink::new_connection().map_err(|error| error.to_string())?;
            tokio::spawn(connection);
            talk(netlink).await.map_err(|error| in_words(&error))
        })
    })?;
    answer.map_err(Error::at(what))
}

fn in_words(error: &rtnetlink::Error) -> String {
    if let rtnetlink::Error::NetlinkError(refusal) = error {
        refusal.to_io().to_string()
    } else {
        error.to_string()
    }
}

async fn link_called(netlink: &Handle, name: &str) -> Result<LinkMessage, rtnetlink::Error> {
    let mut links = netlink.link().get().match_name(name.to_owned()).execute();
    links.try_next().await?.ok_or(rtnetlink::Error::RequestFailed)
}

async fn index_of(netlink: &Handle, name: &str) -> Result<u32, rtnetlink::Error> {
    Ok(link_called(netlink, name).await?.header.index)
}

fn cidr_of(message: &AddressMessage) -> Option<Cidr> {
    message.attributes.iter().find_map(|attribute| {
        // IFA_LOCAL is an IPv4 address' own; IPv6 addresses have only IFA_ADDRESS.
        let (AddressAttribute::Local(address @ IpAddr::V4(_))
        | AddressAttribute::Address(address @ IpAddr::V6(_))) = attribute
        else {
            return None;
        };
        Some(Cidr { address: *address, prefix: message.header.prefix_len })
    })
}

fn neighbour_of(message: &NeighbourMessage) -> Option<Neighbour> {
    let address = message.attributes.iter().find_map(|attribute| {
        if let NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) = attribute {
            return Some(IpAddr::V4(*address));
        }
        let NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) = attribute else {
            return None;
        };
        Some(IpAddr::V6(*address))
    });
    let mac = message.attributes.iter().find_map(|attribute| {
        let NeighbourAttribute::LinkLayerAddress(bytes) = attribute else { return None };
        bytes.as_slice().try_into().ok().map(Mac)
    });
    let unknown = matches!(
        message.header.state,
        NeighbourState::Incomplete | NeighbourState::Failed | NeighbourState::None
    );
    Some(Neighbour { address: address?, mac: mac.filter(|_| !unknown) })
}

fn counters_of(stats: &Stats64) -> Counters {
    Counters {
        received_packets: stats.rx_packets,
        sent_packets: stats.tx_packets,
        received_bytes: stats.rx_bytes,
        sent_bytes: stats.tx_bytes,
    }
}
