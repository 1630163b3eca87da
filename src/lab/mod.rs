//! Hosts as network namespaces: `vipd lab` and the integration tests share this room.
//!
//! A [`Lab`] is a switch and the hosts plugged into it: real kernels' network stacks, built by netlink without the
//! `ip` command. On it run [`Node`]s (real `vipd run` processes), [`AppServer`]s (real Nginx where it is installed)
//! and [`Traffic`] as a client would send it, and a [`Capture`] hears what the client hears.
//!
//! Calls block; callers are plain tests and the story's one thread. What happens over time (frames, requests, events)
//! goes into a [`Journal`], on which a caller waits with a deadline instead of sleeping. Times are [`Moment`]s of the
//! clock with which the kernel stamps packets.
//!
//! Building a lab takes CAP_SYS_ADMIN and CAP_NET_ADMIN. `vipd lab` gets them without root too, inside a user namespace.
//! This room must never touch the machine's own network: it works in namespaces that it made.

mod appserver;
mod builtin;
mod capture;
mod cell;
mod dir;
mod error;
mod frame;
mod host;
mod journal;
mod links;
mod moment;
mod netns;
mod node;
mod process;
mod reaper;
pub mod story;
mod switch;
mod sysctl;
mod tally;
#[cfg(test)]
mod tests;
mod topology;
mod traffic;

use std::net::Ipv4Addr;
use std::path::Path;

pub use appserver::{AppServer, Flavour};
pub use capture::Capture;
pub use dir::LabDir;
pub use error::Error;
pub use frame::{Advert, Arp, Content, Frame, NeighbourAdvert};
pub use host::{Counters, Host, Neighbour};
pub use journal::Journal;
pub use moment::Moment;
pub use netns::Netns;
pub use node::{Node, Setup};
pub use process::Process;
pub use tally::Tally;
pub use topology::{HostSpec, Mac, Topology};
pub use traffic::{Exchange, Outcome, Pace, Traffic};

use switch::Switch;

/// A switch and the hosts plugged into it, alive as long as this value: dropping it kills every process that still
/// runs in its namespaces and removes its directory; the kernel then takes the namespaces and links away.
#[derive(Debug)]
pub struct Lab {
    hosts: Vec<Host>,
    switch: Switch,
    dir: LabDir,
}

impl Lab {
    /// Builds the hosts of `topology`, all plugged in, with files under the system's temporary directory.
    ///
    /// # Errors
    /// Without CAP_SYS_ADMIN and CAP_NET_ADMIN, or when the kernel refuses a namespace or a link.
    pub fn build(topology: &Topology) -> Result<Self, Error> {
        Self::build_in(LabDir::temporary()?, topology)
    }

    /// Builds the hosts of `topology`, all plugged in, with files in `dir`.
    ///
    /// # Errors
    /// As [`Lab::build`].
    pub fn build_in(dir: LabDir, topology: &Topology) -> Result<Self, Error> {
        let switch = Switch::create()?;
        let hosts = topology
            .hosts
            .iter()
            .map(|spec| Host::create(spec, topology.prefix, &switch))
            .collect::<Result<_, _>>()?;
        Ok(Self { hosts, switch, dir })
    }

    /// The host called `name`.
    ///
    /// # Panics
    /// When the topology has no such host: a mistake of the caller.
    pub fn host(&self, name: &str) -> &Host {
        let found = self.hosts.iter().find(|host| host.name() == name);
        found.unwrap_or_else(|| panic!("no host {name:?} in this lab"))
    }

    /// Every host in the order of the topology.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The name of the host that has `address` as its own, for a human.
    pub fn name_of(&self, address: Ipv4Addr) -> Option<&str> {
        self.hosts.iter().find(|host| host.address() == address).map(Host::name)
    }

    /// The name of the host whose card has `mac`, for a human.
    pub fn name_of_mac(&self, mac: Mac) -> Option<&str> {
        self.hosts.iter().find(|host| host.mac() == mac).map(Host::name)
    }

    /// Pulls the cable of `host` out of the switch: the host loses carrier. Returns the moment just before.
    ///
    /// # Errors
    /// When the kernel refuses to take the switch's port down.
    pub fn unplug(&self, host: &str) -> Result<Moment, Error> {
        let at = Moment::now();
        self.switch.set_port(self.host(host).name(), false)?;
        Ok(at)
    }

    /// Plugs the cable of `host` back in. Returns the moment just before.
    ///
    /// # Errors
    /// When the kernel refuses to take the switch's port up.
    pub fn plug(&self, host: &str) -> Result<Moment, Error> {
        let at = Moment::now();
        self.switch.set_port(self.host(host).name(), true)?;
        Ok(at)
    }

    /// Parts `hosts` from each other: they keep their carrier and everyone else hears them, but none of them hears
    /// another of them.
    ///
    /// # Errors
    /// When the kernel refuses to isolate a port of the switch; some may be isolated by then.
    pub fn part(&self, hosts: &[&str]) -> Result<(), Error> {
        hosts.iter().try_for_each(|host| self.switch.set_isolated(self.host(host).name(), true))
    }

    /// Joins parted `hosts` again. Returns the moment just before.
    ///
    /// # Errors
    /// As [`Lab::part`].
    pub fn join(&self, hosts: &[&str]) -> Result<Moment, Error> {
        let at = Moment::now();
        hosts.iter().try_for_each(|host| self.switch.set_isolated(self.host(host).name(), false))?;
        Ok(at)
    }

    /// Takes the card out of `host`: the interface is gone.
    ///
    /// # Errors
    /// When the kernel refuses, for instance because it is gone already.
    pub fn remove_card(&self, host: &str) -> Result<(), Error> {
        self.host(host).remove_card()
    }

    /// Puts a card of the same name and hardware address into `host` whose card was taken out, as
    /// [`Lab::build`] did: another interface to the kernel.
    ///
    /// # Errors
    /// When the kernel refuses the link or its address.
    pub fn insert_card(&self, host: &str) -> Result<(), Error> {
        self.host(host).insert_card(&self.switch)
    }

    /// Where the lab keeps its files; goes away with the lab.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        reaper::kill_all_in(self.hosts.iter().map(Host::netns).chain([self.switch.netns()]));
    }
}
