//! The switch: a bridge in a namespace of its own, one port for each host, named after it.

use std::os::fd::{AsFd, AsRawFd};

use super::{Error, Mac, Netns, links, sysctl};

/// Forwards at once (no spanning tree, no forward delay) and floods multicast (no IGMP snooping), as the cheapest
/// real switch does.
#[derive(Debug)]
pub(super) struct Switch {
    netns: Netns,
}

const BRIDGE: &str = "switch";

impl Switch {
    pub(super) fn create() -> Result<Self, Error> {
        let netns = Netns::create()?;
        sysctl::quiet(&netns)?;
        links::create_bridge(&netns, BRIDGE)?;
        Ok(Self { netns })
    }

    /// A cable from a new port called `port` to `eth0` of `host`, which gets the address `mac`.
    pub(super) fn connect(&self, port: &str, host: &Netns, mac: Mac) -> Result<(), Error> {
        links::create_cable(&self.netns, BRIDGE, port, host.as_fd().as_raw_fd(), mac)
    }

    /// Takes `port` up or down: the host at its other end gains or loses carrier.
    pub(super) fn set_port(&self, port: &str, up: bool) -> Result<(), Error> {
        links::set_up(&self.netns, port, up)
    }

    /// Isolates `port`, or no longer: isolated ports hear every other port, but not each other.
    pub(super) fn set_isolated(&self, port: &str, isolated: bool) -> Result<(), Error> {
        links::set_isolated(&self.netns, port, isolated)
    }

    pub(super) fn netns(&self) -> &Netns {
        &self.netns
    }
}
