//! Links with a MAC address of their own on top of another interface (macvlan).
//!
//! Mode "bridge": of the modes this is the one in which the interface below goes on hearing what comes in with a
//! source address that the link itself has (`macvlan_handle_frame` in drivers/net/macvlan.c: in mode "private" such a
//! broadcast reaches the link alone), so that there is one place to listen, whatever the link is doing. What is sent
//! through the link is never heard by the interface below.

use std::io;

use rtnetlink::packet_route::link::{
    AfSpecInet, AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InetDevConf, InfoData, InfoMacVlan, LinkAttribute,
    LinkInfo, MacVlanMode,
};
use rtnetlink::{LinkMacVlan, LinkUnspec};

use super::requests::{Netlink, done_unless, into_io};
use crate::net::arp::Mac;

/// What makes an interface a macvlan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Macvlan {
    /// Index of the interface below.
    pub below: u32,
    /// It is in mode "bridge".
    pub bridge: bool,
}

impl Macvlan {
    /// What the attributes of a link say, when they say that it is one.
    pub(super) fn of(attributes: &[LinkAttribute]) -> Option<Self> {
        let mut below = None;
        let mut bridge = None;
        for attribute in attributes {
            if let LinkAttribute::Link(index) = attribute {
                below = Some(*index);
            } else if let LinkAttribute::LinkInfo(infos) = attribute {
                bridge = infos.iter().find_map(is_bridge);
            }
        }
        Some(Self { below: below?, bridge: bridge? })
    }
}

/// Whether its mode is "bridge"; `None` when this is not about a macvlan.
fn is_bridge(info: &LinkInfo) -> Option<bool> {
    let LinkInfo::Data(InfoData::MacVlan(data)) = info else { return None };
    Some(data.contains(&InfoMacVlan::Mode(MacVlanMode::Bridge)))
}

impl Netlink {
    /// Creates a macvlan, which is down. No IPv6 address comes by itself; IPv4: it answers for its own addresses alone
    /// (arp_ignore 1), asks with its own alone (arp_announce 2), and lets in whom the host answers through another
    /// interface (rp_filter 2).
    ///
    /// # Errors
    /// `EEXIST` when there is an interface of that name, `EINVAL` when the one below cannot have any on top of it, for
    /// instance as it is in a bridge, and what else the kernel says.
    pub async fn create_macvlan(&self, name: &str, below: u32, mac: Mac, alias: &str) -> io::Result<()> {
        let message = LinkMacVlan::new(name, below, MacVlanMode::Bridge).address(mac.to_vec()).build();
        self.handle.link().add(message).execute().await.map_err(into_io)?;
        let mut conf = InetDevConf::default();
        (conf.arp_ignore, conf.arp_announce, conf.rp_filter) = (1, 2, 2);
        let silent = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        let message = LinkUnspec::new_with_name(name)
            .alias(alias)
            .append_extra_attribute(LinkAttribute::AfSpecUnspec(vec![
                AfSpecUnspec::Inet(vec![AfSpecInet::DevConfRequest(conf)]),
                AfSpecUnspec::Inet6(vec![silent]),
            ]))
            .build();
        self.handle.link().set(message).execute().await.map_err(into_io)
    }

    /// Sets arp_ignore and arp_announce of an interface, also where /proc is read-only; what is 0 stays as it is.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn set_arp(&self, interface: u32, ignore: i32, announce: i32) -> io::Result<()> {
        let mut conf = InetDevConf::default();
        (conf.arp_ignore, conf.arp_announce) = (ignore, announce);
        let inet = AfSpecUnspec::Inet(vec![AfSpecInet::DevConfRequest(conf)]);
        let message = LinkUnspec::new_with_index(interface)
            .append_extra_attribute(LinkAttribute::AfSpecUnspec(vec![inet]))
            .build();
        self.handle.link().set(message).execute().await.map_err(into_io)
    }

    /// Sets an interface up, or down.
    ///
    /// # Errors
    /// `EBUSY` when another one on the same interface has its MAC address, and what else the kernel says.
    pub async fn set_up(&self, interface: u32, up: bool) -> io::Result<()> {
        let link = LinkUnspec::new_with_index(interface);
        let message = if up { link.up() } else { link.down() }.build();
        self.handle.link().set(message).execute().await.map_err(into_io)
    }

    /// Deletes an interface; says whether it was there.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn delete_link(&self, interface: u32) -> io::Result<bool> {
        done_unless(self.handle.link().del(interface).execute().await, libc::ENODEV)
    }
}
