//! The 64-bit sequence of a trailer: UTC seconds, 1/65536 seconds, and a counter for what falls on the same moment.
//! Compared as RFC 1982 compares serial numbers, so that the wrap of the seconds in 2106 is no event.

use super::Window;

/// A moment of the wall clock, as fine as a trailer has it. Comes in as an argument; only `net::clock` makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Utc {
    /// Seconds since the Unix epoch, modulo 2^32.
    pub seconds: u32,
    /// The rest, in 1/65536 s.
    pub fraction: u16,
}

impl Utc {
    /// How many seconds this is after `earlier`; negative before it. Right as long as the two are within 68 years.
    pub(super) const fn seconds_after(self, earlier: u32) -> i32 {
        self.seconds.wrapping_sub(earlier).cast_signed()
    }

    /// Whether `seconds` is within the window around this moment.
    pub(super) fn is_near(self, seconds: u32, window: Window) -> bool {
        self.seconds_after(seconds).unsigned_abs() <= window.seconds().into()
    }
}

/// The sequence of one advert. A node's are in the order in which it signed, whatever path they went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence(u64);

impl Sequence {
    /// The first of a moment.
    pub(super) fn at(now: Utc) -> Self {
        Self(u64::from(now.seconds) << 32 | u64::from(now.fraction) << 16)
    }

    pub(super) const fn from_octets(octets: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(octets))
    }

    pub(super) const fn octets(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// Its seconds since the Unix epoch, modulo 2^32.
    pub(super) const fn seconds(self) -> u32 {
        let [a, b, c, d, ..] = self.octets();
        u32::from_be_bytes([a, b, c, d])
    }

    /// "s1 is greater than s2" (RFC 1982 §3.2). The distance of exactly half the space, which the RFC leaves
    /// undefined, counts as not after: nothing that is in doubt is believed.
    pub const fn is_after(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0).cast_signed() > 0
    }

    /// The next to send after `last`: the clock when it has moved on, one more when it has not. A `last` that is
    /// further ahead of the clock than peers accept, because the clock was set back, is forgotten.
    pub(super) fn next(last: Option<Self>, now: Utc, window: Window) -> Self {
        let clock = Self::at(now);
        match last {
            Some(last) if !clock.is_after(last) && now.is_near(last.seconds(), window) => {
                Self(last.0.wrapping_add(1))
            }
            Some(_) | None => clock,
        }
    }
}
