//! One host: a namespace with a card `eth0` on the switch, an address and a loopback.

use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, Command};

use super::links::{self, CARD};
use super::switch::Switch;
use super::topology::{HostSpec, Mac};
use super::{Error, Netns, sysctl};
use crate::vrrp::Cidr;

/// A host of the lab; clones are the same host.
#[derive(Clone, Debug)]
pub struct Host {
    name: String,
    address: Ipv4Addr,
    mac: Mac,
    prefix: u8,
    netns: Netns,
}

/// An entry of a host's neighbour table: ARP, or neighbour discovery of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Whose entry it is.
    pub address: IpAddr,
    /// Where frames to it go; `None` while that is not known (incomplete or failed).
    pub mac: Option<Mac>,
}

/// What went over a host's card since the lab was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that came in.
    pub received_packets: u64,
    /// Frames that went out.
    pub sent_packets: u64,
    /// Bytes that came in.
    pub received_bytes: u64,
    /// Bytes that went out.
    pub sent_bytes: u64,
}

impl Host {
    pub(super) fn create(spec: &HostSpec, prefix: u8, switch: &Switch) -> Result<Self, Error> {
        let netns = Netns::create()?;
        sysctl::quiet(&netns)?;
        links::set_up(&netns, "lo", true)?;
        let host = Self { name: spec.name.clone(), address: spec.address, mac: spec.mac, prefix, netns };
        host.insert_card(switch)?;
        Ok(host)
    }

    /// Gives it its card, up and with its own address.
    pub(super) fn insert_card(&self, switch: &Switch) -> Result<(), Error> {
        switch.connect(&self.name, &self.netns, self.mac)?;
        links::set_up(&self.netns, CARD, true)?;
        links::add_address(&self.netns, CARD, Cidr { address: self.address.into(), prefix: self.prefix })
    }

    /// Takes its card out, and with it what was configured on it.
    pub(super) fn remove_card(&self) -> Result<(), Error> {
        links::delete(&self.netns, CARD)
    }

    /// Its name in the topology.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its own address.
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The address of its card.
    pub const fn mac(&self) -> Mac {
        self.mac
    }

    /// Its network namespace.
    pub const fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Runs `work` on this host, see [`Netns::run`].
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> Result<R, Error> {
        self.netns.run(work)
    }

    /// Starts a program on this host. The caller owns the child; [`super::Process`] is the kind that ends by itself.
    ///
    /// # Errors
    /// When the program cannot be started; the words name it.
    pub fn spawn(&self, command: &mut Command) -> Result<Child, Error> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = self.netns.run(|| command.spawn())?;
        child.map_err(Error::at(format_args!("starting {program} on {}", self.name)))
    }

    /// The IPv4 addresses of its card, its own one included.
    ///
    /// # Errors
    /// When netlink refuses.
    pub fn addresses(&self) -> Result<Vec<Cidr>, Error> {
        links::addresses(&self.netns, CARD)
    }

    /// Whether its card has `address`, whatever the prefix length.
    ///
    /// # Errors
    /// When netlink refuses.
    pub fn holds(&self, address: impl Into<IpAddr>) -> Result<bool, Error> {
        let address = address.into();
        Ok(self.addresses()?.iter().any(|held| held.address == address))
    }

    /// Puts `address` on its card, as an operator would by hand.
    ///
    /// # Errors
    /// When netlink refuses, for instance because the address is there.
    pub fn add_address(&self, address: Cidr) -> Result<(), Error> {
        links::add_address(&self.netns, CARD, address)
    }

    /// Takes `address` off its card, as an operator would by hand.
    ///
    /// # Errors
    /// When netlink refuses, for instance because the address is not there.
    pub fn delete_address(&self, address: Cidr) -> Result<(), Error> {
        links::delete_address(&self.netns, CARD, address)
    }

    /// Its neighbour tables, of both families.
    ///
    /// # Errors
    /// When netlink refuses.
    pub fn neighbours(&self) -> Result<Vec<Neighbour>, Error> {
        links::neighbours(&self.netns, CARD)
    }

    /// Where it sends frames for `address`; `None` when it does not know.
    ///
    /// # Errors
    /// When netlink refuses.
    pub fn neighbour(&self, address: impl Into<IpAddr>) -> Result<Option<Mac>, Error> {
        let address = address.into();
        let known = self.neighbours()?;
        Ok(known.into_iter().find(|entry| entry.address == address).and_then(|entry| entry.mac))
    }

    /// Whether its cable is plugged in.
    ///
    /// # Errors
    /// When netlink refuses.
    pub fn has_carrier(&self) -> Result<bool, Error> {
        links::has_carrier(&self.netns, CARD)
    }

    /// What went over its card so far.
    ///
    /// # Errors
    /// When netlink refuses.
    pub fn counters(&self) -> Result<Counters, Error> {
        links::counters(&self.netns, CARD)
    }
}
