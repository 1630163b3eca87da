//! The virtual MAC addresses of a router (`use_vmac`, RFC 9568 §7.3): for each family of its addresses a link on top
//! of its interface, made when the router may take part, up while it is Active, and removed when it ends.
//!
//! While the link is down nothing is sent or taken with its MAC address, so that the network learns that behind the
//! Active alone. The interface below stays the one ear: what peers send is heard there, also when they have the same
//! MAC address. A link is known as ours by its name and its MAC address together, whoever made it.

use std::io;

use crate::config::Router;
use crate::link::VmacStatus;
use crate::net::arp::Mac;
use crate::net::netlink::{Interface, Netlink};
use crate::net::sysctl;
use crate::vrrp::{Family, Vrid};

use super::instance::Instance;
use super::wires::speaks;

/// One link of a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vmac {
    /// What it is called: `vipd4-51`.
    pub(crate) name: String,
    mac: Mac,
    /// The family whose addresses go on it.
    pub(crate) family: Family,
    /// Its index as it was when the router last could take part.
    pub(crate) index: Option<u32>,
    /// We have set it up.
    up: bool,
}

impl Vmac {
    /// How it stands.
    pub(crate) fn status(&self) -> VmacStatus {
        let mac = self.mac.map(|byte| format!("{byte:02x}")).join(":");
        VmacStatus { link: self.name.clone(), mac, up: self.up }
    }

    /// Takes in which interface it is.
    pub(crate) fn find(&mut self, interfaces: &[Interface]) {
        self.index = interfaces.iter().find(|at| at.name == self.name).map(|at| at.index);
    }

    async fn set_up(&mut self, netlink: &Netlink, up: bool) -> io::Result<()> {
        let Some(index) = self.index else { return Ok(()) };
        netlink.set_up(index, up).await?;
        self.up = up;
        Ok(())
    }
}

/// What the link of a router for a family is called.
pub(crate) fn name(vrid: Vrid, family: Family) -> String {
    match family {
        Family::V4 => format!("vipd4-{vrid}"),
        Family::V6 => format!("vipd6-{vrid}"),
    }
}

/// The links of a router, none of which has been looked for.
pub(crate) fn vmacs(router: &Router) -> Vec<Vmac> {
    let families = [Family::V4, Family::V6].into_iter();
    let families = families.filter(|family| router.use_vmac && speaks(router, *family));
    let vrid = router.vrid;
    let one =
        |family| Vmac { name: name(vrid, family), mac: vrid.mac(family), family, index: None, up: false };
    families.map(one).collect()
}

/// Whether an interface is a link of ours.
pub(crate) fn is_ours(interface: &Interface) -> bool {
    let family = match interface.name.as_bytes() {
        [b'v', b'i', b'p', b'd', b'4', b'-', ..] => Family::V4,
        [b'v', b'i', b'p', b'd', b'6', b'-', ..] => Family::V6,
        _ => return false,
    };
    let vrid = interface.name[6..].parse().ok().and_then(Vrid::new);
    interface.macvlan.is_some() && vrid.is_some_and(|vrid| interface.mac == Some(vrid.mac(family)))
}

/// Sets a router's links up, before its first advert, which goes out through one.
///
/// # Errors
/// The words for the fault.
pub(crate) async fn raise(netlink: &Netlink, instance: &mut Instance) -> Result<(), String> {
    for vmac in &mut instance.vmacs {
        let raised = vmac.set_up(netlink, true).await;
        raised.map_err(|error| match error.raw_os_error() {
            Some(libc::EBUSY) => format!(
                "{} could not be set up: another link on {} has its virtual MAC address; is another VRRP daemon running?",
                vmac.name, instance.router.interface
            ),
            _ => format!("{} could not be set up: {error}", vmac.name),
        })?;
    }
    Ok(())
}

/// Sets a router's links down: from then on they say nothing, and nothing reaches them.
pub(crate) async fn lower(netlink: &Netlink, instance: &mut Instance) {
    for vmac in &mut instance.vmacs {
        match vmac.set_up(netlink, false).await {
            Err(error) if error.raw_os_error() != Some(libc::ENODEV) => {
                tracing::warn!("{} could not be set down: {error}", vmac.name);
            }
            Ok(()) | Err(_) => vmac.up = false,
        }
    }
}

/// What has to be done about a link.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Keep,
    Remove(u32),
    /// On top of this interface, instead of that link.
    Create(u32, Option<u32>),
    Refuse(String),
}

fn step(vmac: &Vmac, wanted: bool, interface: &str, interfaces: &[Interface]) -> Step {
    let there = interfaces.iter().find(|at| at.name == vmac.name);
    let ours = there.filter(|at| is_ours(at));
    if !wanted {
        return ours.map_or(Step::Keep, |at| Step::Remove(at.index));
    }
    // One that is not there is a fault that others tell.
    let Some(below) = interfaces.iter().find(|at| at.name == interface) else { return Step::Keep };
    if below.macvlan.is_some() {
        let why = "is a macvlan itself, and use_vmac needs a card: write the one below it as `interface`";
        return Step::Refuse(format!("interface {interface} {why}"));
    }
    match (there, ours) {
        (Some(_), None) => Step::Refuse(format!(
            "use_vmac needs the name {}, and an interface that is not ours has it: rename that one",
            vmac.name
        )),
        (_, Some(at)) if at.macvlan.is_some_and(|link| link.below == below.index && link.bridge) => {
            Step::Keep
        }
        (_, ours) => Step::Create(below.index, ours.map(|at| at.index)),
    }
}

/// Makes and removes links, so that what should be there is; says whether it changed anything. What keeps a router
/// from having its links is left with it as a fault.
pub(crate) async fn ensure(netlink: &Netlink, instances: &mut [Instance], interfaces: &[Interface]) -> bool {
    let mut changed = false;
    for instance in instances {
        let mut refused = None;
        for vmac in &instance.vmacs {
            let wanted = !instance.track.released;
            let router = &instance.router;
            let done = match step(vmac, wanted, &router.interface, interfaces) {
                Step::Keep => continue,
                Step::Refuse(why) => Err(why),
                Step::Remove(index) => {
                    netlink.delete_link(index).await.map_err(|error| format!("{}: {error}", vmac.name))
                }
                Step::Create(below, instead) => create(netlink, vmac, router, below, instead).await,
            };
            changed |= done.is_ok();
            refused = refused.or(done.err());
        }
        instance.vmac_refused = refused;
    }
    changed
}

async fn create(
    netlink: &Netlink,
    vmac: &Vmac,
    router: &Router,
    below: u32,
    instead: Option<u32>,
) -> Result<bool, String> {
    let Router { interface, .. } = router;
    let failed = |error| format!("{} could not be made on top of {interface}: {error}", vmac.name);
    if let Some(index) = instead {
        netlink.delete_link(index).await.map_err(failed)?;
    }
    let alias = format!("vipd:{}", router.name);
    netlink.create_macvlan(&vmac.name, below, vmac.mac, &alias).await.map_err(failed)?;
    quiet(vmac);
    let answers = answers_for_its_own_alone(interface);
    let Some((ignore, announce)) = answers else { return Ok(true) };
    netlink.set_arp(below, ignore, announce).await.map_err(|error| {
        format!("arp_ignore and arp_announce of {interface}, which use_vmac needs, could not be set: {error}")
    })?;
    Ok(true)
}

/// No address or route comes by router advertisements. Where /proc may not be written, the survey of settings tells.
fn quiet(vmac: &Vmac) {
    let off = if vmac.family == Family::V4 { ("disable_ipv6", 1) } else { ("accept_ra", 0) };
    if let Err(error) = sysctl::write(&format!("ipv6/conf/{}/{}", vmac.name, off.0), off.1) {
        tracing::debug!("{} of {}: {error}", off.0, vmac.name);
    }
}

/// What to set, so that the interface below neither answers for addresses of the links nor asks in their name: its own
/// MAC address would be learned for them.
fn answers_for_its_own_alone(interface: &str) -> Option<(i32, i32)> {
    let read = |at: &str, key: &str| sysctl::read(&format!("ipv4/conf/{at}/{key}")).unwrap_or(0);
    let largest = |key: &str| read(interface, key).max(read("all", key));
    let ignore = if largest("arp_ignore") == 0 { 1 } else { 0 };
    let announce = if largest("arp_announce") < 2 { 2 } else { 0 };
    ((ignore, announce) != (0, 0)).then_some((ignore, announce))
}

/// Removes every link of ours at the end, also of a router that never could take part.
pub(crate) async fn remove(netlink: &Netlink, instances: &[Instance]) {
    if instances.iter().all(|instance| instance.vmacs.is_empty()) {
        return;
    }
    let removed = async { remove_stale(netlink, &[], &netlink.interfaces()?).await };
    if let Err(error) = removed.await {
        tracing::warn!("the links with virtual MAC addresses could not be removed: {error}");
    }
}

/// Removes the links of ours that no router has any more; without routers, all of them. Their names.
pub(crate) async fn remove_stale(
    netlink: &Netlink,
    routers: &[Router],
    interfaces: &[Interface],
) -> io::Result<Vec<String>> {
    let wanted: Vec<_> = routers.iter().flat_map(vmacs).map(|vmac| vmac.name).collect();
    let mut removed = Vec::new();
    for stale in interfaces.iter().filter(|at| is_ours(at) && !wanted.contains(&at.name)) {
        if netlink.delete_link(stale.index).await? {
            removed.push(stale.name.clone());
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests;
