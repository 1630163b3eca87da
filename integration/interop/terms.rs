//! What the two sides of a case agree on and what each of them is set to, and our config for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use vipd::lab::Mac;
use vipd::vrrp::Cidr;

/// The address that moves.
const V4: &[Cidr] = &[Cidr { address: IpAddr::V4(Ipv4Addr::new(10, 77, 0, 100)), prefix: 24 }];
/// The same in IPv6: RFC 9568 §5.2.9 wants a link-local address first.
const V6: &[Cidr] = &[
    Cidr { address: IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x77, 0x100)), prefix: 64 },
    Cidr { address: IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 0x100)), prefix: 64 },
];
/// The virtual router.
pub(crate) const VRID: u8 = 51;

/// One side of the virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Ours,
    Theirs,
}

pub(crate) const BOTH: [Who; 2] = [Who::Ours, Who::Theirs];

impl Who {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Ours => Self::Theirs,
            Self::Theirs => Self::Ours,
        }
    }

    /// Its host's name, which is our node's name as well.
    pub(crate) const fn host(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Theirs => "theirs",
        }
    }
}

/// Version and address family, which both sides share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// RFC 9568, IPv4.
    V3,
    /// RFC 9568, IPv6.
    V3Ipv6,
    /// RFC 3768, IPv4, with a password where one is given ("PASS", RFC 2338 §10.5.2).
    V2 { password: Option<&'static str> },
}

/// How adverts travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Multicast,
    Unicast,
}

impl Version {
    /// The addresses that move.
    pub(crate) const fn addresses(self) -> &'static [Cidr] {
        match self {
            Self::V3 | Self::V2 { .. } => V4,
            Self::V3Ipv6 => V6,
        }
    }

    /// The one of them that clients use.
    pub(crate) fn vip(self) -> IpAddr {
        self.addresses().last().expect("there is one").address
    }

    /// Adverts as often as a busy machine can keep up with; version 2 knows whole seconds alone.
    pub(crate) const fn interval(self) -> Duration {
        match self {
            Self::V3 | Self::V3Ipv6 => Duration::from_millis(200),
            Self::V2 { .. } => Duration::from_secs(1),
        }
    }
}

/// What goes into the checksum of version 3 over IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// With the pseudo-header: what keepalived and FRR do unless told otherwise.
    Pseudo,
    /// The message alone, as RFC 9568 §5.2.8 has it.
    Message,
}

/// What both sides agree on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) version: Version,
    pub(crate) transport: Transport,
    /// What the peer is set to; we are not set to anything.
    pub(crate) checksum: Checksum,
    /// Whether we, and keepalived, use the virtual MAC address; FRR always does.
    pub(crate) vmac: bool,
}

impl Terms {
    pub(crate) const V3: Self = Self {
        version: Version::V3,
        transport: Transport::Multicast,
        checksum: Checksum::Pseudo,
        vmac: false,
    };
    pub(crate) const IPV6: Self = Self { version: Version::V3Ipv6, ..Self::V3 };
    pub(crate) const V2: Self = Self { version: Version::V2 { password: None }, ..Self::V3 };
    pub(crate) const PASS: Self = Self { version: Version::V2 { password: Some("secret") }, ..Self::V3 };

    /// The same to each other's addresses.
    pub(crate) const fn unicast(self) -> Self {
        Self { transport: Transport::Unicast, ..self }
    }

    /// The same with the virtual MAC address.
    pub(crate) const fn with_vmac(self) -> Self {
        Self { vmac: true, ..self }
    }

    /// RFC 9568 §7.3.
    pub(crate) fn virtual_mac(self) -> Mac {
        let family = match self.version {
            Version::V3 | Version::V2 { .. } => 1,
            Version::V3Ipv6 => 2,
        };
        Mac([0x00, 0x00, 0x5e, 0x00, family, VRID])
    }

    /// Everything that FRR has words for.
    pub(crate) fn of_frr() -> Vec<Self> {
        vec![Self::V3, Self::IPV6, Self::V2, Self::V3.with_vmac(), Self::IPV6.with_vmac()]
    }

    /// Everything that keepalived has words for.
    pub(crate) fn of_keepalived() -> Vec<Self> {
        let mut all = Self::of_frr();
        all.extend([Self::PASS, Self::V3.unicast(), Self::V2.unicast(), Self::PASS.unicast()]);
        all
    }
}

/// What one side is set to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side {
    pub(crate) priority: u8,
    pub(crate) interval: Duration,
    pub(crate) preempt: bool,
}

impl Side {
    pub(crate) const fn of(priority: u8, version: Version) -> Self {
        Self { priority, interval: version.interval(), preempt: true }
    }

    pub(crate) const fn every(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    pub(crate) const fn without_preemption(self) -> Self {
        Self { preempt: false, ..self }
    }

    /// How long a Backup with this priority waits for an Active that advertises every `interval`:
    /// "(3 * Active_Adver_Interval) + Skew_Time" (RFC 9568 §6.1).
    pub(crate) fn down_interval(self, interval: Duration) -> Duration {
        3 * interval + interval * (256 - u32::from(self.priority)) / 256
    }
}

/// Our config: both machines are nodes of it, as in a pair that is migrated one node at a time. With `server`, a
/// frontend on the address and this one server behind it.
pub(crate) fn our_config(
    addresses: [Ipv4Addr; 2],
    terms: Terms,
    sides: [Side; 2],
    server: Option<Ipv4Addr>,
) -> String {
    let mut text = String::new();
    for ((who, address), side) in BOTH.into_iter().zip(addresses).zip(sides) {
        let (name, priority) = (who.host(), side.priority);
        let node = format!("[[node]]\nname = \"{name}\"\naddress = \"{address}\"\npriority = {priority}\n\n");
        text.push_str(&node);
    }
    text.push_str(&our_router(terms, sides[0]));
    if let Some(server) = server {
        let vip = terms.version.vip();
        text.push_str(&format!(
            "\n[[frontend]]\nname = \"web\"\nbind = [\"{vip}:3000\"]\npool = \"app\"\n\n\
             [[pool]]\nname = \"app\"\n\
             check = {{ tcp = true, interval = \"200ms\", timeout = \"200ms\", rise = 2, fall = 2 }}\n\
             server = [{{ name = \"app\", address = \"{server}:8080\" }}]\n"
        ));
    }
    text
}

fn our_router(terms: Terms, side: Side) -> String {
    let (version, password) = match terms.version {
        Version::V3 | Version::V3Ipv6 => (3, None),
        Version::V2 { password } => (2, password),
    };
    let addresses: Vec<_> = terms.version.addresses().iter().map(Cidr::to_string).collect();
    let transport = match terms.transport {
        Transport::Multicast => "multicast",
        Transport::Unicast => "unicast",
    };
    let preempt = if side.preempt { "always" } else { "never" };
    let interval = side.interval.as_millis();
    let mut text = format!(
        "[[vrrp]]\nname = \"web\"\ninterface = \"eth0\"\nvrid = {VRID}\naddresses = {addresses:?}\n\
         version = {version}\ntransport = \"{transport}\"\n\
         advert_interval = \"{interval}ms\"\npreempt = \"{preempt}\"\nuse_vmac = {}\n",
        terms.vmac
    );
    if let Some(password) = password {
        text.push_str(&format!("password = \"{password}\"\n"));
    }
    text
}
