//! The nouns of the protocol: time, intervals, ids and priorities as types, so that no bare integer crosses a wall.
//!
//! Time is integer microseconds on CLOCK_BOOTTIME and comes in as an argument; nothing here reads a clock.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment: microseconds on CLOCK_BOOTTIME. Has a zero, prints, serialises and replays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(u64);

impl Time {
    /// The clock's zero: boot.
    pub const ZERO: Self = Self(0);

    /// A moment `micros` microseconds after the clock's zero.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the clock's zero.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Time {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

/// A length of time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span(u64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A length of `micros` microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A length of `millis` milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// The length in microseconds.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This length `times` over, saturating.
    pub const fn times(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }

    /// The same length for the standard library.
    pub const fn as_duration(self) -> Duration {
        Duration::from_micros(self.0)
    }
}

impl Add for Span {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Span {
    /// Milliseconds with three decimals below ten seconds (`360.938 ms`), seconds above (`12.5 s`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 10_000_000 {
            write!(f, "{}.{:03} ms", self.0 / 1_000, self.0 % 1_000)
        } else {
            write!(f, "{}.{} s", self.0 / 1_000_000, self.0 % 1_000_000 / 100_000)
        }
    }
}

/// Max Advertise Interval: 1..=4095 centiseconds (RFC 9568 §5.2.7, a 12-bit field; erratum 8301 makes 0 invalid).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Centis(u16);

impl Centis {
    /// The shortest interval of the protocol, 10 ms.
    pub const MIN: Self = Self(1);
    /// The longest interval of the protocol, 40.95 s.
    pub const MAX: Self = Self(4095);

    /// `centis` centiseconds; `None` outside 1..=4095.
    pub const fn new(centis: u16) -> Option<Self> {
        if centis >= 1 && centis <= 4095 { Some(Self(centis)) } else { None }
    }

    /// The number of centiseconds, 1..=4095.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The interval as a length of time.
    pub const fn span(self) -> Span {
        Span(self.0 as u64 * 10_000)
    }
}

impl fmt::Display for Centis {
    /// `100ms` below a second, `1s` or `1.25s` above, as the config writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (0, centis) => write!(f, "{}ms", centis * 10),
            (secs, 0) => write!(f, "{secs}s"),
            (secs, centis) => write!(f, "{secs}.{centis:02}s"),
        }
    }
}

/// Virtual Router Identifier, 1..=255 (RFC 9568 §5.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// `id` as a VRID; `None` for 0.
    pub const fn new(id: u8) -> Option<Self> {
        match NonZeroU8::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number, 1..=255.
    pub const fn get(self) -> u8 {
        self.0.get()
    }

    /// The Virtual Router MAC Address of a family (RFC 9568 §7.3).
    pub const fn mac(self, family: Family) -> [u8; 6] {
        let family = match family {
            Family::V4 => 1,
            Family::V6 => 2,
        };
        [0, 0, 0x5E, 0, family, self.get()]
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A priority on the wire (RFC 9568 §5.2.4): 0 resigns, 1..=254 competes, 255 owns the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Priority(u8);

impl Priority {
    /// "The current Active Router has stopped participating" (RFC 9568 §5.2.4).
    pub const RESIGN: Self = Self(0);
    /// What a node competes with while it is not fit to serve: any fit node is better.
    pub const UNFIT: Self = Self(1);
    /// The owner of the addresses.
    pub const OWNER: Self = Self(255);

    /// Any byte is a priority on the wire.
    pub const fn new(priority: u8) -> Self {
        Self(priority)
    }

    /// The byte on the wire.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An address with its prefix length, as the interface gets it: `10.77.0.100/24`, `2001:db8::100/64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cidr {
    /// The host address, not the network.
    pub address: IpAddr,
    /// Prefix length in bits, 1..=32 or 1..=128.
    pub prefix: u8,
}

impl Cidr {
    /// Which protocol it belongs to.
    pub const fn family(self) -> Family {
        Family::of(self.address)
    }

    /// The first address of its network: all bits behind the prefix are zero.
    pub fn network(self) -> IpAddr {
        let prefix = u32::from(self.prefix);
        match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or(0);
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or(0);
                IpAddr::V6((address.to_bits() & mask).into())
            }
        }
    }

    /// Whether its network has all of the other's addresses.
    pub fn contains(self, other: Self) -> bool {
        let wider = Self { address: other.address, prefix: self.prefix };
        self.family() == other.family() && self.prefix <= other.prefix && self.network() == wider.network()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// "IPvX": a virtual router has a wire of its own for each (RFC 9568 §1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// The version of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Version {
    /// RFC 3768: IPv4, whole seconds, eight bytes of authentication.
    V2,
    /// RFC 9568.
    #[default]
    V3,
}

impl Version {
    /// The number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// Whether a Backup takes over from an Active of lower priority (RFC 9568 §6.1, Preempt_Mode).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preempt {
    /// Preempt_Mode True: the highest priority serves.
    #[default]
    Always,
    /// Preempt_Mode False: who serves goes on serving while it is fit.
    Never,
    /// Preempt_Mode True, but who serves may go on for this long after it was heard first.
    After(Span),
}

/// The state of a virtual router on this node (RFC 9568 §6.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Takes no part: stopped, or at fault.
    #[default]
    Initialize,
    /// Watches the Active and is ready to take over.
    Backup,
    /// Holds the addresses and answers for them.
    Active,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initialize => "Initialize",
            Self::Backup => "Backup",
            Self::Active => "Active",
        })
    }
}

/// How the checksum of an advert is made: three readings of the standards are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Version 3, IPv4: pseudo-header and message: keepalived's and FRR's default.
    Pseudo,
    /// Version 3, IPv4: the message alone: RFC 9568 §5.2.8, Cisco, Juniper. Version 2: the only one.
    Message,
    /// Version 3, IPv4, unicast: a pseudo-header with 224.0.0.18 although the packet went elsewhere: keepalived up to
    /// 1.3.6.
    GroupPseudo,
    /// Version 3, IPv6: pseudo-header and message (RFC 9568 §5.2.8, RFC 8200 §8.1).
    Ipv6,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pseudo => "pseudo-header (keepalived)",
            Self::Message => "message only (RFC 9568)",
            Self::GroupPseudo => "pseudo-header of the group (keepalived up to 1.3.6)",
            Self::Ipv6 => "IPv6 (RFC 8200)",
        })
    }
}
