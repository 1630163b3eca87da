//! Which hosts there are and what their cards are called.

use std::fmt;
use std::net::Ipv4Addr;

/// The hosts on one switch, in one network.
#[derive(Clone, Debug)]
pub struct Topology {
    /// In the order in which they are built; names are unique and at most 15 bytes (IFNAMSIZ).
    pub hosts: Vec<HostSpec>,
    /// Length of the network prefix of every host's address.
    pub prefix: u8,
}

/// One host: its name, the address of its `eth0`, and the card's address.
#[derive(Clone, Debug)]
pub struct HostSpec {
    /// Its name, which is that of its port on the switch as well.
    pub name: String,
    /// Its own address.
    pub address: Ipv4Addr,
    /// The address of its card.
    pub mac: Mac,
}

impl Topology {
    /// The pair of the README: lb1, lb2, a client and three application servers in 10.77.0.0/24.
    pub fn pair() -> Self {
        let hosts = [("lb1", 1), ("lb2", 2), ("client", 50), ("app1", 11), ("app2", 12), ("app3", 13)];
        hosts.into_iter().fold(Self { hosts: Vec::new(), prefix: 24 }, |topology, (name, last)| {
            topology.with(name, Ipv4Addr::new(10, 77, 0, last))
        })
    }

    /// The same with one more host, whose card gets the address [`Mac::of`] its own.
    #[must_use]
    pub fn with(mut self, name: &str, address: Ipv4Addr) -> Self {
        self.hosts.push(HostSpec { name: name.to_owned(), address, mac: Mac::of(address) });
        self
    }
}

/// The address of an Ethernet card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The card of the host with `address`: 02:00 (locally administered) and the four bytes of the address.
    pub const fn of(address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        Self([2, 0, a, b, c, d])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}
